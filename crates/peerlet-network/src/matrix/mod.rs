//! Networks with measured latencies: a matrix of round trips, a row and a column a host.

mod edges;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod lines;
mod pairs;
mod read;
mod square;
mod unit;

use std::fmt;
use std::path::Path;

use peerlet_core::runtime::PacketDrop;
use peerlet_core::{Duration, Seat};
use serde::Deserialize;

pub use error::MatrixError;
pub use read::read_file;
pub use unit::{Unit, UnitError};

use crate::model::{Departure, Model, ModelState, Packet};
use crate::site::Site;

/// The most rows a matrix may have: 20,000 take 1.6 GB in memory, and are eight times the hosts of
/// Meridian's matrix, the largest known to us. Beyond that, generate.
pub(crate) const ROWS_MAX: usize = 20_000;

/// The most bytes a file may hold, decompressed (a small one can claim any size): 20,000 rows of
/// two bytes a cell, rounded up to 1 GiB.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 30;

/// A cell without a round trip.
const NONE: u32 = u32::MAX;

/// The treatment of round trips that the matrix lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Refuse the matrix.
    #[default]
    Refuse,
    /// Take the round trip of the other way; refuse the matrix where that is missing, too.
    Mirror,
    /// Take the median of all round trips between different rows that are there (the lower of the
    /// middle two).
    Median,
    /// No message arrives that way: it is dropped as [`PacketDrop::Partition`].
    Unreachable,
}

/// Which form a text of numbers has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A line a row.
    Square,
    /// A line a pair of hosts.
    Edges,
}

/// How a file is to be read.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    /// How long a 1 is.
    unit: Unit,
    /// Which form a text has, where that is stated.
    form: Option<Form>,
    /// Whether its numbers are delays of one way, and no round trips.
    is_one_way: bool,
}

/// A square of times in microseconds, row by row.
pub(crate) struct LatencyTable {
    rows: usize,
    cells: Vec<u32>,
    /// The names of the rows, if they have any.
    names: Vec<String>,
}

impl LatencyTable {
    /// Reads the delays of a network of regions from a file, those within one region included.
    pub(crate) fn of_regions(
        file: &Path,
        unit: Unit,
        site: &Site<'_>,
    ) -> Result<(Vec<String>, Vec<Duration>), MatrixError> {
        let wanted = Wanted { unit, form: None, is_one_way: true };
        let LatencyTable { rows, cells, names } = LatencyTable::read(file, site, wanted)?;
        let gaps = cells.iter().filter(|cell| **cell == NONE).count();
        if let Some(first) = cells.iter().position(|cell| *cell == NONE) {
            let (from, to) = (first / rows, first % rows);
            return Err(MatrixError::Gaps { count: gaps, from, to });
        }
        let micros = |cell: u32| Duration::from_micros(u64::from(cell));
        Ok((names, cells.into_iter().map(micros).collect()))
    }

