//! Many seeds at once.

use peerlet_run::RunError;

use crate::gossip::{SCENARIO, experiment};

const EVENTS: &str = "[events]\nlines = \"0 1 Peer.Gossip.learn()\"\n";
const EXPECT: &str = "[[expect]]\nmeasure = \"gossip/heard\"\nsum_min = 2_000\n";

#[test]
fn seeds_run_at_once_as_they_run_alone() -> Result<(), RunError> {
    let scenario = format!("{SCENARIO}{EVENTS}{EXPECT}");
    let all = experiment().sim(scenario.as_str()).seeds(3..=8)?;
    assert_eq!(all.len(), 6);
    for (seed, results) in (3..).zip(all) {
        let alone = experiment().sim(scenario.as_str()).seed(seed).run()?;
        assert_eq!((results.plan.scenario.seed, &results.digest), (seed, &alone.digest));
        assert_eq!(results.check(), Ok(()));
        assert!(results.verdicts().iter().all(|verdict| verdict.held));
    }
    Ok(())
}

#[test]
fn what_was_expected_and_did_not_come_is_named() -> Result<(), RunError> {
    let scenario = format!("{SCENARIO}{EXPECT}");
    let experiment = experiment();
    let sim = || experiment.sim(scenario.as_str());
    let unmet = sim().run()?.check().expect_err("nobody knows anything");
    assert!(unmet.to_string().contains("FAILED gossip/heard sum_min = 2000"), "{unmet}");
    let mut run = sim().start()?;
    run.run_for(peerlet_core::SECOND)?;
    let unmet = run.finish()?.check().expect_err("it was ended");
    assert_eq!(unmet.to_string(), "the expectations were not judged: the run was interrupted");
    Ok(())
}

#[test]
fn a_wrong_scenario_is_refused_once() {
    #[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
    let error =
        experiment().sim("peers = 10\nfor = \"1s\"").seeds(4..=1).expect_err("there is none");
    assert!(error.to_string().contains("there is no seed in it"), "{error}");
    let error = experiment().sim("peers = 10\n").seeds(1..=100).expect_err("it has no end");
    assert!(error.to_string().contains("for"), "{error}");
}
