//! `[[observe]]`: the links of peers, looked at as a graph while a scenario runs.

use std::ops::Range;

use peerlet_core::Duration;

use crate::raw::{Part, Raw, RawValue};
use crate::reader::{Fields, Reader};

/// The most nodes from which paths are measured, and whose neighborhoods are looked at.
const SAMPLES_MAX: u64 = 1_000_000;

/// The quantities of a graph that an observer measures, by their names.
pub const QUANTITIES: [&str; 10] = [
    "nodes",
    "count",
    "dangling",
    "components",
    "largest",
    "degree",
    "clustering",
    "hops",
    "unreachable",
    "robustness",
];

/// An observer of one peerlet's links.
#[derive(Clone, PartialEq, Debug)]
pub struct Observe {
    /// The name of the peerlet.
    pub peerlet: String,
    /// Where it is written.
    pub span: Range<usize>,
    /// The time between two observations; an epoch where it is not given.
    pub every: Option<Duration>,
    /// The time after the start at which they begin; zero unless given.
    pub from: Duration,
    /// What it measures, of [`QUANTITIES`]; all of it unless given.
    pub measures: Vec<&'static str>,
    /// How many nodes are chosen at random for what is costly: paths and clustering; 100 unless
    /// given.
    pub samples: u32,
    /// Whether the links themselves are kept in the run folder; they are unless it says `false`.
    pub is_recorded: bool,
    /// Whether it is left out, with a word, on real sockets; such a scenario is refused there
    /// otherwise.
    pub may_skip: bool,
}

impl Observe {
    pub(crate) fn read(table: &Raw, reader: &mut Reader) -> Option<Observe> {
        let mut fields = Fields::new("[[observe]]", table);
        let [links, every, from, measures, samples, record, live] =
            ["links", "every", "from", "measures", "samples", "record", "live"]
                .map(|name| fields.take(name));
        fields.finish(reader, &[]);
        let every = every.and_then(|part| reader.period(&part));
        let from = from.and_then(|part| reader.duration(&part));
        let measures = measures.map(|part| quantities(&part, reader));
        let samples = samples.and_then(|part| reader.integer(&part, 1..=SAMPLES_MAX));
        let record = record.and_then(|part| reader.boolean(&part));
        let may_skip = live.and_then(|part| reader.skips(&part, "an observer"));
        let Some(links) = links else {
            let example = "links = \"neighbors\": a peerlet that tells its links, as `peerlet \
                           list` shows";
            reader.missing(&table.span, "links", "[[observe]]", example);
            return None;
        };
        Some(Observe {
            peerlet: reader.text(&links)?,
            span: links.raw.span,
            every,
            from: from.unwrap_or(Duration::ZERO),
            measures: measures.unwrap_or_else(|| QUANTITIES.to_vec()),
            samples: samples.unwrap_or(100) as u32,
            is_recorded: record.unwrap_or(true),
            may_skip: may_skip.unwrap_or(false),
        })
    }
}

/// The names of quantities in a list.
fn quantities(part: &Part, reader: &mut Reader) -> Vec<&'static str> {
    let RawValue::List(items) = &part.raw.value else {
        let help = format!("write a list of: {}", QUANTITIES.join(", "));
        reader.wrong_kind(part, "a list of names", help);
        return Vec::new();
    };
    let mut named = Vec::new();
    for (name, span) in reader.texts(part, items) {
        match QUANTITIES.iter().find(|known| **known == name) {
            Some(known) if named.contains(known) => {
                reader.refuse(&span, format!("`{known}` is named twice"), "name it once");
            }
            Some(known) => named.push(*known),
            None => {
                let message = format!("an observer measures no `{name}`");
                let help = match crate::suggest(&name, &QUANTITIES) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it measures: {}", QUANTITIES.join(", ")),
                };
                reader.refuse(&span, message, &help);
            }
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use crate::{Scenario, Source};

    use super::*;

    fn read(text: &str) -> Result<Scenario, String> {
        let text = format!("peers = 2\nfor = \"60s\"\n{text}");
        Scenario::parse(Source::new("x.toml", text), &[]).map_err(|error| error.to_string())
    }

    #[test]
    fn all_keys_have_defaults_but_the_peerlet() {
        let scenario = read("[[observe]]\nlinks = \"ring\"").expect("it is right");
        let Observe { every, from, measures, samples, is_recorded, may_skip, .. } =
            &scenario.observe[0];
        assert_eq!((*every, *from, *samples), (None, Duration::ZERO, 100));
        assert_eq!((measures.len(), *is_recorded, *may_skip), (QUANTITIES.len(), true, false));
        let all = "[[observe]]\nlinks = \"ring\"\nevery = \"5s\"\nfrom = \"20s\"\nsamples = 7\n\
                   measures = [\"degree\"]\nrecord = false\nlive = \"skip\"";
        let scenario = read(all).expect("it is right");
        let observe = &scenario.observe[0];
        assert_eq!((observe.measures.as_slice(), observe.samples), (&["degree"][..], 7));
        assert!(!observe.is_recorded && observe.may_skip);
    }

    #[test]
    fn mistakes_are_pointed_at() {
        let check = |text: &str, expected: &str| {
            let error = read(text).expect_err("it is wrong");
            assert!(error.contains(expected), "{error}");
        };
        check("[[observe]]\nevery = \"1s\"", "`links` is missing in [[observe]]");
        check("[[observe]]\nlinks = \"a\"\nmeasures = [\"degre\"]", "did you mean `degree`?");
        check("[[observe]]\nlinks = \"a\"\nmeasures = \"degree\"", "measures");
        check(
            "[[observe]]\nlinks = \"a\"\nmeasures = [\"hops\", \"hops\"]",
            "`hops` is named twice",
        );
        check("[[observe]]\nlinks = \"a\"\nsamples = 0", "samples");
        check("[[observe]]\nlinks = \"a\"\nlive = \"maybe\"", "`live` is `maybe`");
        check("[[observe]]\nlink = \"a\"", "unknown key `link`");
    }
}
