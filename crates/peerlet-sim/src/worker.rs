//! A worker: some of the peers, and the handling of each of their events, for both engines.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use peerlet_core::runtime::{Act, Alarm, Body, Call, Class, Header, Host, Port, Registry, State};
use peerlet_core::{Address, Duration, Seat, Undelivered};
use peerlet_measure::DropCause;

use crate::books::Booked;
use crate::digest::{EventKind, fold};
use crate::event::{AddressedMessage, Delivery, Event, Key, RareEvent};
use crate::ingress::Admitted;
#[cfg(feature = "injected-bugs")]
use crate::injected_bugs::InjectedBug;
use crate::running_seats::{Planned, RunningSeats};
use crate::setup::Build;
use crate::signal::Signal;
use crate::sim_world::SimWorld;
use crate::trace::Trace;
use crate::worker_state::{Moment, WorkerState};

/// The seat that the environment counts as: no seat.
pub(crate) const ENVIRONMENT: u32 = 0;

/// The peers of one thread, which have contiguous seats.
pub(crate) struct Worker {
    pub(crate) host: Host,
    pub(crate) state: WorkerState,
    build: Arc<Build>,
    pub(crate) idle_directives: u64,
    /// Whether the reference engine has reached a cut, and handled nothing since.
    pub(crate) is_at_cut: bool,
}

impl Worker {
    pub(crate) fn new(registry: Arc<Registry>, build: Arc<Build>, state: WorkerState) -> Worker {
        let host = Host::new(registry, state.seats.len()).with_codec(state.codec);
        Worker { host, state, build, idle_directives: 0, is_at_cut: true }
    }

    /// Carries out a directive while all other workers wait.
    pub(crate) fn carry_out(&mut self, planned: Planned, running_seats: &RunningSeats) {
        let (key, seat) = (Worker::key_of(&planned), planned.seat);
        let running = planned.leaves_running();
        if running == Some(true) {
            running_seats.set_running(seat, true);
        }
        self.direct(key, planned.act);
        if running == Some(false) {
            running_seats.set_running(seat, false);
        }
    }

    /// Shows the handled events to the trace at once.
    pub(crate) fn show(&mut self, trace: Option<&mut Box<dyn Trace>>) {
        if let (Some(trace), Some(handled)) = (trace, &mut self.state.trace) {
            handled.drain(..).for_each(|handled| trace.handled(&handled));
        }
        if let Some(story) = &mut self.state.story {
            story.flush();
        }
    }

    /// Carries out a directive of the environment.
    pub(crate) fn direct(&mut self, key: Key, act: Act) {
        let (seat, row) = (key.seat, self.state.row(key.seat));
        if act != Act::Crash && self.state.pauses.is_paused(seat) {
            let held = self.state.pauses.hold(key, Event::Directive(act));
            debug_assert!(held.is_none(), "there is room for what the environment does");
            return;
        }
        self.state.at = key.time;
        // A directive that waited for the end of a pause was issued earlier.
        let directive = (key.round == 0).then_some(key.seq);
        let header = match act {
            Act::Command(port, _) => Some(Header { port, call: Call::None }),
            _ => None,
        };
        let (kind, done) = match act {
            Act::Start => {
                let state = self.host.state(row);
                if state != State::Running {
                    self.state.seat_states[row].set_state(State::Running, self.host.life(row) + 1);
                    #[cfg(feature = "injected-bugs")]
                    if self.state.has_bug(InjectedBug::LeakedTimer) {
                        let born = &mut self.state.seat_states[row].born;
                        *born = born.saturating_sub(1);
                    }
                }
                let build = self.build.clone();
                let (host, mut world) = self.at(key, directive);
                (EventKind::Start, host.start(row, &mut world, || build(seat)))
            }
            Act::Stop => {
                let (host, mut world) = self.at(key, directive);
                (EventKind::Stop, host.stop(row, &mut world))
            }
            Act::Crash => (EventKind::Crash, self.host.crash(row)),
            Act::Pause(time) => (EventKind::Pause, self.pause(key, time)),
            Act::Tamper(tampering) => {
                self.state.set_tampering(seat, tampering);
                (EventKind::Tamper, true)
            }
            Act::Command(port, command) => {
                let (host, mut world) = self.at(key, directive);
                let done = host.command(row, &mut world, port, &command);
                if !done {
                    self.warn_of_command(key, command.name());
                }
                (EventKind::Command, done)
            }
        };
        if !done {
            self.idle_directives += 1;
            return;
        }
        self.handled(key, kind, header);
        self.state.flush();
        // A command leaves a stopped peer stopped: it sets no level and no timer.
        if self.host.state(row) != State::Running && kind != EventKind::Tamper {
            self.state.seat_states[row].set_state(self.host.state(row), self.host.life(row));
            self.state.recorder.forget(seat);
            self.at(key, None).1.end_connections(kind == EventKind::Crash);
            self.end_pause(key);
        }
    }

