//! Reading long tables: a line for each pair, with the names or the numbers of two hosts and their
//! round trip.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::lines::{Cell, Lines, Number, TextLine};
use super::read::{cell, check_rows};
use super::{LatencyTable, MatrixError, NONE, ROWS_MAX, Unit, Wanted};

/// Names of the column of the first host, in lower case.
const FROM: [&str; 8] = ["source", "src", "from", "sender", "origin", "host1", "node1", "peer1"];
/// Names of the column of the second host.
const TO: [&str; 9] =
    ["destination", "dest", "dst", "to", "target", "receiver", "host2", "node2", "peer2"];
/// Names of a column of round trips, besides all with `rtt` in their name.
const ROUND_TRIP: [&str; 4] = ["round_trip", "roundtrip", "round_trip_time", "ping"];
/// Names of a column of one-way delays.
const ONE_WAY: [&str; 4] = ["one_way", "oneway", "one_way_delay", "owd"];
/// Names of a column of either.
const EITHER: [&str; 3] = ["latency", "delay", "median"];

/// Tables of more rows than this have a round trip for one pair in a hundred at least: a short file
/// cannot ask for a large table.
const DENSE_ROWS: usize = 2_000;

/// A round trip from one host to another, both from 0.
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) micros: u32,
    pub(super) line: usize,
}

/// All edges of a file.
pub(super) struct Edges {
    pub(super) rows: usize,
    pub(super) edges: Vec<Edge>,
    /// Whether an edge without another one back holds both ways.
    pub(super) is_both_ways: bool,
    pub(super) names: Vec<String>,
}

impl Edges {
    /// The square that they make.
    pub(super) fn table(self) -> Result<LatencyTable, MatrixError> {
        let Edges { rows, edges, is_both_ways, names } = self;
        check_rows(rows)?;
        if rows > DENSE_ROWS && edges.len() < rows * rows / 100 {
            return Err(MatrixError::Sparse { rows, pairs: edges.len() });
        }
        let mut cells = vec![NONE; rows * rows];
        for Edge { from, to, micros, line } in &edges {
            let cell = &mut cells[from * rows + to];
            if *cell != NONE && *cell != *micros && from != to {
                return Err(MatrixError::Twice { line: *line, from: *from, to: *to });
            }
            *cell = *micros;
        }
        for Edge { from, to, micros, .. } in edges.iter().filter(|_| is_both_ways) {
            let back = &mut cells[to * rows + from];
            if *back == NONE {
                *back = *micros;
            }
        }
        Ok(LatencyTable { rows, cells, names })
    }
}

/// Which columns have what.
#[derive(Clone, Copy)]
struct Columns {
    from: usize,
    to: usize,
    value: usize,
    /// How many there are.
    all: usize,
}

/// Whether the first line names two columns as those of hosts: then it heads a long table.
pub(super) fn are_headed(first: &TextLine<'_>) -> bool {
    let has = |known: &[&str]| first.cells.iter().any(|cell| known.contains(&&*lower(cell)));
    has(&FROM) && has(&TO)
}

/// Whether every line can be an edge by its numbers: those of two hosts, and a round trip that is
/// not zero. Edges from a host to itself, with any round trip, are found in long lists only.
pub(super) fn can_be(lines: &Lines<'_>) -> bool {
    let is_long = lines.count() > 3;
    lines.iter(4).all(|line| {
        let Ok(line) = line else { return false };
        let [from, to, value] = line.cells.as_slice() else { return false };
        let is_itself = from.text == to.text;
        let is_time = |number| is_itself || number != Number::Value(0.0);
        let are_hosts = from.is_host() && to.is_host() && (is_long || !is_itself);
        are_hosts && value.number().is_some_and(is_time)
    })
}

impl LatencyTable {
    /// Reads a long table, with or without a line that names the columns.
    pub(super) fn from_edges(
        lines: &Lines<'_>,
        wanted: Wanted,
    ) -> Result<LatencyTable, MatrixError> {
        let Some(first) = lines.iter(ROWS_MAX).next() else { return Err(MatrixError::Empty) };
        let first = first?;
        let is_headed = first.cells.get(2).is_some_and(|value| !value.is_numeric())
            || first.cells.iter().all(|cell| !cell.is_numeric());
        let columns = match is_headed {
            true => columns(&first, wanted)?,
            false if first.cells.len() == 3 => Columns { from: 0, to: 1, value: 2, all: 3 },
            false => return Err(MatrixError::Edge { line: first.number }),
        };
        let (mut hosts, mut edges) = (Hosts::default(), Vec::new());
        for line in lines.iter(columns.all + 1).skip(usize::from(is_headed)) {
            edges.push(edge(&line?, columns, &mut hosts, wanted.unit)?);
        }
        let names = hosts.number(&mut edges);
        Edges { rows: names.len(), edges, is_both_ways: false, names }.table()
    }
}

