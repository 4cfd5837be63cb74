//! A search: scenario after scenario, until one fails or enough have held.

use std::collections::BTreeMap;

use peerlet_core::Seed;
use peerlet_run::{Experiment, Plan, World};
use peerlet_scenario::Source;

use super::trial::{Flaw, Score, Trial};
use super::{Alter, Attend};
use crate::generate::scenario::GeneratedScenario;

/// One scenario of this many is tried in more variants than the others.
const THOROUGH: u64 = 4;

/// A search through random scenarios.
pub struct Search<'a> {
    /// The peerlets and models that scenarios can name.
    pub experiment: &'a Experiment,
    /// How many scenarios are generated.
    pub count: u64,
    /// The seed that they are generated from.
    pub seed: u64,
}

/// The result of a search.
#[derive(Clone, Default, Debug)]
pub struct Findings {
    /// How many scenarios held.
    pub held: u64,
    /// Events of one run of each.
    pub events: u64,
    /// How many statements of the contract checkers saw hold, in all runs.
    pub checked: u64,
    /// In how many of the scenarios each model, layer, peerlet, act and fault occurred.
    pub occurred: BTreeMap<String, u64>,
    /// Whether the search was interrupted.
    pub is_interrupted: bool,
    /// The scenario that failed.
    pub finding: Option<Finding>,
}

/// A scenario that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Its number within the search, counted from 1.
    pub number: u64,
    /// The seed that generates it again.
    pub seed: u64,
    /// The statement that does not hold.
    pub what: String,
    /// Whether the failure is that two runs differ.
    pub is_nondeterminism: bool,
    /// Its file.
    pub text: String,
    /// Its file with all random choices resolved, if there is one.
    pub expanded: Option<String>,
}

impl Search<'_> {
    /// Tries one scenario after the other. `alter` changes the setup of each run.
    pub fn run(&self, alter: &Alter) -> Findings {
        self.run_watched(alter, &|_, _, run| run(), |_, _| {})
    }

    /// As [`run`](Search::run); calls `shown` before each trial.
    pub fn run_watched(
        &self,
        alter: &Alter,
        attend: &Attend<'_>,
        mut shown: impl FnMut(u64, &Findings),
    ) -> Findings {
        let mut findings = Findings::default();
        for number in 1..=self.count {
            shown(number, &findings);
            let seed = self.seed_of(number);
            let generated = GeneratedScenario::new(seed);
            // The choice depends on the seed alone, so that a scenario run again has the same
            // variants.
            let is_thorough = seed.is_multiple_of(THOROUGH);
            let trial = Trial { experiment: self.experiment, alter, attend, is_thorough };
            let (what, is_nondeterminism) = match trial.try_generated(&generated) {
                Ok(score) => {
                    findings.add(score, &generated.has);
                    continue;
                }
                Err(Flaw::Interrupted) => {
                    findings.is_interrupted = true;
                    break;
                }
                Err(Flaw::Broken(what)) => (what, false),
                Err(Flaw::Refused(problems)) => {
                    (format!("it is refused:\n{}", problems.render(false)), false)
                }
                Err(Flaw::Nondeterminism(what)) => (what, true),
            };
            let (text, expanded) = (generated.text(), self.expanded(&generated));
            let finding = Finding { number, seed, what, is_nondeterminism, text, expanded };
            findings.finding = Some(finding);
            break;
        }
        findings
    }

    /// The seed of a scenario: the first one's is the search's own, so that each can be generated
    /// again alone.
    fn seed_of(&self, number: u64) -> u64 {
        match number {
            1 => self.seed,
            // Few digits, which are easy to copy.
            _ => Seed::new(self.seed).named("random scenarios").at(number).bits() >> 24,
        }
    }

    fn expanded(&self, generated: &GeneratedScenario) -> Option<String> {
        let source = Source::new("random scenario", generated.text());
        let plan = Plan::new(self.experiment, source, &[], World::Sim).ok()?;
        generated.expanded(&plan.scenario, plan.timeline())
    }
}

impl Findings {
    fn add(&mut self, score: Score, has: &[String]) {
        self.held += 1;
        self.events += score.events;
        self.checked += score.checked;
        for name in has {
            *self.occurred.entry(name.clone()).or_default() += 1;
        }
    }
}