    /// Says once a run that a command did nothing.
    fn warn_of_command(&self, Key { time: at, seat, .. }: Key, command: &str) {
        if !self.state.warned.command.swap(true, Ordering::Relaxed) {
            let what = "a command reached nobody: its peer has crashed, or lacks the peerlet";
            tracing::warn!(seat = seat.0, %at, command, "{what}");
        }
    }

    /// Pauses a running peer; false if it does not run, or for a duration of zero.
    fn pause(&mut self, key: Key, time: Duration) -> bool {
        let row = self.state.row(key.seat);
        if self.host.state(row) != State::Running || time == Duration::ZERO {
            return false;
        }
        let (until, born) = (key.time + time, self.state.seat_states[row].pause());
        self.state.pauses.begin(key.seat, until, born);
        let end = Key { time: until, round: 0, ..key };
        self.state.push(end, Event::Rare(Box::new(RareEvent::Resume)));
        true
    }

    /// Ends a pause by a crash: waiting events find nobody, at once and in order.
    fn end_pause(&mut self, key: Key) {
        let Some(held) = self.state.pauses.end(key.seat, None) else { return };
        for (waited, event) in held.events {
            match event {
                // Directives that waited are void.
                Event::Directive(_) => self.idle_directives += 1,
                _ => self.happen_plainly(Key { time: key.time, round: key.round, ..waited }, event),
            }
        }
    }

    /// The key of a directive.
    pub(crate) fn key_of(planned: &Planned) -> Key {
        let Planned { at, seat, seq, .. } = *planned;
        Key { time: at, round: 0, seat, source: ENVIRONMENT, seq }
    }

    /// Handles one event.
    pub(crate) fn happen(&mut self, key: Key, event: Event) {
        if !self.state.stamped {
            return self.happen_plainly(key, event);
        }
        let life = self.host.life(self.state.row(key.seat));
        let stamp = tracing::error_span!("peer", t = %key.time, seat = key.seat.0, life);
        let _entered = stamp.enter();
        self.happen_plainly(key, event);
    }

    fn happen_plainly(&mut self, key: Key, event: Event) {
        let Some(event) = self.hold(key, event) else { return };
        match event {
            Event::Plain { port, mut body } => self.plain(key, port, &mut body),
            Event::Timer { port, handle, mut body } => self.timer(key, port, handle, &mut body),
            Event::Wake { task, operation } => {
                let row = self.state.row(key.seat);
                let alarm = Alarm::Wake { task, operation };
                let life = self.host.life(row);
                if key.seq < self.state.seat_states[row].born
                    || !self.host.expects(row, life, &alarm)
                {
                    return;
                }
                let (host, mut world) = self.at(key, None);
                if let Some(header) = host.alarm(row, &mut world, alarm) {
                    self.handled(key, EventKind::Wake, Some(header));
                }
                self.state.flush();
            }
            Event::Rare(rare) => self.handle_rare(key, *rare),
            Event::Directive(act) => self.direct(key, act),
        }
    }

    /// Holds an event of a paused peer back, or drops it if there is no room; returns an event that
    /// does not wait.
    fn hold(&mut self, key: Key, event: Event) -> Option<Event> {
        if !self.state.pauses.is_paused(key.seat) {
            return Some(event);
        }
        #[cfg(feature = "injected-bugs")]
        if self.state.loses(key.seat, &event) {
            return None;
        }
        let goes_on = |rare: &RareEvent| match rare {
            // Messages pass the network's receiving side first; handshakes are between sockets.
            RareEvent::Message(_)
            | RareEvent::Signal(Signal::Handshake(_))
            | RareEvent::Resume
            | RareEvent::Later(..) => true,
            RareEvent::Signal(_) | RareEvent::Writable { .. } | RareEvent::Undelivered { .. } => {
                false
            }
        };
        match event {
            Event::Rare(rare) if goes_on(&rare) => Some(Event::Rare(rare)),
            Event::Directive(_) => Some(event),
            _ if !self.is_worth_holding(&key, &event) => None,
            _ => {
                if self.state.pauses.hold(key, event).is_some() {
                    self.state.ledger.datagram.drop_for(DropCause::Queue);
                }
                None
            }
        }
    }

