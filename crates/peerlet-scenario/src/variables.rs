//! `[variables]`: values with a name, which texts of the scenario refer to as `$name`.

use std::cell::Cell;
use std::ops::Range;

use crate::problem::suggest;
use crate::raw::{Raw, RawValue};
use crate::reader::Reader;
use crate::refusal::Refusal;

/// The named values of a scenario.
#[derive(Default)]
pub(crate) struct Variables {
    all: Vec<Variable>,
}

struct Variable {
    name: String,
    name_span: Range<usize>,
    value: Raw,
    is_used: Cell<bool>,
}

impl Variables {
    /// Takes `[variables]` out of a scenario, and puts them in the places of their names: all but
    /// those in event lines, which are read line by line.
    pub(crate) fn take(root: &mut Raw, reader: &mut Reader) -> Variables {
        let mut variables = Variables::default();
        let RawValue::Table(parts) = &mut root.value else { return variables };
        if let Some(at) = parts.iter().position(|part| part.name == "variables") {
            let part = parts.remove(at);
            if !matches!(part.raw.value, RawValue::Table(_)) {
                reader.wrong_kind(&part, "a table", "write [variables] above them".to_owned());
                return variables;
            }
            for variable in part.raw.parts() {
                // One may be made of those before it.
                let mut value = variable.raw.clone();
                variables.put_into(&mut value, reader);
                let (name, name_span) = (variable.name.clone(), variable.name_span.clone());
                if !is_name(&name) {
                    let help = "begin with a letter, and go on with letters, digits and `_`";
                    reader.refuse(&name_span, format!("`{name}` is no name of a variable"), help);
                }
                variables.all.push(Variable { name, name_span, value, is_used: Cell::default() });
            }
        }
        for part in parts.iter_mut() {
            match part.name == "events" {
                true => variables.put_into_events(&mut part.raw, reader),
                false => variables.put_into(&mut part.raw, reader),
            }
        }
        variables
    }

    fn put_into_events(&self, events: &mut Raw, reader: &mut Reader) {
        if let RawValue::Table(parts) = &mut events.value {
            let others = parts.iter_mut().filter(|part| part.name != "lines");
            others.for_each(|part| self.put_into(&mut part.raw, reader));
        }
    }

    fn put_into(&self, raw: &mut Raw, reader: &mut Reader) {
        match &mut raw.value {
            RawValue::List(items) => items.iter_mut().for_each(|item| self.put_into(item, reader)),
            RawValue::Table(parts) => {
                parts.iter_mut().for_each(|part| self.put_into(&mut part.raw, reader));
            }
            RawValue::Text(text) => match self.whole(text) {
                Some(value) => *raw = value,
                None => match self.expand(text, false) {
                    Ok(Some(expanded)) => *text = expanded,
                    Ok(None) => {}
                    Err(refusal) => {
                        let span = reader.inside(&raw.span, text, &refusal.at);
                        reader.refuse(&span, refusal.message, refusal.help);
                    }
                },
            },
            _ => {}
        }
    }

    /// The value that a text is in whole, whatever its kind.
    fn whole(&self, text: &str) -> Option<Raw> {
        let name = text.strip_prefix('$')?;
        let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
        let variable = self.all.iter().find(|variable| variable.name == name)?;
        variable.is_used.set(true);
        Some(variable.value.clone())
    }

