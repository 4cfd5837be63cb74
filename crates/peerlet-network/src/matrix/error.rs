//! Why a matrix could not be used.

use std::{error, fmt, io};

use peerlet_core::runtime::TextError;

use super::{ROWS_MAX, Unit};

/// Why a matrix could not be used. Lines count from 1; rows and columns of the matrix from 0.
#[derive(Debug)]
#[non_exhaustive]
pub enum MatrixError {
    /// The file cannot be read.
    Read(io::Error),
    /// The file is no text in UTF-8.
    Text(TextError),
    /// The file is no compressed frame.
    Compressed(io::Error),
    /// The matrix has one row, and no pair.
    One,
    /// The file ends in something else than its one compressed frame, or its checksum is wrong.
    Damaged,
    /// The file holds more than 1 GiB, or a pipe more than it may.
    TooLarge(io::Error),
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
    /// A line of text has more or fewer cells than the first one.
    Ragged {
        /// The line.
        line: usize,
        /// How many cells it has.
        cells: usize,
        /// How many it should have.
        first: usize,
    },
    /// The text has more or fewer lines of numbers than numbers in a line.
    Oblong {
        /// How many lines of numbers there are.
        lines: usize,
        /// How many numbers there are in each.
        cells: usize,
    },
    /// Three lines of three numbers are a square or three edges.
    Ambiguous,
    /// Numbers above and beside a square may be names or times.
    Corner {
        /// The line.
        line: usize,
    },
    /// The file holds no number at all.
    Empty,
    /// A word in the text is no number.
    Word {
        /// The line.
        line: usize,
        /// The column, in characters from 1.
        column: usize,
        /// The word.
        word: String,
    },
    /// A quoted cell does not end, or is not all of its cell.
    Quote {
        /// The line.
        line: usize,
        /// The column, in characters from 1.
        column: usize,
    },
    /// The name of a row or a column is there twice, or names no column.
    Label {
        /// The line.
        line: usize,
        /// The name.
        name: String,
    },
    /// A line of one of p2psim's files is no pair.
    Pair {
        /// The line.
        line: usize,
    },
    /// A line of a long table is no edge.
    Edge {
        /// The line.
        line: usize,
    },
    /// A long table has no column of this, or several.
    Columns {
        /// The line that names them.
        line: usize,
        /// The contents of the column.
        what: &'static str,
        /// Whether there are several.
        is_several: bool,
    },
    /// A long table has delays of one way where round trips belong, or the other way round.
    OtherWays {
        /// The line that names them.
        line: usize,
        /// Whether delays of one way belong there.
        is_one_way: bool,
    },
    /// The name of a column ends in another unit than the one given.
    OtherUnit {
        /// The line.
        line: usize,
        /// The unit in the column's name.
        named: Unit,
        /// The unit that was given.
        unit: Unit,
    },
    /// Two lines give different round trips for the same way.
    Twice {
        /// The later line.
        line: usize,
        /// The row.
        from: usize,
        /// The column of the matrix.
        to: usize,
    },
    /// There are round trips for less than one pair in a hundred.
    Sparse {
        /// How many hosts there are.
        rows: usize,
        /// How many lines have a round trip.
        pairs: usize,
    },
    /// A round trip is too long to be one.
    TooLong {
        /// The line; 0 where the file is no text.
        line: usize,
        /// The row.
        from: usize,
        /// The column of the matrix.
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
        /// Whether all of them are there the other way.
        is_mirrored: bool,
    },
    /// Every round trip is missing, so there is no median.
    NoMedian,
    /// Delays between regions, or within one, are missing.
    Gaps {
        /// How many are missing.
        count: usize,
        /// The row of the first one.
        from: usize,
        /// The column of the first one.
        to: usize,
    },
}

