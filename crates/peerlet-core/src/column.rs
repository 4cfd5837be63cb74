//! Where peerlets live: one column per peerlet type, one row per peer.
//!
//! A column knows its type, so one virtual call per event leads from the untyped runtime to a typed
//! handler. It is borrowed while one of its peerlets handles something; therefore siblings that
//! look up a peerlet already on the call stack get `None`.

use std::any::Any;
use std::cell::{Ref, RefCell, RefMut};

use peerlet_memory::{Hint, Table, Value, prefetch};

use crate::address::{Address, Seat};
use crate::command::Command;
use crate::context::{Context, Env};
use crate::description::{CommandHandler, Description, Listener};
use crate::location::{Handler, guarded};
use crate::packed_event::{AHEAD, PackedEvent, PackedEvents};
use crate::parcel::{Body, Undelivered};
use crate::peerlet::Peerlet;
use crate::task::{Answer, CallError, Progress, Running};
use crate::time::{Duration, Time};
use crate::wire::{Codec, DecodeError};

/// The peers of one peerlet type in one host, the type forgotten.
pub trait Column: Any + Send {
    /// The column itself, for a downcast to its type.
    fn as_any(&self) -> &dyn Any;
    /// Puts a peerlet into a row of this many.
    fn insert(&self, row: usize, rows: usize, peerlet: Box<dyn Any>);
    /// Where the rows are at present.
    fn hint(&self) -> Hint;
    /// Drops the peerlet in a row.
    fn remove(&self, row: usize);
    /// Whether the peer at hand, in this row, has a peerlet here.
    fn has(&self, row: usize) -> bool;
    /// The peerlet in a row, its type forgotten; `None` where there is none.
    fn look(&self, row: usize) -> Option<Ref<'_, dyn Any>>;
    /// The state of the peerlet in a row, as its [`Peerlet::snapshot`]; `None` where there is none.
    fn snapshot(&self, row: usize) -> Option<Option<String>>;
    /// Runs events of this column, from the first. Stops before an event that is another column's
    /// or must wait, and after one that left work to be done before the next. Moves `next` to where
    /// it stopped.
    fn run(&self, env: &mut Env<'_>, events: &mut PackedEvents<'_>);
    /// Runs the handler of the same name; so do the others.
    fn init(&self, env: &mut Env<'_>);
    /// See [`Peerlet::start`].
    fn start(&self, env: &mut Env<'_>);
    /// See [`Peerlet::stop`].
    fn stop(&self, env: &mut Env<'_>);
    /// See [`Peerlet::message`].
    fn message(&self, env: &mut Env<'_>, from: Address, body: &mut Body)
    -> Result<(), DecodeError>;
    /// See [`Peerlet::timer`]; sets the next one where it is periodic. False when it was canceled
    /// or there is no such peerlet: nothing was handled then.
    fn timer(&self, env: &mut Env<'_>, handle: u32, body: &mut Body) -> bool;
    /// See [`Peerlet::undelivered`].
    fn undelivered(
        &self,
        env: &mut Env<'_>,
        to: Address,
        body: Body,
        why: Undelivered,
    ) -> Result<(), DecodeError>;
    /// See [`Peerlet::writable`].
    fn writable(&self, env: &mut Env<'_>, to: Address);
    /// See [`Peerlet::command`].
    fn command(&self, env: &mut Env<'_>, command: &Command);
    /// Runs one of the type's listeners.
    fn hear(&self, env: &mut Env<'_>, listener: usize, event: &dyn Any);
    /// Gives the task an answer, if there is one, and lets it run as far as it gets.
    fn run_task(
        &self,
        env: &mut Env<'_>,
        id: u32,
        task: &mut dyn Any,
        answer: Option<Answer>,
    ) -> Progress;
    /// A message of this type as JSON, for a trace; `None` where it cannot be decoded.
    fn json(&self, body: &Body, codec: Codec) -> Option<String>;
    /// Makes the result of a task's call, `Ok` of a message of this type, from the message.
    fn answer(&self, body: &mut Body, codec: Codec) -> Result<Value, DecodeError>;
}

/// The column of peerlets of type `P`.
pub(crate) struct Rows<P: Peerlet> {
    cells: RefCell<Table<Option<P>>>,
    listeners: Vec<Listener<P>>,
    /// The commands that have handlers of their own.
    commands: Vec<(&'static str, CommandHandler<P>)>,
}

/// The content of the body of a timer that is due once.
pub(crate) struct Once<T>(pub(crate) T);

/// The content of the body of a periodic timer, in one box for all its times.
pub(crate) struct Periodic<T> {
    pub(crate) value: T,
    /// When it was due last, by the peer's clock.
    pub(crate) last: Time,
    pub(crate) period: Duration,
    pub(crate) copy: fn(&T) -> T,
}

/// A timer's value, out of its body.
enum Due<T> {
    Once(T),
    Periodic(Box<Periodic<T>>),
}

impl<T: Send + 'static> Due<T> {
    #[inline(always)]
    fn of(body: &mut Body) -> Due<T> {
        match body.extract() {
            Some(Once(timer)) => Due::Once(timer),
            None => Due::Periodic(body.extract().expect("a timer comes to its own port")),
        }
    }

    /// Runs its handler; a periodic one is set for its next time first.
    #[inline(always)]
    fn happen<P: Peerlet<Timer = T>>(self, me: &mut P, ctx: &mut Context<'_, '_, P>, handle: u32) {
        let timer = match self {
            Due::Once(timer) => timer,
            Due::Periodic(periodic) => {
                let timer = (periodic.copy)(&periodic.value);
                ctx.set_periodic(handle, periodic);
                timer
            }
        };
        me.timer(ctx, timer);
    }
}

impl<P: Peerlet> Rows<P> {
    pub(crate) fn new() -> Rows<P> {
        let about = Description::<P>::of();
        let listeners = about.listeners.into_iter().map(|(_, listener)| listener).collect();
        Rows { cells: RefCell::new(Table::with_room(0)), listeners, commands: about.handlers }
    }

    /// The peerlet in this row; `None` where there is none or the column is in use.
    pub(crate) fn borrow_mut(&self, row: usize) -> Option<RefMut<'_, P>> {
        let cells = self.cells.try_borrow_mut().ok()?;
        RefMut::filter_map(cells, |cells| cells.get_mut(row)?.as_mut()).ok()
    }

    /// The peerlet in this row, to look at.
    pub(crate) fn borrow(&self, row: usize) -> Option<Ref<'_, P>> {
        let cells = self.cells.try_borrow().ok()?;
        Ref::filter_map(cells, |cells| cells.get(row)?.as_ref()).ok()
    }

    /// Hands a message to the peerlet in its row. Every message comes this way, alone or among
    /// many, so that what is not handled is the same for all.
    #[inline(always)]
    fn deliver(
        cell: Option<&mut Option<P>>,
        env: &mut Env<'_>,
        from: Address,
        body: &mut Body,
    ) -> Result<(), DecodeError> {
        let Some(Some(me)) = cell else { return Err(DecodeError::NoPeerlet) };
        guarded(env, P::NAME, Handler::Message, |env| {
            let message = body.message(env.house.codec)?;
            me.message(&mut Context::new(env), from, message);
            Ok(())
        })
    }

    /// Hands a timer to the peerlet in its row; false when nothing was handled. Every timer comes
    /// this way, as every message comes by [`deliver`](Rows::deliver).
    #[inline(always)]
    fn ring(cell: Option<&mut Option<P>>, env: &mut Env<'_>, handle: u32, body: &mut Body) -> bool {
        let Some(Some(me)) = cell else { return false };
        if env.life().take_cancelled(handle) {
            return false;
        }
        guarded(env, P::NAME, Handler::Timer, |env| {
            Due::of(body).happen(me, &mut Context::new(env), handle);
        });
        true
    }

    /// Calls a closure on the peerlet in the environment's row, if it is there.
    pub(crate) fn with<R>(
        &self,
        env: &mut Env<'_>,
        closure: impl FnOnce(&mut P, &mut Context<'_, '_, P>) -> R,
    ) -> Option<R> {
        let mut cells = self.cells.borrow_mut();
        let me = cells.get_mut(env.row())?.as_mut()?;
        Some(guarded(env, P::NAME, Handler::Closure, |env| closure(me, &mut Context::new(env))))
    }

    /// Runs one handler on the peerlet in the environment's row, if it is there.
    #[inline]
    fn handle(
        &self,
        env: &mut Env<'_>,
        handler: Handler,
        act: impl FnOnce(&mut P, &mut Context<'_, '_, P>),
    ) {
        let mut cells = self.cells.borrow_mut();
        if let Some(me) = cells.get_mut(env.row()).and_then(Option::as_mut) {
            guarded(env, P::NAME, handler, |env| act(me, &mut Context::new(env)));
        }
    }
}

impl<P: Peerlet> Column for Rows<P> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn hint(&self) -> Hint {
        Hint::of(&self.cells.borrow())
    }

    fn insert(&self, row: usize, rows: usize, peerlet: Box<dyn Any>) {
        let mut cells = self.cells.borrow_mut();
        if cells.len() <= row {
            if cells.is_empty() {
                // Room that nobody has touched yet costs no memory, growing does.
                *cells = Table::with_room(rows);
            }
            cells.resize_with(row + 1, || None);
        }
        cells[row] = Some(*peerlet.downcast().expect("a peerlet comes to its own column"));
    }

    fn json(&self, body: &Body, codec: Codec) -> Option<String> {
        body.json::<P::Message>(codec)
    }

    fn look(&self, row: usize) -> Option<Ref<'_, dyn Any>> {
        Some(Ref::map(self.borrow(row)?, |peerlet| peerlet as &dyn Any))
    }

    fn snapshot(&self, row: usize) -> Option<Option<String>> {
        Some(self.borrow(row)?.snapshot())
    }

    fn has(&self, row: usize) -> bool {
        // Whoever keeps the column is a handler of the peer at hand, on its peerlet here.
        let cells = self.cells.try_borrow();
        cells.map_or(true, |cells| matches!(cells.get(row), Some(Some(_))))
    }

    fn remove(&self, row: usize) {
        if let Some(cell) = self.cells.borrow_mut().get_mut(row) {
            *cell = None;
        }
    }

    fn run(&self, env: &mut Env<'_>, events: &mut PackedEvents<'_>) {
        let (port, rows) = (env.port, events.rows);
        let mut cells = self.cells.borrow_mut();
        let mut next = events.next;
        while next < events.all.len() {
            let later = events.all.get(next + AHEAD).map_or(u32::MAX, |later| {
                let row = rows.of(later);
                prefetch(env.lives, row as usize);
                match later.port() == port {
                    true => cells.prefetch(row as usize),
                    false => env.house.prefetch(row, later.port()),
                }
                row
            });
            let event = &mut events.all[next];
            env.row = rows.of(event);
            if event.port() != port || !env.world.take_event(event, env.row, later) {
                break;
            }
            next += 1;
            let (cell, word) = (cells.get_mut(env.row()), event.word());
            let is_handled = match event.kind() {
                PackedEvent::DATAGRAM => {
                    let from = Address::simulated(Seat(word));
                    Rows::deliver(cell, env, from, event.body_mut()).is_ok()
                }
                _ => Rows::ring(cell, env, word, event.body_mut()),
            };
            if !is_handled {
                env.pass(event);
            }
            if env.house.has_locals() {
                break;
            }
        }
        events.next = next;
    }

    fn init(&self, env: &mut Env<'_>) {
        self.handle(env, Handler::Init, |me, ctx| me.init(ctx));
    }

    fn start(&self, env: &mut Env<'_>) {
        self.handle(env, Handler::Start, |me, ctx| me.start(ctx));
    }

    fn stop(&self, env: &mut Env<'_>) {
        self.handle(env, Handler::Stop, |me, ctx| me.stop(ctx));
    }

    fn message(
        &self,
        env: &mut Env<'_>,
        from: Address,
        body: &mut Body,
    ) -> Result<(), DecodeError> {
        Rows::deliver(self.cells.borrow_mut().get_mut(env.row()), env, from, body)
    }

    fn timer(&self, env: &mut Env<'_>, handle: u32, body: &mut Body) -> bool {
        Rows::ring(self.cells.borrow_mut().get_mut(env.row()), env, handle, body)
    }

    fn undelivered(
        &self,
        env: &mut Env<'_>,
        to: Address,
        mut body: Body,
        why: Undelivered,
    ) -> Result<(), DecodeError> {
        let message =
            guarded(env, P::NAME, Handler::Undelivered, |env| body.message(env.house.codec))?;
        self.handle(env, Handler::Undelivered, |me, ctx| me.undelivered(ctx, to, message, why));
        Ok(())
    }

    fn writable(&self, env: &mut Env<'_>, to: Address) {
        self.handle(env, Handler::Writable, |me, ctx| me.writable(ctx, to));
    }

    fn command(&self, env: &mut Env<'_>, command: &Command) {
        let own = self.commands.iter().find(|(name, _)| *name == command.name());
        self.handle(env, Handler::Command, |me, ctx| match own {
            Some((_, handler)) => handler(me, ctx, command),
            None => me.command(ctx, command),
        });
    }

    fn hear(&self, env: &mut Env<'_>, listener: usize, event: &dyn Any) {
        self.handle(env, Handler::Event, |me, ctx| self.listeners[listener](me, ctx, event));
    }

    fn run_task(
        &self,
        env: &mut Env<'_>,
        id: u32,
        task: &mut dyn Any,
        answer: Option<Answer>,
    ) -> Progress {
        let task: &mut Running<P> = task.downcast_mut().expect("a task runs in its own column");
        guarded(env, P::NAME, Handler::Task, |env| task.run(self, env, id, answer))
    }

    fn answer(&self, body: &mut Body, codec: Codec) -> Result<Value, DecodeError> {
        Ok(Value::new(Ok::<P::Message, CallError>(body.message(codec)?)))
    }
}
