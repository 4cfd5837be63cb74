//! The seats, and which of them the scenario has running, as workloads see them.
//!
//! Only directives change that. Those of the running window are known before it runs, so a peer
//! sees exactly the directives up to its own instant, in whatever order peers are run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use peerlet_core::runtime::Act;
use peerlet_core::{Address, Seat, Time};

/// The running seats, as they were before the running window.
pub(crate) struct RunningSeats {
    seats: u32,
    /// One bit per seat. Written between windows only.
    running: Vec<AtomicU64>,
}

impl RunningSeats {
    pub(crate) fn new(seats: u32) -> RunningSeats {
        let words = (seats as usize).div_ceil(64);
        RunningSeats { seats, running: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(crate) fn seats(&self) -> u32 {
        self.seats
    }

    pub(crate) fn set_running(&self, seat: Seat, running: bool) {
        let (word, bit) = (&self.running[seat.index() / 64], 1 << (seat.0 % 64));
        if running {
            word.fetch_or(bit, Ordering::Relaxed);
        } else {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_running(&self, seat: Seat) -> bool {
        let word = self.running.get(seat.index() / 64);
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (seat.0 % 64) & 1 == 1)
    }

    /// The seat at this address; `None` if no seat has it.
    #[inline]
    pub(crate) fn seat_at(&self, address: Address) -> Option<Seat> {
        let seat = Seat(address.slot());
        (seat.0 < self.seats && address == Address::simulated(seat)).then_some(seat)
    }
}

/// A directive of the environment, with its number.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) at: Time,
    pub(crate) seat: Seat,
    /// The environment's own count.
    pub(crate) seq: u64,
    pub(crate) act: Act,
}

impl Planned {
    /// Whether the seat is running afterwards; `None` if that does not change.
    pub(crate) fn leaves_running(&self) -> Option<bool> {
        match self.act {
            Act::Start => Some(true),
            Act::Stop | Act::Crash => Some(false),
            Act::Pause(_) | Act::Tamper(_) | Act::Command(..) => None,
        }
    }
}

/// All directives of one window, in order; mostly none, which takes no memory.
#[derive(Clone, Default)]
pub(crate) struct WindowDirectives(Option<Arc<Inner>>);

struct Inner {
    planned: Vec<Planned>,
    /// Indices into `planned` by seat, in order; made on demand.
    by_seat: OnceLock<Vec<u32>>,
}

impl WindowDirectives {
    pub(crate) fn new(planned: Vec<Planned>) -> WindowDirectives {
        let is_empty = planned.is_empty();
        let inner = || Arc::new(Inner { planned, by_seat: OnceLock::new() });
        WindowDirectives((!is_empty).then(inner))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Planned> {
        self.0.as_ref().map_or(&[][..], |inner| &inner.planned).iter()
    }

    /// Whether the seat is running at `now`, if that is decided here. `directive` is the number of
    /// the one that is being carried out; peers' own events come after all those of their instant.
    pub(crate) fn running(&self, seat: Seat, now: Time, directive: Option<u64>) -> Option<bool> {
        let Inner { planned, by_seat } = self.0.as_deref()?;
        let by_seat = by_seat.get_or_init(|| {
            let mut indices: Vec<u32> = (0..planned.len() as u32).collect();
            indices.sort_by_key(|index| planned[*index as usize].seat);
            indices
        });
        let seat_of = |index: &u32| planned[*index as usize].seat;
        let from = by_seat.partition_point(|index| seat_of(index) < seat);
        let to = by_seat.partition_point(|index| seat_of(index) <= seat);
        let is_seen = |planned: &&Planned| match directive {
            _ if planned.at != now => planned.at < now,
            None => true,
            // A peer that starts is running, one that stops still is.
            Some(seq) if planned.seq == seq => planned.act == Act::Start,
            Some(seq) => planned.seq < seq,
        };
        let seen = by_seat[from..to].iter().map(|index| &planned[*index as usize]);
        seen.take_while(is_seen).filter_map(Planned::leaves_running).last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    #[test]
    fn everybody_sees_what_was_done_up_to_now() {
        let acts = [
            (5, 1, Act::Start),
            (5, 2, Act::Start),
            (7, 1, Act::Stop),
            (7, 2, Act::Crash),
            (7, 2, Act::Start),
        ];
        let planned = acts.into_iter().enumerate().map(|(seq, (time, seat, act))| Planned {
            at: at(time),
            seat: Seat(seat),
            seq: seq as u64,
            act,
        });
        let directives = WindowDirectives::new(planned.collect());
        let sees = |now, directive| {
            [0, 1, 2].map(|seat| directives.running(Seat(seat), at(now), directive))
        };
        assert_eq!(sees(4, None), [None, None, None]);
        assert_eq!(sees(5, Some(0)), [None, Some(true), None], "the second is not started yet");
        assert_eq!(sees(5, None), [None, Some(true), Some(true)]);
        assert_eq!(sees(7, Some(2)), [None, Some(true), Some(true)], "it stops: it still runs");
        assert_eq!(sees(7, Some(3)), [None, Some(false), Some(true)]);
        assert_eq!(sees(7, Some(4)), [None, Some(false), Some(true)]);
        assert_eq!(sees(9, None), [None, Some(false), Some(true)]);
        assert_eq!(WindowDirectives::default().running(Seat(1), at(9), None), None);
    }

    #[test]
    fn seats_are_known_by_their_bits() {
        let running_seats = RunningSeats::new(70);
        running_seats.set_running(Seat(69), true);
        running_seats.set_running(Seat(3), true);
        running_seats.set_running(Seat(3), false);
        assert_eq!(
            [3, 69, 70, 1_000].map(|s| running_seats.is_running(Seat(s))),
            [false, true, false, false]
        );
        assert_eq!(running_seats.seat_at(Address::simulated(Seat(69))), Some(Seat(69)));
        assert_eq!(running_seats.seat_at(Address::simulated(Seat(70))), None);
    }
}
