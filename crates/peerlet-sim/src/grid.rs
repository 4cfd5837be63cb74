//! How time and seats are cut into windows and blocks.

use std::ops::{Range, RangeInclusive};

use peerlet_core::runtime::PackedEvent;
use peerlet_core::{Duration, Seat, Time};

/// Events in one chunk of a bucket, where there are enough to fill it.
const CHUNK_MAX: usize = 64;
/// Events in one chunk where there are few.
const CHUNK_MIN: usize = 8;
/// Peers in one block, unless windows are so short that blocks must be larger to hold anything.
const BLOCK_BITS: u32 = 14;
/// The largest blocks even then.
const BLOCK_BITS_MAX: u32 = 24;
/// Windows are no longer than this: 2^28 ns, a quarter of a second.
const WIDTH_MAX: u64 = 1 << 28;
/// How far ahead the ring of windows should reach, within its bounds: most timers are due sooner.
const REACH: u64 = 2_000_000_000;
/// How many windows the ring has.
const SLOTS: RangeInclusive<u64> = 16..=4096;
/// How many events of one peer are expected a second when the size of blocks is chosen.
const EVENTS_A_SECOND: u64 = 3;

/// How time and seats are cut into windows and blocks. The digest does not depend on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// The number of bits of an instant that are its offset in the window: a window's length is a
    /// power of two, so that nothing is divided.
    offset_bits: u32,
    offset_mask: u64,
    pub(crate) slots: u64,
    /// How many events a chunk of a bucket holds.
    pub(crate) chunk: usize,
    block_bits: u32,
    /// The bits of a seat within its block.
    local: u32,
    pub(crate) blocks: usize,
}

/// Whether blocks of this size can be distributed so that no thread exceeds its share by a
/// sixteenth.
fn is_fair(seats: u32, block_bits: u32, threads: u32) -> bool {
    let (seats, threads) = (seats as usize, threads as usize);
    let blocks = seats.div_ceil(1 << block_bits);
    (0..threads).all(|thread| {
        let of_thread = share(blocks, thread, threads);
        let [start, end] = [of_thread.start, of_thread.end].map(|b| (b << block_bits).min(seats));
        (end - start) * threads * 16 <= seats * 17
    })
}

impl Grid {
    /// The grid for a model with this lookahead.
    pub(crate) fn new(lookahead: Duration, seats: u32, threads: u32) -> Grid {
        let offset_bits = lookahead.as_nanos().clamp(1, WIDTH_MAX).ilog2();
        let width = 1u64 << offset_bits;
        let slots = (REACH / width).clamp(*SLOTS.start(), *SLOTS.end()).next_power_of_two();
        // Large enough that a bucket holds a chunk of events, no larger than all seats, since
        // events are put into order by the high bits of their keys, and small enough that every
        // thread gets its share.
        let enough = CHUNK_MAX as u64 * 1_000_000_000 / (EVENTS_A_SECOND * width);
        let wanted = enough.next_power_of_two().ilog2().clamp(BLOCK_BITS, BLOCK_BITS_MAX);
        let all = u64::from(seats.max(1)).next_power_of_two().ilog2();
        let largest = wanted.min(all).min(PackedEvent::PLACE_BITS - offset_bits);
        let block_bits = (0..=largest).rev().find(|bits| is_fair(seats, *bits, threads));
        let block_bits = block_bits.unwrap_or(0);
        let blocks = (seats as usize).div_ceil(1 << block_bits).max(1);
        let local = (1 << block_bits) - 1;
        let filled =
            u64::from(seats).min(1 << block_bits) * EVENTS_A_SECOND * width / 1_000_000_000;
        let chunk = filled.min(CHUNK_MAX as u64) as usize;
        let chunk = chunk.next_power_of_two().max(CHUNK_MIN);
        Grid { offset_bits, offset_mask: width - 1, slots, chunk, block_bits, local, blocks }
    }

    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    /// The first seat of a block.
    pub(crate) fn first_seat(&self, block: usize) -> u32 {
        (block << self.block_bits) as u32
    }

