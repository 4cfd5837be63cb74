//! A shard: the peers of one task, their socket and their timers.
//!
//! A shard is one task. It owns its peers and runs their handlers inline, so handlers of one peer
//! never overlap; a peer never leaves its shard. Each turn of its loop takes a batch of what is due
//! and what arrived, and hands over one batch of what is to go.

mod here;
mod timers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use peerlet_core::{
    Act, Address, Alarm, Body, Class, Directive, Header, Host, Peer, Port, Seat, State, Time,
};
use peerlet_measure::{DropCause, EpochMeasures, Ledger, Measures};
use tokio::sync::{mpsc, oneshot, watch};

use crate::counters::{Cause, Counters};
use crate::frame::{Frame, Kind, Message};
use crate::member::Heard;
use crate::pair::Effect;
use crate::seats::SeatsNow;
use crate::transport::{Inbound, Transport};
use here::Here;
pub(crate) use here::{Ground, Soon};
pub(crate) use timers::Timers;

/// Events that peers make for themselves at once, in one turn of the loop: more wait for the next
/// turn, so that a peer that answers itself without end cannot keep the others from the network.
const SOON_MAX: usize = 10_000;

/// How long a shard lets what was sent reliably arrive when it closes.
pub(crate) const DRAIN: peerlet_core::Duration = peerlet_core::Duration::from_secs(2);

/// Builds the stack of a seat's peer.
pub type Build = Arc<dyn Fn(Seat) -> Peer + Send + Sync>;

/// A shard, ready to run.
pub(crate) struct Shard {
    pub(crate) host: Host,
    /// The seats of its rows, ascending.
    pub(crate) seats: Vec<Seat>,
    pub(crate) ground: Ground,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) build: Build,
    /// What the environment does to its seats, in order.
    pub(crate) directives: std::iter::Peekable<std::vec::IntoIter<Directive>>,
    pub(crate) zero: Instant,
    pub(crate) end: Time,
    pub(crate) counters: Counters,
    pub(crate) idle_directives: u64,
    /// Events that its peers handled.
    pub(crate) events: u64,
    pub(crate) wires: Wires,
    /// How many closed epochs were handed on.
    pub(crate) reported: usize,
    /// How many pins the transport knows.
    pub(crate) pinned: usize,
}

/// What came out of a shard.
pub(crate) struct ShardOutcome {
    pub(crate) ledger: Ledger,
    pub(crate) measures: Measures,
    pub(crate) counters: Counters,
    pub(crate) late_answers: u64,
    pub(crate) idle_directives: u64,
    pub(crate) events: u64,
}

/// How a shard is told what goes on around it, and tells.
pub(crate) struct Wires {
    /// When time is zero, once that is known.
    pub(crate) zero: watch::Receiver<Option<Instant>>,
    /// Whether all peers are to stop.
    pub(crate) stop: watch::Receiver<bool>,
    /// Whether nobody needs the sockets any more.
    pub(crate) finish: watch::Receiver<bool>,
    /// Where epochs go that are closed.
    pub(crate) epochs: Option<mpsc::UnboundedSender<EpochMeasures>>,
    /// Takes the outcome as soon as the peers' time is over.
    pub(crate) outcome: Option<oneshot::Sender<ShardOutcome>>,
    /// The member's line; the first shard has it.
    pub(crate) member: Option<MemberLine>,
}

/// The first shard's end of the member's line.
pub(crate) struct MemberLine {
    pub(crate) heard: mpsc::Sender<Heard>,
    pub(crate) said: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
}

impl MemberLine {
    /// Hands something to the member; a full line loses it, and it will be asked for again.
    fn hear(&self, heard: Heard) {
        self.heard.try_send(heard).ok();
    }
}

