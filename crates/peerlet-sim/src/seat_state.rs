//! Per-seat engine state.

use peerlet_core::runtime::State;
use peerlet_core::{Identity, Seat, Seed};

use crate::connection::ends::Connections;
use crate::digest::SeatDigest;

/// The engine state of one seat, besides its peerlets: one cache line.
#[repr(align(64))]
pub(crate) struct SeatState {
    pub(crate) digest: SeatDigest,
    /// How many events it made.
    pub(crate) seq: u64,
    /// How many packets it gave to the network.
    pub(crate) packets: u64,
    /// The number of its life's first event, by which timers of older lives are told apart; the
    /// largest possible number while it does not run.
    pub(crate) born: u64,
    /// The ends of its connections; most seats have none.
    pub(crate) connections: Option<Box<Connections>>,
    /// The seed of the network's random streams for its packets.
    pub(crate) draws: Seed,
    pub(crate) life: u32,
    /// How many secrets it generated.
    pub(crate) secrets: u32,
    pub(crate) state: State,
    /// Whether it runs and is not paused.
    pub(crate) awake: bool,
}

impl SeatState {
    pub(crate) fn new(draws: Seed) -> SeatState {
        SeatState {
            digest: SeatDigest(0),
            seq: 0,
            packets: 0,
            born: u64::MAX,
            connections: None,
            draws,
            life: 0,
            secrets: 0,
            state: State::Absent,
            awake: false,
        }
    }

    /// The seed of the random stream of the seat's next packet.
    #[inline(always)]
    pub(crate) fn next_draws(&mut self, to: Seat) -> Seed {
        let count = self.packets;
        self.packets = count.wrapping_add(1);
        self.draws.at_pair(u64::from(to.0), count)
    }

    #[inline]
    pub(crate) fn connections(&mut self) -> Option<&mut Connections> {
        self.connections.as_deref_mut()
    }

    /// Notes the beginning or end of a life.
    pub(crate) fn set_state(&mut self, state: State, life: u32) {
        self.awake = state == State::Running;
        self.born = if self.awake { self.seq } else { u64::MAX };
        (self.state, self.life) = (state, life);
    }

    /// Begins a pause; returns the number of the life's first event, with which the peer
    /// [resumes](SeatState::resume).
    pub(crate) fn pause(&mut self) -> u64 {
        self.awake = false;
        std::mem::replace(&mut self.born, u64::MAX)
    }

    /// Ends a pause.
    pub(crate) fn resume(&mut self, born: u64) {
        (self.awake, self.born) = (true, born);
    }
}

/// The identity of the process that holds a seat's peer.
pub(crate) fn identity_of(seed: Seed, seat: Seat) -> Identity {
    let seed = seed.named("identity").at(u64::from(seat.0));
    let mut identity = [0; 32];
    for (word, bytes) in identity.chunks_mut(8).enumerate() {
        bytes.copy_from_slice(&seed.at(word as u64).bits().to_le_bytes());
    }
    Identity(identity)
}
