//! Reading a file of times between hosts, in one of its formats.
//!
//! Names that end in `.u16le` or `.u16le.zst` are row-major little-endian 16-bit numbers, plain or
//! as one zstd frame, 65535 where there is none. All others are text, with `#` before comments:
//! p2psim's topologies (`pairs.rs`; the King data set is one), long tables (`edges.rs`) and squares
//! (`square.rs`).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use peerlet_core::runtime::decode_text;
use ruzstd::decoding::StreamingDecoder;

use super::lines::{Lines, TextLine};
use super::{
    FILE_BYTES_MAX, Form, LatencyTable, MatrixError, NONE, ROWS_MAX, Unit, Wanted, edges, pairs,
};
use crate::site::Site;

impl LatencyTable {
    /// Reads the file, whose numbers are times in this unit.
    pub(super) fn read(
        file: &Path,
        site: &Site<'_>,
        wanted: Wanted,
    ) -> Result<LatencyTable, MatrixError> {
        let name = file.as_os_str().as_encoded_bytes();
        let bytes = (site.read)(file, FILE_BYTES_MAX).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => MatrixError::TooLarge(error),
            _ => MatrixError::Read(error),
        })?;
        if name.ends_with(b".u16le.zst") {
            LatencyTable::from_words(&decompress(&bytes[..], FILE_BYTES_MAX)?, wanted.unit)
        } else if name.ends_with(b".u16le") {
            LatencyTable::from_words(&bytes, wanted.unit)
        } else {
            let bytes = Arc::unwrap_or_clone(bytes);
            LatencyTable::from_text(&decode_text(bytes).map_err(MatrixError::Text)?, wanted)
        }
    }

    pub(super) fn from_words(bytes: &[u8], unit: Unit) -> Result<LatencyTable, MatrixError> {
        let (words, rest) = bytes.as_chunks::<2>();
        let rows = words.len().isqrt();
        if !rest.is_empty() || rows * rows != words.len() {
            return Err(MatrixError::NotSquare { bytes: bytes.len() });
        }
        check_rows(rows)?;
        let mut cells = Vec::with_capacity(words.len());
        for (i, &word) in words.iter().enumerate() {
            cells.push(match u16::from_le_bytes(word) {
                u16::MAX => NONE,
                value => cell(f64::from(value), unit).ok_or(MatrixError::TooLong {
                    line: 0,
                    from: i / rows,
                    to: i % rows,
                })?,
            });
        }
        Ok(LatencyTable { rows, cells, names: Vec::new() })
    }

    /// Reads a text, in the form that it shows unless one is wanted.
    pub(super) fn from_text(text: &str, wanted: Wanted) -> Result<LatencyTable, MatrixError> {
        if wanted.form != Some(Form::Square) && pairs::are_in(text) {
            return LatencyTable::from_pairs(text, wanted.unit);
        }
        let lines = Lines::new(text);
        let form = match wanted.form {
            Some(form) => form,
            None => shown(&lines, wanted.is_one_way)?,
        };
        match form {
            Form::Square => LatencyTable::from_square(&lines, wanted.unit),
            Form::Edges => LatencyTable::from_edges(&lines, wanted),
        }
    }
}

/// The form that the lines of a text show. Delays between regions are a square, unless the first
/// line says otherwise.
fn shown(lines: &Lines<'_>, is_one_way: bool) -> Result<Form, MatrixError> {
    let Some(first) = lines.iter(ROWS_MAX).next() else { return Err(MatrixError::Empty) };
    let first = first?;
    if edges::are_headed(&first) {
        return Ok(Form::Edges);
    }
    if first.cells.len() != 3 || is_one_way {
        return Ok(Form::Square);
    }
    let are_names = |line: &TextLine<'_>| match line.cells.as_slice() {
        [from, to, time] => !from.is_numeric() && !to.is_numeric() && time.is_numeric(),
        _ => false,
    };
    match lines.count() {
        _ if lines.iter(4).all(|line| line.as_ref().is_ok_and(are_names)) => Ok(Form::Edges),
        3 if edges::can_be(lines) => Err(MatrixError::Ambiguous),
        4.. if edges::can_be(lines) => Ok(Form::Edges),
        _ => Ok(Form::Square),
    }
}

pub(super) fn check_rows(rows: usize) -> Result<(), MatrixError> {
    match rows {
        0 => Err(MatrixError::Empty),
        1..=ROWS_MAX => Ok(()),
        _ => Err(MatrixError::TooManyRows { rows }),
    }
}

/// A time in whole microseconds; `None` when it is too long.
///
/// Floats do no harm here: IEEE 754 defines these operations to the bit, the same everywhere.
pub(super) fn cell(value: f64, unit: Unit) -> Option<u32> {
    let micros = (value * unit.length().as_nanos() as f64 / 1e3).round();
    (micros < f64::from(NONE)).then_some(micros as u32)
}

/// All bytes of the file at `path`, if they are at most this many. It is [`Site::read`] where
/// nothing else is wanted.
///
/// # Errors
/// When the file cannot be read, or holds more ([`io::ErrorKind::FileTooLarge`]).
pub fn read_file(path: &Path, bytes_max: u64) -> io::Result<Arc<Vec<u8>>> {
    read_all(File::open(path)?, bytes_max).map(Arc::new)
}

/// All bytes of the source, if they are at most this many.
fn read_all(source: impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(bytes_max + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > bytes_max {
        true => {
            let message = format!("it holds more than {bytes_max} bytes");
            Err(io::Error::new(io::ErrorKind::FileTooLarge, message))
        }
        false => Ok(bytes),
    }
}

/// All of one zstd frame, with which the source must end, if that holds at most this many bytes.
pub(super) fn decompress(source: &[u8], bytes_max: u64) -> Result<Vec<u8>, MatrixError> {
    let wrong = |error| MatrixError::Compressed(io::Error::new(io::ErrorKind::InvalidData, error));
    let mut stream = StreamingDecoder::new(source).map_err(wrong)?;
    let bytes = read_all(&mut stream, bytes_max).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => MatrixError::TooLarge(error),
        _ => MatrixError::Compressed(io::Error::new(io::ErrorKind::InvalidData, error)),
    })?;
    let (rest, frame) = stream.into_parts();
    // A frame without a checksum has nothing to compare.
    let sum = frame.get_checksum_from_data();
    if !rest.is_empty() || (sum.is_some() && sum != frame.get_calculated_checksum()) {
        return Err(MatrixError::Damaged);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_without_end_is_refused() {
        let kind = |source: &mut dyn Read| read_all(source, 4).unwrap_err().kind();
        assert_eq!(read_all(&[7; 4][..], 4).unwrap(), [7; 4]);
        assert_eq!(kind(&mut &[7; 5][..]), io::ErrorKind::FileTooLarge);
        assert_eq!(kind(&mut io::repeat(7)), io::ErrorKind::FileTooLarge);
    }
}
