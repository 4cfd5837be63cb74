//! Where peerlets live: one column per peerlet type, one row per peer.
//!
//! A column knows its type, so one virtual call an event leads from the untyped runtime to a typed
//! handler. It is borrowed while one of its peerlets handles something; that is what makes a
//! peerlet already on the stack answer `None` to its siblings.

use std::any::Any;
use std::cell::{Ref, RefCell, RefMut};

use peerlet_memory::Hint;

use crate::about::{About, Ear};
use crate::address::Address;
use crate::command::Command;
use crate::context::{Context, Env};
use crate::peerlet::Peerlet;
use crate::runtime::{Body, Undelivered};
use crate::task::{Answer, Progress, Running};
use crate::time::{Duration, Time};
use crate::wire::DecodeError;

/// The peers of one peerlet type in one host, the type forgotten.
pub trait Column: Any + Send {
    /// The column itself, for a downcast to its type.
    fn as_any(&self) -> &dyn Any;
    /// Puts a peerlet into a row of so many.
    fn insert(&self, row: usize, rows: usize, peerlet: Box<dyn Any>);
    /// Where the rows are at present.
    fn hint(&self) -> Hint;
    /// Drops the peerlet in a row.
    fn remove(&self, row: usize);
    /// Runs the handler of the same name; so do the others.
    fn init(&self, env: &mut Env<'_>);
    /// See [`Peerlet::start`].
    fn start(&self, env: &mut Env<'_>);
    /// See [`Peerlet::stop`].
    fn stop(&self, env: &mut Env<'_>);
    /// See [`Peerlet::message`].
    fn message(&self, env: &mut Env<'_>, from: Address, body: &mut Body)
    -> Result<(), DecodeError>;
    /// See [`Peerlet::timer`]; sets the next one where it is periodic.
    fn timer(&self, env: &mut Env<'_>, handle: u32, body: &mut Body);
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
    /// Runs one of the type's ears.
    fn hear(&self, env: &mut Env<'_>, ear: usize, event: &dyn Any);
    /// Gives the task an answer, if there is one, and lets it run as far as it gets.
    fn run_task(
        &self,
        env: &mut Env<'_>,
        id: u32,
        task: &mut dyn Any,
        answer: Option<Answer>,
    ) -> Progress;
    /// Makes the answer to a call from a message of this type.
    fn answer(&self, body: &mut Body) -> Result<Box<dyn Any + Send>, DecodeError>;
}

/// The column of peerlets of type `P`.
pub(crate) struct Rows<P: Peerlet> {
    cells: RefCell<Vec<Option<P>>>,
    ears: Vec<Ear<P>>,
}

/// What the body of a timer holds that is due once.
pub(crate) struct Once<T>(pub(crate) T);

/// What the body of a periodic timer holds, in one box for all its times.
pub(crate) struct Periodic<T> {
    pub(crate) value: T,
    /// When it was due last, by the peer's clock.
    pub(crate) last: Time,
    pub(crate) period: Duration,
    pub(crate) copy: fn(&T) -> T,
}

impl<P: Peerlet> Rows<P> {
    pub(crate) fn new() -> Rows<P> {
        let ears = About::<P>::of().ears.into_iter().map(|(_, ear)| ear).collect();
        Rows { cells: RefCell::new(Vec::new()), ears }
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

    /// Runs one handler on the peerlet in the environment's row, if it is there.
    #[inline]
    fn handle(&self, env: &mut Env<'_>, handler: impl FnOnce(&mut P, &mut Context<'_, '_, P>)) {
        let mut cells = self.cells.borrow_mut();
        if let Some(me) = cells.get_mut(env.row()).and_then(Option::as_mut) {
            handler(me, &mut Context::new(env));
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
                cells.reserve_exact(rows);
            }
            cells.resize_with(row + 1, || None);
        }
        cells[row] = Some(*peerlet.downcast().expect("a peerlet comes to its own column"));
    }

    fn remove(&self, row: usize) {
        if let Some(cell) = self.cells.borrow_mut().get_mut(row) {
            *cell = None;
        }
    }

    fn init(&self, env: &mut Env<'_>) {
        self.handle(env, |me, ctx| me.init(ctx));
    }

    fn start(&self, env: &mut Env<'_>) {
        self.handle(env, |me, ctx| me.start(ctx));
    }

    fn stop(&self, env: &mut Env<'_>) {
        self.handle(env, |me, ctx| me.stop(ctx));
    }

    fn message(
        &self,
        env: &mut Env<'_>,
        from: Address,
        body: &mut Body,
    ) -> Result<(), DecodeError> {
        let mut cells = self.cells.borrow_mut();
        let Some(Some(me)) = cells.get_mut(env.row()) else { return Err(DecodeError::NoPeerlet) };
        let message = body.message()?;
        me.message(&mut Context::new(env), from, message);
        Ok(())
    }

    fn timer(&self, env: &mut Env<'_>, handle: u32, body: &mut Body) {
        self.handle(env, |me, ctx| match body.extract::<Once<P::Timer>>() {
            Some(Once(timer)) => me.timer(ctx, timer),
            None => {
                let periodic: Box<Periodic<P::Timer>> =
                    body.extract().expect("a timer comes to its own port");
                let timer = (periodic.copy)(&periodic.value);
                ctx.set_periodic(handle, periodic);
                me.timer(ctx, timer);
            }
        });
    }

    fn undelivered(
        &self,
        env: &mut Env<'_>,
        to: Address,
        mut body: Body,
        why: Undelivered,
    ) -> Result<(), DecodeError> {
        let message = body.message()?;
        self.handle(env, |me, ctx| me.undelivered(ctx, to, message, why));
        Ok(())
    }

    fn writable(&self, env: &mut Env<'_>, to: Address) {
        self.handle(env, |me, ctx| me.writable(ctx, to));
    }

    fn command(&self, env: &mut Env<'_>, command: &Command) {
        self.handle(env, |me, ctx| me.command(ctx, command));
    }

    fn hear(&self, env: &mut Env<'_>, ear: usize, event: &dyn Any) {
        self.handle(env, |me, ctx| self.ears[ear](me, ctx, event));
    }

    fn run_task(
        &self,
        env: &mut Env<'_>,
        id: u32,
        task: &mut dyn Any,
        answer: Option<Answer>,
    ) -> Progress {
        let task: &mut Running<P> = task.downcast_mut().expect("a task runs in its own column");
        task.run(self, env, id, answer)
    }

    fn answer(&self, body: &mut Body) -> Result<Box<dyn Any + Send>, DecodeError> {
        Ok(Box::new(body.message::<P::Message>()?))
    }
}
