//! A peerlet that holds its runtime to the contract from the inside, while it talks to its like.
//!
//! It knows what a peerlet may know, what the environment is going to do to its seat (the almanac),
//! and whether the network copies or damages. What it sees it writes into its seat's page of the
//! run's book; what does not fit the contract is noted there, and what takes several pages to see
//! is found at the end by the [verify].

mod history;
mod lower;
mod mate;
mod message;
mod tasks;
mod verify;
mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;

use peerlet_core::{
    Address, AnyPeerlet, Context, Description, Duration, Need, Peer, Peerlet, Seat, TaskId, Time,
    TimerId, Undelivered,
};

use history::{Begun, Expected, Heard, Page, Pending, Received, Reported};
pub(crate) use history::{Book, Habits};
use lower::Sill;
use mate::Mate;
use message::{Message, Stamp};

/// A witness in one seat.
pub(crate) struct Witness {
    book: Arc<Book>,
    is_running: bool,
    inits: u32,
    starts: u32,
    stops: u32,
    /// The number of its last nudge.
    nudge: u64,
    /// The timers of this life that may be taken back, by number. Some are the mate's.
    timers: BTreeMap<u64, TimerId>,
    /// Some that were taken back, those of older lives included.
    gone: Vec<TimerId>,
    /// The tasks of this life that may be ended, by the number of what they wait for.
    sleepers: BTreeMap<u64, TaskId>,
}

/// A witness's timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    life: u32,
    number: u64,
    /// When it was set.
    set: Time,
    /// How long until it comes again, if it does.
    again: Option<Duration>,
    /// How many more follow at the instant at which it comes.
    links: u32,
    /// Whether it is the mate's.
    is_mates: bool,
}

/// What is on top of a seat's stack: a witness, and whom it stands beside.
pub(crate) fn top(book: &Arc<Book>, seat: Seat) -> Vec<AnyPeerlet> {
    let witness = AnyPeerlet::new(Witness::new(book.clone()));
    let mut top = vec![AnyPeerlet::new(Sill::default()), witness];
    if book.has_mate(seat) {
        top.push(AnyPeerlet::new(Mate::new(book.clone())));
    }
    top
}

/// A peer of all that there may be on top of a stack, and nothing else.
pub(crate) fn alone(book: &Arc<Book>) -> Peer {
    let (sill, witness) = (Sill::default(), Witness::new(book.clone()));
    Peer::new().with(sill).with(witness).with(Mate::new(book.clone()))
}

pub(crate) fn seat_of(address: Address) -> Seat {
    Seat(address.slot())
}

impl Peerlet for Witness {
    const NAME: &'static str = "witness";
    type Message = Message;
    type Timer = Tick;

    fn describe(about: &mut Description<Self>) {
        about.help("holds its runtime to the contract").needs(Need::Reliable).uses::<Sill>();
    }

    fn init(&mut self, ctx: &mut Context<Self>) {
        self.inits += 1;
        let (book, here) = (self.book.clone(), (ctx.now(), ctx.seat()));
        let below = ctx.sibling::<Sill>().map(|sill| (sill.inits, sill.starts));
        let mut page = book.page(here.1);
        let holds = self.inits == 1 && !self.is_running && below == Some((1, 0));
        page.check(holds, here, || "`init` came twice, or out of the stack's order".to_owned());
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let (book, here) = (self.book.clone(), (ctx.now(), ctx.seat()));
        let below = ctx.sibling::<Sill>().map(|sill| (sill.starts, sill.stops));
        let mut page = book.page(here.1);
        let holds =
            self.inits == 1 && !self.is_running && below == Some((self.starts + 1, self.stops));
        page.check(holds, here, || {
            "`start` came to a peer that lives, before `init`, or out of the stack's order"
                .to_owned()
        });
        let ended = book.course(here.1).end_of(page.life).unwrap_or(here.0);
        page.check_overdue(ended, here.1);
        page.begin_life(Begun { at: here.0, is_new: self.starts == 0 });
        drop(page);
        (self.starts, self.is_running) = (self.starts + 1, true);
        for id in std::mem::take(&mut self.timers).into_values().take(2) {
            self.note_gone(id);
        }
        self.sleepers.clear();
        self.begin(ctx);
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        let here = self.enter(ctx, "stop");
        let below = ctx.sibling::<Sill>().map(|sill| sill.stops);
        let book = self.book.clone();
        let mut page = book.page(here.1);
        page.check(below == Some(self.stops), here, || {
            "`stop` came to the lower peerlet of a stack before the upper one".to_owned()
        });
        page.stops.push(here.0);
        page.pending.clear();
        drop(page);
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
                self.place(here, from, None, stamp.at);
                let is_asked = ctx.caller().is_some();
                self.check(here, is_asked, || format!("a question of seat {from} has no caller"));
                let answer = Stamp::new(stamp.life, stamp.number, from, here.0);
                ctx.reply(Message::Answer(answer).sealed(here.1));
                self.book.page(here.1).note_other(from);
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
        self.check(here, !tick.is_mates, || "a timer of a mate came to its witness".to_owned());
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
        let (book, Stamp { life, number, .. }) = (self.book.clone(), stamp);
        let mut page = book.page(here.1);
        let fits = message.is_whole(here.1) && stamp.to == to.0 && life == page.life;
        page.check(fits, here, || {
            format!("message {number} of life {life} to seat {to} came back to another life")
        });
        let last = page.returned.insert((life, to), number);
        page.check(last < Some(number), here, || {
            format!("message {number} to seat {to} came back twice, or out of order")
        });
        page.reported.push(Reported { at: here.0, to, life, number });
    }

