//! Values given on the command line in place of those in the file.

use std::fmt;
use std::ops::Range;

use crate::problem::{Problem, suggest};
use crate::raw::{Part, Raw, RawValue};
use crate::source::{Source, Sources};

/// The most parts that the path of an override can have; scenarios are not nested deeper than half
/// of it.
pub const PATH_MAX: usize = 16;

/// One value given on the command line: `--set key.path=value`, or an option that stands for a key.
///
/// The value is read as TOML, and as a text where it is none: `network.min=50ms` needs no quotes. A
/// number in the path leads into a list: `group.0.peers=10%`. Without a value, as in
/// `network.loss=`, the key is taken away, with everything below it.
#[derive(Clone, Debug)]
pub struct Override {
    /// The option as typed.
    text: String,
    /// The keys that lead to the value, with their locations in the text.
    path: Vec<(String, Range<usize>)>,
    /// The value's location in the text; `None` where the key is taken away.
    value: Option<Range<usize>>,
}

impl Override {
    /// Reads what follows `--set`.
    ///
    /// # Errors
    /// When it is not `key.path=value`.
    ///
    /// ```
    /// use peerlet_scenario::{Override, Scenario};
    /// let overrides = [Override::set("peers=10")?, Override::set("for=2s")?];
    /// assert_eq!(Scenario::from_overrides(&overrides).expect("all that is needed").peers, 10);
    /// assert!(Override::set("peers").is_err());
    /// # Ok::<(), peerlet_scenario::Problem>(())
    /// ```
    pub fn set(assignment: &str) -> Result<Override, Problem> {
        Override::assign("--set", assignment)
    }

    /// As [`set`](Override::set), given by an option of another name.
    ///
    /// # Errors
    /// When it has no value or no key.
    pub fn assign(option: &str, assignment: &str) -> Result<Override, Problem> {
        let text = format!("{option} {assignment}");
        let start = text.len() - assignment.len();
        let refuse = |span, message| {
            let help = format!("write {option} KEY.PATH=VALUE, such as {option} network.min=50ms");
            Err(Problem::new(&command_line(&text), span, message, help))
        };
        let Some(equals) = assignment.find('=') else {
            return refuse(start..text.len(), "no value is given");
        };
        let mut path = Vec::new();
        let mut at = start;
        for key in assignment[..equals].split('.') {
            let span = at..at + key.len();
            if key.trim().is_empty() {
                return refuse(span, "a key is missing");
            }
            if path.len() == PATH_MAX {
                return refuse(span, "the path is too long");
            }
            path.push((key.trim().to_owned(), span));
            at += key.len() + 1;
        }
        let value = start + equals + 1..text.len();
        let is_empty = text[value.clone()].trim().is_empty();
        Ok(Override { text, path, value: (!is_empty).then_some(value) })
    }

    /// An option of its own that stands for a key: `Override::option("--peers", "peers", "10")`.
    pub fn option(option: &str, path: &str, value: &str) -> Override {
        let text = format!("{option} {value}");
        let path = path.split('.').map(|key| (key.to_owned(), 0..option.len())).collect();
        let value = Some(option.len() + 1..text.len());
        Override { text, path, value }
    }

    /// The keys that lead to the value.
    pub(crate) fn path(&self) -> impl Iterator<Item = &str> {
        self.path.iter().map(|(key, _)| key.as_str())
    }

    /// The value as typed; `None` where the key is taken away.
    pub(crate) fn literal(&self) -> Option<String> {
        self.value.clone().map(|value| self.text[value].to_owned())
    }

    /// Puts the value in its place in the tree, and the option's text among the sources.
    pub(crate) fn apply(&self, root: &mut Raw, sources: &mut Sources) -> Result<(), Problem> {
        let start = sources.add_typed(command_line(&self.text));
        let (last, parents) = self.path.split_last().expect("a path has at least one key");
        let Some(value) = &self.value else { return self.take_away(root, start, sources) };
        let mut part = root;
        for (key, span) in parents {
            part = descend(part, key, &shift(span, start), sources)?;
        }
        let (key, span) = (&last.0, shift(&last.1, start));
        let raw = self.read(value, start);
        if let RawValue::Table(parts) = &mut part.value {
            Raw::put(parts, Part { name: key.clone(), name_span: span, raw });
        } else {
            *descend(part, key, &span, sources)? = raw;
        }
        Ok(())
    }