    /// How long a window is.
    pub(crate) fn width(&self) -> u64 {
        1 << self.offset_bits
    }

    #[inline(always)]
    pub(crate) fn window_at(&self, time: Time) -> u64 {
        time.as_nanos() >> self.offset_bits
    }

    pub(crate) fn window_start(&self, window: u64) -> Time {
        Time::from_nanos(window.saturating_mul(self.width()))
    }

    /// How many key bits the events of one bucket have.
    pub(crate) fn key_width(&self) -> u32 {
        self.block_bits + self.offset_bits
    }

    /// How many of these, the highest, are the destination's.
    pub(crate) fn block_bits(&self) -> u32 {
        self.block_bits
    }

    /// The seat within its block and the offset in the window that key bits say.
    #[inline(always)]
    pub(crate) fn split(&self, key_bits: u64) -> (u32, u64) {
        ((key_bits >> self.offset_bits) as u32, key_bits & self.offset_mask)
    }

    /// The key bits of a seat's event of this instant: the seat within its block, then the offset
    /// in the window.
    #[inline(always)]
    pub(crate) fn key_bits(&self, seat: Seat, time: Time) -> u64 {
        let offset = time.as_nanos() & self.offset_mask;
        u64::from(seat.0 & self.local) << self.offset_bits | offset
    }

    #[inline(always)]
    pub(crate) fn block_of(&self, seat: Seat) -> usize {
        (seat.0 >> self.block_bits) as usize
    }
}

/// A worker's contiguous share of a number of things; the shares differ by one at most.
pub(crate) fn share(things: usize, worker: usize, workers: usize) -> Range<usize> {
    things * worker / workers..things * (worker + 1) / workers
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTHS: [u64; 8] = [1, 2, 3, 1_000, 999_983, 1 << 20, 50_000_000, 400_000_000];

    fn grid(width: u64, seats: u32, threads: u32) -> Grid {
        Grid::new(Duration::from_nanos(width), seats, threads)
    }

    #[test]
    fn windows_are_no_longer_than_the_lookahead() {
        for width in WIDTHS {
            let grid = grid(width, 10_000, 1);
            assert!(grid.width() <= width && (grid.width() > width / 2 || width > WIDTH_MAX));
            assert!(grid.slots * grid.width() >= grid.width() * 16);
            for window in [0, 1, 77, 1_000_000] {
                let start = grid.window_start(window).as_nanos();
                for time in [start, start + grid.width() - 1] {
                    assert_eq!(grid.window_at(Time::from_nanos(time)), window);
                }
            }
        }
    }

    #[test]
    fn key_bits_tell_seats_and_offsets() {
        for width in WIDTHS {
            for (seats, threads) in [(1, 1), (5, 4), (100_000, 2), (10_000_000, 64)] {
                let grid = grid(width, seats, threads);
                assert!(grid.key_width() <= PackedEvent::PLACE_BITS);
                assert!(grid.first_seat(grid.blocks()) >= seats);
                assert!(grid.first_seat(1) < 2 * seats, "a block is no larger than all seats");
                for seat in [0, seats / 2, seats - 1] {
                    for offset in [0, grid.width() - 1] {
                        let time = Time::from_nanos(7 * grid.width() + offset);
                        let key_bits = grid.key_bits(Seat(seat), time);
                        assert_eq!(key_bits >> grid.key_width(), 0);
                        let (local, found) = grid.split(key_bits);
                        let first = grid.first_seat(grid.block_of(Seat(seat)));
                        assert_eq!((first + local, found), (seat, offset));
                    }
                }
            }
        }
    }

    #[test]
    fn shares_cover_all() {
        for (things, workers) in [(0, 3), (1, 4), (10, 3), (7, 7)] {
            let shares: Vec<_> = (0..workers).flat_map(|w| share(things, w, workers)).collect();
            assert_eq!(shares, (0..things).collect::<Vec<_>>());
        }
    }
}
