//! Networks whose latencies were measured: a matrix of round trips, a row and a column a host.

mod error;
mod pairs;
mod read;
mod unit;

use std::fmt;
use std::path::Path;

use peerlet_core::{Duration, Seat, Seed};
use serde::Deserialize;

pub use error::MatrixError;
pub use unit::{Unit, UnitError};

use crate::config::MatrixConfig;
use crate::model::{Cause, Departure, Model, Packet, State};

/// The most rows a matrix may have: 20,000 take 1.6 GB in memory, and are eight times the hosts of
/// Meridian's matrix, the largest known to us. Beyond that, generate.
pub(crate) const ROWS_MAX: usize = 20_000;

/// The most bytes a file may hold, decompressed (a small one can claim any size): 20,000 rows of
/// two bytes a cell, rounded up to 1 GiB.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 30;

/// A cell without a round trip.
const NONE: u32 = u32::MAX;

/// What to do about round trips that the matrix lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Refuse the matrix.
    #[default]
    Refuse,
    /// Take the median of all round trips between different rows that are there (the lower of the
    /// middle two).
    Median,
    /// No message arrives that way: it is dropped as [`Cause::Partition`].
    Unreachable,
}

/// Which row of the matrix a peer has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assign {
    /// Seat i has row i. More peers than rows are refused.
    #[default]
    Index,
    /// The seed gives each seat a row, any of them with the same probability, independently. Peers
    /// that share a row are the floor apart.
    Random,
}

/// A square of round trips in microseconds, row by row.
struct Table {
    rows: usize,
    cells: Vec<u32>,
}

impl Table {
    /// The cells off the diagonal, with their places.
    fn pairs(&self) -> impl Iterator<Item = ((usize, usize), u32)> {
        let place = |i| (i / self.rows, i % self.rows);
        let cells = self.cells.iter().enumerate().map(move |(i, &rtt)| (place(i), rtt));
        cells.filter(|((from, to), _)| from != to)
    }

    /// Does what is to be done about missing round trips.
    fn complete(&mut self, missing: Missing) -> Result<(), MatrixError> {
        let is_gap = |&(_, rtt): &(_, u32)| rtt == NONE;
        let Some(((from, to), _)) = self.pairs().find(is_gap) else { return Ok(()) };
        match missing {
            Missing::Refuse => {
                let count = self.pairs().filter(is_gap).count();
                Err(MatrixError::Missing { count, from, to })
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

/// Half a round trip of so many microseconds, exactly.
fn half(rtt_us: u32) -> Duration {
    Duration::from_nanos(u64::from(rtt_us) * 500)
}

/// A network whose round trips come from a file; a message takes half of its direction's cell.
///
/// Round trips are kept in whole microseconds and halved exactly; what is shorter than the floor is
/// raised to it, zeros included. The diagonal is not looked at. It takes 4 bytes a cell and 2 a
/// peer.
pub struct Matrix {
    table: Table,
    /// Each seat's row: [`ROWS_MAX`] fits 16 bits.
    rows: Vec<u16>,
    floor: Duration,
    lookahead: Duration,
}

impl Matrix {
    /// Reads the matrix, which a relative path looks for in the folder `base`, and gives each peer
    /// a row.
    ///
    /// # Errors
    /// Refuses files that hold no square matrix, gaps unless the configuration says what they mean,
    /// and more peers than rows unless it lets them share.
    pub fn read(
        config: &MatrixConfig,
        seed: Seed,
        peers: u32,
        base: &Path,
    ) -> Result<Matrix, MatrixError> {
        let mut table = Table::read(&base.join(&config.file), config.unit)?;
        table.complete(config.missing)?;
        let (seats, floor) = (0..peers, config.floor);
        let rows = match config.assign {
            Assign::Index if peers as usize > table.rows => {
                return Err(MatrixError::TooFewRows { rows: table.rows, peers });
            }
            Assign::Index => seats.map(|seat| seat as u16).collect(),
            Assign::Random => {
                let row = |seat| seed.at(u64::from(seat)).rng().index(table.rows) as u16;
                seats.map(row).collect()
            }
        };
        let lookahead = match config.assign {
            Assign::Index => table.shortest().max(floor),
            // Two peers may share a row.
            Assign::Random => floor,
        };
        Ok(Matrix { table, rows, floor, lookahead })
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

    fn depart(&self, packet: &Packet, _state: &mut State) -> Departure {
        match self.one_way(packet.from, packet.to) {
            Some(after) => Departure::Arrive { after },
            None => Departure::Drop(Cause::Partition),
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