    fn read(&self, value: &Range<usize>, start: usize) -> Raw {
        let text = &self.text[value.clone()];
        Raw::parse_value(text, start + value.start).unwrap_or_else(|_| Raw {
            span: shift(value, start),
            value: RawValue::Text(text.to_owned()),
        })
    }

    /// Takes the key away, with everything below it.
    fn take_away(&self, root: &mut Raw, start: usize, sources: &Sources) -> Result<(), Problem> {
        let (last, parents) = self.path.split_last().expect("a path has at least one key");
        let mut part = root;
        for (key, span) in parents {
            let span = shift(span, start);
            if matches!(part.value, RawValue::Table(_)) && part.get(key).is_none() {
                return Err(nothing_there(part, key, &span, sources));
            }
            part = descend(part, key, &span, sources)?;
        }
        let (key, span) = (&last.0, shift(&last.1, start));
        if matches!(part.value, RawValue::Table(_)) && part.get(key).is_none() {
            return Err(nothing_there(part, key, &span, sources));
        }
        if let RawValue::Table(parts) = &mut part.value {
            parts.retain(|part| part.name != *key);
            return Ok(());
        }
        // The index is in range, or this says that it is not.
        descend(part, key, &span, sources)?;
        if let (RawValue::List(items), Ok(index)) = (&mut part.value, key.parse::<usize>()) {
            items.remove(index);
        }
        Ok(())
    }
}

/// Says that there is no such key to take away.
fn nothing_there(part: &Raw, key: &str, span: &Range<usize>, sources: &Sources) -> Problem {
    let names: Vec<&str> = part.parts().iter().map(|part| part.name.as_str()).collect();
    let help = match (suggest(key, &names), names.as_slice()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, []) => "leave this out; an empty text is written KEY='\"\"'".to_owned(),
        (None, names) => {
            format!("name one of {}; an empty text is written KEY='\"\"'", names.join(", "))
        }
    };
    sources.problem(span, format!("there is no `{key}` to take away"), help)
}

/// The child of `part` that `key` leads to; a table that is missing is made.
fn descend<'a>(
    part: &'a mut Raw,
    key: &str,
    span: &Range<usize>,
    sources: &Sources,
) -> Result<&'a mut Raw, Problem> {
    let kind = part.kind();
    match &mut part.value {
        RawValue::Table(parts) => {
            let at = parts.iter().position(|part| part.name == key).unwrap_or_else(|| {
                let raw = Raw::table(span.clone());
                parts.push(Part { name: key.to_owned(), name_span: span.clone(), raw });
                parts.len() - 1
            });
            Ok(&mut parts[at].raw)
        }
        RawValue::List(items) => {
            let len = items.len();
            key.parse().ok().and_then(|index: usize| items.get_mut(index)).ok_or_else(|| {
                let message = format!("`{key}` leads nowhere in a list of {len}");
                sources.problem(span, message, "name an item by its number, counted from 0")
            })
        }
        _ => Err(sources.problem(
            span,
            format!("`{key}` leads nowhere, for what is there is {kind}"),
            "replace the whole of it by a table: --set KEY='{ ... }'",
        )),
    }
}

impl fmt::Display for Override {
    /// Writes the option as typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn command_line(text: &str) -> Source {
    Source::new("command line", text)
}

