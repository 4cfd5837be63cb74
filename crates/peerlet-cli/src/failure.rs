//! Failures of commands: the message of each, and its exit code.

use std::io;
use std::path::Path;

use peerlet_live::{BindError, JoinError, LiveError, MediumError, Refusal};
use peerlet_report::FolderError;
use peerlet_run::RunError;
use peerlet_run::threads::SystemLimit;
use peerlet_scenario::{Problems, is_of_content};

use crate::exit::Exit;

/// Why a command ended without its result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The scenario is wrong.
    Scenario(Problems),
    /// Something else is wrong with what was asked for.
    Usage(String),
    /// A file could not be read or written.
    Io(String),
    /// The run itself broke.
    Run(String),
    /// A run is of no use: late, interrupted, or not the whole network.
    Void(String),
    /// Something in the run panicked.
    Panicked(String),
    /// This ends the process, and another one has said why.
    Told(Exit),
}

impl Failure {
    /// How the process ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::Scenario(problems) if problems.are_unreadable() => Exit::Io,
            Failure::Scenario(_) | Failure::Usage(_) => Exit::Usage,
            Failure::Io(_) => Exit::Io,
            Failure::Run(_) => Exit::Failed,
            Failure::Void(_) => Exit::Void,
            Failure::Panicked(_) => Exit::Panicked,
            Failure::Told(exit) => *exit,
        }
    }

    /// The message, without a place.
    pub(crate) fn message(&self) -> String {
        match self {
            Failure::Scenario(problems) => problems.to_string(),
            Failure::Usage(message)
            | Failure::Io(message)
            | Failure::Run(message)
            | Failure::Void(message)
            | Failure::Panicked(message) => message.clone(),
            Failure::Told(_) => String::new(),
        }
    }

    /// An error of reading or writing this.
    pub(crate) fn io(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Failure {
        move |error| Failure::Io(format!("{what}: {}", with_causes(&error)))
    }

    /// A scenario that cannot be read, or is no text.
    pub(crate) fn unreadable_scenario(path: &Path, error: &io::Error) -> Failure {
        let message = format!("cannot read the scenario `{}`: {error}", path.display());
        if is_of_content(error) { Failure::Usage(message) } else { Failure::Io(message) }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Failure {
        Failure::Scenario(problems)
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Failure {
        match error {
            FolderError::Unlike(message) => Failure::Usage(message),
            FolderError::Void(message) => Failure::Void(message),
            FolderError::Scenario(problems) => Failure::Scenario(problems),
            error => Failure::Io(error.to_string()),
        }
    }
}

impl From<SystemLimit> for Failure {
    fn from(limit: SystemLimit) -> Failure {
        Failure::Io(limit.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        match error {
            RunError::Plan(problems) => Failure::Scenario(problems),
            RunError::System(limit) => limit.into(),
            RunError::Sockets(error) => on_sockets(&error),
            RunError::Panicked(report) => Failure::Panicked(report.to_string()),
            RunError::Simulation(peerlet_sim::RunError::Threads { .. }) => {
                Failure::Io(with_causes(&error))
            }
            error => Failure::Run(with_causes(&error)),
        }
    }
}

/// A run that cannot begin: because of what was asked for, or because of what was met.
fn on_sockets(error: &LiveError) -> Failure {
    match error {
        LiveError::Index { .. }
        | LiveError::JoinsItself
        | LiveError::NoTimeToJoin
        | LiveError::Join(JoinError::Oneself(_))
        | LiveError::JoinsNobody { .. }
        | LiveError::Ports { .. }
        | LiveError::PortsInNoOrder { .. }
        | LiveError::LinkLocal { .. }
        | LiveError::ListOverUdp
        | LiveError::Bind(BindError::Open(_))
        | LiveError::ShortEpochs { .. }
        | LiveError::Medium(
            MediumError::Limit(_) | MediumError::Sockets { .. } | MediumError::Share,
        ) => Failure::Usage(with_options(error)),
        _ => Failure::Io(with_options(error)),
    }
}

/// An error of a run on sockets with its causes, and the options that it is about in brackets: the
/// library does not know them.
fn with_options(error: &LiveError) -> String {
    let (said, options) = (with_causes(error), options_of(error));
    if options.is_empty() { said } else { format!("{said} ({})", options.join(", ")) }
}

/// The options of `live` that can mend an error.
fn options_of(error: &LiveError) -> &'static [&'static str] {
    match error {
        LiveError::Index { .. } => &["--index"],
        LiveError::JoinsItself | LiveError::JoinsNobody { .. } => &["--index", "--join"],
        LiveError::NoTimeToJoin => &["--start-within"],
        LiveError::ListOverUdp => &["--allow", "--secret"],
        LiveError::Ports { .. } => &["--bind", "--shards"],
        LiveError::PortsInNoOrder { .. } => &["--bind", "--advertise", "--shards"],
        LiveError::LinkLocal { .. } => &["--bind", "--advertise"],
        LiveError::Bind(BindError::Open(_)) => &["--transport", "--secret", "--closed-network"],
        LiveError::Bind(error @ BindError::Io { .. }) if !error.is_of_files() => &["--bind"],
        LiveError::Medium(MediumError::Sockets { .. } | MediumError::Share) => &["--index"],
        LiveError::Join(error) => options_to_join(error),
        _ => &[],
    }
}

fn options_to_join(error: &JoinError) -> &'static [&'static str] {
    match error {
        JoinError::Unanswered { needs_bind: true, .. } => {
            &["--join", "--bind", "--transport", "--secret"]
        }
        JoinError::Unanswered { .. } => &["--join", "--transport", "--secret"],
        JoinError::Oneself(_) | JoinError::Identity(_) => &["--join"],
        JoinError::NotAdmitted { .. } => &["--secret", "--allow", "--key"],
        JoinError::Unproved(_) => &["--secret", "--join"],
        JoinError::Unlisted(_) => &["--allow", "--join"],
        JoinError::OwnAddress { .. } => &["--advertise"],
        JoinError::Refused(_, refusal) => match refusal {
            Refusal::Seats { .. } | Refusal::Taken { can_change: true, .. } => &["--index"],
            Refusal::Taken { can_change: false, .. } => &["--index", "--key"],
            Refusal::SameKey => &["--key"],
            Refusal::SameSocket { .. } => &["--bind", "--advertise"],
            Refusal::Advertised { .. } => &["--advertise", "--transport"],
            Refusal::NotSeatZero => &["--join"],
            _ => &[],
        },
        _ => &[],
    }
}

/// An error with its causes, each behind the one that it caused. A cause that an error repeats in
/// its own words is said once.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !said.contains(&words) {
            said += &format!(": {words}");
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::main_command::Arguments;

    #[test]
    fn errors_name_options_that_live_has() {
        let command = Arguments::command();
        let live = command.find_subcommand("live").expect("there is such a command");
        let at = "192.0.2.1:7".parse().expect("an address");
        let own = peerlet_core::Identity([1; 32]);
        let refused = |refusal| LiveError::Join(JoinError::Refused(at, refusal));
        let taken = |can_change| refused(Refusal::Taken { first: 0, last: 9, can_change });
        let join = LiveError::Join;
        let unanswered = |needs_bind| {
            let (at, within, tried) = (at.to_string(), peerlet_core::SECOND, String::new());
            JoinError::Unanswered { at, within, tried, needs_bind }
        };
        let errors = [
            LiveError::Index { first: 0, last: 9, seats: 5 },
            LiveError::JoinsItself,
            LiveError::JoinsNobody { first: 5 },
            LiveError::NoTimeToJoin,
            LiveError::ListOverUdp,
            LiveError::Ports { first: 65_535, shards: 2 },
            LiveError::PortsInNoOrder { shards: 2 },
            LiveError::LinkLocal { at: "fe80::1".parse().unwrap() },
            LiveError::Bind(BindError::Io { at, source: io::ErrorKind::AddrInUse.into() }),
            LiveError::Bind(BindError::Open(at)),
            LiveError::Medium(MediumError::Share),
            join(unanswered(true)),
            join(unanswered(false)),
            join(JoinError::Oneself(at)),
            join(JoinError::Unproved(at)),
            join(JoinError::Unlisted(at)),
            join(JoinError::NotAdmitted { at, own, has_secret: true }),
            refused(Refusal::Seats { count: 5 }),
            taken(true),
            taken(false),
            refused(Refusal::SameKey),
            refused(Refusal::SameSocket { at }),
            refused(Refusal::Advertised { seen: at }),
            refused(Refusal::NotSeatZero),
        ];
        for error in errors {
            let (options, said) = (options_of(&error), with_options(&error));
            assert!(!options.is_empty() && !error.to_string().contains("--"), "{error}");
            for option in options {
                let name = option.trim_start_matches("--");
                assert!(live.get_arguments().any(|known| known.get_long() == Some(name)), "{name}");
                assert!(said.contains(option), "{said}");
            }
        }
        let full = refused(Refusal::Full);
        assert_eq!(with_options(&full), full.to_string());
    }
}
