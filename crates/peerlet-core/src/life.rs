//! The state of a peer besides its peerlets: its life, its generator, and the parts that an idle
//! peer does without.

use std::any::{Any, TypeId};

use peerlet_memory::{Value, prefetch_line};

use crate::address::Address;
use crate::context::TimerId;
use crate::parcel::{Class, Port};
use crate::random::{Rng, Seed};
use crate::small_map::SmallMap;
use crate::task::{Filter, Listeners, TaskListener};
use crate::time::{Duration, Time};
use crate::world::Swept;

/// Whether a seat's peer handles events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No state: never started, or crashed.
    Absent,
    /// Stopped in order: it has state, and no life.
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

/// The part of a seat that changes at the beginning and the end of a life only.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) state: State,
    /// Which of the host's stacks it has.
    pub(crate) stack: u16,
}

impl Standing {
    pub(crate) const NONE: Standing = Standing { state: State::Absent, stack: 0 };
}

/// The depth of data that an event needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// The part that every peer has.
    Life,
    /// The part that few peers have at any time.
    Rare,
    /// A task.
    Task,
    /// The task.
    Future,
}

/// A task as its peer keeps it, the peerlet's type forgotten.
pub(crate) trait Resting: Any + Send {
    /// Asks the cache for what it is about.
    fn prefetch(&self);
}

/// The part that few peers have at any time: 8 bytes a peer while it is empty.
#[derive(Default)]
pub(crate) struct Rare {
    /// Timers taken back.
    cancelled: SmallMap<u32, Cancelled>,
    /// How many of those are looked through next for what is of no use any more.
    sweep_at: usize,
    tasks: SmallMap<u32, Tasked>,
    pub(crate) calls: SmallMap<u32, OpenCall>,
    /// The local events that tasks wait for.
    pub(crate) listeners: Listeners,
}

/// The note that a timer was taken back.
struct Cancelled {
    /// When.
    at: Time,
    /// The last time at which the timer can be due.
    due_last: Time,
}

impl Cancelled {
    /// Whether the timer's alarm may still come.
    fn is_of_use(&self, settled: Time, swept: Swept) -> bool {
        let is_gone = self.at < swept.at && self.due_last > swept.beyond;
        self.due_last >= settled && !is_gone
    }
}

/// The number of cancelled timers that are kept before they are swept.
const SWEEP_MIN: usize = 64;

/// A task that is not over. It is taken out while it runs.
struct Tasked {
    port: Port,
    running: Option<Box<dyn Resting>>,
    /// Its operations that have no answer yet, by its own numbers.
    open: SmallMap<u32, Open>,
    /// How many of those come to an end by themselves: all but calls whose time was over.
    waits: u32,
}

/// An operation of a task.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Open {
    /// The question, if it is a call.
    call: Option<u32>,
    /// Whether its time is over already. The answer may still come.
    is_idle: bool,
    /// Whether it waits for a local event.
    listens: bool,
}

/// Which operation of which task, by the task's own number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operated {
    pub(crate) task: u32,
    pub(crate) own: u32,
}

/// A question that waits for its answer.
pub(crate) struct OpenCall {
    pub(crate) by: Operated,
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

    /// A number for the next timer or task.
    pub(crate) fn number_next(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// Takes a timer back. All alarms due before `settled` were brought to the peer already, and
    /// those that were swept are gone, so what was noted of them is of no use.
    pub(crate) fn cancel(&mut self, timer: TimerId, now: Time, settled: Time, swept: Swept) {
        let due_last = timer.due_last(now);
        if timer.life != self.number || due_last < settled {
            return;
        }
        let rare = self.rare();
        if rare.cancelled.len() >= rare.sweep_at.max(SWEEP_MIN) {
            rare.cancelled.retain(|_, note| note.is_of_use(settled, swept));
            rare.sweep_at = rare.cancelled.len() * 2;
        }
        rare.cancelled.insert(timer.handle, Cancelled { at: now, due_last });
    }

    /// How many timers are noted as taken back.
    pub(crate) fn cancelled(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.cancelled.len())
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
        let task = Tasked { port, running: Some(running), open: SmallMap::default(), waits: 0 };
        self.rare().tasks.insert(id, task);
        id
    }

    fn task(&self, id: u32) -> Option<&Tasked> {
        self.rare.as_ref()?.tasks.get(id)
    }

    fn task_mut(&mut self, id: u32) -> Option<&mut Tasked> {
        self.rare.as_mut()?.tasks.get_mut(id)
    }

    /// Whether the task is not over.
    pub(crate) fn has_task(&self, id: u32) -> bool {
        self.task(id).is_some()
    }

    /// The peerlet that a task is of; `None` when the task is over.
    pub(crate) fn port_of(&self, id: u32) -> Option<Port> {
        self.task(id).map(|task| task.port)
    }

    /// The task, to run it; `None` when it is over.
    pub(crate) fn take_task(&mut self, id: u32) -> Option<(Port, Box<dyn Resting>)> {
        let task = self.task_mut(id)?;
        Some((task.port, task.running.take()?))
    }

