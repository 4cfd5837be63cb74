//! `fmt`: scenarios and files of event lines in the usual layout.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use peerlet_report::write_whole;
use peerlet_scenario::{Source, format_lines, format_scenario};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::print::{print, print_exactly};

#[derive(Args, Debug)]
pub(crate) struct Format {
    /// Scenarios (.toml), and files of event lines (any other ending); `-` reads a scenario from
    /// standard input and prints it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write nothing; name the files whose layout is another, and exit with 1 if there are any
    #[arg(long)]
    check: bool,
}

/// Runs the `fmt` command. Every file is read before one is written.
pub(crate) fn run(arguments: &Format) -> Result<Exit, Failure> {
    let mut others = Vec::new();
    for path in &arguments.files {
        let is_stream = path == Path::new("-");
        let named = if is_stream { Path::new("/dev/stdin") } else { path };
        let source =
            Source::open(named).map_err(|error| Failure::unreadable_scenario(named, &error))?;
        let is_scenario = is_stream || path.extension().is_some_and(|ending| ending == "toml");
        let text = match is_scenario {
            true => format_scenario(&source)?,
            false => format_lines(&source.text),
        };
        if is_stream && !arguments.check {
            print_exactly(&text)?;
        } else if *text != *source.text {
            others.push((path, text));
        }
    }
    let names: String = others.iter().map(|(path, _)| format!("{}\n", path.display())).collect();
    if arguments.check {
        print(&names)?;
        return Ok(if others.is_empty() { Exit::Done } else { Exit::Failed });
    }
    for (path, text) in &others {
        // The file that a link leads to is written, and the link stays.
        let place = std::fs::canonicalize(path).map_err(Failure::io(path.display()))?;
        let about = std::fs::metadata(&place).map_err(Failure::io(path.display()))?;
        write_whole(&place, |file| file.write_all(text.as_bytes()))
            .and_then(|()| std::fs::set_permissions(&place, about.permissions()))
            .map_err(Failure::io(path.display()))?;
    }
    print(&names)
}
