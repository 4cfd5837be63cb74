//! Chapter "Delivery": datagrams.

use peerlet_core::runtime::Act;
use peerlet_core::{DATAGRAM_MAX, MILLISECOND, Peer};
use peerlet_measure::DropCause;

use super::{address, pair};
use crate::candidate::Experiment;
use crate::journal::{Journal, Observed};
use crate::probe::{LooseProbe, Message, Plain};
use crate::suite::{Case, Failure, Harness, ensure, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "datagrams_reach_every_peer",
        sentence: "A datagram goes to an address: whoever lives there when it arrives gets it.",
        test: datagrams_reach_every_peer,
    },
    Case {
        name: "datagrams_are_at_most_1150_bytes",
        sentence: "`send`: at most 1,150 encoded bytes in every world; larger is dropped as \
                   `too_large`.",
        test: datagrams_are_at_most_1150_bytes,
    },
    Case {
        name: "nobody_gets_a_datagram_for_a_stopped_peer",
        sentence: "A datagram for nobody is dropped as `stopped`; its sender is not told.",
        test: nobody_gets_a_datagram_for_a_stopped_peer,
    },
];

/// This one needs no reliable delivery, so that every world runs it.
fn datagrams_reach_every_peer(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let stack = journal.clone();
    let report = harness.run(Experiment::new(5, move |_| Peer::new().with(Plain::new(&stack))))?;
    for seat in 0..5 {
        let mut seen: Vec<_> = journal.of(seat).into_iter().filter_map(greeting).collect();
        seen.sort_unstable();
        let others = (0..5).filter(|other| *other != seat);
        let expected: Vec<_> = others.flat_map(|other| [(other, 0), (other, 1)]).collect();
        ensure_eq!(seen, expected, "greetings and answers");
    }
    ensure_eq!(report.ledger.datagram.delivered, 40, "delivered");
    Ok(())
}

fn greeting(observed: Observed) -> Option<(u32, u64)> {
    match observed {
        Observed::Message(from, number) => Some((from.0, number)),
        _ => None,
    }
}

fn datagrams_are_at_most_1150_bytes(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 100, 0);
        })
        .on_timer(|ctx, _| {
            let other = address(ctx, 1);
            for size in [DATAGRAM_MAX, DATAGRAM_MAX + 1] {
                ctx.send(other, sized(size));
            }
        });
    let report = harness.run(pair(&journal, probe))?;
    ensure_eq!(journal.messages(1), [DATAGRAM_MAX as u64], "received");
    let dropped = report.ledger.datagram.dropped(DropCause::TooLarge);
    ensure_eq!(dropped, 1, "dropped as too large");
    Ok(())
}

/// A message of this many encoded bytes, with its size as its number.
fn sized(size: usize) -> Message {
    let mut message = Message { number: size as u64, ballast: String::new() };
    let bare = peerlet_core::wire::encoded_len(&message).expect("a probe's message is plain");
    // The length of the ballast is written in front of it, in more bytes the longer it is.
    message.ballast = "x".repeat(size - bare - 1);
    while peerlet_core::wire::encoded_len(&message).expect("a probe's message is plain") > size {
        message.ballast.pop();
    }
    message
}

fn nobody_gets_a_datagram_for_a_stopped_peer(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal)
        .on_start(|ctx, ()| {
            for (at, number) in [(100, 1), (500, 2), (900, 3), (1_300, 4)] {
                ctx.after(MILLISECOND * at, number);
            }
        })
        .on_timer(|ctx, number| {
            let other = address(ctx, 1);
            ctx.send(other, number.into());
        });
    let experiment = pair(&journal, probe)
        .then(MILLISECOND * 300, 1, Act::Stop)
        .then(MILLISECOND * 700, 1, Act::Crash)
        .then(MILLISECOND * 1_100, 1, Act::Start);
    let report = harness.run(experiment)?;
    ensure_eq!(journal.messages(1), [1, 4], "received");
    ensure_eq!(journal.undelivered(0).len(), 0, "reported");
    let dropped = report.ledger.datagram.dropped(DropCause::Stopped);
    ensure!(dropped == 2, "{dropped} dropped as stopped");
    Ok(())
}
