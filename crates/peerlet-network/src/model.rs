//! The interface between an engine and a model of the network.

use std::any::Any;
use std::fmt;
use std::ops::Range;

use peerlet_core::runtime::PacketDrop;
use peerlet_core::{Duration, Seat, Seed, Time};

use crate::seat_states::SeatStates;

/// One attempt to move one message, as a model sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    /// The sender.
    pub from: Seat,
    /// The receiver, another peer: messages to oneself never reach a model.
    pub to: Seat,
    /// The engine's time: of departure in [`Model::depart`], of arrival in [`Model::arrive`].
    pub at: Time,
    /// The encoded size in bytes; 0 unless [`Model::needs_size`].
    pub size: u32,
    /// The root of this packet's random streams: `seed.at(from).at_pair(to, count)`, the sender's
    /// count.
    pub random: Seed,
}

/// The fate of a packet at its departure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Departure {
    /// It arrives.
    Arrive {
        /// How long after its departure; at least the model's lookahead.
        after: Duration,
    },
    /// The network duplicated it: both copies arrive.
    Twice {
        /// How long after the departure one copy arrives; at least the model's lookahead.
        first: Duration,
        /// How long after the departure the other does; at least the model's lookahead.
        second: Duration,
    },
    /// It arrives, and the network flipped some bits of it.
    Damaged {
        /// How long after its departure; at least the model's lookahead.
        after: Duration,
        /// How many bits of the encoded message. The packet's random stream chooses which
        /// ([`damage`]).
        bits: u32,
    },
    /// It never arrives.
    Drop(PacketDrop),
}

impl Departure {
    /// The same fate, after other times.
    #[inline]
    #[must_use]
    pub fn map(self, mut time: impl FnMut(Duration) -> Duration) -> Departure {
        match self {
            Departure::Arrive { after } => Departure::Arrive { after: time(after) },
            Departure::Twice { first, second } => {
                Departure::Twice { first: time(first), second: time(second) }
            }
            Departure::Damaged { after, bits } => Departure::Damaged { after: time(after), bits },
            Departure::Drop(_) => self,
        }
    }

    /// The same fate, so much later.
    #[inline]
    #[must_use]
    pub fn later(self, extra: Duration) -> Departure {
        self.map(|after| after + extra)
    }

    /// Whether it arrives at all.
    #[inline]
    pub const fn arrives(self) -> bool {
        !matches!(self, Departure::Drop(_))
    }
}

/// Flips this many bits of an encoded message, chosen by the random stream of its packet. A bit
/// that is chosen twice is flipped back.
pub fn damage(bytes: &mut [u8], bits: u32, random: Seed) {
    if bytes.is_empty() {
        return;
    }
    let mut rng = random.named("damage").rng();
    for _ in 0..bits {
        let bit = rng.below(bytes.len() as u64 * 8);
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    }
}

/// The fate of a packet at its arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The peer gets it.
    Accept {
        /// How long after its arrival; may be zero.
        after: Duration,
    },
    /// The peer never gets it.
    Drop(PacketDrop),
}

impl Arrival {
    /// The same fate, so much later.
    #[inline]
    #[must_use]
    pub fn later(self, extra: Duration) -> Arrival {
        match self {
            Arrival::Accept { after } => Arrival::Accept { after: after + extra },
            Arrival::Drop(_) => self,
        }
    }
}

/// State that one peer's side of a model keeps: `None` for stateless models.
pub type ModelState = Option<Box<dyn Any + Send>>;

