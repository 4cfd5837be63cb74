//! Reading round trips between pairs of hosts, in the format of p2psim's topology files.
//!
//! A line is `i,j round_trip`, for hosts numbered from 1. `topology E2EGraph N` says how many there
//! are; otherwise the greatest number does. Lines of `node` and of `failure_model` say nothing
//! about round trips. A negative round trip is none. A pair that is there one way only is the same
//! both ways, as p2psim reads it.

use super::read::{check_rows, misplaced};
use super::{MatrixError, NONE, ROWS_MAX, Table, Unit, read};

/// Words that begin lines without round trips.
const OTHERS: [&str; 3] = ["topology", "failure_model", "node"];

/// A round trip between two hosts, from 0.
struct Pair {
    from: usize,
    to: usize,
    micros: u32,
}

/// The words of each line that has any, with the line and its number from 0.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str, std::str::SplitWhitespace<'_>)> {
    text.lines().enumerate().filter_map(|(i, line)| {
        let words = line.split('#').next().unwrap_or_default().split_whitespace();
        words.clone().next().is_some().then_some((i, line, words))
    })
}

/// Whether the first line that says anything is one of pairs.
pub(super) fn are_in(text: &str) -> bool {
    let first = lines(text).next().and_then(|(_, _, mut words)| words.next());
    first.is_some_and(|word| word.contains(',') || OTHERS.contains(&word))
}

impl Table {
    pub(super) fn from_pairs(text: &str, unit: Unit) -> Result<Table, MatrixError> {
        let (mut rows, mut pairs) = (0, Vec::new());
        for (i, line, mut words) in lines(text) {
            let first = words.next().unwrap_or_default();
            if first == "topology" {
                let stated = words.nth(1).unwrap_or(first);
                rows = rows.max(host(stated).ok_or_else(|| misplaced(i, line, stated))?);
            } else if !OTHERS.contains(&first) {
                let pair = pair(first, words.next(), unit).map_err(|wrong| match wrong {
                    Some(error) => error,
                    None => MatrixError::Pair { line: i + 1 },
                })?;
                rows = rows.max(pair.from + 1).max(pair.to + 1);
                pairs.push(pair);
            }
            if rows > ROWS_MAX {
                return Err(MatrixError::TooManyRows { rows });
            }
        }
        check_rows(rows)?;
        let mut cells = vec![NONE; rows * rows];
        for pair in &pairs {
            cells[pair.from * rows + pair.to] = pair.micros;
        }
        for Pair { from, to, micros } in pairs {
            let back = &mut cells[to * rows + from];
            if *back == NONE {
                *back = micros;
            }
        }
        Ok(Table { rows, cells })
    }
}

/// A host's number.
fn host(word: &str) -> Option<usize> {
    word.parse().ok().filter(|number| *number > 0)
}

/// The pair of a line; the error is `None` where the line is none of a pair.
fn pair(hosts: &str, round_trip: Option<&str>, unit: Unit) -> Result<Pair, Option<MatrixError>> {
    let (from, to) = hosts.split_once(',').ok_or(None)?;
    let (from, to) = (host(from).ok_or(None)? - 1, host(to).ok_or(None)? - 1);
    let value: f64 = round_trip.and_then(|word| word.parse().ok()).ok_or(None)?;
    let micros = match value {
        value if value < 0.0 || value.is_nan() => NONE,
        value => read::cell(value, unit).ok_or(MatrixError::TooLong { from, to })?,
    };
    Ok(Pair { from, to, micros })
}