    fn writable(&mut self, ctx: &mut Context<Self>, to: Address) {
        let here = self.enter(ctx, "room in a queue");
        let to = seat_of(to);
        let book = self.book.clone();
        let mut page = book.page(here.1);
        let was_refused = page.refused.remove(&to);
        page.check(was_refused, here, || format!("told of room to seat {to} that nobody missed"));
    }
}

impl Witness {
    fn new(book: Arc<Book>) -> Witness {
        Witness {
            book,
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

    /// Whatever comes, comes to a peer that lives, not before anything else, after all that was due
    /// earlier, and after what the last event left to be done.
    fn enter(&mut self, ctx: &mut Context<Self>, what: &str) -> (Time, Seat) {
        let here @ (now, seat) = (ctx.now(), ctx.seat());
        let heard = ctx.sibling::<Sill>().map(|sill| sill.heard);
        let book = self.book.clone();
        let mut page = book.page(seat);
        page.check(self.is_running, here, || format!("a {what} came to a peer that does not live"));
        let last = page.last;
        page.check(last <= now, here, || format!("a {what} came at {now}, after one at {last}"));
        page.last = now;
        page.check(heard == Some(self.nudge), here, || {
            format!("a {what} came before a sibling heard of what happened in the event before")
        });
        page.check_overdue(now, seat);
        here
    }

    fn check(&self, here: (Time, Seat), holds: bool, what: impl FnOnce() -> String) {
        self.book.page(here.1).check(holds, here, what);
    }

    /// Whether a message is what was sent; where the network flips bits, it may not be.
    fn is_whole(&self, here: (Time, Seat), from: Seat, message: &Message) -> bool {
        let is_whole = message.is_whole(from);
        let may_be = is_whole || self.book.habits.has_damage;
        self.check(here, may_be, || format!("{message:?} came, which seat {from} never sent"));
        is_whole
    }

    fn datagram(&self, here: (Time, Seat), from: Seat, stamp: &Stamp) {
        let number = stamp.number;
        self.arrived(here, from, stamp);
        self.place(here, from, Some(number), stamp.at);
        let mut page = self.book.page(here.1);
        let may_come = page.seen.insert((from, number)) || self.book.habits.has_copies;
        page.check(may_come, here, || format!("datagram {number} of seat {from} came twice"));
    }

    fn reliable(&self, here: (Time, Seat), from: Seat, stamp: &Stamp) {
        let Stamp { life: from_life, number, .. } = *stamp;
        self.arrived(here, from, stamp);
        self.place(here, from, None, stamp.at);
        let mut page = self.book.page(here.1);
        let last = page.taken.insert((from, from_life), number);
        page.check(last < Some(number), here, || {
            format!(
                "reliable message {number} of life {from_life} of seat {from} came twice, or \
                     out of order"
            )
        });
        let life = page.life;
        page.received.push(Received { at: here.0, from, from_life, number, life });
    }

    /// A message comes where it was sent to, and after it was sent.
    fn arrived(&self, here: (Time, Seat), from: Seat, stamp: &Stamp) {
        let (now, seat) = here;
        let sent = Time::from_nanos(stamp.at);
        self.check(here, stamp.to == seat.0, || format!("a message for seat {} came", stamp.to));
        let in_time = match from == seat {
            true => self.book.course(seat).may_happen(sent, now),
            false => now > sent,
        };
        self.check(here, in_time, || format!("a message of seat {from} of {sent} came then"));
    }

    /// What is no answer to the instant itself comes in the order of sources, then of their own
    /// numbers, except where a pause ends.
    fn place(&self, here: (Time, Seat), source: Seat, number: Option<u64>, set: u64) {
        let (at, seat) = here;
        if set == at.as_nanos() || self.book.course(seat).goes_on_at(at) {
            return;
        }
        let mut page = self.book.page(seat);
        let heard = page.heard.replace(Heard { at, source, number });
        let Some(last) = heard.filter(|last| last.at == at) else { return };
        let ascends = last.source < source
            || last.source == source
                && last.number.zip(number).is_none_or(|(last, number)| last <= number);
        page.check(ascends, here, || {
            format!(
                "what seat {source} made came after what seat {} made, at one instant, against \
                     the order of seats and of their numbers",
                last.source
            )
        });
    }

    /// A timer came: whether it may.
    fn tick(&mut self, here: (Time, Seat), tick: Tick) -> bool {
        let (now, seat) = here;
        let Tick { life, number, set, again, .. } = tick;
        let book = self.book.clone();
        let mut page = book.page(seat);
        let present = page.life;
        page.check(life == present, here, || {
            format!("a timer of life {life} came in life {present}")
        });
        let pending = page.pending.remove(&number).filter(|_| life == present);
        page.check(pending.is_some() || life != present, here, || {
            format!("timer {number} came, which was taken back or had come")
        });
        if again.is_none() {
            self.timers.remove(&number);
        }
        let Some(Pending { due, .. }) = pending else { return false };
        page.check(book.course(seat).may_happen(due, now), here, || {
            format!("timer {number} came then, which was due at {due}")
        });
        if let Some(again) = again {
            page.expect(
                number,
                Expected::Timer,
                due + again,
                book.course(seat).latest(due + again),
            );
        }
        drop(page);
        let once = again.is_none().then_some(number);
        self.place(here, seat, once, set.as_nanos());
        true
    }
}

impl Page {
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

    /// Something else than a numbered message may go reliably to this seat now.
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
