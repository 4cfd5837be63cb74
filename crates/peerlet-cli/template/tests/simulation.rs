//! The scenario of this project, in virtual time.

use peerlet::prelude::*;
use template_name::{TemplateName, experiment};

const SCENARIO: &str = include_str!("../scenarios/template-name.toml");

#[test]
fn a_level_reaches_every_peer() -> Result<(), RunError> {
    let results = experiment().sim(SCENARIO).run()?;
    let level = &results.summary().rows["template_name/level"];
    // A hundred peers, at the ends of two epochs.
    assert_eq!((level.count, level.sum), (200, 1_400.0));
    Ok(())
}

#[test]
fn a_peer_that_starts_anew_hears_of_it() -> Result<(), RunError> {
    let mut run = experiment().sim(SCENARIO).start()?;
    // Of all seats: at time zero nobody runs, and whatever is asked of all running peers holds.
    let reached =
        |run: &SimRun| run.peerlets::<TemplateName>().filter(|(_, peer)| peer.level() == 7).count();
    let all = |run: &SimRun| reached(run) == 100;
    assert!(!all(&run) && run.run_until_holds(SECOND, all)?);
    run.crash(Seat(3))?;
    run.start(Seat(3))?;
    assert!(!all(&run) && run.run_until_holds(SECOND, all)?);
    Ok(())
}
