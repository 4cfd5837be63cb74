//! Chapter "Delivery": messages that travel in pieces, and messages that are too large.

use peerlet_core::runtime::Act;
use peerlet_core::{
    CallError, Context, MESSAGE_MAX, MILLISECOND, Peer, Refusal, SECOND, Seat, wire,
};

use super::{address, duo};
use crate::candidate::Experiment;
use crate::cases::tasks::{number, tasked};
use crate::journal::{Journal, Observation, Observed};
use crate::probe::{Message, Probe};
use crate::suite::{Case, Failure, Harness, ensure, ensure_eq};

const MIB: usize = 1024 * 1024;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "messages_in_pieces_keep_their_order",
        sentence: "A message above 256 KiB travels in pieces, and arrives whole and in its order.",
        test: messages_in_pieces_keep_their_order,
    },
    Case {
        name: "a_message_of_the_bound_arrives_and_a_larger_one_is_handed_back",
        sentence: "A reliable message has at most 16 MiB; a larger one is handed back at once.",
        test: a_message_of_the_bound_arrives_and_a_larger_one_is_handed_back,
    },
    Case {
        name: "large_messages_of_two_senders_arrive",
        sentence: "Receivers let large messages start as far as there is room for them.",
        test: large_messages_of_two_senders_arrive,
    },
    Case {
        name: "a_large_message_has_one_fate",
        sentence: "A message in pieces is delivered whole or reported once.",
        test: a_large_message_has_one_fate,
    },
    Case {
        name: "a_call_that_is_too_large_fails_at_once",
        sentence: "A question or an answer that is too large fails its call at once.",
        test: a_call_that_is_too_large_fails_at_once,
    },
];

/// Sends messages with this much ballast to seat 0, from the one with this number on, as far as
/// there is room.
fn push(ctx: &mut Context<Probe>, sizes: &[usize], from: &std::sync::atomic::AtomicUsize) {
    use std::sync::atomic::Ordering::Relaxed;
    let to = address(ctx, 0);
    while let Some(size) = sizes.get(from.load(Relaxed)) {
        let message = Message::large(from.load(Relaxed) as u64, *size);
        if ctx.send_reliably(to, message).is_err() {
            break;
        }
        from.fetch_add(1, Relaxed);
    }
}

/// A probe that sends messages with this much ballast to seat 0, 300 ms after it started.
fn sender(journal: &Journal, sizes: &'static [usize]) -> Probe {
    let next = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let again = next.clone();
    Probe::new(journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 300, 0);
        })
        .on_timer(move |ctx, _| push(ctx, sizes, &next))
        .on_writable(move |ctx, _| push(ctx, sizes, &again))
}

/// Patient enough for machines that do many things at once.
fn patiently(mut experiment: Experiment) -> Experiment {
    experiment.connection_timeout = SECOND * 5;
    experiment.lasting(SECOND * 5)
}

fn messages_in_pieces_keep_their_order(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = sender(&journal, &[1, MIB, 1, 5 * MIB, 1, 300_000, 1]);
    harness.run(patiently(duo(&journal, Probe::new(&journal), probe)))?;
    ensure_eq!(journal.messages(0), Vec::from_iter(0..7), "received");
    ensure_eq!(journal.notes(0), [] as [String; 0], "damaged");
    Ok(())
}

