//! Which workloads there are, and their loops.

use crate::gossip::Gossip;
use crate::kinds::Kinds;
use crate::large::Large;
use crate::lookups::Lookups;
use crate::phold::Phold;
use crate::program::{Plan, Ran};
use crate::tasks::Tasks;
use crate::three::Three;
use crate::timers::Timers;
use crate::{heap, windows};

/// What the peers do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Workload {
    /// Each second every peer sends a counter to a random other one, which adds it up and answers.
    Gossip,
    /// Whoever gets a message sends one on, to anybody, after a random time.
    Phold,
    /// Each peer has a timer that is due once a second.
    Timers,
    /// Gossip with messages of 200 bytes.
    Large,
    /// Each peer asks a random one, waits for its answer, sleeps a second, and so on.
    Tasks,
    /// Each peer looks somebody up each second, over a ring with fingers.
    Lookups,
    /// Three gossips a peer.
    Three,
    /// Gossip with 64 kinds of messages.
    Kinds,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 8] = [
        Workload::Gossip,
        Workload::Phold,
        Workload::Timers,
        Workload::Large,
        Workload::Tasks,
        Workload::Lookups,
        Workload::Three,
        Workload::Kinds,
    ];

    /// Its name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Workload::Gossip => "gossip",
            Workload::Phold => "phold",
            Workload::Timers => "timers",
            Workload::Large => "large",
            Workload::Tasks => "tasks",
            Workload::Lookups => "lookups",
            Workload::Three => "three",
            Workload::Kinds => "kinds",
        }
    }
}

/// What brings the events to a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Driver {
    /// Windows as long as the shortest delay, blocks of peers, threads.
    Windows,
    /// One binary heap, one thread.
    Heap,
}

/// Runs the loop of a workload.
///
/// # Panics
/// Panics when there are fewer than two or more than 2^24 peers.
pub fn run(workload: Workload, driver: Driver, plan: &Plan) -> Ran {
    assert!((2..=1 << 24).contains(&plan.peers), "2 to 16,777,216 peers, not {}", plan.peers);
    let Plan { peers, population, .. } = *plan;
    let gossip = Gossip { peers };
    macro_rules! drive {
        ($program:expr) => {
            match driver {
                Driver::Windows => windows::run($program, plan),
                Driver::Heap => heap::run($program, plan),
            }
        };
    }
    match workload {
        Workload::Gossip => drive!(gossip),
        Workload::Phold => drive!(Phold { peers, population }),
        Workload::Timers => drive!(Timers),
        Workload::Large => drive!(Large(gossip)),
        Workload::Tasks => drive!(Tasks { peers }),
        Workload::Lookups => drive!(Lookups { peers }),
        Workload::Three => drive!(Three(gossip)),
        Workload::Kinds => drive!(Kinds(gossip)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(peers: u32, threads: u32) -> Plan {
        Plan { peers, seconds: 5, threads, seed: 11, population: 3 }
    }

    /// The hash is over all peers' states, random included: one event more, less or out of a peer's
    /// order would move it.
    #[test]
    fn both_drivers_and_any_number_of_threads_agree() {
        for workload in Workload::ALL {
            // Not a multiple of any block, and more than three of them.
            let plan = |threads| plan(13_001, threads);
            let heap = run(workload, Driver::Heap, &plan(1));
            assert!(heap.events > 13_001 * 4, "{}: {} events", workload.name(), heap.events);
            for threads in [1, 2, 3] {
                let windows = run(workload, Driver::Windows, &plan(threads));
                let name = workload.name();
                assert_eq!(windows.hash, heap.hash, "{name}, {threads} threads");
                assert_eq!(windows.events, heap.events, "{name}, {threads} threads");
                assert_eq!(windows.hops, heap.hops, "{name}, {threads} threads");
            }
        }
    }

    #[test]
    fn the_hash_depends_on_the_seed() {
        for workload in Workload::ALL.into_iter().filter(|w| *w != Workload::Timers) {
            let first = run(workload, Driver::Windows, &plan(100, 1));
            let second = run(workload, Driver::Windows, &Plan { seed: 12, ..plan(100, 1) });
            assert_ne!(first.hash, second.hash, "{}", workload.name());
        }
    }

    #[test]
    fn lookups_take_half_the_bits_of_a_distance() {
        let ran = run(Workload::Lookups, Driver::Windows, &plan(4_096, 1));
        let mean = ran.hops as f64 / ran.answers as f64;
        // Long lookups that are not answered yet at the end are few.
        assert!((mean - 6.0).abs() < 0.15, "{mean}");
    }
}
