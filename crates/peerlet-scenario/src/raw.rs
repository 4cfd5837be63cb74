//! The tree of a TOML text, owned, in the order written, each part with its location.
//!
//! `toml`'s own spanned tree borrows its text and sorts its keys; a scenario outlives its text, its
//! stack is in order, and the parts that overrides bring have locations of their own.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

/// A part of a scenario as written, for whoever knows what is to be in it: read it with
/// [`Sources::read`](crate::Sources::read).
#[derive(Clone, PartialEq, Debug)]
pub struct Raw {
    /// Where it is written, for [`Sources::problem`](crate::Sources::problem).
    pub span: Range<usize>,
    /// Its value.
    pub value: RawValue,
}

/// The value of a part of a scenario.
#[derive(Clone, PartialEq, Debug)]
pub enum RawValue {
    /// A text, without its quotes.
    Text(String),
    /// A whole number as TOML writes it.
    Integer(String),
    /// A number with a fraction as TOML writes it.
    Float(String),
    /// `true` or `false`.
    Bool(bool),
    /// A date or a time of day as TOML writes it.
    Date(String),
    /// A list.
    List(Vec<Raw>),
    /// A table, its parts in the order written.
    Table(Vec<Part>),
}

/// One named part of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// The name.
    pub name: String,
    /// Where the name is written.
    pub name_span: Range<usize>,
    /// The part itself.
    pub raw: Raw,
}

impl Raw {
    /// An empty table that stands at `span`.
    pub fn table(span: Range<usize>) -> Raw {
        Raw { span, value: RawValue::Table(Vec::new()) }
    }

    /// The parts of a table; none of other values.
    pub fn parts(&self) -> &[Part] {
        match &self.value {
            RawValue::Table(parts) => parts,
            _ => &[],
        }
    }

    /// The part of a table with this name.
    pub fn get(&self, name: &str) -> Option<&Part> {
        self.parts().iter().find(|part| part.name == name)
    }

    /// The part of this one that is written at `span`.
    pub(crate) fn find(&self, span: &Range<usize>) -> Option<&Raw> {
        if self.span == *span {
            return Some(self);
        }
        match &self.value {
            RawValue::List(items) => items.iter().find_map(|item| item.find(span)),
            RawValue::Table(parts) => parts.iter().find_map(|part| part.raw.find(span)),
            _ => None,
        }
    }

    /// The part with this name, in this table or the first one in it that has it.
    pub(crate) fn key(&self, name: &str) -> Option<&Part> {
        let deeper = || self.parts().iter().find_map(|part| part.raw.key(name));
        self.get(name).or_else(deeper)
    }

    /// Its kind, in words.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            RawValue::Text(_) => "a text",
            RawValue::Integer(_) => "a whole number",
            RawValue::Float(_) => "a number",
            RawValue::Bool(_) => "a boolean",
            RawValue::Date(_) => "a date",
            RawValue::List(_) => "a list",
            RawValue::Table(_) => "a table",
        }
    }

    /// Reads the part as a `T`; the error's span is a location in the scenario.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(ValueDeserializer::from(self.to_toml()?))
    }

    /// Puts `part` in the place of the one of its name, or behind all others.
    pub(crate) fn put(parts: &mut Vec<Part>, part: Part) {
        match parts.iter_mut().find(|old| old.name == part.name) {
            Some(old) => *old = part,
            None => parts.push(part),
        }
    }

    /// The part as `toml` reads it.
    fn to_toml(&self) -> Result<Spanned<DeValue<'_>>, Error> {
        let value = match &self.value {
            RawValue::Text(text) => DeValue::String(text.as_str().into()),
            RawValue::Bool(truth) => DeValue::Boolean(*truth),
            RawValue::Integer(text) | RawValue::Float(text) | RawValue::Date(text) => {
                DeValue::parse(text)?.into_inner()
            }
            RawValue::List(items) => {
                DeValue::Array(items.iter().map(Raw::to_toml).collect::<Result<_, _>>()?)
            }
            RawValue::Table(parts) => {
                let mut table = DeTable::new();
                for part in parts {
                    let name = Spanned::new(part.name_span.clone(), part.name.as_str().into());
                    table.insert(name, part.raw.to_toml()?);
                }
                DeValue::Table(table)
            }
        };
        Ok(Spanned::new(self.span.clone(), value))
    }

    /// Parses a whole file, which begins at `offset`.
    pub(crate) fn parse_file(text: &str, offset: usize) -> Result<Raw, Error> {
        let table = DeTable::parse(text)?;
        let span = table.span();
        Ok(Raw::from_toml(Spanned::new(span, DeValue::Table(table.into_inner())), offset))
    }

    /// Parses one value, which begins at `offset`.
    pub(crate) fn parse_value(text: &str, offset: usize) -> Result<Raw, Error> {
        DeValue::parse(text).map(|value| Raw::from_toml(value, offset))
    }

    fn from_toml(value: Spanned<DeValue<'_>>, offset: usize) -> Raw {
        let shift = |span: Range<usize>| span.start + offset..span.end + offset;
        let span = shift(value.span());
        let value = match value.into_inner() {
            DeValue::String(text) => RawValue::Text(text.into_owned()),
            DeValue::Integer(number) => RawValue::Integer(number.to_string()),
            DeValue::Float(number) => RawValue::Float(number.to_string()),
            DeValue::Boolean(truth) => RawValue::Bool(truth),
            DeValue::Datetime(date) => RawValue::Date(date.to_string()),
            DeValue::Array(items) => {
                RawValue::List(items.into_iter().map(|item| Raw::from_toml(item, offset)).collect())
            }
            DeValue::Table(table) => {
                let part = |(name, raw): (Spanned<_>, _)| Part {
                    name_span: shift(name.span()),
                    name: std::borrow::Cow::into_owned(name.into_inner()),
                    raw: Raw::from_toml(raw, offset),
                };
                let mut parts: Vec<_> = table.into_iter().map(part).collect();
                parts.sort_by_key(|part| part.name_span.start);
                RawValue::Table(parts)
            }
        };
        Raw { span, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_order_and_places() {
        let text = "[zoo]\nbear = 1_0\nape = { b = 0x1F, a = [1.5, 07:32:00] }\n[zoo.aardvark]\n";
        let root = Raw::parse_file(text, 0).unwrap();
        let zoo = &root.get("zoo").unwrap().raw;
        let names: Vec<_> = zoo.parts().iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["bear", "ape", "aardvark"]);
        let bear = zoo.get("bear").unwrap();
        assert_eq!(&text[bear.name_span.clone()], "bear");
        assert_eq!(&text[bear.raw.span.clone()], "1_0");
        assert_eq!(bear.raw.value, RawValue::Integer("10".to_owned()));
    }

    #[test]
    fn reading_back_gives_what_toml_gives() {
        let text = "a = 0x1F\nb = [1.5, -inf]\nc = { d = 'x', e = true }\nf = 1979-05-27\n";
        let root = Raw::parse_file(text, 0).unwrap();
        assert_eq!(root.read::<toml::Table>().unwrap(), toml::from_str(text).unwrap());
    }

    #[test]
    fn errors_know_their_place() {
        let raw = Raw::parse_value("{ a = 1, b = 'x' }", 100).unwrap();
        let error = raw.read::<std::collections::BTreeMap<String, u8>>().unwrap_err();
        assert_eq!(error.span(), Some(113..116));
    }
}
