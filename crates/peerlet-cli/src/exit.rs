//! The exit codes of a command, in one table: code, name, meaning.

use std::process::ExitCode;

/// How a command ended, as its exit code says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything held.
    Done = 0,
    /// An expectation, a property, a comparison or a random scenario failed, or the run broke.
    Failed = 1,
    /// The command line or the scenario is wrong; nothing ran.
    Usage = 2,
    /// A file could not be read or written, or a socket not be opened.
    Io = 3,
    /// Two runs of the same seed differed.
    Nondeterminism = 4,
    /// A run is of no use: too late, or not the one that was asked for.
    Void = 5,
    /// A comparison cannot decide with the runs that it has.
    Inconclusive = 6,
    /// A live run or a sweep is not whole: a share is missing or late.
    Incomplete = 7,
    /// A handler panicked.
    Panicked = 101,
    /// The run was interrupted; partial results were written.
    Interrupted = 130,
}

impl Exit {
    /// All of them, ascending.
    pub(crate) const ALL: [Exit; 10] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::Io,
        Exit::Nondeterminism,
        Exit::Void,
        Exit::Inconclusive,
        Exit::Incomplete,
        Exit::Panicked,
        Exit::Interrupted,
    ];

    /// The number that the process ends with.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// The meaning in one line, as the manual and the help have it.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "all is well; expectations and properties held",
            Exit::Failed => {
                "an expectation, a property, a comparison or a random scenario failed, or the \
                 run broke"
            }
            Exit::Usage => {
                "the command line or the scenario is wrong, or runs cannot be compared; nothing ran"
            }
            Exit::Io => {
                "a file could not be read or written, a socket not be opened, or a process proved \
                 to be another"
            }
            Exit::Nondeterminism => {
                "`--check-determinism`, `--random` or `--witness` found a difference"
            }
            Exit::Void => {
                "a run is void: an emulation was too late, or a run to compare was interrupted or \
                 is one process's share"
            }
            Exit::Inconclusive => "a comparison is inconclusive: more seeds or longer runs decide",
            Exit::Incomplete => {
                "a live run is incomplete: the share of a process is missing or late, or some time \
                 of the peers was not measured; or runs of a sweep are missing"
            }
            Exit::Panicked => "a handler panicked",
            Exit::Interrupted => "interrupted; partial results are shown and written",
        }
    }

    /// The table for the end of the help.
    pub(crate) fn help() -> String {
        let lines = Exit::ALL.map(|exit| format!("  {:<4} {}\n", exit.code(), exit.meaning()));
        format!("Exit codes:\n{}", lines.concat())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_exit_code_with_its_meaning() {
        let page = include_str!("../../../docs/CLI.md");
        for exit in Exit::ALL {
            let line = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(page.contains(&line), "docs/CLI.md lacks this line:\n{line}");
        }
        assert!(Exit::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
    }
}