    /// Reads the round trips between hosts from a file, and fills its gaps.
    pub(crate) fn of_hosts(
        file: &Path,
        unit: Unit,
        form: Option<Form>,
        missing: Missing,
        site: &Site<'_>,
    ) -> Result<LatencyTable, MatrixError> {
        let wanted = Wanted { unit, form, is_one_way: false };
        let mut table = LatencyTable::read(file, site, wanted)?;
        if table.rows == 1 {
            return Err(MatrixError::One);
        }
        table.complete(missing)?;
        Ok(table)
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The names of the rows, if they have any.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The cells off the diagonal, with their row and column.
    fn pairs(&self) -> impl Iterator<Item = ((usize, usize), u32)> {
        let at = |i| (i / self.rows, i % self.rows);
        let cells = self.cells.iter().enumerate().map(move |(i, &rtt)| (at(i), rtt));
        cells.filter(|((from, to), _)| from != to)
    }

    /// Does what is to be done about missing round trips.
    fn complete(&mut self, missing: Missing) -> Result<(), MatrixError> {
        let is_gap = |&(_, rtt): &(_, u32)| rtt == NONE;
        if missing == Missing::Mirror {
            for row in 0..self.rows {
                for column in 0..row {
                    let [there, back] = [row * self.rows + column, column * self.rows + row];
                    match (self.cells[there], self.cells[back]) {
                        (NONE, rtt) => self.cells[there] = rtt,
                        (rtt, NONE) => self.cells[back] = rtt,
                        _ => {}
                    }
                }
            }
        }
        let Some(((from, to), _)) = self.pairs().find(is_gap) else { return Ok(()) };
        match missing {
            Missing::Refuse | Missing::Mirror => {
                let count = self.pairs().filter(is_gap).count();
                let back = |(from, to): (usize, usize)| self.cells[to * self.rows + from];
                let is_mirrored = self.pairs().filter(is_gap).all(|(at, _)| back(at) != NONE);
                Err(MatrixError::Missing { count, from, to, is_mirrored })
            }
            Missing::Unreachable => Ok(()),
            Missing::Median => {
                let median = self.median().ok_or(MatrixError::NoMedian)?;
                self.cells.iter_mut().filter(|rtt| **rtt == NONE).for_each(|rtt| *rtt = median);
                Ok(())
            }
        }
    }

    /// The median of the round trips that are there, the lower one of two.
    fn median(&self) -> Option<u32> {
        let mut present: Vec<u32> = self.pairs().map(|(_, rtt)| rtt).collect();
        present.retain(|&rtt| rtt != NONE);
        let middle = present.len().checked_sub(1)? / 2;
        Some(*present.select_nth_unstable(middle).1)
    }

    /// The shortest delay between two different rows.
    fn shortest(&self) -> Duration {
        let rtts = self.pairs().map(|(_, rtt)| rtt).filter(|&rtt| rtt != NONE);
        rtts.min().map_or(Duration::ZERO, half)
    }
}

/// Half a round trip of this many microseconds, exactly.
fn half(rtt_us: u32) -> Duration {
    Duration::from_nanos(u64::from(rtt_us) * 500)
}

/// A network whose round trips come from a file; a message takes half of its direction's cell.
///
/// Round trips are kept in whole microseconds and halved exactly; what is shorter than the floor is
/// raised to it, zeros included. The diagonal is not looked at. It takes 4 bytes a cell and 2 a
/// peer.
pub struct Matrix {
    table: LatencyTable,
    /// Each seat's row: [`ROWS_MAX`] fits 16 bits.
    rows: Vec<u16>,
    floor: Duration,
    lookahead: Duration,
}

impl Matrix {
    /// The network in which each seat has a row of the table, its own or shared with others.
    pub(crate) fn new(
        table: LatencyTable,
        rows: Vec<u16>,
        are_shared: bool,
        floor: Duration,
    ) -> Matrix {
        let lookahead = match are_shared {
            false => table.shortest().max(floor),
            // Two peers of one row are as near as the floor.
            true => floor,
        };
        Matrix { table, rows, floor, lookahead }
    }

    /// The delay that way; `None` where there is no way.
    fn one_way(&self, from: Seat, to: Seat) -> Option<Duration> {
        let (from, to) = (self.rows[from.index()], self.rows[to.index()]);
        if from == to {
            return Some(self.floor);
        }
        match self.table.cells[usize::from(from) * self.table.rows + usize::from(to)] {
            NONE => None,
            rtt => Some(half(rtt).max(self.floor)),
        }
    }
}

impl Model for Matrix {
    fn lookahead(&self) -> Duration {
        self.lookahead
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn depart(&self, packet: &Packet, _state: &mut ModelState) -> Departure {
        match self.one_way(packet.from, packet.to) {
            Some(after) => Departure::Arrive { after },
            None => Departure::Drop(PacketDrop::Partition),
        }
    }

    /// The ways there and back; one that does not exist counts as the floor.
    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        let way = |from, to| self.one_way(from, to).unwrap_or(self.floor);
        way(from, to) + way(to, from)
    }
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matrix")
            .field("rows", &self.table.rows)
            .field("peers", &self.rows.len())
            .field("floor", &self.floor)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod fuzz;
