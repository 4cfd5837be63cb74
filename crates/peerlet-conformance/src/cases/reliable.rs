//! Chapter "Delivery": reliable messages.

use peerlet_core::runtime::{Act, FRAME_MAX};
use peerlet_core::{MILLISECOND, Peer, SECOND, Seat, Undelivered};

use super::{address, pair};
use crate::candidate::Experiment;
use crate::journal::{Journal, Observed};
use crate::probe::{Message, Probe};
use crate::suite::{Case, Failure, Harness, ensure, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "reliable_messages_come_in_order_without_loss",
        sentence: "`send_reliably`: per ordered pair of lives one connection, first-in \
                   first-out, no loss while it lives.",
        test: reliable_messages_come_in_order_without_loss,
    },
    Case {
        name: "many_pairs_do_not_mix",
        sentence: "Each ordered pair of peers has its own order.",
        test: many_pairs_do_not_mix,
    },
    Case {
        name: "a_stopped_peer_answers_with_a_reset",
        sentence: "In a living process a stopped seat answers reliable senders with a reset.",
        test: a_stopped_peer_answers_with_a_reset,
    },
    Case {
        name: "a_crashed_peer_is_mute",
        sentence: "A crashed one is mute: its senders time out.",
        test: a_crashed_peer_is_mute,
    },
    Case {
        name: "a_new_life_answers_with_a_reset",
        sentence: "A sender retries as it does for a lost message. A new life that starts in time \
                   answers with a reset, and gets the messages that are sent after it.",
        test: a_new_life_answers_with_a_reset,
    },
    Case {
        name: "failures_are_told_once_in_sending_order",
        sentence: "`undelivered`: at most once a message, in sending order.",
        test: failures_are_told_once_in_sending_order,
    },
    Case {
        name: "large_messages_travel_whole",
        sentence: "A reliable message may be as long as a frame.",
        test: large_messages_travel_whole,
    },
];

/// A probe that sends these numbers reliably to seat 1, 300 ms after it started.
fn sender(journal: &Journal, numbers: std::ops::Range<u64>) -> Probe {
    Probe::new(journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 300, 0);
        })
        .on_timer(move |ctx, _| {
            let other = address(ctx, 1);
            for number in numbers.clone() {
                ctx.send_reliably(other, number.into()).expect("the queue has room");
            }
        })
}

fn reliable_messages_come_in_order_without_loss(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = Probe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.every(MILLISECOND * 10, 0);
        })
        .on_timer({
            let next = std::sync::atomic::AtomicU64::new(0);
            move |ctx, _| {
                let other = address(ctx, 1);
                for _ in 0..20 {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number < 2_000 {
                        ctx.send_reliably(other, number.into()).expect("the queue has room");
                    }
                }
            }
        });
    let report = harness.run(pair(&journal, probe).lasting(SECOND * 3))?;
    ensure_eq!(journal.messages(1), (0..2_000).collect::<Vec<_>>(), "received");
    ensure_eq!(report.ledger.reliable.delivered, 2_000, "delivered");
    Ok(())
}

fn many_pairs_do_not_mix(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = Probe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 200, 0);
        })
        .on_timer(|ctx, _| {
            for number in 0..50 {
                for seat in 0..6 {
                    let other = address(ctx, seat);
                    ctx.send_reliably(other, number.into()).expect("the queue has room");
                }
            }
        });
    // Where each peer has a socket of its own, thirty handshakes come first.
    let mut experiment = Experiment::new(6, move |_| Peer::new().with(probe.clone()));
    experiment.connection_timeout = SECOND * 4;
    harness.run(experiment.lasting(SECOND * 4))?;
    for seat in 0..6 {
        let seen = journal.of(seat);
        for from in 0..6 {
            let from_one = seen.iter().filter_map(|observed| match observed {
                Observed::Message(Seat(sender), number) if *sender == from => Some(*number),
                _ => None,
            });
            let numbers: Vec<_> = from_one.collect();
            ensure_eq!(numbers, (0..50).collect::<Vec<_>>(), "one pair's messages");
        }
    }
    Ok(())
}

