//! The run: from cut to cut, event by event.

use std::cell::Ref;
use std::iter::Peekable;

use peerlet_core::{
    Act, Alarm, Class, Directive, Duration, Host, Peerlet, Seat, Seed, State, Time, Undelivered,
};
use peerlet_measure::{DropCause, Epochs, MetricEntry, Recorder};

use crate::digest::{Digest, EventKind, SeatDigest, fold};
use crate::entry::Entry;
use crate::fabric::{ENVIRONMENT, Fabric, Moment};
use crate::here::Here;
use crate::outcome::{Outcome, RunError};
use crate::queue::{Event, Key, Letter, Way};
use crate::setup::{Build, Setup, SetupError};
use crate::trace::{Handled, Trace};

/// A run in virtual time.
///
/// [`run`](Simulation::run) goes through to the end; [`run_until`](Simulation::run_until) stops at
/// an instant, at which every peerlet may be [looked at](Simulation::peerlet).
pub struct Simulation {
    host: Host,
    fabric: Fabric,
    build: Build,
    directives: Peekable<Box<dyn Iterator<Item = Directive> + Send>>,
    /// How many events the environment made.
    directed: u64,
    edges: Peekable<std::vec::IntoIter<Time>>,
    now: Time,
    end: Time,
    events: u64,
    idle_directives: u64,
    /// Whether somebody was warned of a command that found no peerlet.
    warned: bool,
    trace: Option<Box<dyn Trace>>,
    /// Whether somebody asked for logs (`-v`), so that they are worth a stamp an event.
    stamped: bool,
}

impl Simulation {
    /// A simulation of these seats, to which the environment does this, in order.
    ///
    /// # Errors
    /// When a stack cannot run, or needs what no simulation gives.
    pub fn new(
        setup: Setup,
        directives: impl IntoIterator<Item = Directive, IntoIter: Send + 'static>,
    ) -> Result<Simulation, SetupError> {
        let registry = setup.registry()?;
        let end = Time::ZERO + setup.duration;
        let epochs = Epochs::new(setup.epoch, setup.from..end)?;
        let edges: Vec<Time> = epochs.edges().collect();
        let recorder = Recorder::new(MetricEntry::table(&registry), epochs);
        let (seed, timeout) = (Seed::new(setup.seed), setup.connection_timeout);
        let fabric = Fabric::new(seed, setup.model, setup.seats, recorder, setup.wire, timeout);
        let directives: Box<dyn Iterator<Item = Directive> + Send> =
            Box::new(directives.into_iter());
        Ok(Simulation {
            host: Host::new(registry, setup.seats as usize),
            fabric,
            build: setup.build,
            directives: directives.peekable(),
            directed: 0,
            edges: edges.into_iter().peekable(),
            now: Time::ZERO,
            end,
            events: 0,
            idle_directives: 0,
            warned: false,
            trace: setup.trace,
            stamped: tracing::level_filters::LevelFilter::current() >= tracing::Level::INFO,
        })
    }

    /// The instant up to which everything has happened.
    pub fn now(&self) -> Time {
        self.now
    }

    /// How many events peers handled so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Whether the peer in this seat lives.
    pub fn state(&self, seat: Seat) -> State {
        self.host.state(seat.index())
    }

    /// The peerlet of type `P` in this seat, to look at; `None` where there is none.
    pub fn peerlet<P: Peerlet>(&self, seat: Seat) -> Option<Ref<'_, P>> {
        self.host.peerlet(seat.index())
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When a peer's events of one instant cause each other without end.
    pub fn run(mut self) -> Result<Outcome, RunError> {
        self.run_until(self.end)?;
        Ok(self.finish())
    }

    /// Runs until just before `until`, or the end if that is earlier: everything earlier has
    /// happened, nothing of that instant has.
    ///
    /// # Errors
    /// As for [`run`](Simulation::run).
    pub fn run_until(&mut self, until: Time) -> Result<(), RunError> {
        let until = until.min(self.end);
        while self.now < until {
            self.cut();
            let next = self.next_cut().min(until);
            while let Some((key, event)) = self.fabric.queue.pop_before(next) {
                self.happen(key, event);
                if let Some((seat, at)) = self.fabric.endless {
                    return Err(RunError::Endless { seat, at });
                }
            }
            self.now = next;
        }
        Ok(())
    }

