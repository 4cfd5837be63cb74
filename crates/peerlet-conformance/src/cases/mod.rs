//! The cases, by the contract's chapters.

pub(crate) mod datagrams;
pub(crate) mod lives;
pub(crate) mod order;
pub(crate) mod pressure;
pub(crate) mod reliable;
pub(crate) mod siblings;
pub(crate) mod tasks;
pub(crate) mod timers;
pub(crate) mod world;

use peerlet_core::{Address, Context, Peer, Seat};

use crate::candidate::Experiment;
use crate::journal::Journal;
use crate::probe::Probe;

/// The address of another seat, which every world knows by the time a case acts.
fn address(ctx: &Context<Probe>, seat: u32) -> Address {
    ctx.seats().address(Seat(seat)).expect("all seats of a case are known")
}

/// Two probes: what the first does is given, the second writes down what happens.
fn pair(journal: &Journal, first: Probe) -> Experiment {
    duo(journal, first, Probe::new(journal))
}

/// Two probes that each do something.
fn duo(_: &Journal, first: Probe, second: Probe) -> Experiment {
    Experiment::new(2, move |seat| {
        Peer::new().with(if seat == Seat(0) { first.clone() } else { second.clone() })
    })
}

/// One probe alone.
fn solo(first: Probe) -> Experiment {
    Experiment::new(1, move |_| Peer::new().with(first.clone()))
}
