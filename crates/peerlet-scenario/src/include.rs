//! `include`: scenarios that others are built upon.
//!
//! An included file is read first, and what the including one says is put over it, so that the tree
//! that comes out is that of one file.

use std::path::{Path, PathBuf};

use crate::input_file::reason;
use crate::problem::{Problem, Problems};
use crate::raw::{Part, Raw, RawValue};
use crate::source::{Source, Sources};

/// How deeply files may include others.
pub(crate) const INCLUDE_DEPTH_MAX: usize = 16;

/// The lists that grow: included items come first.
const LISTS: [&str; 6] = ["group", "expect", "property", "observe", "stopwatch", "event"];

/// Takes `include` out of a tree and puts the tree over the files that it names. Says whether there
/// were any.
pub(crate) fn include(root: &mut Raw, sources: &mut Sources) -> Result<bool, Problems> {
    let own = identity(Path::new(&sources.file().name));
    include_within(root, sources, &mut vec![own])
}

fn include_within(
    root: &mut Raw,
    sources: &mut Sources,
    chain: &mut Vec<PathBuf>,
) -> Result<bool, Problems> {
    let RawValue::Table(parts) = &mut root.value else { return Ok(false) };
    let Some(at) = parts.iter().position(|part| part.name == "include") else { return Ok(false) };
    let names = parts.remove(at);
    let names = match names.raw.value {
        RawValue::List(items) => items,
        _ => vec![names.raw],
    };
    let mut under = Raw::table(root.span.clone());
    for name in &names {
        let file = read_file(name, sources, chain)?;
        under = put_over(under, file);
    }
    *root = put_over(under, std::mem::replace(root, Raw::table(0..0)));
    Ok(true)
}

/// Reads a file that is included, with all that it includes itself.
fn read_file(name: &Raw, sources: &mut Sources, chain: &mut Vec<PathBuf>) -> Result<Raw, Problems> {
    let refuse = |sources: &Sources, message: &str, help: &str| -> Problems {
        sources.problem(&name.span, message, help).into()
    };
    let RawValue::Text(file) = &name.value else {
        let message = format!("`include` names {}, not a file", name.kind());
        return Err(refuse(sources, &message, "write include = [\"base.toml\"]"));
    };
    let path = sources.base(&name.span).join(file);
    let shown = path.display();
    let own = identity(&path);
    if chain.contains(&own) {
        let message = format!("`{shown}` includes itself");
        return Err(refuse(sources, &message, "leave this out: a file is included once"));
    }
    if chain.len() > INCLUDE_DEPTH_MAX {
        let help = format!("include at most {INCLUDE_DEPTH_MAX} deep");
        return Err(refuse(sources, "too many files include each other", &help));
    }
    let source = Source::open(&path).map_err(|error| {
        let (reason, help) = reason(&error);
        let problem = sources.problem(&name.span, format!("cannot read `{shown}`: {reason}"), help);
        match crate::files::is_of_content(&error) {
            true => problem,
            false => problem.unreadable(),
        }
    })?;
    let start = sources.add(source.clone());
    let mut root = parse(&source, start)?;
    chain.push(own);
    include_within(&mut root, sources, chain)?;
    chain.pop();
    Ok(root)
}

/// The tree of a scenario's text, which begins at `offset`.
pub(crate) fn parse(source: &Source, offset: usize) -> Result<Raw, Problem> {
    Raw::parse_file(&source.text, offset).map_err(|error| {
        let end = source.text.len();
        let help = "write keys as `key = value`, and texts, durations and shares in quotes";
        Problem::new(source, error.span().unwrap_or(end..end), error.message(), help)
    })
}

/// The path by which a file is known, however it is named.
fn identity(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// One scenario put over another: tables by their keys, the stack by its peerlets' parameters,
/// lists and event lines after those of the other.
fn put_over(under: Raw, over: Raw) -> Raw {
    let (RawValue::Table(mut parts), RawValue::Table(overs)) = (under.value, over.value) else {
        return Raw::table(over.span);
    };
    for part in overs {
        match parts.iter_mut().find(|old| old.name == part.name) {
            Some(old) => put_part_over(old, part),
            None => parts.push(part),
        }
    }
    Raw { span: over.span, value: RawValue::Table(parts) }
}

fn put_part_over(old: &mut Part, part: Part) {
    let has = |part: &Part, name: &str| part.raw.get(name).is_some();
    match part.name.as_str() {
        name if LISTS.contains(&name) => append(&mut old.raw, part.raw),
        "stack" => merge(old, part, |old, part| merge(old, part, replace)),
        "events" => merge(old, part, |old, part| append(&mut old.raw, part.raw)),
        // Parameters of one model mean nothing to another.
        "network" if has(&part, "model") => *old = part,
        "churn" => *old = part,
        _ => merge(old, part, replace),
    }
}

/// Puts the parts of one table over those of another; what is no table replaces the other.
fn merge(old: &mut Part, part: Part, put: impl Fn(&mut Part, Part)) {
    match (&mut old.raw.value, part.raw.value) {
        (RawValue::Table(olds), RawValue::Table(parts)) => {
            for part in parts {
                match olds.iter_mut().find(|old| old.name == part.name) {
                    Some(old) => put(old, part),
                    None => olds.push(part),
                }
            }
            old.raw.span = part.raw.span;
        }
        (_, value) => *old = Part { raw: Raw { span: part.raw.span, value }, ..part },
    }
}

fn replace(old: &mut Part, part: Part) {
    *old = part;
}

/// Puts items behind those of another list; a value that is no list counts as one item.
fn append(old: &mut Raw, more: Raw) {
    let items = |raw: Raw| match raw.value {
        RawValue::List(items) => items,
        value => vec![Raw { span: raw.span, value }],
    };
    let span = more.span.clone();
    let mut all = items(std::mem::replace(old, Raw::table(0..0)));
    all.extend(items(more));
    *old = Raw { span, value: RawValue::List(all) };
}
