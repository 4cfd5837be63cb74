//! One run: two honest processes and an attacker, in three phases.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

use crate::asking::Phase;
use crate::attackers::meter::Counted;
use crate::attackers::{Attack, Victim};
use crate::child::{Process, Role};
use crate::honest_process::Ended;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub runs: u32,
    pub operations: u64,
    /// Whether this is a trial whose figures mean little.
    pub is_quick: bool,
}

/// A load without content.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Packets a second.
    pub rate: u32,
    /// Bytes of each.
    pub len: usize,
    /// The processor time that it takes to make them, of a second.
    pub busy: f64,
}

/// Figures of one run.
#[derive(Debug)]
pub struct Sample {
    pub alone: Phase,
    /// None, where it was not known yet how many packets an attack makes.
    pub loaded: Option<Phase>,
    pub attacked: Phase,
    /// The attacker's packets while operations were counted.
    pub counted: Counted,
    pub seconds: f64,
    /// The attacker's processor time meanwhile.
    pub attacker_busy: f64,
    /// The attacked process's processor time in a second, of the second and of the third phase.
    pub victim_busy: [f64; 2],
    /// Memory of the attacked process: its peak under attack above the time before, in KiB.
    pub grown_kib: u64,
    /// False statements in tables.
    pub problems: Vec<String>,
}

/// How long a phase settles before it counts.
const SETTLING: Duration = Duration::from_millis(200);

/// Processes of a run.
struct Running {
    first: Process,
    second: Process,
    victim: Victim,
    operations: u64,
}

impl Running {
    fn victim(&mut self) -> &mut Process {
        match self.victim {
            Victim::First => &mut self.first,
            Victim::Second => &mut self.second,
        }
    }

    /// Counts operations; also gives how busy the attacked process was.
    fn phase(&mut self) -> Result<(Phase, f64), String> {
        let (before, since) = (self.victim().busy(), Instant::now());
        let phase = self.second.ask(&format!("phase {}", self.operations))?;
        let busy = self.victim().busy() - before;
        Ok((phase, busy / since.elapsed().as_secs_f64()))
    }
}

/// Makes one run.
pub fn run(attack: &'static Attack, load: Option<Load>, operations: u64) -> Result<Sample, String> {
    let mut first = Process::start(&Role::First(attack))?;
    let at: SocketAddr = first.hear()?;
    // An attacker who takes part has its seats before the run begins.
    let mut attacker = Process::start(&Role::Attacker(attack, at))?;
    let _: String = attacker.hear()?;
    let mut second = Process::start(&Role::Second(attack, at))?;
    let second_at: SocketAddr = second.hear()?;
    // Until the run has begun.
    let _: Phase = second.ask("phase 500")?;
    let mut running = Running { first, second, victim: attack.victim, operations };
    sleep(SETTLING);
    let (alone, busy) = running.phase()?;
    let (mut loaded, mut victim_busy) = (None, [busy; 2]);
    if let Some(load) = load {
        let load = Process::start(&Role::Load(load))?;
        sleep(SETTLING);
        let (phase, busy) = running.phase()?;
        (loaded, victim_busy[0]) = (Some(phase), busy);
        drop(load);
    }
    let before: u64 = running.victim().ask("mark")?;
    attacker.say(&format!("begin {second_at}"))?;
    sleep(SETTLING);
    let began: Counted = attacker.ask("counts")?;
    let (since, attacker_before) = (Instant::now(), attacker.busy());
    let (attacked, busy) = running.phase()?;
    victim_busy[1] = busy;
    let seconds = since.elapsed().as_secs_f64();
    let counted = attacker.ask::<Counted>("counts")? - began;
    let attacker_busy = attacker.busy() - attacker_before;
    let peak: u64 = running.victim().ask("peak")?;
    drop(attacker);
    // All at once, as nobody waits for the last words of others then.
    let Running { mut first, mut second, .. } = running;
    second.say("stop")?;
    first.say("stop")?;
    let problems = compare(second.hear()?, first.hear()?);
    let grown_kib = peak.saturating_sub(before);
    Ok(Sample {
        alone,
        loaded,
        attacked,
        counted,
        seconds,
        attacker_busy,
        victim_busy,
        grown_kib,
        problems,
    })
}

/// Statements of the table that differ from what the processes know.
fn compare(second: Ended, first: Ended) -> Vec<String> {
    let mut problems = [first.problems, second.problems].concat();
    let answers = (first.answers + second.answers) as i64;
    match first.table {
        Some(table) if table.answers != answers => {
            problems.push(format!("the table has {} answers of {answers}", table.answers));
        }
        Some(table) if table.processes != 2 => {
            problems.push(format!("the table has {} processes of 2", table.processes));
        }
        Some(_) => {}
        None => problems.push("there is no table".to_owned()),
    }
    let forged = first.forged + second.forged;
    if forged > 0 {
        problems.push(format!("peers got {forged} messages that nobody sent"));
    }
    problems
}
