//! From the command line to an exit code.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use peerlet_live::Secret;
use peerlet_scenario::{Problems, QUOTED_MAX, Scenario, is_steering, printable, shortened};

use crate::arguments::{Arguments, Check, Command, Unreadable};
use crate::compare;
use crate::exit::Exit;
use crate::experiment::Experiment;
use crate::fidelity;
use crate::logs;
use crate::output::{list, status, terminal};
use crate::plan::Plan;
use crate::world;

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

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Failure {
        Failure::Scenario(problems)
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Failure {
        match unreadable.is_of_content {
            true => Failure::Usage(unreadable.message),
            false => Failure::Io(unreadable.message),
        }
    }
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

    /// What is wrong, without a place.
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

/// Runs a command line.
pub(crate) fn main(
    experiment: &Experiment,
    arguments: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let command = Arguments::command().name(experiment.name).after_long_help(Exit::help());
    let parsed = command
        .clone()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let shown = show_usage(&error, &arguments).map(|()| exit);
            return shown.unwrap_or_else(|error| report(&unprinted(&error))).into();
        }
    };
    // Where it cannot be had, such a limit ends the process as it would any other.
    world::interrupts::outlive_file_limits().ok();
    let ended = match arguments.command {
        Command::Sim(sim) => world::sim::run(experiment, &sim),
        Command::Live(live) => world::live::run(experiment, &live),
        Command::Emulate(emulate) => world::emulate::run(experiment, &emulate),
        Command::Check(arguments) => check(experiment, &arguments),
        Command::Fidelity(arguments) => fidelity::run(experiment, &arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Secret { file } => secret(&file),
        Command::List { json } => print(&list::list(experiment, json)),
        Command::Completions { shell } => {
            let mut bytes = Vec::new();
            clap_complete::generate(shell, &mut command.clone(), experiment.name, &mut bytes);
            print(&String::from_utf8_lossy(&bytes))
        }
        Command::Man => {
            let mut bytes = Vec::new();
            clap_mangen::Man::new(command)
                .render(&mut bytes)
                .map_err(Failure::io("the manual page"))
                .and_then(|()| print(&String::from_utf8_lossy(&bytes)))
        }
    };
    ended.unwrap_or_else(|failure| report(&failure)).into()
}

/// Says on standard error what went wrong; returns the exit code.
fn report(failure: &Failure) -> Exit {
    let label = status::labeled();
    match failure {
        Failure::Scenario(problems) => {
            let drawn = problems.render(terminal::has_color(&io::stderr()));
            // Editors find the place when its line begins with it.
            let head = if label.is_empty() { "" } else { "\n" };
            status::draw(&format!("{}{head}{drawn}", label.trim_end()));
        }
        Failure::Usage(message)
        | Failure::Io(message)
        | Failure::Run(message)
        | Failure::Void(message)
        | Failure::Panicked(message) => status::say(&format!("error: {label}{message}")),
        Failure::Told(_) => {}
    }
    failure.exit()
}

/// Says what is wrong with the command line, or shows the help. Where an argument would steer the
/// terminal, there are no colors, so that nothing else does either; a long one is cut.
fn show_usage(error: &clap::Error, arguments: &[OsString]) -> io::Result<()> {
    let words = || arguments.iter().map(|word| word.to_string_lossy());
    let is_plain = |word: &str| !word.contains(is_steering) && word.len() <= QUOTED_MAX;
    if words().all(|word| is_plain(&word)) {
        error.print()?;
        return io::stdout().flush();
    }
    let mut text = error.render().to_string();
    // An option's value is quoted without its name, as one word.
    for part in words().flat_map(|word| word.split('=').map(str::to_owned).collect::<Vec<_>>()) {
        text = text.replace(&part, &shortened(&part));
    }
    match error.use_stderr() {
        true => status::draw(&printable(&text)),
        false => try_print(&printable(&text))?,
    }
    Ok(())
}

/// Prints on standard output, with nothing in it that would steer a terminal. A reader that went
/// away, having seen enough, is no error.
pub(crate) fn print(text: &str) -> Result<Exit, Failure> {
    print_exactly(&printable(text))
}

fn print_exactly(text: &str) -> Result<Exit, Failure> {
    match try_print(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unprinted(&error)),
        _ => Ok(Exit::Done),
    }
}

fn try_print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn unprinted(error: &io::Error) -> Failure {
    Failure::Io(format!("standard output: {error}"))
}

/// Makes a secret and keeps it in a new file.
fn secret(file: &Path) -> Result<Exit, Failure> {
    Secret::generate().save(file).map_err(|error| Failure::Io(with_causes(&error)))?;
    print(&format!(
        "a new secret is in {0}; only its owner can read it (mode 600)\n\
         bring it to the other processes' machines over a private channel, such as `scp -p`, and \
         start each\nprocess with `--secret {0}`; whoever has the file can take part\n",
        file.display()
    ))
}

fn check(experiment: &Experiment, arguments: &Check) -> Result<Exit, Failure> {
    logs::start(arguments.what.verbose, arguments.what.quiet);
    let scenario = Scenario::parse(arguments.what.source()?, &arguments.what.overrides()?)?;
    let plan = Plan::of(experiment, scenario, &world::sim::gives)?;
    if arguments.expand {
        // In a file it reads as the same timeline, whatever it holds.
        let expanded = plan.timeline().to_string();
        return match io::stdout().is_terminal() {
            true => print(&expanded),
            false => print_exactly(&expanded),
        };
    }
    if arguments.what.quiet {
        return Ok(Exit::Done);
    }
    let scenario = &plan.scenario;
    let stack: Vec<_> = plan.registry.entries().iter().map(|entry| entry.name()).collect();
    let waiting = match plan.timeline().waiting() {
        0 => String::new(),
        1 => "1 seat begins stopped and waits for its first start()\n".to_owned(),
        many => format!("{many} seats begin stopped and wait for their first start()\n"),
    };
    print(&format!(
        "{}: {} peers for {}, seed {}\npeerlets: {}\ntimeline: {} entries\n{waiting}\
         nothing is wrong with it\n",
        scenario.title,
        scenario.peers,
        scenario.duration,
        scenario.seed,
        stack.join(", "),
        plan.timeline().entries().len()
    ))
}
