//! The peer as its peerlets see it.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use peerlet_memory::{Hint, Lent};
use rand::{TryCryptoRng, TryRng};

use crate::address::{Address, Contact, Seat};
use crate::column::{Column, Once, Periodic};
use crate::life::{Life, Standing, State};
use crate::location::Unwound;
use crate::metric::MetricOf;
use crate::packed_event::PackedEvent;
use crate::parcel::{Body, Call, Class, Header, Parcel, Port};
use crate::peerlet::Peerlet;
use crate::random::Rng;
use crate::refusal::{Refusal, Refused};
use crate::registry::{Registry, assert_listed};
use crate::task::{Anchor, Running, Task, TaskId};
use crate::time::{Duration, Time};
use crate::wire::{Codec, DATAGRAM_MAX};
use crate::world::{Seats, World};

/// The parts that the handlers of one peer work on, of any type.
pub struct Env<'a> {
    pub(crate) house: &'a HostShared,
    pub(crate) lives: &'a mut [Life],
    pub(crate) world: &'a mut dyn World,
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) row: u32,
    pub(crate) port: Port,
}

/// The parts that all peers of a host share.
pub(crate) struct HostShared {
    pub(crate) registry: Arc<Registry>,
    /// How the run's messages are encoded.
    pub(crate) codec: Codec,
    pub(crate) columns: Vec<Box<dyn Column>>,
    /// Where each column's rows are.
    pub(crate) hints: Vec<Hint>,
    /// The state and the stack of each row.
    pub(crate) standings: Vec<Standing>,
    /// The stacks that occur, as ports in order.
    pub(crate) stacks: Vec<Box<[Port]>>,
    /// The work left after the current handler, in order.
    pub(crate) locals: RefCell<VecDeque<Local>>,
    /// Whether there is any.
    pub(crate) has_locals: Cell<bool>,
    /// The source of the wakers of tasks.
    pub(crate) anchor: RefCell<Arc<Anchor>>,
    /// How many answers came when their time was over, but for those that were awaited later.
    pub(crate) late_answers: Cell<u64>,
    /// The innermost handler that a panic unwound through.
    pub(crate) unwound: Cell<Option<Unwound>>,
    /// Functions of the program around the run that take local events, by the events' type.
    pub(crate) taps: RefCell<Vec<Tap>>,
}

/// Takes local events for somebody outside.
pub(crate) struct Tap {
    pub(crate) event: TypeId,
    /// Whether anybody still wants them.
    pub(crate) is_wanted: Box<dyn Fn() -> bool + Send>,
    /// Takes an event of the peer in this row.
    pub(crate) take: Take,
}

type Take = Box<dyn FnMut(usize, &dyn Any) + Send>;

impl HostShared {
    #[inline(always)]
    pub(crate) fn column(&self, port: Port) -> &dyn Column {
        &*self.columns[usize::from(port.0)]
    }

    /// Asks the cache for the peerlet in this row.
    #[inline(always)]
    pub(crate) fn prefetch(&self, row: u32, port: Port) {
        if let Some(hint) = self.hints.get(usize::from(port.0)) {
            hint.prefetch(row as usize);
        }
    }

    /// The ports of the peer in this row, from the lowest of its stack.
    #[inline]
    pub(crate) fn stack(&self, row: usize) -> &[Port] {
        match self.standings[row].state {
            // A seat that was never started has no stack yet.
            State::Absent if self.stacks.is_empty() => &[],
            _ => &self.stacks[usize::from(self.standings[row].stack)],
        }
    }

    /// Whether the handler that just ran left something to do before the peer's next event.
    #[inline(always)]
    pub(crate) fn has_locals(&self) -> bool {
        self.has_locals.get()
    }

    /// Notes a handler that a panic unwinds through; the innermost is kept.
    #[cold]
    pub(crate) fn note_unwinding(&self, unwound: Unwound) {
        self.unwound.set(self.unwound.get().or(Some(unwound)));
    }

    /// Whether the program around the run takes events of this type.
    pub(crate) fn is_tapped(&self, event: TypeId) -> bool {
        self.taps.borrow().iter().any(|tap| tap.event == event)
    }