    /// A text with the values in the places of their names; `None` where it has none. In an event
    /// line nothing is put into the comment.
    pub(crate) fn expand(&self, text: &str, is_line: bool) -> Result<Option<String>, Refusal> {
        if !text.contains('$') {
            return Ok(None);
        }
        let (mut expanded, mut at, mut quote) = (String::new(), 0, None);
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at + c.len_utf8()..];
            match (c, quote) {
                ('#', None) if is_line => {
                    expanded.push_str(&text[at..]);
                    break;
                }
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                ('$', _) if rest.starts_with('$') => at += 1,
                ('$', _) => {
                    if let Some((name, length)) = name(rest) {
                        let refuse = |refusal: Refusal| refusal.shift(at);
                        expanded.push_str(&self.inline(name, length + 1).map_err(refuse)?);
                        at += 1 + length;
                        continue;
                    }
                }
                _ => {}
            }
            expanded.push(c);
            at += c.len_utf8();
        }
        Ok(Some(expanded))
    }

    /// The value of this name as a part of a text; `length` is that of its mention.
    fn inline(&self, name: &str, length: usize) -> Result<String, Refusal> {
        let Some(variable) = self.all.iter().find(|variable| variable.name == name) else {
            let names: Vec<&str> = self.all.iter().map(|known| known.name.as_str()).collect();
            let help = match (suggest(name, &names), names.as_slice()) {
                (Some(meant), _) => format!("did you mean `${meant}`?"),
                (None, []) => "define it in [variables], or write `$$` for a dollar".to_owned(),
                (None, names) => format!("the variables are: {}", names.join(", ")),
            };
            return Refusal::new(0..length, format!("no variable is named `{name}`"), help);
        };
        variable.is_used.set(true);
        match &variable.value.value {
            RawValue::Text(text) => Ok(text.clone()),
            RawValue::Integer(text) | RawValue::Float(text) | RawValue::Date(text) => {
                Ok(text.clone())
            }
            RawValue::Bool(truth) => Ok(truth.to_string()),
            RawValue::List(_) | RawValue::Table(_) => {
                let kind = variable.value.kind();
                let help = "a list or a table is used alone, as in key = \"$name\"";
                Refusal::new(
                    0..length,
                    format!("`{name}` is {kind}, in the middle of a text"),
                    help,
                )
            }
        }
    }

    /// Refuses variables of the command line that nobody uses. Those of files may be for others.
    pub(crate) fn finish(&self, reader: &mut Reader) {
        for Variable { name, name_span, is_used, .. } in &self.all {
            if is_used.get() || reader.sources.is_in_file(name_span) {
                continue;
            }
            let help = format!("write `${name}` in the scenario, where its value belongs");
            reader.refuse(name_span, format!("the variable `{name}` is used nowhere"), help);
        }
    }
}

/// The name that a text begins with, bare or in braces, and how many bytes that takes.
fn name(text: &str) -> Option<(&str, usize)> {
    if let Some(braced) = text.strip_prefix('{') {
        let name = &braced[..braced.find('}')?];
        return is_name(name).then_some((name, name.len() + 2));
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    is_name(&text[..end]).then_some((&text[..end], end))
}

fn is_name(text: &str) -> bool {
    text.starts_with(char::is_alphabetic) && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        let value = |text: &str| Raw::parse_value(text, 0).unwrap();
        let variable = |name: &str, text: &str| Variable {
            name: name.to_owned(),
            name_span: 0..0,
            value: value(text),
            is_used: Cell::default(),
        };
        Variables {
            all: vec![
                variable("at", "'90s'"),
                variable("n", "7"),
                variable("law", "{ mean = '5s' }"),
            ],
        }
    }

    #[test]
    fn names_in_texts_are_replaced() {
        let variables = variables();
        for (text, expanded) in [
            ("$n $at Peer.stop()", "7 90s Peer.stop()"),
            ("${n}0%", "70%"),
            ("0-${n},$n", "0-7,7"),
            ("5$ and $$n $5 ${", "5$ and $n $5 ${"),
            ("1 2 X.say(\"# $n\") # $nobody", "1 2 X.say(\"# 7\") # $nobody"),
        ] {
            assert_eq!(variables.expand(text, true).unwrap().as_deref(), Some(expanded));
        }
        assert_eq!(variables.expand("nothing", true).unwrap(), None);
        assert!(variables.expand("# $nobody", false).is_err(), "a text has no comments");
    }

    #[test]
    fn wrong_names_are_refused_where_they_stand() {
        for (text, wrong, message) in [
            ("1 $a Peer.stop()", "$a", "no variable is named `a`"),
            ("1 ${att} x", "${att}", "no variable is named `att`"),
            ("é $law", "$law", "`law` is a table, in the middle of a text"),
        ] {
            let refusal = variables().expand(text, true).unwrap_err();
            assert_eq!((&text[refusal.at], refusal.message.as_str()), (wrong, message));
        }
    }

    #[test]
    fn a_text_that_is_a_name_has_the_kind_of_the_value() {
        let raw = variables().whole("${n}").unwrap();
        assert_eq!(raw.value, RawValue::Integer("7".to_owned()));
        assert_eq!(variables().whole("$law").unwrap().kind(), "a table");
        assert!(variables().whole("n").is_none());
    }
}