    /// Ends a peer's pause that is over now: waiting events fall on this instant, in order, in as
    /// many rounds as that takes. False if there is no such pause.
    fn resume(&mut self, key: Key) -> bool {
        let Some(held) = self.state.pauses.end(key.seat, Some(key.time)) else { return false };
        let row = self.state.row(key.seat);
        let seat_state = &mut self.state.seat_states[row];
        seat_state.resume(held.born);
        if let Some(connections) = seat_state.connections() {
            connections.resumed = Some(key.time);
        }
        let (mut round, mut last) = (key.round, (key.source, key.seq));
        for (waited, event) in held.events {
            let rank = (waited.source, waited.seq);
            round += u32::from(rank <= last);
            last = rank;
            self.state.push(Key { time: key.time, round, ..waited }, event);
        }
        true
    }

    /// Handles a plain datagram.
    fn plain(&mut self, key: Key, port: Port, body: &mut Body) {
        if self.host.state(self.state.row(key.seat)) != State::Running {
            return self.state.ledger.datagram.drop_for(DropCause::Stopped);
        }
        let from = Address::simulated(Seat(key.source - 1));
        self.deliver(key, from, Header { port, call: Call::None }, Class::Datagram, body, 0);
        self.state.flush();
    }

    /// Delivers a message to its peerlet, whose peer runs; false if it could not be handled.
    fn deliver(
        &mut self,
        key: Key,
        from: Address,
        header: Header,
        class: Class,
        body: &mut Body,
        payload: u64,
    ) -> bool {
        let row = self.state.row(key.seat);
        let (host, mut world) = self.at(key, None);
        let Header { port, call } = header;
        let deliver = Booked::new(EventKind::Deliver, key.source, key.seq);
        let class_of = Some(class);
        world.book::<true>(Booked { port: Some(port), call, payload, class: class_of, ..deliver });
        let is_handled = host.message(row, &mut world, from, header, class, body).is_ok();
        if !is_handled {
            world.strike_out(class_of);
        }
        is_handled
    }

    /// Handles a due timer.
    fn timer(&mut self, key: Key, port: Port, handle: u32, body: &mut Body) {
        let row = self.state.row(key.seat);
        // It is a timer of an older life.
        if key.seq < self.state.seat_states[row].born {
            return;
        }
        let (host, mut world) = self.at(key, None);
        world.book::<true>(Booked::timer(key.source, key.seq, port));
        if !host.timer(row, &mut world, port, handle, body) {
            world.strike_out(None);
        }
        self.state.flush();
    }

    #[inline(never)]
    fn handle_rare(&mut self, key: Key, rare: RareEvent) {
        let (seat, row) = (key.seat, self.state.row(key.seat));
        match rare {
            RareEvent::Message(message) => self.arrive(key, message),
            // Events of this instant still wait, behind those before.
            RareEvent::Resume if key.round == 0 => {
                self.state.push(Key { round: 1, ..key }, Event::Rare(Box::new(RareEvent::Resume)));
            }
            RareEvent::Resume => {
                if self.resume(key) {
                    self.handled(key, EventKind::Resume, None);
                }
            }
            RareEvent::Later(key, event) => self.state.push(key, event),
            RareEvent::Signal(signal) => {
                let source = Seat(key.source - 1);
                self.at(key, None).1.handle_signal(source, signal);
            }
            RareEvent::Writable { life, port, to } => {
                let is_writable =
                    |worker: &mut Worker| worker.at(key, None).1.is_writable((to, life), port);
                if !self.lives(seat, life) || !is_writable(self) {
                    return;
                }
                let (host, mut world) = self.at(key, None);
                host.writable(row, &mut world, port, to);
                self.handled(key, EventKind::Writable, Some(Header { port, call: Call::None }));
            }
            RareEvent::Undelivered { life, to, header, body, why } => {
                if !self.lives(seat, life) {
                    return;
                }
                if let Some(source) = self.state.running_seats.seat_at(to) {
                    let of = (header, Class::Reliable, None);
                    self.tell_message(key, (EventKind::Undelivered, source), of, &body);
                }
                let (host, mut world) = self.at(key, None);
                if host.undelivered(row, &mut world, to, header, body, why).is_ok() {
                    self.handled(key, EventKind::Undelivered, Some(header));
                }
            }
        }
        self.state.flush();
    }

    fn lives(&self, seat: Seat, life: u32) -> bool {
        let row = self.state.row(seat);
        self.host.state(row) == State::Running && self.host.life(row) == life
    }