    /// Leaves something to do.
    pub(crate) fn push_local(&self, local: Local) {
        self.locals.borrow_mut().push_back(local);
        self.has_locals.set(true);
    }
}

/// Something that the peer does after the current handler, before its next event.
pub(crate) enum Local {
    /// Siblings hear of this: all of them, or the one with this port.
    Event { id: TypeId, event: Box<dyn Any + Send>, to: Option<Port> },
    /// A task was spawned and takes its first step.
    Spawned(u32),
}

impl Env<'_> {
    #[inline(always)]
    pub(crate) fn row(&self) -> usize {
        self.row as usize
    }

    /// Lets an event pass without anything being handled.
    #[cold]
    pub(crate) fn pass(&mut self, event: &mut PackedEvent) {
        self.world.pass_event(event);
        drop(event.leave());
    }

    #[inline(always)]
    pub(crate) fn life(&mut self) -> &mut Life {
        &mut self.lives[self.row as usize]
    }
}

/// The peer that waits for the answer to a question; kept to answer later with
/// [`Context::reply_to`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The peer that asked.
    pub address: Address,
    /// The caller's number of the question.
    id: u32,
    class: Class,
}

impl Caller {
    pub(crate) fn of(address: Address, call: Call, class: Class) -> Option<Caller> {
        match call {
            Call::Question(id) => Some(Caller { address, id, class }),
            Call::None | Call::Answer(_) | Call::NoAnswer(_) => None,
        }
    }
}

/// A timer that was set, for [`Context::cancel`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerId {
    pub(crate) life: u32,
    pub(crate) handle: u32,
    /// When it is due, for the first time if it is periodic.
    pub(crate) due: Time,
    /// Zero for a timer that is due once.
    pub(crate) period: Duration,
}

impl TimerId {
    /// The last time at which the timer can be due next, if it was not taken back before `now`.
    pub(crate) fn due_last(self, now: Time) -> Time {
        if self.period == Duration::ZERO || self.due > now {
            return self.due;
        }
        // A periodic timer is never early, so it is set for the first of its times after now, or
        // for one before.
        let (past, period) = ((now - self.due).as_nanos(), self.period.as_nanos());
        let ahead = period - past % period;
        Time::from_nanos(now.as_nanos().saturating_add(ahead))
    }
}

/// The peer, as one of its peerlets sees it while it handles something: clock, network, randomness,
/// siblings.
///
/// Everything a peerlet does goes through here. Nothing blocks.
pub struct Context<'a, 'e, P: Peerlet> {
    env: Lent<&'a mut Env<'e>>,
    /// The peerlet's, which is not the environment's when it acts for a sibling.
    port: Port,
    peerlet: PhantomData<fn(P)>,
}

impl<'a, 'e, P: Peerlet> Context<'a, 'e, P> {
    #[inline]
    pub(crate) fn new(env: &'a mut Env<'e>) -> Context<'a, 'e, P> {
        Context { port: env.port, env: Lent(env), peerlet: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn env(&mut self) -> &mut Env<'e> {
        &mut self.env
    }

    /// The context of the sibling with this number, which is of this type.
    pub(crate) fn acting_as(env: &'a mut Env<'e>, port: Port) -> Context<'a, 'e, P> {
        Context { env: Lent(env), port, peerlet: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn env_ref(&self) -> &Env<'e> {
        &self.env
    }

    /// The peerlet's number, the same in all processes of a run.
    pub fn port(&self) -> Port {
        self.port
    }

    /// The peer's local time. Clocks of different peers may differ.
    pub fn now(&self) -> Time {
        self.env.world.now()
    }

    /// Where this peer is reached.
    pub fn address(&self) -> Address {
        self.env.world.address()
    }

    /// Where this peer is reached, and who it is.
    pub fn contact(&self) -> Contact {
        self.env.world.contact()
    }

    /// The peer's own seat: for workloads and logs.
    pub fn seat(&self) -> Seat {
        self.env.world.seat()
    }

    /// All seats of the scenario: for workloads, which may know more than an overlay.
    pub fn seats(&self) -> &dyn Seats {
        self.env.world.seats()
    }

    /// Randomness for behavior: in simulation from (seed, seat, life), so that a run can be
    /// repeated.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.env.life().rng
    }

    /// Randomness that others must not guess: from the operating system live, from the seed in
    /// simulation.
    pub fn secret(&mut self) -> Secret<'_> {
        Secret { world: &mut *self.env.world }
    }

