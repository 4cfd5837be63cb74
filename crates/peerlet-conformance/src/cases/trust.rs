//! Chapter "Names and places": contacts that a peer trusts.

use std::sync::{Arc, Mutex, PoisonError};

use peerlet_core::runtime::Act;
use peerlet_core::{
    Contact, Context, Identity, MILLISECOND, Need, Peer, SECOND, Seat, Time, TrustError,
    Undelivered,
};
use peerlet_measure::DropCause;

use super::{address, duo, pair};
use crate::candidate::Experiment;
use crate::journal::{Journal, Observed};
use crate::probe::{LooseProbe, Probe, Prober};
use crate::suite::{Case, Failure, Harness, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "who_is_trusted_and_there_is_reached",
        sentence: "A peer that trusts a contact reaches its address as before, where that \
                   identity is there.",
        test: who_is_trusted_and_there_is_reached,
    },
    Case {
        name: "who_is_trusted_and_not_there_is_told",
        sentence: "Where another identity is there, reliable messages come back with that reason, \
                   once and in order; other peers of the process are not affected.",
        test: who_is_trusted_and_not_there_is_told,
    },
    Case {
        name: "a_wrong_identity_gets_no_datagrams",
        sentence: "Where another identity is there, datagrams are dropped as `identity`; a world \
                   without identities says so, and drops none.",
        test: a_wrong_identity_gets_no_datagrams,
    },
    Case {
        name: "a_new_life_trusts_nobody",
        sentence: "Trust ends with the life, and can be taken back before.",
        test: a_new_life_trusts_nobody,
    },
];

/// Seat 1's address with an identity that nobody has.
fn impostor<const R: bool>(ctx: &Context<Prober<R>>) -> Contact {
    Contact { address: address(ctx, 1), identity: Identity([7; 32]) }
}

/// A probe that does something 300 ms after it started.
fn later<const R: bool>(
    journal: &Journal,
    act: impl Fn(&mut Context<Prober<R>>) + Send + Sync + 'static,
) -> Prober<R> {
    Prober::new(journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 300, 0);
        })
        .on_timer(move |ctx, _| act(ctx))
}

fn send_reliably(ctx: &mut Context<Probe>, numbers: std::ops::Range<u64>) {
    let other = address(ctx, 1);
    for number in numbers {
        ctx.send_reliably(other, number.into()).expect("the queue has room");
    }
}

/// The numbers that came to seat 1 from another, ascending: datagrams may overtake each other.
fn came_from(journal: &Journal, from: u32) -> Vec<u64> {
    let number = |observed| match observed {
        Observed::Message(Seat(seat), number) if seat == from => Some(number),
        _ => None,
    };
    let mut numbers: Vec<_> = journal.of(1).into_iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn who_is_trusted_and_there_is_reached(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let contact: Arc<Mutex<Option<Contact>>> = Arc::default();
    let told = contact.clone();
    let other = Probe::new(&journal).on_start(move |ctx, ()| {
        *contact.lock().unwrap_or_else(PoisonError::into_inner) = Some(ctx.contact());
    });
    let probe = later(&journal, move |ctx| {
        let contact = *told.lock().unwrap_or_else(PoisonError::into_inner);
        ctx.trust(contact.expect("the other has started")).expect("it is the only one");
        send_reliably(ctx, 0..20);
        // Messages to oneself are not affected.
        let own = Contact { address: ctx.address(), identity: Identity([7; 32]) };
        ctx.trust(own).expect("there are two");
        ctx.send(own.address, 99.into());
    });
    harness.run(duo(&journal, probe, other))?;
    ensure_eq!(journal.messages(1), (0..20).collect::<Vec<_>>(), "received");
    ensure_eq!(journal.messages(0), [99], "received from oneself");
    ensure_eq!(journal.undelivered(0).len(), 0, "reported");
    Ok(())
}

fn who_is_trusted_and_not_there_is_told(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe: Probe = later(&journal, |ctx| {
        if ctx.seat() == Seat(0) {
            ctx.trust(impostor(ctx)).expect("it is the only one");
        }
        if ctx.seat() != Seat(1) {
            send_reliably(ctx, 0..20);
        }
    });
    let experiment = Experiment::new(3, move |_| Peer::new().with(probe.clone()));
    let report = harness.run(experiment)?;
    let expected: Vec<_> = (0..20).map(|number| (number, Undelivered::Identity)).collect();
    ensure_eq!(journal.undelivered(0), expected, "reported");
    ensure_eq!(journal.undelivered(2).len(), 0, "reported to another peer");
    ensure_eq!(came_from(&journal, 0), [0_u64; 0], "received from the first");
    ensure_eq!(came_from(&journal, 2), (0..20).collect::<Vec<_>>(), "received from another peer");
    ensure_eq!(report.ledger.reliable.dropped(DropCause::Undelivered), 20, "dropped");
    Ok(())
}

fn a_wrong_identity_gets_no_datagrams(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let verifies = harness.gives().contains(&Need::Identity);
    let probe: LooseProbe = later(&journal, move |ctx| {
        if ctx.seat() == Seat(0) {
            let expected = if verifies { Ok(()) } else { Err(TrustError::NoIdentities) };
            assert_eq!(ctx.trust(impostor(ctx)), expected);
        }
        let other = address(ctx, 1);
        if ctx.address() != other {
            (0..20).for_each(|number| ctx.send(other, number.into()));
        }
    });
    let experiment = Experiment::new(3, move |_| Peer::new().with(probe.clone()));
    let report = harness.run(experiment)?;
    let all: Vec<u64> = (0..20).collect();
    let refused = report.ledger.datagram.dropped(DropCause::Identity);
    ensure_eq!(refused, if verifies { 20 } else { 0 }, "dropped");
    ensure_eq!(came_from(&journal, 0), if verifies { vec![] } else { all.clone() }, "received");
    ensure_eq!(came_from(&journal, 2), all, "received from another peer");
    Ok(())
}

fn a_new_life_trusts_nobody(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe: Probe = later(&journal, |ctx| {
        let is_first = ctx.now() < Time::ZERO + MILLISECOND * 600;
        if is_first {
            ctx.trust(impostor(ctx)).expect("it is the only one");
        }
        send_reliably(ctx, if is_first { 0..3 } else { 3..6 });
        if !is_first {
            // Once more in this life.
            ctx.trust(impostor(ctx)).expect("it is the only one");
            ctx.untrust(address(ctx, 1));
            send_reliably(ctx, 6..9);
        }
    });
    for end in [Act::Stop, Act::Crash] {
        journal.clear();
        let experiment = pair(&journal, probe.clone()).then(MILLISECOND * 700, 0, end).then(
            MILLISECOND * 800,
            0,
            Act::Start,
        );
        harness.run(experiment.lasting(SECOND * 2))?;
        let expected: Vec<_> = (0..3).map(|number| (number, Undelivered::Identity)).collect();
        ensure_eq!(journal.undelivered(0), expected, "reported");
        ensure_eq!(journal.messages(1), (3..9).collect::<Vec<_>>(), "received");
    }
    Ok(())
}