/// Waits until the condition holds; for ever when nobody is left to make it so.
async fn until<T>(watched: &mut watch::Receiver<T>, condition: impl FnMut(&T) -> bool) {
    if watched.wait_for(condition).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What the member wants to say; for ever nothing without a member.
async fn said(member: &mut Option<MemberLine>) -> (SocketAddr, Vec<u8>) {
    let said = match member {
        Some(line) => line.said.recv().await,
        None => None,
    };
    match said {
        Some(said) => said,
        None => std::future::pending().await,
    }
}

impl Shard {
    /// Runs: until time is zero only what processes tell each other, then the peers, until their
    /// time is over or they are told to stop, then again what processes tell each other, until
    /// nobody needs the sockets.
    pub(crate) async fn run(mut self) {
        let mut inbox = Vec::new();
        if self.wait_for_zero(&mut inbox).await {
            self.live(&mut inbox).await;
        }
        self.hand_over();
        loop {
            inbox.drain(..).for_each(|inbound| self.overhear(&inbound));
            self.send().await;
            tokio::select! {
                biased;
                () = until(&mut self.wires.finish, |finish| *finish) => break,
                () = self.transport.receive(&mut inbox) => {}
                (to, frame) = said(&mut self.wires.member) => self.say(to, frame),
            }
        }
        self.transport.close(DRAIN).await;
    }

    /// Waits for time zero; false when the run is over before.
    async fn wait_for_zero(&mut self, inbox: &mut Vec<Inbound>) -> bool {
        loop {
            inbox.drain(..).for_each(|inbound| self.overhear(&inbound));
            self.send().await;
            let zero = *self.wires.zero.borrow_and_update();
            if let Some(zero) = zero {
                self.zero = zero;
            }
            let near = zero.unwrap_or_else(|| Instant::now() + std::time::Duration::from(DRAIN));
            tokio::select! {
                biased;
                () = until(&mut self.wires.stop, |stop| *stop) => return false,
                () = until(&mut self.wires.finish, |finish| *finish) => return false,
                () = tokio::time::sleep_until(near.into()) => {
                    if zero.is_some() {
                        break;
                    }
                }
                changed = self.wires.zero.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                }
                () = self.transport.receive(inbox) => {}
                (to, frame) = said(&mut self.wires.member) => self.say(to, frame),
            }
        }
        if let Some(socket) = self.seats.first().and_then(|seat| self.ground.seats.socket(*seat)) {
            // Others may know this process by another address than its socket's.
            self.ground.socket = socket;
        }
        true
    }

    /// Lets the peers live.
    async fn live(&mut self, inbox: &mut Vec<Inbound>) {
        loop {
            self.turn(inbox);
            self.send().await;
            self.report_epochs();
            if self.ground.now >= self.end {
                return;
            }
            let wake = self.zero + std::time::Duration::from(self.wake_at() - Time::ZERO);
            tokio::select! {
                biased;
                () = until(&mut self.wires.stop, |stop| *stop) => {
                    self.stop_all();
                    return self.send().await;
                }
                () = self.transport.receive(inbox) => {}
                (to, frame) = said(&mut self.wires.member) => self.say(to, frame),
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    async fn send(&mut self) {
        for (socket, identity) in self.ground.seats.pins_from(self.pinned) {
            self.pinned += 1;
            if socket != self.transport.local_addr() {
                self.transport.expect(socket, identity);
            }
        }
        self.transport.send(&mut self.ground.outbox).await;
    }

    fn say(&mut self, to: SocketAddr, frame: Vec<u8>) {
        self.ground.outbox.push(crate::Outbound::Datagram { to, frame: frame.into() });
    }

    /// Looks through what arrives while no peer lives: only what processes tell each other counts.
    fn overhear(&mut self, inbound: &Inbound) {
        match inbound {
            Inbound::Datagram { from, frame, .. } => match Frame::parse(frame) {
                Ok(Frame { tag, kind: Kind::Control(bytes), .. }) if tag == self.ground.tag => {
                    self.heard(*from, frame.slice_ref(bytes));
                }
                Ok(frame) if frame.tag != self.ground.tag => {
                    self.counters.add(Cause::Experiment, 1);
                }
                Ok(_) => self.counters.add(Cause::Stopped, 1),
                Err(error) => self.counters.add(error.into(), 1),
            },
            Inbound::Stream { .. } => self.counters.add(Cause::Stopped, 1),
            other => self.link_news(other),
        }
    }

    fn heard(&mut self, from: SocketAddr, bytes: bytes::Bytes) {
        match &self.wires.member {
            Some(line) => line.hear(Heard::Control { from, bytes }),
            None => self.counters.add(Cause::Unsupported, 1),
        }
    }

    fn link_news(&self, inbound: &Inbound) {
        let Some(line) = &self.wires.member else { return };
        match inbound {
            Inbound::LinkUp { with, identity } => {
                line.hear(Heard::LinkUp { with: *with, identity: *identity });
            }
            Inbound::LinkLost { with, why } => {
                line.hear(Heard::LinkLost { with: *with, why: *why });
            }
            _ => {}
        }
    }

    /// Hands on the epochs that were closed since the last time.
    fn report_epochs(&mut self) {
        let Some(epochs) = &self.wires.epochs else { return };
        let finished = self.ground.recorder.finished();
        for epoch in finished.epochs().skip(self.reported) {
            self.reported += 1;
            // The member may have ended with an error, which is told elsewhere.
            epochs.send(epoch.clone()).ok();
        }
    }

    /// Gives away what came out, now that the peers' time is over.
    fn hand_over(&mut self) {
        let end = self.ground.now.min(self.end);
        let measures = self.ground.recorder.clone().finish(end);
        if let Some(epochs) = &self.wires.epochs {
            for epoch in measures.epochs().skip(self.reported) {
                epochs.send(epoch.clone()).ok();
            }
        }
        let mut counters = self.counters;
        counters.merge(&self.transport.counters());
        counters.merge(self.ground.pairs.counters());
        let outcome = ShardOutcome {
            ledger: self.ground.ledger,
            measures,
            counters,
            late_answers: self.host.late_answers(),
            idle_directives: self.idle_directives,
            events: self.events,
        };
        if let Some(wire) = self.wires.outcome.take() {
            wire.send(outcome).ok();
        }
    }

    /// When the shard has something to do next, if nothing arrives before.
    fn wake_at(&mut self) -> Time {
        if !self.ground.soon.is_empty() {
            return self.ground.now;
        }
        let directive = self.directives.peek().map(|d| d.at);
        let waits = [directive, self.ground.timers.next(), self.ground.pairs.deadline()];
        waits.into_iter().flatten().fold(self.end, Time::min)
    }

    /// Handles everything that is due or has arrived by now.
    fn turn(&mut self, inbox: &mut Vec<Inbound>) {
        self.ground.now = Time::ZERO + peerlet_core::Duration::from(self.zero.elapsed());
        if self.ground.now >= self.end {
            return inbox.clear();
        }
        self.ground.recorder.close_epoch(self.ground.now);
        while let Some(directive) = self.directives.next_if(|d| d.at <= self.ground.now) {
            self.direct(directive);
            self.settle();
        }
        while let Some(waiting) = self.ground.timers.pop_due(self.ground.now) {
            self.alarm(waiting.row, waiting.life, waiting.alarm);
            self.settle();
        }
        for inbound in inbox.drain(..) {
            self.inbound(inbound);
            self.settle();
        }
        self.ground.pairs.timer(self.ground.now);
        self.ground.pairs.flush();
        self.settle();
    }

    /// Does what the last event left to be done: what a peer does to itself, and what the pairs
    /// want.
    fn settle(&mut self) {
        for _ in 0..SOON_MAX {
            if let Some((row, life, soon)) = self.ground.soon.pop_front() {
                self.soon(row, life, soon);
            } else if let Some(effect) = self.ground.pairs.poll() {
                self.effect(effect);
            } else {
                return;
            }
        }
    }

    fn row(&self, slot: u32) -> Option<usize> {
        self.seats.binary_search(&Seat(slot)).ok()
    }

    fn soon(&mut self, row: usize, life: u32, soon: Soon) {
        match soon {
            Soon::Alarm(alarm) => self.alarm(row, life, alarm),
            Soon::Message { header, class, body } => {
                let from = Address::new(self.ground.socket, self.seats[row].0);
                self.deliver(row, from, header, class, body);
            }
        }
    }

    fn alarm(&mut self, row: usize, life: u32, alarm: Alarm) {
        if self.host.expects(row, life, &alarm) {
            self.with(row, |host, here| host.alarm(row, here, alarm));
        }
    }

    /// Lets the host handle something in the world of the peer in this row.
    fn with<R>(&mut self, row: usize, act: impl FnOnce(&mut Host, &mut Here<'_>) -> R) -> R {
        self.events += 1;
        let seats = self.ground.seats.clone();
        let mut here = Here {
            seats: SeatsNow { map: &seats, now: self.ground.now },
            ground: &mut self.ground,
            seat: self.seats[row],
            row,
            life: self.host.life(row),
            alive: self.host.state(row) == State::Running,
        };
        act(&mut self.host, &mut here)
    }

    /// Does to a seat what the environment wants.
    fn direct(&mut self, directive: Directive) {
        let Some(row) = self.row(directive.seat.0) else { return };
        let slot = directive.seat.0;
        let done = match directive.act {
            Act::Start => self.start(row),
            Act::Stop => self.stop(row),
            Act::Crash => {
                let crashed = self.host.crash(row);
                if crashed {
                    self.ground.pairs.crashed(slot);
                    self.ground.recorder.forget(directive.seat);
                }
                crashed
            }
            Act::Command(port, command) => {
                self.with(row, |host, here| host.command(row, here, port, &command))
            }
        };
        self.idle_directives += u64::from(!done);
    }

    fn start(&mut self, row: usize) -> bool {
        if self.host.state(row) == State::Running {
            return false;
        }
        let (seat, life) = (self.seats[row], self.host.life(row) + 1);
        self.ground.pairs.started(seat.0, life);
        let build = self.build.clone();
        let seats = self.ground.seats.clone();
        let now = self.ground.now;
        let seats = SeatsNow { map: &seats, now };
        self.events += 1;
        let mut here = Here { seats, ground: &mut self.ground, seat, row, life, alive: true };
        self.host.start(row, &mut here, || build(seat))
    }

    fn stop(&mut self, row: usize) -> bool {
        let stopped = self.with(row, |host, here| host.stop(row, here));
        if stopped {
            let seat = self.seats[row];
            self.ground.pairs.stopped(seat.0);
            self.ground.recorder.forget(seat);
        }
        stopped
    }

    /// Stops all peers in order.
    fn stop_all(&mut self) {
        self.ground.now = Time::ZERO + peerlet_core::Duration::from(self.zero.elapsed());
        for row in 0..self.seats.len() {
            self.stop(row);
            self.settle();
        }
        self.ground.pairs.flush();
        self.settle();
    }

    fn inbound(&mut self, inbound: Inbound) {
        let now = self.ground.now;
        match inbound {
            Inbound::Datagram { from, frame, .. } | Inbound::Stream { from, frame, .. } => {
                self.frame(from, &frame);
            }
            Inbound::LinkUp { .. } => self.link_news(&inbound),
            Inbound::LinkLost { with, why } => {
                tracing::debug!(%with, %why, "a link is lost");
                self.ground.pairs.link_lost(now, with);
                self.link_news(&inbound);
            }
            Inbound::Blocked { to } => self.ground.pairs.blocked(to),
            Inbound::Unblocked { to } => self.ground.pairs.unblocked(to),
        }
    }

    fn frame(&mut self, from: SocketAddr, bytes: &bytes::Bytes) {
        let frame = match Frame::parse(bytes) {
            Ok(frame) => frame,
            Err(error) => return self.counters.add(error.into(), 1),
        };
        if frame.tag != self.ground.tag {
            return self.counters.add(Cause::Experiment, 1);
        }
        if let Kind::Control(control) = frame.kind {
            return self.heard(from, bytes.slice_ref(control));
        }
        if self.ground.seats.socket(Seat(frame.from)) != Some(from) {
            return self.counters.add(Cause::Forged, 1);
        }
        let (class, message) = match frame.kind {
            Kind::Datagram(message) => (Class::Datagram, message),
            Kind::Control(_) => return,
            _ => match self.ground.pairs.receive(self.ground.now, from, &frame) {
                Some(message) => (Class::Reliable, message),
                None => return,
            },
        };
        let row = self.row(frame.to).filter(|row| self.host.state(*row) == State::Running);
        let Some(row) = row else {
            return self.ground.ledger.of(class).drop_for(DropCause::Stopped);
        };
        let Message { port, call, body } = message;
        let (header, body) = (Header { port: Port(port), call }, Body::encoded(body.to_vec()));
        self.deliver(row, Address::new(from, frame.from), header, class, body);
    }

    fn deliver(&mut self, row: usize, from: Address, header: Header, class: Class, body: Body) {
        if self.host.state(row) != State::Running {
            return self.ground.ledger.of(class).drop_for(DropCause::Stopped);
        }
        let done = self.with(row, |host, here| host.message(row, here, from, header, class, body));
        match done {
            Ok(()) => self.ground.ledger.of(class).delivered += 1,
            Err(_) => self.ground.ledger.of(class).drop_for(DropCause::Decode),
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Transmit { to, pair, frame } => {
                let frame = frame.into();
                self.ground.outbox.push(crate::Outbound::Stream { to, pair, frame });
            }
            Effect::Undelivered { slot, to, message, why } => {
                self.ground.ledger.of(Class::Reliable).drop_for(DropCause::Undelivered);
                let row = self.row(slot).filter(|row| self.host.state(*row) == State::Running);
                let Some(row) = row else { return };
                let header = Header { port: Port(message.port), call: message.call };
                let body = Body::encoded(message.body.to_vec());
                let told =
                    self.with(row, |host, here| host.undelivered(row, here, to, header, body, why));
                told.expect("what this process encoded it can decode");
            }
            Effect::Writable { slot, to } => {
                let ports = self.ground.refused.swap_remove(&(slot, to)).unwrap_or_default();
                let row = self.row(slot).filter(|row| self.host.state(*row) == State::Running);
                for port in row.into_iter().flat_map(|row| ports.iter().map(move |p| (row, *p))) {
                    let (row, port) = port;
                    self.with(row, |host, here| host.writable(row, here, port, to));
                }
            }
        }
    }
}
