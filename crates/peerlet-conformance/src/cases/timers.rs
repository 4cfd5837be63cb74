//! Timers: periods, cancellation.

use std::sync::{Arc, Mutex};

use peerlet_core::runtime::Act;
use peerlet_core::{Context, MILLISECOND, SECOND};

use super::solo;
use crate::journal::{Journal, Observed};
use crate::probe::LooseProbe;
use crate::suite::{Case, Failure, Harness, ensure, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a_timer_is_due_once_and_not_early",
        sentence: "A timer is due once, when its time is there.",
        test: a_timer_is_due_once_and_not_early,
    },
    Case {
        name: "a_cancelled_timer_is_silent",
        sentence: "A timer that is taken back never fires.",
        test: a_cancelled_timer_is_silent,
    },
    Case {
        name: "a_periodic_timer_comes_until_it_is_cancelled",
        sentence: "A periodic timer is due every period, until it is taken back.",
        test: a_periodic_timer_comes_until_it_is_cancelled,
    },
    Case {
        name: "a_late_timer_that_is_cancelled_is_silent",
        sentence: "A timer that is taken back never fires, however late it is.",
        test: a_late_timer_that_is_cancelled_is_silent,
    },
];

fn timers(journal: &Journal) -> Vec<u64> {
    let timer = |observed| match observed {
        Observed::Timer(timer) => Some(timer),
        _ => None,
    };
    journal.of(0).into_iter().filter_map(timer).collect()
}

fn a_timer_is_due_once_and_not_early(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal).on_start(|ctx, ()| {
        ctx.after(MILLISECOND * 300, 1);
    });
    harness.run(solo(probe))?;
    let observations = journal.observations();
    let at = |observed: &Observed| {
        observations.iter().filter(|e| e.observed == *observed).map(|e| e.at).collect()
    };
    let (starts, timers): (Vec<_>, Vec<_>) = (at(&Observed::Start), at(&Observed::Timer(1)));
    ensure_eq!((starts.len(), timers.len()), (1, 1), "starts and timers");
    let waited = timers[0] - starts[0];
    ensure!(waited >= MILLISECOND * 300, "due after {waited}");
    Ok(())
}

fn a_cancelled_timer_is_silent(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal).on_start(|ctx, ()| {
        let first = ctx.after(MILLISECOND * 100, 1);
        ctx.after(MILLISECOND * 100, 2);
        ctx.cancel(first);
    });
    harness.run(solo(probe))?;
    ensure_eq!(timers(&journal), [2], "timers");
    Ok(())
}

fn a_periodic_timer_comes_until_it_is_cancelled(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal).on_start(|ctx, ()| {
        let periodic = ctx.every(MILLISECOND * 100, 1);
        ctx.after(MILLISECOND * 550, 2);
        // The handle reaches the handler that cancels it through a task's closure.
        ctx.spawn(move |task| async move {
            task.sleep(MILLISECOND * 550).await;
            task.with(move |_, ctx| ctx.cancel(periodic)).await;
        });
    });
    harness.run(solo(probe))?;
    ensure_eq!(timers(&journal), [1, 1, 1, 1, 1, 2], "timers");
    Ok(())
}

fn a_late_timer_that_is_cancelled_is_silent(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let late = Arc::new(Mutex::new(Vec::new()));
    let kept = late.clone();
    let set = move |ctx: &mut Context<LooseProbe>, ()| {
        let mut kept = kept.lock().expect("nobody panics while it is held");
        ctx.after(MILLISECOND * 400, 1);
        kept.push(ctx.after(MILLISECOND * 420, 2));
        kept.push(ctx.every(MILLISECOND * 410, 3));
    };
    let cancel = move |ctx: &mut Context<LooseProbe>, timer| {
        if timer == 1 {
            let late = late.lock().expect("nobody panics while it is held");
            late.iter().for_each(|timer| ctx.cancel(*timer));
        }
    };
    // All are due while the peer is paused, and come one after the other when it resumes.
    let probe = LooseProbe::new(&journal).on_start(set).on_timer(cancel);
    harness.run(solo(probe).then(MILLISECOND * 200, 0, Act::Pause(SECOND)))?;
    ensure_eq!(timers(&journal), [1], "timers");
    Ok(())
}
