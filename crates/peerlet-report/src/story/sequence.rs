//! A story as a sequence of messages: a column a peer, an arrow a message.

use std::collections::BTreeMap;
use std::fmt;

use peerlet_core::{Duration, Time};

use crate::story::line::StoryLine;

/// The most peers that a sequence has room for.
pub const PEERS_MAX: usize = 24;

/// The most lines of a story that are drawn.
pub const LINES_MAX: usize = 20_000;

/// A sequence of messages between a few peers.
#[derive(Debug)]
pub struct Sequence {
    /// The seats, one a column.
    pub(super) peers: Vec<u32>,
    /// The steps in order; each takes a row.
    pub(super) steps: Vec<Step>,
}

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) time: u64,
    /// The column.
    pub(super) at: usize,
    pub(super) what: What,
    pub(super) label: String,
}

/// The mark in a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A message leaves for this column, and comes or is lost in a later row.
    Send {
        /// The column.
        to: usize,
        /// The row in which it comes; `None` where the story does not have it.
        comes: Option<usize>,
        /// Whether it is lost there.
        is_lost: bool,
    },
    /// A message comes; its arrow begins in the row in which it was sent, if the story has that.
    Come { from: usize, sent: Option<usize> },
    /// A message is lost on its way.
    Lose { to: usize, sent: Option<usize> },
    /// Anything else.
    Mark,
}

/// Why a story cannot be drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SequenceError {
    /// A line is none of a story: the number of the line, and what is wrong.
    Line(usize, String),
    /// There is nothing in it.
    Empty,
    /// There are too many peers.
    Peers(usize),
    /// There are too many lines.
    Lines,
}

impl fmt::Display for SequenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SequenceError::Line(line, why) => write!(f, "line {line} is no line of a story: {why}"),
            SequenceError::Empty => f.write_str("the story is empty; trace other peers or times"),
            SequenceError::Peers(count) => write!(
                f,
                "the story has {count} peers, and {PEERS_MAX} fit beside each other; name fewer by \
                 --peers, or trace a shorter time"
            ),
            SequenceError::Lines => write!(
                f,
                "the story has more than {LINES_MAX} lines, which nobody reads; trace a shorter \
                 time"
            ),
        }
    }
}

impl std::error::Error for SequenceError {}

impl Sequence {
    /// Reads the story in a text, of these peers where some are named.
    ///
    /// # Errors
    /// When a line is none of a story, or there is nothing or too much to draw.
    pub fn read(text: &str, is_shown: impl Fn(u32) -> bool) -> Result<Sequence, SequenceError> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let line: StoryLine = serde_json::from_str(line)
                .map_err(|error| SequenceError::Line(number + 1, error.to_string()))?;
            if is_shown(line.seat) && line.other.is_none_or(&is_shown) {
                lines.push(line);
            }
            if lines.len() > LINES_MAX {
                return Err(SequenceError::Lines);
            }
        }
        Sequence::of(&lines)
    }

    fn of(lines: &[StoryLine]) -> Result<Sequence, SequenceError> {
        let mut peers: Vec<u32> =
            lines.iter().flat_map(|line| [Some(line.seat), line.other]).flatten().collect();
        peers.sort_unstable();
        peers.dedup();
        match peers.len() {
            0 => return Err(SequenceError::Empty),
            1..=PEERS_MAX => {}
            count => return Err(SequenceError::Peers(count)),
        }
        let column = |seat: u32| peers.binary_search(&seat).unwrap_or(0);
        let (mut steps, mut open): (Vec<Step>, BTreeMap<_, Vec<usize>>) = Default::default();
        for (row, line) in lines.iter().enumerate() {
            let at = column(line.seat);
            let other = line.other.map(column);
            // Datagrams have numbers; reliable messages of a pair and a peerlet come in order.
            let number = line.number.filter(|_| line.class.as_deref() == Some("datagram"));
            let way = |from: u32, to: Option<u32>| (from, to, line.peerlet.clone(), number);
            let mut take = |key| {
                let rows = open.get_mut(&key)?;
                // A copy of a datagram comes under the same number.
                Some(if rows.len() > 1 { rows.remove(0) } else { rows[0] })
            };
            let what = match (line.kind.as_str(), other) {
                ("send", Some(to)) => {
                    open.entry(way(line.seat, line.other)).or_default().push(row);
                    What::Send { to, comes: None, is_lost: false }
                }
                ("deliver", Some(from)) => {
                    let sent = line.other.and_then(|from| take(way(from, Some(line.seat))));
                    What::Come { from, sent }
                }
                ("drop", Some(to)) => What::Lose { to, sent: take(way(line.seat, line.other)) },
                _ => What::Mark,
            };
            if let What::Come { sent: Some(sent), .. } | What::Lose { sent: Some(sent), .. } = what
                && let Some(Step { what: What::Send { comes, is_lost, .. }, .. }) =
                    steps.get_mut(sent)
            {
                (*comes, *is_lost) = (Some(row), matches!(what, What::Lose { .. }));
            }
            steps.push(Step { time: line.time, at, what, label: label(line) });
        }
        Ok(Sequence { peers, steps })
    }

    /// The sequence as text, a row a step.
    pub fn text(&self) -> String {
        const WIDTH: usize = 8;
        let middle = |column: usize| column * WIDTH + WIDTH / 2;
        let mut out = format!("{:14}", "");
        for peer in &self.peers {
            out += &format!("{peer:^WIDTH$}");
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        for step in &self.steps {
            let mut line: Vec<char> = vec![' '; self.peers.len() * WIDTH];
            (0..self.peers.len()).for_each(|column| line[middle(column)] = '|');
            match step.what {
                What::Mark => line[middle(step.at)] = '*',
                What::Send { to, .. } if to == step.at => line[middle(to)] = '@',
                What::Send { to, is_lost, .. } => {
                    arrow(
                        &mut line,
                        (middle(step.at), middle(to)),
                        if is_lost { 'x' } else { '>' },
                    );
                }
                // The row in which it was sent says all of it.
                What::Lose { sent: Some(_), .. } => continue,
                What::Lose { to, sent: None } => {
                    arrow(&mut line, (middle(step.at), middle(to)), 'x');
                }
                What::Come { .. } => line[middle(step.at)] = 'o',
            }
            let time = (Time::ZERO + Duration::from_nanos(step.time)).to_string();
            let line: String = line.into_iter().collect();
            out += format!("{time:<14}{line}  {}", self.label(step)).trim_end();
            out.push('\n');
        }
        out += "\n--> sent   --x lost   o came   * handled   @ to itself\n";
        out
    }
}

