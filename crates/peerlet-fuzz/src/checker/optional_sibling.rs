//! A sibling that only the checkers of some groups have (a "mate" in messages). Checkers set its
//! timers, spawn its tasks, send in its name and have it cancel their timers, and it does the same
//! for them.

use std::sync::Arc;

use peerlet_core::{
    Address, Context, Description, Duration, Metric, Peerlet, Seat, Task, TaskId, Time, TimerId,
};

use super::history::History;
use super::tasks::Wait;
use super::{Checker, Tick, seat_of};

/// The timers that a checker asks its sibling to cancel.
pub(super) struct TakeBack(pub(super) Vec<TimerId>);

/// How often checkers acted as their siblings.
const LENT: Metric = Metric::counter("lent").help("acts of witnesses in the mate's name");

/// The sibling.
pub(crate) struct OptionalSibling {
    history: Arc<History>,
}

impl OptionalSibling {
    pub(super) fn new(history: Arc<History>) -> OptionalSibling {
        OptionalSibling { history }
    }

    fn check(&self, here: (Time, Seat), holds: bool, what: impl FnOnce() -> String) {
        self.history.record(here.1).check(holds, here, what);
    }

    fn take_back(&mut self, ctx: &mut Context<Self>, timers: &TakeBack) {
        timers.0.iter().for_each(|timer| ctx.cancel(*timer));
    }

    /// A task of the sibling resumes; the checker knows whether it may.
    fn woken(&mut self, ctx: &mut Context<Self>, wait: Wait) {
        if let Some(mut checker) = ctx.sibling::<Checker>() {
            checker.woken(&mut ctx.of::<Checker>(), wait);
        }
    }
}

impl Peerlet for OptionalSibling {
    const NAME: &'static str = "witness_mate";
    type Message = u64;
    type Timer = Tick;

    fn describe(about: &mut Description<Self>) {
        about
            .help("stands beside some `witness`es")
            .measures(&LENT)
            .hears(OptionalSibling::take_back);
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, _: u64) {
        let (here, from) = ((ctx.now(), ctx.seat()), seat_of(from));
        let has = self.history.has_sibling(from);
        self.check(here, has, || format!("seat {from} sent as a mate that it does not have"));
    }

    fn timer(&mut self, ctx: &mut Context<Self>, tick: Tick) {
        let Some(mut checker) = ctx.sibling::<Checker>() else {
            let here = (ctx.now(), ctx.seat());
            return self.check(here, false, || "a witness is busy between two events".to_owned());
        };
        checker.sibling_timer(&mut ctx.of::<Checker>(), tick);
    }
}

impl Checker {
    /// Acts as the sibling, if there is one.
    pub(super) fn lend(&mut self, ctx: &mut Context<Self>) {
        let (here, has) = ((ctx.now(), ctx.seat()), ctx.has::<OptionalSibling>());
        self.check(here, has == self.history.has_sibling(here.1), || {
            format!("a peer says that it has a mate: {has}; its stack says otherwise")
        });
        if !has {
            return self.send(ctx);
        }
        ctx.of::<OptionalSibling>().measure(LENT, 1.0);
        let after = self.some_time(ctx);
        match ctx.rng().below(6) {
            0 => self.set_sibling_timer(ctx, after, false),
            1 => self.set_sibling_timer(ctx, after.max(self.history.config.period), true),
            2 => self.let_sibling_sleep(ctx, after),
            3 => {
                let (to, number) = (self.somebody(ctx), ctx.rng().bits());
                if let Some(address) = ctx.seats().address(to) {
                    ctx.of::<OptionalSibling>().send(address, number);
                }
            }
            _ => self.have_taken_back(ctx),
        }
    }

    fn set_sibling_timer(&mut self, ctx: &mut Context<Self>, after: Duration, again: bool) {
        let tick = Tick { of_sibling: true, ..self.expect_tick(ctx, after, again, 0) };
        let mut sibling = ctx.of::<OptionalSibling>();
        let id = match again {
            true => sibling.every(after, tick),
            false => sibling.after(after, tick),
        };
        self.timers.insert(tick.number, id);
    }

    fn let_sibling_sleep(&mut self, ctx: &mut Context<Self>, length: Duration) {
        let wait = self.wait_for_sleep(ctx, length);
        let id: TaskId =
            ctx.of::<OptionalSibling>().spawn(move |task: Task<OptionalSibling>| async move {
                task.sleep(length).await;
                task.with(move |me, ctx| me.woken(ctx, wait)).await;
            });
        self.sleepers.insert(wait.number, id);
    }

    /// Has the sibling cancel timers; it hears of that after this handler, in this very event.
    fn have_taken_back(&mut self, ctx: &mut Context<Self>) {
        let mut ids = self.gone.clone();
        if let Some(id) = self.forget_timer(ctx) {
            ids.push(id);
        }
        ctx.emit(TakeBack(ids));
    }

    /// Handles a timer of the sibling. Now and then the checker acts in the sibling's event.
    fn sibling_timer(&mut self, ctx: &mut Context<Self>, tick: Tick) {
        let here = self.enter(ctx, "timer of a mate");
        self.check(here, tick.of_sibling, || "a timer of a witness came to its mate".to_owned());
        if self.tick(here, tick) && ctx.rng().chance(0.3) {
            self.act(ctx);
        }
    }
}
