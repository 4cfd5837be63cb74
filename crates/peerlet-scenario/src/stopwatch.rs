//! `[[stopwatch]]`: times from an event of the scenario until peers notice.

use std::ops::Range;

use peerlet_core::Duration;

use crate::raw::Raw;
use crate::reader::{Fields, Reader};

/// A stopwatch: started by what the scenario does, and stopped at each peer by a metric's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StopwatchChoice {
    /// Its name: it measures `stopwatch/NAME`.
    pub name: String,
    /// Where it is written.
    pub span: Range<usize>,
    /// What starts it: a call of events such as `Peer.crash`, or an instant.
    pub from: String,
    /// Where that is written.
    pub from_span: Range<usize>,
    /// The full name of the metric whose first value stops it.
    pub until: String,
    /// Where that is written.
    pub until_span: Range<usize>,
    /// Later values do not stop it.
    pub within: Option<Duration>,
}

impl StopwatchChoice {
    pub(crate) fn read(table: &Raw, reader: &mut Reader) -> Option<StopwatchChoice> {
        let mut fields = Fields::new("[[stopwatch]]", table);
        let [name, from, until, within] =
            ["name", "from", "until", "within"].map(|name| fields.take(name));
        fields.finish(reader, &[]);
        let within = within.and_then(|part| reader.period(&part));
        let examples = [
            ("name", "name = \"noticed\": it measures `stopwatch/noticed`"),
            ("from", "from = \"Peer.crash\": a call of events, or an instant"),
            (
                "until",
                "until = \"neighbors/lost\": a metric, whose first value at each peer counts",
            ),
        ];
        let mut taken = Vec::new();
        for (part, (key, example)) in [name, from, until].into_iter().zip(examples) {
            match part {
                Some(part) => {
                    taken.extend(reader.text(&part).map(|text| (text, part.raw.span.clone())));
                }
                None => reader.missing(&table.span, key, "[[stopwatch]]", example),
            }
        }
        let [(name, span), (from, from_span), (until, until_span)] = taken.try_into().ok()?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || !name.chars().all(is_plain) {
            let message = format!("`{name}` cannot stand in the name of a measure");
            reader.refuse(&span, message, "use letters, digits, `_`, `-` and `.`");
            return None;
        }
        let choice = StopwatchChoice { name, span, from, from_span, until, until_span, within };
        Some(choice)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Scenario, Source};

    fn read(text: &str) -> Result<Scenario, String> {
        let text = format!("peers = 2\nfor = \"60s\"\n[[stopwatch]]\n{text}");
        Scenario::parse(Source::new("x.toml", text), &[]).map_err(|error| error.to_string())
    }

    #[test]
    fn three_keys_are_needed() {
        let right = "name = \"a\"\nfrom = \"Peer.crash\"\nuntil = \"b/c\"";
        assert_eq!(read(right).expect("it is right").stopwatches[0].until, "b/c");
        let check = |text: &str, expected: &str| {
            let error = read(text).expect_err("it is wrong");
            assert!(error.contains(expected), "{error}");
        };
        check("name = \"a\"", "`from` is missing in [[stopwatch]]");
        check(&right.replace("\"a\"", "\"a{b}\""), "cannot stand in the name of a measure");
        check(&format!("{right}\nwithin = \"0s\""), "within");
    }
}
