//! Attack programs: each sends at a steady rate until it is stopped. Tests run each of them for a
//! moment against honest processes, and `benches/attacks` measures what each does to them.

mod bytes_alone;
mod connections;
pub mod list;
mod members;
pub mod meter;
pub mod scene;
mod sealed;
pub mod sockets;
mod speaker;
mod strangers;
pub mod world;

use std::future::Future;
use std::pin::Pin;

use scene::Scene;
use world::World;

/// An attack program under way.
pub type Program = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The attacker's standing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Can send packets, and no more.
    Stranger,
    /// Takes part in the run with seats of its own.
    Member,
    /// Has the secret of a UDP network.
    Holder,
}

/// The attacked process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Victim {
    /// Seat 0's process.
    First,
    /// The other one, which joined it.
    Second,
}

/// An attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// A short name.
    pub name: &'static str,
    /// The attack in a few words.
    pub about: &'static str,
    pub world: World,
    pub standing: Standing,
    pub victim: Victim,
    /// Actions a second when it is measured: packets, frames or handshakes.
    pub rate: u32,
    pub program: fn(Scene) -> Program,
}

impl Attack {
    /// The bound of the memory that the attacked process may grow by, in MiB: those of
    /// docs/SECURITY.md.
    pub fn memory_max(&self) -> u64 {
        match self.standing {
            Standing::Stranger => 64,
            Standing::Member | Standing::Holder => 512,
        }
    }
}
