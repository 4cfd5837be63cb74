//! Siblings and local events.

use peerlet_core::{MILLISECOND, Peer};

use crate::candidate::Experiment;
use crate::journal::{Entry, Journal, What};
use crate::probe::{LooseProbe, Sibling};
use crate::suite::{Bench, Case, Failure, ensure_eq};

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
];

fn local_events_come_after_the_handler_and_before_the_next_event(
    bench: &mut Bench<'_>,
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
                let what = What::Note("handler ends".into());
                written.write(Entry { seat: ctx.seat(), at: ctx.now(), what });
            }
        });
    let stack = journal.clone();
    bench.run(Experiment::new(1, move |_| {
        Peer::new().with(Sibling::new(&stack)).with(probe.clone())
    }))?;
    let ends = What::Note("handler ends".into());
    let expected = [What::Timer(1), ends.clone(), What::Heard(10), What::Heard(11), What::Timer(2)];
    let mut seen = journal.of(0);
    seen.retain(|what| expected.contains(what));
    ensure_eq!(seen, expected, "handlers");
    Ok(())
}

fn a_peerlet_on_the_call_stack_is_nobodys_sibling(bench: &mut Bench<'_>) -> Result<(), Failure> {
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
        let what = What::Note(format!("{states:?} {again}"));
        written.write(Entry { seat: ctx.seat(), at: ctx.now(), what });
    });
    let stack = journal.clone();
    let experiment =
        Experiment::new(1, move |_| Peer::new().with(Sibling::new(&stack)).with(probe.clone()));
    bench.run(experiment.lasting(MILLISECOND * 300))?;
    let note = What::Note("[false, true, false] true".into());
    ensure_eq!(journal.of(0).contains(&note), true, "what the siblings answered");
    Ok(())
}
