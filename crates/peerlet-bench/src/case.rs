//! What is measured: an engine, a workload, a size.

use std::fmt;
use std::str::FromStr;

pub use peerlet_bench_yardstick::{Plan, Workload};
use serde::{Deserialize, Serialize};

/// What runs a workload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// The hand-written loop that everything is compared with.
    Loop,
    /// A hand-written loop over a binary heap, as a textbook has it.
    Heap,
    /// Peerlets in simulation.
    Peerlet,
    /// Peerlets in simulation, by the simple engine that the other one is held to.
    Reference,
    /// The crate `simcore`.
    Simcore,
    /// The crate `nexosim`.
    Nexosim,
    /// The crate `madsim`, by a program of its own.
    Madsim,
    /// The crate `turmoil`.
    Turmoil,
}

impl Engine {
    /// All of them.
    pub const ALL: [Engine; 8] = [
        Engine::Loop,
        Engine::Heap,
        Engine::Peerlet,
        Engine::Reference,
        Engine::Simcore,
        Engine::Nexosim,
        Engine::Madsim,
        Engine::Turmoil,
    ];

    /// Its name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Loop => "loop",
            Engine::Heap => "heap",
            Engine::Peerlet => "peerlet",
            Engine::Reference => "reference",
            Engine::Simcore => "simcore",
            Engine::Nexosim => "nexosim",
            Engine::Madsim => "madsim",
            Engine::Turmoil => "turmoil",
        }
    }

    /// Whether it runs on more than one thread.
    pub const fn has_threads(self) -> bool {
        matches!(self, Engine::Loop | Engine::Peerlet)
    }

    /// Whether there is a program for this workload.
    pub const fn does(self, workload: Workload) -> bool {
        match self {
            Engine::Loop | Engine::Heap | Engine::Peerlet | Engine::Reference => true,
            Engine::Simcore | Engine::Nexosim => {
                matches!(workload, Workload::Gossip | Workload::Phold)
            }
            Engine::Madsim | Engine::Turmoil => matches!(workload, Workload::Gossip),
        }
    }

    /// Up to how many peers it is run: beyond, it takes hours or all memory, as far as we found.
    pub const fn peers_max(self) -> u32 {
        match self {
            Engine::Loop | Engine::Heap => 1 << 24,
            Engine::Peerlet | Engine::Reference => u32::MAX,
            Engine::Simcore => 4_000_000,
            Engine::Nexosim | Engine::Madsim => 1_000_000,
            // In each tick each host walks the links of all pairs of hosts.
            Engine::Turmoil => 300,
        }
    }

    /// How many events of a run are enough: slow engines are given less virtual time.
    pub const fn events_max(self) -> u64 {
        match self {
            Engine::Loop | Engine::Peerlet => u64::MAX,
            Engine::Heap => 100_000_000,
            Engine::Reference => 40_000_000,
            Engine::Simcore => 20_000_000,
            Engine::Nexosim | Engine::Madsim => 6_000_000,
            Engine::Turmoil => 3_000,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Engine, String> {
        let names = Engine::ALL.map(Engine::name);
        let found = Engine::ALL.into_iter().find(|engine| engine.name() == name);
        found.ok_or_else(|| format!("no engine is named `{name}`; one of {}", names.join(", ")))
    }
}

/// The workload of this name.
///
/// # Errors
/// Names all there are when there is none.
pub fn workload(name: &str) -> Result<Workload, String> {
    let names = Workload::ALL.map(Workload::name);
    let found = Workload::ALL.into_iter().find(|workload| workload.name() == name);
    found.ok_or_else(|| format!("no workload is named `{name}`; one of {}", names.join(", ")))
}

/// One thing to be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Case {
    /// What runs it.
    pub engine: Engine,
    /// What the peers do.
    pub workload: Workload,
    /// How many there are, for how long, on how many threads.
    pub plan: Plan,
}

impl Case {
    /// The virtual time that this engine is given, of so much: at least two seconds.
    pub fn seconds(engine: Engine, workload: Workload, plan: &Plan) -> u32 {
        let per_peer = match workload {
            Workload::Timers => 1,
            Workload::Phold => 2 * u64::from(plan.population),
            Workload::Gossip | Workload::Large | Workload::Tasks | Workload::Kinds => 3,
            Workload::Three => 9,
            Workload::Lookups => 2 + u64::from(plan.peers.ilog2()) / 2,
        };
        let enough = engine.events_max() / (per_peer * u64::from(plan.peers));
        plan.seconds.min(enough.max(2).min(u64::from(u32::MAX)) as u32)
    }
}

impl fmt::Display for Case {
    /// Writes the case as [`FromStr`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { peers, seconds, threads, seed, population } = self.plan;
        let (engine, workload) = (self.engine, self.workload.name());
        write!(f, "{engine}:{workload}:{peers}:{seconds}:{threads}:{seed}:{population}")
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Case, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let [engine, work, peers, seconds, threads, seed, population] = parts[..] else {
            return Err(format!("`{text}` has not the seven parts of a case"));
        };
        let number = |text: &str| text.parse::<u64>().map_err(|e| format!("`{text}`: {e}"));
        let small = |text| u32::try_from(number(text)?).map_err(|e| format!("`{text}`: {e}"));
        let plan = Plan {
            peers: small(peers)?,
            seconds: small(seconds)?,
            threads: small(threads)?,
            seed: number(seed)?,
            population: small(population)?,
        };
        Ok(Case { engine: engine.parse()?, workload: workload(work)?, plan })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_reads_back_what_it_wrote() {
        let plan = Plan { peers: 10, seconds: 3, threads: 2, seed: u64::MAX, population: 16 };
        for engine in Engine::ALL {
            for workload in Workload::ALL {
                let case = Case { engine, workload, plan };
                assert_eq!(case.to_string().parse(), Ok(case));
            }
        }
        assert!("loop:gossip:1".parse::<Case>().is_err());
        assert!("loop:gossip:10:x:1:1:1".parse::<Case>().is_err());
    }

    #[test]
    fn slow_engines_get_less_virtual_time() {
        let plan = Plan { peers: 1_000_000, seconds: 60, threads: 1, seed: 1, population: 1 };
        let seconds = |engine| Case::seconds(engine, Workload::Gossip, &plan);
        assert_eq!(seconds(Engine::Loop), 60);
        assert_eq!(seconds(Engine::Simcore), 6);
        assert_eq!(seconds(Engine::Madsim), 2);
    }
}
