//! What witnesses do: they talk, set timers, take some back, let tasks wait, and act for a mate.

use peerlet_core::{Context, Duration, Seat, TimerId};

use super::history::Expected;
use super::lower::Nudge;
use super::message::{Message, Stamp};
use super::{Tick, Witness};

/// So many things a witness waits for at most.
const PENDING_MAX: usize = 12;
/// More than a queue takes.
const BURST: u32 = 300;
/// One of so many acts is a burst.
const BURST_RARITY: u64 = 500;
/// One of so many acts lets many tasks sleep at once, and this is how many at most.
const CROWD_RARITY: u64 = 200;
const CROWD_MAX: u64 = 150;
/// One of so many acts is a timer that is due at once, again and again, and this is how often at
/// most: a tenth of the rounds that one instant may have.
const CHAIN_RARITY: u64 = 100;
const CHAIN_MAX: u64 = 1_000;
/// Of so many timers that are over, a witness keeps the numbers, to take them back again.
const GONE_MAX: usize = 6;

impl Witness {
    /// A life begins.
    pub(super) fn begin(&mut self, ctx: &mut Context<Self>) {
        let period = self.book.habits.period;
        self.set_timer(ctx, period, true);
        self.act(ctx);
    }

    /// A life ends: what is sent still leaves, and what is set never comes.
    pub(super) fn leave(&mut self, ctx: &mut Context<Self>) {
        if ctx.rng().chance(0.5) {
            self.send(ctx);
        }
        if ctx.rng().chance(0.3) {
            self.send_reliably(ctx);
        }
        let (now, seat) = (ctx.now(), ctx.seat());
        let mut page = self.book.page(seat);
        let (life, number) = (page.life, page.number());
        drop(page);
        let after = self.some_time(ctx);
        ctx.after(after, Tick { life, number, set: now, again: None, links: 0, is_mates: false });
    }

    /// Does something.
    pub(super) fn act(&mut self, ctx: &mut Context<Self>) {
        let is_busy = self.book.page(ctx.seat()).pending.len() >= PENDING_MAX;
        match ctx.rng().below(18) {
            0..=3 => self.send(ctx),
            4..=6 => self.send_reliably(ctx),
            7 => self.take_back(ctx),
            8 => self.end_task(ctx),
            9 => self.look_around(ctx),
            16 => self.take_back_again(ctx),
            17 => self.lend(ctx),
            _ if is_busy => self.send(ctx),
            10 => {
                let after = self.some_time(ctx);
                self.set_timer(ctx, after, false);
            }
            11 => {
                let after = self.some_time(ctx).max(self.book.habits.period);
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

    /// Mostly one of the seats that follow, so that there is something between two.
    pub(super) fn somebody(&self, ctx: &mut Context<Self>) -> Seat {
        let (seat, count) = (u64::from(ctx.seat().0), u64::from(ctx.seats().count()));
        Seat(((seat + ctx.rng().below(4).min(count)) % count) as u32)
    }

    /// A time to wait, often such that several end at one instant.
    pub(super) fn some_time(&self, ctx: &mut Context<Self>) -> Duration {
        let period = self.book.habits.period;
        match ctx.rng().below(6) {
            0 => Duration::ZERO,
            1 => Duration::from_nanos(ctx.rng().below(period.as_nanos() * 4)),
            _ => period * ctx.rng().below(6) / 2,
        }
    }

    fn stamp(&self, ctx: &Context<Self>, number: u64, to: Seat) -> Stamp {
        let life = self.book.page(ctx.seat()).life;
        Stamp::new(life, number, to, ctx.now())
    }

    pub(super) fn send(&self, ctx: &mut Context<Self>) {
        let (to, seat) = (self.somebody(ctx), ctx.seat());
        let number = self.book.page(seat).number();
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
        let channel = (self.book.page(seat).life, to);
        let number = self.book.page(seat).sent.get(&channel).copied().unwrap_or_default();
        let message = Message::Reliable(self.stamp(ctx, number, to)).sealed(seat);
        let is_taken = ctx.send_reliably(address, message).is_ok();
        let mut page = self.book.page(seat);
        if is_taken {
            page.sent.insert(channel, number + 1);
        } else {
            page.refused.insert(to);
        }
    }

    /// From now on a timer is expected to come then, and again where it is periodic.
    pub(super) fn expect_tick(
        &self,
        ctx: &Context<Self>,
        after: Duration,
        again: bool,
        links: u32,
    ) -> Tick {
        let (now, seat) = (ctx.now(), ctx.seat());
        let latest = self.book.course(seat).latest(now + after);
        let mut page = self.book.page(seat);
        let (life, number) = (page.life, page.number());
        page.expect(number, Expected::Timer, now + after, latest);
        Tick { life, number, set: now, again: again.then_some(after), links, is_mates: false }
    }

    fn set_timer(&mut self, ctx: &mut Context<Self>, after: Duration, again: bool) {
        let tick = self.expect_tick(ctx, after, again, 0);
        let id = match again {
            true => ctx.every(after, tick),
            false => ctx.after(after, tick),
        };
        // The first one of a life goes on until its end.
        if !self.timers.is_empty() || !again {
            self.timers.insert(tick.number, id);
        }
    }

    /// Sets a timer that is due now, and so many more one after the other.
    pub(super) fn link(&mut self, ctx: &mut Context<Self>, links: u32) {
        let tick = self.expect_tick(ctx, Duration::ZERO, false, links);
        ctx.after(Duration::ZERO, tick);
    }

    /// Takes a timer back, once or twice.
    fn take_back(&mut self, ctx: &mut Context<Self>) {
        if let Some(id) = self.forget_timer(ctx) {
            (0..1 + ctx.rng().below(2)).for_each(|_| ctx.cancel(id));
        }
    }

    /// A timer that is to be taken back and is not expected any more, however late it is.
    pub(super) fn forget_timer(&mut self, ctx: &Context<Self>) -> Option<TimerId> {
        let (number, id) = self.timers.pop_first()?;
        self.book.page(ctx.seat()).pending.remove(&number);
        self.note_gone(id);
        Some(id)
    }

    /// Keeps a timer that is over, in place of the oldest such one.
    pub(super) fn note_gone(&mut self, id: TimerId) {
        if self.gone.len() >= GONE_MAX {
            self.gone.remove(0);
        }
        self.gone.push(id);
    }

    /// Takes back what was taken back before, was over then, or was an older life's: nothing comes
    /// of it.
    fn take_back_again(&mut self, ctx: &mut Context<Self>) {
        if !self.gone.is_empty() {
            let id = self.gone[ctx.rng().index(self.gone.len())];
            ctx.cancel(id);
        }
    }

    fn end_task(&mut self, ctx: &mut Context<Self>) {
        let Some((number, id)) = self.sleepers.pop_first() else { return };
        self.book.page(ctx.seat()).pending.remove(&number);
        ctx.abort(id);
    }

    /// Tells its sibling something, and asks whether the scenario has somebody running.
    fn look_around(&mut self, ctx: &mut Context<Self>) {
        self.nudge += 1;
        ctx.emit(Nudge(self.nudge));
        let (now, seat, other) = (ctx.now(), ctx.seat(), self.somebody(ctx));
        if self.book.page(seat).begun.last().is_some_and(|begun| begun.at == now) {
            // The environment may not be done with this instant.
            return;
        }
        let runs = ctx.seats().running(other);
        self.check((now, seat), runs == self.book.timeline.running(other, now), || {
            format!("the scenario has seat {other} running as seen from here: {runs}")
        });
    }
}
