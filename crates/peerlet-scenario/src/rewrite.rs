//! A scenario's text with the values of the command line in it, for whoever runs it again.
//!
//! The text is edited in place, so that comments and layout stay. What comes out is read back and
//! compared; where an edit would change more than it should, such as the order of a stack, the text
//! is written anew from what was read.

use toml_edit::{DocumentMut, InlineTable, Item, Key, Table, TableLike, Value};

use crate::overrides::Override;
use crate::problem::{Problem, Problems};
use crate::raw::{Raw, RawValue};
use crate::scenario::Scenario;
use crate::source::{Source, Sources};

/// A scenario's text and what is put into it.
///
/// ```
/// use peerlet_scenario::{Override, Rewrite};
/// let text = "peers = 100 # many\nfor = \"60s\"\n";
/// let mut rewrite = Rewrite::new(text, &[Override::set("peers=20")?])?;
/// rewrite.set_text("network.model", "lan");
/// assert_eq!(
///     rewrite.write(),
///     "peers = 20 # many\nfor = \"60s\"\n\n[network]\nmodel = \"lan\"\n",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rewrite {
    text: String,
    overrides: Vec<Override>,
    root: Raw,
    sources: Sources,
}

impl Rewrite {
    /// The text of a scenario with these values in it; later ones win.
    ///
    /// # Errors
    /// When the text is no TOML, or a value does not fit into it.
    pub fn new(text: &str, overrides: &[Override]) -> Result<Rewrite, Problems> {
        let source = Source::new("scenario", text);
        let root = Raw::parse_file(text, 0).map_err(|error| {
            Problem::new(&source, error.span().unwrap_or(0..0), error.message(), "")
        })?;
        let sources = Sources::new(source);
        let mut rewrite = Rewrite { text: text.to_owned(), overrides: Vec::new(), root, sources };
        for assignment in overrides {
            rewrite.put(assignment.clone())?;
        }
        Ok(rewrite)
    }

    /// The scenario's text with these values in it. One that includes others becomes one text,
    /// without comments.
    ///
    /// # Errors
    /// As [`Rewrite::new`].
    pub fn of(scenario: &Scenario, overrides: &[Override]) -> Result<Rewrite, Problems> {
        match &scenario.merged {
            Some(merged) => Rewrite::new(&written(merged), overrides),
            None => Rewrite::new(&scenario.sources.file().text, overrides),
        }
    }

