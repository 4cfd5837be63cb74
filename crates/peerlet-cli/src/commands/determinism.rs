//! `--check-determinism`: the same run twice, in two processes, compared event by event.
//!
//! The first runs on one thread and the second on several, which must make no difference.
//! The second process has another layout of addresses and other random seeds of hash maps, so
//! that whatever depends on them shows. Both encode every message, so that a difference in what is
//! said counts as much as one in when it is said.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use peerlet_core::runtime::{Call, Port};
use peerlet_run::threads::refused;
use peerlet_run::{Experiment, Plan, SimOptions};
use peerlet_scenario::pipes_read;
use peerlet_sim::{Engine, Handled, Sums, Trace, fold};

use crate::commands::sim::{Sim, plan};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::attended::{SimRun, simulate};
use crate::terminal::monitor::Monitor;
use crate::terminal::print::print;
use crate::terminal::status;

/// The bytes of one event in a file of events.
const RECORD: usize = 56;
/// How often it is seen whether the second process has ended.
const POLL: Duration = Duration::from_millis(20);

/// Runs twice and compares.
pub(crate) fn check(experiment: &Experiment, sim: &Sim) -> Result<Exit, Failure> {
    // Input that only one process can read is refused before there are two.
    let planned = plan(experiment, sim, None)?;
    if let Some(pipe) = pipes_read().first() {
        return Err(Failure::Usage(format!(
            "`{}` is a pipe, which one process can read, and --check-determinism has two; save it \
             as a file",
            pipe.display()
        )));
    }
    let monitor = Monitor::start(sim.shows_progress())?;
    let paths = Pair::new();
    // The second run is this very command once more, so nothing is lost on the how.
    let exe = std::env::current_exe().map_err(Failure::io("this program"))?;
    let second = Command::new(exe)
        .args(std::env::args_os().skip(1))
        .arg("--second-run")
        .arg(&paths.second)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(refused("the second process"))?;
    let first = write_events(experiment, planned, (sim.engine(), 1), Some(&monitor), &paths.first);
    let Some(second) = wait(second, &monitor).map_err(Failure::io("the second process"))? else {
        status::say("interrupted: nothing was compared");
        return Ok(Exit::Interrupted);
    };
    let first = match first {
        // Both met the same, and the second one has said it.
        Err(Failure::Panicked(_)) if is_panic(second) => {
            return Err(Failure::Told(Exit::Panicked));
        }
        first => first?,
    };
    if second.code() == Some(i32::from(Exit::Io.code())) {
        let message = "the second process could not get what it needs; see its message above";
        return Err(Failure::Io(message.to_owned()));
    }
    if !second.success() {
        let said = format!("the second process {}", ended(second));
        return Err(if is_panic(second) { Failure::Panicked(said) } else { Failure::Run(said) });
    }
    let count = match compare(&paths.first, &paths.second)? {
        Comparison::Equal(count) => count,
        Comparison::Differ(place, one, two) => {
            print(&format!(
                "nondeterminism: event {place} differs\n  first run:  {}\n  second run: {}\n\
                 a peerlet depends on something that is not in its context: a clock, an address in \
                 memory, a hash map's order\n",
                describe(&one),
                describe(&two)
            ))?;
            return Ok(Exit::Nondeterminism);
        }
    };
    print(&format!(
        "deterministic: {count} events equal in two processes, with 1 and {} threads\n\
         digest {first}\n",
        second_threads(sim)
    ))?;
    Ok(Exit::Done)
}

/// The second run: writes its events and nothing else.
pub(crate) fn be_second(experiment: &Experiment, sim: &Sim, path: &Path) -> Result<Exit, Failure> {
    // Of several threads there is one engine only; the first run is by the one asked for.
    let engine = (Engine::Windowed, second_threads(sim));
    write_events(experiment, plan(experiment, sim, None)?, engine, None, path)?;
    Ok(Exit::Done)
}

/// The threads of the second process: those asked for, and more than one in any case.
fn second_threads(sim: &Sim) -> u32 {
    sim.threads.max(2)
}

/// Waits for the second process, or ends it when this one is interrupted.
fn wait(mut second: Child, monitor: &Monitor) -> io::Result<Option<ExitStatus>> {
    while !monitor.is_interrupted() {
        if let Some(status) = second.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(POLL);
    }
    second.kill()?;
    second.wait()?;
    Ok(None)
}

fn is_panic(status: ExitStatus) -> bool {
    status.code() == Some(i32::from(Exit::Panicked.code()))
}

/// How a process ended that did not end well.
fn ended(status: ExitStatus) -> String {
    if let Some(code) = status.code() {
        return format!("ended with exit code {code}; see its message above");
    }
    match signal(status) {
        Some(9) => "was killed by signal 9 (SIGKILL), as a system does that is out of memory; see \
                    its log, and give the run more memory or fewer peers"
            .to_owned(),
        Some(signal) => format!("was ended by signal {signal}{}", name_of(signal)),
        None => "ended without an exit code".to_owned(),
    }
}