    /// A message arrives: it passes the receiving side of the network, then reaches the current
    /// life.
    fn arrive(&mut self, key: Key, mut message: AddressedMessage) {
        let seat = key.seat;
        let row = self.state.row(seat);
        let Some(source) = self.state.running_seats.seat_at(message.from) else { return };
        match self.at(key, None).1.enter(source, &mut message) {
            Admitted::Now => {}
            Admitted::Later(time) => {
                let key = Key { time, round: 0, ..key };
                return self.state.push(key, Event::message(message));
            }
            Admitted::Never(cause) => {
                return self.turn_away(key, source, message, cause, Undelivered::Timeout);
            }
        }
        if message.delivery == Delivery::Datagram && !self.at(key, None).1.has_met(source) {
            // It overtook the end of the handshake, and cannot be decrypted yet.
            return self.turn_away(key, source, message, DropCause::Loss, Undelivered::Timeout);
        }
        if let Some(until) = self.state.pauses.until(seat) {
            if self.at(key, None).1.gives_up(source, &message, until) {
                let (cause, why) = (DropCause::Undelivered, Undelivered::Timeout);
                return self.turn_away(key, source, message, cause, why);
            }
            message.accepted = true;
            if let Some(refused) = self.state.pauses.hold(key, Event::message(message)) {
                self.tell_refused(key, source, refused);
                self.state.ledger.datagram.drop_for(DropCause::Queue);
            }
            return;
        }
        let (state, life) = (self.host.state(row), self.host.life(row));
        let expected = match message.delivery {
            Delivery::Connection { life, .. }
            | Delivery::Loopback { class: Class::Reliable, life } => life,
            Delivery::Datagram | Delivery::Loopback { class: Class::Datagram, .. } => life,
        };
        let (cause, why) = match state {
            State::Running if life == expected => return self.let_in(key, source, message),
            #[cfg(feature = "injected-bugs")]
            State::Running if message.accepted && self.state.has_bug(InjectedBug::LifeMixUp) => {
                return self.let_in(key, source, message);
            }
            State::Running => (DropCause::OldLife, Undelivered::Reset),
            State::Stopped => (DropCause::Stopped, Undelivered::Reset),
            // A crashed peer is silent: the sender retries until its timeout.
            State::Absent => {
                if let Some(time) = self.at(key, None).1.finds_nobody(source, &message) {
                    let key = Key { time, round: 0, ..key };
                    return self.state.push(key, Event::message(message));
                }
                (DropCause::Stopped, Undelivered::Timeout)
            }
        };
        self.turn_away(key, source, message, cause, why);
    }

    /// Accepts a message for the current life.
    fn let_in(&mut self, key: Key, source: Seat, message: AddressedMessage) {
        let (row, class) = (self.state.row(key.seat), message.delivery.class());
        if !message.delivery.is_message() {
            return self.at(key, None).1.take_part(key, source, message);
        }
        let AddressedMessage { from, header, mut body, payload, delivery, size, .. } = message;
        self.at(key, None).1.message_came(source, delivery);
        self.tell_message(key, (EventKind::Deliver, source), (header, class, Some(size)), &body);
        if self.deliver(key, from, header, class, &mut body, payload)
            && let Some(payloads) = self.state.payloads.get_mut(row)
        {
            *payloads = fold(*payloads, payload);
        }
    }

    /// Drops a message that was not admitted or found nobody; the sender of a reliable one will be
    /// told.
    fn turn_away(
        &mut self,
        key: Key,
        source: Seat,
        message: AddressedMessage,
        cause: DropCause,
        why: Undelivered,
    ) {
        if message.delivery.is_message() {
            self.tell_turned_away(key, source, &message, cause);
            self.state.ledger.of(message.delivery.class()).drop_for(cause);
        }
        self.at(key, None).1.send_back(source, message, why);
    }

    /// Books a handled event: one for a peerlet or, without a header, one for the whole peer.
    pub(crate) fn handled(&mut self, key: Key, kind: EventKind, header: Option<Header>) {
        let (port, call) = header.map(|header| (header.port, header.call)).unzip();
        let (booked, call) = (Booked::new(kind, key.source, key.seq), call.unwrap_or_default());
        self.at(key, None).1.book::<true>(Booked { port, call, ..booked });
    }

    /// The host, and the world of one peer during one event.
    pub(crate) fn at(&mut self, key: Key, directive: Option<u64>) -> (&mut Host, SimWorld<'_>) {
        let now = Moment { time: key.time, round: key.round };
        self.state.at = key.time;
        (&mut self.host, SimWorld::new(&mut self.state, key.seat, now, directive))
    }
}
