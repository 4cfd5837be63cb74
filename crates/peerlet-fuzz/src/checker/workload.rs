//! The workload of checkers: they talk, set and cancel timers, let tasks wait, and act for a
//! sibling.

use peerlet_core::{Context, Duration, Seat, TimerId};

use super::history::Expected;
use super::lower_sibling::Nudge;
use super::message::{Message, Stamp};
use super::{Checker, Tick};

/// The most pending events of a checker.
const PENDING_MAX: usize = 12;
/// More messages than a queue takes.
const BURST: u32 = 300;
/// One of this many acts is a burst.
const BURST_RARITY: u64 = 500;
/// One of this many acts lets many tasks sleep at once, and this is how many at most.
const CROWD_RARITY: u64 = 200;
const CROWD_MAX: u64 = 150;
/// One of this many acts is a chain of timers that are due at once, and this is its length at most:
/// a tenth of the rounds that one instant may have.
const CHAIN_RARITY: u64 = 100;
const CHAIN_MAX: u64 = 1_000;
/// How many finished timers a checker remembers, to cancel them again.
const GONE_MAX: usize = 6;

impl Checker {
    /// A life begins.
    pub(super) fn begin(&mut self, ctx: &mut Context<Self>) {
        let period = self.history.config.period;
        self.set_timer(ctx, period, true);
        self.act(ctx);
    }

    /// A life ends: messages sent now still depart, and timers set now never fire.
    pub(super) fn leave(&mut self, ctx: &mut Context<Self>) {
        if ctx.rng().chance(0.5) {
            self.send(ctx);
        }
        if ctx.rng().chance(0.3) {
            self.send_reliably(ctx);
        }
        let (now, seat) = (ctx.now(), ctx.seat());
        let mut record = self.history.record(seat);
        let (life, number) = (record.life, record.number());
        drop(record);
        let after = self.some_time(ctx);
        ctx.after(after, Tick { life, number, set: now, again: None, links: 0, of_sibling: false });
    }

    /// Does a random act.
    pub(super) fn act(&mut self, ctx: &mut Context<Self>) {
        let is_busy = self.history.record(ctx.seat()).pending.len() >= PENDING_MAX;
        match ctx.rng().below(18) {
            0..=3 => self.send(ctx),
            4..=6 => self.send_reliably(ctx),
            7 => self.cancel_timer(ctx),
            8 => self.end_task(ctx),
            9 => self.look_around(ctx),
            16 => self.cancel_again(ctx),
            17 => self.lend(ctx),
            _ if is_busy => self.send(ctx),
            10 => {
                let after = self.some_time(ctx);
                self.set_timer(ctx, after, false);
            }
            11 => {
                let after = self.some_time(ctx).max(self.history.config.period);
                self.set_timer(ctx, after, true);
            }
            12 => self.sleep(ctx),
            13 => self.sleep_twice(ctx),
            14 => self.race(ctx),
            _ => self.call(ctx),
        }
        if ctx.rng().below(CROWD_RARITY) == 0 {
            (0..ctx.rng().below(CROWD_MAX)).for_each(|_| self.sleep(ctx));
        }
        if ctx.rng().below(CHAIN_RARITY) == 0 {
            let most = if ctx.rng().chance(0.05) { CHAIN_MAX } else { CHAIN_MAX / 40 };
            let links = ctx.rng().below(most) as u32;
            self.link(ctx, links);
        }
        if ctx.rng().below(BURST_RARITY) == 0 {
            let to = self.somebody(ctx);
            for _ in 0..BURST {
                self.send_reliably_to(ctx, to);
            }
        }
    }

    /// A random seat close above this one, so that pairs of seats exchange many messages.
    pub(super) fn somebody(&self, ctx: &mut Context<Self>) -> Seat {
        let (seat, count) = (u64::from(ctx.seat().0), u64::from(ctx.seats().count()));
        Seat(((seat + ctx.rng().below(4).min(count)) % count) as u32)
    }

    /// A random duration, often one with which several waits end at one instant.
    pub(super) fn some_time(&self, ctx: &mut Context<Self>) -> Duration {
        let period = self.history.config.period;
        match ctx.rng().below(6) {
            0 => Duration::ZERO,
            1 => Duration::from_nanos(ctx.rng().below(period.as_nanos() * 4)),
            _ => period * ctx.rng().below(6) / 2,
        }
    }

    fn stamp(&self, ctx: &Context<Self>, number: u64, to: Seat) -> Stamp {
        let life = self.history.record(ctx.seat()).life;
        Stamp::new(life, number, to, ctx.now())
    }

