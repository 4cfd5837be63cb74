//! What a peer has besides its peerlets: its life, its generator, and what an idle peer does
//! without.

use std::any::Any;

use peerlet_memory::prefetch_line;

use crate::address::Address;
use crate::context::TimerId;
use crate::few::Few;
use crate::random::{Rng, Seed};
use crate::runtime::{Class, Port};
use crate::time::{Duration, Time};

/// Whether a seat's peer handles events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No state: never started, or crashed.
    Absent,
    /// Stopped in order: state is there, no life.
    Stopped,
    /// It lives.
    Running,
}

/// One seat of a host, as far as events need it: half a line of the cache.
#[repr(align(32))]
pub(crate) struct Life {
    /// Which life, counted from 1; 0 before the first.
    pub(crate) number: u32,
    pub(crate) rng: Rng,
    /// How many timers, tasks and operations this life has numbered.
    serial: u32,
    pub(crate) rare: Option<Box<Rare>>,
}

/// What of a seat only its life's beginning and end change.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) state: State,
    /// Which of the host's stacks it has.
    pub(crate) stack: u16,
}

impl Standing {
    pub(crate) const NONE: Standing = Standing { state: State::Absent, stack: 0 };
}

/// How deep something is that an event needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// What every peer has.
    Life,
    /// What few peers have at most times.
    Rare,
    /// A task.
    Task,
    /// What the task is about.
    Future,
}

/// A task as its peer keeps it, the peerlet's type forgotten.
pub(crate) trait Resting: Any + Send {
    /// Asks the cache for what it is about.
    fn prefetch(&self);
}

/// What most peers do not have at most times: 8 bytes a peer while it is empty.
#[derive(Default)]
pub(crate) struct Rare {
    /// Timers taken back that are not due yet.
    cancelled: Few<u32, Time>,
    tasks: Few<u32, Tasked>,
    /// Operations of tasks that are waited for, by the life's number.
    open: Few<u32, Open>,
    pub(crate) calls: Few<u32, OpenCall>,
}

/// A task that is not over. It is taken out while it runs.
struct Tasked {
    port: Port,
    running: Option<Box<dyn Resting>>,
}

/// An operation that a task waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) task: u32,
    /// The task's own number of the operation.
    pub(crate) own: u32,
}

/// A question that waits for its answer.
pub(crate) struct OpenCall {
    pub(crate) task: u32,
    pub(crate) operation: u32,
    pub(crate) port: Port,
    pub(crate) to: Address,
    pub(crate) class: Class,
    pub(crate) within: Duration,
    pub(crate) tries_left: u32,
    /// The encoded question, while it may have to be asked again.
    pub(crate) again: Option<Vec<u8>>,
}

impl Life {
    pub(crate) fn new() -> Life {
        Life { number: 0, rng: Seed::new(0).rng(), serial: 0, rare: None }
    }

    /// Begins the next life with its own generator. Timers, tasks and calls of older lives are
    /// gone.
    pub(crate) fn begin(&mut self) {
        self.number += 1;
        self.serial = 0;
        self.rare = None;
    }

    /// Ends the life.
    pub(crate) fn end(&mut self) {
        self.rare = None;
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// A number for the next timer, task or operation.
    pub(crate) fn number_next(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    pub(crate) fn cancel(&mut self, timer: TimerId, now: Time) {
        if timer.life != self.number || timer.due < now {
            return;
        }
        let rare = self.rare();
        // Marks of timers that came due in the instant of their cancellation would stay: sweep them
        // out.
        if rare.cancelled.len() >= 64 && rare.cancelled.len().is_power_of_two() {
            rare.cancelled.retain(|_, due| *due >= now);
        }
        rare.cancelled.insert(timer.handle, timer.due);
    }

    /// Whether this timer was taken back; forgets that it was.
    #[inline]
    pub(crate) fn take_cancelled(&mut self, handle: u32) -> bool {
        self.rare.is_some() && self.forget_cancelled(handle)
    }

    #[inline(never)]
    fn forget_cancelled(&mut self, handle: u32) -> bool {
        let Some(rare) = &mut self.rare else { return false };
        let cancelled = rare.cancelled.remove(handle).is_some();
        self.tidy();
        cancelled
    }

    pub(crate) fn add_task(&mut self, port: Port, running: Box<dyn Resting>) -> u32 {
        let id = self.number_next();
        self.rare().tasks.insert(id, Tasked { port, running: Some(running) });
        id
    }

    /// The task, to run it; `None` when it is over.
    pub(crate) fn take_task(&mut self, id: u32) -> Option<(Port, Box<dyn Resting>)> {
        let task = self.rare.as_mut()?.tasks.get_mut(id)?;
        Some((task.port, task.running.take()?))
    }

    /// Puts a task back that is not over yet, unless it was aborted meanwhile.
    pub(crate) fn put_task(&mut self, id: u32, running: Box<dyn Resting>) {
        if let Some(task) = self.rare.as_mut().and_then(|rare| rare.tasks.get_mut(id)) {
            task.running = Some(running);
        }
    }

    pub(crate) fn remove_task(&mut self, id: u32) {
        if let Some(rare) = &mut self.rare {
            rare.tasks.remove(id);
            rare.open.retain(|_, open| open.task != id);
            rare.calls.retain(|_, call| call.task != id);
        }
        self.tidy();
    }

    /// Opens an operation; returns the life's number of it.
    pub(crate) fn open(&mut self, open: Open) -> u32 {
        let operation = self.number_next();
        self.rare().open.insert(operation, open);
        operation
    }

    /// Whether the operation is still waited for.
    pub(crate) fn is_open(&self, operation: u32) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.open.get(operation).is_some())
    }

    /// Closes an operation that has its answer.
    pub(crate) fn close(&mut self, operation: u32) -> Option<Open> {
        self.rare.as_mut()?.open.remove(operation)
    }

    /// Closes the operation of this description, which nobody waits for any more, and its call.
    pub(crate) fn forget(&mut self, forgotten: Open) {
        let Some(rare) = &mut self.rare else { return };
        let Some(operation) = rare.open.find(|open| *open == forgotten) else { return };
        rare.open.remove(operation);
        rare.calls.retain(|_, call| call.operation != operation);
    }

    /// Whether this task waits for anything.
    pub(crate) fn has_open(&self, task: u32) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.open.find(|open| open.task == task).is_some())
    }

    /// The question that this operation waits on.
    pub(crate) fn call_of(&self, operation: u32) -> Option<u32> {
        self.rare.as_ref()?.calls.find(|call| call.operation == operation)
    }

    /// Asks the cache for what an event of a task needs at this depth below the life: what is
    /// deeper can be found only when that has come. Tells once which peerlet the task is of.
    #[inline]
    pub(crate) fn prefetch(&self, depth: Depth) -> Option<Port> {
        let rare = self.rare.as_ref()?;
        if matches!(depth, Depth::Life | Depth::Rare) {
            (0..size_of::<Rare>().div_ceil(64)).for_each(|line| prefetch_line(&**rare, line));
            return None;
        }
        let Tasked { port, running } = rare.tasks.first()?;
        let running = running.as_ref()?;
        if depth == Depth::Task {
            prefetch_line(&**running, 0);
            return Some(*port);
        }
        running.prefetch();
        None
    }

    /// Gives the rare things back when there are none.
    pub(crate) fn tidy(&mut self) {
        let Some(rare) = &self.rare else { return };
        if rare.cancelled.is_empty() && rare.tasks.is_empty() && rare.calls.is_empty() {
            self.rare = None;
        }
    }
}