    /// Ends the run here and adds everything up.
    pub fn finish(mut self) -> Outcome {
        self.fabric.count_in_flight();
        let seats = self.fabric.places.iter().fold(0, |hash, p| fold(hash, p.digest.0));
        let payloads = self.fabric.places.iter().fold(0, |hash, p| fold(hash, p.payloads));
        let measures = self.fabric.recorder.finish(self.now);
        let mut words = Vec::new();
        measures.words(&mut |word| words.push(word));
        let drops = self.fabric.ledger.drops();
        let digest = drops.iter().chain(&words).fold(seats, |hash, word| fold(hash, *word));
        if let Some(trace) = &mut self.trace {
            trace.finished(&drops, &words);
        }
        Outcome {
            digest: Digest(digest),
            payload_digest: self.fabric.wire.then_some(Digest(payloads)),
            events: self.events,
            end: self.now,
            ledger: self.fabric.ledger,
            measures,
            late_answers: self.host.late_answers(),
            idle_directives: self.idle_directives,
        }
    }

    fn next_cut(&mut self) -> Time {
        let directive = self.directives.peek().map_or(Time::MAX, |d| d.at);
        let edge = self.edges.peek().copied().unwrap_or(Time::MAX);
        directive.min(edge)
    }

    /// What is due at this instant between events: epochs close, then the environment acts.
    fn cut(&mut self) {
        let now = self.now;
        while self.edges.next_if(|edge| *edge <= now).is_some() {}
        self.fabric.recorder.close_epoch(now);
        while let Some(directive) = self.directives.next_if(|d| d.at <= now) {
            assert!(directive.at == now, "directives come in order of time");
            self.direct(directive);
        }
        self.fabric.lookahead = self.fabric.model.lookahead().max(Duration::from_nanos(1));
    }

    /// Does to a seat what the environment wants.
    fn direct(&mut self, directive: Directive) {
        let Directive { at, seat, act } = directive;
        let seats = self.fabric.places.len();
        assert!(seat.index() < seats, "a directive is for seat {seat}, there are {seats} seats");
        let seq = self.directed;
        self.directed += 1;
        let key = Key { time: at, round: 0, seat, source: ENVIRONMENT, seq };
        let row = seat.index();
        let (kind, done) = match act {
            Act::Start => {
                let state = self.host.state(row);
                if state != State::Running {
                    self.fabric.set_state(seat, State::Running, self.host.life(row) + 1);
                    self.fabric.chart.set_running(seat, true);
                }
                let build = &self.build;
                let mut here = here(&mut self.fabric, key);
                (EventKind::Start, self.host.start(row, &mut here, || build(seat)))
            }
            Act::Stop => {
                let mut here = here(&mut self.fabric, key);
                (EventKind::Stop, self.host.stop(row, &mut here))
            }
            Act::Crash => (EventKind::Crash, self.host.crash(row)),
            Act::Command(port, command) => {
                let mut here = here(&mut self.fabric, key);
                let done = self.host.command(row, &mut here, port, &command);
                if !done && !self.warned {
                    self.warned = true;
                    let command = command.name();
                    tracing::warn!(seat = seat.0, %at, command, "a command found no peerlet");
                }
                (EventKind::Command, done)
            }
        };
        if !done {
            self.idle_directives += 1;
            return;
        }
        self.handled(key, kind);
        self.fabric.flush(seat, Moment { time: at, round: 0 });
        // A command leaves a stopped peer stopped: it sets no level and no timer.
        if self.host.state(row) != State::Running {
            self.fabric.set_state(seat, self.host.state(row), self.host.life(row));
            self.fabric.chart.set_running(seat, false);
            self.fabric.recorder.forget(seat);
            self.fabric.end_links(seat, kind == EventKind::Crash);
        }
    }

    /// Lets one event happen.
    fn happen(&mut self, key: Key, event: Event) {
        let _stamp = self.stamped.then(|| {
            let life = self.host.life(key.seat.index());
            tracing::error_span!("peer", t = %key.time, seat = key.seat.0, life).entered()
        });
        let moment = Moment { time: key.time, round: key.round };
        match event {
            Event::Letter(letter) => self.arrive(key, letter),
            Event::Signal(signal) => {
                let source = Seat(key.source - 1);
                self.fabric.handle_signal(key.seat, source, moment, signal);
            }
            Event::Alarm { life, alarm } => {
                if !self.host.expects(key.seat.index(), life, &alarm) {
                    return;
                }
                let kind = match alarm {
                    Alarm::Timer { .. } => EventKind::Timer,
                    Alarm::Wake { .. } => EventKind::Wake,
                };
                self.host.alarm(key.seat.index(), &mut here(&mut self.fabric, key), alarm);
                self.handled(key, kind);
            }
            Event::Writable { life, port, to } => {
                let (seat, link) = (key.seat, (to, life));
                if !self.lives(seat, life) || !self.fabric.is_writable(seat, link, port) {
                    return;
                }
                self.host.writable(key.seat.index(), &mut here(&mut self.fabric, key), port, to);
                self.handled(key, EventKind::Writable);
            }
            Event::Undelivered { life, to, header, body, why } => {
                if !self.lives(key.seat, life) {
                    return;
                }
                let world = &mut here(&mut self.fabric, key);
                let told = self.host.undelivered(key.seat.index(), world, to, header, body, why);
                if told.is_ok() {
                    self.handled(key, EventKind::Undelivered);
                }
            }
        }
        self.fabric.flush(key.seat, moment);
    }

