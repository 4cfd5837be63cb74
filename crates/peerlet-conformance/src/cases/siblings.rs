//! Siblings and local events.

use std::panic::{AssertUnwindSafe, catch_unwind};

use peerlet_core::{Context, MILLISECOND, Peer, Seat, TimerId};

use crate::candidate::Experiment;
use crate::journal::{Journal, Observation, Observed};
use crate::probe::{LooseProbe, Sibling};
use crate::suite::{Case, Failure, Harness, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "local_events_come_after_the_handler_and_before_the_next_event",
        sentence: "Local events are handled after the current handler, in order, before the \
                   peer's next event.",
        test: local_events_come_after_the_handler_and_before_the_next_event,
    },
    Case {
        name: "a_peerlet_on_the_call_stack_is_nobodys_sibling",
        sentence: "A peerlet that is already on the stack answers `None`, never a deadlock.",
        test: a_peerlet_on_the_call_stack_is_nobodys_sibling,
    },
    Case {
        name: "nobody_acts_for_a_sibling_that_is_not_there",
        sentence: "Who acts for a sibling that its peer does not have is refused where it does so, \
                   by name, whatever stacks others have.",
        test: nobody_acts_for_a_sibling_that_is_not_there,
    },
];

fn local_events_come_after_the_handler_and_before_the_next_event(
    harness: &mut Harness<'_>,
) -> Result<(), Failure> {
    let journal = Journal::default();
    let written = journal.clone();
    let probe = LooseProbe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 100, 1);
            ctx.after(MILLISECOND * 100, 2);
        })
        .on_timer(move |ctx, timer| {
            if timer == 1 {
                let mut sibling = ctx.sibling::<Sibling>().expect("the sibling is free");
                sibling.set(&mut ctx.of::<Sibling>(), 10);
                sibling.set(&mut ctx.of::<Sibling>(), 11);
                drop(sibling);
                let observed = Observed::Note("handler ends".into());
                written.write(Observation { seat: ctx.seat(), at: ctx.now(), observed });
            }
        });
    let stack = journal.clone();
    harness.run(Experiment::new(1, move |_| {
        Peer::new().with(Sibling::new(&stack)).with(probe.clone())
    }))?;
    let ends = Observed::Note("handler ends".into());
    let expected = [
        Observed::Timer(1),
        ends.clone(),
        Observed::Heard(10),
        Observed::Heard(11),
        Observed::Timer(2),
    ];
    let mut seen = journal.of(0);
    seen.retain(|observed| expected.contains(observed));
    ensure_eq!(seen, expected, "handlers");
    Ok(())
}

fn a_peerlet_on_the_call_stack_is_nobodys_sibling(
    harness: &mut Harness<'_>,
) -> Result<(), Failure> {
    let journal = Journal::default();
    let written = journal.clone();
    let probe = LooseProbe::new(&journal).on_start(move |ctx, ()| {
        let held = ctx.sibling::<Sibling>();
        let states = [
            ctx.sibling::<LooseProbe>().is_some(),
            held.is_some(),
            ctx.sibling::<Sibling>().is_some(),
        ];
        drop(held);
        let again = ctx.sibling::<Sibling>().is_some();
        let observed = Observed::Note(format!("{states:?} {again}"));
        written.write(Observation { seat: ctx.seat(), at: ctx.now(), observed });
    });
    let stack = journal.clone();
    let experiment =
        Experiment::new(1, move |_| Peer::new().with(Sibling::new(&stack)).with(probe.clone()));
    harness.run(experiment.lasting(MILLISECOND * 300))?;
    let note = Observed::Note("[false, true, false] true".into());
    ensure_eq!(journal.of(0).contains(&note), true, "what the siblings answered");
    Ok(())
}

/// Sets a timer of the sibling.
fn set_for_sibling(ctx: &mut Context<Sibling>) -> TimerId {
    ctx.after(MILLISECOND, ())
}

fn nobody_acts_for_a_sibling_that_is_not_there(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let written = journal.clone();
    let probe = LooseProbe::new(&journal).on_start(move |ctx, ()| {
        let has = ctx.has::<Sibling>();
        let set = AssertUnwindSafe(|| set_for_sibling(&mut ctx.of::<Sibling>()));
        let refusal = match catch_unwind(set) {
            Ok(_) => "none".to_owned(),
            Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
        };
        let observed = Observed::Note(format!("has: {has}, refused: {refusal}"));
        written.write(Observation { seat: ctx.seat(), at: ctx.now(), observed });
    });
    let stack = journal.clone();
    let experiment = Experiment::new(2, move |seat| match seat {
        Seat(0) => Peer::new().with(Sibling::new(&stack)).with(probe.clone()),
        _ => Peer::new().with(probe.clone()),
    });
    harness.run(experiment.lasting(MILLISECOND * 300))?;
    let said = |seat: u32, wanted: &str| {
        let is_said = |observed: &Observed| match observed {
            Observed::Note(text) => text.starts_with(wanted),
            _ => false,
        };
        journal.of(seat).iter().any(is_said)
    };
    ensure_eq!(said(0, "has: true, refused: none"), true, "where there is a sibling");
    let refused = "has: false, refused: peer 1 (life 1) has no `sibling`, and its `probe` acts";
    ensure_eq!(said(1, refused), true, "where there is none");
    let set = journal.of(0).contains(&Observed::Note("sibling's timer".into()));
    ensure_eq!(set, true, "the sibling's own handler is called");
    Ok(())
}