    /// Sends a datagram: at most [`DATAGRAM_MAX`](crate::wire::DATAGRAM_MAX) encoded bytes, which
    /// [`Codec::encoded_len`](crate::wire::Codec::encoded_len) tells; it may be lost, duplicated or
    /// reordered without notice.
    ///
    /// Over QUIC the first 64 datagrams to a peer wait for a handshake. Further ones are dropped,
    /// and the accounts say so under `queue`. Spread first messages over time, or use
    /// [`send_reliably`](Context::send_reliably), whose queue says when it is full.
    #[inline]
    pub fn send(&mut self, to: Address, message: P::Message) {
        let header = Header { port: self.port, call: Call::None };
        let codec = self.env.house.codec;
        self.env.world.send(to, header, Parcel::new(message, codec));
    }

    /// Sends a datagram to every other peer on this peer's local network, as
    /// [`send`](Context::send) does to one: any peer that lives there gets it, and each copy has a
    /// fate of its own. Nobody gets it where the network has no local networks. Declare
    /// [`Need::Broadcast`](crate::Need::Broadcast) to use it.
    pub fn broadcast(&mut self, message: P::Message) {
        let header = Header { port: self.port, call: Call::None };
        let codec = self.env.house.codec;
        self.env.world.broadcast(header, Parcel::new(message, codec));
    }

    /// Sends a message that arrives in order and without loss while the connection lives; a failure
    /// comes back as [`undelivered`](Peerlet::undelivered). Declare
    /// [`Need::Reliable`](crate::Need::Reliable) to use it.
    ///
    /// A message has at most [`MESSAGE_MAX`](crate::wire::MESSAGE_MAX) = 16 MiB encoded bytes, or
    /// the bound that the run sets instead. One above 256 KiB travels in pieces and is reassembled
    /// before it is delivered. One that is larger than the queue is accepted when the queue is
    /// empty.
    ///
    /// # Errors
    /// Hands the message back when the queue to `to` is full (256 messages or 1 MiB):
    /// [`writable`](Peerlet::writable) is called once when half of it is free and the message has
    /// room. Hands it back as well when it is too large: it will never be accepted then, and
    /// `writable` does not follow. [`try_send_reliably`](Context::try_send_reliably) says which.
    pub fn send_reliably(&mut self, to: Address, message: P::Message) -> Result<(), P::Message> {
        self.try_send_reliably(to, message).map_err(Refused::into_message)
    }

    /// Like [`send_reliably`](Context::send_reliably), and says why a message is handed back.
    ///
    /// # Errors
    /// Hands the message back with the reason: [`Refusal::QueueFull`] or [`Refusal::TooLarge`].
    pub fn try_send_reliably(
        &mut self,
        to: Address,
        message: P::Message,
    ) -> Result<(), Refused<P::Message>> {
        self.transmit(to, Call::None, Class::Reliable, message)
    }

    pub(crate) fn transmit(
        &mut self,
        to: Address,
        call: Call,
        class: Class,
        message: P::Message,
    ) -> Result<(), Refused<P::Message>> {
        let header = Header { port: self.port, call };
        let mut parcel = Parcel::new(message, self.env.house.codec);
        let size = parcel.encoded_len();
        let taken = match class {
            Class::Datagram if size > DATAGRAM_MAX => {
                Err(Refusal::TooLarge { size, max: DATAGRAM_MAX })
            }
            Class::Datagram => {
                self.env.world.send(to, header, parcel);
                return Ok(());
            }
            Class::Reliable => self.env.world.send_reliably(to, header, &mut parcel),
        };
        taken.map_err(|why| Refused { message: parcel.take_back(), why })
    }

    /// The asker, when the message being handled is a question: keep it to answer later.
    pub fn caller(&self) -> Option<Caller> {
        self.env.caller.copied()
    }

