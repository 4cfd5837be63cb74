//! The work that handlers leave to be done before the peer's next event: local events, and the
//! first steps of tasks.

use std::any::{Any, TypeId};
use std::sync::Arc;

use crate::address::Seat;
use crate::context::Local;
use crate::host::Host;
use crate::location::{Handler, RowGuard};
use crate::parcel::Port;
use crate::registry::Entry;
use crate::task::{Answer, Outcome};
use crate::time::Time;
use crate::world::World;

/// How many local events and first steps of tasks one event may cause: more is an endless echo
/// between siblings.
const LOCALS_MAX: u32 = 100_000;

impl Host {
    /// Does what handlers left to be done before the peer's next event.
    #[inline]
    pub(super) fn settle(&mut self, row: usize, world: &mut dyn World) {
        if self.house.has_locals() {
            self.settle_locals(row, world);
        }
    }

    fn settle_locals(&mut self, row: usize, world: &mut dyn World) {
        let mut count = 0;
        while let Some(local) = self.house.locals.get_mut().pop_front() {
            count += 1;
            if count > LOCALS_MAX {
                self.refuse_echo(row, world.seat(), world.now(), &local);
            }
            match local {
                Local::Spawned(id) => self.step(row, world, id, None),
                Local::Event { id, event, to } => self.tell(row, world, (id, &*event), to),
            }
        }
        self.house.has_locals.set(false);
    }

    /// Tells siblings of an event in stack order: each one's handlers first, then its tasks that
    /// listen.
    fn tell(
        &mut self,
        row: usize,
        world: &mut dyn World,
        (id, event): (TypeId, &dyn Any),
        to: Option<Port>,
    ) {
        self.show_taps(row, id, event);
        let registry = Arc::clone(&self.house.registry);
        for place in 0..self.stack(row).len() {
            let port = self.stack(row)[place];
            if to.is_some_and(|to| to != port) {
                continue;
            }
            for listener in registry.ears_of(port, id) {
                let env = &mut self.env(row, world, port);
                let column = env.house.column(port);
                column.hear(env, listener, event);
            }
            if self.lives[row].listens(id) {
                self.tell_tasks(row, world, port, (id, event));
            }
        }
    }

    /// Lets the tasks go on that waited for this event, in the order in which they began to.
    #[cold]
    fn tell_tasks(
        &mut self,
        row: usize,
        world: &mut dyn World,
        port: Port,
        (id, event): (TypeId, &dyn Any),
    ) {
        let name = self.house.registry.entry(port).map(Entry::name);
        let guard = RowGuard::new(&self.house, row, name, Handler::Task);
        let heard = self.lives[row].hear(port, id, event);
        guard.done();
        for (by, value) in heard {
            // One of them may have ended another.
            if self.lives[row].close_answered(by).is_some() {
                let result = Outcome::Heard(value);
                let answer = Answer { own: by.own, result, is_late: false };
                self.step(row, world, by.task, Some(answer));
            }
        }
    }

    /// Ends the run, since this never ends.
    #[cold]
    fn refuse_echo(&self, row: usize, seat: Seat, now: Time, local: &Local) -> ! {
        let registry = &self.house.registry;
        let hears = |port: &&Port| match local {
            Local::Event { id, to, .. } => {
                let is_meant = to.is_none_or(|to| to == **port);
                is_meant && registry.ears_of(**port, *id).next().is_some()
            }
            Local::Spawned(_) => false,
        };
        let name = |port: &Port| registry.entry(*port).map_or("?", Entry::name);
        let hearers: Vec<_> = self.stack(row).iter().filter(hears).map(name).collect();
        let who = match local {
            Local::Event { .. } if hearers.is_empty() => "tasks listen for the last".to_owned(),
            Local::Event { .. } => format!("the last is heard by `{}`", hearers.join("`, `")),
            Local::Spawned(_) => "the last spawns a task".to_owned(),
        };
        panic!(
            "one event of seat {seat} at {now} caused {LOCALS_MAX} local events, and no end is in \
             sight: {who}; see that siblings do not answer each other's events with events"
        );
    }
}