fn edge(
    line: &TextLine<'_>,
    columns: Columns,
    hosts: &mut Hosts,
    unit: Unit,
) -> Result<Edge, MatrixError> {
    let (number, cells) = (line.number, &line.cells);
    if cells.len() != columns.all {
        return Err(MatrixError::Edge { line: number });
    }
    let mut host = |column: usize| match cells[column].text.is_empty() {
        true => Err(MatrixError::Edge { line: number }),
        false => hosts.of(&cells[column].text),
    };
    let (from, to) = (host(columns.from)?, host(columns.to)?);
    let micros = match cells[columns.value].number() {
        None => return Err(line.word(columns.value)),
        Some(Number::None) => NONE,
        Some(Number::Value(value)) => {
            cell(value, unit).ok_or(MatrixError::TooLong { line: number, from, to })?
        }
    };
    Ok(Edge { from, to, micros, line: number })
}

/// The hosts of a long table, numbered as they come.
#[derive(Default)]
struct Hosts {
    numbers: BTreeMap<String, usize>,
    names: Vec<String>,
}

impl Hosts {
    fn of(&mut self, name: &str) -> Result<usize, MatrixError> {
        // Numbers are the same with zeros before them or not.
        let name = match name.trim_start_matches('0') {
            digits if name.bytes().all(|byte| byte.is_ascii_digit()) => {
                if digits.is_empty() {
                    "0"
                } else {
                    digits
                }
            }
            _ => name,
        };
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let number = self.names.len();
        if number == ROWS_MAX {
            return Err(MatrixError::TooManyRows { rows: ROWS_MAX + 1 });
        }
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        Ok(number)
    }

    /// The names in the order of rows: that of their numbers, where all are numbers, or else the
    /// order in which they came.
    fn number(mut self, edges: &mut [Edge]) -> Vec<String> {
        let numbers: Option<Vec<u64>> = self.names.iter().map(|name| name.parse().ok()).collect();
        let Some(numbers) = numbers else { return self.names };
        let mut order: Vec<usize> = (0..numbers.len()).collect();
        order.sort_unstable_by_key(|&host| numbers[host]);
        let mut rows = vec![0; order.len()];
        order.iter().enumerate().for_each(|(row, &host)| rows[host] = row);
        for edge in edges {
            (edge.from, edge.to) = (rows[edge.from], rows[edge.to]);
        }
        order.iter().map(|&host| std::mem::take(&mut self.names[host])).collect()
    }
}

/// A column's name as names are compared.
fn lower<'a>(cell: &'a Cell<'_>) -> Cow<'a, str> {
    let is_plain = cell.text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match is_plain {
        true => Cow::Borrowed(&cell.text),
        false => Cow::Owned(cell.text.to_lowercase().replace([' ', '-'], "_")),
    }
}

/// The name of a column of times, and the unit that it ends in: `rtt_ms`, `RTT (us)`.
fn timed(name: &str) -> (&str, Option<Unit>) {
    const UNITS: [(&str, &str); 8] = [
        ("ns", "ns"),
        ("us", "us"),
        ("µs", "us"),
        ("usec", "us"),
        ("ms", "ms"),
        ("msec", "ms"),
        ("s", "s"),
        ("sec", "s"),
    ];
    let bare = name.trim_end_matches([')', ']']);
    let Some((before, last)) = bare.rsplit_once(['_', '(', '[']) else { return (name, None) };
    match UNITS.iter().find(|(written, _)| *written == last) {
        Some((_, unit)) => (before.trim_end_matches('_'), unit.parse().ok()),
        None => (name, None),
    }
}

/// Which columns a line names.
fn columns(header: &TextLine<'_>, wanted: Wanted) -> Result<Columns, MatrixError> {
    let line = header.number;
    let names: Vec<Cow<'_, str>> = header.cells.iter().map(lower).collect();
    let one = |what: &'static str, is_such: &dyn Fn(&str) -> bool| {
        let mut such = names.iter().enumerate().filter(|(_, name)| is_such(name));
        match (such.next(), such.next()) {
            (Some((column, _)), None) => Ok(column),
            (first, _) => Err(MatrixError::Columns { line, what, is_several: first.is_some() }),
        }
    };
    let is_one_way = |name: &str| ONE_WAY.contains(&timed(name).0);
    let is_round_trip = |name: &str| {
        let (name, _) = timed(name);
        ROUND_TRIP.contains(&name) || name.split('_').any(|part| part == "rtt")
    };
    let is_other =
        if wanted.is_one_way { &is_round_trip as &dyn Fn(&str) -> bool } else { &is_one_way };
    if names.iter().any(|name| is_other(name)) {
        return Err(MatrixError::OtherWays { line, is_one_way: wanted.is_one_way });
    }
    let is_value =
        |name: &str| is_one_way(name) || is_round_trip(name) || EITHER.contains(&timed(name).0);
    let from = one("source", &|name| FROM.contains(&name))?;
    let to = one("destination", &|name| TO.contains(&name))?;
    let value = one(if wanted.is_one_way { "delay" } else { "rtt" }, &is_value)?;
    let unit = wanted.unit;
    match timed(&names[value]).1 {
        Some(named) if named != unit => Err(MatrixError::OtherUnit { line, named, unit }),
        _ => Ok(Columns { from, to, value, all: names.len() }),
    }
}
