//! Random stacks of the stock peerlets, with parameters within their sensible ranges.

use peerlet_core::{Duration, MILLISECOND, Rng, SECOND};

use super::sample::{between, one_of, time};

/// The `[stack]` table of a random scenario.
pub(super) struct Stack {
    /// One line per peerlet.
    pub(super) lines: Vec<String>,
    /// About how many events per second each peer has, at least 1.
    pub(super) events_per_second: u64,
    /// About how many events per second one more peerlet may cost each peer.
    affordable: u64,
}

/// A `[[group]]` of a random scenario.
pub(super) struct Group {
    pub(super) name: String,
    /// As written.
    pub(super) seats: String,
    /// Its `stack` table.
    pub(super) stack: String,
    /// Whether it has peerlets that others lack.
    pub(super) is_taller: bool,
}

/// Generates a stack for this many peers and about this many events in all, within a second or
/// more; and the names of its features.
pub(super) fn generate(rng: &mut Rng, peers: u32, events: u64) -> (Stack, Vec<String>) {
    // A thousand peers that look for neighbors make a hundred events each before they have them.
    let heights: &[usize] = if peers > 300 { &[1, 1, 1, 2] } else { &[1, 2, 2, 3, 3, 4, 4] };
    let height = one_of(rng, heights);
    let affordable = (events / u64::from(peers)).max(2);
    let mut stack = Stack { lines: Vec::new(), events_per_second: 2, affordable };
    // Neighbors without bootstrap find nobody, and are a stack all the same.
    let names = if height == 2 && rng.chance(0.1) { &NAMES[1..2] } else { &NAMES[..height] };
    for name in names {
        let (line, cost) = peerlet(rng, name, peers, affordable);
        stack.events_per_second += cost;
        stack.lines.push(line);
    }
    (stack, names.iter().map(|name| format!("peerlet {name}")).collect())
}

/// The stock peerlets, each of which uses the one before it.
const NAMES: [&str; 4] = ["bootstrap", "neighbors", "router", "lookups"];

/// One of them with its parameters, as a line, and what it costs.
fn peerlet(rng: &mut Rng, name: &str, peers: u32, affordable: u64) -> (String, u64) {
    let (parameters, cost) = match name {
        "bootstrap" => (bootstrap(rng, peers), 1),
        "neighbors" => neighbors(rng, affordable),
        "router" => (router(rng), 0),
        _ => lookups(rng, affordable),
    };
    (format!("{name} = {{ {} }}", parameters.join(", ")), cost)
}

impl Stack {
    /// Whether the stack has this peerlet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.starts_with(name))
    }

    /// Generates groups with other parameters, or with more peerlets, which cost events; often
    /// none.
    pub(super) fn generate_groups(&mut self, rng: &mut Rng, peers: u32) -> Vec<Group> {
        if peers < 4 || !rng.chance(0.4) {
            return Vec::new();
        }
        let half = u64::from(peers) / 2;
        let seats = match rng.below(4) {
            // A server is never in a share.
            0 => vec![format!("\"{}%\"", between(rng, 100u64.div_ceil(peers.into()), 60))],
            1 => vec![between(rng, 1, half).to_string()],
            2 => vec![format!("\"{half}-*\"")],
            _ => vec![format!("\"0-{}\"", half - 1), format!("\"{half}-{}\"", peers - 1)],
        };
        let group = |(i, seats)| {
            let name = format!("group {i}");
            let taller = if rng.chance(0.5) { self.taller(rng, peers) } else { None };
            let is_taller = taller.is_some();
            let stack = taller.unwrap_or_else(|| self.variant(rng));
            Group { name, seats, stack, is_taller }
        };
        seats.into_iter().enumerate().map(group).collect()
    }

    /// Up to three more stock peerlets for a group, if the stack lacks some.
    fn taller(&mut self, rng: &mut Rng, peers: u32) -> Option<String> {
        // With a thousand peers, one of them is as much as the budget allows.
        let most = if peers > 300 { 1 } else { 3 };
        let missing: Vec<_> = NAMES.into_iter().filter(|name| !self.has(name)).collect();
        let count = between(rng, 1, most).min(missing.len() as u64) as usize;
        let mut lines = Vec::new();
        for name in &missing[..count] {
            let (line, cost) = peerlet(rng, name, peers, self.affordable);
            self.events_per_second += cost;
            lines.push(line);
        }
        (!lines.is_empty()).then(|| format!("{{ {} }}", lines.join(", ")))
    }

    /// Other parameters of a group.
    fn variant(&self, rng: &mut Rng) -> String {
        match rng.below(3) {
            0 if self.has("lookups") => "{ lookups = { rate = \"0.2/s\" } }".to_owned(),
            0 if self.has("router") => "{ lookups = { rate = \"0.1/s\" } }".to_owned(),
            1 if self.has("neighbors") => "{ neighbors = { ring = 3 } }".to_owned(),
            _ if self.has("bootstrap") => "{ bootstrap = { sample = 5 } }".to_owned(),
            _ => "{ neighbors = { misses = 2 } }".to_owned(),
        }
    }
}

