//! All cases, and the harness that runs them.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use crate::candidate::{Candidate, Experiment, Refusal, Report};
use crate::cases;

/// One sentence of the contract, put to the test.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// The sentence that it tests.
    pub sentence: &'static str,
    pub(crate) test: fn(&mut Harness<'_>) -> Result<(), Failure>,
}

/// The failure of a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The runtime refused to run it.
    Refused(Refusal),
    /// The contract was broken.
    Broken(String),
}

/// The verdict on one case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The contract was kept.
    Kept,
    /// The runtime cannot meet a need of the case, and named it.
    Refused(String),
    /// The contract was broken.
    Broken(String),
}

/// A runtime's verdicts, case by case.
pub struct Score {
    /// The runtime's name.
    pub runtime: String,
    /// One verdict per case, in the order in which the cases ran.
    pub verdicts: Vec<(&'static str, Verdict)>,
}

impl Score {
    /// How many cases were kept.
    pub fn kept(&self) -> usize {
        self.verdicts.iter().filter(|(_, v)| *v == Verdict::Kept).count()
    }

    /// How many cases were refused by name.
    pub fn refused(&self) -> usize {
        self.verdicts.iter().filter(|(_, v)| matches!(v, Verdict::Refused(_))).count()
    }

    /// Whether nothing was broken.
    pub fn conforms(&self) -> bool {
        self.kept() + self.refused() == self.verdicts.len()
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, refused) = (self.kept(), self.refused());
        let broken = self.verdicts.len() - kept - refused;
        writeln!(f, "{}: {kept} kept, {refused} refused, {broken} broken", self.runtime)?;
        for (name, verdict) in &self.verdicts {
            match verdict {
                Verdict::Kept => writeln!(f, "  kept     {name}")?,
                Verdict::Refused(why) => writeln!(f, "  refused  {name}: {why}")?,
                Verdict::Broken(why) => writeln!(f, "  BROKEN   {name}: {why}")?,
            }
        }
        Ok(())
    }
}

/// The harness of a case: it runs experiments on the candidate.
pub(crate) struct Harness<'c> {
    candidate: &'c mut dyn Candidate,
}

impl Harness<'_> {
    pub(crate) fn run(&mut self, experiment: Experiment) -> Result<Report, Failure> {
        let report = self.candidate.run(experiment).map_err(Failure::Refused)?;
        // Every case is also a test of the accounts.
        if report.ledger.is_balanced() {
            Ok(report)
        } else {
            Err(Failure::Broken(format!("the accounts do not balance: {:?}", report.ledger)))
        }
    }

    pub(crate) fn gives(&self) -> &[peerlet_core::Need] {
        self.candidate.gives()
    }
}

/// Breaks the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(crate::suite::Failure::Broken(format!($($message)+)));
        }
    };
}

/// Breaks the case unless both sides are equal.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $what:literal) => {
        let (left, right) = (&$left, &$right);
        if left != right {
            let (left, right) = (format!("{left:?}"), format!("{right:?}"));
            return Err(crate::suite::Failure::Broken(format!(
                "{}: {:.400} instead of {:.400}",
                $what, left, right
            )));
        }
    };
}

pub(crate) use {ensure, ensure_eq};

/// All cases.
pub const CASES: &[&[Case]] = &[
    cases::order::CASES,
    cases::timers::CASES,
    cases::lives::CASES,
    cases::datagrams::CASES,
    cases::reliable::CASES,
    cases::large::CASES,
    cases::pressure::CASES,
    cases::siblings::CASES,
    cases::roles::CASES,
    cases::tasks::CASES,
    cases::world::CASES,
    cases::trust::CASES,
];

/// Held for writing by cases that need the machine for themselves.
static QUIET: RwLock<()> = RwLock::new(());

/// Checks a runtime against the whole contract, one case after the other.
pub fn run(candidate: &mut dyn Candidate) -> Score {
    let cases = CASES.iter().copied().flatten();
    let verdicts = cases.map(|case| (case.name, case.verify(candidate))).collect();
    Score { runtime: candidate.name().to_owned(), verdicts }
}

/// Checks a real-time runtime against the whole contract, many cases at once, since each mostly
/// waits. `make` makes a candidate for each of this many threads. Cases with large messages keep
/// the machine busy, and run after the others.
pub fn run_at_once<C: Candidate>(threads: usize, make: impl Fn() -> C + Sync) -> Score {
    let is_large = |cases: &&&[Case]| std::ptr::eq(**cases, cases::large::CASES);
    let (large, others): (Vec<_>, Vec<_>) = CASES.iter().partition(is_large);
    let mut verdicts = {
        let _beside = QUIET.read().unwrap_or_else(PoisonError::into_inner);
        verify_at_once(threads, &make, others)
    };
    let _alone = QUIET.write().unwrap_or_else(PoisonError::into_inner);
    verdicts.extend(verify_at_once(2, &make, large));
    Score { runtime: make().name().to_owned(), verdicts }
}

fn verify_at_once<C: Candidate>(
    threads: usize,
    make: &(impl Fn() -> C + Sync),
    cases: Vec<&&[Case]>,
) -> Vec<(&'static str, Verdict)> {
    let cases: Vec<&Case> = cases.into_iter().copied().flatten().collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let (mut candidate, mut verified) = (make(), Vec::new());
        loop {
            let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(case) = cases.get(index) else { return verified };
            verified.push((index, case.name, case.verify(&mut candidate)));
        }
    };
    let mut verdicts: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|w| w.join().expect("a case does not panic")).collect()
    });
    verdicts.sort_by_key(|(index, ..)| *index);
    verdicts.into_iter().map(|(_, name, verdict)| (name, verdict)).collect()
}

impl Case {
    fn verify(&self, candidate: &mut dyn Candidate) -> Verdict {
        match (self.test)(&mut Harness { candidate }) {
            Ok(()) => Verdict::Kept,
            Err(Failure::Broken(why)) => Verdict::Broken(why),
            Err(Failure::Refused(why)) => refused(candidate, &why),
        }
    }
}

/// A refusal is legitimate if the runtime lacks a need, and the message names it and the peerlet.
fn refused(candidate: &dyn Candidate, why: &Refusal) -> Verdict {
    let lacks = !candidate.gives().contains(&peerlet_core::Need::Reliable);
    let named = why.0.contains(peerlet_core::Need::Reliable.name()) && why.0.contains("probe");
    if lacks && named {
        Verdict::Refused(why.0.clone())
    } else {
        Verdict::Broken(format!("refused without reason: {why}"))
    }
}
