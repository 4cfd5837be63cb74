//! A sequence of messages as a picture that stands by itself.

use std::fmt::Write;

use peerlet_core::{Duration, Time};

use crate::story::sequence::{Sequence, What};

/// The places of columns and rows, in pixels.
const LEFT: usize = 130;
const COLUMN: usize = 120;
const TOP: usize = 50;
const ROW: usize = 22;

/// Colors for light and dark.
const STYLE: &str = "text{font:12px ui-monospace,monospace;fill:#1f2328}.dim{fill:#59636e}\
                     .life{stroke:#d1d9e0}.way{stroke:#0969da}.lost{stroke:#cf222e;\
                     stroke-dasharray:4 3}.tip{fill:#0969da}.no{fill:#cf222e}.mark{fill:#59636e}\
                     .back{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#e6edf3}\
                     .dim{fill:#9198a1}.life{stroke:#3d444d}.way{stroke:#58a6ff}\
                     .lost{stroke:#ff7b72}.tip{fill:#58a6ff}.no{fill:#ff7b72}\
                     .mark{fill:#9198a1}.back{fill:#0d1117}}";

impl Sequence {
    /// The sequence as a picture.
    pub fn svg(&self) -> String {
        let Sequence { peers, steps } = self;
        let (x, y) = (|column: usize| LEFT + column * COLUMN, |row: usize| TOP + (row + 1) * ROW);
        let labels = LEFT + peers.len() * COLUMN;
        let (width, height) = (labels + 560, y(steps.len()) + ROW);
        let mut out = String::new();
        let mut put =
            |line: std::fmt::Arguments<'_>| writeln!(out, "{line}").expect("it takes all");
        put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\"><title>A sequence of messages</title>\
         <style>{STYLE}</style><defs>{}{}</defs>\
         <rect class=\"back\" width=\"{width}\" height=\"{height}\"/>",
            marker("tip", "M0,0L8,4L0,8z"),
            marker("no", "M0,1L1,0L4,3L7,0L8,1L5,4L8,7L7,8L4,5L1,8L0,7L3,4z"),
        ));
        for (column, peer) in peers.iter().enumerate() {
            let (at, end) = (x(column), y(steps.len()));
            put(format_args!(
                "<line class=\"life\" x1=\"{at}\" y1=\"{TOP}\" x2=\"{at}\" y2=\"{end}\"/>"
            ));
            let above = TOP - 14;
            put(format_args!(
                "<text x=\"{at}\" y=\"{above}\" text-anchor=\"middle\">peer {peer}</text>"
            ));
        }
        let mut last = None;
        for (row, step) in steps.iter().enumerate() {
            let (from, at) = (x(step.at), y(row));
            let text = at + 4;
            if last != Some(step.time) {
                let time = Time::ZERO + Duration::from_nanos(step.time);
                put(format_args!("<text class=\"dim\" x=\"8\" y=\"{text}\">{time}</text>"));
            }
            last = Some(step.time);
            match step.what {
                What::Send { to, comes, is_lost } if to != step.at => {
                    let (class, tip) = if is_lost { ("lost", "no") } else { ("way", "tip") };
                    // A message that is lost at once, or never seen again, is level.
                    let (x2, y2) = (x(to), y(comes.filter(|_| !is_lost).unwrap_or(row)));
                    let x2 = if is_lost { usize::midpoint(from, x2) } else { x2 };
                    put(format_args!(
                        "<line class=\"{class}\" x1=\"{from}\" y1=\"{at}\" x2=\"{x2}\" y2=\"{y2}\" \
                     marker-end=\"url(#{tip})\"/>"
                    ));
                }
                What::Lose { sent: Some(_), .. } => {}
                What::Lose { to, sent: None } => {
                    let x2 = usize::midpoint(from, x(to));
                    put(format_args!(
                        "<line class=\"lost\" x1=\"{from}\" y1=\"{at}\" x2=\"{x2}\" y2=\"{at}\" \
                     marker-end=\"url(#no)\"/>"
                    ));
                }
                _ => {
                    put(format_args!("<circle class=\"mark\" cx=\"{from}\" cy=\"{at}\" r=\"3\"/>"))
                }
            }
            let label = escaped(&step.label);
            put(format_args!("<text x=\"{labels}\" y=\"{text}\">{label}</text>"));
        }
        out + "</svg>\n"
    }
}

fn marker(class: &str, path: &str) -> String {
    format!(
        "<marker id=\"{class}\" class=\"{class}\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" \
         refY=\"4\" orient=\"auto\" markerUnits=\"userSpaceOnUse\"><path d=\"{path}\"/></marker>"
    )
}

/// A text as XML has it.
fn escaped(text: &str) -> String {
    let kept = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let kept: String = kept.collect();
    kept.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
