//! Tasks: code that waits, on top of the handlers.
//!
//! A task yields operations to its peer and is polled again with their answers. There is no waker,
//! no second clock and no reactor: what wakes a task is always an event of its own peer, so the
//! order of events decides the order of tasks.

mod combine;
mod operation;
mod running;

pub use combine::{join_all, race};
pub use operation::{CallError, Operation, Question, Task};
pub(crate) use running::{Answer, NoWaker, Outcome, Progress, Running};

/// A task that was spawned: what [`Context::abort`](crate::Context::abort) takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TaskId {
    pub(crate) life: u32,
    pub(crate) id: u32,
}