/// A random subset of these parameters; the others keep their defaults.
fn some(rng: &mut Rng, all: Vec<String>) -> Vec<String> {
    all.into_iter().filter(|_| rng.chance(0.5)).collect()
}

fn bootstrap(rng: &mut Rng, peers: u32) -> Vec<String> {
    let retry = time(rng, MILLISECOND * 50, SECOND * 2, MILLISECOND);
    let retry_max = time(rng, retry, SECOND * 20, MILLISECOND);
    let refresh = time(rng, retry_max, SECOND * 60, MILLISECOND);
    let forget = time(rng, refresh, SECOND * 200, MILLISECOND);
    // These four go together: each bounds the next.
    let mut chosen = match rng.chance(0.5) {
        true => [("retry", retry), ("retry_max", retry_max), ("refresh", refresh)]
            .into_iter()
            .chain([("forget", forget)])
            .map(|(name, time)| format!("{name} = \"{time}\""))
            .collect(),
        false => Vec::new(),
    };
    let server = rng.below(peers.into());
    let (sample, known) = (between(rng, 1, 52), between(rng, 52, 2_000));
    chosen.extend(some(
        rng,
        vec![
            format!("server = {server}"),
            format!("sample = {sample}"),
            format!("known_max = {known}"),
        ],
    ));
    chosen
}

/// Parameters that cost about this many events per second at most, and their cost.
fn neighbors(rng: &mut Rng, affordable: u64) -> (Vec<String>, u64) {
    let random = between(rng, 0, 6);
    let ring = between(rng, 1, 3);
    let links = random * 2 + ring * 2;
    let shortest = SECOND * links / affordable;
    let period = |rng: &mut Rng, shortest: Duration| {
        let shortest = shortest.max(MILLISECOND * 100);
        time(rng, shortest, shortest.max(SECOND * 5), MILLISECOND)
    };
    let heartbeat = period(rng, shortest);
    let exchange = period(rng, SECOND * 2 / affordable);
    let cost = links * SECOND.as_nanos() / heartbeat.as_nanos()
        + 3 * SECOND.as_nanos() / exchange.as_nanos();
    let mut chosen = vec![
        format!("random = {random}"),
        format!("ring = {ring}"),
        format!("heartbeat = \"{heartbeat}\""),
        format!("exchange = \"{exchange}\""),
    ];
    let misses = between(rng, 1, 6);
    chosen.extend(some(rng, vec![format!("misses = {misses}")]));
    (chosen, cost)
}

fn router(rng: &mut Rng) -> Vec<String> {
    let ack = time(rng, MILLISECOND * 20, SECOND * 2, MILLISECOND);
    let (ttl, tries) = (one_of(rng, &[1, 3, 64, 10_000]), between(rng, 1, 6));
    let all = [format!("ttl = {ttl}"), format!("ack = \"{ack}\""), format!("tries = {tries}")];
    some(rng, all.into())
}

/// As [`neighbors`].
fn lookups(rng: &mut Rng, affordable: u64) -> (Vec<String>, u64) {
    let rate = one_of(rng, &[0.0_f64, 0.1, 0.5, 2.0, 5.0]).min(affordable as f64 / 10.0);
    let warmup = time(rng, MILLISECOND, SECOND * 10, MILLISECOND);
    let timeout = time(rng, MILLISECOND * 20, SECOND * 10, MILLISECOND);
    let mut chosen = vec![format!("rate = \"{rate}/s\"")];
    chosen.extend(some(
        rng,
        vec![format!("warmup = \"{warmup}\""), format!("timeout = \"{timeout}\"")],
    ));
    (chosen, (rate * 10.0) as u64)
}
