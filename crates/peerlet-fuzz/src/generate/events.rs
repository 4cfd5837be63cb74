//! Random event lines: starts, stops, crashes, restarts, pauses, commands, and every change of the
//! network.

use peerlet_core::{Duration, MILLISECOND, Rng};
use peerlet_network::CALLS;

use super::network::instant;
use super::sample::{between, one_of, one_seat, probability, seats, time};

/// Event lines, and the names of the features that they have.
pub(super) struct GeneratedEvents {
    pub(super) lines: Vec<String>,
    pub(super) has: Vec<String>,
}

/// Generates event lines for a scenario.
pub(super) struct EventGenerator {
    pub(super) peers: u32,
    pub(super) end: Duration,
    /// Whether there are routers, which take a command.
    pub(super) has_router: bool,
}

/// The most event lines of one scenario.
const LINES_MAX: u64 = 24;
/// The most where each may start a thousand peers.
const CROWDED_MAX: u64 = 6;

impl EventGenerator {
    /// Generates event lines of some kinds, often several at one instant.
    pub(super) fn generate(&self, rng: &mut Rng) -> GeneratedEvents {
        let mut kinds: Vec<String> =
            ["start", "stop", "crash", "restart", "pause"].map(|act| format!("event {act}")).into();
        kinds.extend(CALLS.iter().map(|call| format!("fault {}", call.name)));
        if self.has_router {
            kinds.push("event command".to_owned());
        }
        let share = one_of(rng, &[0.1, 0.3, 0.6]);
        kinds.retain(|_| rng.chance(share));
        let mut events = GeneratedEvents { lines: Vec::new(), has: Vec::new() };
        if kinds.is_empty() || rng.chance(0.1) {
            return events;
        }
        let mut at = instant(rng, self.end);
        let most = if self.peers > 300 { CROWDED_MAX } else { LINES_MAX };
        for _ in 0..between(rng, 1, most) {
            if rng.chance(0.7) {
                at = instant(rng, self.end);
            }
            let kind = &kinds[rng.index(kinds.len())];
            let (_, name) = kind.split_once(' ').expect("a kind has two words");
            let (who, call) = match kind.starts_with("fault") {
                true => self.fault(rng, name),
                false => self.act(rng, name),
            };
            events.lines.push(format!("{who} {at} {call}"));
            if !events.has.contains(kind) {
                events.has.push(kind.clone());
            }
        }
        events
    }

    fn act(&self, rng: &mut Rng, name: &str) -> (String, String) {
        let call = match name {
            "pause" => {
                let length = time(rng, MILLISECOND, self.end, MILLISECOND);
                format!("Peer.pause({length})")
            }
            "command" => format!("Peer.Router.setDropMessages({})", rng.chance(0.5)),
            _ => format!("Peer.{name}()"),
        };
        (seats(rng, self.peers), call)
    }

    fn fault(&self, rng: &mut Rng, name: &str) -> (String, String) {
        let mut who = seats(rng, self.peers);
        let p = probability(rng);
        let length = time(rng, MILLISECOND, MILLISECOND * 500, MILLISECOND);
        let arguments = match name {
            "cut" | "cut_in" | "cut_out" => match rng.below(3) {
                0 => {
                    // A cut of all seats would cut nothing.
                    who = one_seat(rng, self.peers);
                    String::new()
                }
                1 => format!("\"{}\"", seats(rng, self.peers)),
                _ => format!("\"{}\", \"in-flight\"", seats(rng, self.peers)),
            },
            "heal" if rng.chance(0.5) => format!("\"{}\"", seats(rng, self.peers)),
            "loss" if rng.chance(0.4) => format!("{}, {}", p.min(0.5), between(rng, 1, 6)),
            "loss" | "loss_in" | "duplicate" => p.to_string(),
            "corrupt" => format!("{}, {}", p.min(0.3), between(rng, 1, 9)),
            "pair_delay" => {
                let others = seats(rng, self.peers);
                match rng.below(4) {
                    0 => format!("\"{others}\""),
                    _ => format!("\"{others}\", {length}"),
                }
            }
            "pair_loss" => format!("\"{}\", {p}", seats(rng, self.peers)),
            "reorder" => format!("{p}, {length}"),
            "jitter" | "swizzle" => length.to_string(),
            "slow" => one_of(rng, &["1", "1.5", "4", "20"]).to_owned(),
            "bandwidth" => match rng.below(3) {
                0 => String::new(),
                1 => "\"200 kbit/s\"".to_owned(),
                _ => "\"1 Mbit/s\", \"64 kbit/s\"".to_owned(),
            },
            _ => String::new(),
        };
        (who, format!("Network.{name}({arguments})"))
    }
}