    fn lives(&self, seat: Seat, life: u32) -> bool {
        self.host.state(seat.index()) == State::Running && self.host.life(seat.index()) == life
    }

    /// A message arrives: past the receiving side of the network, to whoever lives there.
    fn arrive(&mut self, key: Key, mut letter: Letter) {
        let (seat, class) = (key.seat, letter.way.class());
        let Some(source) = self.fabric.chart.seat_at(letter.from) else { return };
        match self.fabric.enter(seat, source, key.time, &mut letter) {
            Entry::Open => {}
            Entry::Later(time) => {
                let key = Key { time, round: 0, ..key };
                return self.fabric.queue.push(key, Event::Letter(letter));
            }
            Entry::Closed(cause) => {
                return self.turn_away(key, source, letter, cause, Undelivered::Timeout);
            }
        }
        let (state, life) = (self.host.state(seat.index()), self.host.life(seat.index()));
        let expected = match letter.way {
            Way::Connection { life, .. } | Way::Home { class: Class::Reliable, life } => life,
            Way::Datagram | Way::Home { class: Class::Datagram, .. } => life,
        };
        match state {
            State::Running if life == expected => {}
            State::Running => {
                let (cause, why) = (DropCause::OldLife, Undelivered::Reset);
                return self.turn_away(key, source, letter, cause, why);
            }
            State::Stopped => {
                let (cause, why) = (DropCause::Stopped, Undelivered::Reset);
                return self.turn_away(key, source, letter, cause, why);
            }
            // A crashed peer is mute: its sender hears nothing, for as long as it waits.
            State::Absent => {
                let (cause, why) = (DropCause::Stopped, Undelivered::Timeout);
                return self.turn_away(key, source, letter, cause, why);
            }
        }
        let Letter { from, header, body, payload, .. } = letter;
        let world = &mut here(&mut self.fabric, key);
        match self.host.message(seat.index(), world, from, header, class, body) {
            Ok(()) => {
                self.fabric.ledger.of(class).delivered += 1;
                let place = self.fabric.place(seat);
                place.payloads = fold(place.payloads, payload);
                self.handled_with(key, EventKind::Deliver, payload);
            }
            Err(_) => self.fabric.ledger.of(class).drop_for(DropCause::Decode),
        }
    }

    /// A message was not let in or found nobody it was for: it is dropped, and if it was reliable
    /// its sender will be told.
    fn turn_away(
        &mut self,
        key: Key,
        source: Seat,
        letter: Letter,
        cause: DropCause,
        why: Undelivered,
    ) {
        self.fabric.ledger.of(letter.way.class()).drop_for(cause);
        let now = Moment { time: key.time, round: key.round };
        self.fabric.send_back(key.seat, source, now, letter, why);
    }

    /// Puts an event that was handled into the books.
    fn handled(&mut self, key: Key, kind: EventKind) {
        self.handled_with(key, kind, 0);
    }

    fn handled_with(&mut self, key: Key, kind: EventKind, payload: u64) {
        self.events += 1;
        let Key { time, round, seat, source, seq } = key;
        let life = self.host.life(seat.index());
        let event = Handled { time, round, seat, kind, source, seq, life, payload };
        let digest: &mut SeatDigest = &mut self.fabric.place(seat).digest;
        digest.add(&event);
        if let Some(trace) = &mut self.trace {
            trace.handled(&event);
        }
    }
}

/// The world of one peer during one event.
fn here(fabric: &mut Fabric, key: Key) -> Here<'_> {
    let life = fabric.place(key.seat).life;
    let now = Moment { time: key.time, round: key.round };
    Here { fabric, seat: key.seat, life, now }
}
