//! The event that a shard is handling, for reports of panics and of blocked handlers.

use peerlet_core::runtime::{Handler, Location};

use crate::panics::{PanicPlace, caught_now};
use crate::shard::Shard;

/// The event that is being handled, or was handled last.
#[derive(Clone, Copy, Default)]
pub(crate) struct CurrentEvent {
    event: Option<(usize, Handler)>,
}

impl CurrentEvent {
    /// An event of the peer in this row begins, with this handler.
    pub(super) fn begin(&mut self, row: usize, handler: Handler) {
        self.event = Some((row, handler));
    }
}

impl Shard {
    /// Lets peers handle something. A panic in it is reported, and ends all peers of the shard.
    pub(super) fn caught(&mut self, act: impl FnOnce(&mut Shard)) {
        if let Err(payload) = caught_now(|| act(self)) {
            let place = self.location().map_or(PanicPlace::Shard(self.number), PanicPlace::Peer);
            self.channels.failures.tell(place, &payload);
            self.is_broken = true;
        }
    }

    /// The location of the panic, as exactly as it is known.
    fn location(&self) -> Option<Location> {
        let (seats, time) = (&self.seats, self.state.now);
        self.host.unwound(|row| seats[row], time).or_else(|| {
            let (row, handler) = self.current.event?;
            let (seat, life) = (seats[row], self.host.life(row));
            Some(Location { seat, life, peerlet: None, handler, time })
        })
    }

    /// Drops the peers one by one, so that it is known whose destructor panics.
    pub(super) fn let_go(&mut self) {
        for row in 0..self.seats.len() {
            self.caught(|shard| {
                shard.current.begin(row, Handler::Drop);
                shard.host.crash(row);
            });
        }
    }
}