    /// Answers the question being handled, by the same class of delivery. If it is a plain message
    /// and not a question, nobody waits, and nothing is sent.
    ///
    /// An answer that finds its queue full is dropped: the caller learns it by its time-out. One
    /// that is longer than a message of its class may be (1,150 encoded bytes by datagram, 16 MiB
    /// reliably unless the run sets another bound) is dropped as well, and the caller hears at once
    /// that there will be none: [`CallError::AnswerTooLarge`](crate::CallError::AnswerTooLarge).
    /// [`try_reply`](Context::try_reply) hands it back instead.
    pub fn reply(&mut self, message: P::Message) {
        if let Some(caller) = self.env.caller.copied() {
            self.reply_to(caller, message);
        }
    }

    /// Answers a question that was kept, as [`reply`](Context::reply) does.
    pub fn reply_to(&mut self, caller: Caller, message: P::Message) {
        let Err(refused) = self.try_reply_to(caller, message) else { return };
        let Refusal::TooLarge { .. } = refused.why else { return };
        let header = Header { port: self.port, call: Call::NoAnswer(caller.id) };
        let mut nothing = Parcel::encoded(Vec::new());
        match caller.class {
            Class::Datagram => self.env.world.send(caller.address, header, nothing),
            Class::Reliable => {
                // Where the queue has no room for this either, the caller's time-out tells it.
                self.env.world.send_reliably(caller.address, header, &mut nothing).ok();
            }
        }
    }

    /// Answers the question being handled, and hands back an answer that is not accepted: the
    /// caller still waits then.
    ///
    /// # Errors
    /// Hands the answer back with the reason: [`Refusal::QueueFull`] (reliable calls only) or
    /// [`Refusal::TooLarge`]. After `QueueFull`, [`writable`](Peerlet::writable) is called with the
    /// caller's address once half of the queue is free: answer then with
    /// [`try_reply_to`](Context::try_reply_to), and the [`Caller`] that was kept.
    pub fn try_reply(&mut self, message: P::Message) -> Result<(), Refused<P::Message>> {
        match self.env.caller.copied() {
            Some(caller) => self.try_reply_to(caller, message),
            None => Ok(()),
        }
    }

    /// Answers a question that was kept, as [`try_reply`](Context::try_reply) does.
    ///
    /// # Errors
    /// As [`try_reply`](Context::try_reply).
    pub fn try_reply_to(
        &mut self,
        caller: Caller,
        message: P::Message,
    ) -> Result<(), Refused<P::Message>> {
        self.transmit(caller.address, Call::Answer(caller.id), caller.class, message)
    }

    /// Sets a timer that is due once, after `delay`.
    pub fn after(&mut self, delay: impl Into<Duration>, timer: P::Timer) -> TimerId {
        let handle = self.env.life().number_next();
        let due = self.now() + delay.into();
        self.set_timer(handle, due, Body::value(Once(timer)));
        TimerId { life: self.env.life().number, handle, due, period: Duration::ZERO }
    }

    /// Sets a periodic timer, due first after one `period`. One [`cancel`](Context::cancel) ends
    /// it.
    ///
    /// # Panics
    /// Panics when the period is zero: it would be due without end.
    #[track_caller]
    pub fn every(&mut self, period: impl Into<Duration>, timer: P::Timer) -> TimerId
    where
        P::Timer: Clone,
    {
        let period = period.into();
        assert!(
            period > Duration::ZERO,
            "a periodic timer of `{}` has period zero, so it is always due; give it a longer one",
            P::NAME
        );
        let handle = self.env.life().number_next();
        let last = self.now();
        let periodic = Periodic { value: timer, last, period, copy: P::Timer::clone };
        self.set_periodic(handle, Box::new(periodic));
        TimerId { life: self.env.life().number, handle, due: last + period, period }
    }

    /// Sets a periodic timer for its next time: one period after the last, so that it never drifts.
    pub(crate) fn set_periodic(&mut self, handle: u32, mut periodic: Box<Periodic<P::Timer>>) {
        periodic.last += periodic.period;
        self.set_timer(handle, periodic.last, Body::value(periodic));
    }

    fn set_timer(&mut self, handle: u32, due: Time, body: Body) {
        self.env.world.set_timer(due, self.port, handle, body);
    }

