//! Growth with the number of peers, drawn: events per second over peers, both logarithmic.

use std::collections::BTreeMap;
use std::fmt::Write;

use peerlet_bench_yardstick::Workload;

use crate::case::Engine;
use crate::figures::Figure;
use crate::table::thousands;

/// A panel's area within its margins, and where the next panel begins.
const LEFT: f64 = 90.0;
const WIDTH: f64 = 560.0;
const TOP: f64 = 56.0;
const HEIGHT: f64 = 330.0;
const PANEL: f64 = TOP + HEIGHT + 64.0;
const LEGEND: f64 = LEFT + WIDTH + 24.0;
const FULL_WIDTH: f64 = LEGEND + 180.0;

/// A line of the chart: who, and on how many threads.
type Name = (Engine, u32);

/// The color of an engine: from the palette of Okabe and Ito, which most color-blind people can
/// tell apart.
const fn color(engine: Engine) -> &'static str {
    match engine {
        Engine::Loop => "#000000",
        Engine::Heap => "#888888",
        Engine::Peerlet => "#d55e00",
        Engine::Reference => "#e69f00",
        Engine::Simcore => "#0072b2",
        Engine::Nexosim => "#56b4e9",
        Engine::Madsim => "#009e73",
        Engine::Turmoil => "#cc79a7",
    }
}

/// What a panel shows: the points of each line.
type Lines = BTreeMap<Name, Vec<(f64, f64)>>;

/// Decades on an axis: the exponents of its ends.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Axis {
    low: i32,
    high: i32,
}

impl Axis {
    /// The decades around these values, at least one.
    fn around(values: impl Iterator<Item = f64> + Clone) -> Axis {
        let low = values.clone().fold(f64::INFINITY, f64::min).log10().floor() as i32;
        let high = values.fold(0.0, f64::max).log10().ceil() as i32;
        Axis { low, high: high.max(low + 1) }
    }

    /// Where a value lies, from 0 to 1.
    fn place(self, value: f64) -> f64 {
        (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low)
    }

    /// The powers of ten.
    fn ticks(self) -> impl Iterator<Item = f64> {
        (self.low..=self.high).map(|exponent| 10f64.powi(exponent))
    }

    /// The values between the powers of ten.
    fn minor_ticks(self) -> impl Iterator<Item = f64> {
        let decade = |exponent| (2..10).map(move |n| f64::from(n) * 10f64.powi(exponent));
        (self.low..self.high).flat_map(decade)
    }
}

/// Draws one panel a workload, as SVG.
pub fn draw(figures: &[Figure]) -> String {
    let mut panels: Vec<(Workload, Lines)> = Vec::new();
    for figure in figures {
        let Ok(measured) = &figure.measured else { continue };
        let known = panels.iter().position(|(workload, _)| *workload == figure.workload);
        let place = known.unwrap_or_else(|| {
            panels.push((figure.workload, Lines::new()));
            panels.len() - 1
        });
        let line = panels[place].1.entry((figure.engine, figure.threads)).or_default();
        line.push((f64::from(figure.peers), measured.rate));
    }
    let height = PANEL * panels.len().max(1) as f64;
    let mut svg = String::new();
    let mut put = |text: &str| svg.push_str(text);
    put(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {FULL_WIDTH} {height}\" \
         width=\"{FULL_WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    ));
    for (i, (workload, lines)) in panels.iter_mut().enumerate() {
        for points in lines.values_mut() {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        put(&format!("<g transform=\"translate(0 {})\">\n", PANEL * i as f64));
        put(&panel(*workload, lines));
        put("</g>\n");
    }
    put("</svg>\n");
    svg
}

/// One panel: axes, lines, legend.
fn panel(workload: Workload, lines: &Lines) -> String {
    let points = lines.values().flatten();
    let across = Axis::around(points.clone().map(|point| point.0));
    let up = Axis::around(points.map(|point| point.1));
    let x = |peers: f64| LEFT + WIDTH * across.place(peers);
    let y = |rate: f64| TOP + HEIGHT * (1.0 - up.place(rate));
    let mut svg = frame(workload, (across, up), (&x, &y));
    for ((engine, threads), points) in lines {
        let stroke = color(*engine);
        let dash = if *threads > 1 { " stroke-dasharray=\"6 4\"" } else { "" };
        let path: Vec<_> = points.iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1))).collect();
        put(
            &mut svg,
            format_args!(
                "<polyline fill=\"none\" stroke=\"{stroke}\" stroke-width=\"2\"{dash} \
                 points=\"{}\"/>",
                path.join(" ")
            ),
        );
        for point in points {
            let (x, y) = (x(point.0), y(point.1));
            put(
                &mut svg,
                format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{stroke}\"/>"),
            );
        }
    }
    svg + &legend(lines)
}