/// The signal that ended a process, where the system has signals.
fn signal(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    return None;
}

/// The name of a signal whose number is the same on every system.
const fn name_of(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        8 => " (SIGFPE)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

fn write_events(
    experiment: &Experiment,
    plan: Plan,
    (engine, threads): (Engine, u32),
    monitor: Option<&Monitor>,
    path: &Path,
) -> Result<String, Failure> {
    let file = File::create_new(path).map_err(Failure::io(path.display()))?;
    let trace = Recorded { out: BufWriter::new(file) };
    let trace: Option<Box<dyn Trace>> = Some(Box::new(trace));
    let watch = Arc::default();
    let options = SimOptions { engine, threads, wire: true, trace, watch, ..SimOptions::default() };
    let how = SimRun { options, monitor, name: None };
    let run = simulate(experiment, plan, how)?;
    Ok(run.digest.unwrap_or_default())
}

/// The two files of events, removed at the end.
struct Pair {
    first: PathBuf,
    second: PathBuf,
}

impl Pair {
    fn new() -> Pair {
        let path = |which| {
            let name = format!("peerlet-{}-{which}.events", std::process::id());
            std::env::temp_dir().join(name)
        };
        Pair { first: path("first"), second: path("second") }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for path in [&self.first, &self.second] {
            // It may never have been written.
            drop(std::fs::remove_file(path));
        }
    }
}

/// Writes events as fixed records.
struct Recorded {
    out: BufWriter<File>,
}

impl Trace for Recorded {
    fn handled(&mut self, e: &Handled) {
        let (part, call) = match e.call {
            Call::None => (0, 0),
            Call::Question(id) => (1, id),
            Call::Answer(id) => (2, id),
            Call::NoAnswer(id) => (3, id),
        };
        let port = e.port.map_or(0, |port| u64::from(port.0) + 1);
        let words = [
            e.time.as_nanos(),
            u64::from(e.round) << 32 | u64::from(e.seat.0),
            u64::from(e.source) << 8 | e.kind as u64,
            e.seq,
            port << 32 | u64::from(e.life),
            part << 32 | u64::from(call),
            e.payload,
        ];
        let bytes = words.map(u64::to_le_bytes).concat();
        // A file that cannot be written is shorter than the other, which the comparison reports.
        drop(self.out.write_all(&bytes));
    }

    fn finished(&mut self, sums: &Sums) {
        // Events can be the same, and what was dropped, sent or measured different.
        let mut record = [0; RECORD];
        record[..8].copy_from_slice(&sums.words().fold(0, fold).to_le_bytes());
        drop(self.out.write_all(&record));
        drop(self.out.flush());
    }
}

type Record = Option<[u8; RECORD]>;

enum Comparison {
    Equal(u64),
    Differ(u64, Record, Record),
}

fn compare(first: &Path, second: &Path) -> Result<Comparison, Failure> {
    let open =
        |path: &Path| File::open(path).map(BufReader::new).map_err(Failure::io(path.display()));
    let (mut first, mut second) = (open(first)?, open(second)?);
    let mut count = 0;
    loop {
        let (one, two) = (next(&mut first), next(&mut second));
        if one != two {
            return Ok(Comparison::Differ(count, one, two));
        }
        if one.is_none() {
            // The last record is no event.
            return Ok(Comparison::Equal(count.saturating_sub(1)));
        }
        count += 1;
    }
}

fn next(file: &mut impl Read) -> Record {
    let mut record = [0; RECORD];
    file.read_exact(&mut record).ok().map(|()| record)
}

fn describe(record: &Record) -> String {
    let Some(record) = record else { return "was over".to_owned() };
    let word = |i: usize| {
        let bytes = record[8 * i..8 * i + 8].try_into().expect("a record has seven words");
        u64::from_le_bytes(bytes)
    };
    let kind = peerlet_sim::EventKind::ALL.into_iter().find(|k| *k as u64 == word(2) & 0xff);
    let Some(kind) = kind else {
        let sums = word(0);
        return format!("was over; its drops, bytes and measures hash to {sums:016x}");
    };
    let call = match (word(5) >> 32, word(5) as u32) {
        (1, id) => Call::Question(id),
        (2, id) => Call::Answer(id),
        (3, id) => Call::NoAnswer(id),
        _ => Call::None,
    };
    Handled {
        time: peerlet_core::Time::from_nanos(word(0)),
        round: (word(1) >> 32) as u32,
        seat: peerlet_core::Seat(word(1) as u32),
        kind,
        source: (word(2) >> 8) as u32,
        seq: word(3),
        life: word(4) as u32,
        port: (word(4) >> 32).checked_sub(1).map(|port| Port(port as u16)),
        call,
        payload: word(6),
    }
    .to_string()
}
