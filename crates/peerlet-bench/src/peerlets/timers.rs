//! Timers only: each peer's is due once a second.

use peerlet_core::{Context, Nothing, Peerlet, SECOND};

use super::seats::phase;

/// Counts the seconds.
#[derive(Clone, Default)]
pub struct Timers {
    ticks: u64,
}

/// The next tick.
pub struct Tick;

impl Peerlet for Timers {
    const NAME: &'static str = "timers";
    type Message = Nothing;
    type Timer = Tick;

    fn start(&mut self, ctx: &mut Context<Self>) {
        let phase = phase(ctx);
        ctx.after(phase, Tick);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, Tick: Tick) {
        self.ticks += 1;
        ctx.after(SECOND, Tick);
    }
}