/// The axes with their names, ticks and labels.
fn frame(
    workload: Workload,
    (across, up): (Axis, Axis),
    (x, y): (&dyn Fn(f64) -> f64, &dyn Fn(f64) -> f64),
) -> String {
    let (right, bottom, mut svg) = (LEFT + WIDTH, TOP + HEIGHT, String::new());
    let mut line = |from: (f64, f64), to: (f64, f64), stroke: &str| {
        put(
            &mut svg,
            format_args!(
                "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{stroke}\"/>",
                from.0, from.1, to.0, to.1
            ),
        );
    };
    for peers in across.minor_ticks() {
        line((x(peers), bottom), (x(peers), bottom - 4.0), "#999999");
    }
    for rate in up.minor_ticks() {
        line((LEFT, y(rate)), (LEFT + 4.0, y(rate)), "#999999");
    }
    for peers in across.ticks() {
        line((x(peers), TOP), (x(peers), bottom), "#dddddd");
    }
    for rate in up.ticks() {
        line((LEFT, y(rate)), (right, y(rate)), "#dddddd");
    }
    put(
        &mut svg,
        format_args!(
            "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" \
         stroke=\"#333333\"/>"
        ),
    );
    let mut text = |(x, y): (f64, f64), anchor: &str, text: &str| {
        put(
            &mut svg,
            format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"),
        );
    };
    across.ticks().for_each(|peers| {
        text((x(peers), bottom + 20.0), "middle", &thousands(peers as u64));
    });
    up.ticks().for_each(|rate| text((LEFT - 8.0, y(rate) + 4.0), "end", &amount(rate)));
    text((LEFT + WIDTH / 2.0, bottom + 42.0), "middle", "peers");
    text((LEFT, TOP - 14.0), "start", "events per second of real time");
    put(
        &mut svg,
        format_args!(
            "<text x=\"{right}\" y=\"{}\" text-anchor=\"end\" font-weight=\"bold\">{}</text>",
            TOP - 14.0,
            workload.name()
        ),
    );
    svg
}

/// Who has which line, the fastest at its last point first.
fn legend(lines: &Lines) -> String {
    let last = |points: &[(f64, f64)]| points.last().map_or(0.0, |point| point.1);
    let mut order: Vec<_> = lines.iter().collect();
    order.sort_by(|a, b| last(b.1).total_cmp(&last(a.1)));
    let mut svg = String::new();
    for (i, ((engine, threads), _)) in order.into_iter().enumerate() {
        let (y, stroke) = (TOP + 10.0 + 22.0 * i as f64, color(*engine));
        let (dash, threads) = match threads {
            1 => ("", String::new()),
            more => (" stroke-dasharray=\"6 4\"", format!(", {more} threads")),
        };
        put(
            &mut svg,
            format_args!(
                "<line x1=\"{LEGEND}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{stroke}\" \
             stroke-width=\"2\"{dash}/>\n<text x=\"{}\" y=\"{}\">{engine}{threads}</text>",
                LEGEND + 26.0,
                LEGEND + 32.0,
                y + 4.0
            ),
        );
    }
    svg
}

/// Adds a line of text.
fn put(svg: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(svg, "{line}").expect("text can be added to text");
}

/// A power of ten in words of few letters.
fn amount(rate: f64) -> String {
    match rate {
        1e9.. => format!("{} G", rate / 1e9),
        1e6.. => format!("{} M", rate / 1e6),
        1e3.. => format!("{} k", rate / 1e3),
        _ => format!("{rate}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::child::Absence;
    use crate::figures::{Series, figures};
    use crate::sample::Sample;

    #[test]
    fn an_axis_has_whole_decades() {
        let axis = Axis::around([1_000.0, 30_000.0].into_iter());
        assert_eq!(axis, Axis { low: 3, high: 5 });
        assert_eq!((axis.place(1e3), axis.place(1e4), axis.place(1e5)), (0.0, 0.5, 1.0));
        assert_eq!(axis.ticks().collect::<Vec<_>>(), [1e3, 1e4, 1e5]);
        assert_eq!(axis.minor_ticks().count(), 16);
        assert_eq!(Axis::around([1e6].into_iter()), Axis { low: 6, high: 7 });
    }

    #[test]
    fn every_line_is_drawn_and_absent_ones_are_not() {
        let series = |engine, peers, wall: Option<u64>| {
            let sample = match wall {
                Some(wall) => {
                    Ok(Sample::new(100_000, Duration::ZERO, Duration::from_millis(wall), 1))
                }
                None => Err(Absence::TooSlow),
            };
            let (workload, samples) = (Workload::Gossip, vec![sample]);
            Series { workload, peers, engine, threads: 1, seconds: 60, samples }
        };
        let svg = draw(&figures(&[
            series(Engine::Loop, 10_000, Some(10)),
            series(Engine::Loop, 1_000, Some(10)),
            series(Engine::Peerlet, 1_000, Some(100)),
            series(Engine::Madsim, 1_000, None),
        ]));
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 3);
        // From 1,000 to 10,000 peers at 10 M/s, the top of the panel, from left to right.
        assert!(svg.contains("points=\"90.0,56.0 650.0,56.0\""), "{svg}");
        assert!(svg.contains(">loop<") && svg.contains(">peerlet<") && !svg.contains("madsim"));
        assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
    }
}
