//! Some of the peers and what becomes of each of their events, whatever engine brings them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use peerlet_core::runtime::{Act, Alarm, Body, Call, Class, Header, Host, Port, Registry, State};
use peerlet_core::{Address, Duration, Seat, Undelivered};
use peerlet_measure::DropCause;

use crate::books::Booked;
use crate::chart::Planned;
use crate::digest::{EventKind, fold};
use crate::entry::Entry;
use crate::event::{Event, Key, Letter, Rest, Way};
use crate::fabric::{Fabric, Moment};
use crate::here::Here;
use crate::link::Signal;
#[cfg(feature = "planted")]
use crate::planted::Planted;
use crate::setup::Build;

/// The seat that the environment counts as: no seat.
const ENVIRONMENT: u32 = 0;

/// The peers of one thread, in one run of seats.
pub(crate) struct Worker {
    pub(crate) host: Host,
    pub(crate) fabric: Fabric,
    build: Arc<Build>,
    pub(crate) idle_directives: u64,
}

impl Worker {
    pub(crate) fn new(registry: Arc<Registry>, build: Arc<Build>, fabric: Fabric) -> Worker {
        Worker { host: Host::new(registry, fabric.seats.len()), build, idle_directives: 0, fabric }
    }

    /// Does to a peer what the environment wants.
    pub(crate) fn direct(&mut self, key: Key, act: Act) {
        let (seat, row) = (key.seat, self.fabric.row(key.seat));
        if act != Act::Crash && self.fabric.pauses.is_paused(seat) {
            let held = self.fabric.pauses.hold(key, Event::Directive(act));
            debug_assert!(held.is_none(), "there is room for what the environment does");
            return;
        }
        self.fabric.at = key.time;
        // What waited for the end of a pause was done by the environment before.
        let doing = (key.round == 0).then_some(key.seq);
        let header = match act {
            Act::Command(port, _) => Some(Header { port, call: Call::None }),
            _ => None,
        };
        let (kind, done) = match act {
            Act::Start => {
                let state = self.host.state(row);
                if state != State::Running {
                    self.fabric.places[row].set_state(State::Running, self.host.life(row) + 1);
                    #[cfg(feature = "planted")]
                    if self.fabric.plants(Planted::LeakedTimer) {
                        let born = &mut self.fabric.places[row].born;
                        *born = born.saturating_sub(1);
                    }
                }
                let build = self.build.clone();
                let (host, mut here) = self.at(key, doing);
                (EventKind::Start, host.start(row, &mut here, || build(seat)))
            }
            Act::Stop => {
                let (host, mut here) = self.at(key, doing);
                (EventKind::Stop, host.stop(row, &mut here))
            }
            Act::Crash => (EventKind::Crash, self.host.crash(row)),
            Act::Pause(time) => (EventKind::Pause, self.pause(key, time)),
            Act::Tamper(tampering) => {
                self.fabric.set_tampering(seat, tampering);
                (EventKind::Tamper, true)
            }
            Act::Command(port, command) => {
                let (host, mut here) = self.at(key, doing);
                let done = host.command(row, &mut here, port, &command);
                if !done && !self.fabric.warned.command.swap(true, Ordering::Relaxed) {
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
        self.handled(key, kind, header);
        self.fabric.flush();
        // A command leaves a stopped peer stopped: it sets no level and no timer.
        if self.host.state(row) != State::Running && kind != EventKind::Tamper {
            self.fabric.places[row].set_state(self.host.state(row), self.host.life(row));
            self.fabric.recorder.forget(seat);
            self.at(key, None).1.end_links(kind == EventKind::Crash);
            self.end_pause(key);
        }
    }

    /// Lets a peer that lives handle nothing for so long; false when it does not, or for no time.
    fn pause(&mut self, key: Key, time: Duration) -> bool {
        let row = self.fabric.row(key.seat);
        if self.host.state(row) != State::Running || time == Duration::ZERO {
            return false;
        }
        let (until, born) = (key.time + time, self.fabric.places[row].pause());
        self.fabric.pauses.begin(key.seat, until, born);
        let end = Key { time: until, round: 0, ..key };
        self.fabric.push(end, Event::Rest(Box::new(Rest::Resume)));
        true
    }

    /// A crash ends a pause: what waited finds nobody, at once and in its order.
    fn end_pause(&mut self, key: Key) {
        let Some(held) = self.fabric.pauses.end(key.seat, None) else { return };
        for (waited, event) in held.events {
            match event {
                // Who crashes while paused never does what else was wanted of it.
                Event::Directive(_) => self.idle_directives += 1,
                _ => self.happen_plainly(Key { time: key.time, round: key.round, ..waited }, event),
            }
        }
    }

    /// Where an act of the environment stands.
    pub(crate) fn key_of(planned: &Planned) -> Key {
        let Planned { at, seat, seq, .. } = *planned;
        Key { time: at, round: 0, seat, source: ENVIRONMENT, seq }
    }

    /// Lets one event happen.
    pub(crate) fn happen(&mut self, key: Key, event: Event) {
        if !self.fabric.stamped {
            return self.happen_plainly(key, event);
        }
        let life = self.host.life(self.fabric.row(key.seat));
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
                let row = self.fabric.row(key.seat);
                let alarm = Alarm::Wake { task, operation };
                let life = self.host.life(row);
                if key.seq < self.fabric.places[row].born || !self.host.expects(row, life, &alarm) {
                    return;
                }
                let (host, mut here) = self.at(key, None);
                if let Some(header) = host.alarm(row, &mut here, alarm) {
                    self.handled(key, EventKind::Wake, Some(header));
                }
                self.fabric.flush();
            }
            Event::Rest(rest) => self.happen_rest(key, *rest),
            Event::Directive(act) => self.direct(key, act),
        }
    }

    /// Lets an event of a peer that is paused wait, or drops it where there is no room; returns
    /// those that do not wait.
    fn hold(&mut self, key: Key, event: Event) -> Option<Event> {
        if !self.fabric.pauses.is_paused(key.seat) {
            return Some(event);
        }
        #[cfg(feature = "planted")]
        if self.fabric.loses(key.seat, &event) {
            return None;
        }
        let goes_on = |rest: &Rest| match rest {
            // Of messages, the network's receiving side comes first; hands are shaken by sockets.
            Rest::Letter(_) | Rest::Signal(Signal::Handshake(_)) | Rest::Resume => true,
            Rest::Signal(_) | Rest::Writable { .. } | Rest::Undelivered { .. } => false,
        };
        match event {
            Event::Rest(rest) if goes_on(&rest) => Some(Event::Rest(rest)),
            Event::Directive(_) => Some(event),
            _ if !self.is_worth_holding(&key, &event) => None,
            _ => {
                if self.fabric.pauses.hold(key, event).is_some() {
                    self.fabric.ledger.datagram.drop_for(DropCause::Queue);
                }
                None
            }
        }
    }

    /// Ends a peer's pause that is over now: what waited falls on this instant, in its order, in as
    /// many rounds as that takes. False when there is no such pause.
    fn go_on(&mut self, key: Key) -> bool {
        let Some(held) = self.fabric.pauses.end(key.seat, Some(key.time)) else { return false };
        let row = self.fabric.row(key.seat);
        let place = &mut self.fabric.places[row];
        place.go_on(held.born);
        if let Some(links) = place.links() {
            links.resumed = Some(key.time);
        }
        let (mut round, mut last) = (key.round, (key.source, key.seq));
        for (waited, event) in held.events {
            let place = (waited.source, waited.seq);
            round += u32::from(place <= last);
            last = place;
            self.fabric.push(Key { time: key.time, round, ..waited }, event);
        }
        true
    }

    /// A datagram of the common sort arrives.
    fn plain(&mut self, key: Key, port: Port, body: &mut Body) {
        if self.host.state(self.fabric.row(key.seat)) != State::Running {
            return self.fabric.ledger.datagram.drop_for(DropCause::Stopped);
        }
        let from = Address::simulated(Seat(key.source - 1));
        self.deliver(key, from, Header { port, call: Call::None }, Class::Datagram, body, 0);
        self.fabric.flush();
    }

    /// Hands a message to its peerlet, whose peer lives; false when it could not be handled.
    fn deliver(
        &mut self,
        key: Key,
        from: Address,
        header: Header,
        class: Class,
        body: &mut Body,
        payload: u64,
    ) -> bool {
        let row = self.fabric.row(key.seat);
        let (host, mut here) = self.at(key, None);
        let Header { port, call } = header;
        let deliver = Booked::new(EventKind::Deliver, key.source, key.seq);
        let class_of = Some(class);
        here.book::<true>(Booked { port: Some(port), call, payload, class: class_of, ..deliver });
        let is_handled = host.message(row, &mut here, from, header, class, body).is_ok();
        if !is_handled {
            here.strike_out(class_of);
        }
        is_handled
    }

    /// A timer is due.
    fn timer(&mut self, key: Key, port: Port, handle: u32, body: &mut Body) {
        let row = self.fabric.row(key.seat);
        // What a peer made for itself in an older life is of no use in this one.
        if key.seq < self.fabric.places[row].born {
            return;
        }
        let (host, mut here) = self.at(key, None);
        here.book::<true>(Booked::timer(key.source, key.seq, port));
        if !host.timer(row, &mut here, port, handle, body) {
            here.strike_out(None);
        }
        self.fabric.flush();
    }

    #[inline(never)]
    fn happen_rest(&mut self, key: Key, rest: Rest) {
        let (seat, row) = (key.seat, self.fabric.row(key.seat));
        match rest {
            Rest::Letter(letter) => self.arrive(key, letter),
            // What comes at this instant still waits, behind all else.
            Rest::Resume if key.round == 0 => {
                self.fabric.push(Key { round: 1, ..key }, Event::Rest(Box::new(Rest::Resume)));
            }
            Rest::Resume => {
                if self.go_on(key) {
                    self.handled(key, EventKind::Resume, None);
                }
            }
            Rest::Signal(signal) => {
                let source = Seat(key.source - 1);
                self.at(key, None).1.handle_signal(source, signal);
            }
            Rest::Writable { life, port, to } => {
                let is_writable =
                    |worker: &mut Worker| worker.at(key, None).1.is_writable((to, life), port);
                if !self.lives(seat, life) || !is_writable(self) {
                    return;
                }
                let (host, mut here) = self.at(key, None);
                host.writable(row, &mut here, port, to);
                self.handled(key, EventKind::Writable, Some(Header { port, call: Call::None }));
            }
            Rest::Undelivered { life, to, header, body, why } => {
                if !self.lives(seat, life) {
                    return;
                }
                let (host, mut here) = self.at(key, None);
                if host.undelivered(row, &mut here, to, header, body, why).is_ok() {
                    self.handled(key, EventKind::Undelivered, Some(header));
                }
            }
        }
        self.fabric.flush();
    }

    fn lives(&self, seat: Seat, life: u32) -> bool {
        let row = self.fabric.row(seat);
        self.host.state(row) == State::Running && self.host.life(row) == life
    }

    /// A message arrives: past the receiving side of the network, to whoever lives there.
    fn arrive(&mut self, key: Key, mut letter: Letter) {
        let seat = key.seat;
        let row = self.fabric.row(seat);
        let Some(source) = self.fabric.chart.seat_at(letter.from) else { return };
        match self.at(key, None).1.enter(source, &mut letter) {
            Entry::Open => {}
            Entry::Later(time) => {
                let key = Key { time, round: 0, ..key };
                return self.fabric.push(key, Event::letter(letter));
            }
            Entry::Closed(cause) => {
                return self.turn_away(key, source, letter, cause, Undelivered::Timeout);
            }
        }
        if letter.way == Way::Datagram && !self.at(key, None).1.has_met(source) {
            // It overtook the end of the handshake, and nobody can read it yet.
            return self.turn_away(key, source, letter, DropCause::Loss, Undelivered::Timeout);
        }
        if let Some(until) = self.fabric.pauses.until(seat) {
            if self.at(key, None).1.gives_up(source, &letter, until) {
                let (cause, why) = (DropCause::Undelivered, Undelivered::Timeout);
                return self.turn_away(key, source, letter, cause, why);
            }
            letter.accepted = true;
            if self.fabric.pauses.hold(key, Event::letter(letter)).is_some() {
                self.fabric.ledger.datagram.drop_for(DropCause::Queue);
            }
            return;
        }
        let (state, life) = (self.host.state(row), self.host.life(row));
        let expected = match letter.way {
            Way::Connection { life, .. } | Way::Home { class: Class::Reliable, life } => life,
            Way::Datagram | Way::Home { class: Class::Datagram, .. } => life,
        };
        let (cause, why) = match state {
            State::Running if life == expected => return self.let_in(key, source, letter),
            #[cfg(feature = "planted")]
            State::Running if letter.accepted && self.fabric.plants(Planted::LifeMixUp) => {
                return self.let_in(key, source, letter);
            }
            State::Running => (DropCause::OldLife, Undelivered::Reset),
            State::Stopped => (DropCause::Stopped, Undelivered::Reset),
            // A crashed peer is mute: its sender goes on trying, for as long as it waits.
            State::Absent => {
                if let Some(time) = self.at(key, None).1.finds_nobody(source, &letter) {
                    let key = Key { time, round: 0, ..key };
                    return self.fabric.push(key, Event::letter(letter));
                }
                (DropCause::Stopped, Undelivered::Timeout)
            }
        };
        self.turn_away(key, source, letter, cause, why);
    }

    /// A message is for the life that is there.
    fn let_in(&mut self, key: Key, source: Seat, letter: Letter) {
        let (row, class) = (self.fabric.row(key.seat), letter.way.class());
        if !letter.way.is_message() {
            return self.at(key, None).1.take_part(key, source, letter);
        }
        let Letter { from, header, mut body, payload, way, .. } = letter;
        self.at(key, None).1.message_came(source, way);
        if self.deliver(key, from, header, class, &mut body, payload)
            && let Some(payloads) = self.fabric.payloads.get_mut(row)
        {
            *payloads = fold(*payloads, payload);
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
        if letter.way.is_message() {
            self.fabric.ledger.of(letter.way.class()).drop_for(cause);
        }
        self.at(key, None).1.send_back(source, letter, why);
    }

    /// Puts an event that was handled into the books: one for a peerlet or, without a header, one
    /// that concerns the whole peer.
    fn handled(&mut self, key: Key, kind: EventKind, header: Option<Header>) {
        let (port, call) = header.map(|header| (header.port, header.call)).unzip();
        let (booked, call) = (Booked::new(kind, key.source, key.seq), call.unwrap_or_default());
        self.at(key, None).1.book::<true>(Booked { port, call, ..booked });
    }

    /// The host, and the world of one peer during one event.
    fn at(&mut self, key: Key, doing: Option<u64>) -> (&mut Host, Here<'_>) {
        let now = Moment { time: key.time, round: key.round };
        self.fabric.at = key.time;
        (&mut self.host, Here::new(&mut self.fabric, key.seat, now, doing))
    }
}
