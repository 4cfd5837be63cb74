//! The checker: a peerlet that checks its runtime's contract from the inside, while it talks to
//! other checkers.
//!
//! It knows what any peerlet knows, the expected lives and pauses of its seat, and whether the
//! network duplicates or corrupts. It writes its observations and breaches of the contract into its
//! seat's record in the history of the run; breaches that only several records show are found at
//! the end by [verify].

mod history;
mod lower_sibling;
mod message;
mod optional_sibling;
mod tasks;
mod verify;
mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;

use peerlet_core::{
    Address, AnyPeerlet, Context, Description, Duration, Need, Peer, Peerlet, Seat, TaskId, Time,
    TimerId, Undelivered,
};

use history::{Begun, Expected, Heard, Pending, Received, Reported, SeatRecord};
pub(crate) use history::{CheckerConfig, History};
use lower_sibling::LowerSibling;
use message::{Message, Stamp};
use optional_sibling::OptionalSibling;

/// The checker of one seat.
pub(crate) struct Checker {
    history: Arc<History>,
    is_running: bool,
    inits: u32,
    starts: u32,
    stops: u32,
    /// The number of its last nudge.
    nudge: u64,
    /// The timers of this life that may be canceled, by number. Some are the sibling's.
    timers: BTreeMap<u64, TimerId>,
    /// Some canceled timers, those of older lives included.
    gone: Vec<TimerId>,
    /// The tasks of this life that may be aborted, by the number of their wait.
    sleepers: BTreeMap<u64, TaskId>,
}

/// A checker's timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    life: u32,
    number: u64,
    /// When it was set.
    set: Time,
    /// Its period, if it is periodic.
    again: Option<Duration>,
    /// How many more follow at the same instant.
    links: u32,
    /// Whether it is the sibling's.
    of_sibling: bool,
}

/// The top of a seat's stack: a checker and its siblings.
pub(crate) fn top(history: &Arc<History>, seat: Seat) -> Vec<AnyPeerlet> {
    let checker = AnyPeerlet::new(Checker::new(history.clone()));
    let mut top = vec![AnyPeerlet::new(LowerSibling::default()), checker];
    if history.has_sibling(seat) {
        top.push(AnyPeerlet::new(OptionalSibling::new(history.clone())));
    }
    top
}

/// A peer of all peerlets that may be on top of a stack, and no others.
pub(crate) fn alone(history: &Arc<History>) -> Peer {
    let (lower, checker) = (LowerSibling::default(), Checker::new(history.clone()));
    Peer::new().with(lower).with(checker).with(OptionalSibling::new(history.clone()))
}

pub(crate) fn seat_of(address: Address) -> Seat {
    Seat(address.slot())
}

impl Peerlet for Checker {
    const NAME: &'static str = "witness";
    type Message = Message;
    type Timer = Tick;

    fn describe(about: &mut Description<Self>) {
        about
            .help("holds its runtime to the contract")
            .needs(Need::Reliable)
            .uses::<LowerSibling>();
    }

