//! From the command line to an exit code.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use peerlet_live::Secret;
use peerlet_scenario::{QUOTED_MAX, Scenario, is_steering, printable, shortened};

use crate::arguments::{Arguments, Check, Command};
use crate::compare;
use crate::exit::Exit;
use crate::experiment::Experiment;
use crate::failure::{Failure, with_causes};
use crate::fidelity;
use crate::logs;
use crate::output::{list, status, terminal};
use crate::plan::Plan;
use crate::world;

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
