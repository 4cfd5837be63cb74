//! Simulations step by step.

use peerlet_core::runtime::{SeatSet, State};
use peerlet_core::{Duration, MILLISECOND, NANOSECOND, SECOND, Seat, Time};
use peerlet_network::{Change, Ways};
use peerlet_run::{Results, RunError, SimRun};
use peerlet_sim::{ActError, Engine};

use crate::gossip::{Gossip, SCENARIO, experiment};

/// How many running peers know.
fn knowing(run: &SimRun) -> usize {
    run.peerlets::<Gossip>().filter(|(_, gossip)| gossip.knows).count()
}

/// The test that the docs promise: a hundred peers, ten lines.
#[test]
fn a_rumor_reaches_a_hundred_peers_and_a_crash_forgets_it() -> Result<(), RunError> {
    let mut run = experiment().sim(SCENARIO).start()?;
    run.run_for(SECOND)?;
    run.with(Seat(0), |gossip: &mut Gossip, _| gossip.knows = true)?;
    assert!(run.run_until_holds(SECOND, |run| knowing(run) == 100)?);
    run.crash(Seat(3))?;
    run.start(Seat(3))?;
    assert_eq!(knowing(&run), 99);
    run.run()?.check().expect("nothing is expected");
    Ok(())
}

#[test]
fn looking_changes_nothing_and_acts_are_the_same_however_it_runs() {
    let plain = experiment().sim(SCENARIO).run().expect("it runs");
    let looked = || -> Result<Results, RunError> {
        let mut run = experiment().sim(SCENARIO).start()?;
        assert!(!run.run_until_holds(MILLISECOND * 730, |run| knowing(run) > 0)?);
        assert!(run.is_over());
        run.finish()
    };
    let looked = looked().expect("it runs");
    assert_eq!((looked.digest, looked.events), (plain.digest.clone(), plain.events));
    let acted = |engine, threads| -> Result<(Option<String>, Time, u64), RunError> {
        let mut run = experiment().sim(SCENARIO).engine(engine).threads(threads).wire().start()?;
        run.event("0-4 Peer.Gossip.learn()")?;
        run.run_for(NANOSECOND)?;
        run.event("0-4 Peer.Gossip.learn()")?;
        run.run_for(MILLISECOND * 3_333)?;
        run.event("0-49 Network.cut()")?;
        run.event("10% Peer.restart()")?;
        run.run_for(SECOND * 20)?;
        run.change_network(&SeatSet::all(100), Change::Heal { from: None })?;
        run.event("7 Peer.pause(3s)")?;
        assert!(run.run_until_holds(SECOND / 3, |run| knowing(run) >= 95)?);
        let reached = run.now();
        let results = run.run()?;
        Ok((results.digest, reached, results.idle_directives))
    };
    let expected = acted(Engine::Reference, 1).expect("it runs");
    assert_ne!(expected.0, plain.digest);
    assert_eq!(expected.2, 5, "nobody had begun at the first instant");
    for threads in 1..4 {
        assert_eq!(acted(Engine::Windowed, threads).expect("it runs"), expected);
    }
}

#[test]
fn a_split_keeps_the_rumor_in_its_half() -> Result<(), RunError> {
    let mut run = experiment().sim(SCENARIO).start()?;
    let half = SeatSet::from_ranges([0..=49]);
    run.run_for(SECOND)?;
    run.change_network(&half, Change::Cut { from: None, ways: Ways::Both, in_flight: false })?;
    run.event("3 Peer.Gossip.learn()")?;
    run.run_for(SECOND * 20)?;
    let knows = |run: &SimRun, seats: std::ops::Range<u32>| {
        let knows = |seat| run.peerlet::<Gossip>(Seat(seat)).is_some_and(|gossip| gossip.knows);
        seats.filter(|seat| knows(*seat)).count()
    };
    assert_eq!((knows(&run, 0..50), knows(&run, 50..100)), (50, 0));
    run.event("* Network.heal()")?;
    run.run_for(SECOND * 20)?;
    assert_eq!(knows(&run, 0..100), 100);
    let heard = run.summary().rows["gossip/heard"].sum;
    let ledger = run.ledger();
    assert!(heard > 0.0 && heard as u64 == ledger.datagram.delivered);
    assert!(ledger.datagram.dropped(peerlet_measure::DropCause::Partition) > 100);
    let results = run.finish()?;
    assert!(results.is_interrupted && results.end == Time::ZERO + SECOND * 41);
    Ok(())
}

