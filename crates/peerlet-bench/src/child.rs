//! One run in a process of its own, from both sides.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use peerlet_bench_yardstick as yardstick;

use crate::case::{Case, Engine, Plan};
use crate::sample::Sample;
use crate::{others, peerlets};

/// Why there is no sample.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Absence {
    /// It took longer than the limit.
    TooSlow,
    /// The engine is not run with as many peers, but up to this many.
    TooMany(u32),
    /// The program is not there.
    NotBuilt,
    /// It went wrong, as it says.
    Failed(String),
}

/// Makes one run in this process, and prints its sample.
pub fn be(case: &Case) -> ExitCode {
    match run(case) {
        Ok(sample) => {
            println!("{}", serde_json::json!(sample));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Makes one run.
///
/// # Errors
/// When the engine has no program for it, or says that it went wrong.
pub fn run(case: &Case) -> Result<Sample, String> {
    let Case { engine, workload, plan } = *case;
    match engine {
        Engine::Loop => Ok(yardstick::run(workload, yardstick::Driver::Windows, &plan).into()),
        Engine::Heap => Ok(yardstick::run(workload, yardstick::Driver::Heap, &plan).into()),
        Engine::Peerlet => peerlets::run(workload, peerlet_sim::Engine::Windowed, &plan),
        Engine::Reference => peerlets::run(workload, peerlet_sim::Engine::Reference, &plan),
        Engine::Simcore => others::simcore::run(workload, &plan),
        Engine::Nexosim => others::nexosim::run(workload, &plan),
        Engine::Turmoil => others::turmoil::run(workload, &plan),
        Engine::Madsim => Err("madsim runs in a program of its own".to_owned()),
    }
}

/// How long is waited between two looks at a run.
const LOOK: Duration = Duration::from_millis(5);

/// Makes one run in a new process.
///
/// # Errors
/// When there is nothing to show for it.
pub fn sample(case: &Case, madsim: Option<&Path>, limit: Duration) -> Result<Sample, Absence> {
    let failed = |error: std::io::Error| Absence::Failed(error.to_string());
    let mut command = match case.engine {
        Engine::Madsim => {
            let Plan { peers, seconds, seed, .. } = case.plan;
            let mut command = Command::new(madsim_program(madsim).ok_or(Absence::NotBuilt)?);
            command.args([peers.to_string(), seconds.to_string(), seed.to_string()]);
            command
        }
        _ => {
            let mut command = Command::new(std::env::current_exe().map_err(failed)?);
            command.args(["--one", &case.to_string()]);
            command
        }
    };
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().map_err(failed)?;
    if !ends(&mut child, limit).map_err(failed)? {
        child.kill().and_then(|()| child.wait()).map_err(failed)?;
        return Err(Absence::TooSlow);
    }
    // A run prints one line, which fits a pipe: nothing has to be read while it goes on.
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let line = told.lines().last().unwrap_or_default();
        return Err(Absence::Failed(format!("{line} ({})", output.status)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| Absence::Failed(error.to_string()))
}

/// Whether it ends in time.
fn ends(child: &mut Child, limit: Duration) -> std::io::Result<bool> {
    let began = Instant::now();
    while child.try_wait()?.is_none() {
        if began.elapsed() > limit {
            return Ok(false);
        }
        sleep(LOOK);
    }
    Ok(true)
}

/// The program that runs madsim: the given one, one beside this program, or where cargo makes it.
fn madsim_program(given: Option<&Path>) -> Option<PathBuf> {
    let name = "peerlet-bench-madsim";
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("others/madsim/target/release");
    let here = std::env::current_exe().ok()?;
    let places =
        [given.map(Path::to_owned), Some(here.with_file_name(name)), Some(made.join(name))];
    places.into_iter().flatten().find(|path| path.is_file())
}