fn shift(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const FILE: &str =
        "peers = 5\nnetwork = { model = \"x\", loss = 0.5 }\n[[group]]\nname = \"a\"\n";

    /// The tree after these assignments.
    fn applied(assignments: &[&str]) -> Result<Raw, Problem> {
        let mut sources = Sources::new(Source::new("file", FILE));
        let mut root = Raw::parse_file(FILE, 0).unwrap();
        for assignment in assignments {
            Override::set(assignment)?.apply(&mut root, &mut sources)?;
        }
        Ok(root)
    }

    fn check(assignment: &str, expected: Expect) {
        expected.assert_eq(&applied(&[assignment]).unwrap_err().render(false));
    }

    #[test]
    fn later_values_win() {
        let root = applied(&[
            "peers=6",
            "peers=7",
            "network.min=50ms",
            "network.loss={ a = 1 }",
            "network.loss.a=1/s",
            "group.0.peers=10%",
            "a.b.c=true",
            "empty=''",
        ]);
        let expected = "peers = 7\nempty = ''\na.b.c = true\n[network]\nmodel = 'x'\nmin = '50ms'\n\
                        loss.a = '1/s'\n[[group]]\nname = 'a'\npeers = '10%'\n";
        let expected: toml::Table = toml::from_str(expected).unwrap();
        assert_eq!(root.unwrap().read::<toml::Table>().unwrap(), expected);
    }

    #[test]
    fn keys_are_taken_away() {
        let read = |root: Raw| root.read::<toml::Table>().unwrap();
        let root = applied(&["network.loss=", "group.0.name=", "a.b=1", "a= "]).unwrap();
        let expected = "peers = 5\nnetwork.model = 'x'\n[[group]]\n";
        assert_eq!(read(root), toml::from_str(expected).unwrap());
        let root = applied(&["network=", "group.0=", "peers="]).unwrap();
        assert_eq!(read(root), toml::from_str("group = []").unwrap());
    }

    #[test]
    fn a_key_that_is_not_there_cannot_be_taken_away() {
        for assignment in ["network.los=", "x.y=", "group.1=", "peers.x=", "network.loss.mean="] {
            assert!(applied(&[assignment]).is_err(), "{assignment}");
        }
        check(
            "network.los=",
            expect![[r#"
                command line:1:15: there is no `los` to take away
                   ,----
                 1 | --set network.los=
                   :               ^^^
                   `----
                  help: did you mean `loss`?
            "#]],
        );
        check(
            "x.y=",
            expect![[r#"
                command line:1:7: there is no `x` to take away
                   ,----
                 1 | --set x.y=
                   :       ^
                   `----
                  help: name one of peers, network, group; an empty text is written KEY='""'
            "#]],
        );
    }

    #[test]
    fn assignments_that_lead_nowhere() {
        check(
            "peers",
            expect![[r#"
                command line:1:7: no value is given
                   ,----
                 1 | --set peers
                   :       ^^^^^
                   `----
                  help: write --set KEY.PATH=VALUE, such as --set network.min=50ms
            "#]],
        );
        check(
            "network..min=1",
            expect![[r#"
                command line:1:15: a key is missing
                   ,----
                 1 | --set network..min=1
                   :               ^
                   `----
                  help: write --set KEY.PATH=VALUE, such as --set network.min=50ms
            "#]],
        );
        check(
            "group.1.name=b",
            expect![[r#"
                command line:1:13: `1` leads nowhere in a list of 1
                   ,----
                 1 | --set group.1.name=b
                   :             ^
                   `----
                  help: name an item by its number, counted from 0
            "#]],
        );
        check(
            "network.loss.mean=0.1",
            expect![[r#"
                command line:1:20: `mean` leads nowhere, for what is there is a number
                   ,----
                 1 | --set network.loss.mean=0.1
                   :                    ^^^^
                   `----
                  help: replace the whole of it by a table: --set KEY='{ ... }'
            "#]],
        );
        check(
            &format!("{}=1", "a.".repeat(20)),
            expect![[r#"
                command line:1:39: the path is too long
                   ,----
                 1 | --set a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.=1
                   :                                       ^
                   `----
                  help: write --set KEY.PATH=VALUE, such as --set network.min=50ms
            "#]],
        );
    }
}
