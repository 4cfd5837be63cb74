//! Scenario after scenario, until one fails or enough have held.

use std::collections::BTreeMap;

use peerlet_core::Seed;
use peerlet_run::{Experiment, Plan, World};
use peerlet_scenario::Source;

use super::trial::{Flaw, Score, Trial};
use super::{Alter, Attend};
use crate::generate::scenario::Drawn;

/// One scenario of so many is tried in more ways than the others.
const THOROUGH: u64 = 4;

/// What is searched.
pub struct Search<'a> {
    /// What scenarios can name.
    pub experiment: &'a Experiment,
    /// How many scenarios are drawn.
    pub count: u64,
    /// What they are drawn from.
    pub seed: u64,
}

/// What a search came to.
#[derive(Clone, Default, Debug)]
pub struct Findings {
    /// How many scenarios held.
    pub held: u64,
    /// Events of one run of each.
    pub events: u64,
    /// How many statements of the contract witnesses saw hold, in all runs.
    pub checked: u64,
    /// In how many of the scenarios each model, layer, peerlet, act and fault occurred.
    pub occurred: BTreeMap<String, u64>,
    /// Whether somebody asked for the end.
    pub is_interrupted: bool,
    /// The scenario that failed.
    pub finding: Option<Finding>,
}

/// A scenario that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Which one of the search it is, counted from 1.
    pub number: u64,
    /// From which it is drawn again.
    pub seed: u64,
    /// What does not hold.
    pub what: String,
    /// Whether that is that two runs differ.
    pub is_nondeterminism: bool,
    /// Its file.
    pub text: String,
    /// Its file with its lots drawn, where there is one.
    pub expanded: Option<String>,
}

impl Search<'_> {
    /// Tries one scenario after the other. `alter` changes the setup of each run.
    pub fn run(&self, alter: &Alter) -> Findings {
        self.run_watched(alter, &|_, _, run| run(), |_, _| {})
    }

    /// As [`run`](Search::run); `shown` is told of each scenario that is about to be tried.
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
            let drawn = Drawn::new(seed);
            // Those that are tried in more ways are the same when they are run alone.
            let is_thorough = seed.is_multiple_of(THOROUGH);
            let trial = Trial { experiment: self.experiment, alter, attend, is_thorough };
            let (what, is_nondeterminism) = match trial.try_drawn(&drawn) {
                Ok(score) => {
                    findings.add(score, &drawn.has);
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
            let (text, expanded) = (drawn.text(), self.expanded(&drawn));
            let finding = Finding { number, seed, what, is_nondeterminism, text, expanded };
            findings.finding = Some(finding);
            break;
        }
        findings
    }

    /// The seed of a scenario: the first one's is the search's own, so that each may be drawn again
    /// alone.
    fn seed_of(&self, number: u64) -> u64 {
        match number {
            1 => self.seed,
            // Few digits, which are easy to copy.
            _ => Seed::new(self.seed).named("random scenarios").at(number).bits() >> 24,
        }
    }

    fn expanded(&self, drawn: &Drawn) -> Option<String> {
        let source = Source::new("random scenario", drawn.text());
        let plan = Plan::new(self.experiment, source, &[], World::Sim).ok()?;
        drawn.expanded(&plan.scenario, plan.timeline())
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