impl MatrixError {
    /// The keys that can mend it, the most likely one first.
    pub(crate) const fn keys(&self) -> &'static [&'static str] {
        match self {
            MatrixError::Ambiguous => &["form", "file"],
            MatrixError::OtherUnit { .. } | MatrixError::TooLong { .. } => &["unit"],
            MatrixError::Missing { .. } | MatrixError::NoMedian => &["missing", "file"],
            _ => &["file"],
        }
    }

    /// Why the file's content cannot be got at.
    fn unreadable(&self, f: &mut fmt::Formatter<'_>) -> Option<fmt::Result> {
        Some(match self {
            MatrixError::Read(source) if source.kind() == io::ErrorKind::Unsupported => {
                write!(f, "cannot be read: {source}")
            }
            MatrixError::Read(source) => write!(f, "cannot be read ({source}); check the path"),
            MatrixError::Compressed(why) => write!(
                f,
                "is no whole zstd frame, which a name in .u16le.zst stands for ({why}); compress \
                 it by `zstd`, or give the file the name of its format"
            ),
            MatrixError::Text(why) => write!(f, "cannot be read: {why}"),
            MatrixError::Damaged => {
                f.write_str("is damaged: its checksum or its end is wrong; get it anew")
            }
            MatrixError::TooLarge(why) => {
                write!(f, "is too large ({why}); take a smaller matrix")
            }
            _ => return None,
        })
    }

    /// The error of the file as a whole; nothing where one line of it is wrong.
    fn whole(&self, f: &mut fmt::Formatter<'_>) -> Option<fmt::Result> {
        Some(match self {
            MatrixError::One => f.write_str(
                "has one row, so it has no pair of hosts; give a matrix of two rows or more",
            ),
            MatrixError::TooManyRows { rows } => {
                write!(f, "has {rows} rows or more, at most {ROWS_MAX} fit; take a smaller matrix")
            }
            MatrixError::NotSquare { bytes } => write!(
                f,
                "holds {bytes} bytes, no square of 16-bit numbers; check that the file is whole"
            ),
            MatrixError::Oblong { lines, cells: 3 } => write!(
                f,
                "is {lines} by 3 numbers; make it square, or set form = \"edges\" if each line is \
                 a pair"
            ),
            MatrixError::Oblong { lines, cells } => {
                write!(f, "is {lines} by {cells} numbers; make it square")
            }
            MatrixError::Ambiguous => f.write_str(
                "has three lines of three numbers, which are a square or a list of pairs; set \
                 form = \"square\" or form = \"edges\"",
            ),
            MatrixError::Empty => f.write_str("holds no numbers; give a square matrix"),
            MatrixError::Sparse { rows, pairs } => write!(
                f,
                "has round trips for {pairs} of the pairs of {rows} hosts, fewer than one in a \
                 hundred; leave hosts out that have few"
            ),
            MatrixError::Missing { count, from, to, is_mirrored } => write!(
                f,
                "lacks {count} round trips, the first from row {from} to row {to}; set missing = \
                 {}\"median\" or \"unreachable\"",
                if *is_mirrored { "\"mirror\" to take those of the other way, " } else { "" }
            ),
            MatrixError::Gaps { count, from, to } => write!(
                f,
                "lacks {count} delays, the first from row {from} to row {to}; give all of them, \
                 those within a region on the diagonal"
            ),
            MatrixError::NoMedian => f.write_str(
                "lacks every round trip, so there is no median; set missing = \"unreachable\"",
            ),
            _ => return None,
        })
    }

    /// The error of a line that names columns.
    fn header(&self, f: &mut fmt::Formatter<'_>) -> Option<fmt::Result> {
        Some(match self {
            MatrixError::Label { line, name } => write!(
                f,
                "has the name `{name}` in line {line}, which is there twice or names no column; \
                 name the same hosts above and beside the square"
            ),
            MatrixError::Corner { line } => write!(
                f,
                "begins with an empty cell in line {line}, and its numbers there are names or \
                 times; write 0 on the diagonal, or name hosts by words"
            ),
            MatrixError::Columns { line, what, is_several: true } => write!(
                f,
                "names several columns of `{what}` in line {line}; name one so, and the others \
                 otherwise"
            ),
            MatrixError::Columns { line, what, is_several: false } => write!(
                f,
                "names no column `{what}` in line {line}; name them source, destination and rtt, \
                 in any order"
            ),
            MatrixError::OtherWays { line, is_one_way } => {
                let (has, wants, name) = match is_one_way {
                    true => ("round trips", "delays of one way", "delay"),
                    false => ("delays of one way", "round trips", "rtt"),
                };
                write!(f, "has {has} by line {line}; give {wants}, in a column named `{name}`")
            }
            MatrixError::OtherUnit { line, named, unit } => write!(
                f,
                "has times in units of {} by the name of a column in line {line}, and `unit` says \
                 {}; make them agree",
                named.length(),
                unit.length()
            ),
            _ => return None,
        })
    }
}

impl fmt::Display for MatrixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(written) = self.unreadable(f).or_else(|| self.whole(f)) {
            return written;
        }
        match self {
            MatrixError::Ragged { line, cells, first } => {
                write!(f, "has {cells} cells in line {line}, where {first} belong; make it square")
            }
            MatrixError::Word { line, column, word } => write!(
                f,
                "has `{word}` in line {line}, column {column}; write a number from 0 on, with a \
                 point and without a unit, or `-` for none"
            ),
            MatrixError::Quote { line, column } => write!(
                f,
                "has a quoted cell in line {line}, column {column} that does not end with its \
                 quotes; close them, and double those within"
            ),
            MatrixError::Pair { line } => write!(
                f,
                "has no pair in line {line}; write `i,j round_trip`, hosts from 1, as `1,2 5300`"
            ),
            MatrixError::Edge { line } => write!(
                f,
                "has no pair in line {line}; write two hosts and their round trip in each, as \
                 `berlin,paris,13.5`"
            ),
            MatrixError::Twice { line, from, to } => write!(
                f,
                "gives another round trip in line {line} from row {from} to row {to}, which has \
                 one; leave one of them out"
            ),
            MatrixError::TooLong { line: 0, from, to } => write!(
                f,
                "has a round trip over 71 minutes from row {from} to row {to}; check `unit`"
            ),
            MatrixError::TooLong { line, from, to } => write!(
                f,
                "has a round trip over 71 minutes in line {line}, from row {from} to row {to}; \
                 check `unit`"
            ),
            _ => self.header(f).unwrap_or(Ok(())),
        }
    }
}

impl error::Error for MatrixError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            MatrixError::Read(source) | MatrixError::Compressed(source) => Some(source),
            MatrixError::Text(source) => Some(source),
            _ => None,
        }
    }
}