impl Sequence {
    /// The text of a row. That of a sent message includes its delay, or the cause of its loss.
    pub(super) fn label(&self, step: &Step) -> String {
        let What::Send { comes: Some(row), is_lost, .. } = step.what else {
            return step.label.clone();
        };
        let end = &self.steps[row];
        let after = Duration::from_nanos(end.time.saturating_sub(step.time));
        match is_lost {
            true => format!("{} ({})", step.label, end.label),
            false => format!("{} (+{after})", step.label),
        }
    }
}

/// Draws an arrow over the places between two columns.
fn arrow(line: &mut [char], (from, to): (usize, usize), head: char) {
    let (low, high) = (from.min(to), from.max(to));
    line[low + 1..high].fill('-');
    let tip = if to > from { high - 1 } else { low + 1 };
    line[tip] = match head {
        '>' if to < from => '<',
        head => head,
    };
}

/// The text of a story line.
fn label(line: &StoryLine) -> String {
    let mut text = match (line.kind.as_str(), &line.cause) {
        ("drop", Some(cause)) => return format!("lost: {cause}"),
        ("send", _) => String::new(),
        ("deliver", _) => "came:".to_owned(),
        (kind, _) => kind.to_owned(),
    };
    if let Some(peerlet) = &line.peerlet {
        text += if text.is_empty() { "" } else { " " };
        text += peerlet;
    }
    if let Some(message) = line.message() {
        let short: String = message.chars().take(60).collect();
        let more = if short.len() < message.len() { "..." } else { "" };
        text += &format!(" {short}{more}");
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const SHORT: &str = r#"{"time":1000000000,"seat":3,"kind":"timer","peerlet":"ring"}
{"time":1000000000,"seat":3,"kind":"send","other":7,DATAGRAM,"number":5,"message":{"Here":1}}
{"time":1000000000,"seat":3,"kind":"send","other":4,DATAGRAM,"number":6,"message":"There"}
{"time":1000000000,"seat":3,"kind":"drop","other":4,DATAGRAM,"number":6,"cause":"loss"}
{"time":1050000000,"seat":7,"kind":"deliver","other":3,DATAGRAM,"number":5,"message":{"Here":1}}
{"time":1050000000,"seat":7,"kind":"send","other":3,RELIABLE,"message":"Back"}
{"time":2000000000,"seat":4,"kind":"crash"}
"#;

    /// The story, whose lines are too long for this file.
    fn story() -> String {
        let of = |class: &str| format!("\"peerlet\":\"ring\",\"class\":\"{class}\",\"size\":2");
        SHORT.replace("DATAGRAM", &of("datagram")).replace("RELIABLE", &of("reliable"))
    }

    #[test]
    fn arrows_go_from_senders_to_receivers() {
        let sequence = Sequence::read(&story(), |_| true).expect("it is a story");
        expect![[r#"
                             3       4       7
            1s                *       |       |     timer ring
            1s                |-------------->|     ring {"Here":1} (+50ms)
            1s                |------x|       |     ring "There" (lost: loss)
            1.05s             |       |       o     came: ring {"Here":1}
            1.05s             |<--------------|     ring "Back"
            2s                |       *       |     crash

            --> sent   --x lost   o came   * handled   @ to itself
        "#]]
        .assert_eq(&sequence.text());
        let some = Sequence::read(&story(), |seat| seat != 4).expect("it is a story");
        assert_eq!((some.peers.len(), some.steps.len()), (2, 4));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let refused = |text: &str| Sequence::read(text, |_| true).expect_err("it is wrong");
        assert_eq!(refused(""), SequenceError::Empty);
        assert!(matches!(refused("{\"time\":1}\n"), SequenceError::Line(1, _)));
        assert!(matches!(refused(&story()[..story().len() - 9]), SequenceError::Line(7, _)));
        let many: String = (0..30)
            .map(|seat| format!("{{\"time\":1,\"seat\":{seat},\"kind\":\"start\"}}\n"))
            .collect();
        assert_eq!(refused(&many), SequenceError::Peers(30));
        let long = "{\"time\":1,\"seat\":1,\"kind\":\"timer\"}\n".repeat(LINES_MAX + 1);
        assert_eq!(refused(&long), SequenceError::Lines);
    }

    #[test]
    fn a_picture_has_an_arrow_for_each_message_and_is_well_formed() {
        let text = story().replace("There", "<&>");
        let picture = Sequence::read(&text, |_| true).expect("it is a story").svg();
        assert_eq!(picture.matches("class=\"way\"").count(), 2, "{picture}");
        assert_eq!(picture.matches("class=\"lost\"").count(), 1, "{picture}");
        assert!(picture.contains("&lt;&amp;&gt;") && picture.ends_with("</svg>\n"), "{picture}");
    }
}
