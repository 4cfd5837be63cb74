//! Tasks: code that waits, on top of the handlers.
//!
//! A task yields operations to its peer and is polled again with their answers. There is no second
//! clock and no reactor: what wakes a task is always an event of its own peer, so the order of
//! events decides the order of tasks.

mod board;
mod branches;
mod combine;
mod listeners;
mod listening;
mod operation;
mod question;
mod running;
mod wake;

pub use combine::{Either, JoinAll, Race, WaitSet, join_all, race, race2};
pub(crate) use listeners::{Filter, Listeners, TaskListener};
pub use listening::{ListenError, Listening, Response};
pub use operation::{Operation, Task};
pub use question::{CallError, Question};
pub(crate) use running::{Answer, Outcome, Progress, Running};
pub(crate) use wake::Anchor;

/// A task that was spawned, for [`Context::abort`](crate::Context::abort).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TaskId {
    pub(crate) life: u32,
    pub(crate) id: u32,
}