fn a_stopped_peer_answers_with_a_reset(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let experiment = pair(&journal, sender(&journal, 0..3)).then(MILLISECOND * 150, 1, Act::Stop);
    harness.run(experiment.lasting(SECOND))?;
    let expected: Vec<_> = (0..3).map(|number| (number, Undelivered::Reset)).collect();
    ensure_eq!(journal.undelivered(0), expected, "reported");
    ensure_eq!(journal.messages(1), [0_u64; 0], "received");
    Ok(())
}

fn a_crashed_peer_is_mute(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let experiment = pair(&journal, sender(&journal, 0..3)).then(MILLISECOND * 150, 1, Act::Crash);
    let timeout = experiment.connection_timeout;
    harness.run(experiment.lasting(SECOND * 2))?;
    let expected: Vec<_> = (0..3).map(|number| (number, Undelivered::Timeout)).collect();
    ensure_eq!(journal.undelivered(0), expected, "reported");
    let told = journal
        .observations()
        .into_iter()
        .filter(|e| matches!(e.observed, Observed::Undelivered(..)));
    for observation in told {
        let waited = observation.at - (peerlet_core::Time::ZERO + MILLISECOND * 300);
        ensure!(waited >= timeout, "told after {waited}");
        ensure!(waited < timeout + SECOND, "told only after {waited}");
    }
    Ok(())
}

fn a_new_life_answers_with_a_reset(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = Probe::new(&journal)
        .on_start(|ctx, ()| {
            for (number, at) in [100, 300, 900].into_iter().enumerate() {
                ctx.after(MILLISECOND * at, number as u64);
            }
        })
        .on_timer(|ctx, number| {
            let other = address(ctx, 1);
            ctx.send_reliably(other, number.into()).expect("the queue has room");
        });
    // The connection stands when seat 1 crashes, so it is the message that finds nobody.
    let mut experiment = pair(&journal, probe).then(MILLISECOND * 250, 1, Act::Crash).then(
        MILLISECOND * 400,
        1,
        Act::Start,
    );
    experiment.connection_timeout = SECOND * 4;
    harness.run(experiment.lasting(SECOND * 2))?;
    ensure_eq!(journal.undelivered(0), [(1, Undelivered::Reset)], "reported");
    ensure_eq!(journal.messages(1), [0, 2], "received");
    Ok(())
}

fn failures_are_told_once_in_sending_order(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = Probe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.every(MILLISECOND * 20, 0);
        })
        .on_timer({
            let next = std::sync::atomic::AtomicU64::new(0);
            move |ctx, _| {
                let other = address(ctx, 1);
                for _ in 0..3 {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number < 150 {
                        ctx.send_reliably(other, number.into()).expect("the queue has room");
                    }
                }
            }
        });
    let experiment = pair(&journal, probe).then(MILLISECOND * 600, 1, Act::Stop);
    harness.run(experiment.lasting(SECOND * 3))?;
    let got = journal.messages(1);
    let told: Vec<u64> = journal.undelivered(0).into_iter().map(|(number, _)| number).collect();
    ensure!(!got.is_empty() && !told.is_empty(), "{} got, {} told", got.len(), told.len());
    ensure_eq!(got, (0..got.len() as u64).collect::<Vec<_>>(), "received");
    ensure!(told.is_sorted_by(|a, b| a < b), "told out of order or twice: {told:?}");
    // A message may be told though it was delivered, when its acknowledgement was lost; none may be
    // forgotten.
    ensure_eq!(told.last(), Some(&149), "the last one told");
    ensure!(told[0] <= got.len() as u64, "forgotten: {}..{}", got.len(), told[0]);
    Ok(())
}

fn large_messages_travel_whole(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = Probe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 200, 0);
        })
        .on_timer(|ctx, _| {
            let other = address(ctx, 1);
            for number in 0..3 {
                let ballast = "x".repeat(FRAME_MAX - 100);
                let message = Message { number, ballast };
                ctx.send_reliably(other, message).map_err(drop).expect("the queue has room");
            }
        });
    harness.run(pair(&journal, probe))?;
    ensure_eq!(journal.messages(1), [0, 1, 2], "received");
    Ok(())
}
