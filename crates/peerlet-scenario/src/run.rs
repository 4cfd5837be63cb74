//! `[run]`: how a scenario is run where the command line does not say. Run folders have it, so that
//! their scenario gives the same run again.

use std::ops::Range;

use crate::raw::{Part, RawValue};
use crate::reader::Reader;

/// How a scenario is run where the command line does not say.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Run {
    /// The transport's name as written, and where; for whoever knows the transports.
    pub transport: Option<(String, Range<usize>)>,
    /// Whether a simulation encodes every message.
    pub wire: bool,
    /// Whether the run may end before parts of the scenario begin; they are left out then, with a
    /// warning, as with a duration from the command line.
    pub cut: bool,
    /// The files that must be unchanged.
    pub sha256: Vec<Checksum>,
}

/// The checksum of a file that the scenario names.
#[derive(Clone, PartialEq, Debug)]
pub struct Checksum {
    /// The key that names the file, such as `network.file`.
    pub key: String,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Where that is written.
    pub span: Range<usize>,
}

impl Run {
    pub(crate) fn read(part: &Part, reader: &mut Reader) -> Option<Run> {
        let mut fields = reader.table(part, "[run]")?;
        let [transport, wire, cut, sha256] =
            ["transport", "wire", "cut", "sha256"].map(|name| fields.take(name));
        fields.finish(reader, &[]);
        let transport = transport.and_then(|part| {
            let name = reader.text(&part)?;
            Some((name, part.raw.span))
        });
        let mut flag =
            |part: Option<Part>| part.and_then(|part| reader.boolean(&part)).unwrap_or(false);
        let (wire, cut) = (flag(wire), flag(cut));
        let mut sums = Vec::new();
        if let Some(part) = sha256 {
            checksums(&part, "", reader, &mut sums);
        }
        Some(Run { transport, wire, cut, sha256: sums })
    }
}

/// Reads the checksums of a table, which has the form of the scenario: each stands under the key
/// that names its file.
fn checksums(part: &Part, above: &str, reader: &mut Reader, sums: &mut Vec<Checksum>) {
    let Part { name, raw, .. } = part;
    match &raw.value {
        RawValue::Table(parts) => {
            for inner in parts {
                let key = match above {
                    "" => inner.name.clone(),
                    above => format!("{above}.{}", inner.name),
                };
                checksums(inner, &key, reader, sums);
            }
        }
        RawValue::Text(sum) if is_checksum(sum) => sums.push(Checksum {
            key: above.to_owned(),
            sha256: sum.to_lowercase(),
            span: raw.span.clone(),
        }),
        _ => {
            let message = format!("`{name}` is no SHA-256");
            let help = "write its 64 hexadecimal digits in quotes, as `sha256sum FILE` prints them";
            reader.refuse(&raw.span, message, help);
        }
    }
}

fn is_checksum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
