//! The sibling below a checker, which shows whether peerlets of one stack start, stop and hear
//! events in the order of the contract.

use peerlet_core::{Context, Description, Nothing, Peerlet};

/// A local event from a checker to its sibling, to see when it is heard.
pub(crate) struct Nudge(pub(crate) u64);

/// The sibling below.
#[derive(Default)]
pub(crate) struct LowerSibling {
    pub(crate) inits: u32,
    pub(crate) starts: u32,
    pub(crate) stops: u32,
    /// The number of the last nudge that it heard.
    pub(crate) heard: u64,
}

impl Peerlet for LowerSibling {
    const NAME: &'static str = "witness_sill";
    type Message = Nothing;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.help("stands below `witness`").hears(LowerSibling::nudged);
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

impl LowerSibling {
    fn nudged(&mut self, _: &mut Context<Self>, nudge: &Nudge) {
        self.heard = nudge.0;
    }
}