    fn init(&mut self, ctx: &mut Context<Self>) {
        self.inits += 1;
        let (history, here) = (self.history.clone(), (ctx.now(), ctx.seat()));
        let below = ctx.sibling::<LowerSibling>().map(|lower| (lower.inits, lower.starts));
        let mut record = history.record(here.1);
        let holds = self.inits == 1 && !self.is_running && below == Some((1, 0));
        record.check(holds, here, || "`init` came twice, or out of the stack's order".to_owned());
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let (history, here) = (self.history.clone(), (ctx.now(), ctx.seat()));
        let below = ctx.sibling::<LowerSibling>().map(|lower| (lower.starts, lower.stops));
        let mut record = history.record(here.1);
        let holds =
            self.inits == 1 && !self.is_running && below == Some((self.starts + 1, self.stops));
        record.check(holds, here, || {
            "`start` came to a peer that lives, before `init`, or out of the stack's order"
                .to_owned()
        });
        let ended = history.lifecycle(here.1).end_of(record.life).unwrap_or(here.0);
        record.check_overdue(ended, here.1);
        record.begin_life(Begun { at: here.0, is_new: self.starts == 0 });
        drop(record);
        (self.starts, self.is_running) = (self.starts + 1, true);
        for id in std::mem::take(&mut self.timers).into_values().take(2) {
            self.note_gone(id);
        }
        self.sleepers.clear();
        self.begin(ctx);
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        let here = self.enter(ctx, "stop");
        let below = ctx.sibling::<LowerSibling>().map(|lower| lower.stops);
        let history = self.history.clone();
        let mut record = history.record(here.1);
        record.check(below == Some(self.stops), here, || {
            "`stop` came to the lower peerlet of a stack before the upper one".to_owned()
        });
        record.stops.push(here.0);
        record.pending.clear();
        drop(record);
        (self.stops, self.is_running) = (self.stops + 1, false);
        self.leave(ctx);
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        let here = self.enter(ctx, "message");
        let from = seat_of(from);
        if !self.is_whole(here, from, &message) {
            return;
        }
        match message {
            Message::Datagram(stamp) => self.datagram(here, from, &stamp),
            Message::Reliable(stamp) => self.reliable(here, from, &stamp),
            Message::Question(stamp) => {
                self.check_order(here, from, None, stamp.at);
                let is_asked = ctx.caller().is_some();
                self.check(here, is_asked, || format!("a question of seat {from} has no caller"));
                let answer = Stamp::new(stamp.life, stamp.number, from, here.0);
                ctx.reply(Message::Answer(answer).sealed(here.1));
                self.history.record(here.1).note_other(from);
            }
            Message::Answer(_) => {
                self.check(here, false, || format!("an answer of seat {from} came as a message"));
            }
        }
        if ctx.rng().chance(0.1) {
            self.act(ctx);
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, tick: Tick) {
        let here = self.enter(ctx, "timer");
        self.check(here, !tick.of_sibling, || "a timer of a mate came to its witness".to_owned());
        match (self.tick(here, tick), tick.links) {
            (true, 0) => self.act(ctx),
            (true, links) => self.link(ctx, links - 1),
            (false, _) => {}
        }
    }

    fn undelivered(
        &mut self,
        ctx: &mut Context<Self>,
        to: Address,
        message: Message,
        _: Undelivered,
    ) {
        let here = self.enter(ctx, "undelivered message");
        let to = seat_of(to);
        let Message::Reliable(stamp) = message else {
            return self.check(here, false, || format!("{message:?} came back undelivered"));
        };
        let (history, Stamp { life, number, .. }) = (self.history.clone(), stamp);
        let mut record = history.record(here.1);
        let fits = message.is_whole(here.1) && stamp.to == to.0 && life == record.life;
        record.check(fits, here, || {
            format!("message {number} of life {life} to seat {to} came back to another life")
        });
        let last = record.returned.insert((life, to), number);
        record.check(last < Some(number), here, || {
            format!("message {number} to seat {to} came back twice, or out of order")
        });
        record.reported.push(Reported { at: here.0, to, life, number });
    }

    fn writable(&mut self, ctx: &mut Context<Self>, to: Address) {
        let here = self.enter(ctx, "room in a queue");
        let to = seat_of(to);
        let history = self.history.clone();
        let mut record = history.record(here.1);
        let was_refused = record.refused.remove(&to);
        record.check(was_refused, here, || format!("told of room to seat {to} that nobody missed"));
    }
}

impl Checker {
    fn new(history: Arc<History>) -> Checker {
        Checker {
            history,
            is_running: false,
            inits: 0,
            starts: 0,
            stops: 0,
            nudge: 0,
            timers: BTreeMap::new(),
            gone: Vec::new(),
            sleepers: BTreeMap::new(),
        }
    }

    /// Checks that any event comes to a running peer, in order of time, after all that was due
    /// earlier, and after the local events of the last one.
    fn enter(&mut self, ctx: &mut Context<Self>, what: &str) -> (Time, Seat) {
        let here @ (now, seat) = (ctx.now(), ctx.seat());
        let heard = ctx.sibling::<LowerSibling>().map(|lower| lower.heard);
        let history = self.history.clone();
        let mut record = history.record(seat);
        record
            .check(self.is_running, here, || format!("a {what} came to a peer that does not live"));
        let last = record.last;
        record.check(last <= now, here, || format!("a {what} came at {now}, after one at {last}"));
        record.last = now;
        record.check(heard == Some(self.nudge), here, || {
            format!("a {what} came before a sibling heard of what happened in the event before")
        });
        record.check_overdue(now, seat);
        here
    }

    fn check(&self, here: (Time, Seat), holds: bool, what: impl FnOnce() -> String) {
        self.history.record(here.1).check(holds, here, what);
    }

