//! All runs of one attack: medians, and whether the promises were held.

use crate::asking::Phase;
use crate::attackers::Attack;
use crate::measure::{self, Load, Plan, Sample};

/// The most that an attack may lower the share of answered operations, in percentage points.
pub const SUCCESS_LOST_MAX: f64 = 1.0;
/// The most that it may raise the 99th percentile of their latencies, beside the load.
pub const P99_RATIO_MAX: f64 = 2.0;
/// The most bytes that may be answered for each that is asked.
pub const ANSWERED_MAX: f64 = 3.0;
/// Operations of the short run that tells the load.
const TRIAL: u64 = 2_500;

/// A row of the table.
pub struct Row {
    pub attack: &'static Attack,
    samples: Vec<Sample>,
    problems: Vec<String>,
    pub load: Load,
}

/// The median; the middle of the two in the middle where their number is even.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    match values[..] {
        [] => f64::NAN,
        _ => (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0,
    }
}

impl Row {
    pub fn measure(attack: &'static Attack, plan: &Plan) -> Row {
        let mut row = Row {
            attack,
            samples: Vec::new(),
            problems: Vec::new(),
            load: Load { rate: 1, len: 1, busy: 0.0 },
        };
        match measure::run(attack, None, TRIAL.min(plan.operations)) {
            Ok(trial) => row.load = trial.load(),
            Err(problem) => row.problems.push(problem),
        }
        for _ in 0..plan.runs {
            match measure::run(attack, Some(row.load), plan.operations) {
                Ok(mut sample) => {
                    row.problems.append(&mut sample.problems);
                    row.samples.push(sample);
                }
                Err(problem) => row.problems.push(problem),
            }
        }
        row
    }

    fn median(&self, of: impl FnMut(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(of))
    }

    pub fn alone(&self, of: impl Fn(&Phase) -> f64) -> f64 {
        self.median(|sample| of(&sample.alone))
    }

    pub fn loaded(&self, of: impl Fn(&Phase) -> f64) -> f64 {
        self.median(|sample| of(sample.beside()))
    }

    pub fn attacked(&self, of: impl Fn(&Phase) -> f64) -> f64 {
        self.median(|sample| of(&sample.attacked))
    }

    /// Percentage points of success that were lost, beside the load.
    pub fn success_lost(&self) -> f64 {
        self.median(|sample| sample.beside().success() - sample.attacked.success())
    }

    /// How many times longer the 99th percentile was than beside the load.
    pub fn p99_ratio(&self) -> f64 {
        self.median(|sample| sample.attacked.p99 / sample.beside().p99)
    }

    /// Memory grown in MiB, at most.
    pub fn grown(&self) -> f64 {
        let most = self.samples.iter().map(|sample| sample.grown_kib).max();
        most.unwrap_or(0) as f64 / 1024.0
    }

    /// Bytes answered for each that was asked, at most.
    pub fn answered(&self) -> f64 {
        let ratio = |it: &Sample| it.counted.answered as f64 / it.counted.asked.max(1) as f64;
        self.samples.iter().map(ratio).fold(0.0, f64::max)
    }

    /// Percent of a core that the attacked process took: beside the load, attacked.
    pub fn busy(&self) -> [f64; 2] {
        [0, 1].map(|phase| 100.0 * self.median(|sample| sample.victim_busy[phase]))
    }

    /// Packets of one run.
    pub fn packets(&self) -> f64 {
        self.median(|sample| sample.counted.packets as f64)
    }

    /// Actions of the program a second: frames, of which several fit a packet, or handshakes.
    pub fn actions(&self) -> f64 {
        self.median(|sample| sample.counted.ticks as f64 / sample.seconds)
    }

    /// Packets a second.
    pub fn rate(&self) -> f64 {
        self.median(|sample| sample.counted.packets as f64 / sample.seconds)
    }

    /// Whether all was held; otherwise, in a few words, what not.
    pub fn verdict(&self) -> Result<(), String> {
        let mut broken = self.problems.clone();
        let mut check = |value: f64, most: f64, words: String| {
            // NaN: nothing was measured.
            if value.is_nan() || value > most {
                broken.push(words);
            }
        };
        let (lost, ratio) = (self.success_lost(), self.p99_ratio());
        check(lost, SUCCESS_LOST_MAX, format!("success lost {lost:.1} points"));
        check(ratio, P99_RATIO_MAX, format!("p99 is {ratio:.1} times as long"));
        check(self.grown(), self.attack.memory_max() as f64, format!("{:.0} MiB", self.grown()));
        let answered = self.answered();
        check(answered, ANSWERED_MAX, format!("answered {answered:.1} times"));
        if self.packets() < 1.0 {
            broken.push("nothing was sent".to_owned());
        }
        broken.dedup();
        if broken.is_empty() { Ok(()) } else { Err(broken.join("; ")) }
    }

    /// The row for whoever waits for it.
    pub fn in_short(&self) -> String {
        let busy = self.busy();
        format!(
            "{:6.0} packets/s, success {:.2} %, p99 {:.0}, {:.0}, {:.0} us, {:.1} MiB, {:.2} back, \
             busy {busy:.0?} %",
            self.rate(),
            self.attacked(Phase::success),
            self.alone(|it| it.p99),
            self.loaded(|it| it.p99),
            self.attacked(|it| it.p99),
            self.grown(),
            self.answered(),
        )
    }
}

impl Sample {
    /// The phase that the attack is compared with.
    fn beside(&self) -> &Phase {
        self.loaded.as_ref().unwrap_or(&self.alone)
    }

    /// The same packets, without content.
    fn load(&self) -> Load {
        let rate = (self.counted.packets as f64 / self.seconds).round() as u32;
        let len = self.counted.asked / self.counted.packets.max(1);
        let busy = self.attacker_busy / self.seconds;
        Load { rate: rate.max(1), len: len.max(1) as usize, busy }
    }
}
