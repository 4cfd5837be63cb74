//! One iteration of a shard's loop: handles events that are due or have arrived, in order.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Instant;

use peerlet_core::property::PeerView;
use peerlet_core::runtime::{
    Act, Alarm, Body, Class, Directive, Handler, Header, Host, Port, State,
};
use peerlet_core::{Address, Duration, Identity, Seat, Time};
use peerlet_measure::DropCause;

use crate::connection::Effect;
use crate::counters::SocketDrop;
use crate::frame::{Frame, Kind, Message, Tag, is_control};
use crate::kept_out::KeptOutReason;
use crate::monitor::BLOCKED_AFTER;
use crate::seats::SeatsNow;
use crate::shard::live_world::{LiveWorld, Soon};
use crate::shard::pauses::HeldEvent;
use crate::shard::share::{OUTBOX_MAX, SOON, Share};
use crate::shard::{Call, SOON_MAX, Shard};
use crate::transport::{Inbound, LinkError, Outbound};

impl Shard {
    /// When the shard has something to do next, if nothing arrives before.
    pub(super) fn wake_at(&mut self) -> Time {
        if !self.state.soon.is_empty() || self.state.connections.has_effects() {
            return self.state.now;
        }
        let directive = self.directives.peek().map(|d| d.at);
        let (timer, connection) = (self.state.timers.next(), self.state.connections.deadline());
        let waits = [directive, timer, connection, self.pauses.next(), self.observation.next()];
        waits.into_iter().flatten().fold(self.end, Time::min)
    }

    /// Shows its running peers to the observer, for each instant that has come.
    fn show_peers(&mut self) {
        let (now, socket) = (self.state.now, self.state.socket);
        let (host, seats) = (&self.host, &self.seats);
        loop {
            let mut peers = seats.iter().enumerate().filter_map(|(row, seat)| {
                let of = (*seat, Address::new(socket, seat.0));
                let is_running = host.state(row) == State::Running;
                is_running.then(|| PeerView::new(host, row, of, now))
            });
            if !self.observation.show(now.min(self.end), &mut peers) {
                return;
            }
        }
    }

    /// Handles what is due and what has arrived by now, a share of each. The rest stays where it
    /// is: there is more to do then, and the next iteration goes on.
    pub(super) fn iterate(&mut self, inbox: &mut Vec<Inbound>, call: &mut Option<Call>) {
        self.state.now = Time::ZERO + Duration::from(self.zero.elapsed());
        self.look_at_the_clock();
        self.show_peers();
        if self.state.now >= self.end {
            return;
        }
        self.state.recorder.close_epoch(self.state.now);
        self.take_calls(call);
        // What peers made for themselves in earlier iterations comes before what is due by now.
        if self.backlog == 0 {
            self.backlog = self.state.soon.len();
        }
        if self.work_off_backlog() {
            self.take_due();
            self.take_in(inbox);
            self.state.connections.timer(self.state.now);
            self.state.connections.flush(self.state.now);
        }
        let share = &mut Share::new();
        while self.takes(share) && self.settle_one() {}
    }

    /// Whether there is time for one more event of this share, and room for what it sends.
    pub(super) fn takes(&self, share: &mut Share) -> bool {
        self.state.outbox.len() < OUTBOX_MAX && share.take()
    }

    /// Handles what was left over from earlier iterations; false when some of it still is.
    fn work_off_backlog(&mut self) -> bool {
        let share = &mut Share::new();
        while self.backlog > 0 && self.takes(share) {
            self.settle_one();
        }
        self.backlog == 0
    }

    /// Handles a share of what is due: what the environment does, and timers.
    fn take_due(&mut self) {
        let (share, now) = (&mut Share::new(), self.state.now);
        let host = &mut self.host;
        self.state.timers.sweep(now, |w| host.expects(w.row, w.life, &w.alarm));
        while self.takes(share) {
            if let Some(directive) = self.directives.next_if(|d| d.at <= now) {
                // What falls on the end of a pause comes before it, as all that falls into it.
                self.go_on(Time::from_nanos(directive.at.as_nanos().saturating_sub(1)));
                self.direct(directive);
            } else {
                self.go_on(now);
                let Some(waiting) = self.state.timers.pop_due(now) else { return };
                self.alarm(waiting.row, waiting.life, waiting.alarm);
            }
            self.settle(share);
        }
    }

