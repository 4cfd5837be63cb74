//! The receiving side of the network: whether and when a message that reached its seat gets in.
//!
//! What belongs to a connection gets in in order, whatever the model does to each message: who is
//! not let in tries again, who is let in late is waited for, and everything behind waits as well.

use peerlet_core::{Duration, Seat, Time};
use peerlet_measure::DropCause;
use peerlet_network::Arrival;

use crate::event::{Letter, Way};
use crate::fabric::{Fabric, drop_cause};
use crate::here::Here;

/// Whether and when a message gets in.
pub(crate) enum Entry {
    /// Now.
    Open,
    /// Not before then; ask again.
    Later(Time),
    /// Never.
    Closed(DropCause),
}

/// What the receiver's end remembers of a connection with trouble.
#[derive(Default)]
pub(crate) struct Incoming {
    /// Until when the first message that was not let in waits for its next attempt.
    held_until: Time,
    attempt: u32,
    /// When the last message that was let in may be handled.
    ready: Time,
    /// Whether a message was given up, and with it all behind it.
    broken: bool,
    /// When the last message sent back gets back.
    pub(crate) last_return: Time,
}

impl Incoming {
    /// The last instant that anything is known about.
    pub(crate) fn last(&self) -> Time {
        self.last_return.max(self.held_until).max(self.ready)
    }
}

impl Here<'_> {
    /// The receiver's end of a connection. Ends that can be of no use any more are forgotten.
    pub(crate) fn incoming(&mut self, connection: (Seat, u64)) -> &mut Incoming {
        let (seat, now) = (self.seat, self.now.time);
        let Fabric { model, connection_timeout, places, .. } = &mut *self.fabric;
        let known = &mut places[self.row].links.get_or_insert_default().incoming;
        let grows = !known.contains_key(&connection);
        if grows && known.len() >= 64 && known.len().is_power_of_two() {
            let keep = |source| *connection_timeout + model.round_trip(source, seat);
            known.retain(|(source, _), end| end.last() + keep(*source) > now);
        }
        known.entry(connection).or_default()
    }

    /// Whether a message of a connection is given up, and with it all behind it, because its peer
    /// is paused for longer than it can wait: its sender hears of it when its time is over.
    pub(crate) fn gives_up(&mut self, source: Seat, letter: &Letter, until: Time) -> bool {
        let Way::Connection { number, departed, .. } = letter.way else { return false };
        // Should it find nobody then, its sender hears of that in time, too.
        let answered = until + self.way_back(self.seat, source);
        let given_up = answered > departed + self.fabric.connection_timeout;
        if given_up {
            self.incoming((source, number)).broken = true;
        }
        given_up
    }

    /// What becomes of a message of a connection on which one before it was given up, if one was:
    /// it goes the same way, behind those before it that still wait.
    fn behind_a_gap(&mut self, connection: (Seat, u64)) -> Option<Entry> {
        let now = self.now.time;
        let known = self.place().links()?.incoming.get(&connection).filter(|end| end.broken)?;
        let turn = known.ready.max(known.held_until);
        Some(match turn > now {
            true => Entry::Later(turn),
            false => Entry::Closed(DropCause::Undelivered),
        })
    }

    /// Asks whether a message that is at its seat now gets in. It is asked anew when `Later` says.
    pub(crate) fn enter(&mut self, source: Seat, letter: &mut Letter) -> Entry {
        let now = self.now.time;
        if let Way::Connection { number, .. } = letter.way
            && let Some(entry) = self.behind_a_gap((source, number))
        {
            return entry;
        }
        if letter.accepted || !self.fabric.has_arrival {
            return Entry::Open;
        }
        match letter.way {
            Way::Home { .. } => Entry::Open,
            Way::Connection { number, departed, .. } => {
                self.enter_in_order((source, number), departed, letter)
            }
            Way::Datagram => match self.arrive(source, letter) {
                Arrival::Accept { after: Duration::ZERO } => Entry::Open,
                Arrival::Accept { after } => {
                    letter.accepted = true;
                    Entry::Later(now + after)
                }
                Arrival::Drop(cause) => Entry::Closed(drop_cause(cause)),
            },
        }
    }

    fn enter_in_order(
        &mut self,
        connection: (Seat, u64),
        departed: Time,
        letter: &mut Letter,
    ) -> Entry {
        let (seat, now) = (self.seat, self.now.time);
        let known = self.incoming(connection);
        if known.held_until > now {
            return Entry::Later(known.held_until);
        }
        let (ready, attempt) = (known.ready, known.attempt);
        let end = departed + self.fabric.connection_timeout;
        let cause = match self.arrive(connection.0, letter) {
            Arrival::Accept { after } if now + after <= end.max(now) => {
                letter.accepted = true;
                let known = self.incoming(connection);
                (known.ready, known.attempt) = (ready.max(now + after), 0);
                let ready = known.ready;
                return if ready > now { Entry::Later(ready) } else { Entry::Open };
            }
            // To be let in after the connection's time is not to be let in.
            Arrival::Accept { .. } => DropCause::Queue,
            Arrival::Drop(cause) => drop_cause(cause),
        };
        // The next attempt is another packet, with other dice.
        letter.draws = letter.draws.named("again");
        let patience = self.patience(connection.0, Some(seat), attempt);
        // Who was let in before it is handled before it is given up.
        let end = end.max(ready);
        let known = self.incoming(connection);
        if now >= end {
            known.broken = true;
            return Entry::Closed(cause);
        }
        (known.attempt, known.held_until) = (attempt + 1, end.min(now + patience));
        Entry::Later(known.held_until)
    }
}
