//! The sibling below a witness: it says whether peerlets of one stack start, stop and hear in the
//! order of the contract.

use peerlet_core::{Context, Description, Nothing, Peerlet};

/// What a witness tells its sibling, to see when it hears of it.
pub(crate) struct Nudge(pub(crate) u64);

/// The sibling below.
#[derive(Default)]
pub(crate) struct Sill {
    pub(crate) inits: u32,
    pub(crate) starts: u32,
    pub(crate) stops: u32,
    /// The number of the last nudge it heard of.
    pub(crate) heard: u64,
}

impl Peerlet for Sill {
    const NAME: &'static str = "witness_sill";
    type Message = Nothing;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.help("stands below `witness`").hears(Sill::nudged);
    }

    fn init(&mut self, _: &mut Context<Self>) {
        self.inits += 1;
    }

    fn start(&mut self, _: &mut Context<Self>) {
        self.starts += 1;
    }

    fn stop(&mut self, _: &mut Context<Self>) {
        self.stops += 1;
    }
}

impl Sill {
    fn nudged(&mut self, _: &mut Context<Self>, nudge: &Nudge) {
        self.heard = nudge.0;
    }
}
