//! The tasks of checkers: each wait ends, and in time.

use peerlet_core::{CallError, Context, Duration, Seat, Task, Time, join_all, race};

use super::history::Expected;
use super::message::{Message, Stamp};
use super::{Checker, seat_of};

/// A wait of a task.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    life: u32,
    pub(super) number: u64,
}

impl Checker {
    /// Begins a wait.
    fn wait(&self, ctx: &Context<Self>, what: Expected, due: Time, latest: Time) -> Wait {
        let mut record = self.history.record(ctx.seat());
        let (life, number) = (record.life, record.number());
        record.expect(number, what, due, latest);
        Wait { life, number }
    }

    pub(super) fn wait_for_sleep(&self, ctx: &Context<Self>, length: Duration) -> Wait {
        let due = ctx.now() + length;
        let latest = self.history.lifecycle(ctx.seat()).latest(due);
        self.wait(ctx, Expected::Sleep, due, latest)
    }

    /// A task sleeps.
    pub(super) fn sleep(&mut self, ctx: &mut Context<Self>) {
        let length = self.some_time(ctx);
        let wait = self.wait_for_sleep(ctx, length);
        let id = ctx.spawn(move |task| sleeper(task, length, wait));
        self.sleepers.insert(wait.number, id);
    }

    /// Two operations of one task end at one instant.
    pub(super) fn sleep_twice(&mut self, ctx: &mut Context<Self>) {
        let length = self.some_time(ctx);
        let waits = [(); 2].map(|()| self.wait_for_sleep(ctx, length));
        ctx.spawn(move |task| async move {
            join_all(waits.map(|wait| sleeper(task.clone(), length, wait))).await;
        });
    }

    /// A task forgets the longer of two sleeps.
    pub(super) fn race(&mut self, ctx: &mut Context<Self>) {
        let length = self.some_time(ctx);
        let wait = self.wait_for_sleep(ctx, length);
        let longer = length + self.history.config.period;
        ctx.spawn(move |task| async move {
            race([task.sleep(length), task.sleep(longer)]).await;
            task.with(move |me, ctx| me.woken(ctx, wait)).await;
        });
    }

    /// A task calls another checker.
    pub(super) fn call(&mut self, ctx: &mut Context<Self>) {
        let (to, now, seat) = (self.somebody(ctx), ctx.now(), ctx.seat());
        let Some(address) = ctx.seats().address(to) else { return };
        let within = self.some_time(ctx).max(Duration::from_nanos(1));
        let is_reliable = ctx.rng().chance(0.4);
        // A connection retries by itself.
        let tries = if is_reliable { 1 } else { 1 + ctx.rng().below(3) };
        let lifecycle = self.history.lifecycle(seat);
        let latest = (0..tries).fold(now, |at, _| lifecycle.latest(at + within));
        let wait = self.wait(ctx, Expected::Call, now + within * tries, latest);
        let question = Message::Question(Stamp::new(wait.life, wait.number, to, now)).sealed(seat);
        ctx.spawn(move |task| async move {
            let mut call = task.call(address, question).within(within).tries(tries as u32);
            if is_reliable {
                call = call.reliably();
                task.with(move |me, ctx| me.history.record(ctx.seat()).note_other(to)).await;
            }
            let answer = call.await;
            task.with(move |me, ctx| me.answered(ctx, wait, seat_of(address), answer)).await;
        });
    }

    /// Checks the end of a wait.
    fn go_on(&mut self, ctx: &mut Context<Self>, wait: Wait) -> Option<(Time, Time)> {
        let here = self.enter(ctx, "wake-up");
        self.sleepers.remove(&wait.number);
        let Wait { life, number } = wait;
        let mut record = self.history.record(here.1);
        let present = record.life;
        record
            .check(life == present, here, || format!("a task of life {life} goes on in {present}"));
        let pending = record.pending.remove(&number);
        record.check(pending.is_some(), here, || {
            format!("the task that waited for {number} goes on, and had ended or gone on")
        });
        pending.map(|pending| (here.0, pending.due))
    }

    pub(super) fn woken(&mut self, ctx: &mut Context<Self>, wait: Wait) {
        let Some((now, due)) = self.go_on(ctx, wait) else { return };
        let seat = ctx.seat();
        let in_time = self.history.lifecycle(seat).may_happen(due, now);
        self.check((now, seat), in_time, || format!("a sleep ended then, which was due at {due}"));
    }

    fn answered(
        &mut self,
        ctx: &mut Context<Self>,
        wait: Wait,
        to: Seat,
        answer: Result<Message, CallError>,
    ) {
        let Some((now, due)) = self.go_on(ctx, wait) else { return };
        let here = (now, ctx.seat());
        match answer {
            Ok(message) if self.is_whole(here, to, &message) => {
                let fits = matches!(message, Message::Answer(stamp)
                    if (stamp.number, stamp.life, stamp.to) == (wait.number, wait.life, here.1.0));
                self.check(here, fits, || format!("{message:?} answers another question"));
            }
            Ok(_) | Err(CallError::Undelivered(_) | CallError::Full) => {}
            Err(CallError::TooLarge { size, max }) => {
                self.check(here, size > max, || {
                    format!("a question of {size} bytes was refused, and {max} are allowed")
                });
            }
            // The other peer says so as soon as it has the question.
            Err(CallError::AnswerTooLarge) => {}
            Err(_) => {
                self.check(here, now >= due, || {
                    format!("a call was given up then, which had time until {due}")
                });
            }
        }
    }
}

async fn sleeper(task: Task<Checker>, length: Duration, wait: Wait) {
    task.sleep(length).await;
    task.with(move |me, ctx| me.woken(ctx, wait)).await;
}
