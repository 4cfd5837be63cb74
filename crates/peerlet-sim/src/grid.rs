//! How time and seats are cut into windows and blocks.

use peerlet_core::{Duration, Seat, Time};

use crate::packed::PLACE_BITS;
use crate::ring::CHUNK;

/// Peers in one block, unless windows are so short that blocks must be larger to hold anything.
const BLOCK_BITS: u32 = 12;
/// Windows are no longer than this.
const WIDTH_MAX: u64 = 250_000_000;
/// How far ahead the ring is to reach, within its bounds: the timers of most peers are due sooner.
const REACH: u64 = 2_000_000_000;
/// How many windows the ring has.
const SLOTS: std::ops::RangeInclusive<u64> = 16..=1024;
/// How many events of one peer are expected a second when the size of blocks is chosen.
const EVENTS_A_SECOND: u64 = 3;

/// How time and seats are cut into windows and blocks. It moves no digest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) width: u64,
    /// 2^63 / width, rounded up: exact for all that the ring reaches.
    reciprocal: u64,
    pub(crate) slots: u64,
    offset_bits: u32,
    block_bits: u32,
    /// The bits of a seat within its block.
    local: u32,
    pub(crate) blocks: usize,
}

impl Grid {
    /// The grid for a model with this lookahead.
    pub(crate) fn new(lookahead: Duration, seats: u32, threads: u32) -> Grid {
        let width = lookahead.as_nanos().clamp(1, WIDTH_MAX);
        let slots = (REACH / width).clamp(*SLOTS.start(), *SLOTS.end()).next_power_of_two();
        let offset_bits = u64::BITS - (width - 1).leading_zeros();
        // Large enough that a bucket holds a chunk of events, small enough that all threads have
        // some.
        let chunk = CHUNK as u64 * 1_000_000_000 / (EVENTS_A_SECOND * width);
        let wanted = chunk.next_power_of_two().ilog2().max(BLOCK_BITS);
        let share = (u64::from(seats) / (4 * u64::from(threads))).max(1).ilog2();
        let largest = if threads > 1 { share.min(24) } else { 24 };
        let block_bits = wanted.min(largest).min(PLACE_BITS - offset_bits);
        let blocks = (seats as usize).div_ceil(1 << block_bits).max(1);
        let reciprocal = (1u64 << 63).div_ceil(width);
        let local = (1 << block_bits) - 1;
        Grid { width, reciprocal, slots, offset_bits, block_bits, local, blocks }
    }

    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    /// The first seat of a block.
    pub(crate) fn first_seat(&self, block: usize) -> u32 {
        (block << self.block_bits) as u32
    }

    pub(crate) fn window_at(&self, time: Time) -> u64 {
        time.as_nanos() / self.width
    }

    pub(crate) fn window_start(&self, window: u64) -> Time {
        Time::from_nanos(window.saturating_mul(self.width))
    }

    /// How many bits tell places in one bucket apart.
    pub(crate) fn place_bits(&self) -> u32 {
        self.block_bits + self.offset_bits
    }

    /// How many of these, the highest, are the destination's.
    pub(crate) fn block_bits(&self) -> u32 {
        self.block_bits
    }

    /// The seat within its block and the offset in the window, of a handle's place.
    #[inline(always)]
    pub(crate) fn split(&self, place: u64) -> (u32, u64) {
        ((place >> self.offset_bits) as u32, place & ((1 << self.offset_bits) - 1))
    }

    #[inline(always)]
    pub(crate) fn join(&self, seat: Seat, offset: u64) -> u64 {
        u64::from(seat.0 & self.local) << self.offset_bits | offset
    }

    #[inline(always)]
    pub(crate) fn block_of(&self, seat: Seat) -> usize {
        (seat.0 >> self.block_bits) as usize
    }

    /// How many windows ahead this is, for less than the ring's reach.
    #[inline(always)]
    pub(crate) fn windows_in(&self, ahead: u64) -> u64 {
        ((u128::from(ahead << 1) * u128::from(self.reciprocal)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::Seed;

    use super::*;

    const WIDTHS: [u64; 8] = [1, 2, 3, 1_000, 999_983, 1 << 20, 50_000_000, 400_000_000];

    fn grid(width: u64, seats: u32, threads: u32) -> Grid {
        Grid::new(Duration::from_nanos(width), seats, threads)
    }

    #[test]
    fn windows_are_counted_exactly() {
        let mut rng = Seed::new(1).rng();
        for width in WIDTHS {
            let grid = grid(width, 10_000, 1);
            let reach = grid.slots * grid.width;
            let edges = (0..grid.slots).flat_map(|n| [n * grid.width, (n + 1) * grid.width - 1]);
            let drawn: Vec<u64> = (0..10_000).map(|_| rng.below(reach)).collect();
            for ahead in edges.chain(drawn) {
                assert_eq!(grid.windows_in(ahead), ahead / grid.width, "{ahead} by {width}");
            }
        }
    }

    #[test]
    fn places_tell_seats_and_offsets() {
        for width in WIDTHS {
            for (seats, threads) in [(1, 1), (5, 4), (100_000, 2), (10_000_000, 64)] {
                let grid = grid(width, seats, threads);
                assert!(grid.place_bits() <= PLACE_BITS);
                assert!(grid.first_seat(grid.blocks()) >= seats);
                for seat in [0, seats / 2, seats - 1] {
                    for offset in [0, grid.width - 1] {
                        let place = grid.join(Seat(seat), offset);
                        assert_eq!(place >> grid.place_bits(), 0);
                        let (local, found) = grid.split(place);
                        let first = grid.first_seat(grid.block_of(Seat(seat)));
                        assert_eq!((first + local, found), (seat, offset));
                    }
                }
            }
        }
    }
}
