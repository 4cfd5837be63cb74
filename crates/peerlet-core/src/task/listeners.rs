//! The tasks of a peer that wait for local events.

use std::any::{Any, TypeId};

use peerlet_memory::Value;

use super::listening::ListenError;
use crate::life::Operated;
use crate::parcel::Port;
use crate::small_map::SmallMap;

/// How many local events the tasks of a peer may wait for at once. Each costs a look at every event
/// of its type; a request beyond fails with [`ListenError::TooMany`].
const LISTENERS_MAX: usize = 4_096;

/// The result for the task, if it waits for this event.
pub(crate) type Filter = Box<dyn FnMut(&dyn Any) -> Option<Value> + Send>;

/// An operation of a task that waits for a local event.
pub(crate) struct TaskListener {
    pub(crate) by: Operated,
    /// The peerlet that the task is of.
    pub(crate) port: Port,
    /// `None` while the request that it is to be the answer of is being made.
    pub(crate) filter: Option<Filter>,
    /// The result for the task when it does not come.
    pub(crate) fail: fn(ListenError) -> Value,
}

/// All of a peer, by the types of their events, in the order in which they began.
#[derive(Default)]
pub(crate) struct Listeners {
    by_event: SmallMap<TypeId, Vec<TaskListener>>,
    count: usize,
}

impl Listeners {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether there is no room for one more.
    pub(crate) fn is_full(&self) -> bool {
        self.count >= LISTENERS_MAX
    }

    pub(crate) fn listens(&self, event: TypeId) -> bool {
        self.by_event.get(event).is_some()
    }

    pub(crate) fn add(&mut self, event: TypeId, listener: TaskListener) {
        self.count += 1;
        match self.by_event.get_mut(event) {
            Some(listeners) => listeners.push(listener),
            None => self.by_event.insert(event, vec![listener]),
        }
    }

    /// Says what an operation waits for, now that its request is made.
    pub(crate) fn set_filter(&mut self, event: TypeId, by: Operated, filter: Filter) {
        let listeners = self.by_event.get_mut(event).into_iter().flatten();
        if let Some(listener) = listeners.into_iter().find(|listener| listener.by == by) {
            listener.filter = Some(filter);
        }
    }

    /// Takes out those of this peerlet that wait for this event, with their results.
    pub(crate) fn hear(
        &mut self,
        port: Port,
        id: TypeId,
        event: &dyn Any,
    ) -> Vec<(Operated, Value)> {
        let mut heard = Vec::new();
        let Some(listeners) = self.by_event.get_mut(id) else { return heard };
        listeners.retain_mut(|TaskListener { by, port: own, filter, .. }| {
            let filter = filter.as_mut().filter(|_| *own == port);
            let Some(value) = filter.and_then(|filter| filter(event)) else { return true };
            heard.push((*by, value));
            false
        });
        self.count -= heard.len();
        if listeners.is_empty() {
            self.by_event.remove(id);
        }
        heard
    }

    /// Takes out the listener of one operation.
    pub(crate) fn take(&mut self, by: Operated) -> Option<TaskListener> {
        let mut taken = None;
        self.by_event.retain(|_, listeners| {
            if let Some(index) = listeners.iter().position(|listener| listener.by == by) {
                taken = Some(listeners.remove(index));
            }
            !listeners.is_empty()
        });
        self.count -= usize::from(taken.is_some());
        taken
    }

    /// Drops all listeners of a task.
    pub(crate) fn remove_task(&mut self, task: u32) {
        let mut count = 0;
        self.by_event.retain(|_, listeners| {
            listeners.retain(|listener| listener.by.task != task);
            count += listeners.len();
            !listeners.is_empty()
        });
        self.count = count;
    }
}
