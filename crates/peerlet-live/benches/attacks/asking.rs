//! Honest peers: one asks at a steady rate, the others answer. Each operation has a time at which
//! it was due, so that an asker that is held up counts what it was late.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use peerlet_core::{Address, Context, Description, MILLISECOND, Metric, Peerlet, SECOND, Seat};
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

/// Answers that came, in every phase: the table has the same number.
pub const ANSWERS: Metric = Metric::counter("answers");

/// Operations of one phase.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct Phase {
    pub asked: u64,
    pub answered: u64,
    /// The 99th percentile of the time from when an operation was due to its answer or failure, in
    /// microseconds.
    pub p99: f64,
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
    answered: u64,
    latencies: Vec<Duration>,
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
            *counting = Counting { phase, left: operations, ..Counting::default() };
        }
        self.over.notified().await;
        let mut counting = self.counting();
        counting.latencies.sort_unstable();
        let latencies = &counting.latencies;
        let p99 = latencies.get(latencies.len() * 99 / 100).map_or(0.0, Duration::as_secs_f64);
        Phase { asked: operations, answered: counting.answered, p99: p99 * 1e6 }
    }

    /// Notes that an operation was made; gives its phase, where it counts.
    fn made(&self) -> Option<u64> {
        let mut counting = self.counting();
        counting.left = counting.left.checked_sub(1)?;
        counting.pending += 1;
        Some(counting.phase)
    }

    /// Notes that an operation is over. One that failed took its time as well.
    fn done(&self, phase: Option<u64>, took: Duration, is_answered: bool) {
        let mut counting = self.counting();
        if phase != Some(counting.phase) {
            return;
        }
        counting.pending -= 1;
        counting.answered += u64::from(is_answered);
        counting.latencies.push(took);
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
            tally.done(phase, due.elapsed(), answer.is_ok());
            if answer.is_ok() {
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

    fn describe(about: &mut Description<Self>) {
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
