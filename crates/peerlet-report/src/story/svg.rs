//! A sequence of messages as a picture that stands by itself.

use peerlet_core::{Duration, Time};

use crate::story::sequence::{Sequence, Step, What};

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

/// The places of the rows of a sequence.
struct Places {
    /// How many rows are above each step.
    rows: Vec<usize>,
}

impl Places {
    fn of(steps: &[Step]) -> Places {
        let mut rows = vec![0];
        for step in steps {
            rows.push(rows[rows.len() - 1] + usize::from(is_row(step)));
        }
        Places { rows }
    }

    fn y(&self, row: usize) -> usize {
        TOP + (self.rows[row] + 1) * ROW
    }
}

fn x(column: usize) -> usize {
    LEFT + column * COLUMN
}

/// The loss of a message has no row of its own where the story has its departure.
fn is_row(step: &Step) -> bool {
    !matches!(step.what, What::Lose { sent: Some(_), .. })
}

impl Sequence {
    /// The sequence as a picture.
    pub fn svg(&self) -> String {
        let Sequence { peers, steps } = self;
        let places = Places::of(steps);
        let (labels, end) = (x(peers.len()), places.y(steps.len()));
        let mut out = head(labels + 720, end + ROW);
        for (column, peer) in peers.iter().enumerate() {
            let (at, above) = (x(column), TOP - 14);
            out += &format!(
                "<line class=\"life\" x1=\"{at}\" y1=\"{TOP}\" x2=\"{at}\" y2=\"{end}\"/>\n\
                 <text x=\"{at}\" y=\"{above}\" text-anchor=\"middle\">peer {peer}</text>\n"
            );
        }
        let mut last = None;
        for (row, step) in steps.iter().enumerate().filter(|(_, step)| is_row(step)) {
            let text = places.y(row) + 4;
            if last != Some(step.time) {
                let time = Time::ZERO + Duration::from_nanos(step.time);
                out += &format!("<text class=\"dim\" x=\"8\" y=\"{text}\">{time}</text>\n");
            }
            last = Some(step.time);
            out += &mark(step, row, &places);
            let label = escaped(&self.label(step));
            out += &format!("<text x=\"{labels}\" y=\"{text}\">{label}</text>\n");
        }
        out + "</svg>\n"
    }
}

/// The beginning of a picture of this size.
fn head(width: usize, height: usize) -> String {
    let tip = marker("tip", "M0,0L8,4L0,8z");
    let no = marker("no", "M0,1L1,0L4,3L7,0L8,1L5,4L8,7L7,8L4,5L1,8L0,7L3,4z");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\"><title>A sequence of messages</title>\
         <style>{STYLE}</style><defs>{tip}{no}</defs>\
         <rect class=\"back\" width=\"{width}\" height=\"{height}\"/>\n"
    )
}

/// The mark in a row, which is an arrow or a point.
fn mark(step: &Step, row: usize, places: &Places) -> String {
    let (from, y) = (x(step.at), places.y(row));
    match step.what {
        What::Send { to, comes, is_lost: false } if to != step.at => {
            // One that is never seen again is level.
            arrow(("way", "tip"), (from, y), (x(to), places.y(comes.unwrap_or(row))))
        }
        What::Send { to, is_lost: true, .. } | What::Lose { to, .. } => {
            arrow(("lost", "no"), (from, y), (usize::midpoint(from, x(to)), y))
        }
        _ => format!("<circle class=\"mark\" cx=\"{from}\" cy=\"{y}\" r=\"3\"/>\n"),
    }
}

fn arrow((class, tip): (&str, &str), (x1, y1): (usize, usize), (x2, y2): (usize, usize)) -> String {
    format!(
        "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" \
         marker-end=\"url(#{tip})\"/>\n"
    )
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