    /// Handles a share of what has arrived.
    fn take_in(&mut self, inbox: &mut Vec<Inbound>) {
        let share = &mut Share::new();
        let mut waiting = std::mem::take(inbox).into_iter();
        while self.takes(share)
            && let Some(inbound) = waiting.next()
        {
            self.inbound(inbound);
            self.settle(share);
        }
        *inbox = waiting.collect();
    }

    /// Does what the last event left to be done: what peers do to themselves, and the effects of
    /// connections. What is beyond the share waits for the next iteration.
    pub(super) fn settle(&mut self, share: &mut Share) {
        for _ in 0..SOON {
            if !self.has_something() || !self.takes(share) || !self.settle_one() {
                return;
            }
        }
    }

    /// Does all that is left to be done; a peer that answers itself without end is left alone.
    pub(super) fn settle_all(&mut self) {
        for _ in 0..SOON_MAX {
            if !self.settle_one() {
                return;
            }
        }
    }

    fn has_something(&self) -> bool {
        !self.state.soon.is_empty() || self.state.connections.has_effects()
    }

    /// Does one thing that is left to be done; false when there is none. Connections come first:
    /// their effects are mostly no events, and never without end.
    fn settle_one(&mut self) -> bool {
        if let Some(effect) = self.state.connections.poll() {
            self.effect(effect);
        } else if let Some((row, life, soon)) = self.state.soon.pop_front() {
            self.backlog = self.backlog.saturating_sub(1);
            self.soon(row, life, soon);
        } else {
            return false;
        }
        true
    }

    pub(super) fn row(&self, slot: u32) -> Option<usize> {
        self.seats.binary_search(&Seat(slot)).ok()
    }

    pub(super) fn soon(&mut self, row: usize, life: u32, soon: Soon) {
        if self.pauses.has(row) {
            return self.pauses.hold(row, HeldEvent::Soon { life, soon });
        }
        match soon {
            Soon::Alarm(alarm) => self.alarm(row, life, alarm),
            Soon::Message { header, class, body } => {
                let from = Address::new(self.state.socket, self.seats[row].0);
                self.deliver(row, from, header, class, body);
            }
        }
    }

    pub(super) fn alarm(&mut self, row: usize, life: u32, alarm: Alarm) {
        if self.pauses.has(row) {
            return self.pauses.hold(row, HeldEvent::Alarm { life, alarm });
        }
        if self.host.expects(row, life, &alarm) {
            let handler = match alarm {
                Alarm::Timer { port, .. } => (Handler::Timer, Some(port)),
                Alarm::Wake { .. } => (Handler::Task, None),
            };
            self.with(row, handler, |host, world| host.alarm(row, world, alarm));
        }
    }

