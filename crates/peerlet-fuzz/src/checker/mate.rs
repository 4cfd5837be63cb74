//! A sibling that only some groups' witnesses have: they set its timers, let it sleep, send as it
//! and have it take their timers back, and it does the same for them.

use std::sync::Arc;

use peerlet_core::{
    Address, Context, Description, Duration, Metric, Peerlet, Seat, Task, TaskId, Time, TimerId,
};

use super::history::Book;
use super::tasks::Wait;
use super::{Tick, Witness, seat_of};

/// What a witness asks its mate to take back.
pub(super) struct TakeBack(pub(super) Vec<TimerId>);

/// How often witnesses acted as their mates.
const LENT: Metric = Metric::counter("lent").help("acts of witnesses in the mate's name");

/// The sibling.
pub(crate) struct Mate {
    book: Arc<Book>,
}

impl Mate {
    pub(super) fn new(book: Arc<Book>) -> Mate {
        Mate { book }
    }

    fn check(&self, here: (Time, Seat), holds: bool, what: impl FnOnce() -> String) {
        self.book.page(here.1).check(holds, here, what);
    }

    fn take_back(&mut self, ctx: &mut Context<Self>, timers: &TakeBack) {
        timers.0.iter().for_each(|timer| ctx.cancel(*timer));
    }

    /// A task of the mate's goes on: the witness knows whether it may.
    fn woken(&mut self, ctx: &mut Context<Self>, wait: Wait) {
        if let Some(mut witness) = ctx.sibling::<Witness>() {
            witness.woken(&mut ctx.of::<Witness>(), wait);
        }
    }
}

impl Peerlet for Mate {
    const NAME: &'static str = "witness_mate";
    type Message = u64;
    type Timer = Tick;

    fn describe(about: &mut Description<Self>) {
        about.help("stands beside some `witness`es").measures(&LENT).hears(Mate::take_back);
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, _: u64) {
        let (here, from) = ((ctx.now(), ctx.seat()), seat_of(from));
        let has = self.book.has_mate(from);
        self.check(here, has, || format!("seat {from} sent as a mate that it does not have"));
    }

    fn timer(&mut self, ctx: &mut Context<Self>, tick: Tick) {
        let Some(mut witness) = ctx.sibling::<Witness>() else {
            let here = (ctx.now(), ctx.seat());
            return self.check(here, false, || "a witness is busy between two events".to_owned());
        };
        witness.mates_timer(&mut ctx.of::<Witness>(), tick);
    }
}

impl Witness {
    /// Acts as the mate, where there is one.
    pub(super) fn lend(&mut self, ctx: &mut Context<Self>) {
        let (here, has) = ((ctx.now(), ctx.seat()), ctx.has::<Mate>());
        self.check(here, has == self.book.has_mate(here.1), || {
            format!("a peer says that it has a mate: {has}; its stack says otherwise")
        });
        if !has {
            return self.send(ctx);
        }
        ctx.of::<Mate>().measure(LENT, 1.0);
        let after = self.some_time(ctx);
        match ctx.rng().below(6) {
            0 => self.set_mates_timer(ctx, after, false),
            1 => self.set_mates_timer(ctx, after.max(self.book.habits.period), true),
            2 => self.let_mate_sleep(ctx, after),
            3 => {
                let (to, number) = (self.somebody(ctx), ctx.rng().bits());
                if let Some(address) = ctx.seats().address(to) {
                    ctx.of::<Mate>().send(address, number);
                }
            }
            _ => self.have_taken_back(ctx),
        }
    }

    fn set_mates_timer(&mut self, ctx: &mut Context<Self>, after: Duration, again: bool) {
        let tick = Tick { is_mates: true, ..self.expect_tick(ctx, after, again, 0) };
        let mut mate = ctx.of::<Mate>();
        let id = match again {
            true => mate.every(after, tick),
            false => mate.after(after, tick),
        };
        self.timers.insert(tick.number, id);
    }

    fn let_mate_sleep(&mut self, ctx: &mut Context<Self>, length: Duration) {
        let wait = self.wait_for_sleep(ctx, length);
        let id: TaskId = ctx.of::<Mate>().spawn(move |task: Task<Mate>| async move {
            task.sleep(length).await;
            task.with(move |me, ctx| me.woken(ctx, wait)).await;
        });
        self.sleepers.insert(wait.number, id);
    }

    /// Takes timers back by its mate, which hears of it after this handler, in this very event.
    fn have_taken_back(&mut self, ctx: &mut Context<Self>) {
        let mut ids = self.gone.clone();
        if let Some(id) = self.forget_timer(ctx) {
            ids.push(id);
        }
        ctx.emit(TakeBack(ids));
    }

    /// A timer of the mate's came. Now and then the witness acts, in the mate's event.
    fn mates_timer(&mut self, ctx: &mut Context<Self>, tick: Tick) {
        let here = self.enter(ctx, "timer of a mate");
        self.check(here, tick.is_mates, || "a timer of a witness came to its mate".to_owned());
        if self.tick(here, tick) && ctx.rng().chance(0.3) {
            self.act(ctx);
        }
    }
}
