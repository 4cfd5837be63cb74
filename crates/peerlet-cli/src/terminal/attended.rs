//! Runs in front of a terminal: progress is shown, signals end a run in order, panics are reported.

use peerlet_core::Time;
use peerlet_live::LiveSetup;
use peerlet_run::{Experiment, PanicReport, Plan, Results, RunError, SimOptions, threads};
use tokio::sync::watch;

use crate::failure::Failure;
use crate::terminal::again::again;
use crate::terminal::monitor::Monitor;
use crate::terminal::progress::Progress;
use crate::terminal::signals::{self, Taken};
use crate::terminal::status;

/// The options of a simulation, and how it shows.
#[derive(Default)]
pub(crate) struct SimRun<'a> {
    pub(crate) options: SimOptions,
    /// The monitor that shows its progress and may stop it.
    pub(crate) monitor: Option<&'a Monitor>,
    /// The name of the run in its progress, where it is one of several.
    pub(crate) name: Option<String>,
}

/// Runs a plan in virtual time to its end, or until it is interrupted.
pub(crate) fn simulate(
    experiment: &Experiment,
    plan: Plan,
    how: SimRun<'_>,
) -> Result<Results, Failure> {
    let SimRun { options, monitor, name } = how;
    let seed = name.is_some().then_some(plan.scenario.seed);
    let progress = Progress::new(name, Time::ZERO + plan.scenario.duration);
    let attention = monitor.map(|monitor| monitor.attend(options.watch.clone(), progress));
    let ran = peerlet_run::simulate(experiment, plan, options);
    drop(attention);
    let run = ran.map_err(|error| match error {
        RunError::Panicked(PanicReport { message, backtraces, .. }) => {
            let again = again(seed).map(|again| format!("\n  again: {again}"));
            Failure::Panicked(message + &again.unwrap_or_default() + &backtraces)
        }
        error => error.into(),
    })?;
    say_thread_panics(&run.thread_panics);
    Ok(run)
}

/// Emulates a plan to its end, or until it is interrupted. A second signal ends the process for as
/// long as the second value lives.
pub(crate) fn emulate(
    experiment: &Experiment,
    plan: Plan,
    late_max: peerlet_core::Duration,
) -> Result<(Results, Taken), Failure> {
    match peerlet_live::ask_for_priority() {
        true => tracing::info!("this process has priority"),
        false => tracing::info!("this process has no priority: that takes root"),
    }
    on_sockets(|stop| peerlet_run::emulate(experiment, plan, late_max, stop))
}

/// Runs this process's share of a plan on the real network to its end, or until it is interrupted.
/// A second signal ends the process for as long as the second value lives.
pub(crate) fn run_live(plan: Plan, setup: LiveSetup) -> Result<(Results, Taken), Failure> {
    on_sockets(|stop| peerlet_run::run_live(plan, setup, stop))
}

fn on_sockets(
    run: impl FnOnce(watch::Receiver<bool>) -> Result<Results, RunError>,
) -> Result<(Results, Taken), Failure> {
    // The run checks this again. Here it comes before the thread for signals is started, so that an
    // error counts all threads.
    threads::make_sure_on_sockets()?;
    let (stop, stopped) = watch::channel(false);
    let signals = signals::stop_at_signal(stop).map_err(threads::refused("signals"))?;
    let run = run(stopped).map_err(|error| {
        if let RunError::Panicked(report) = &error {
            say_thread_panics(&report.others);
        }
        Failure::from(error)
    })?;
    say_thread_panics(&run.thread_panics);
    if let Some(report) = &run.panicked {
        say_thread_panics(&report.others);
        status::say(&format!("error: {report}"));
    }
    Ok((run, signals))
}

/// Reports panics that ended no run.
fn say_thread_panics(messages: &[String]) {
    messages.iter().for_each(|words| status::say(&format!("a thread panicked: {words}")));
}