    /// Puts a task back that is not over yet, unless it was aborted meanwhile.
    pub(crate) fn put_task(&mut self, id: u32, running: Box<dyn Resting>) {
        if let Some(task) = self.task_mut(id) {
            task.running = Some(running);
        }
    }

    /// Ends a task and closes what it waits for.
    pub(crate) fn remove_task(&mut self, id: u32) {
        if let Some(rare) = &mut self.rare
            && let Some(task) = rare.tasks.remove(id)
        {
            for call in task.open.values().filter_map(|open| open.call) {
                rare.calls.remove(call);
            }
            if !rare.listeners.is_empty() {
                rare.listeners.remove_task(id);
            }
        }
        self.tidy();
    }

    /// Opens an operation.
    pub(crate) fn open(&mut self, task: u32, own: u32, call: Option<u32>) {
        self.open_as(task, own, Open { call, is_idle: false, listens: false });
    }

    fn open_as(&mut self, task: u32, own: u32, open: Open) {
        if let Some(task) = self.task_mut(task) {
            task.open.insert(own, open);
            task.waits += 1;
        }
    }

    /// Opens an operation that waits for a local event. False where too many do.
    pub(crate) fn listen(&mut self, event: TypeId, listener: TaskListener) -> bool {
        let Operated { task, own } = listener.by;
        if self.rare().listeners.is_full() {
            return false;
        }
        self.open_as(task, own, Open { call: None, is_idle: false, listens: true });
        self.rare().listeners.add(event, listener);
        true
    }

    /// Says what an operation waits for, unless its task has ended meanwhile.
    pub(crate) fn set_filter(&mut self, event: TypeId, by: Operated, filter: Filter) {
        if let Some(rare) = &mut self.rare {
            rare.listeners.set_filter(event, by, filter);
        }
    }

