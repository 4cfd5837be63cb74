//! Random churn: laws of sessions and absences, ways to go, populations in time.

use peerlet_core::{Duration, MILLISECOND, Rng};

use super::sample::{between, one_of, share, time};

/// The `[churn]` of a scenario.
#[derive(Default)]
pub(super) struct GeneratedChurn {
    pub(super) lines: Vec<String>,
    /// The names of its features, for the count of occurrences.
    pub(super) has: Vec<String>,
}

/// Generates churn for a scenario of this many peers and this length.
pub(super) fn generate(rng: &mut Rng, peers: u32, end: Duration) -> GeneratedChurn {
    let mut churn = GeneratedChurn { lines: Vec::new(), has: vec!["churn".to_owned()] };
    // A few hundred starts and stops at most.
    let shortest = (end * u64::from(peers) / 300).max(MILLISECOND * 200);
    let longest = shortest.max(end * 2);
    for key in ["session", "absence"] {
        let length = time(rng, shortest, longest, MILLISECOND);
        let law = churn.law(rng, length);
        churn.lines.push(format!("{key} = {law}"));
    }
    if rng.chance(0.4) {
        churn.lines.push(format!("peers = \"{}\"", share(rng, peers)));
    }
    if rng.chance(0.6) {
        let initial = one_of(rng, &["all", "none", "stationary"]);
        churn.lines.push(format!("initial = \"{initial}\""));
    }
    if rng.chance(0.5) {
        let departure = one_of(rng, &["\"stop\"", "\"crash\"", "{ crash = 0.5 }"]);
        churn.add("departure", departure);
    }
    if rng.chance(0.4) {
        churn.add("state", one_of(rng, &["\"kept\"", "\"lost\""]));
    }
    if rng.chance(0.2) {
        let (period, peak) = (time(rng, end / 4, end, MILLISECOND), end / 3);
        let amplitude = one_of(rng, &[0.0, 0.5, 1.0]);
        let swing =
            format!("{{ period = \"{period}\", amplitude = {amplitude:?}, peak = \"{peak}\" }}");
        churn.add("swing", &swing);
    }
    if rng.chance(0.2) {
        let mut percent = || between(rng, 0, 100);
        let points = [Duration::ZERO, end / 3, end / 2].map(|at| (at, percent()));
        let points = points.map(|(at, percent)| format!("[\"{at}\", \"{percent}%\"]"));
        churn.add("population", &format!("[{}]", points.join(", ")));
    }
    churn
}

impl GeneratedChurn {
    fn add(&mut self, key: &str, value: &str) {
        self.lines.push(format!("{key} = {value}"));
        self.has.push(format!("churn {key}"));
    }

    /// A law of lengths around this one.
    fn law(&mut self, rng: &mut Rng, length: Duration) -> String {
        let name = one_of(rng, &["exponential", "weibull", "pareto", "lognormal"]);
        self.has.push(format!("churn {name}"));
        let shape = match name {
            "weibull" => "shape = 0.59, ",
            "pareto" => "shape = 1.8, ",
            "lognormal" => "sigma = 0.9, ",
            _ => "",
        };
        let key = one_of(rng, &["mean", "median"]);
        format!("{{ {name} = {{ {shape}{key} = \"{length}\" }} }}")
    }
}
