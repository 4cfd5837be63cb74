//! The receiving side of the network: whether and when a message that reached its seat is admitted.
//!
//! The messages of a connection are admitted in order, whatever the model does to each: one that is
//! rejected tries again, one that is delayed holds up those behind it.

use peerlet_core::{Duration, Seat, Time};
use peerlet_measure::DropCause;
use peerlet_network::Arrival;

use crate::connection::ends::Incoming;
use crate::event::{AddressedMessage, Delivery};
use crate::sim_world::SimWorld;
use crate::worker_state::WorkerState;

/// Whether and when a message is admitted.
pub(crate) enum Admitted {
    /// Now.
    Now,
    /// Not before then; ask again.
    Later(Time),
    /// Never.
    Never(DropCause),
}

impl SimWorld<'_> {
    /// The receiver's end of a connection. Obsolete ends are forgotten.
    pub(crate) fn incoming(&mut self, connection: (Seat, u64)) -> &mut Incoming {
        let (seat, now) = (self.seat, self.now.time);
        let WorkerState { model, connection_timeout, seat_states, .. } = &mut *self.worker;
        let known = &mut seat_states[self.row].connections.get_or_insert_default().incoming;
        let grows = !known.contains_key(&connection);
        if grows && known.len() >= 64 && known.len().is_power_of_two() {
            let keep = |source| *connection_timeout + model.round_trip(source, seat);
            known.retain(|(source, _), end| end.last() + keep(*source) > now);
        }
        known.entry(connection).or_default()
    }

    /// Whether a message of a connection is given up, and with it all behind it, because its
    /// receiver is paused beyond the timeout. Its sender learns that by the timeout.
    pub(crate) fn gives_up(
        &mut self,
        source: Seat,
        message: &AddressedMessage,
        until: Time,
    ) -> bool {
        let Delivery::Connection { number, departed, .. } = message.delivery else { return false };
        // If it finds nobody then, its sender must learn that in time, too.
        let answered = until + self.return_delay(self.seat, source);
        let given_up = answered > departed + self.worker.connection_timeout;
        if given_up {
            self.incoming((source, number)).broken = Some(DropCause::Undelivered);
        }
        given_up
    }

    /// The time of the next attempt of a message that found nobody, as for one that was lost.
    /// `None` where an answer would come too late: it is given up, and with it all behind it.
    pub(crate) fn finds_nobody(
        &mut self,
        source: Seat,
        message: &AddressedMessage,
    ) -> Option<Time> {
        let Delivery::Connection { number, departed, .. } = message.delivery else { return None };
        let (seat, now) = (self.seat, self.now.time);
        let first = self.patience(source, Some(seat), 0);
        let last = departed + (self.worker.connection_timeout - first * 2);
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

    /// The fate of a message behind one of the same connection that found nobody or was given up:
    /// it waits with the former, and is dropped like the latter once those before it are settled.
    fn behind_another(&mut self, connection: (Seat, u64)) -> Option<Admitted> {
        let now = self.now.time;
        let known = self.seat_state().connections()?.incoming.get(&connection)?;
        if known.unanswered_until > now {
            return Some(Admitted::Later(known.unanswered_until));
        }
        let (cause, over) = (known.broken?, known.ready.max(known.held_until));
        Some(match over > now {
            true => Admitted::Later(over),
            false => Admitted::Never(cause),
        })
    }

    /// Decides whether a message that is at its seat now is admitted. `Later` says when to ask
    /// again.
    pub(crate) fn enter(&mut self, source: Seat, message: &mut AddressedMessage) -> Admitted {
        let now = self.now.time;
        if let Delivery::Connection { number, .. } = message.delivery
            && let Some(admitted) = self.behind_another((source, number))
        {
            return admitted;
        }
        if message.accepted || !self.worker.has_arrival {
            return Admitted::Now;
        }
        match message.delivery {
            Delivery::Loopback { .. } => Admitted::Now,
            Delivery::Connection { number, departed, .. } => {
                self.enter_in_order((source, number), departed, message)
            }
            Delivery::Datagram => match self.arrive(source, message) {
                Arrival::Accept { after: Duration::ZERO } => Admitted::Now,
                Arrival::Accept { after } => {
                    message.accepted = true;
                    Admitted::Later(now + after)
                }
                Arrival::Drop(cause) => Admitted::Never(cause.into()),
            },
        }
    }

    /// The time at which a packet of a large message has its turn at the access link, behind those
    /// of other connections, and at most `end`; `None` if that is now.
    fn take_turn_at_link(&mut self, connection: (Seat, u64), end: Time) -> Option<Time> {
        let now = self.now.time;
        let (free, takes) = self.connections().access_link;
        let known = self.incoming(connection);
        if known.has_turn || free <= now {
            return None;
        }
        (known.has_turn, known.held_until) = (true, free.min(end));
        let turn = known.held_until;
        self.connections().access_link = (free + takes, takes);
        (turn > now).then_some(turn)
    }

    /// Notes for how long a packet of a large message occupies the access link.
    fn link_taken(&mut self, connection: (Seat, u64), takes: Duration) {
        let now = self.now.time;
        self.incoming(connection).has_turn = false;
        let connections = self.connections();
        connections.access_link = (connections.access_link.0.max(now + takes), takes);
    }

    fn enter_in_order(
        &mut self,
        connection: (Seat, u64),
        departed: Time,
        message: &mut AddressedMessage,
    ) -> Admitted {
        let (seat, now) = (self.seat, self.now.time);
        let known = self.incoming(connection);
        known.one_by_one |= message.delivery.is_question();
        if known.held_until > now {
            return Admitted::Later(known.held_until);
        }
        let (ready, attempt, one_by_one) = (known.ready, known.attempt, known.one_by_one);
        if one_by_one && ready > now {
            return Admitted::Later(ready);
        }
        let end = departed + self.worker.connection_timeout;
        if one_by_one && let Some(turn) = self.take_turn_at_link(connection, end) {
            return Admitted::Later(turn);
        }
        let cause = match self.arrive(connection.0, message) {
            Arrival::Accept { after } if now + after <= end.max(now) => {
                message.accepted = true;
                let known = self.incoming(connection);
                (known.ready, known.attempt) = (ready.max(now + after), 0);
                let ready = known.ready;
                if one_by_one {
                    self.link_taken(connection, after);
                }
                return if ready > now { Admitted::Later(ready) } else { Admitted::Now };
            }
            // Admission after the connection's timeout is a rejection.
            Arrival::Accept { .. } => DropCause::Queue,
            Arrival::Drop(cause) => cause.into(),
        };
        // The next attempt is another packet, with a random stream of its own.
        message.draws = message.draws.named("again");
        let patience = self.patience(connection.0, Some(seat), attempt);
        // Messages admitted before it are handled before it is given up.
        let end = end.max(ready);
        let known = self.incoming(connection);
        if now >= end {
            known.broken = Some(DropCause::Undelivered);
            return Admitted::Never(cause);
        }
        // The packet whose turn it is tries again soon.
        known.attempt = if one_by_one { 0 } else { attempt + 1 };
        known.held_until = end.min(now + patience);
        Admitted::Later(known.held_until)
    }
}
