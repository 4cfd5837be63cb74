//! Reading typed values out of the tree.
//!
//! A [`Reader`] collects problems instead of stopping at the first one: a part that cannot be read
//! is `None` from there on.

use std::ops::{Range, RangeInclusive};

use peerlet_core::Duration;

use crate::problem::{PROBLEMS_MAX, Problem, Problems, suggest};
use crate::raw::{Part, Raw, RawValue};
use crate::source::Sources;

/// The parts of one table, taken one by one; what nobody has taken in the end is unknown.
pub(crate) struct Fields {
    /// The name of the table in messages.
    what: String,
    parts: Vec<Part>,
    known: Vec<&'static str>,
}

impl Fields {
    /// The parts of a table; none of another value.
    pub(crate) fn new(what: impl Into<String>, raw: &Raw) -> Fields {
        Fields { what: what.into(), parts: raw.parts().to_vec(), known: Vec::new() }
    }

    /// Takes the part of this name.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Part> {
        self.known.push(name);
        let at = self.parts.iter().position(|part| part.name == name)?;
        Some(self.parts.remove(at))
    }

    /// Takes all parts that are left.
    pub(crate) fn rest(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.parts)
    }

    /// Refuses what nobody has taken; `planned` are the names that will be known one day.
    pub(crate) fn finish(self, reader: &mut Reader, planned: &[&str]) {
        for part in &self.parts {
            if planned.contains(&part.name.as_str()) {
                reader.push(reader.sources.not_yet(&part.name_span, &part.name));
            } else {
                reader.unknown(part, &self.what, &self.known);
            }
        }
    }
}

/// Reads values and collects what is wrong with them.
pub(crate) struct Reader {
    pub(crate) sources: Sources,
    problems: Vec<Problem>,
    /// Event lines that a shorter run leaves out.
    pub(crate) left_out: usize,
    /// The other parts that it leaves out, in words.
    pub(crate) warnings: Vec<String>,
}

impl Reader {
    pub(crate) fn new(sources: Sources) -> Reader {
        Reader { sources, problems: Vec::new(), left_out: 0, warnings: Vec::new() }
    }

