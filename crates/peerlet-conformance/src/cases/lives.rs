//! Chapter "Lives".

use peerlet_core::runtime::Act;
use peerlet_core::{MILLISECOND, Peer, SECOND, Seat, Undelivered};

use peerlet_measure::DropCause;

use super::{address, pair, solo};
use crate::candidate::Experiment;
use crate::journal::{Journal, Observed};
use crate::probe::{LooseProbe, Probe, Sibling};
use crate::suite::{Case, Failure, Harness, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a_stop_keeps_state_and_a_crash_drops_it",
        sentence: "After `stop`, the next start calls `start` only; after `crash`, `init`, then \
                   `start`.",
        test: a_stop_keeps_state_and_a_crash_drops_it,
    },
    Case {
        name: "peerlets_stop_in_reverse_order_and_may_send",
        sentence: "`stop`: peerlets' `stop` run in reverse stack order and may send.",
        test: peerlets_stop_in_reverse_order_and_may_send,
    },
    Case {
        name: "a_crash_runs_no_handler",
        sentence: "`crash`: no handler runs, nothing is sent.",
        test: a_crash_runs_no_handler,
    },
    Case {
        name: "timers_and_tasks_die_with_the_life",
        sentence: "Timers, tasks and local events die with the life.",
        test: timers_and_tasks_die_with_the_life,
    },
    Case {
        name: "idle_starts_and_stops_are_counted",
        sentence: "`start` of a running and `stop` of a stopped seat do nothing and are counted.",
        test: idle_starts_and_stops_are_counted,
    },
    Case {
        name: "reliable_mail_for_an_old_life_comes_back",
        sentence: "A reliable message arriving in another life is dropped as `old_life`, its \
                   sender told.",
        test: reliable_mail_for_an_old_life_comes_back,
    },
    Case {
        name: "what_was_sent_before_the_end_still_arrives",
        sentence: "What a peer sent before it stopped still arrives, what waits in its queues \
                   included.",
        test: what_was_sent_before_the_end_still_arrives,
    },
    Case {
        name: "what_waits_when_its_peer_crashes_is_dropped",
        sentence: "Of what a peer sent before it crashed, what waited in its queues is dropped as \
                   `undelivered`.",
        test: what_waits_when_its_peer_crashes_is_dropped,
    },
    Case {
        name: "lives_draw_their_own_randomness",
        sentence: "Randomness is drawn from (seed, seat, life, purpose).",
        test: lives_draw_their_own_randomness,
    },
];

fn a_stop_keeps_state_and_a_crash_drops_it(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let experiment = solo(LooseProbe::new(&journal))
        .then(MILLISECOND * 200, 0, Act::Stop)
        .then(MILLISECOND * 400, 0, Act::Start)
        .then(MILLISECOND * 600, 0, Act::Crash)
        .then(MILLISECOND * 800, 0, Act::Start);
    harness.run(experiment.lasting(SECOND))?;
    use Observed::{Init, Start, Stop};
    // The end of a run is no stop; a runtime may stop its peers when it closes, after the
    // observations of this case.
    let seen: Vec<_> = journal.of(0).into_iter().take(6).collect();
    ensure_eq!(seen, [Init, Start, Stop, Start, Init, Start], "handlers");
    Ok(())
}

fn peerlets_stop_in_reverse_order_and_may_send(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = Probe::new(&journal).on_stop(|ctx, ()| {
        let other = address(ctx, 1);
        ctx.send(other, 7.into());
        ctx.send_reliably(other, 8.into()).expect("the queue is empty");
    });
    let (stack, other) = (journal.clone(), Probe::new(&journal));
    let experiment = Experiment::new(2, move |seat| match seat {
        Seat(0) => Peer::new().with(Sibling::new(&stack)).with(probe.clone()),
        _ => Peer::new().with(other.clone()),
    });
    harness.run(experiment.then(MILLISECOND * 300, 0, Act::Stop))?;
    let note = |text: &str| Observed::Note(text.to_owned());
    let expected = [
        note("sibling starts"),
        Observed::Init,
        Observed::Start,
        Observed::Stop,
        note("sibling stops"),
    ];
    let mut seen = journal.of(0);
    // Peerlets are initialized before any is started.
    ensure_eq!(seen.first(), Some(&Observed::Init), "the first handler");
    seen.swap(0, 1);
    ensure_eq!(seen, expected, "handlers");
    let mut messages = journal.messages(1);
    messages.sort_unstable();
    ensure_eq!(messages, [7, 8], "sent while stopping");
    Ok(())
}

fn a_crash_runs_no_handler(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.every(MILLISECOND * 50, 1);
        })
        .on_stop(|ctx, ()| {
            let other = address(ctx, 1);
            ctx.send(other, 7.into());
        });
    harness.run(pair(&journal, probe).then(MILLISECOND * 220, 0, Act::Crash))?;
    let timer = Observed::Timer(1);
    let expected =
        [Observed::Init, Observed::Start, timer.clone(), timer.clone(), timer.clone(), timer];
    ensure_eq!(journal.of(0), expected, "handlers");
    ensure_eq!(journal.messages(1), [0_u64; 0], "messages");
    Ok(())
}