/// Decides the fate of every message between different peers.
///
/// The contract: [`depart`](Model::depart) and [`arrive`](Model::arrive) are pure functions of the
/// packet and the state. They read no clock and no other randomness than the packet's own streams,
/// and remember nothing but in the state; so a fate depends neither on the thread that decides it
/// nor on what happens between other peers. An engine calls `depart` in the sender's order of
/// events, with the state that the sender owns, and `arrive` in the receiver's order, with the
/// receiver's state. No delay is shorter than the [`lookahead`](Model::lookahead). Seats are those
/// of the scenario: a model may panic beyond the number of peers it was built for.
///
/// A model takes its random streams by name (`packet.random.named("loss")`). When a layer is added
/// around it, no other random stream changes.
///
/// # Examples
/// A network of two halves, near within and far across, with up to a millisecond of jitter:
/// ```
/// use peerlet_core::{Duration, MILLISECOND, Seat, Seed, Time};
/// use peerlet_network::{Departure, Model, ModelState, Packet};
///
/// #[derive(Debug)]
/// struct Halves { peers: u32, near: Duration, far: Duration }
///
/// impl Halves {
///     fn distance(&self, from: Seat, to: Seat) -> Duration {
///         let half = |seat: Seat| seat.0 < self.peers / 2;
///         if half(from) == half(to) { self.near } else { self.far }
///     }
/// }
///
/// impl Model for Halves {
///     fn lookahead(&self) -> Duration {
///         self.near.min(self.far)
///     }
///     fn depart(&self, packet: &Packet, _state: &mut ModelState) -> Departure {
///         let jitter = packet.random.named("jitter").rng().below(MILLISECOND.as_nanos());
///         let distance = self.distance(packet.from, packet.to);
///         Departure::Arrive { after: distance + Duration::from_nanos(jitter) }
///     }
///     fn round_trip(&self, from: Seat, to: Seat) -> Duration {
///         (self.distance(from, to) + MILLISECOND / 2) * 2
///     }
/// }
///
/// let model = Halves { peers: 10, near: MILLISECOND * 5, far: MILLISECOND * 80 };
/// let random = Seed::new(7).at(4).at(5).at(0);
/// let packet = Packet { from: Seat(4), to: Seat(5), at: Time::ZERO, size: 0, random };
/// let Departure::Arrive { after } = model.depart(&packet, &mut None) else { unreachable!() };
/// assert!((MILLISECOND * 80..MILLISECOND * 81).contains(&after));
/// assert_eq!(model.lookahead(), MILLISECOND * 5);
/// ```
pub trait Model: Send + Sync + fmt::Debug {
    /// The smallest delay between different peers, within which an engine need not look left or
    /// right. May be zero, which is slow; an engine makes every delay at least 1 ns.
    fn lookahead(&self) -> Duration;

    /// Whether packets must carry their encoded size. Sizes cost an encoding, so ask only if used.
    fn needs_size(&self) -> bool {
        false
    }

    /// Whether it never has a state, which spares those around it looking for one.
    fn is_stateless(&self) -> bool {
        false
    }

    /// The state that this seat's outgoing side starts with.
    fn outbound(&self, _seat: Seat) -> ModelState {
        None
    }

    /// The state that this seat's incoming side starts with.
    fn inbound(&self, _seat: Seat) -> ModelState {
        None
    }

    /// Whether [`arrive`](Model::arrive) does anything; engines skip it otherwise.
    fn has_arrival(&self) -> bool {
        false
    }

    /// The fate of a packet that departs now. `state` is the sender's outgoing side.
    fn depart(&self, packet: &Packet, state: &mut ModelState) -> Departure;

    /// The fates of packets that departed, in their senders' order, put into `fates`. It is
    /// [`depart`](Model::depart) for each of them, at the cost of one call through a pointer.
    fn depart_all(&self, packets: &[Packet], states: &mut SeatStates, fates: &mut Vec<Departure>) {
        fates.extend(
            packets
                .iter()
                .map(|packet| states.with(packet.from, |state| self.depart(packet, state))),
        );
    }

    /// The fate of a packet that arrives now. `state` is the receiver's incoming side.
    fn arrive(&self, _packet: &Packet, _state: &mut ModelState) -> Arrival {
        Arrival::Accept { after: Duration::ZERO }
    }

    /// Whether all packets from the one seat to the other are cut off at this instant, by a fault.
    /// For those who look at a network: what happens to a packet, [`depart`](Model::depart) says.
    fn is_cut(&self, _from: Seat, _to: Seat, _at: Time) -> bool {
        false
    }

    /// Whether peers are on local networks, so that a broadcast reaches somebody.
    fn has_local_networks(&self) -> bool {
        false
    }

    /// The seats on the same local network as this one, itself included: those that a broadcast of
    /// its reaches.
    fn local_network(&self, seat: Seat) -> Range<u32> {
        seat.0..seat.0 + 1
    }

    /// A typical time from `from` to `to` and back: reliable delivery waits 1.5 of it before it
    /// tries again.
    fn round_trip(&self, from: Seat, to: Seat) -> Duration;

    /// Shows the parts that take changes while the model is in use, from the outside in:
    /// [`add_fault`](crate::add_fault) looks for those that it knows. Most models have none.
    fn open_parts(&mut self, _show: &mut dyn FnMut(&mut dyn Any)) {}
}
