//! Reading round trips between pairs of hosts, as p2psim's topology files have them.
//!
//! A line is `i,j round_trip`, for hosts numbered from 1. `topology E2EGraph N` says how many there
//! are; otherwise the greatest number does. Lines of `node` and of `failure_model` say nothing
//! about round trips. A negative round trip is none. A pair that is there one way only is the same
//! both ways, as p2psim reads it. PeerSim's `KingParser` reads the same files, and takes blanks or
//! a comma between all three numbers; so does this reader below a line of `node`.

use super::edges::{Edge, Edges};
use super::lines::has_cells;
use super::{LatencyTable, MatrixError, NONE, ROWS_MAX, Unit, read};

/// Words that begin lines without round trips.
const OTHERS: [&str; 3] = ["topology", "failure_model", "node"];

/// The lines that say anything, without their comments, each with its number from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().filter(|(_, line)| has_cells(line));
    lines.map(|(i, line)| (i + 1, line.split('#').next().unwrap_or_default()))
}

/// Whether the first line that says anything is one of such a file.
pub(super) fn are_in(text: &str) -> bool {
    let Some((_, line)) = lines(text).next() else { return false };
    let mut words = line.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    if OTHERS.contains(&first) {
        // `node` may begin the names of columns as well.
        return first != "node" || second.is_none_or(|word| word.starts_with(char::is_numeric));
    }
    let is_host = |word: &str| word.parse::<usize>().is_ok();
    let are_hosts = first.split_once(',').is_some_and(|(from, to)| is_host(from) && is_host(to));
    are_hosts && second.is_some_and(is_number) && words.next().is_none()
}

impl LatencyTable {
    pub(super) fn from_pairs(text: &str, unit: Unit) -> Result<LatencyTable, MatrixError> {
        let (mut rows, mut nodes, mut edges) = (0, 0, Vec::new());
        for (line, text) in lines(text) {
            let mut words = text.split_whitespace();
            match words.next().unwrap_or_default() {
                "topology" => {
                    let stated = words.nth(1).unwrap_or("topology");
                    let wrong = || {
                        let column = text.find(stated).map_or(1, |at| at + 1);
                        MatrixError::Word { line, column, word: stated.chars().take(40).collect() }
                    };
                    rows = rows.max(host(stated).ok_or_else(wrong)?);
                }
                "node" => nodes += 1,
                "failure_model" => {}
                _ => {
                    let edge = pair(text, line, unit)?;
                    rows = rows.max(edge.from + 1).max(edge.to + 1);
                    edges.push(edge);
                }
            }
            if rows.max(nodes) > ROWS_MAX {
                return Err(MatrixError::TooManyRows { rows: rows.max(nodes) });
            }
        }
        Edges { rows: rows.max(nodes), edges, is_both_ways: true, names: Vec::new() }.table()
    }
}

/// A host's number.
fn host(word: &str) -> Option<usize> {
    word.parse().ok().filter(|number| *number > 0)
}

/// The pair of a line.
fn pair(text: &str, line: usize, unit: Unit) -> Result<Edge, MatrixError> {
    let mut words = text.split([',', ' ', '\t']).map(str::trim).filter(|word| !word.is_empty());
    let words = [words.next(), words.next(), words.next(), words.next()];
    let [Some(from), Some(to), Some(value), None] = words else {
        return Err(MatrixError::Pair { line });
    };
    let number = |word: &str| host(word).map(|host| host - 1).ok_or(MatrixError::Pair { line });
    let (from, to) = (number(from)?, number(to)?);
    let micros = match value.parse::<f64>() {
        Ok(value) if value < 0.0 || value.is_nan() => NONE,
        Ok(value) => read::cell(value, unit).ok_or(MatrixError::TooLong { line, from, to })?,
        Err(_) => return Err(MatrixError::Pair { line }),
    };
    Ok(Edge { from, to, micros, line })
}
