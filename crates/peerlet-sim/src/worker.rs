//! Some of the peers and what becomes of each of their events, whatever engine brings them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use peerlet_core::{
    Act, Address, Alarm, Body, Call, Class, Header, Host, Port, Registry, Seat, State, Undelivered,
};
use peerlet_measure::{DropCause, Recorder};
use peerlet_memory::prefetch;

use crate::chart::Planned;
use crate::digest::{EventKind, fold};
use crate::entry::Entry;
use crate::event::{Event, Key, Letter, Rest, Way};
use crate::fabric::{Common, Fabric, Moment, Queue};
use crate::here::Here;
use crate::place::Place;
use crate::setup::Build;
use crate::trace::Handled;

/// The seat that the environment counts as: no seat.
const ENVIRONMENT: u32 = 0;

/// The peers of one thread, in one run of seats.
pub(crate) struct Worker {
    pub(crate) host: Host,
    pub(crate) fabric: Fabric,
    pub(crate) places: Vec<Place>,
    build: Arc<Build>,
    /// How many events its peers handled.
    pub(crate) events: u64,
    pub(crate) idle_directives: u64,
    /// Whether somebody was warned of a command that found no peerlet.
    warned: Arc<AtomicBool>,
    /// What was handled since somebody took it, when somebody wants to see it.
    pub(crate) trace: Option<Vec<Handled>>,
    /// Whether somebody asked for logs (`-v`), so that they are worth a stamp an event.
    stamped: bool,
}

impl Worker {
    pub(crate) fn new(
        common: Common,
        registry: Arc<Registry>,
        build: Arc<Build>,
        seats: std::ops::Range<u32>,
        recorder: Recorder,
        queue: Queue,
    ) -> Worker {
        let network = common.seed.named("network");
        let place = |seat| Place::new(network.at(u64::from(seat)));
        Worker {
            warned: common.warned.clone(),
            host: Host::new(registry, seats.len()),
            places: seats.clone().map(place).collect(),
            fabric: Fabric::new(common, seats, recorder, queue),
            build,
            events: 0,
            idle_directives: 0,
            trace: None,
            stamped: tracing::level_filters::LevelFilter::current() >= tracing::Level::INFO,
        }
    }

    /// Does to a peer what the environment wants.
    pub(crate) fn direct(&mut self, key: Key, act: Act) {
        let (seat, row) = (key.seat, self.fabric.row(key.seat));
        let (kind, done) = match act {
            Act::Start => {
                let state = self.host.state(row);
                if state != State::Running {
                    self.places[row].set_state(State::Running, self.host.life(row) + 1);
                }
                let build = self.build.clone();
                let (host, mut here) = self.at(key, row, Some(key.seq));
                (EventKind::Start, host.start(row, &mut here, || build(seat)))
            }
            Act::Stop => {
                let (host, mut here) = self.at(key, row, Some(key.seq));
                (EventKind::Stop, host.stop(row, &mut here))
            }
            Act::Crash => (EventKind::Crash, self.host.crash(row)),
            Act::Command(port, command) => {
                let (host, mut here) = self.at(key, row, Some(key.seq));
                let done = host.command(row, &mut here, port, &command);
                if !done && !self.warned.swap(true, Ordering::Relaxed) {
                    let (command, at) = (command.name(), key.time);
                    tracing::warn!(seat = seat.0, %at, command, "a command found no peerlet");
                }
                (EventKind::Command, done)
            }
        };
        if !done {
            self.idle_directives += 1;
            return;
        }
        self.handled(key, row, kind);
        self.flush(key, row);
        // A command leaves a stopped peer stopped: it sets no level and no timer.
        if self.host.state(row) != State::Running {
            self.places[row].set_state(self.host.state(row), self.host.life(row));
            self.fabric.recorder.forget(seat);
            self.at(key, row, None).1.end_links(kind == EventKind::Crash);
        }
    }

