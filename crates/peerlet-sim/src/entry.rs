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
    /// Whether large messages come on it, and so whatever comes asks to be let in when what came
    /// before is through, and not before.
    one_by_one: bool,
    /// Whether its first packet has its turn at the link.
    has_turn: bool,
    /// Until when the first message that found nobody waits for its next attempt.
    unanswered_until: Time,
    /// How many of its attempts found nobody.
    unanswered: u32,
    /// Why the messages behind one that was given up are dropped as well.
    broken: Option<DropCause>,
    /// When the last message sent back gets back.
    pub(crate) last_return: Time,
}

impl Incoming {
    /// The last instant that anything is known about.
    pub(crate) fn last(&self) -> Time {
        self.last_return.max(self.held_until).max(self.ready).max(self.unanswered_until)
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
            self.incoming((source, number)).broken = Some(DropCause::Undelivered);
        }
        given_up
    }

    /// When a message of a connection that found nobody is tried again, as its sender does with one
    /// that was lost. `None` where an answer would come too late: it is given up, and with it all
    /// behind it.
    pub(crate) fn finds_nobody(&mut self, source: Seat, letter: &Letter) -> Option<Time> {
        let Way::Connection { number, departed, .. } = letter.way else { return None };
        let (seat, now) = (self.seat, self.now.time);
        let first = self.patience(source, Some(seat), 0);
        let last = departed + (self.fabric.connection_timeout - first * 2);
        let attempt = self.incoming((source, number)).unanswered;
        let patience = self.patience(source, Some(seat), attempt);
        let known = self.incoming((source, number));
        if now >= last {
            known.broken = Some(DropCause::Stopped);
            return None;
        }
        known.unanswered += 1;
        known.unanswered_until = last.min(now + patience);
        Some(known.unanswered_until)
    }

    /// What becomes of a message of a connection on which one before it found nobody, or was given
    /// up: it waits with the former, and goes the way of the latter, behind those before it that
    /// still wait.
    fn behind_another(&mut self, connection: (Seat, u64)) -> Option<Entry> {
        let now = self.now.time;
        let known = self.place().links()?.incoming.get(&connection)?;
        if known.unanswered_until > now {
            return Some(Entry::Later(known.unanswered_until));
        }
        let (cause, turn) = (known.broken?, known.ready.max(known.held_until));
        Some(match turn > now {
            true => Entry::Later(turn),
            false => Entry::Closed(cause),
        })
    }

    /// Asks whether a message that is at its seat now gets in. It is asked anew when `Later` says.
    pub(crate) fn enter(&mut self, source: Seat, letter: &mut Letter) -> Entry {
        let now = self.now.time;
        if let Way::Connection { number, .. } = letter.way
            && let Some(entry) = self.behind_another((source, number))
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

    /// When a packet of a large message has its turn at the link, behind those of other
    /// connections that wait for it; `None` now. It waits until `end` at most.
    fn take_turn_at_link(&mut self, connection: (Seat, u64), end: Time) -> Option<Time> {
        let now = self.now.time;
        let (free, takes) = self.links().link;
        let known = self.incoming(connection);
        if known.has_turn || free <= now {
            return None;
        }
        (known.has_turn, known.held_until) = (true, free.min(end));
        let turn = known.held_until;
        self.links().link = (free + takes, takes);
        (turn > now).then_some(turn)
    }

    /// Notes for how long a packet of a large message takes the link.
    fn link_taken(&mut self, connection: (Seat, u64), takes: Duration) {
        let now = self.now.time;
        self.incoming(connection).has_turn = false;
        let links = self.links();
        links.link = (links.link.0.max(now + takes), takes);
    }

    fn enter_in_order(
        &mut self,
        connection: (Seat, u64),
        departed: Time,
        letter: &mut Letter,
    ) -> Entry {
        let (seat, now) = (self.seat, self.now.time);
        let known = self.incoming(connection);
        known.one_by_one |= letter.way.is_question();
        if known.held_until > now {
            return Entry::Later(known.held_until);
        }
        let (ready, attempt, one_by_one) = (known.ready, known.attempt, known.one_by_one);
        if one_by_one && ready > now {
            return Entry::Later(ready);
        }
        let end = departed + self.fabric.connection_timeout;
        if one_by_one && let Some(turn) = self.take_turn_at_link(connection, end) {
            return Entry::Later(turn);
        }
        let cause = match self.arrive(connection.0, letter) {
            Arrival::Accept { after } if now + after <= end.max(now) => {
                letter.accepted = true;
                let known = self.incoming(connection);
                (known.ready, known.attempt) = (ready.max(now + after), 0);
                let ready = known.ready;
                if one_by_one {
                    self.link_taken(connection, after);
                }
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
            known.broken = Some(DropCause::Undelivered);
            return Entry::Closed(cause);
        }
        // Whose turn it is asks again soon.
        known.attempt = if one_by_one { 0 } else { attempt + 1 };
        known.held_until = end.min(now + patience);
        Entry::Later(known.held_until)
    }
}
