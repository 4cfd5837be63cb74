//! Honest peers: one asks at a steady rate, the others answer. Each operation has a time at which
//! it was due, so that an asker that is held up counts what it was late.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use peerlet_core::{About, Address, Context, MILLISECOND, Metric, Peerlet, SECOND, Seat};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::honest::{Message, PEERLET};

/// Operations in a millisecond.
const OPERATIONS: u32 = 5;
/// The seat that asks.
pub const ASKER: Seat = Seat(2);

/// Operations a second.
pub const RATE: u32 = OPERATIONS * 1_000;

/// Answers that came, of whatever phase: the table has the same number.
pub const ANSWERS: Metric = Metric::counter("answers");

/// Operations of one phase.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct Phase {
    pub asked: u64,
    pub answered: u64,
    /// Microseconds from when an operation was due to its answer.
    pub p50: f64,
    pub p99: f64,
    /// How long it took to make them.
    pub seconds: f64,
}

impl Phase {
    /// The share of operations that were answered, in percent.
    pub fn success(&self) -> f64 {
        100.0 * self.answered as f64 / self.asked.max(1) as f64
    }
}

/// Counts operations.
#[derive(Default)]
pub struct Tally {
    counting: Mutex<Counting>,
    over: Notify,
    pub answers: AtomicU64,
    pub forged: AtomicU64,
}

#[derive(Default)]
struct Counting {
    phase: u64,
    /// Operations that are still to be made, and that were made and not answered yet.
    left: u64,
    pending: u64,
    asked: u64,
    latencies: Vec<Duration>,
    began: Option<Instant>,
    ended: Option<Instant>,
}

impl Tally {
    fn counting(&self) -> MutexGuard<'_, Counting> {
        self.counting.lock().expect("nobody panics while counting")
    }

    /// Counts the next operations.
    pub async fn phase(&self, operations: u64) -> Phase {
        {
            let mut counting = self.counting();
            let phase = counting.phase + 1;
            *counting =
                Counting { phase, left: operations, asked: operations, ..Counting::default() };
        }
        self.over.notified().await;
        let mut counting = self.counting();
        counting.latencies.sort_unstable();
        let (all, latencies) = (counting.asked, &counting.latencies);
        let percentile = |share: f64| {
            let index = (share * latencies.len() as f64) as usize;
            let latency = latencies.get(index.min(latencies.len().saturating_sub(1)));
            latency.map_or(f64::INFINITY, |it| it.as_secs_f64() * 1e6)
        };
        let lasted = counting.began.zip(counting.ended).map(|(began, ended)| ended - began);
        Phase {
            asked: all,
            answered: latencies.len() as u64,
            p50: percentile(0.5),
            p99: percentile(0.99),
            seconds: lasted.unwrap_or_default().as_secs_f64(),
        }
    }

    /// Notes that an operation was made; gives its phase, where it counts.
    fn made(&self) -> Option<u64> {
        let mut counting = self.counting();
        counting.left = counting.left.checked_sub(1)?;
        counting.pending += 1;
        counting.began.get_or_insert_with(Instant::now);
        counting.ended = Some(Instant::now());
        Some(counting.phase)
    }

    /// Notes that an operation is over.
    fn done(&self, phase: Option<u64>, latency: Option<Duration>) {
        let mut counting = self.counting();
        if phase != Some(counting.phase) {
            return;
        }
        counting.pending -= 1;
        counting.latencies.extend(latency);
        if counting.left == 0 && counting.pending == 0 {
            self.over.notify_one();
        }
    }
}

/// Asks seats 0 and 1, or answers.
pub struct Asking {
    tally: Arc<Tally>,
    /// Whether every other operation goes by reliable delivery.
    has_reliable: bool,
    since: Option<Instant>,
    made: u64,
}

impl Asking {
    pub fn new(tally: Arc<Tally>, has_reliable: bool) -> Asking {
        Asking { tally, has_reliable, since: None, made: 0 }
    }

    fn ask(&mut self, ctx: &mut Context<Self>, due: Instant) {
        let number = self.made;
        self.made += 1;
        let Some(to) = ctx.seats().address(Seat((number / 2 % 2) as u32)) else { return };
        let tally = self.tally.clone();
        let (phase, reliably) = (tally.made(), self.has_reliable && number % 2 == 1);
        ctx.spawn(move |task| async move {
            let call = task.call(to, Message::Ask).within(SECOND);
            let answer = if reliably { call.reliably().await } else { call.await };
            let latency = answer.is_ok().then(|| due.elapsed());
            tally.done(phase, latency);
            if latency.is_some() {
                task.with(|me, ctx| {
                    ctx.measure(ANSWERS, 1.0);
                    me.tally.answers.fetch_add(1, Ordering::Relaxed);
                })
                .await;
            }
        });
    }
}

impl Peerlet for Asking {
    const NAME: &'static str = PEERLET;
    type Message = Message;
    type Timer = ();

    fn describe(about: &mut About<Self>) {
        about.measures(&ANSWERS);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        if ctx.seat() == ASKER {
            ctx.every(MILLISECOND, ());
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let since = *self.since.get_or_insert_with(Instant::now);
        loop {
            let due = since + Duration::from_millis(self.made / u64::from(OPERATIONS));
            if due > Instant::now() {
                return;
            }
            for _ in 0..OPERATIONS {
                self.ask(ctx, due);
            }
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, message: Message) {
        match message {
            Message::Ask => ctx.reply(Message::Answer),
            Message::Answer => {}
            Message::Forged => drop(self.tally.forged.fetch_add(1, Ordering::Relaxed)),
        }
    }
}
