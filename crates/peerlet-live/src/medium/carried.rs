//! The results of a model between the sockets, and the reasons for which they are void.

use peerlet_core::Duration;

use super::account::Packets;
use super::lateness::{LATENESS_MAX, Lateness};
use super::machine::{Lost, WarmUp};

/// An emulation is void when the machine loses more than one packet in this many: a tenth of the
/// loss that a comparison finds with its usual limits.
const LOST_ONE_IN: u64 = 1_000;

/// The results of a model between the sockets: the fates of packets, and how late they were.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// The account of the packets.
    pub packets: Packets,
    /// Of an emulation: how late packets were handed to the operating system, from the end of the
    /// warm-up on. That is the emulator's own doing.
    pub lateness: Lateness,
    /// Likewise: how late they were read off the sockets, with what the system and the runtime need
    /// to wake up who reads them. That is part of what is emulated.
    pub read: Lateness,
    /// Both before the end of the warm-up.
    pub warm_up: WarmUp,
    /// Packets that this machine lost, not the network.
    pub lost: Lost,
    /// Datagrams of an emulation of which nobody knows: lost by the operating system, or by QUIC,
    /// to which a packet that overtakes the end of a handshake is noise. The accounts hold them as
    /// in flight.
    pub unaccounted: u64,
    /// Of an emulation: the longest time in which the driver did not get to run, from time zero
    /// on; zero where it always did.
    pub stalled: Duration,
    /// Of an emulation: the most by which a peer woke up late, from time zero on.
    pub woken: Duration,
    /// Of an emulation: the longest time that a peer's handler took.
    pub blocked: Duration,
    /// How late an emulation may be once.
    pub late_max: Duration,
}

/// A reason for which an emulation is void. Each tells of the machine, not of the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// Of the packets of the warm-up, or of the measured part, more than one in a hundred was
    /// handed over late.
    OftenLate {
        /// Whether that was in the warm-up.
        in_warm_up: bool,
        /// The 99th percentile.
        late: Duration,
    },
    /// A packet was handed to the operating system this late.
    HandedLate(Duration),
    /// A packet was read off its socket this late.
    ReadLate(Duration),
    /// The emulator did not get to run for this long.
    Stalled(Duration),
    /// A peer woke up this late.
    WokenLate(Duration),
    /// A handler took this long.
    Blocked(Duration),
    /// The machine lost packets.
    Lost(Lost),
}

impl Carried {
    /// Whether the machine kept up with the network: nothing was late, and it lost nothing.
    pub fn is_valid(&self) -> bool {
        self.flaws().is_empty()
    }

    /// Why the run is void, the gravest reasons first.
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        // With few packets, a single one is no share.
        if self.lost.total() > self.packets.sent.div_ceil(LOST_ONE_IN) {
            flaws.push(Flaw::Lost(self.lost));
        }
        for (in_warm_up, lateness) in [(false, &self.lateness), (true, &self.warm_up.lateness)] {
            let late = lateness.quantile(0.99).filter(|late| *late > LATENESS_MAX);
            flaws.extend(late.map(|late| Flaw::OftenLate { in_warm_up, late }));
        }
        let once = [
            Flaw::Blocked(self.blocked),
            Flaw::Stalled(self.stalled),
            Flaw::HandedLate(self.lateness.max().max(self.warm_up.lateness.max())),
            Flaw::ReadLate(self.read.max().max(self.warm_up.read.max())),
            Flaw::WokenLate(self.woken),
        ];
        flaws.extend(once.into_iter().filter(|flaw| flaw.once() > Some(self.late_max)));
        flaws
    }
}

impl Flaw {
    /// The delay, of a flaw that is one delay.
    fn once(&self) -> Option<Duration> {
        match self {
            Flaw::HandedLate(late)
            | Flaw::ReadLate(late)
            | Flaw::Stalled(late)
            | Flaw::WokenLate(late)
            | Flaw::Blocked(late) => Some(*late),
            Flaw::OftenLate { .. } | Flaw::Lost(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::medium::LATE_MAX;

    fn late(times: u64, millis: u64) -> Lateness {
        let mut lateness = Lateness::default();
        (0..times).for_each(|_| lateness.note(Duration::from_millis(millis)));
        lateness
    }

    /// The flaws of an emulation of 10,000 packets that is sound but for this.
    fn flaws(spoil: impl FnOnce(&mut Carried)) -> Vec<Flaw> {
        let mut carried = Carried { late_max: LATE_MAX, ..Carried::default() };
        carried.packets.sent = 10_000;
        carried.lateness = late(9_000, 0);
        carried.warm_up.lateness = late(1_000, 0);
        spoil(&mut carried);
        assert_eq!(carried.is_valid(), carried.flaws().is_empty());
        carried.flaws()
    }

    #[test]
    fn an_emulation_in_time_has_no_flaw() {
        assert_eq!(flaws(|_| ()), []);
        assert_eq!(flaws(|carried| carried.read = late(100, 100)), [], "that is accepted");
        assert_eq!(flaws(|carried| carried.lost.unread = 10), [], "one in a thousand");
    }

    #[test]
    fn lateness_counts_in_the_warm_up_as_well() {
        for in_warm_up in [false, true] {
            let part = |carried: &mut Carried, times, millis| match in_warm_up {
                true => carried.warm_up.lateness.merge(&late(times, millis)),
                false => carried.lateness.merge(&late(times, millis)),
            };
            let often = flaws(|carried| part(carried, 200, 10));
            let is_it = |flaw: &Flaw| match flaw {
                Flaw::OftenLate { in_warm_up: part, .. } => *part == in_warm_up,
                _ => false,
            };
            assert!(often.len() == 1 && is_it(&often[0]), "{often:?}");
            let once = flaws(|carried| part(carried, 1, 150));
            assert_eq!(once, [Flaw::HandedLate(Duration::from_millis(150))]);
        }
        let late_reading = flaws(|carried| carried.warm_up.read = late(1, 150));
        assert_eq!(late_reading, [Flaw::ReadLate(Duration::from_millis(150))]);
        let stalled = flaws(|carried| carried.stalled = Duration::from_millis(150));
        assert_eq!(stalled, [Flaw::Stalled(Duration::from_millis(150))]);
        let woken = flaws(|carried| carried.woken = Duration::from_millis(150));
        assert_eq!(woken, [Flaw::WokenLate(Duration::from_millis(150))]);
        let blocked = flaws(|carried| carried.blocked = Duration::from_millis(150));
        assert_eq!(blocked, [Flaw::Blocked(Duration::from_millis(150))]);
    }

    #[test]
    fn packets_that_the_machine_loses_are_a_flaw_by_cause() {
        let lost = Lost { queue: 1, refused: 2, unread: 8 };
        assert_eq!(flaws(|carried| carried.lost = lost), [Flaw::Lost(lost)]);
        assert_eq!(lost.total(), 11);
    }
}