#[test]
fn single_steps_are_in_order_and_end_in_the_same_digest() -> Result<(), RunError> {
    let experiment = experiment();
    let whole = experiment.sim(SCENARIO).peers(10).duration(SECOND * 5).run()?;
    let sim = || experiment.sim(SCENARIO).peers(10).duration(SECOND * 5);
    let mut run = sim().engine(Engine::Reference).start()?;
    let (mut steps, mut before) = (0, Time::ZERO);
    while run.step()? {
        assert!(run.now() >= before);
        (steps, before) = (steps + 1, run.now());
    }
    assert_eq!(steps, whole.events);
    assert_eq!(run.finish()?.digest, whole.digest);
    let mut windowed = sim().start()?;
    let error = windowed.step().expect_err("there is no order among peers");
    assert!(error.to_string().contains("choose Engine::Reference"), "{error}");
    Ok(())
}

#[test]
fn what_cannot_be_done_is_refused_with_a_remedy() -> Result<(), RunError> {
    let mut run = experiment().sim(SCENARIO).start()?;
    run.run_for(SECOND)?;
    let refused = |run: &mut SimRun, line: &str, words: &str| {
        let error = run.event(line).expect_err("it is wrong").to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(&mut run, "Peer.stop()", "write PEERS CALL");
    refused(&mut run, "0-4 Peer.Gossip.forget()", "its commands are: `learn()`");
    refused(&mut run, "0-4 Network.cutt()", "did you mean Network.cut?");
    refused(&mut run, "0-400 Peer.stop()", "100 peers have the seats 0 to 99");
    refused(&mut run, "0-4 Network.clog()", "write them into the scenario");
    refused(&mut run, "0-4 Network.pair_delay(\"7\", 1ms)", "give 20ms or more");
    assert!(matches!(run.crash(Seat(100)), Err(RunError::Act(ActError::NoSeat(Seat(100), 100)))));
    assert_eq!(run.ledger().datagram.sent, 0, "nothing happened");
    run.stop(Seat(4))?;
    assert_eq!(run.state(Seat(4)), State::Stopped);
    let call = run.with(Seat(4), |_: &mut Gossip, _| ()).expect_err("it does not run");
    assert!(call.to_string().contains("seat 4 does not run; start it first"), "{call}");
    run.run_until(Time::ZERO + SECOND * 100)?;
    assert!(matches!(run.start(Seat(4)), Err(RunError::Act(ActError::Over))));
    assert_eq!(run.finish()?.end, Time::ZERO + SECOND * 60);
    Ok(())
}

#[test]
#[should_panic(expected = "a condition is judged after some time")]
fn a_condition_is_not_judged_without_end() {
    let mut run = experiment().sim(SCENARIO).start().expect("it can run");
    run.run_until_holds(Duration::ZERO, |_| false).expect("it panics before");
}

#[test]
fn values_are_put_over_those_of_the_scenario_and_taken_away() -> Result<(), RunError> {
    let experiment = experiment();
    let lossy = || experiment.sim(format!("{SCENARIO}loss = 0.5\n"));
    let plain = experiment.sim(SCENARIO).run()?;
    assert_eq!(lossy().set("network.loss", "").run()?.digest, plain.digest);
    let wrong = lossy().set("network.lost", 3).run().expect_err("there is no such key");
    assert!(wrong.to_string().contains("set network.lost=3"), "{wrong}");
    Ok(())
}
