//! The program `peerlet-bench`: measures, each run in a process of its own.

use std::process::ExitCode;

use clap::Parser;
use peerlet_bench::arguments::Arguments;
use peerlet_bench::{child, plot, rounds, table};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(case) = &arguments.one {
        return child::be(case);
    }
    match measure(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Measures all that was asked for, and shows it.
fn measure(arguments: &Arguments) -> Result<(), String> {
    let figures = rounds::run(arguments)?;
    let text = match (arguments.json, arguments.markdown) {
        (true, _) => table::json(&figures),
        (_, true) => table::markdown(&figures),
        _ => table::plain(&figures),
    };
    println!("{text}");
    if let Some(path) = &arguments.plot {
        let drawing = plot::draw(&figures);
        std::fs::write(path, drawing)
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    Ok(())
}
