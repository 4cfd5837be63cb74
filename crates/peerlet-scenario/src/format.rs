//! The layout of scenario files and of event lines, for `peerlet fmt`.
//!
//! Only space changes: comments stay, nothing is reordered, and what comes out is read back and
//! compared with what went in.

use toml_edit::{Array, Decor, DocumentMut, InlineTable, Item, RawString, Table, Value};

use crate::call;
use crate::include;
use crate::problem::Problems;
use crate::raw::{Raw, RawValue};
use crate::rewrite::is_same;
use crate::source::Source;

/// The widest part of an event line that others are aligned with.
const ALIGNED_MAX: usize = 32;

/// A scenario's text in the usual layout: one space around `=`, one empty line above a table, event
/// lines in columns.
///
/// # Errors
/// When the text is no TOML.
///
/// ```
/// use peerlet_scenario::{Source, format_scenario};
/// let text = "peers=100   # many\nfor='1m'\n\n\n[network]\nmodel  =  'lan'\n";
/// assert_eq!(
///     format_scenario(&Source::new("a.toml", text))?,
///     "peers = 100   # many\nfor = '1m'\n\n[network]\nmodel = 'lan'\n",
/// );
/// # Ok::<(), peerlet_scenario::Problems>(())
/// ```
pub fn format_scenario(source: &Source) -> Result<String, Problems> {
    let read = include::parse(source, 0)?;
    let Ok(mut document) = source.text.parse::<DocumentMut>() else {
        return Ok(source.text.to_string());
    };
    let trailing = comments(document.trailing().as_str().unwrap_or_default(), true);
    document.set_trailing(trailing);
    format_table(document.as_table_mut(), &mut true, "");
    let formatted = document.to_string().trim_start_matches('\n').to_owned();
    let formatted = match formatted.trim_end() {
        "" => String::new(),
        text => format!("{text}\n"),
    };
    // Were a layout unknown here, the text would stay as it is.
    let again = Raw::parse_file(&formatted, 0);
    let is_kept = again.is_ok_and(|again| is_same(&again, &aligned(read), false));
    Ok(if is_kept { formatted } else { source.text.to_string() })
}

/// Event lines in columns: peers, time, call, comment.
///
/// ```
/// use peerlet_scenario::format_lines;
/// assert_eq!(
///     format_lines("10%  60 Peer.crash() # gone\n0-99   every 10s   Peer.pause(1s)"),
///     "10%   60         Peer.crash()  # gone\n0-99  every 10s  Peer.pause(1s)\n",
/// );
/// ```
pub fn format_lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> = text.split(['\n', '\r']).map(str::trim).collect();
    let parts: Vec<Option<[String; 4]>> = lines.iter().map(|line| columns(line)).collect();
    let width = |column: usize| {
        let of = |parts: &[String; 4]| parts[column].chars().count();
        let widths = parts.iter().flatten().map(of);
        widths.filter(|width| *width <= ALIGNED_MAX).max().unwrap_or(0)
    };
    let has_comment = |parts: &&[String; 4]| !parts[3].is_empty();
    let calls = parts.iter().flatten().filter(has_comment).map(|parts| parts[2].chars().count());
    let call_width = calls.filter(|width| *width <= 2 * ALIGNED_MAX).max().unwrap_or(0);
    let widths = [width(0), width(1)];
    let (mut out, mut is_empty) = (String::new(), true);
    for (line, parts) in lines.iter().zip(&parts) {
        // Empty lines separate: one does, and none at the beginning or the end.
        if line.is_empty() {
            is_empty = true;
            continue;
        }
        if is_empty && !out.is_empty() {
            out.push('\n');
        }
        is_empty = false;
        match parts {
            None => out.push_str(line),
            Some([peers, when, call, comment]) => {
                out += &format!("{peers:<0$}  {when:<1$}  ", widths[0], widths[1]);
                out += &match comment.is_empty() {
                    true => call.clone(),
                    false => format!("{call:<call_width$}  {comment}"),
                };
            }
        }
        out.push('\n');
    }
    out
}

/// The columns of an event line; `None` of another line, such as a comment.
fn columns(line: &str) -> Option<[String; 4]> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let end = |words: &[&str]| {
        let last = words.last().expect("a part has words");
        last.as_ptr() as usize + last.len() - line.as_ptr() as usize
    };
    let peers = if words.get(1) == Some(&"of") { 3 } else { 1 };
    let when = match (words.get(peers), words.get(peers + 1)) {
        (Some(&"every"), _) => 2,
        (_, Some(&"every")) => 3,
        _ => 1,
    };
    if line.starts_with('#') || words.len() <= peers + when {
        return None;
    }
    let rest = line[end(&words[..peers + when])..].trim_start();
    let call_end = call::end(rest)?;
    let comment = rest[call_end..].trim();
    (comment.is_empty() || comment.starts_with('#')).then(|| {
        let joined = |words: &[&str]| words.join(" ");
        [
            joined(&words[..peers]),
            joined(&words[peers..peers + when]),
            rest[..call_end].to_owned(),
            comment.to_owned(),
        ]
    })
}