fn timers_and_tasks_die_with_the_life(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal).on_start(|ctx, ()| {
        ctx.after(MILLISECOND * 400, 1);
        ctx.spawn(|task| async move {
            task.sleep(MILLISECOND * 400).await;
            task.with(|_, ctx| ctx.after(MILLISECOND, 2)).await;
        });
    });
    let experiment = solo(probe)
        .then(MILLISECOND * 200, 0, Act::Stop)
        .then(MILLISECOND * 250, 0, Act::Start)
        .then(MILLISECOND * 500, 0, Act::Crash)
        .then(MILLISECOND * 550, 0, Act::Start)
        .lasting(SECOND + MILLISECOND * 500);
    harness.run(experiment)?;
    let mut timers = journal.of(0);
    timers.retain(|observed| matches!(observed, Observed::Timer(_)));
    // Only the third life lives long enough.
    ensure_eq!(timers, [Observed::Timer(1), Observed::Timer(2)], "timers");
    Ok(())
}

fn idle_starts_and_stops_are_counted(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let experiment = solo(LooseProbe::new(&journal))
        .then(MILLISECOND * 100, 0, Act::Start)
        .then(MILLISECOND * 200, 0, Act::Stop)
        .then(MILLISECOND * 300, 0, Act::Stop)
        .then(MILLISECOND * 400, 0, Act::Crash)
        .then(MILLISECOND * 500, 0, Act::Crash);
    let report = harness.run(experiment.lasting(SECOND))?;
    ensure_eq!(journal.of(0), [Observed::Init, Observed::Start, Observed::Stop], "handlers");
    ensure_eq!(report.idle_directives, 3, "directives that did nothing");
    Ok(())
}

fn reliable_mail_for_an_old_life_comes_back(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = Probe::new(&journal)
        .on_start(|ctx, ()| {
            let other = address(ctx, 1);
            ctx.after(MILLISECOND * 100, 0);
            ctx.after(MILLISECOND * 900, 1);
            let _ = other;
        })
        .on_timer(|ctx, number| {
            let other = address(ctx, 1);
            ctx.send_reliably(other, number.into()).expect("the queue is empty");
        })
        .on_undelivered(|ctx, (to, number)| {
            ctx.send_reliably(to, (number + 10).into()).expect("the queue is empty");
        });
    let experiment = pair(&journal, probe).then(MILLISECOND * 500, 1, Act::Crash).then(
        MILLISECOND * 600,
        1,
        Act::Start,
    );
    harness.run(experiment.lasting(SECOND * 2))?;
    // The message of the old connection is reported, and what is sent anew reaches the new life.
    ensure_eq!(journal.undelivered(0), [(1, Undelivered::Reset)], "reported");
    ensure_eq!(journal.messages(1), [0, 11], "received");
    Ok(())
}

fn what_was_sent_before_the_end_still_arrives(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = Probe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 300, 0);
        })
        .on_timer(|ctx, _| {
            let other = address(ctx, 1);
            for number in 0..20 {
                ctx.send_reliably(other, number.into()).expect("the queue has room");
            }
        });
    // The stop comes while the connection is still being opened or just open.
    harness.run(pair(&journal, probe).then(MILLISECOND * 310, 0, Act::Stop))?;
    ensure_eq!(journal.messages(1), (0..20).collect::<Vec<_>>(), "received");
    Ok(())
}

fn what_waits_when_its_peer_crashes_is_dropped(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    // Seat 1 has crashed before, so that no connection to it opens, and all that is sent waits.
    let probe = Probe::new(&journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 300, 0);
        })
        .on_timer(|ctx, _| {
            let other = address(ctx, 1);
            for number in 0..200 {
                ctx.send_reliably(other, number.into()).expect("the queue has room");
            }
        });
    let experiment = pair(&journal, probe)
        .then(MILLISECOND * 150, 1, Act::Crash)
        .then(MILLISECOND * 450, 0, Act::Crash)
        .then(MILLISECOND * 500, 1, Act::Start);
    let report = harness.run(experiment)?;
    ensure_eq!(journal.messages(1), [] as [u64; 0], "received");
    ensure_eq!(journal.undelivered(0).len(), 0, "reported");
    let flow = report.ledger.reliable;
    ensure_eq!((flow.sent, flow.delivered), (200, 0), "sent and delivered");
    ensure_eq!(flow.dropped(DropCause::Undelivered), 200, "dropped as undelivered");
    Ok(())
}

fn lives_draw_their_own_randomness(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let written = journal.clone();
    let probe = LooseProbe::new(&journal).on_start(move |ctx, ()| {
        let (bits, secret) = (ctx.rng().bits(), ctx.secret().bits());
        for draw in [bits, secret] {
            let observed = Observed::Note(draw.to_string());
            written.write(crate::journal::Observation {
                seat: ctx.seat(),
                at: ctx.now(),
                observed,
            });
        }
    });
    let experiment = Experiment::new(2, move |_| Peer::new().with(probe.clone()))
        .then(MILLISECOND * 200, 0, Act::Crash)
        .then(MILLISECOND * 300, 0, Act::Start);
    harness.run(experiment.lasting(MILLISECOND * 500))?;
    let mut draws = [journal.notes(0), journal.notes(1)].concat();
    draws.sort_unstable();
    draws.dedup();
    ensure_eq!(draws.len(), 6, "different draws");
    Ok(())
}
