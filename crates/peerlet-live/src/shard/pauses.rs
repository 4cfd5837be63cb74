//! Peers that are paused: what comes for them waits until they go on.
//!
//! Their connections' own acknowledgements are taken care of meanwhile, as those of a process whose
//! peer is busy; what would reach a handler waits.

use std::net::SocketAddr;

use bytes::Bytes;
use peerlet_core::runtime::{Act, Alarm, Directive, State};
use peerlet_core::{Duration, Map, Time};
use peerlet_measure::DropCause;

use crate::connection::Effect;
use crate::counters::SocketDrop;
use crate::frame::{Frame, Kind};
use crate::shard::Shard;
use crate::shard::live_world::Soon;
use crate::shard::share::Share;

/// How many datagrams wait for a peer that is paused: about as many as Linux's default buffer of a
/// socket holds, and the same in simulation. More are dropped.
const DATAGRAMS_MAX: usize = 256;
/// How many bytes of reliable messages wait. More are not taken, so that their senders try again.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// An event that waits for the end of a peer's pause.
pub(super) enum HeldEvent {
    Frame(SocketAddr, Bytes),
    Alarm { life: u32, alarm: Alarm },
    Soon { life: u32, soon: Soon },
    Act(Act),
    Effect(Effect),
}

/// A peer that is paused.
struct Paused {
    until: Time,
    held: Vec<HeldEvent>,
    datagrams: usize,
    bytes: usize,
}

/// The peers of a shard that are paused, by row.
#[derive(Default)]
pub(crate) struct Pauses(Map<usize, Paused>);

impl Pauses {
    /// When the next one goes on.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.values().map(|paused| paused.until).min()
    }

    /// How many datagrams wait.
    pub(super) fn datagrams(&self) -> u64 {
        self.0.values().map(|paused| paused.datagrams as u64).sum()
    }

    /// Whether this peer is paused.
    pub(super) fn has(&self, row: usize) -> bool {
        !self.0.is_empty() && self.0.contains_key(&row)
    }

    /// Lets something wait for a peer that is paused.
    pub(super) fn hold(&mut self, row: usize, held: HeldEvent) {
        if let Some(paused) = self.0.get_mut(&row) {
            paused.held.push(held);
        }
    }
}

impl Shard {
    /// Pauses a peer; false when it does not run, or for no time.
    pub(super) fn pause(&mut self, row: usize, at: Time, time: Duration) -> bool {
        if self.host.state(row) != State::Running || time == Duration::ZERO {
            return false;
        }
        let paused = Paused { until: at + time, held: Vec::new(), datagrams: 0, bytes: 0 };
        self.pauses.0.insert(row, paused);
        true
    }

    /// Lets a frame wait if it is for the handlers of a peer that is paused; whether it is.
    pub(super) fn hold_frame(
        &mut self,
        from: SocketAddr,
        frame: &Frame<'_>,
        bytes: &Bytes,
    ) -> bool {
        if self.pauses.0.is_empty() {
            return false;
        }
        let row = self.row(frame.to);
        let Some(paused) = row.and_then(|row| self.pauses.0.get_mut(&row)) else { return false };
        match frame.kind {
            Kind::Datagram(_) if paused.datagrams == DATAGRAMS_MAX => {
                self.state.ledger.datagram.drop_for(DropCause::Queue);
                return true;
            }
            Kind::Datagram(_) => paused.datagrams += 1,
            Kind::Open(_) | Kind::Data(..) | Kind::Piece(..) | Kind::Ask(..)
                if paused.bytes + bytes.len() > BYTES_MAX =>
            {
                self.counters.add(SocketDrop::Queue, 1);
                return true;
            }
            Kind::Open(_) | Kind::Data(..) | Kind::Piece(..) | Kind::Ask(..) => {
                paused.bytes += bytes.len();
            }
            Kind::Opened(_)
            | Kind::Reset(_)
            | Kind::Ack(_)
            | Kind::Grant(..)
            | Kind::Control(_) => return false,
        }
        paused.held.push(HeldEvent::Frame(from, bytes.clone()));
        true
    }

    /// Lets those go on whose pauses end by then: what waited is handled, in its order.
    pub(super) fn go_on(&mut self, by: Time) {
        loop {
            let over = self.pauses.0.iter().filter(|(_, paused)| paused.until <= by);
            let first = over.map(|(row, paused)| (paused.until, *row)).min();
            let Some((_, row)) = first else { return };
            self.end_pause(row, true);
        }
    }

    /// Ends a peer's pause, if there is one. After a crash what waited finds nobody, and nothing
    /// else is done to the peer.
    pub(super) fn end_pause(&mut self, row: usize, lives: bool) {
        let Some(Paused { held, .. }) = self.pauses.0.swap_remove(&row) else { return };
        self.state.is_catching_up = true;
        for held in held {
            match held {
                // It was seen before that it is from there.
                HeldEvent::Frame(from, bytes) => self.frame(from, None, &bytes),
                HeldEvent::Alarm { life, alarm } => self.alarm(row, life, alarm),
                HeldEvent::Soon { life, soon } => self.soon(row, life, soon),
                HeldEvent::Effect(effect) => self.effect(effect),
                HeldEvent::Act(act) if lives => {
                    let directive = Directive { at: self.state.now, seat: self.seats[row], act };
                    self.direct(directive);
                }
                HeldEvent::Act(_) => self.idle_directives += 1,
            }
            self.settle(&mut Share::new());
        }
        self.state.is_catching_up = false;
    }
}
