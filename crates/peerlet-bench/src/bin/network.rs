//! The program `network`: what each network model costs, in nanoseconds a message and bytes a peer.
//!
//! Each case is a process of its own. Packets between random peers depart in batches of 64, as the
//! simulator hands them over; where a model has an arriving side, each then arrives.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{MILLISECOND, SECOND, Seat, Seed, Time};
use peerlet_network::{
    Change, ConstantConfig, Departure, Fault, Faults, GeneratedConfig, KING_LIKE, Layers,
    LayersConfig, LognormalConfig, Model, NormalConfig, Packet, ParetoConfig, RegionsConfig,
    SeatStates, Site, UniformConfig, Ways,
};

const PEERS: u32 = 1_000_000;
const BATCH: usize = 64;
const LOTS: usize = 100_000;

/// The cases, and the layers of each as a scenario has them.
const CASES: [(&str, &str); 17] = [
    ("constant", "{}"),
    ("uniform", "{}"),
    ("normal", "{}"),
    ("lognormal", "{}"),
    ("pareto", "{}"),
    ("regions", "{}"),
    ("king-like", "{}"),
    ("jitter", r#"{ "jitter": { "exponential": { "mean": "2ms" } } }"#),
    ("reorder", r#"{ "reorder": { "probability": 0.01 } }"#),
    ("duplicate", r#"{ "duplicate": 0.01 }"#),
    ("corrupt", r#"{ "corrupt": { "probability": 0.01 } }"#),
    ("loss", r#"{ "loss": 0.01 }"#),
    ("loss in bursts", r#"{ "loss": { "gilbert": { "mean": 0.005, "burst": 3 } } }"#),
    ("access up", r#"{ "access": { "up": "20 Mbit/s" } }"#),
    ("access up and down", r#"{ "access": { "up": "20 Mbit/s", "down": "50 Mbit/s" } }"#),
    ("ten cuts", "{}"),
    ("loss of a tenth", "{}"),
];

fn base(name: &str, seed: Seed) -> Box<dyn Model> {
    let site = Site::new(seed, PEERS, Path::new("."));
    let built = match name {
        "uniform" => UniformConfig::default().build(&site),
        "normal" => NormalConfig::default().build(&site),
        "lognormal" => LognormalConfig::default().build(&site),
        "pareto" => ParetoConfig::default().build(&site),
        "regions" => RegionsConfig::default().build(&site),
        "king-like" => GeneratedConfig::default().build(&KING_LIKE, &site),
        _ => ConstantConfig::default().build(&site),
    };
    built.expect("defaults can be built")
}

fn faults(name: &str) -> Vec<Fault> {
    let seats = |from, to| SeatSet::from_ranges([from..=to]);
    match name {
        "ten cuts" => (0..10)
            .map(|i| {
                let change = Change::Cut { from: None, ways: Ways::Both, in_flight: false };
                let at = Time::ZERO + MILLISECOND * i;
                Fault { at, seats: seats(50_000 * i as u32, 50_000 * i as u32 + 1_000), change }
            })
            .collect(),
        "loss of a tenth" => {
            let tenth = (0..PEERS).filter(|seat| seat % 10 == 3).map(Seat).collect();
            let change = Change::read("loss", None, &[peerlet_core::Value::Float(0.1)]);
            let change = change.expect("it is a loss");
            vec![Fault { at: Time::ZERO, seats: tenth, change }]
        }
        _ => Vec::new(),
    }
}

fn layers(json: &str) -> LayersConfig {
    let table: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json).expect("the cases are JSON");
    let mut layers = LayersConfig::default();
    for (name, value) in table {
        let read = "the cases are networks";
        match name.as_str() {
            "jitter" => layers.jitter = Some(serde_json::from_value(value).expect(read)),
            "reorder" => layers.reorder = Some(serde_json::from_value(value).expect(read)),
            "duplicate" => layers.duplicate = Some(serde_json::from_value(value).expect(read)),
            "corrupt" => layers.corrupt = Some(serde_json::from_value(value).expect(read)),
            "loss" => layers.loss = Some(serde_json::from_value(value).expect(read)),
            _ => layers.access = Some(serde_json::from_value(value).expect(read)),
        }
    }
    layers
}

/// How many bytes of memory this process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0u64) * 1_024
}

/// Measures one case: nanoseconds a message, bytes a peer.
fn measure(name: &str, json: &str) -> (f64, f64) {
    let seed = Seed::new(7);
    let packets: Vec<Packet> = (0..(BATCH * LOTS) as u64)
        .map(|i| {
            let mut rng = seed.at(i).rng();
            let [from, to] = [0; 2].map(|_: u32| Seat(rng.below(PEERS.into()) as u32));
            let at = Time::from_nanos(i * (SECOND.as_nanos() * 2 / (BATCH * LOTS) as u64));
            Packet { from, to, at, size: 40, random: seed.at(u64::from(from.0)).at(i) }
        })
        .collect();
    let before = resident();
    let model = layers(json).wrap(base(name, seed), seed, PEERS).expect("the cases are networks");
    let faults = faults(name);
    let model: Box<dyn Model> = match faults.is_empty() {
        true => model,
        false => Box::new(Layers::around(model, vec![Box::new(Faults::new(&faults, PEERS))])),
    };
    let mut outbound = SeatStates::new(0..PEERS, |seat| model.outbound(seat));
    let mut inbound = SeatStates::new(0..PEERS, |seat| model.inbound(seat));
    let (mut fates, mut best) = (Vec::with_capacity(BATCH), f64::MAX);
    // The packets are made once and used several times, each later than the last.
    for round in 0..5u64 {
        let mut batches: Vec<Vec<Packet>> = packets.chunks(BATCH).map(<[Packet]>::to_vec).collect();
        let later = SECOND * 2 * round;
        batches.iter_mut().flatten().for_each(|packet| packet.at += later);
        let begun = Instant::now();
        for batch in &batches {
            fates.clear();
            model.depart_all(batch, &mut outbound, &mut fates);
            if model.has_arrival() {
                for (packet, fate) in batch.iter().zip(&fates) {
                    if let Departure::Arrive { after } = fate {
                        let packet = Packet { at: packet.at + *after, ..*packet };
                        black_box(inbound.with(packet.to, |state| model.arrive(&packet, state)));
                    }
                }
            }
            black_box(&fates);
        }
        best = f64::min(best, begun.elapsed().as_nanos() as f64 / (BATCH * LOTS) as f64);
        drop(batches);
    }
    (best, resident().saturating_sub(before) as f64 / f64::from(PEERS))
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if let Some(case) = arguments.next() {
        let Some((name, json)) = CASES.iter().find(|(name, _)| *name == case) else {
            eprintln!("there is no case `{case}`; leave it out for all of them");
            return ExitCode::FAILURE;
        };
        let (nanos, bytes) = measure(name, json);
        println!("| {name} | {nanos:.0} | {bytes:.0} |");
        return ExitCode::SUCCESS;
    }
    println!("| model or layer | ns a message | bytes a peer |\n| --- | ---: | ---: |");
    for (name, _) in CASES {
        let program = std::env::current_exe().expect("the program runs");
        if !Command::new(program).arg(name).status().is_ok_and(|status| status.success()) {
            eprintln!("`{name}` could not be measured");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
