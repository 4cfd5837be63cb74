//! Chapter "Order".

use peerlet_core::{Duration, MILLISECOND, Time};

use super::{pair, solo};
use crate::journal::{Journal, Observed};
use crate::overlap::Overlap;
use crate::probe::{LooseProbe, Probe};
use crate::suite::{Case, Failure, Harness, ensure, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "own_events_of_an_instant_keep_their_order",
        sentence: "A peer's own events that fall on the instant that made them come one round \
                   later, by seq.",
        test: own_events_of_an_instant_keep_their_order,
    },
    Case {
        name: "messages_to_oneself_need_no_network",
        sentence: "Messages to oneself go through the queue with no delay, loss or bandwidth.",
        test: messages_to_oneself_need_no_network,
    },
    Case {
        name: "time_never_runs_back",
        sentence: "A peer handles its events in order of time.",
        test: time_never_runs_back,
    },
    Case {
        name: "handlers_never_overlap",
        sentence: "Handlers of one peer never overlap, in every world.",
        test: handlers_never_overlap,
    },
];

fn own_events_of_an_instant_keep_their_order(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.after(Duration::ZERO, 1);
            let me = ctx.address();
            ctx.send(me, 2.into());
            ctx.after(Duration::ZERO, 3);
        })
        .on_timer(|ctx, timer| {
            if timer == 1 {
                ctx.after(Duration::ZERO, 4);
            }
        });
    harness.run(solo(probe))?;
    let seen: Vec<u64> = journal.of(0).into_iter().filter_map(number).collect();
    ensure_eq!(seen, [1, 2, 3, 4], "events of one instant");
    Ok(())
}

fn number(observed: Observed) -> Option<u64> {
    match observed {
        Observed::Timer(number) | Observed::Message(_, number) => Some(number),
        _ => None,
    }
}

fn messages_to_oneself_need_no_network(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = Probe::new(&journal).on_start(|ctx, ()| {
        let me = ctx.address();
        for number in 0..100 {
            ctx.send(me, number.into());
        }
        for number in 100..200 {
            ctx.send_reliably(me, number.into()).expect("oneself has no queue to fill");
        }
    });
    let report = harness.run(solo(probe))?;
    ensure_eq!(journal.messages(0), (0..200).collect::<Vec<_>>(), "messages to oneself");
    ensure_eq!(report.ledger.total().delivered, 200, "delivered");
    Ok(())
}

fn time_never_runs_back(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal)
        .on_start(|ctx, ()| {
            for number in 0..50 {
                ctx.after(MILLISECOND * (number * 37 % 50), number);
            }
        })
        .on_timer(|ctx, number| {
            let other = super::address(ctx, 1);
            ctx.send(other, number.into());
        });
    harness.run(pair(&journal, probe))?;
    for seat in 0..2 {
        let mut last = Time::ZERO;
        for observation in journal.observations().into_iter().filter(|e| e.seat.0 == seat) {
            ensure!(observation.at >= last, "seat {seat}: {} after {last}", observation.at);
            last = observation.at;
        }
    }
    let expected: Vec<u64> = (0..50).map(|at| at * 23 % 50).collect();
    let timers: Vec<u64> = journal.of(0).into_iter().filter_map(number).collect();
    ensure_eq!(timers, expected, "timers in order of time");
    Ok(())
}

fn handlers_never_overlap(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let (journal, overlap) = (Journal::default(), Overlap::default());
    let watch = overlap.clone();
    let (on_message, on_timer) = (overlap.clone(), overlap.clone());
    let probe = LooseProbe::new(&journal)
        .on_start(move |ctx, ()| {
            watch.during(|| ctx.every(MILLISECOND * 5, 0));
        })
        .on_message(move |ctx, (from, number)| {
            on_message.during(|| ctx.send(from, number.into()));
        })
        .on_timer(move |ctx, _| {
            on_timer.during(|| {
                let other = super::address(ctx, 1);
                ctx.send(other, 0.into());
            });
        });
    let echo = LooseProbe::new(&journal).on_message(|ctx, (from, number)| {
        // Each greeting comes back ten times, so that the first probe is kept busy.
        if number < 10 {
            ctx.send(from, (number + 1).into());
        }
    });
    harness.run(super::duo(&journal, probe, echo))?;
    ensure!(overlap.handlers() > 500, "only {} handlers ran", overlap.handlers());
    ensure_eq!(overlap.overlaps(), 0, "overlaps");
    Ok(())
}
