//! Peers that send each other numbered heartbeats, and the effect of a fault on those.

use peerlet::measure::{Ledger, Row, Summary};
use peerlet::prelude::*;

/// How many peers there are.
pub const PEERS: u32 = 6;
/// How often each sends a beat to each of the two peers behind it.
const PERIOD: Duration = Duration::from_millis(40);
/// Which beats count: those sent from 1 s on, when faults begin, and long enough before the end.
const COUNTED: std::ops::Range<Time> =
    Time::from_nanos(1_000_000_000)..Time::from_nanos(2_500_000_000);

/// The scenario that a fault's lines are added to. Delays are so long that the real ones beside
/// them do not matter.
pub const SCENARIO: &str = r#"
title = "beats"
seed = 11
peers = 6
for = "3s"
join = "10ms"
[network]
model = "uniform"
min = "20ms"
max = "30ms"
[measure]
epoch = "1s"
[events]
lines = """
"#;

/// Sends beats and takes note of those that come.
#[derive(Default)]
pub struct Beats {
    sent: u64,
    /// By sender: the beats that came, and the last of them.
    seen: Map<u32, (Set<u64>, u64)>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Beat {
    from: u32,
    number: u64,
    at: u64,
    /// What the numbers add up to: bits that were flipped show.
    sum: u64,
    /// Zeros, so that what sockets put around a beat does not weigh much.
    rest: Vec<u8>,
}

const SENT: Metric = Metric::counter("sent").help("beats that were sent");
const SENT_FIRST: Metric = Metric::counter("sent_first").help("those that seat 0 sent");
const CAME: Metric = Metric::counter("came").help("beats that came, whole and for the first time");
const CAME_FIRST: Metric = Metric::counter("came_first").help("those that seat 0 had sent");
const TO_FIRST: Metric = Metric::counter("to_first").help("those that came to seat 0");
const SENT_TO_FIRST: Metric = Metric::counter("sent_to_first").help("those sent to seat 0");
const AGAIN: Metric = Metric::counter("again").help("beats that came once more");
const BEHIND: Metric = Metric::counter("behind").help("beats that came behind a later one");
const WRONG: Metric = Metric::counter("wrong").help("beats with flipped bits");
const DELAY: Metric = Metric::histogram("delay").unit("s").help("how long beats took");
const DELAY_FIRST: Metric = Metric::histogram("delay_first").unit("s").help("seat 0's");

impl Peerlet for Beats {
    const NAME: &'static str = "beats";
    type Message = Beat;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.help("sends beats and takes note of those that come");
        let counters =
            [&SENT, &SENT_FIRST, &CAME, &CAME_FIRST, &TO_FIRST, &SENT_TO_FIRST, &AGAIN, &BEHIND];
        for metric in counters.into_iter().chain([&WRONG, &DELAY, &DELAY_FIRST]) {
            about.measures(metric);
        }
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.after(PERIOD, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        ctx.after(PERIOD, ());
        let from = ctx.seat().0;
        let (number, at) = (self.sent, ctx.now().as_nanos());
        self.sent += 1;
        let beat = Beat { from, number, at, sum: sum(from, number, at), rest: vec![0; 200] };
        for step in [1, 2] {
            let to = (from + step) % PEERS;
            let Some(address) = ctx.seats().address(Seat(to)) else { continue };
            if COUNTED.contains(&ctx.now()) {
                ctx.measure(SENT, 1.0);
                ctx.measure(SENT_FIRST, f64::from(u8::from(from == 0)));
                ctx.measure(SENT_TO_FIRST, f64::from(u8::from(to == 0)));
            }
            ctx.send(address, beat.clone());
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, beat: Beat) {
        let is_whole = beat.sum == sum(beat.from, beat.number, beat.at);
        if !is_whole || beat.rest.iter().any(|byte| *byte != 0) {
            return ctx.measure(WRONG, 1.0);
        }
        let at = Time::from_nanos(beat.at);
        if !COUNTED.contains(&at) {
            return;
        }
        let (numbers, last) = self.seen.entry(beat.from).or_default();
        if !numbers.insert(beat.number) {
            return ctx.measure(AGAIN, 1.0);
        }
        let is_behind = beat.number < *last;
        *last = beat.number.max(*last);
        let (is_first, delay) = (beat.from == 0, ctx.now().since(at).as_secs_f64());
        ctx.measure(BEHIND, f64::from(u8::from(is_behind)));
        ctx.measure(CAME, 1.0);
        ctx.measure(CAME_FIRST, f64::from(u8::from(is_first)));
        ctx.measure(TO_FIRST, f64::from(u8::from(ctx.seat().0 == 0)));
        ctx.measure(DELAY, delay);
        if is_first {
            ctx.measure(DELAY_FIRST, delay);
        }
    }
}

fn sum(from: u32, number: u64, at: u64) -> u64 {
    u64::from(from).wrapping_mul(31)
        ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ at.rotate_left(17)
}

/// What came of the beats of one run.
pub struct Seen {
    pub ledger: Ledger,
    pub summary: Summary,
}

impl Seen {
    fn row(&self, name: &str) -> &Row {
        &self.summary.rows[&format!("beats/{name}")]
    }

    fn sum(&self, name: &str) -> f64 {
        self.row(name).sum
    }

    /// Which share of the beats came.
    pub fn came(&self) -> f64 {
        self.sum("came") / self.sum("sent")
    }

    /// Which share of those to seat 0.
    pub fn to_first(&self) -> f64 {
        self.sum("to_first") / self.sum("sent_to_first")
    }

    /// Which share of seat 0's.
    pub fn came_first(&self) -> f64 {
        self.sum("came_first") / self.sum("sent_first")
    }

    /// How many beats seat 0 sent, as a share of those that it sends undisturbed.
    pub fn sent_first(&self) -> f64 {
        let all = 2.0 * (COUNTED.end - COUNTED.start).as_secs_f64() / PERIOD.as_secs_f64();
        self.sum("sent_first") / all
    }

    /// How many beats all peers sent, likewise.
    pub fn sent(&self) -> f64 {
        let all = 2.0 * (COUNTED.end - COUNTED.start).as_secs_f64() / PERIOD.as_secs_f64();
        self.sum("sent") / all / f64::from(PEERS)
    }

    pub fn again(&self) -> f64 {
        self.sum("again") / self.sum("sent")
    }

    pub fn behind(&self) -> f64 {
        self.sum("behind") / self.sum("came")
    }

    /// The mean delay in milliseconds.
    pub fn delay(&self) -> f64 {
        self.row("delay").mean.unwrap_or(f64::NAN) * 1e3
    }

    /// That of seat 0's beats.
    pub fn delay_first(&self) -> f64 {
        self.row("delay_first").mean.unwrap_or(f64::NAN) * 1e3
    }
}