    /// Where an act of the environment stands.
    pub(crate) fn key_of(planned: &Planned) -> Key {
        let Planned { at, seat, seq, .. } = *planned;
        Key { time: at, round: 0, seat, source: ENVIRONMENT, seq }
    }

    /// Lets one event happen.
    pub(crate) fn happen(&mut self, key: Key, event: Event) {
        if !self.stamped {
            return self.happen_plainly(key, event);
        }
        let life = self.host.life(self.fabric.row(key.seat));
        let stamp = tracing::error_span!("peer", t = %key.time, seat = key.seat.0, life);
        let _entered = stamp.enter();
        self.happen_plainly(key, event);
    }

    fn happen_plainly(&mut self, key: Key, event: Event) {
        match event {
            Event::Plain { port, mut body } => self.plain(key, port, &mut body),
            Event::Timer { port, handle, mut body } => self.timer(key, port, handle, &mut body),
            Event::Wake { task, operation } => {
                let row = self.fabric.row(key.seat);
                let alarm = Alarm::Wake { task, operation };
                let life = self.host.life(row);
                if key.seq < self.places[row].born || !self.host.expects(row, life, &alarm) {
                    return;
                }
                let (host, mut here) = self.at(key, row, None);
                host.alarm(row, &mut here, alarm);
                self.handled(key, row, EventKind::Wake);
                self.flush(key, row);
            }
            Event::Rest(rest) => self.happen_rest(key, *rest),
            Event::Directive(act) => self.direct(key, act),
        }
    }

    /// Whether somebody wants each event stamped.
    #[inline(always)]
    pub(crate) fn is_stamped(&self) -> bool {
        self.stamped
    }

    /// A datagram of the common sort arrives.
    #[inline(always)]
    pub(crate) fn plain(&mut self, key: Key, port: Port, body: &mut Body) {
        let row = self.fabric.row(key.seat);
        let place = &mut self.places[row];
        if place.state != State::Running {
            return self.fabric.ledger.of(Class::Datagram).drop_for(DropCause::Stopped);
        }
        let from = Address::simulated(Seat(key.source.wrapping_sub(1)));
        let header = Header { port, call: Call::None };
        let mut here = here(&mut self.fabric, place, key, None);
        match self.host.message(row, &mut here, from, header, Class::Datagram, body) {
            Ok(()) => {
                self.fabric.ledger.datagram.delivered += 1;
                self.events = self.events.wrapping_add(1);
                handled(place, &mut self.trace, key, EventKind::Deliver, 0);
            }
            Err(_) => self.fabric.ledger.of(Class::Datagram).drop_for(DropCause::Decode),
        }
        if place.rare.is_some() {
            self.flush(key, row);
        }
    }

    /// A timer is due.
    #[inline(always)]
    pub(crate) fn timer(&mut self, key: Key, port: Port, handle: u32, body: &mut Body) {
        let row = self.fabric.row(key.seat);
        let place = &mut self.places[row];
        // What a peer made for itself in an older life is of no use in this one.
        if key.seq < place.born {
            return;
        }
        let mut here = here(&mut self.fabric, place, key, None);
        if self.host.timer(row, &mut here, port, handle, body) {
            self.events = self.events.wrapping_add(1);
            handled(place, &mut self.trace, key, EventKind::Timer, 0);
            if place.rare.is_some() {
                self.flush(key, row);
            }
        }
    }

    /// Lets depart what the event that was just handled has queued.
    #[inline(never)]
    fn flush(&mut self, key: Key, row: usize) {
        self.at(key, row, None).1.flush();
    }

