//! `[[property]]`: the properties that are checked while a scenario runs, and when.

use std::ops::Range;

use peerlet_core::{Duration, SECOND};

use crate::raw::{Part, Raw, RawValue};
use crate::reader::{Fields, Reader};

/// A property that is checked while the scenario runs: of an experiment, by its name, or of a
/// peerlet, as in `ring/nobody succeeds itself`.
#[derive(Clone, PartialEq, Debug)]
pub struct PropertyChoice {
    /// Its name; `*` for all that there are, `ring/*` for all of a peerlet.
    pub name: String,
    /// Where the name is written.
    pub span: Range<usize>,
    /// The time between two checks; 1 s unless given.
    pub every: Duration,
    /// The instant from which it is checked; the start of the run unless given.
    pub from: PropertyStart,
    /// How long it may take to hold from there; what the property itself says unless given.
    pub within: Option<Duration>,
    /// Where that is written.
    pub within_span: Range<usize>,
    /// Whether a run fails in which a property that is to hold sometimes never does.
    pub is_required: bool,
    /// Whether it is left out, with a word, where only a simulation can check it; such a scenario
    /// is refused there otherwise.
    pub may_skip: bool,
}

/// The instant from which a property is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PropertyStart {
    /// This time after the start of the run.
    At(Duration),
    /// The last stop, crash, pause or change of the network that the scenario names.
    LastFault,
}

/// The name of a property at whose verdict the run ends.
#[derive(Clone, PartialEq, Debug)]
pub struct StopWhen {
    /// The property's name.
    pub name: String,
    /// Where it is written.
    pub span: Range<usize>,
}

impl PropertyChoice {
    /// The choice of a property that only its name is said of.
    pub fn named(name: &str, span: Range<usize>) -> PropertyChoice {
        PropertyChoice {
            name: name.to_owned(),
            within_span: span.clone(),
            span,
            every: SECOND,
            from: PropertyStart::At(Duration::ZERO),
            within: None,
            is_required: false,
            may_skip: false,
        }
    }

    pub(crate) fn read(table: &Raw, reader: &mut Reader) -> Option<PropertyChoice> {
        let mut fields = Fields::new("[[property]]", table);
        let [name, every, from, within, required, skip] =
            ["name", "every", "from", "within", "required", "live"].map(|name| fields.take(name));
        fields.finish(reader, &[]);
        let every = every.and_then(|part| reader.period(&part));
        let from = from.and_then(|part| start(&part, reader));
        let within_span = within.as_ref().map_or(0..0, |part| part.raw.span.clone());
        let within = within.and_then(|part| reader.period(&part));
        let required = required.and_then(|part| reader.boolean(&part));
        let may_skip = skip.and_then(|part| reader.skips(&part, "a property"));
        let Some(name) = name else {
            let example = "name = \"peerlet/property\"; `peerlet list` shows those that there are";
            reader.missing(&table.span, "name", "[[property]]", example);
            return None;
        };
        let named = PropertyChoice::named(&reader.text(&name)?, name.raw.span.clone());
        Some(PropertyChoice {
            every: every.unwrap_or(named.every),
            from: from.unwrap_or(named.from),
            within,
            within_span,
            is_required: required.unwrap_or(false),
            may_skip: may_skip.unwrap_or(false),
            ..named
        })
    }
}

fn start(part: &Part, reader: &mut Reader) -> Option<PropertyStart> {
    match &part.raw.value {
        RawValue::Text(text) if text == "last-fault" => Some(PropertyStart::LastFault),
        RawValue::Text(text) if text.starts_with(|c: char| c.is_alphabetic()) => {
            let message = format!("`from` is `{text}`, which is no instant");
            let help = "write a time such as \"30s\", or \"last-fault\"";
            reader.refuse(&part.raw.span, message, help);
            None
        }
        _ => reader.duration(part).map(PropertyStart::At),
    }
}

impl StopWhen {
    /// Reads a name, or a list of names.
    pub(crate) fn read(part: &Part, reader: &mut Reader) -> Vec<StopWhen> {
        let items = match &part.raw.value {
            RawValue::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&part.raw),
        };
        let named = reader.texts(part, items).into_iter();
        named.map(|(name, span)| StopWhen { name, span }).collect()
    }
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
    fn all_keys_have_defaults_but_the_name() {
        let scenario = read("stop_when = \"a\"\n[[property]]\nname = \"a\"").expect("it is right");
        let PropertyChoice { every, from, within, is_required, may_skip, .. } =
            scenario.properties[0];
        assert_eq!((every, within, is_required, may_skip), (SECOND, None, false, false));
        assert_eq!(from, PropertyStart::At(Duration::ZERO));
        assert_eq!(scenario.stop_when[0].name, "a");
        let all = "stop_when = [\"a\", \"b\"]\n[[property]]\nname = \"*\"\nevery = \"2s\"\n\
                   from = \"last-fault\"\nwithin = \"5s\"\nrequired = true\nlive = \"skip\"";
        let scenario = read(all).expect("it is right");
        let chosen = &scenario.properties[0];
        assert_eq!((chosen.every, chosen.within), (SECOND * 2, Some(SECOND * 5)));
        assert!(chosen.is_required && chosen.may_skip && scenario.stop_when.len() == 2);
        assert_eq!(chosen.from, PropertyStart::LastFault);
    }

    #[test]
    fn mistakes_are_pointed_at() {
        let check = |text: &str, expected: &str| {
            let error = read(text).expect_err("it is wrong");
            assert!(error.contains(expected), "{error}");
        };
        check("[[property]]\nevery = \"1s\"", "`name` is missing in [[property]]");
        check("[[property]]\nname = \"a\"\nfrom = \"later\"", "`later`, which is no instant");
        check("[[property]]\nname = \"a\"\nlive = \"maybe\"", "`live` is `maybe`");
        check("[[property]]\nname = \"a\"\nevery = \"0s\"", "every");
        check("[[property]]\nname = \"a\"\nwithn = \"1s\"", "unknown key `withn`");
        check("stop_when = [1]", "stop_when");
    }
}