    pub(super) fn send(&self, ctx: &mut Context<Self>) {
        let (to, seat) = (self.somebody(ctx), ctx.seat());
        let number = self.history.record(seat).number();
        let message = Message::Datagram(self.stamp(ctx, number, to)).sealed(seat);
        if let Some(address) = ctx.seats().address(to) {
            ctx.send(address, message);
        }
    }

    fn send_reliably(&self, ctx: &mut Context<Self>) {
        let to = self.somebody(ctx);
        self.send_reliably_to(ctx, to);
    }

    fn send_reliably_to(&self, ctx: &mut Context<Self>, to: Seat) {
        let seat = ctx.seat();
        let Some(address) = ctx.seats().address(to) else { return };
        let channel = (self.history.record(seat).life, to);
        let number = self.history.record(seat).sent.get(&channel).copied().unwrap_or_default();
        let message = Message::Reliable(self.stamp(ctx, number, to)).sealed(seat);
        let is_taken = ctx.send_reliably(address, message).is_ok();
        let mut record = self.history.record(seat);
        if is_taken {
            record.sent.insert(channel, number + 1);
        } else {
            record.refused.insert(to);
        }
    }

    /// Notes a timer as pending, once or periodically.
    pub(super) fn expect_tick(
        &self,
        ctx: &Context<Self>,
        after: Duration,
        again: bool,
        links: u32,
    ) -> Tick {
        let (now, seat) = (ctx.now(), ctx.seat());
        let latest = self.history.lifecycle(seat).latest(now + after);
        let mut record = self.history.record(seat);
        let (life, number) = (record.life, record.number());
        record.expect(number, Expected::Timer, now + after, latest);
        Tick { life, number, set: now, again: again.then_some(after), links, of_sibling: false }
    }

    fn set_timer(&mut self, ctx: &mut Context<Self>, after: Duration, again: bool) {
        let tick = self.expect_tick(ctx, after, again, 0);
        let id = match again {
            true => ctx.every(after, tick),
            false => ctx.after(after, tick),
        };
        // The first one of a life is kept until its end.
        if !self.timers.is_empty() || !again {
            self.timers.insert(tick.number, id);
        }
    }

    /// Sets a timer that is due now, followed by this many more, one after the other.
    pub(super) fn link(&mut self, ctx: &mut Context<Self>, links: u32) {
        let tick = self.expect_tick(ctx, Duration::ZERO, false, links);
        ctx.after(Duration::ZERO, tick);
    }

    /// Cancels a timer, once or twice.
    fn cancel_timer(&mut self, ctx: &mut Context<Self>) {
        if let Some(id) = self.forget_timer(ctx) {
            (0..1 + ctx.rng().below(2)).for_each(|_| ctx.cancel(id));
        }
    }

    /// A timer that is to be canceled and is no longer expected.
    pub(super) fn forget_timer(&mut self, ctx: &Context<Self>) -> Option<TimerId> {
        let (number, id) = self.timers.pop_first()?;
        self.history.record(ctx.seat()).pending.remove(&number);
        self.note_gone(id);
        Some(id)
    }

    /// Remembers a finished timer, in place of the oldest one.
    pub(super) fn note_gone(&mut self, id: TimerId) {
        if self.gone.len() >= GONE_MAX {
            self.gone.remove(0);
        }
        self.gone.push(id);
    }

    /// Cancels a timer that was canceled, has fired, or was an older life's: that has no effect.
    fn cancel_again(&mut self, ctx: &mut Context<Self>) {
        if !self.gone.is_empty() {
            let id = self.gone[ctx.rng().index(self.gone.len())];
            ctx.cancel(id);
        }
    }

    fn end_task(&mut self, ctx: &mut Context<Self>) {
        let Some((number, id)) = self.sleepers.pop_first() else { return };
        self.history.record(ctx.seat()).pending.remove(&number);
        ctx.abort(id);
    }

    /// Nudges the sibling, and asks whether the scenario has a seat running.
    fn look_around(&mut self, ctx: &mut Context<Self>) {
        self.nudge += 1;
        ctx.emit(Nudge(self.nudge));
        let (now, seat, other) = (ctx.now(), ctx.seat(), self.somebody(ctx));
        if self.history.record(seat).begun.last().is_some_and(|begun| begun.at == now) {
            // More directives of this instant may follow.
            return;
        }
        let runs = ctx.seats().running(other);
        self.check((now, seat), runs == self.history.timeline.running(other, now), || {
            format!("the scenario has seat {other} running as seen from here: {runs}")
        });
    }
}