    /// Whether a message is as it was sent; it may be damaged only if the network flips bits.
    fn is_whole(&self, here: (Time, Seat), from: Seat, message: &Message) -> bool {
        let is_whole = message.is_whole(from);
        let may_be = is_whole || self.history.config.has_damage;
        self.check(here, may_be, || format!("{message:?} came, which seat {from} never sent"));
        is_whole
    }

    fn datagram(&self, here: (Time, Seat), from: Seat, stamp: &Stamp) {
        let number = stamp.number;
        self.arrived(here, from, stamp);
        self.check_order(here, from, Some(number), stamp.at);
        let mut record = self.history.record(here.1);
        let may_come = record.seen.insert((from, number)) || self.history.config.has_copies;
        record.check(may_come, here, || format!("datagram {number} of seat {from} came twice"));
    }

    fn reliable(&self, here: (Time, Seat), from: Seat, stamp: &Stamp) {
        let Stamp { life: from_life, number, .. } = *stamp;
        self.arrived(here, from, stamp);
        self.check_order(here, from, None, stamp.at);
        let mut record = self.history.record(here.1);
        let last = record.taken.insert((from, from_life), number);
        record.check(last < Some(number), here, || {
            format!(
                "reliable message {number} of life {from_life} of seat {from} came twice, or \
                     out of order"
            )
        });
        let life = record.life;
        record.received.push(Received { at: here.0, from, from_life, number, life });
    }

    /// Checks that a message comes to its destination, after it was sent.
    fn arrived(&self, here: (Time, Seat), from: Seat, stamp: &Stamp) {
        let (now, seat) = here;
        let sent = Time::from_nanos(stamp.at);
        self.check(here, stamp.to == seat.0, || format!("a message for seat {} came", stamp.to));
        let in_time = match from == seat {
            true => self.history.lifecycle(seat).may_happen(sent, now),
            false => now > sent,
        };
        self.check(here, in_time, || format!("a message of seat {from} of {sent} came then"));
    }

    /// Checks the order of events within an instant: by source, then by the source's own numbers.
    /// Events made at that instant, and the end of a pause, are exempt.
    fn check_order(&self, here: (Time, Seat), source: Seat, number: Option<u64>, set: u64) {
        let (at, seat) = here;
        if set == at.as_nanos() || self.history.lifecycle(seat).resumes_at(at) {
            return;
        }
        let mut record = self.history.record(seat);
        let heard = record.heard.replace(Heard { at, source, number });
        let Some(last) = heard.filter(|last| last.at == at) else { return };
        let ascends = last.source < source
            || last.source == source
                && last.number.zip(number).is_none_or(|(last, number)| last <= number);
        record.check(ascends, here, || {
            format!(
                "what seat {source} made came after what seat {} made, at one instant, against \
                     the order of seats and of their numbers",
                last.source
            )
        });
    }

    /// Checks a timer; true if it may come.
    fn tick(&mut self, here: (Time, Seat), tick: Tick) -> bool {
        let (now, seat) = here;
        let Tick { life, number, set, again, .. } = tick;
        let history = self.history.clone();
        let mut record = history.record(seat);
        let present = record.life;
        record.check(life == present, here, || {
            format!("a timer of life {life} came in life {present}")
        });
        let pending = record.pending.remove(&number).filter(|_| life == present);
        record.check(pending.is_some() || life != present, here, || {
            format!("timer {number} came, which was taken back or had come")
        });
        if again.is_none() {
            self.timers.remove(&number);
        }
        let Some(Pending { due, .. }) = pending else { return false };
        record.check(history.lifecycle(seat).may_happen(due, now), here, || {
            format!("timer {number} came then, which was due at {due}")
        });
        if let Some(again) = again {
            record.expect(
                number,
                Expected::Timer,
                due + again,
                history.lifecycle(seat).latest(due + again),
            );
        }
        drop(record);
        let once = again.is_none().then_some(number);
        self.check_order(here, seat, once, set.as_nanos());
        true
    }
}

impl SeatRecord {
    fn begin_life(&mut self, begun: Begun) {
        self.life += 1;
        self.last = begun.at;
        self.begun.push(begun);
        self.pending.clear();
        self.refused.clear();
    }

    fn expect(&mut self, number: u64, what: Expected, due: Time, latest: Time) {
        self.pending.insert(number, Pending { what, due, latest });
    }

    /// Notes that a question or an answer may go reliably to this seat now.
    fn note_other(&mut self, to: Seat) {
        let number = self.sent.get(&(self.life, to)).copied().unwrap_or_default();
        self.others.insert((self.life, to, number));
    }

    /// The seat's next number.
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}
