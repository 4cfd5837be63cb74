//! An honest process of a run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peerlet_core::{MILLISECOND, Peer};
use peerlet_live::{Join, LiveOutcome, LiveSetup, Sockets};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use crate::asking::{Asking, Tally};
use crate::attackers::{Attack, Standing};
use crate::child::answer;
use crate::honest::{NAME, SEATS_EACH};
use crate::runs::{LONG, Lines, starts};

/// An honest process, when it has ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ended {
    /// Answers that its own peers got.
    pub answers: u64,
    /// Messages that no peer sent.
    pub forged: u64,
    /// The table, at seat 0's process.
    pub table: Option<Table>,
    /// Statements that are false by themselves.
    pub problems: Vec<String>,
}

/// A few figures of a table.
#[derive(Debug, Serialize, Deserialize)]
pub struct Table {
    pub answers: i64,
    pub processes: u32,
}

/// Its memory, as the system counts it.
#[derive(Default)]
struct Memory {
    peak_kib: AtomicU64,
}

/// Resident memory of this process in KiB; zero where the system does not say.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

impl Memory {
    async fn watch(self: Arc<Memory>) {
        loop {
            self.peak_kib.fetch_max(resident_kib(), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The memory of now, from which a new peak is counted.
    fn mark(&self) -> u64 {
        let now = resident_kib();
        self.peak_kib.store(now, Ordering::Relaxed);
        now
    }

    fn peak(&self) -> u64 {
        self.peak_kib.fetch_max(resident_kib(), Ordering::Relaxed).max(resident_kib())
    }
}

/// Seats of the run: an attacker who takes part has two.
fn seats(attack: &Attack) -> u32 {
    SEATS_EACH * if attack.standing == Standing::Member { 3 } else { 2 }
}

/// How an honest process is set up that joins this one, or is seat 0's.
fn set_up(attack: &Attack, join: Option<SocketAddr>, tally: &Arc<Tally>) -> LiveSetup {
    let (number, tally) = (u32::from(join.is_some()), tally.clone());
    let mut setup = LiveSetup::new(NAME, seats(attack), LONG, |_| Peer::new());
    attack.world.set_up(number, &mut setup);
    let has_reliable = setup.sockets == Sockets::Quic;
    setup.build = Arc::new(move |_| Peer::new().with(Asking::new(tally.clone(), has_reliable)));
    let first = number * SEATS_EACH;
    setup.index = Some((first, first + SEATS_EACH - 1));
    setup.join = join.map(Join::at);
    setup.epoch = MILLISECOND * 500;
    setup
}

/// Takes part in the run and follows commands: `phase N` counts N operations, `mark` and `peak`
/// tell its memory, `stop` ends it.
pub async fn live(attack: &Attack, join: Option<SocketAddr>, mut told: UnboundedReceiver<String>) {
    let (tally, lines) = (Arc::<Tally>::default(), Lines::default());
    let mut setup = set_up(attack, join, &tally);
    setup.notice = lines.notice();
    let (stop, stopped) = watch::channel(false);
    let mut run = tokio::spawn(peerlet_live::run(setup, starts(0..seats(attack)), stopped));
    let said = lines.wait_for("reached as ").await;
    let at = said.rsplit_once('@').expect("an identity and an address").1;
    let port = at.parse::<SocketAddr>().expect("an address").port();
    answer(&SocketAddr::from(([127, 0, 0, 1], port)));
    let memory = Arc::<Memory>::default();
    tokio::spawn(memory.clone().watch());
    loop {
        let line = tokio::select! {
            line = told.recv() => line.unwrap_or_default(),
            ended = &mut run => {
                let ended = ended.expect("nothing panics").map(drop);
                panic!("an honest process has ended: {ended:?}");
            }
        };
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("phase", count) => answer(&tally.phase(count.parse().expect("a number")).await),
            ("mark", _) => answer(&memory.mark()),
            ("peak", _) => answer(&memory.peak()),
            _ => break,
        }
    }
    stop.send_replace(true);
    let outcome = run.await.expect("nothing panics").unwrap_or_else(|error| panic!("{error}"));
    answer(&ended(&tally, &lines, &outcome));
}

/// The process's end, with what it says that cannot be true.
fn ended(tally: &Tally, lines: &Lines, outcome: &LiveOutcome) -> Ended {
    let mut problems = Vec::new();
    let mut false_when = |is_false: bool, said: String| is_false.then(|| problems.push(said));
    let flows = [outcome.ledger.datagram, outcome.ledger.reliable];
    // Where it is said that a share is missing, what that process sent is missing as well.
    let is_whole = outcome.whole.is_some() && outcome.missing.is_empty();
    for flow in flows.iter().filter(|_| is_whole) {
        false_when(flow.delivered > flow.sent, format!("more arrived than was sent: {flow:?}"));
    }
    let whole = outcome.whole.as_ref();
    false_when(whole.is_some_and(|it| it.coverage > 1.0), format!("{whole:?}"));
    for text in ["198.51.100.66", "\u{1b}", "\u{202e}"] {
        false_when(lines.find(text).is_some(), format!("a notice has {text:?}"));
    }
    let answers = outcome.measures.total()[0].sum();
    let answers = i64::try_from(answers).unwrap_or(i64::MAX);
    let table = whole.map(|whole| Table { answers, processes: whole.processes });
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ended { answers: count(&tally.answers), forged: count(&tally.forged), table, problems }
}