fn a_message_of_the_bound_arrives_and_a_larger_one_is_handed_back(
    harness: &mut Harness<'_>,
) -> Result<(), Failure> {
    let journal = Journal::default();
    let written = journal.clone();
    let probe = Probe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 300, 0);
        })
        .on_timer(move |ctx, _| {
            let head = wire::encoded_len(&Message::large(0, MESSAGE_MAX)).expect("it is plain");
            let largest = 2 * MESSAGE_MAX - head;
            let to = address(ctx, 0);
            let refused = ctx.try_send_reliably(to, Message::large(1, largest + 1));
            let why = refused.map_err(|refused| refused.why);
            let observed = Observed::Note(format!("{why:?}"));
            written.write(Observation { seat: ctx.seat(), at: ctx.now(), observed });
            ctx.send_reliably(to, Message::large(0, largest)).map_err(drop).expect("it has room");
        });
    let report = harness.run(patiently(duo(&journal, Probe::new(&journal), probe)))?;
    let why = Refusal::TooLarge { size: MESSAGE_MAX + 1, max: MESSAGE_MAX };
    ensure_eq!(journal.notes(1), [format!("{:?}", Err::<(), _>(why))], "handed back");
    ensure_eq!((journal.messages(0), journal.notes(0)), (vec![0], vec![]), "received");
    ensure_eq!(report.ledger.reliable.sent, 1, "sent");
    Ok(())
}

fn large_messages_of_two_senders_arrive(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let senders = [sender(&journal, &[3 * MIB, 1]), sender(&journal, &[3 * MIB, 1])];
    let other = Probe::new(&journal);
    let experiment = Experiment::new(3, move |seat: Seat| {
        let sender = senders.get(seat.index().wrapping_sub(1));
        Peer::new().with(sender.unwrap_or(&other).clone())
    });
    harness.run(patiently(experiment))?;
    let mut came = journal.messages(0);
    came.sort_unstable();
    ensure_eq!(came, [0, 0, 1, 1], "received");
    ensure_eq!(journal.notes(0), [] as [String; 0], "damaged");
    Ok(())
}

fn a_large_message_has_one_fate(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = sender(&journal, &[1, 15 * MIB]);
    let experiment = duo(&journal, Probe::new(&journal), probe)
        .then(MILLISECOND * 320, 0, Act::Crash)
        .then(MILLISECOND * 400, 0, Act::Start);
    let mut experiment = experiment.lasting(SECOND * 6);
    experiment.connection_timeout = SECOND * 2;
    let report = harness.run(experiment)?;
    let reported = journal.undelivered(1);
    for number in [0, 1] {
        let came = journal.messages(0).iter().filter(|came| **came == number).count();
        let told = reported.iter().filter(|(told, _)| *told == number).count();
        // Where nothing is simulated, what was delivered may be reported as well.
        ensure!(came + told >= 1, "message {number} has no fate");
        ensure!(came <= 1 && told <= 1, "message {number}: {came} times here, {told} times told");
    }
    ensure!(reported.is_sorted_by_key(|(number, _)| *number), "reported out of order");
    ensure_eq!(journal.notes(0), [] as [String; 0], "damaged");
    ensure_eq!(report.ledger.reliable.sent, 2, "sent");
    Ok(())
}

fn a_call_that_is_too_large_fails_at_once(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe: Probe = tasked(&journal, |task, other| async move {
        let ask = |size| task.call(other, Message::large(1, size)).within(SECOND * 60);
        let mut said = Vec::new();
        for call in [ask(2_000), ask(MESSAGE_MAX).reliably(), ask(0), ask(0).reliably()] {
            said.push(number(call.await));
        }
        said.join(" ")
    });
    let answers = Probe::new(&journal).on_message(|ctx, _| {
        ctx.reply(Message::large(1, MESSAGE_MAX));
    });
    harness.run(duo(&journal, probe, answers))?;
    let head = wire::encoded_len(&Message::large(1, 0)).expect("it is plain");
    let too_large = |size, max| format!("{:?}", CallError::TooLarge { size, max });
    let expected = [
        too_large(2_000 + head + 1, peerlet_core::DATAGRAM_MAX),
        too_large(MESSAGE_MAX + head + 3, MESSAGE_MAX),
        format!("{:?}", CallError::AnswerTooLarge),
        format!("{:?}", CallError::AnswerTooLarge),
    ];
    ensure_eq!(journal.notes(0), [expected.join(" ")], "what the calls came to");
    Ok(())
}
