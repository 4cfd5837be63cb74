//! `report`: runs, or a sweep, as one HTML file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use peerlet_report::html::{ReportData, RunData, page, read_run, read_sweep};
use peerlet_report::run_folder::is_run_file;
use peerlet_report::sweep::{SWEEP, SweepFolder, SweepResults};
use peerlet_report::write_whole;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::print::print;
use crate::terminal::status;

/// The name of a report in a run folder.
const REPORT: &str = "report.html";

/// The most runs of one report.
const RUNS_MAX: usize = 100;

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// Run folders; a folder of several, as `sim --seeds -o` writes it; or a sweep's folder
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The file to write [default: report.html in the folder, where one is named; else here]
    #[arg(short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The title [default: the scenario's]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Open it in the browser
    #[arg(long)]
    open: bool,
}

/// Runs the `report` command.
pub(crate) fn run(arguments: &Report) -> Result<Exit, Failure> {
    let output = match (&arguments.output, arguments.runs.as_slice()) {
        (Some(file), _) => file.clone(),
        (None, [one]) => one.join(REPORT),
        (None, _) => PathBuf::from(REPORT),
    };
    refuse_run_file(&output)?;
    let mut report = read(&arguments.runs)?;
    if let Some(title) = &arguments.title {
        report.title.clone_from(title);
    }
    write(&report, &output)?;
    if arguments.open {
        open(&output);
    }
    print(&format!("{}\n", output.display()))
}

/// Refuses to replace a file of a run.
pub(crate) fn refuse_run_file(output: &Path) -> Result<(), Failure> {
    match is_run_file(output) {
        true => {
            let shown = output.display();
            Err(Failure::Usage(format!("`{shown}` is a file of a run; name another one by -o")))
        }
        false => Ok(()),
    }
}

/// Writes the report of one run into its folder, and opens it.
pub(crate) fn write_and_open(folder: &Path) -> Result<(), Failure> {
    let output = folder.join(REPORT);
    write(&read(&[folder.to_owned()])?, &output)?;
    open(&output);
    Ok(())
}

fn write(report: &ReportData, output: &Path) -> Result<(), Failure> {
    let page = page(report);
    write_whole(output, |file| file.write_all(page.as_bytes()))
        .map_err(Failure::io(output.display()))
}

/// Reads what these folders hold.
fn read(folders: &[PathBuf]) -> Result<ReportData, Failure> {
    if let [one] = folders
        && one.join(SWEEP).is_file()
    {
        return read_sweep_folder(one);
    }
    let mut paths = Vec::new();
    for folder in folders {
        if folder.join(SWEEP).is_file() {
            let shown = folder.display();
            return Err(Failure::Usage(format!(
                "`{shown}` is a sweep's folder; name it alone, or run folders within it"
            )));
        }
        match folder.join("summary.json").exists() {
            true => paths.push(folder.clone()),
            false => paths.extend(within(folder)?),
        }
    }
    if paths.len() > RUNS_MAX {
        return Err(Failure::Usage(format!(
            "there are {} runs, and a report shows at most {RUNS_MAX}; name fewer",
            paths.len()
        )));
    }
    let mut runs = Vec::new();
    for (path, name) in paths.iter().zip(names(&paths)) {
        runs.push(read_run(path, name)?);
    }
    Ok(ReportData::new(runs))
}

/// The report of a sweep: its curves.
fn read_sweep_folder(path: &Path) -> Result<ReportData, Failure> {
    let (folder, sweep) = SweepFolder::open(path)?;
    let results = SweepResults::read(&folder, sweep)?;
    if results.runs.is_empty() {
        let shown = path.display();
        return Err(Failure::Usage(format!("no run of the sweep in `{shown}` has ended; go on")));
    }
    let (there, all) = (results.runs.len() as u64, results.sweep.runs());
    if there < all {
        status::say(&format!("warning: {} of {all} runs are missing", all - there));
    }
    let title = results.sweep.scenario.clone();
    let report = ReportData::new(Vec::<RunData>::new());
    Ok(ReportData { title, sweep: Some(read_sweep(&results)), ..report })
}

/// The run folders in a folder, in the order of their names: numbers by their size.
fn within(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(Failure::io(folder.display()))?;
    let mut found = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(Failure::io(folder.display()))?.path();
        if path.join("summary.json").is_file() {
            let name = path.file_name().unwrap_or_default().to_owned();
            let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
            found.insert((number.is_none(), number, name), path);
        }
    }
    if found.is_empty() {
        let shown = folder.display();
        return Err(Failure::Usage(format!(
            "`{shown}` holds no run that has ended; `sim SCENARIO -o DIR` writes one"
        )));
    }
    Ok(found.into_values().collect())
}

/// A name for each of these folders: its last part, or all of its path where others have the same.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let last = |path: &PathBuf| {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let short: Vec<String> = paths.iter().map(last).collect();
    let is_own = |i: usize| {
        !short[i].is_empty() && short.iter().filter(|other| **other == short[i]).count() == 1
    };
    let mut names: Vec<String> = Vec::new();
    for (i, path) in paths.iter().enumerate() {
        let long = path.display().to_string();
        let mut name = if is_own(i) { short[i].clone() } else { long.clone() };
        // The same folder may be named twice.
        let mut again = 2;
        while names.contains(&name) {
            name = format!("{long} ({again})");
            again += 1;
        }
        names.push(name);
    }
    names
}

/// Opens a file as the desktop does. Where there is none, that is said, and the file is there.
fn open(path: &Path) {
    let shown = path.display();
    let own = std::env::var_os("PEERLET_BROWSER");
    let program = own.unwrap_or_else(|| match std::env::consts::OS {
        "macos" => "open".into(),
        "windows" => "explorer".into(),
        _ => "xdg-open".into(),
    });
    let mut command = Command::new(&program);
    let started =
        command.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(error) = started {
        let program = program.to_string_lossy();
        status::say(&format!("warning: `{program}` did not start: {error}; open {shown} yourself"));
    }
}
