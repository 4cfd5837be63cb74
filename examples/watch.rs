//! Watches neighbors come and go, and reliable messages that do not arrive: what a failure looks
//! like from the inside. With `-v` it logs each of them.
//!
//! `docs/kill_and_restart.py` runs it in three processes, kills one and starts it again.
//!
//! ```sh
//! cargo run --release -p peerlet --example watch -- sim --peers 30 --for 60s -v
//! ```

use peerlet::overlay::{NeighborFound, NeighborLost};
use peerlet::prelude::*;

/// Logs what happens to its neighbors, and keeps sending numbers to one peer far away.
#[derive(Clone, Default)]
struct Watch {
    next: u64,
}

/// How often a number is sent.
const PERIOD: Duration = Duration::from_millis(200);

metrics! {
    METRICS for Watch {
        /// Numbers that arrived.
        RECEIVED: counter,
        /// Numbers not known to arrive.
        UNDELIVERED: counter,
    }
}

impl Peerlet for Watch {
    const NAME: &'static str = "watch";
    const METRICS: &'static [Metric] = METRICS;
    type Message = u64;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about
            .help("logs what happens to neighbors and to reliable messages")
            .uses::<Neighbors>()
            .needs(Need::Reliable)
            .hears(Watch::found)
            .hears(Watch::lost);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(PERIOD, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        // A third of the way around the seats: with three processes of as many seats, the next one.
        let seats = ctx.seats().count();
        let other = Seat((ctx.seat().0 + seats / 3) % seats);
        if let Some(address) = ctx.seats().address(other).filter(|_| other != ctx.seat()) {
            self.next += 1;
            if ctx.send_reliably(address, self.next).is_err() {
                tracing::info!("the queue to {address} is full");
            }
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, _from: Address, _number: u64) {
        ctx.measure(RECEIVED, 1.0);
    }

    fn undelivered(&mut self, ctx: &mut Context<Self>, to: Address, _: u64, why: Undelivered) {
        ctx.measure(UNDELIVERED, 1.0);
        tracing::info!("{} undelivered to {to}: {why}", ctx.seat());
    }
}

impl Watch {
    fn found(&mut self, ctx: &mut Context<Self>, found: &NeighborFound) {
        tracing::info!("{} found {}", ctx.seat(), found.0);
    }

    fn lost(&mut self, ctx: &mut Context<Self>, lost: &NeighborLost) {
        tracing::info!("{} lost {}", ctx.seat(), lost.0);
    }
}

fn main() -> ExitCode {
    Experiment::new("watch")
        .peer(|_seat| {
            Peer::new().with(Bootstrap::default()).with(Neighbors::default()).with(Watch::default())
        })
        .main()
}
