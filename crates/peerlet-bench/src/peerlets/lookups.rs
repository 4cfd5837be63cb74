//! Lookups in a ring with fingers: each hop goes as far as a power of two can without going past.
//!
//! The fingers are the seats at distances of powers of two.

use peerlet_core::{Description, Address, Context, Metric, Peerlet, SECOND, Seat};
use serde::{Deserialize, Serialize};

use super::seats::{other_seat, phase};

/// Starts a lookup each second, and passes on those of others.
#[derive(Clone, Default)]
pub struct Lookups;

/// What they say.
#[derive(Serialize, Deserialize)]
pub enum Message {
    /// Who looks for whom, and how many hops it was so far.
    Find {
        /// Who is looked for.
        target: Seat,
        /// Who asks.
        origin: Seat,
        /// With the hop that brought it.
        hops: u16,
    },
    /// The target, by this many hops.
    Found(u16),
}

/// The next lookup.
pub struct Tick;

/// How many hops the lookups that were answered took.
pub const HOPS: Metric =
    Metric::histogram("hops").quantum(1.0).help("the hops of each lookup answered");

impl Peerlet for Lookups {
    const NAME: &'static str = "lookups";
    type Message = Message;
    type Timer = Tick;

    fn describe(about: &mut Description<Self>) {
        about.help("looks a random peer up every second").measures(&HOPS);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let phase = phase(ctx);
        ctx.after(phase, Tick);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, Tick: Tick) {
        ctx.after(SECOND, Tick);
        let (target, origin) = (other_seat(ctx), ctx.seat());
        forward(ctx, target, origin, 0);
    }

    fn message(&mut self, ctx: &mut Context<Self>, _from: Address, message: Message) {
        match message {
            Message::Find { target, origin, hops } if target == ctx.seat() => {
                if let Some(asker) = ctx.seats().address(origin) {
                    ctx.send(asker, Message::Found(hops));
                }
            }
            Message::Find { target, origin, hops } => forward(ctx, target, origin, hops),
            Message::Found(hops) => ctx.measure(HOPS, f64::from(hops)),
        }
    }
}

/// Sends it to the finger that leads closest to the target without going past it.
fn forward(ctx: &mut Context<Lookups>, target: Seat, origin: Seat, hops: u16) {
    let (me, count) = (ctx.seat().0, ctx.seats().count());
    let distance = if target.0 > me { target.0 - me } else { count - me + target.0 };
    let next = u64::from(me) + (1 << distance.ilog2());
    let next = Seat((next % u64::from(count)) as u32);
    if let Some(address) = ctx.seats().address(next) {
        ctx.send(address, Message::Find { target, origin, hops: hops + 1 });
    }
}
