//! The cases, by the contract's chapters.

pub(crate) mod datagrams;
pub(crate) mod large;
pub(crate) mod lives;
pub(crate) mod order;
pub(crate) mod pressure;
pub(crate) mod reliable;
pub(crate) mod roles;
pub(crate) mod siblings;
pub(crate) mod tasks;
pub(crate) mod timers;
pub(crate) mod trust;
pub(crate) mod world;

use peerlet_core::{Address, Context, Peer, Seat};

use crate::candidate::Experiment;
use crate::journal::Journal;
use crate::probe::Prober;

/// The address of another seat, which every world knows by the time a case acts.
fn address<const R: bool>(ctx: &Context<Prober<R>>, seat: u32) -> Address {
    ctx.seats().address(Seat(seat)).expect("all seats of a case are known")
}

/// Two probes: the first is given, the second only records its events.
fn pair<const R: bool>(journal: &Journal, first: Prober<R>) -> Experiment {
    duo(journal, first, Prober::new(journal))
}

/// Two probes that each do something.
fn duo<const R: bool>(_: &Journal, first: Prober<R>, second: Prober<R>) -> Experiment {
    Experiment::new(2, move |seat| {
        Peer::new().with(if seat == Seat(0) { first.clone() } else { second.clone() })
    })
}

/// One probe alone.
fn solo<const R: bool>(first: Prober<R>) -> Experiment {
    Experiment::new(1, move |_| Peer::new().with(first.clone()))
}