    #[inline(never)]
    fn happen_rest(&mut self, key: Key, rest: Rest) {
        let (seat, row) = (key.seat, self.fabric.row(key.seat));
        match rest {
            Rest::Letter(letter) => self.arrive(key, letter),
            Rest::Signal(signal) => {
                let source = Seat(key.source - 1);
                self.at(key, row, None).1.handle_signal(source, signal);
            }
            Rest::Writable { life, port, to } => {
                let is_writable =
                    |worker: &mut Worker| worker.at(key, row, None).1.is_writable((to, life), port);
                if !self.lives(seat, life) || !is_writable(self) {
                    return;
                }
                let (host, mut here) = self.at(key, row, None);
                host.writable(row, &mut here, port, to);
                self.handled(key, row, EventKind::Writable);
            }
            Rest::Undelivered { life, to, header, body, why } => {
                if !self.lives(seat, life) {
                    return;
                }
                let (host, mut here) = self.at(key, row, None);
                if host.undelivered(row, &mut here, to, header, body, why).is_ok() {
                    self.handled(key, row, EventKind::Undelivered);
                }
            }
        }
        self.flush(key, row);
    }

    fn lives(&self, seat: Seat, life: u32) -> bool {
        let row = self.fabric.row(seat);
        self.host.state(row) == State::Running && self.host.life(row) == life
    }

    /// A message arrives: past the receiving side of the network, to whoever lives there.
    fn arrive(&mut self, key: Key, mut letter: Letter) {
        let (seat, class) = (key.seat, letter.way.class());
        let row = self.fabric.row(seat);
        let Some(source) = self.fabric.chart.seat_at(letter.from) else { return };
        match self.at(key, row, None).1.enter(source, &mut letter) {
            Entry::Open => {}
            Entry::Later(time) => {
                let key = Key { time, round: 0, ..key };
                return self.fabric.push(key, Event::letter(letter));
            }
            Entry::Closed(cause) => {
                return self.turn_away(key, source, letter, cause, Undelivered::Timeout);
            }
        }
        let (state, life) = (self.host.state(row), self.host.life(row));
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
        let Letter { from, header, mut body, payload, .. } = letter;
        let (host, mut here) = self.at(key, row, None);
        match host.message(row, &mut here, from, header, class, &mut body) {
            Ok(()) => {
                self.fabric.ledger.of(class).delivered += 1;
                if let Some(payloads) = self.fabric.payloads.get_mut(row) {
                    *payloads = fold(*payloads, payload);
                }
                self.handled_with(key, row, EventKind::Deliver, payload);
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
        let row = self.fabric.row(key.seat);
        self.at(key, row, None).1.send_back(source, letter, why);
    }

    /// Puts an event that was handled into the books.
    fn handled(&mut self, key: Key, row: usize, kind: EventKind) {
        self.handled_with(key, row, kind, 0);
    }

    fn handled_with(&mut self, key: Key, row: usize, kind: EventKind, payload: u64) {
        self.events += 1;
        handled(&mut self.places[row], &mut self.trace, key, kind, payload);
    }

    /// The host, and the world of one peer during one event.
    fn at(&mut self, key: Key, row: usize, doing: Option<u64>) -> (&mut Host, Here<'_>) {
        (&mut self.host, here(&mut self.fabric, &mut self.places[row], key, doing))
    }

    /// Asks the cache to load what an event of this peerlet needs.
    #[inline(always)]
    pub(crate) fn prefetch(&self, row: usize, port: Port) {
        prefetch(&self.places, row);
        self.host.prefetch(row, port);
    }
}

#[cold]
fn note(trace: &mut Vec<Handled>, event: Handled) {
    trace.push(event);
}

/// The world of one peer during one event.
#[inline(always)]
fn here<'a>(
    fabric: &'a mut Fabric,
    place: &'a mut Place,
    key: Key,
    doing: Option<u64>,
) -> Here<'a> {
    let now = Moment { time: key.time, round: key.round };
    Here { fabric, place, seat: key.seat, now, doing }
}

/// Puts an event that was handled into its seat's books.
#[inline(always)]
fn handled(
    place: &mut Place,
    trace: &mut Option<Vec<Handled>>,
    key: Key,
    kind: EventKind,
    payload: u64,
) {
    let Key { time, round, seat, source, seq } = key;
    let life = place.life;
    let event = Handled { time, round, seat, kind, source, seq, life, payload };
    place.digest.add(&event);
    if let Some(trace) = trace {
        note(trace, event);
    }
}