    /// Whether a task waits for events of this type.
    #[inline]
    pub(crate) fn listens(&self, event: TypeId) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.listeners.listens(event))
    }

    /// Takes out the operations of this peerlet's tasks that wait for this event, with their
    /// results. They are still open.
    pub(crate) fn hear(
        &mut self,
        port: Port,
        id: TypeId,
        event: &dyn Any,
    ) -> Vec<(Operated, Value)> {
        self.rare.as_mut().map_or_else(Vec::new, |rare| rare.listeners.hear(port, id, event))
    }

    /// Takes out the listener of an operation that waits for a local event.
    pub(crate) fn take_listener(&mut self, by: Operated) -> Option<TaskListener> {
        let open = self.task(by.task)?.open.get(by.own)?;
        if open.listens { self.rare().listeners.take(by) } else { None }
    }

    /// Opens a call again, under another number, which waits so long for each try.
    pub(crate) fn open_again(&mut self, task: u32, before: u32, own: u32, within: Duration) {
        let Some(Open { call: Some(call), .. }) = self.close(task, before) else { return };
        self.open(task, own, Some(call));
        if let Some(call) = self.rare().calls.get_mut(call) {
            (call.by.own, call.within) = (own, within);
        }
    }

    /// Whether the operation is open and its time is not over.
    pub(crate) fn is_open(&self, task: u32, own: u32) -> bool {
        let open = self.task(task).and_then(|task| task.open.get(own));
        open.is_some_and(|open| !open.is_idle)
    }

    /// Closes an operation that has its answer. Whether it was open, and its time not over.
    pub(crate) fn close_answered(&mut self, by: Operated) -> Option<bool> {
        Some(!self.close(by.task, by.own)?.is_idle)
    }

    fn close(&mut self, task: u32, own: u32) -> Option<Open> {
        let task = self.task_mut(task)?;
        let open = task.open.remove(own)?;
        task.waits -= u32::from(!open.is_idle);
        Some(open)
    }

    /// Notes that the time of a call is over. Its answer may still come.
    pub(crate) fn set_idle(&mut self, by: Operated) {
        if let Some(task) = self.task_mut(by.task)
            && let Some(open) = task.open.get_mut(by.own)
        {
            task.waits -= u32::from(!open.is_idle);
            open.is_idle = true;
        }
    }

    /// Closes an operation that nobody waits for any more, and its call.
    pub(crate) fn forget(&mut self, task: u32, own: u32) {
        let (Some(open), Some(rare)) = (self.close(task, own), &mut self.rare) else { return };
        if let Some(call) = open.call {
            rare.calls.remove(call);
        }
        if open.listens {
            drop(rare.listeners.take(Operated { task, own }));
        }
    }

    /// Whether this task waits for anything.
    pub(crate) fn waits(&self, task: u32) -> bool {
        self.task(task).is_some_and(|task| task.waits > 0)
    }

    /// The question that this operation waits on.
    pub(crate) fn call_of(&self, task: u32, own: u32) -> Option<u32> {
        self.task(task)?.open.get(own)?.call
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
        let Tasked { port, running, .. } = rare.tasks.first()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    fn at(seconds: u64) -> Time {
        Time::ZERO + SECOND * seconds
    }

    fn life() -> Life {
        let mut life = Life::new();
        life.begin();
        life
    }

    fn timer(life: &mut Life, due: u64, period: u64) -> TimerId {
        let handle = life.number_next();
        TimerId { life: life.number, handle, due: at(due), period: SECOND * period }
    }

    #[test]
    fn a_timer_that_is_gone_leaves_nothing_for_long() {
        for period in [0, 1, 7] {
            let (mut life, mut most) = (life(), 0);
            for second in 0..86_400 {
                // It came due the second before, and is taken back now, and again.
                let gone = timer(&mut life, second, period);
                let now = at(second + 1);
                life.cancel(gone, now, now, Swept::default());
                life.cancel(gone, now, now, Swept::default());
                most = most.max(life.cancelled());
            }
            assert!(most <= SWEEP_MIN, "{most} notes of timers with period {period}");
        }
    }

    #[test]
    fn a_note_is_kept_as_long_as_the_timer_can_come() {
        for period in [0, 3] {
            let mut life = life();
            let kept = timer(&mut life, 5, period);
            // Whoever takes it back is late, and so is the timer.
            life.cancel(kept, at(6), at(5), Swept::default());
            for _ in 0..1_000 {
                let other = timer(&mut life, 6, 0);
                life.cancel(other, at(6), at(5), Swept::default());
            }
            assert!(life.take_cancelled(kept.handle), "period {period}");
            assert!(!life.take_cancelled(kept.handle), "period {period}");
        }
    }

    #[test]
    fn a_periodic_timer_comes_at_its_next_time_at_the_latest() {
        let timer = timer(&mut life(), 4, 3);
        let last = [0, 3, 4, 5, 6, 7, 8, 10].map(|now| timer.due_last(at(now)));
        assert_eq!(last, [4, 4, 7, 7, 7, 10, 10, 13].map(at));
        let odd = TimerId { period: SECOND * 3, due: Time::MAX, ..timer };
        assert_eq!(odd.due_last(Time::MAX), Time::MAX, "time does not overflow");
    }

    #[test]
    fn a_note_of_a_timer_that_was_swept_is_not_kept() {
        let (mut life, mut most) = (life(), 0);
        let mut swept = Swept::default();
        for second in 0..86_400 {
            // It is far away, was taken back and swept, and is taken back again.
            let (far, now) = (timer(&mut life, second + 86_400, 0), at(second));
            if second % 100 == 0 {
                swept = Swept { at: now, beyond: at(second + 50) };
            }
            life.cancel(far, now, now, swept);
            most = most.max(life.cancelled());
        }
        assert!(most <= 400, "{most} notes");
        // What was near, or is taken back since, may still come.
        let near = timer(&mut life, 86_400 + 49, 0);
        life.cancel(near, at(86_350), at(86_350), swept);
        let since = timer(&mut life, 99_999, 0);
        life.cancel(since, at(86_400), at(86_400), swept);
        swept = Swept { at: at(86_400), beyond: at(86_450) };
        for _ in 0..1_000 {
            let other = timer(&mut life, 86_401, 0);
            life.cancel(other, at(86_400), at(86_400), swept);
        }
        assert!(life.take_cancelled(near.handle) && life.take_cancelled(since.handle));
    }

    #[test]
    fn timers_of_other_lives_are_left_alone() {
        let mut life = life();
        let old = timer(&mut life, 5, 1);
        life.end();
        life.begin();
        life.cancel(old, at(1), at(1), Swept::default());
        assert_eq!((life.cancelled(), life.rare.is_none()), (0, true));
    }

    struct Idle;
    impl Resting for Idle {
        fn prefetch(&self) {}
    }

    #[test]
    fn a_task_takes_all_that_it_opened_with_it() {
        let mut life = life();
        let task = life.add_task(Port(0), Box::new(Idle));
        let other = life.add_task(Port(0), Box::new(Idle));
        life.open(other, 1, None);
        for own in 0..40 {
            life.open(task, own, (own % 2 == 0).then_some(own));
            let call = OpenCall {
                by: Operated { task, own },
                port: Port(0),
                to: Address::simulated(crate::Seat(1)),
                class: Class::Datagram,
                within: SECOND,
                tries_left: 0,
                again: None,
            };
            if own % 2 == 0 {
                life.rare().calls.insert(own, call);
            }
        }
        life.set_idle(Operated { task, own: 2 });
        assert!(!life.is_open(task, 2) && life.is_open(task, 4) && life.waits(task));
        life.open_again(task, 2, 50, SECOND);
        assert!(life.is_open(task, 50) && life.call_of(task, 50) == Some(2));
        life.forget(task, 4);
        assert_eq!(life.rare().calls.len(), 19);
        (0..60).for_each(|own| life.forget(task, own));
        assert!(!life.waits(task) && life.waits(other) && life.rare().calls.is_empty());
        life.open(task, 60, None);
        life.remove_task(task);
        life.remove_task(other);
        assert!(life.rare.is_none(), "all is given back");
    }
}
