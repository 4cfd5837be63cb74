//! Random `[network]` tables: every model that needs no file, with every layer or without.

use peerlet_core::{Duration, MILLISECOND, NANOSECOND, Rng, SECOND};
use peerlet_network::{MODELS, ModelEntry};

use super::sample::{between, one_of, probability, time};

/// A `[network]` table.
pub(super) struct GeneratedNetwork {
    /// The lines below the table's head.
    pub(super) lines: Vec<String>,
    /// The names of its features, for the count of occurrences.
    pub(super) has: Vec<String>,
    /// Whether the smallest delay is so small that nearly every event has a window of its own.
    pub(super) is_fine: bool,
}

/// Generates the value of a layer's key, for this many peers.
type GenerateLayer = fn(&mut Rng, u32) -> String;

/// Generates a network.
pub(super) fn generate(rng: &mut Rng, peers: u32) -> GeneratedNetwork {
    let without_file = |model: &&ModelEntry| model.parameters.iter().all(|p| p.default.is_some());
    let models: Vec<_> = MODELS.iter().filter(without_file).map(|model| model.name).collect();
    let model = one_of(rng, &models);
    let mut lines = vec![format!("model = \"{model}\"")];
    let mut has = vec![format!("model {model}")];
    let is_fine = parameters(rng, model, &mut lines);
    let layers: [(&str, GenerateLayer); 6] = [
        ("jitter", jitter),
        ("reorder", reorder),
        ("duplicate", |rng, _| probability(rng).to_string()),
        ("corrupt", corrupt),
        ("loss", loss),
        ("access", access),
    ];
    for (name, layer) in layers {
        if rng.chance(0.3) {
            lines.push(format!("{name} = {}", layer(rng, peers)));
            has.push(format!("layer {name}"));
        }
    }
    GeneratedNetwork { lines, has, is_fine }
}

/// Adds random parameters of a model, or none; true if its smallest delay is very small.
fn parameters(rng: &mut Rng, model: &str, lines: &mut Vec<String>) -> bool {
    let ms =
        |rng: &mut Rng, low, high| time(rng, MILLISECOND * low, MILLISECOND * high, MILLISECOND);
    let mut set = |key: &str, value: Duration| lines.push(format!("{key} = \"{value}\""));
    let tiny = [Duration::ZERO, NANOSECOND, Duration::from_micros(50)];
    let mut smallest = MILLISECOND;
    match model {
        "constant" => {
            smallest = if rng.chance(0.3) { one_of(rng, &tiny) } else { ms(rng, 1, 300) };
            set("delay", smallest);
        }
        "uniform" => {
            smallest = if rng.chance(0.3) { one_of(rng, &tiny) } else { ms(rng, 1, 100) };
            let spread = one_of(rng, &[NANOSECOND, MILLISECOND, MILLISECOND * 150]);
            set("min", smallest);
            set("max", smallest + spread);
        }
        "lan" => {
            smallest = if rng.chance(0.1) { one_of(rng, &tiny) } else { ms(rng, 1, 20) };
            set("within", smallest);
            set("between", smallest + ms(rng, 0, 50));
            lines.push(format!("size = {}", between(rng, 1, 30)));
        }
        "pareto" => {
            smallest = ms(rng, 1, 60);
            set("min", smallest);
            let shape = between(rng, 12, 30) as f64 / 10.0;
            lines.push(format!("shape = {shape:?}"));
        }
        _ if rng.chance(0.3) => {}
        _ => {
            smallest = if rng.chance(0.1) { one_of(rng, &tiny) } else { ms(rng, 1, 40) };
            set("floor", smallest);
            match model {
                "normal" => {
                    set("mean", ms(rng, 10, 200));
                    set("sd", ms(rng, 1, 60));
                }
                "lognormal" => {
                    set("median", ms(rng, 10, 200));
                    let sigma = between(rng, 0, 15) as f64 / 10.0;
                    lines.push(format!("sigma = {sigma:?}"));
                }
                "regions" => lines.extend(regions(rng)),
                _ => {}
            }
        }
    }
    if ["uniform", "normal", "lognormal", "pareto"].contains(&model) && rng.chance(0.3) {
        lines.push("per = \"pair\"".to_owned());
    }
    smallest < MILLISECOND
}

