//! Reading round trips from a file, in one of three formats.
//!
//! Names that end in `.u16le` or `.u16le.zst` are row-major little-endian 16-bit numbers, plain or
//! as one zstd frame, 65535 where there is none. All others are text, with `#` before comments. A
//! square has a line a row, numbers between white space, `-`, `nan` or a negative number where
//! there is none. Pairs, as p2psim's topologies have them (the King data set is one), are read in
//! `pairs.rs`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use ruzstd::decoding::StreamingDecoder;

use super::{FILE_BYTES_MAX, MatrixError, NONE, ROWS_MAX, Table, Unit, pairs};

impl Table {
    /// Reads the file, whose numbers are round trips in this unit.
    pub(super) fn read(file: &Path, unit: Unit) -> Result<Table, MatrixError> {
        let name = file.as_os_str().as_encoded_bytes();
        let source = BufReader::new(File::open(file).map_err(MatrixError::Read)?);
        if name.ends_with(b".u16le.zst") {
            Table::from_words(&decompress(source)?, unit)
        } else if name.ends_with(b".u16le") {
            Table::from_words(&read_all(source, FILE_BYTES_MAX)?, unit)
        } else {
            let text = String::from_utf8(read_all(source, FILE_BYTES_MAX)?);
            let text = text.map_err(|e| MatrixError::Read(io::Error::other(e.utf8_error())))?;
            match pairs::are_in(&text) {
                true => Table::from_pairs(&text, unit),
                false => Table::from_text(&text, unit),
            }
        }
    }

    fn from_words(bytes: &[u8], unit: Unit) -> Result<Table, MatrixError> {
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
                value => cell(f64::from(value), unit)
                    .ok_or(MatrixError::TooLong { from: i / rows, to: i % rows })?,
            });
        }
        Ok(Table { rows, cells })
    }

    fn from_text(text: &str, unit: Unit) -> Result<Table, MatrixError> {
        let (mut cells, mut first, mut lines) = (Vec::new(), 0, 0);
        for (i, line) in text.lines().enumerate() {
            let before = cells.len();
            let data = line.split('#').next().unwrap_or_default();
            for word in data.split_whitespace().take(ROWS_MAX + 1) {
                let value = match word {
                    "-" => f64::NAN,
                    _ => word.parse().map_err(|_| misplaced(i, line, word))?,
                };
                let to = cells.len() - before;
                let value =
                    if value < 0.0 || value.is_nan() { Some(NONE) } else { cell(value, unit) };
                cells.push(value.ok_or(MatrixError::TooLong { from: lines, to })?);
            }
            let count = cells.len() - before;
            if count == 0 {
                continue;
            }
            if lines == 0 {
                first = count;
                check_rows(first)?;
            }
            if count != first {
                return Err(MatrixError::Ragged { line: i + 1, cells: count, first });
            }
            lines += 1;
            if lines > ROWS_MAX {
                break;
            }
        }
        check_rows(lines)?;
        if lines != first {
            return Err(MatrixError::Oblong { lines, cells: first });
        }
        Ok(Table { rows: lines, cells })
    }
}

/// The error for this word, a part of its line, which is number `i` from 0.
pub(super) fn misplaced(i: usize, line: &str, word: &str) -> MatrixError {
    let column = word.as_ptr() as usize - line.as_ptr() as usize + 1;
    MatrixError::Word { line: i + 1, column, word: word.chars().take(40).collect() }
}

pub(super) fn check_rows(rows: usize) -> Result<(), MatrixError> {
    match rows {
        0 => Err(MatrixError::Empty),
        1..=ROWS_MAX => Ok(()),
        _ => Err(MatrixError::TooManyRows { rows }),
    }
}

/// A round trip in whole microseconds; `None` when it is too long.
///
/// Floats do no harm here: IEEE 754 defines these operations to the bit, the same everywhere.
pub(super) fn cell(value: f64, unit: Unit) -> Option<u32> {
    let micros = (value * unit.length().as_nanos() as f64 / 1e3).round();
    (micros < f64::from(NONE)).then_some(micros as u32)
}

/// All bytes of the source, if they are at most so many.
fn read_all(source: impl Read, most: u64) -> Result<Vec<u8>, MatrixError> {
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes).map_err(MatrixError::Read)?;
    if bytes.len() as u64 > most { Err(MatrixError::TooLarge) } else { Ok(bytes) }
}

/// All of one zstd frame, with which the source must end.
fn decompress(source: impl Read) -> Result<Vec<u8>, MatrixError> {
    let wrong = |error| MatrixError::Read(io::Error::other(error));
    let mut stream = StreamingDecoder::new(source).map_err(wrong)?;
    let bytes = read_all(&mut stream, FILE_BYTES_MAX)?;
    let (mut rest, frame) = stream.into_parts();
    let trailing = rest.read(&mut [0]).map_err(MatrixError::Read)?;
    // A frame without a checksum has nothing to compare.
    let sum = frame.get_checksum_from_data();
    if trailing > 0 || (sum.is_some() && sum != frame.get_calculated_checksum()) {
        return Err(MatrixError::Damaged);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_without_end_is_refused() {
        assert_eq!(read_all(&[7; 4][..], 4).unwrap(), [7; 4]);
        assert!(matches!(read_all(&[7; 5][..], 4), Err(MatrixError::TooLarge)));
        assert!(matches!(read_all(io::repeat(7), 4), Err(MatrixError::TooLarge)));
    }
}
