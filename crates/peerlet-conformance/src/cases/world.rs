//! Commands, seats, measurements.

use std::sync::Arc;

use peerlet_core::runtime::{Act, Port};
use peerlet_core::{Kind, MILLISECOND, Peer, SECOND, Seat, Signature, Value};

use super::{address, pair, solo};
use crate::candidate::Experiment;
use crate::journal::{Journal, Observation, Observed};
use crate::probe::{LooseProbe, Probe};
use crate::suite::{Case, Failure, Harness, ensure, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "needs_are_met_or_refused_by_name",
        sentence: "A world that cannot give what a peerlet needs is refused before anything \
                   runs, by name.",
        test: needs_are_met_or_refused_by_name,
    },
    Case {
        name: "commands_reach_the_stopped_and_not_the_crashed",
        sentence: "A command reaches a stopped seat (its state is there) and not a crashed one.",
        test: commands_reach_the_stopped_and_not_the_crashed,
    },
    Case {
        name: "seats_are_resolved_and_known_to_run",
        sentence: "`ctx.seats()` resolves seats for workloads.",
        test: seats_are_resolved_and_known_to_run,
    },
    Case {
        name: "what_was_measured_is_what_is_summed",
        sentence: "What was logged is what is summed, the last epoch and crashed peers included.",
        test: what_was_measured_is_what_is_summed,
    },
];

fn needs_are_met_or_refused_by_name(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let gives = harness.gives().contains(&peerlet_core::Need::Reliable);
    let ran = harness.run(solo(Probe::new(&journal)).lasting(MILLISECOND * 200));
    match (gives, ran) {
        (true, Ok(_)) => Ok(()),
        (true, Err(failure)) => Err(failure),
        (false, Err(failure)) => {
            ensure_eq!(journal.observations().len(), 0, "what ran before it was refused");
            Err(failure)
        }
        (false, Ok(_)) => Err(Failure::Broken("ran without what a peerlet needs".into())),
    }
}

fn note(text: &str) -> Act {
    let signature = Signature::new("note").takes("text", Kind::Text);
    let command = signature.call(&[Value::Text(text.into())]).expect("one text is given");
    // The probe is the only peerlet of these stacks.
    Act::Command(Port(0), Arc::new(command))
}

fn commands_reach_the_stopped_and_not_the_crashed(
    harness: &mut Harness<'_>,
) -> Result<(), Failure> {
    let journal = Journal::default();
    let experiment = solo(LooseProbe::new(&journal))
        .then(MILLISECOND * 100, 0, note("running"))
        .then(MILLISECOND * 200, 0, Act::Stop)
        .then(MILLISECOND * 300, 0, note("stopped"))
        .then(MILLISECOND * 400, 0, Act::Crash)
        .then(MILLISECOND * 500, 0, note("crashed"));
    let report = harness.run(experiment.lasting(SECOND))?;
    let mut commands = journal.of(0);
    commands.retain(|observed| matches!(observed, Observed::Command(_)));
    let expected = ["running", "stopped"].map(|text| Observed::Command(text.into()));
    ensure_eq!(commands, expected, "commands");
    ensure_eq!(report.idle_directives, 1, "directives that did nothing");
    Ok(())
}

fn seats_are_resolved_and_known_to_run(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let written = journal.clone();
    let probe = LooseProbe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 200, 0);
            ctx.after(MILLISECOND * 600, 1);
        })
        .on_timer(move |ctx, _| {
            let seats = ctx.seats();
            let own = seats.address(ctx.seat()) == Some(ctx.address());
            let running: Vec<_> = (0..4).map(|seat| seats.running(Seat(seat))).collect();
            let beyond = seats.address(Seat(3)).is_some();
            let text = format!("{} {own} {running:?} {beyond}", seats.count());
            written.write(Observation {
                seat: ctx.seat(),
                at: ctx.now(),
                observed: Observed::Note(text),
            });
        });
    let other = LooseProbe::new(&journal);
    let experiment = Experiment::new(3, move |seat| {
        Peer::new().with(if seat == Seat(0) { probe.clone() } else { other.clone() })
    });
    harness.run(experiment.then(MILLISECOND * 400, 2, Act::Stop).lasting(SECOND))?;
    let expected =
        ["3 true [true, true, true, false] false", "3 true [true, true, false, false] false"];
    ensure_eq!(journal.notes(0), expected, "what the seats are");
    Ok(())
}

fn what_was_measured_is_what_is_summed(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.every(MILLISECOND * 30, 0);
        })
        .on_timer(|ctx, _| {
            let other = address(ctx, 1);
            ctx.send(other, 3.into());
        });
    let experiment = pair(&journal, probe).then(SECOND, 1, Act::Crash);
    let report = harness.run(experiment)?;
    let logged = journal.messages(1).len() as u64;
    let (got, number) = (&report.summary.rows["probe/got"], &report.summary.rows["probe/number"]);
    ensure!(logged > 20, "only {logged} messages came");
    ensure_eq!((got.count, got.sum), (logged, logged as f64), "the counter");
    ensure_eq!((number.count, number.mean), (logged, Some(3.0)), "the distribution");
    ensure_eq!(report.ledger.datagram.delivered, logged, "delivered");
    Ok(())
}
