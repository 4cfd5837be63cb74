//! A process of a run, from both sides: it reads commands from its standard input, a line each, and
//! answers with lines of JSON.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::attackers::Attack;
use crate::attackers::list::ATTACKS;
use crate::measure::Load;
use crate::runs::runtime;
use crate::{attacker, honest_process};

/// No process of a run lives longer, even where the others are gone.
const LIFE_MAX: Duration = Duration::from_secs(180);

/// A process's part in a run.
#[derive(Clone, Debug)]
pub enum Role {
    /// Seat 0's process, attacked by this.
    First(&'static Attack),
    /// The other honest one.
    Second(&'static Attack, SocketAddr),
    /// The attacker.
    Attacker(&'static Attack, SocketAddr),
    /// Sends packets without content.
    Load(Load),
}

impl Role {
    fn to_text(&self) -> String {
        match self {
            Role::First(attack) => format!("first {}", attack.name),
            Role::Second(attack, join) => format!("second {} {join}", attack.name),
            Role::Attacker(attack, first) => format!("attacker {} {first}", attack.name),
            Role::Load(Load { rate, len, busy }) => format!("load {rate} {len} {busy}"),
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        let words: Vec<_> = text.split(' ').collect();
        let wrong = || format!("no role is `{text}`");
        let attack = |name: &str| ATTACKS.iter().find(|it| it.name == name).ok_or_else(wrong);
        let address = |text: &str| text.parse().map_err(|_| wrong());
        match words[..] {
            ["first", name] => Ok(Role::First(attack(name)?)),
            ["second", name, join] => Ok(Role::Second(attack(name)?, address(join)?)),
            ["attacker", name, first] => Ok(Role::Attacker(attack(name)?, address(first)?)),
            ["load", rate, len, busy] => Ok(Role::Load(Load {
                rate: rate.parse().map_err(|_| wrong())?,
                len: len.parse().map_err(|_| wrong())?,
                busy: busy.parse().map_err(|_| wrong())?,
            })),
            _ => Err(wrong()),
        }
    }
}

/// Lives as that process.
pub fn be(role: &Role) {
    let (tell, told) = mpsc::unbounded_channel();
    let runtime = runtime();
    runtime.spawn_blocking(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        lines.take_while(|line| tell.send(line.clone()).is_ok()).for_each(drop);
    });
    let life = async {
        match role {
            Role::First(attack) => honest_process::live(attack, None, told).await,
            Role::Second(attack, join) => honest_process::live(attack, Some(*join), told).await,
            Role::Attacker(attack, first) => attacker::attack(attack, *first, told).await,
            Role::Load(load) => attacker::load(*load, told).await,
        }
    };
    let lived = runtime.block_on(async { tokio::time::timeout(LIFE_MAX, life).await });
    // The thread that reads standard input waits for a line that never comes.
    std::process::exit(i32::from(lived.is_err()));
}

/// Answers with a line.
pub fn answer(value: &impl Serialize) {
    let line = serde_json::to_string(value).expect("it is plain");
    println!("{line}");
}

/// Another process, seen by whoever started it.
pub struct Process {
    name: String,
    child: Child,
    say: ChildStdin,
    hear: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a process.
    pub fn start(role: &Role) -> Result<Process, String> {
        let name = role.to_text();
        let failed = |error: std::io::Error| format!("{name}: {error}");
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.args(["--role", &name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (say, hear) = (child.stdin.take(), child.stdout.take());
        let say = say.expect("it was asked for");
        let hear = BufReader::new(hear.expect("it was asked for"));
        Ok(Process { name, child, say, hear })
    }

    /// The processor time that it has taken, in seconds; zero where the system does not say.
    pub fn busy(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        // Behind the name, which may have spaces: user and system time in hundredths of a second.
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        let ticks = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
        ticks.sum::<f64>() / 100.0
    }

    /// Tells it something.
    pub fn say(&mut self, words: &str) -> Result<(), String> {
        writeln!(self.say, "{words}").map_err(|error| format!("{}: {words}: {error}", self.name))
    }

    /// Waits for its next line.
    pub fn hear<T: DeserializeOwned>(&mut self) -> Result<T, String> {
        let mut line = String::new();
        let heard = self.hear.read_line(&mut line);
        heard.map_err(|error| format!("{}: {error}", self.name))?;
        serde_json::from_str(&line).map_err(|_| format!("{} said `{}`", self.name, line.trim()))
    }

    /// Tells it something, and waits for the answer.
    pub fn ask<T: DeserializeOwned>(&mut self, words: &str) -> Result<T, String> {
        self.say(words)?;
        self.hear()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