/// The tree with event lines in columns.
fn aligned(mut root: Raw) -> Raw {
    let RawValue::Table(parts) = &mut root.value else { return root };
    let events = parts.iter_mut().find(|part| part.name == "events").map(|part| &mut part.raw);
    let Some(RawValue::Table(parts)) = events.map(|raw| &mut raw.value) else { return root };
    if let Some(lines) = parts.iter_mut().find(|part| part.name == "lines") {
        let items = match &mut lines.raw.value {
            RawValue::List(items) => items.iter_mut().collect(),
            _ => vec![&mut lines.raw],
        };
        for item in items {
            if let RawValue::Text(text) = &mut item.value
                && text.contains('\n')
            {
                *text = format_lines(text);
            }
        }
    }
    root
}

/// Formats a table and all in it; `is_first` says whether nothing stands above it.
fn format_table(table: &mut Table, is_first: &mut bool, path: &str) {
    if !table.is_implicit() && !table.is_dotted() && !path.is_empty() {
        let above = head(table.decor(), *is_first, true);
        let behind = trailing(table.decor().suffix());
        *table.decor_mut() = Decor::new(above, behind);
        *is_first = false;
    }
    let mut is_below_head = !path.is_empty();
    for (mut key, item) in table.iter_mut() {
        let path = format!("{path}.{}", key.get());
        match item {
            Item::Value(value) => {
                let above = head(key.leaf_decor(), *is_first || is_below_head, false);
                (*is_first, is_below_head) = (false, false);
                *key.leaf_decor_mut() = Decor::new(above, " ");
                *key.dotted_decor_mut() = Decor::new("", "");
                format_value(value, &path);
                let behind = trailing(value.decor().suffix());
                *value.decor_mut() = Decor::new(" ", behind);
            }
            Item::Table(table) => format_table(table, is_first, &path),
            Item::ArrayOfTables(tables) => {
                tables.iter_mut().for_each(|table| format_table(table, is_first, &path));
            }
            Item::None => {}
        }
    }
}

fn format_value(value: &mut Value, path: &str) {
    match value {
        // What has several lines may have comments in it, and stays as it is.
        Value::InlineTable(table) if table.to_string().contains('\n') => {}
        Value::InlineTable(table) => format_inline(table),
        Value::Array(items) => format_array(items, path),
        Value::String(text) if path == ".events.lines" && text.value().contains('\n') => {
            *value = Value::from(format!("\n{}", format_lines(text.value())));
            // A text that begins with a line feed is written in several; the first is dropped.
            if let Value::String(text) = value {
                let quoted = text.display_repr().replacen("\n\n", "\n", 1);
                if let Ok(Value::String(written)) = quoted.parse() {
                    *text = written;
                }
            }
        }
        _ => {}
    }
}

fn format_inline(table: &mut InlineTable) {
    table.fmt();
    for (_, value) in table.iter_mut() {
        format_value(value, "");
        let decor = value.decor().clone();
        *value.decor_mut() = decor;
    }
}

/// Formats the items of a list.
fn format_array(items: &mut Array, path: &str) {
    for item in items.iter_mut() {
        let decor = item.decor().clone();
        format_value(item, path);
        *item.decor_mut() = decor;
    }
    let has_lines = |raw: Option<&RawString>| {
        raw.and_then(RawString::as_str).is_some_and(|text| text.contains('\n'))
    };
    let is_long = has_lines(Some(items.trailing()))
        || items
            .iter()
            .map(Value::decor)
            .any(|decor| has_lines(decor.prefix()) || has_lines(decor.suffix()));
    if !is_long {
        items.fmt();
    }
}

/// The comments above a key or a table; above a table, and where there was one, is an empty line.
fn head(decor: &Decor, is_first: bool, is_table: bool) -> String {
    let above = decor.prefix().and_then(RawString::as_str).unwrap_or_default();
    let is_apart = above.starts_with('\n') || above.starts_with("\r\n");
    let empty = if !is_first && (is_table || is_apart) { "\n" } else { "" };
    empty.to_owned() + &comments(above, false)
}

/// Comments line by line, with at most one empty line between them.
fn comments(text: &str, is_end: bool) -> String {
    // What follows the last line end stands before a key, and is no line.
    let text = match text.rsplit_once('\n') {
        Some((lines, rest)) if rest.trim().is_empty() => lines,
        _ => text,
    };
    let (mut out, mut is_empty) = (String::new(), is_end);
    for line in text.split('\n').map(str::trim) {
        if line.is_empty() {
            is_empty = is_end || !out.is_empty();
            continue;
        }
        if is_empty {
            out.push('\n');
        }
        is_empty = false;
        out += line;
        out.push('\n');
    }
    // An empty line below comments keeps them apart from what follows.
    let is_apart = is_empty && !out.is_empty() && !is_end;
    out + if is_apart { "\n" } else { "" }
}

/// The comment behind a value, at its distance.
fn trailing(suffix: Option<&RawString>) -> String {
    let text = suffix.and_then(RawString::as_str).unwrap_or_default();
    match text.trim() {
        "" => String::new(),
        comment if text.starts_with(' ') => {
            " ".repeat(text.len() - text.trim_start_matches(' ').len()) + comment
        }
        comment => format!("  {comment}"),
    }
}
