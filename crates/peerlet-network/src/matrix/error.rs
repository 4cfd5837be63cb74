//! Why a matrix could not be used.

use std::{error, fmt, io};

use super::{FILE_BYTES_MAX, ROWS_MAX};

/// Why a matrix could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum MatrixError {
    /// The file cannot be read.
    Read(io::Error),
    /// The file ends in something else than its one compressed frame, or its checksum is wrong.
    Damaged,
    /// The file holds more than 1 GiB.
    TooLarge,
    /// The matrix has more than 20,000 rows.
    TooManyRows {
        /// How many it has, or at least has.
        rows: usize,
    },
    /// The bytes make no square of 16-bit numbers.
    NotSquare {
        /// How many bytes there are, decompressed.
        bytes: usize,
    },
    /// A line of text has more or fewer numbers than the first one.
    Ragged {
        /// The line, from 1.
        line: usize,
        /// How many numbers it has.
        cells: usize,
        /// How many the first line has.
        first: usize,
    },
    /// The text has more or fewer lines of numbers than numbers in a line.
    Oblong {
        /// How many lines of numbers there are.
        lines: usize,
        /// How many numbers there are in each.
        cells: usize,
    },
    /// The file holds no number at all.
    Empty,
    /// A word in the text is no number.
    Word {
        /// The line, from 1.
        line: usize,
        /// The column, in bytes from 1.
        column: usize,
        /// What stands there.
        word: String,
    },
    /// A line of a file of pairs is none.
    Pair {
        /// The line, from 1.
        line: usize,
    },
    /// A round trip is too long to be one.
    TooLong {
        /// The row, from 0.
        from: usize,
        /// The column of the matrix, from 0.
        to: usize,
    },
    /// Round trips are missing, and nothing says what to do about it.
    Missing {
        /// How many are missing off the diagonal.
        count: usize,
        /// The row of the first one, from 0.
        from: usize,
        /// The column of the first one, from 0.
        to: usize,
    },
    /// Every round trip is missing, so there is no median.
    NoMedian,
    /// There are more peers than rows.
    TooFewRows {
        /// How many rows there are.
        rows: usize,
        /// How many peers there are.
        peers: u32,
    },
}

impl fmt::Display for MatrixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MatrixError::Read(source) => write!(f, "cannot be read ({source}); check `file`"),
            MatrixError::Damaged => {
                f.write_str("is damaged: its checksum or its end is wrong; get it anew")
            }
            MatrixError::TooLarge => {
                write!(f, "holds more than {FILE_BYTES_MAX} bytes; take a smaller matrix")
            }
            MatrixError::TooManyRows { rows } => {
                write!(f, "has {rows} rows or more, at most {ROWS_MAX} fit; take a smaller matrix")
            }
            MatrixError::NotSquare { bytes } => write!(
                f,
                "holds {bytes} bytes, no square of 16-bit numbers; check that the file is whole"
            ),
            MatrixError::Ragged { line, cells, first } => write!(
                f,
                "has {cells} numbers in line {line} and {first} in the first; make it square"
            ),
            MatrixError::Oblong { lines, cells } => {
                write!(f, "has {lines} lines of {cells} numbers each; make it square")
            }
            MatrixError::Empty => f.write_str("holds no numbers; give a square matrix"),
            MatrixError::Word { line, column, word } => write!(
                f,
                "has `{word}` in line {line}, column {column}; write a number, or `-` for none"
            ),
            MatrixError::Pair { line } => write!(
                f,
                "has no pair in line {line}; write `i,j round_trip`, hosts from 1, as `1,2 5300`"
            ),
            MatrixError::TooLong { from, to } => write!(
                f,
                "has a round trip over 71 minutes from row {from} to row {to}; check `unit`"
            ),
            MatrixError::Missing { count, from, to } => write!(
                f,
                "lacks {count} round trips, the first from row {from} to row {to}; set missing = \
                 \"median\" or \"unreachable\""
            ),
            MatrixError::NoMedian => f.write_str(
                "lacks every round trip, so there is no median; set missing = \"unreachable\"",
            ),
            MatrixError::TooFewRows { rows, peers } => write!(
                f,
                "has {rows} rows for {peers} peers; set peers = {rows}, or assign = \"random\" to \
                 let peers share rows"
            ),
        }
    }
}

impl error::Error for MatrixError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            MatrixError::Read(source) => Some(source),
            _ => None,
        }
    }
}