    /// The sources, unless there are problems.
    pub(crate) fn finish(self) -> Result<Sources, Problems> {
        if self.problems.is_empty() { Ok(self.sources) } else { Err(Problems(self.problems)) }
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    pub(crate) fn refuse(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(self.sources.problem(span, message, help));
    }

    /// Refuses a key that is none of the known ones.
    pub(crate) fn unknown(&mut self, part: &Part, what: &str, known: &[&str]) {
        let help = match suggest(&part.name, known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("leave it out, or write one of: {}", known.join(", ")),
        };
        self.refuse(&part.name_span, format!("unknown key `{}` in {what}", part.name), help);
    }

    /// Refuses a table because it lacks a key.
    pub(crate) fn missing(&mut self, span: &Range<usize>, key: &str, what: &str, example: &str) {
        self.refuse(span, format!("`{key}` is missing in {what}"), format!("add {example}"));
    }

    /// Refuses a value because it is of another kind than expected.
    pub(crate) fn wrong_kind(&mut self, part: &Part, expected: &str, help: String) {
        let message = format!("`{}` is {}, not {expected}", part.name, part.raw.kind());
        self.refuse(&part.raw.span, message, help);
    }

    pub(crate) fn text(&mut self, part: &Part) -> Option<String> {
        if let RawValue::Text(text) = &part.raw.value {
            return Some(text.clone());
        }
        self.wrong_kind(part, "a text", format!("put it in quotes: {} = \"...\"", part.name));
        None
    }

    pub(crate) fn boolean(&mut self, part: &Part) -> Option<bool> {
        if let RawValue::Bool(truth) = part.raw.value {
            return Some(truth);
        }
        let help = format!("write {0} = true or {0} = false, without quotes", part.name);
        self.wrong_kind(part, "a boolean", help);
        None
    }

    pub(crate) fn duration(&mut self, part: &Part) -> Option<Duration> {
        let help = format!("write a number and a unit in quotes: {} = \"60s\"", part.name);
        let RawValue::Text(text) = &part.raw.value else {
            self.wrong_kind(part, "a duration", help);
            return None;
        };
        match text.parse() {
            Ok(duration) => Some(duration),
            Err(error) => {
                self.refuse(&part.raw.span, error.to_string(), help);
                None
            }
        }
    }

    /// A duration that is longer than nothing.
    pub(crate) fn period(&mut self, part: &Part) -> Option<Duration> {
        let duration = self.duration(part)?;
        if duration == Duration::ZERO {
            let help = format!("give a longer one: {} = \"60s\"", part.name);
            self.refuse(&part.raw.span, format!("`{}` is no time at all", part.name), help);
            return None;
        }
        Some(duration)
    }

    pub(crate) fn integer(&mut self, part: &Part, range: RangeInclusive<u64>) -> Option<u64> {
        let RawValue::Integer(number) = &part.raw.value else {
            let help = format!("write digits without quotes: {} = 1000", part.name);
            self.wrong_kind(part, "a whole number", help);
            return None;
        };
        if let Ok(value) = part.raw.read::<u64>()
            && range.contains(&value)
        {
            return Some(value);
        }
        let message = format!("`{}` is {number}, which is out of range", part.name);
        let help = format!("give a number from {} to {}", range.start(), range.end());
        self.refuse(&part.raw.span, message, help);
        None
    }

    /// The texts among the items of a list, each with its span.
    pub(crate) fn texts(&mut self, part: &Part, items: &[Raw]) -> Vec<(String, Range<usize>)> {
        let mut texts = Vec::new();
        for item in items {
            let one = Part { raw: item.clone(), ..part.clone() };
            texts.extend(self.text(&one).map(|text| (text, item.span.clone())));
        }
        texts
    }

    /// Whether what only a simulation can do is left out on real sockets: `live = "skip"`.
    pub(crate) fn skips(&mut self, part: &Part, what: &str) -> Option<bool> {
        match self.text(part)?.as_str() {
            "skip" => Some(true),
            "refuse" => Some(false),
            other => {
                let message = format!("`live` is `{other}`");
                let help =
                    format!("write \"skip\" or \"refuse\": for {what} that only a simulation has");
                self.refuse(&part.raw.span, message, help);
                None
            }
        }
    }

    pub(crate) fn number(&mut self, part: &Part) -> Option<f64> {
        let number = part.raw.read::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            let help = format!("write it without quotes: {} = 0.99", part.name);
            self.wrong_kind(part, "a finite number", help);
        }
        number
    }

    pub(crate) fn table(&mut self, part: &Part, what: impl Into<String>) -> Option<Fields> {
        if let RawValue::Table(_) = &part.raw.value {
            return Some(Fields::new(what, &part.raw));
        }
        self.wrong_kind(part, "a table", format!("write {} = {{ key = value }}", part.name));
        None
    }

    /// The tables of `[[name]]`.
    pub(crate) fn tables(&mut self, part: &Part) -> Vec<Raw> {
        let help = format!("write [[{}]] above each table", part.name);
        let RawValue::List(items) = &part.raw.value else {
            self.wrong_kind(part, "a list of tables", help);
            return Vec::new();
        };
        if let Some(item) = items.iter().find(|item| !matches!(item.value, RawValue::Table(_))) {
            let message = format!("an item of `{}` is {}, not a table", part.name, item.kind());
            self.refuse(&item.span, message, help);
            return Vec::new();
        }
        items.clone()
    }

    /// The location of a range of `text`, which is what the string at `span` means: exact, unless
    /// escapes are in between.
    pub(crate) fn inside(
        &self,
        span: &Range<usize>,
        text: &str,
        range: &Range<usize>,
    ) -> Range<usize> {
        match self.sources.text(span).find(text) {
            Some(at) => span.start + at + range.start..span.start + at + range.end,
            None => span.clone(),
        }
    }
}
