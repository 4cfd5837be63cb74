//! `[connection]`: how long reliable delivery waits, and how long one of its messages may be.

use peerlet_core::runtime::MESSAGE_MAX_LIMIT;
use peerlet_core::{Duration, MESSAGE_MAX, SECOND};

use crate::raw::{Part, RawValue};
use crate::reader::Reader;

/// The units of sizes, with their bytes.
const UNITS: [(&str, u64); 6] =
    [("KiB", 1 << 10), ("MiB", 1 << 20), ("kB", 1_000), ("KB", 1_000), ("MB", 1_000_000), ("B", 1)];

/// How long reliable delivery waits, and how long one of its messages may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connection {
    /// How long a connection waits for an acknowledgement before it gives up; 10 s unless given.
    pub timeout: Duration,
    /// How long a message may be, in encoded bytes; 16 MiB unless given.
    pub message_max: usize,
}

impl Default for Connection {
    fn default() -> Connection {
        Connection { timeout: SECOND * 10, message_max: MESSAGE_MAX }
    }
}

impl Connection {
    pub(crate) fn read(part: &Part, reader: &mut Reader) -> Option<Connection> {
        let mut fields = reader.table(part, "[connection]")?;
        let (timeout, message_max) = (fields.take("timeout"), fields.take("message_max"));
        fields.finish(reader, &["queue", "queue_messages", "queue_bytes"]);
        let default = Connection::default();
        let timeout = timeout.and_then(|part| reader.period(&part));
        let message_max = message_max.and_then(|part| message_max_in(&part, reader));
        Some(Connection {
            timeout: timeout.unwrap_or(default.timeout),
            message_max: message_max.unwrap_or(default.message_max),
        })
    }
}

fn message_max_in(part: &Part, reader: &mut Reader) -> Option<usize> {
    // A bare 0 shows what is meant, and is as wrong as any number without a unit.
    let text = match &part.raw.value {
        RawValue::Integer(number) => number.to_string(),
        _ => reader.text(part)?,
    };
    let bytes = bytes(&text).and_then(|bytes| usize::try_from(bytes).ok());
    let fits = bytes.filter(|bytes| (1..=MESSAGE_MAX_LIMIT).contains(bytes));
    if fits.is_none() {
        let message = match bytes {
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("`message_max` is {text} without a unit")
            }
            None => format!("`{text}` is no size"),
            Some(_) => format!("a message of {text} is out of range"),
        };
        let help = "give a whole number of B, KiB or MiB from 1 B to 64 MiB, such as \"16 MiB\"";
        reader.refuse(&part.raw.span, message, help);
    }
    fits
}

/// Reads a size such as `16 MiB`.
fn bytes(text: &str) -> Option<u64> {
    let (unit, scale) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
    number.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_with_a_unit() {
        for (text, expected) in [
            ("16 MiB", Some(16 << 20)),
            ("300kB", Some(300_000)),
            ("7 B", Some(7)),
            ("16", None),
            ("MiB", None),
            ("-1 B", None),
            ("1.5 MiB", None),
            ("99999999999999999999 B", None),
            ("18446744073709551615 MiB", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
