//! Chapter "Delivery": back-pressure.

use std::sync::atomic::{AtomicU64, Ordering};

use peerlet_core::{MILLISECOND, Peer, SECOND, Seat};

use super::{address, pair};
use crate::candidate::Experiment;
use crate::journal::{Journal, Observation, Observed};
use crate::probe::{Message, Probe};
use crate::suite::{Case, Failure, Harness, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "the_257th_message_is_handed_back",
        sentence: "`send_reliably` returns the message when the destination's queue (256 \
                   messages) is full.",
        test: the_257th_message_is_handed_back,
    },
    Case { name: "a_mebibyte_is_enough", sentence: "... or 1 MiB.", test: a_mebibyte_is_enough },
    Case {
        name: "all_that_was_taken_arrives",
        sentence: "`writable(to)` is called once when half is free; a reliable sender is held \
                   back, not cheated.",
        test: all_that_was_taken_arrives,
    },
];

/// A probe that, 300 ms after it started, sends messages of this size until one is handed back, and
/// notes how many were taken.
fn filler(journal: &Journal, ballast: usize) -> Probe {
    let written = journal.clone();
    Probe::new(journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 300, 0);
        })
        .on_timer(move |ctx, _| {
            let other = address(ctx, 1);
            let mut taken = 0;
            let message = |number| Message { number, ballast: "x".repeat(ballast) };
            while taken < 1_000 && ctx.send_reliably(other, message(taken)).is_ok() {
                taken += 1;
            }
            let observed = Observed::Note(taken.to_string());
            written.write(Observation { seat: ctx.seat(), at: ctx.now(), observed });
        })
}

fn the_257th_message_is_handed_back(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    harness.run(pair(&journal, filler(&journal, 0)))?;
    ensure_eq!(journal.notes(0), ["256"], "taken");
    ensure_eq!(journal.messages(1).len(), 256, "received");
    let mut rest = journal.of(0);
    rest.retain(|observed| matches!(observed, Observed::Writable(_)));
    ensure_eq!(rest, [Observed::Writable(Seat(1))], "told that it is writable");
    Ok(())
}

fn a_mebibyte_is_enough(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    // 100,000 bytes and a header of four: ten of them are below 1 MiB, eleven above.
    harness.run(pair(&journal, filler(&journal, 100_000)))?;
    ensure_eq!(journal.notes(0), ["10"], "taken");
    ensure_eq!(journal.messages(1).len(), 10, "received");
    Ok(())
}

fn all_that_was_taken_arrives(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let next = std::sync::Arc::new(AtomicU64::new(0));
    let counter = next.clone();
    let push = move |ctx: &mut peerlet_core::Context<Probe>| {
        let other = address(ctx, 1);
        loop {
            let number = counter.load(Ordering::Relaxed);
            if number == 3_000 || ctx.send_reliably(other, number.into()).is_err() {
                break;
            }
            counter.store(number + 1, Ordering::Relaxed);
        }
    };
    let again = push.clone();
    let probe = Probe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 200, 0);
        })
        .on_timer(move |ctx, _| push(ctx))
        .on_writable(move |ctx, _| again(ctx));
    let other = Probe::new(&journal);
    let experiment = Experiment::new(2, move |seat| {
        Peer::new().with(if seat == Seat(0) { probe.clone() } else { other.clone() })
    });
    harness.run(experiment.lasting(SECOND * 4))?;
    ensure_eq!(next.load(Ordering::Relaxed), 3_000, "taken");
    ensure_eq!(journal.messages(1), (0..3_000).collect::<Vec<_>>(), "received");
    Ok(())
}
