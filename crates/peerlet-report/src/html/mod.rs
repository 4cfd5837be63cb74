//! The report of runs: one HTML file with all plots, which loads nothing.
//!
//! [`ReportData`] is the content, read from run folders; the page draws it. Scripts and styles are
//! files beside this one, and uPlot, which draws plots (MIT), is in `vendor`.

mod data;
mod graph;
mod marks;
mod run;
mod series;
mod sweep;

pub use data::{ReportData, RunData};
pub use run::read_run;
pub use sweep::read_sweep;

/// The page without its content.
const PAGE: &str = include_str!("page.html");

/// The styles, in order.
const STYLES: [&str; 4] = [
    include_str!("vendor/uPlot.min.css"),
    include_str!("style.css"),
    include_str!("plots.css"),
    include_str!("media.css"),
];

/// The library that draws plots.
const LIBRARY: &str = include_str!("vendor/uPlot.iife.min.js");

/// The scripts, in order: one may use those before it.
const SCRIPTS: [&str; 28] = [
    include_str!("errors.js"),
    include_str!("colors.js"),
    include_str!("numbers.js"),
    include_str!("dom.js"),
    include_str!("statistics.js"),
    include_str!("plot_model.js"),
    include_str!("plot_svg.js"),
    include_str!("charts.js"),
    include_str!("runs.js"),
    include_str!("summary.js"),
    include_str!("series.js"),
    include_str!("distributions.js"),
    include_str!("messages.js"),
    include_str!("peers.js"),
    include_str!("sweeps.js"),
    include_str!("graph_data.js"),
    include_str!("link_bitmap.js"),
    include_str!("quadtree.js"),
    include_str!("layouts.js"),
    include_str!("node_colors.js"),
    include_str!("flights.js"),
    include_str!("network_view.js"),
    include_str!("network_svg.js"),
    include_str!("timeline.js"),
    include_str!("pointers.js"),
    include_str!("overlay.js"),
    include_str!("check.js"),
    include_str!("page.js"),
];

/// The page of a report.
pub fn page(report: &ReportData) -> String {
    let data = serde_json::to_string(report).expect("a report has only texts and numbers");
    // Nothing in the data can end its element, nor begin a comment in it.
    let data = data.replace('<', "\\u003c");
    let script = format!("(() => {{\n\"use strict\";\n{}\n}})();", SCRIPTS.concat());
    let parts = [
        ("{{title}}", escaped(&report.title)),
        ("{{style}}", STYLES.concat()),
        ("{{library}}", LIBRARY.to_owned()),
        ("{{script}}", script),
        ("{{data}}", data),
    ];
    filled(PAGE, &parts)
}

/// A text with its placeholders filled; what is put in is not looked at again.
fn filled(text: &str, parts: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    let next = |rest: &str| {
        let found = parts.iter().filter_map(|(name, value)| Some((rest.find(name)?, name, value)));
        found.min_by_key(|(at, ..)| *at).map(|(at, name, value)| (at, name.len(), value.clone()))
    };
    while let Some((at, len, value)) = next(rest) {
        out += &rest[..at];
        out += &value;
        rest = &rest[at + len..];
    }
    out + rest
}

/// A text in HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_data_ends_its_element() {
        let title = "a</title></script><!-- {{data}} & b".to_owned();
        let report = ReportData { title, ..ReportData::new(Vec::new()) };
        let page = page(&report);
        assert!(page.contains("<title>a&lt;/title&gt;&lt;/script&gt;&lt;!-- {{data}} &amp; b<"));
        assert!(
            page.contains("\"title\":\"a\\u003c/title>\\u003c/script>\\u003c!-- {{data}} & b\"")
        );
        assert_eq!(page.matches("</script>").count(), 3, "data, library and scripts");
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = page(&ReportData::new(Vec::new()));
        for loading in ["src=", "@import", "url(http", "fetch(", "XMLHttpRequest", "WebSocket"] {
            assert!(!page.contains(loading), "{loading}");
        }
    }
}
