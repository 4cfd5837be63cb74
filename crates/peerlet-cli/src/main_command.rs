//! The command line as a whole: from arguments to an exit code.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use peerlet_run::Experiment;
use peerlet_scenario::{QUOTED_MAX, is_steering, printable, shortened};

use crate::commands;
use crate::commands::check::Check;
use crate::commands::compare::Compare;
use crate::commands::emulate::Emulate;
use crate::commands::export::Export;
use crate::commands::fidelity::Fidelity;
use crate::commands::format::Format;
use crate::commands::list::List;
use crate::commands::live::Live;
use crate::commands::merge::Merge;
use crate::commands::new::New;
use crate::commands::report::Report;
use crate::commands::secret::Secret;
use crate::commands::sim::Sim;
use crate::commands::story::DrawStory;
use crate::commands::sweep::SweepCommand;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::print::{print, try_print, unprinted};
use crate::terminal::{color, signals, status};

/// The line that the help of every program begins with.
const ABOUT: &str = "Peer-to-peer systems that run unchanged in simulation and on real sockets";

/// Runs peer-to-peer experiments.
#[derive(Parser, Debug)]
#[command(version, about = ABOUT, long_about = None)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a scenario in virtual time
    Sim(Sim),
    /// Run a scenario with every combination of some values, in virtual time
    Sweep(SweepCommand),
    /// Bring the runs of a sweep together that ran in several folders
    Merge(Merge),
    /// Run this process's share of the peers on real sockets; `[network]` is left to the real one
    Live(Live),
    /// Run all peers in this process on real sockets, with the scenario's network between them
    Emulate(Emulate),
    /// Read and check a scenario, and run nothing
    Check(Check),
    /// Write scenarios and files of event lines in the usual layout
    #[command(name = "fmt")]
    Format(Format),
    /// Compare a scenario's simulation with its emulation, over several seeds
    Fidelity(Fidelity),
    /// Compare two runs, or two sets of runs, metric by metric
    Compare(Compare),
    /// Write one HTML file with the plots, verdicts and overlays of runs, or the curves of a sweep
    Report(Report),
    /// Write the links or the story of a run in the format of another tool
    Export(Export),
    /// Draw the messages of a trace as a sequence, as text or as a picture
    Story(DrawStory),
    /// Write a project with a peerlet of its own, a scenario and tests, to begin with
    New(New),
    /// Make the secret that the processes of one network share
    Secret(Secret),
    /// List peerlets, commands and network models, with parameters, units and defaults
    List(List),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Runs a command line: the arguments of a process, its name first. Returns the exit code, of which
/// `docs/CLI.md` has the table.
pub fn main(experiment: &Experiment, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
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
    signals::outlive_file_limits().ok();
    let ended = match arguments.command {
        Command::Sim(sim) => commands::sim::run(experiment, &sim),
        Command::Sweep(sweep) => commands::sweep::run(experiment, &sweep),
        Command::Merge(merge) => commands::merge::run(&merge),
        Command::Live(live) => commands::live::run(experiment, &live),
        Command::Emulate(emulate) => commands::emulate::run(experiment, &emulate),
        Command::Check(check) => commands::check::run(experiment, &check),
        Command::Format(format) => commands::format::run(&format),
        Command::Fidelity(fidelity) => commands::fidelity::run(experiment, &fidelity),
        Command::Compare(compare) => commands::compare::run(&compare),
        Command::Report(report) => commands::report::run(&report),
        Command::Export(export) => commands::export::run(&export),
        Command::Story(story) => commands::story::run(&story),
        Command::New(new) => commands::new::run(&new),
        Command::Secret(secret) => commands::secret::run(&secret),
        Command::List(list) => commands::list::run(experiment, &list),
        Command::Completions { shell } => {
            let mut bytes = Vec::new();
            let mut shown = without_hidden(&command);
            clap_complete::generate(shell, &mut shown, experiment.name, &mut bytes);
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

/// The command without its hidden options, which the scripts of shells would offer.
fn without_hidden(command: &clap::Command) -> clap::Command {
    // Names live as long as the process, which ends after the script.
    let kept = |text: &str| -> &'static str { text.to_owned().leak() };
    let shown = clap::Command::new(kept(command.get_name()))
        .args(command.get_arguments().filter(|argument| !argument.is_hide_set()).cloned())
        .subcommands(command.get_subcommands().map(without_hidden));
    let shown = match command.get_about() {
        Some(about) => shown.about(about.clone()),
        None => shown,
    };
    match command.get_version() {
        Some(version) => shown.version(kept(version)),
        None => shown,
    }
}

/// Says on standard error what went wrong; returns the exit code.
fn report(failure: &Failure) -> Exit {
    let label = status::labeled();
    match failure {
        Failure::Scenario(problems) => {
            let drawn = problems.render(color::has_color(&io::stderr()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
