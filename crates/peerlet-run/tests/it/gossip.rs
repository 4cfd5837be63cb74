//! A rumor that spreads, for tests that need something to run.

use peerlet_core::{
    Address, Command, Context, Description, Metric, Peer, Peerlet, SECOND, Seat, Signature,
};
use peerlet_run::Experiment;
use serde::{Deserialize, Serialize};

/// Tells a peer at random what it knows, every second.
#[derive(Default)]
pub struct Gossip {
    /// Whether it has heard the rumor.
    pub knows: bool,
}

/// The rumor.
#[derive(Serialize, Deserialize)]
pub struct Rumor;

pub const HEARD: Metric = Metric::counter("heard").help("rumors that came");

impl Peerlet for Gossip {
    const NAME: &'static str = "gossip";
    type Message = Rumor;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.measures(&HEARD).command(Signature::new("learn"));
    }
    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(SECOND, ());
    }
    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        if !self.knows {
            return;
        }
        let count = ctx.seats().count();
        let seat = Seat(ctx.rng().below(u64::from(count)) as u32);
        if let Some(address) = ctx.seats().address(seat) {
            ctx.send(address, Rumor);
        }
    }
    fn message(&mut self, ctx: &mut Context<Self>, _: Address, Rumor: Rumor) {
        self.knows = true;
        ctx.measure(HEARD, 1.0);
    }
    fn command(&mut self, _: &mut Context<Self>, _: &Command) {
        self.knows = true;
    }
}

pub fn experiment() -> Experiment {
    Experiment::new("gossip").peer(|_seat| Peer::new().with(Gossip::default()))
}

pub const SCENARIO: &str = "peers = 100\nfor = \"60s\"\njoin = \"0s\"\n\
                            [network]\nmodel = \"uniform\"\nmin = \"20ms\"\nmax = \"80ms\"\n";