    /// The text at the end of this path, `network.file`; `None` where there is no text.
    pub fn text(&self, path: &str) -> Option<&str> {
        match &path.split('.').try_fold(&self.root, |raw, key| Some(&raw.get(key)?.raw))?.value {
            RawValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Puts a text at the end of this path. Tables that are missing are made.
    pub fn set_text(&mut self, path: &str, text: &str) {
        self.set(path, &Value::from(text).to_string());
    }

    /// Puts `true` at the end of this path, likewise.
    pub fn set_true(&mut self, path: &str) {
        self.set(path, "true");
    }

    fn set(&mut self, path: &str, value: &str) {
        // A path that leads through something else than tables is left as it is.
        self.put(Override::option("run folder", path, value)).ok();
    }

    fn put(&mut self, assignment: Override) -> Result<(), Problem> {
        assignment.apply(&mut self.root, &mut self.sources)?;
        self.overrides.push(assignment);
        Ok(())
    }

    /// The text with everything in it.
    pub fn write(&self) -> String {
        let edited = self.edited().filter(|text| {
            Raw::parse_file(text, 0).is_ok_and(|read| is_same(&read, &self.root, false))
        });
        edited.unwrap_or_else(|| written(&self.root))
    }

    fn edited(&self) -> Option<String> {
        let mut document: DocumentMut = self.text.parse().ok()?;
        for assignment in &self.overrides {
            let path: Vec<&str> = assignment.path().collect();
            let value = assignment.literal().map(|text| literal(&text));
            edit_table(document.as_table_mut(), &path, value.as_ref(), true)?;
        }
        Some(document.to_string())
    }
}

/// A value as the command line reads it: as TOML, or as a text where it is none.
fn literal(text: &str) -> Value {
    text.trim().parse().unwrap_or_else(|_| Value::from(text))
}

/// Puts the value at the end of a path, or takes away what is there; `None` where that is not
/// possible in place.
fn edit_table(
    table: &mut dyn TableLike,
    path: &[&str],
    value: Option<&Value>,
    is_root: bool,
) -> Option<()> {
    let (key, rest) = path.split_first()?;
    if !rest.is_empty() {
        if !table.contains_key(key) {
            let empty = match is_root {
                true => Item::Table(Table::new()),
                false => Item::Value(InlineTable::new().into()),
            };
            table.insert(key, empty);
        }
        return edit_item(table.get_mut(key)?, rest, value);
    }
    let Some(value) = value else { return table.remove(key).map(|_| ()) };
    match table.get_mut(key) {
        Some(Item::Value(old)) => replace(old, value),
        Some(item) => *item = Item::Value(value.clone()),
        None => _ = table.insert(key, Item::Value(value.clone())),
    }
    Some(())
}

fn edit_item(item: &mut Item, path: &[&str], value: Option<&Value>) -> Option<()> {
    match item {
        Item::Table(table) => edit_table(table, path, value, false),
        Item::Value(inner) => edit_value(inner, path, value),
        Item::ArrayOfTables(tables) => {
            let (index, rest) = indexed(path, tables.len())?;
            match (rest.is_empty(), value) {
                (false, _) => edit_table(tables.get_mut(index)?, rest, value, false),
                (true, None) => {
                    tables.remove(index);
                    Some(())
                }
                (true, Some(_)) => None,
            }
        }
        Item::None => None,
    }
}

fn edit_value(within: &mut Value, path: &[&str], value: Option<&Value>) -> Option<()> {
    match within {
        Value::InlineTable(table) => edit_table(table, path, value, false),
        Value::Array(items) => {
            let (index, rest) = indexed(path, items.len())?;
            let item = items.get_mut(index)?;
            match (rest.is_empty(), value) {
                (false, _) => return edit_value(item, rest, value),
                (true, Some(value)) => replace(item, value),
                (true, None) => _ = items.remove(index),
            }
            Some(())
        }
        _ => None,
    }
}

/// The item of a list that a path leads to, and the rest of the path.
fn indexed<'a>(path: &'a [&'a str], len: usize) -> Option<(usize, &'a [&'a str])> {
    let (key, rest) = path.split_first()?;
    let index = key.parse().ok().filter(|index| *index < len)?;
    Some((index, rest))
}

/// Replaces a value; the space and the comments around it stay.
fn replace(old: &mut Value, new: &Value) {
    let decor = old.decor().clone();
    *old = new.clone();
    *old.decor_mut() = decor;
}

/// Whether two trees say the same in the same order. Only the order of a file's tables means
/// nothing.
pub(crate) fn is_same(one: &Raw, other: &Raw, is_ordered: bool) -> bool {
    match (&one.value, &other.value) {
        (RawValue::Table(ones), RawValue::Table(others)) => {
            ones.len() == others.len()
                && ones.iter().zip(others).all(|(one, same)| {
                    let other = if is_ordered { Some(same) } else { other.get(&one.name) };
                    other.is_some_and(|other| {
                        one.name == other.name && is_same(&one.raw, &other.raw, true)
                    })
                })
        }
        (RawValue::List(ones), RawValue::List(others)) => {
            ones.len() == others.len()
                && ones.iter().zip(others).all(|(one, other)| is_same(one, other, true))
        }
        (one, other) => one == other,
    }
}

/// A whole file from a tree, each of its tables with its order.
fn written(root: &Raw) -> String {
    let is_table = |raw: &Raw| matches!(raw.value, RawValue::Table(_));
    let line = |name: &str, raw: &Raw| format!("{} = {}\n", Key::new(name), inline(raw));
    let (tables, values): (Vec<_>, Vec<_>) =
        root.parts().iter().partition(|part| is_table(&part.raw));
    let mut text: String = values.iter().map(|part| line(&part.name, &part.raw)).collect();
    for table in tables {
        text += &format!("\n[{}]\n", Key::new(&table.name));
        table.raw.parts().iter().for_each(|part| text += &line(&part.name, &part.raw));
    }
    text
}

/// A part as a value in one piece.
fn inline(raw: &Raw) -> String {
    match &raw.value {
        RawValue::Text(text) => Value::from(text.as_str()).to_string(),
        RawValue::Bool(truth) => truth.to_string(),
        RawValue::Integer(text) | RawValue::Float(text) | RawValue::Date(text) => text.clone(),
        RawValue::List(items) => {
            let items: Vec<_> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        RawValue::Table(parts) => {
            let part = |part: &crate::raw::Part| {
                format!("{} = {}", Key::new(&part.name), inline(&part.raw))
            };
            match parts.is_empty() {
                true => "{}".to_owned(),
                false => format!("{{ {} }}", parts.iter().map(part).collect::<Vec<_>>().join(", ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const FILE: &str = "\
# A test.
peers = 5  # few
for = '20s'

[stack] # from the bottom up
bootstrap = {}
lookups = { rate = '1/s' }

[stack.router]
ttl = 3

[[group]]
name = 'a'
peers = '10%'
[events]
lines = '''
1 2 Peer.stop()  # gone
'''
";

    /// Checks the text after these assignments; it must read as the file does with them.
    fn check(assignments: &[&str], expected: Expect) {
        let overrides: Vec<_> = assignments.iter().map(|one| Override::set(one).unwrap()).collect();
        let rewrite = Rewrite::new(FILE, &overrides).unwrap();
        let text = rewrite.write();
        expected.assert_eq(&text);
        assert!(is_same(&Raw::parse_file(&text, 0).unwrap(), &rewrite.root, false));
        assert_eq!(Rewrite::new(&text, &[]).unwrap().write(), text, "written once, it stays");
    }

    #[test]
    fn comments_and_layout_stay() {
        check(
            &[],
            expect![[r#"
            # A test.
            peers = 5  # few
            for = '20s'

            [stack] # from the bottom up
            bootstrap = {}
            lookups = { rate = '1/s' }

            [stack.router]
            ttl = 3

            [[group]]
            name = 'a'
            peers = '10%'
            [events]
            lines = '''
            1 2 Peer.stop()  # gone
            '''
        "#]],
        );
        check(
            &["peers=30", "stack.lookups.rate=2/s", "group.0.peers=20%", "network.model=lan"],
            expect![[r##"
                # A test.
                peers = 30  # few
                for = '20s'

                [stack] # from the bottom up
                bootstrap = {}
                lookups = { rate = "2/s" }

                [stack.router]
                ttl = 3

                [[group]]
                name = 'a'
                peers = "20%"
                [events]
                lines = '''
                1 2 Peer.stop()  # gone
                '''

                [network]
                model = "lan"
            "##]],
        );
        check(
            &["for=", "group.0.peers=", "stack.router=", "events="],
            expect![[r#"
            # A test.
            peers = 5  # few

            [stack] # from the bottom up
            bootstrap = {}
            lookups = { rate = '1/s' }

            [[group]]
            name = 'a'
        "#]],
        );
    }

    #[test]
    fn an_order_that_matters_is_kept() {
        check(
            &["stack.late.x=1"],
            expect![[r#"
            peers = 5
            for = "20s"
            group = [{ name = "a", peers = "10%" }]

            [stack]
            bootstrap = {}
            lookups = { rate = "1/s" }
            router = { ttl = 3 }
            late = { x = 1 }

            [events]
            lines = """
            1 2 Peer.stop()  # gone
            """
        "#]],
        );
    }

    #[test]
    fn any_value_is_written() {
        check(
            &[
                "title=\"a \\u001b\\\"\\n'''\"",
                "stack.router={ a = [1, { b = 0x1F }], 'c d' = 1979-05-27 }",
                "group.0={ name = \"b\", peers = 3 }",
                "x.y.z=-inf",
            ],
            expect![[r#"
                peers = 5
                for = "20s"
                group = [{ name = "b", peers = 3 }]
                title = """
                a \u001B"
                '''"""

                [stack]
                bootstrap = {}
                lookups = { rate = "1/s" }
                router = { a = [1, { b = 0x1F }], "c d" = 1979-05-27 }

                [events]
                lines = """
                1 2 Peer.stop()  # gone
                """

                [x]
                y = { z = -inf }
            "#]],
        );
    }
}