/// The stock regions by shares or in turn, or two of one's own.
fn regions(rng: &mut Rng) -> Vec<String> {
    let kind = rng.below(3);
    let mut shares = |count| -> Vec<u64> { (0..count).map(|_| 1 + rng.below(9)).collect() };
    match kind {
        0 => vec![format!("shares = {:?}", shares(6))],
        1 => vec!["assign = \"round-robin\"".to_owned()],
        _ => vec![
            format!("shares = {:?}", shares(2)),
            "delays = [[\"2ms\", \"60ms\"], [\"45ms\", \"5ms\"]]".to_owned(),
        ],
    }
}

fn jitter(rng: &mut Rng, _: u32) -> String {
    let [long, short] = [
        time(rng, MILLISECOND, MILLISECOND * 200, MILLISECOND),
        time(rng, MILLISECOND, MILLISECOND * 20, MILLISECOND),
    ];
    match rng.below(6) {
        0 => {
            let per = one_of(rng, &["message", "pair"]);
            format!("{{ exponential = {{ mean = \"{short}\" }}, per = \"{per}\" }}")
        }
        1 => format!("{{ normal = {{ mean = \"{short}\", sd = \"{short}\" }} }}"),
        2 => format!("{{ lognormal = {{ median = \"{short}\", sigma = 0.8 }} }}"),
        3 => format!("{{ pareto = {{ min = \"{short}\", shape = 2.5 }} }}"),
        4 => format!("{{ uniform = {{ min = \"{short}\", max = \"{}\" }} }}", short + long),
        _ => format!("\"{long}\""),
    }
}

fn reorder(rng: &mut Rng, _: u32) -> String {
    let by = time(rng, MILLISECOND, MILLISECOND * 500, MILLISECOND);
    format!("{{ probability = {}, by = \"{by}\" }}", probability(rng))
}

fn corrupt(rng: &mut Rng, _: u32) -> String {
    let bits = one_of(rng, &[1, 2, 9]);
    // If all packets are damaged, no connection ever opens, and the run shows nothing.
    format!("{{ probability = {}, bits = {bits} }}", probability(rng).min(0.3))
}

fn loss(rng: &mut Rng, peers: u32) -> String {
    let gilbert = |rng: &mut Rng| {
        let mean = one_of(rng, &[0.005, 0.05, 0.2]);
        format!("{{ gilbert = {{ mean = {mean}, burst = {} }} }}", between(rng, 1, 8))
    };
    match rng.below(4) {
        0 => gilbert(rng),
        1 => {
            let [from, to] = [rng.below(peers.into()), rng.below(peers.into())];
            let (up, down, link) = (gilbert(rng), probability(rng).min(0.3), probability(rng));
            let links = format!("[{{ from = {from}, to = {to}, loss = {link} }}]");
            format!("{{ up = {up}, down = {down}, links = {links} }}")
        }
        2 => format!("{{ down = {} }}", gilbert(rng)),
        _ => probability(rng).min(0.5).to_string(),
    }
}

fn access(rng: &mut Rng, _: u32) -> String {
    let rate = |rng: &mut Rng| one_of(rng, &["64 kbit/s", "1 Mbit/s", "20 Mbit/s", "1 MB/s"]);
    let queue = one_of(rng, &["2 KiB", "64 KiB"]);
    match rng.below(5) {
        0 => "{ classes = \"world-2020\" }".to_owned(),
        1 => "{ classes = \"p2p-2006\" }".to_owned(),
        2 => {
            let (up, down) = (rate(rng), rate(rng));
            let slow = format!("{{ share = 1, up = \"{up}\", down = \"{down}\" }}");
            format!("{{ classes = [{slow}, {{ share = 2 }}] }}")
        }
        3 => format!("{{ down = \"{}\", queue = \"{queue}\" }}", rate(rng)),
        _ => {
            let (up, down, overhead) = (rate(rng), rate(rng), between(rng, 0, 100));
            format!(
                "{{ up = \"{up}\", down = \"{down}\", queue = \"{queue}\", overhead = {overhead} }}"
            )
        }
    }
}

/// An instant within a run, often one shared with other events.
pub(super) fn instant(rng: &mut Rng, end: Duration) -> Duration {
    let step = one_of(rng, &[MILLISECOND, MILLISECOND * 100, SECOND / 2, NANOSECOND]);
    step * rng.below(end.as_nanos().div_ceil(step.as_nanos()))
}