    /// Cancels a timer: it does not fire any more, even if it is due already and only late. A timer
    /// that has fired, was canceled before, or was set in an older life, is left alone.
    pub fn cancel(&mut self, timer: TimerId) {
        let world = &*self.env.world;
        let (now, settled, swept) = (world.now(), world.settled(), world.swept());
        self.env.life().cancel(timer, now, settled, swept);
    }

    /// Tells the siblings that hear events of type `E`; they handle it after the current handler,
    /// in stack order.
    pub fn emit<E: Send + 'static>(&mut self, event: E) {
        self.env.tell(event, None);
    }

    /// Records a value of a metric: one of [`metrics!`](crate::metrics), or a [`Metric`] that
    /// [`describe`](Peerlet::describe) named. A value of a metric with tags may be recorded [with a
    /// value for each of them](crate::Metric::tagged). NaN is not recorded.
    ///
    /// [`Metric`]: crate::Metric
    ///
    /// # Panics
    /// Panics when it is a `Metric` that `describe` does not name, or has another number of tags.
    #[inline(always)]
    #[track_caller]
    pub fn measure<M: MetricOf<P>>(&mut self, metric: M, value: f64) {
        const { assert_listed::<P, M>() };
        let registry = &self.env.house.registry;
        let (mut index, of) = if let Some((place, of)) = M::LISTED {
            (registry.metric_at(self.port, place), of)
        } else {
            let of = metric.metric();
            let index = registry.metric_of(self.port, of.name());
            let index = index.unwrap_or_else(|| unnamed(P::NAME, of.name()));
            if M::TAGGED > 0 && M::TAGGED != of.tag_count() {
                wrongly_tagged(of.name(), M::TAGGED, of.tag_count());
            }
            (index, of)
        };
        if M::TAGGED > 0 {
            index = registry.metric_cell(self.port, index, of.cell(metric.tag_values()));
        }
        if let Some(quanta) = of.quanta(value) {
            self.env.world.record(index, quanta);
        }
    }

    /// Starts a task: code that may wait, on top of the handlers. It takes its first step after the
    /// current handler.
    ///
    /// ```
    /// # use peerlet_core::*;
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Default)] struct Walk { found: u32 }
    /// # #[derive(Serialize, Deserialize)] enum Message { Next, Found(u32) }
    /// # impl Peerlet for Walk {
    /// #     const NAME: &'static str = "walk"; type Message = Message; type Timer = Nothing;
    /// #     fn start(&mut self, ctx: &mut Context<Self>) {
    /// #         let peer = ctx.address();
    /// ctx.spawn(move |walk| async move {
    ///     let answer = walk.call(peer, Message::Next).within(SECOND).tries(3).await;
    ///     if let Ok(Message::Found(found)) = answer {
    ///         walk.with(move |me, _ctx| me.found = found).await;
    ///     }
    /// });
    /// #     }
    /// # }
    /// # TestPeer::new(Walk::default()).start();
    /// ```
    pub fn spawn<F, T>(&mut self, task: F) -> TaskId
    where
        F: FnOnce(Task<P>) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        let running = Running::<P>::new(task);
        let id = self.env.life().add_task(self.port, Box::new(running));
        self.env.house.push_local(Local::Spawned(id));
        TaskId { life: self.env.life().number, id }
    }

    /// Ends a task where it waits. A task that is over, or of an older life, is left alone.
    pub fn abort(&mut self, task: TaskId) {
        if task.life == self.env.life().number {
            self.env.life().remove_task(task.id);
        }
    }
}

#[cold]
#[track_caller]
fn unnamed(peerlet: &str, metric: &str) -> ! {
    panic!(
        "`{peerlet}` does not name the metric `{metric}` in `describe`; add `about.measures(..)`"
    );
}

#[cold]
#[track_caller]
fn wrongly_tagged(metric: &str, given: usize, tags: usize) -> ! {
    panic!("`{metric}` has {tags} tags and was given {given} values; give one for each")
}

/// Randomness that others must not guess: a generator for all of `rand`.
pub struct Secret<'c> {
    world: &'c mut dyn World,
}

impl Secret<'_> {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.world.secret(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

impl TryRng for Secret<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.bits() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.bits())
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.world.secret(dst);
        Ok(())
    }
}

impl TryCryptoRng for Secret<'_> {}
