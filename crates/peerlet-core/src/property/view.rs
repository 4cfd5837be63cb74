//! Read-only views of the peers of a network, at an instant.

use std::any::{Any, TypeId};
use std::cell::Ref;

use crate::address::{Address, Seat};
use crate::life::State;
use crate::peerlet::Peerlet;
use crate::time::Time;

/// Peers in numbered rows that can be looked at: a [`Host`](crate::runtime::Host).
pub trait PeerSource {
    /// Whether the peer in this row lives.
    fn state(&self, row: usize) -> State;
    /// The number of its life, from 1 on.
    fn life(&self, row: usize) -> u32;
    /// Its peerlet of this type; `None` where it has none.
    fn peerlet(&self, row: usize, id: TypeId) -> Option<Ref<'_, dyn Any>>;
    /// Its peerlets, in the order of its stack: their names, and their states as texts where they
    /// have such. Empty where no peer was built.
    fn snapshots(&self, row: usize) -> Vec<(&'static str, Option<String>)>;
}

/// One running peer, to look at.
#[derive(Clone, Copy)]
pub struct PeerView<'a> {
    source: &'a dyn PeerSource,
    row: usize,
    seat: Seat,
    address: Address,
    now: Time,
}

impl<'a> PeerView<'a> {
    /// The peer in this row. For runtimes.
    pub fn new(
        source: &'a dyn PeerSource,
        row: usize,
        (seat, address): (Seat, Address),
        now: Time,
    ) -> PeerView<'a> {
        PeerView { source, row, seat, address, now }
    }

    /// Its seat.
    pub fn seat(&self) -> Seat {
        self.seat
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The instant, by the clock of the run.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The number of its life, from 1 on: one more after each start.
    pub fn life(&self) -> u32 {
        self.source.life(self.row)
    }

    /// Its peerlets, in the order of its stack: their names, and their states as texts where they
    /// have such.
    pub fn snapshots(&self) -> Vec<(&'static str, Option<String>)> {
        self.source.snapshots(self.row)
    }

    /// Its peerlet of type `P`; `None` where it has none.
    pub fn peerlet<P: Peerlet>(&self) -> Option<Ref<'a, P>> {
        let peerlet = self.source.peerlet(self.row, TypeId::of::<P>())?;
        Ref::filter_map(peerlet, |peerlet| peerlet.downcast_ref()).ok()
    }
}

/// The messages of a run so far, of both classes of delivery. What was sent and duplicated is
/// delivered, dropped, or on its way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct MessageCounts {
    /// Messages that peers sent.
    pub sent: u64,
    /// Copies that the network made.
    pub duplicated: u64,
    /// Messages that came to a handler.
    pub delivered: u64,
    /// Messages that were dropped, for any cause.
    pub dropped: u64,
    /// Encoded bytes that were sent; 0 where nothing asks for the sizes of messages.
    pub bytes: u64,
}

/// The network that a [`WorldView`] shows: implemented by runtimes that have all peers.
pub trait WorldSource {
    /// The instant.
    fn now(&self) -> Time;
    /// The number of seats.
    fn seats(&self) -> u32;
    /// Those among which the peer in this seat is, and its row there.
    fn peer(&self, seat: Seat) -> (&dyn PeerSource, usize);
    /// The messages so far.
    fn messages(&self) -> MessageCounts;
    /// Whether the network has cut the way from the one seat to the other.
    fn is_cut(&self, from: Seat, to: Seat) -> bool;
}

/// All peers of a network at an instant, to look at. Looking changes nothing.
#[derive(Clone, Copy)]
pub struct WorldView<'a>(&'a dyn WorldSource);

impl<'a> WorldView<'a> {
    /// A view of this network. For runtimes.
    pub fn new(source: &'a dyn WorldSource) -> WorldView<'a> {
        WorldView(source)
    }

    /// The instant: all events before it have been handled, and none of it.
    pub fn now(&self) -> Time {
        self.0.now()
    }

    /// The number of seats, whether their peers run or not.
    pub fn seats(&self) -> u32 {
        self.0.seats()
    }

    /// The address of the peer in this seat.
    pub fn address(&self, seat: Seat) -> Address {
        Address::simulated(seat)
    }

    /// The seat of the peer with this address; `None` where there is no such peer.
    pub fn seat_of(&self, address: Address) -> Option<Seat> {
        let seat = Seat(address.slot());
        (seat.0 < self.seats() && Address::simulated(seat) == address).then_some(seat)
    }

    /// Whether the peer in this seat lives.
    ///
    /// # Panics
    /// Panics when there is no such seat.
    pub fn state(&self, seat: Seat) -> State {
        let (peers, row) = self.row_of(seat);
        peers.state(row)
    }

    /// The running peers, in the order of their seats.
    pub fn peers(&self) -> impl Iterator<Item = PeerView<'a>> + use<'a> {
        let WorldView(source) = *self;
        let now = source.now();
        (0..source.seats()).map(Seat).filter_map(move |seat| {
            let (peers, row) = source.peer(seat);
            let of = (seat, Address::simulated(seat));
            (peers.state(row) == State::Running).then(|| PeerView::new(peers, row, of, now))
        })
    }

    /// The peer in this seat; `None` where it does not run, or there is no such seat.
    pub fn peer(&self, seat: Seat) -> Option<PeerView<'a>> {
        if seat.0 >= self.seats() || self.state(seat) != State::Running {
            return None;
        }
        let (peers, row) = self.row_of(seat);
        Some(PeerView::new(peers, row, (seat, Address::simulated(seat)), self.now()))
    }

    /// The peerlets of type `P` of all running peers, in the order of their seats.
    pub fn peerlets<P: Peerlet>(&self) -> impl Iterator<Item = (Seat, Ref<'a, P>)> + use<'a, P> {
        self.peers().filter_map(|peer| Some((peer.seat(), peer.peerlet()?)))
    }

    /// The peerlet of type `P` in this seat; `None` where its peer does not run, has no such
    /// peerlet, or there is no such seat.
    pub fn peerlet<P: Peerlet>(&self, seat: Seat) -> Option<Ref<'a, P>> {
        self.peer(seat)?.peerlet()
    }

    /// The messages so far.
    pub fn messages(&self) -> MessageCounts {
        self.0.messages()
    }

    /// Whether the network has cut the way from the one seat to the other, at this instant.
    pub fn is_cut(&self, from: Seat, to: Seat) -> bool {
        self.0.is_cut(from, to)
    }

    fn row_of(&self, seat: Seat) -> (&'a dyn PeerSource, usize) {
        assert!(seat.0 < self.seats(), "there is no seat {seat}");
        self.0.peer(seat)
    }
}