    /// Lets the host handle something in the world of the peer in this row.
    pub(super) fn with<R>(
        &mut self,
        row: usize,
        (handler, port): (Handler, Option<Port>),
        act: impl FnOnce(&mut Host, &mut LiveWorld<'_>) -> R,
    ) -> R {
        self.events += 1;
        self.current.begin(row, handler);
        let seats = self.state.seats.clone();
        let mut world = LiveWorld {
            seats: SeatsNow { map: &seats, now: self.state.now },
            state: &mut self.state,
            seat: self.seats[row],
            row,
            life: self.host.life(row),
            alive: self.host.state(row) == State::Running,
        };
        let began = Instant::now();
        let result = act(&mut self.host, &mut world);
        let took = began.elapsed();
        if took > BLOCKED_AFTER {
            self.note_blocked(row, handler, port, took);
        }
        result
    }

    /// Does to a seat what the environment wants.
    pub(super) fn direct(&mut self, directive: Directive) {
        let Some(row) = self.row(directive.seat.0) else { return };
        let Directive { at, seat: Seat(slot), act } = directive;
        if act != Act::Crash && self.pauses.has(row) {
            return self.pauses.hold(row, HeldEvent::Act(act));
        }
        let done = match act {
            Act::Start => self.start(row),
            Act::Stop => self.stop(row),
            Act::Crash => {
                self.current.begin(row, Handler::Drop);
                let crashed = self.host.crash(row);
                if crashed {
                    self.state.connections.crashed(slot);
                    self.state.recorder.forget(Seat(slot));
                    self.end_pause(row, false);
                }
                crashed
            }
            Act::Pause(time) => self.pause(row, at, time),
            Act::Tamper(tampering) => {
                self.state.set_tampering(slot, tampering);
                true
            }
            Act::Command(port, command) => {
                self.with(row, (Handler::Command, Some(port)), |host, world| {
                    host.command(row, world, port, &command)
                })
            }
        };
        self.idle_directives += u64::from(!done);
    }

    fn start(&mut self, row: usize) -> bool {
        if self.host.state(row) == State::Running {
            return false;
        }
        let (seat, life) = (self.seats[row], self.host.life(row) + 1);
        self.state.connections.started(seat.0, life);
        let build = self.build.clone();
        let seats = self.state.seats.clone();
        let now = self.state.now;
        let seats = SeatsNow { map: &seats, now };
        self.events += 1;
        self.current.begin(row, Handler::Start);
        let mut world = LiveWorld { seats, state: &mut self.state, seat, row, life, alive: true };
        let began = Instant::now();
        let started = self.host.start(row, &mut world, || build(seat));
        let took = began.elapsed();
        if took > BLOCKED_AFTER {
            self.note_blocked(row, Handler::Start, None, took);
        }
        started
    }

    fn stop(&mut self, row: usize) -> bool {
        let stopped = self.with(row, (Handler::Stop, None), |host, world| host.stop(row, world));
        if stopped {
            let seat = self.seats[row];
            self.state.connections.stopped(seat.0);
            self.state.recorder.forget(seat);
        }
        stopped
    }

    /// Stops all peers in order.
    pub(super) fn stop_all(&mut self) {
        self.state.now = Time::ZERO + Duration::from(self.zero.elapsed());
        for row in 0..self.seats.len() {
            self.end_pause(row, true);
            self.stop(row);
            self.settle_all();
        }
        self.state.connections.flush(self.state.now);
        self.settle_all();
    }

    /// Goes on with what the peers sent before they stopped.
    pub(super) fn wind_up(&mut self, inbox: &mut Vec<Inbound>) {
        self.state.now = Time::ZERO + Duration::from(self.zero.elapsed());
        for inbound in inbox.drain(..) {
            self.inbound(inbound);
        }
        self.state.connections.timer(self.state.now);
        self.state.connections.flush(self.state.now);
        self.settle_all();
    }

    fn inbound(&mut self, inbound: Inbound) {
        let now = self.state.now;
        match inbound {
            Inbound::Datagram { from, identity, frame } => self.frame(from, identity, &frame),
            // Processes talk in datagrams; what a stream holds is too long to wait for the member.
            Inbound::Stream { frame, .. } if is_control(&frame) => {
                self.counters.add(SocketDrop::Unsupported, 1);
            }
            Inbound::Stream { from, identity, frame } => self.frame(from, identity, &frame),
            Inbound::LinkUp { with, .. } => {
                self.state.connections.link_up(with);
                self.link_news(&inbound);
            }
            Inbound::LinkLost { with, why } => {
                tracing::debug!(%with, %why, "a link is lost");
                self.state.connections.link_lost(now, with);
                if why.is_admission() {
                    self.state.connections.kept_out(with);
                }
                if why == LinkError::Admission && self.channels.member.is_none() {
                    self.kept_out.note(Duration::ZERO, (with, None), KeptOutReason::KeepsUsOut);
                }
                self.link_news(&inbound);
            }
            Inbound::Mistaken { to, pair, identity } => {
                self.state.connections.mistaken(to, pair, identity);
            }
            Inbound::Blocked { to } => self.state.connections.blocked(to),
            Inbound::Unblocked { to } => self.state.connections.unblocked(to),
        }
    }

    pub(super) fn frame(
        &mut self,
        from: SocketAddr,
        identity: Option<Identity>,
        bytes: &bytes::Bytes,
    ) {
        let frame = match Frame::parse(bytes) {
            Ok(frame) => frame,
            Err(error) => return self.counters.add(error.into(), 1),
        };
        if let (Kind::Control(control), Tag::CONTROL) = (frame.kind, frame.tag) {
            return self.heard(from, identity, bytes.slice_ref(control));
        }
        if frame.tag != self.state.tag {
            return self.counters.add(SocketDrop::Experiment, 1);
        }
        // From here on it comes from where everybody knows its peer to be.
        let Some(from) = self.state.seats.origin(Seat(frame.from), from, identity) else {
            return self.counters.add(SocketDrop::Forged, 1);
        };
        if self.hold_frame(from, &frame, bytes) {
            return;
        }
        let (class, message) = match frame.kind {
            Kind::Datagram(Message { port, call, body }) => {
                (Class::Datagram, Message { port, call, body: Cow::Borrowed(body) })
            }
            Kind::Control(_) => return,
            _ => match self.state.connections.receive(self.state.now, from, &frame) {
                Some(message) => (Class::Reliable, message),
                None => return,
            },
        };
        let row = self.row(frame.to).filter(|row| self.host.state(*row) == State::Running);
        let Some(row) = row else {
            return self.state.ledger.of(class).drop_for(DropCause::Stopped);
        };
        let Message { port, call, body } = message;
        let header = Header { port: Port(port), call };
        let body = Body::encoded(body.into_owned());
        self.deliver(row, Address::new(from, frame.from), header, class, body);
    }

    fn deliver(&mut self, row: usize, from: Address, header: Header, class: Class, mut body: Body) {
        if self.host.state(row) != State::Running {
            return self.state.ledger.of(class).drop_for(DropCause::Stopped);
        }
        let done = self.with(row, (Handler::Message, Some(header.port)), |host, world| {
            host.message(row, world, from, header, class, &mut body)
        });
        match done {
            Ok(()) => self.state.ledger.of(class).delivered += 1,
            Err(error) => {
                self.state.ledger.of(class).drop_for(DropCause::Decode);
                if let Some(undecoded) = &self.undecoded {
                    let registry = self.host.registry();
                    undecoded.tell(registry, header.port, (self.seats[row], from), error);
                }
            }
        }
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        if let Effect::Undelivered { slot, .. } | Effect::Writable { slot, .. } = &effect
            && let Some(row) = self.row(*slot).filter(|row| self.pauses.has(*row))
        {
            return self.pauses.hold(row, HeldEvent::Effect(effect));
        }
        match effect {
            Effect::Transmit { to, pair, identity, frame } => {
                let frame = frame.into();
                self.state.outbox.push(match identity {
                    None => Outbound::Stream { to, pair, frame },
                    Some(identity) => Outbound::Trusted { to, identity, pair: Some(pair), frame },
                });
            }
            Effect::Dropped { messages } => {
                for _ in 0..messages {
                    self.state.ledger.of(Class::Reliable).drop_for(DropCause::Undelivered);
                }
            }
            Effect::Undelivered { slot, to, message, why } => {
                self.state.ledger.of(Class::Reliable).drop_for(DropCause::Undelivered);
                let row = self.row(slot).filter(|row| self.host.state(*row) == State::Running);
                let Some(row) = row else { return };
                let header = Header { port: Port(message.port), call: message.call };
                let body = Body::encoded(message.body.to_vec());
                let told =
                    self.with(row, (Handler::Undelivered, Some(header.port)), |host, world| {
                        host.undelivered(row, world, to, header, body, why)
                    });
                if told.is_err() {
                    // What a peer that tampers sends may be no message: it cannot be told of it.
                    self.counters.add(SocketDrop::Decode, 1);
                }
            }
            Effect::Writable { slot, to } => {
                let ports = self.state.refused.swap_remove(&(slot, to)).unwrap_or_default();
                let row = self.row(slot).filter(|row| self.host.state(*row) == State::Running);
                for port in row.into_iter().flat_map(|row| ports.iter().map(move |p| (row, *p))) {
                    let (row, port) = port;
                    self.with(row, (Handler::Writable, Some(port)), |host, world| {
                        host.writable(row, world, port, to);
                    });
                }
            }
        }
    }
}
