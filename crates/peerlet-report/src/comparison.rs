//! A comparison as a table, as JSON and as Markdown.

use std::collections::BTreeSet;

use peerlet_measure::{Comparison, Verdict};
use serde::Serialize;

use super::side::Side;
use crate::json::json_line;

/// Seeds that are named one by one; of more only how many there are.
const SEEDS_SHOWN_MAX: usize = 10;

/// A comparison and what was compared.
pub struct Report<'a> {
    /// The side that is compared with.
    pub left: &'a Side,
    /// The side that is compared.
    pub right: &'a Side,
    /// The verdicts.
    pub comparison: &'a Comparison,
}

/// One object, a line.
#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    left: JsonSide<'a>,
    right: JsonSide<'a>,
    peers: u32,
    virtual_seconds: f64,
    warnings: Vec<String>,
    #[serde(flatten)]
    comparison: &'a Comparison,
    /// The names of the rows that failed.
    failed: Vec<&'a str>,
    /// The names of the rows that are inconclusive.
    inconclusive: Vec<&'a str>,
    /// How many seeds a side would decide those; null where none is, and where no number would.
    seeds_to_decide: Option<u64>,
    /// The verdict on all: held, failed or inconclusive.
    verdict: Verdict,
    /// Whether something was judged, and all of that held.
    held: bool,
}

#[derive(Serialize)]
struct JsonSide<'a> {
    path: &'a str,
    world: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'a str>,
    scenario: &'a str,
    seeds: Vec<u64>,
}

impl JsonSide<'_> {
    fn of(side: &Side) -> JsonSide<'_> {
        let (first, seeds) = (side.first(), side.seeds());
        let (world, scenario) = (&first.world, &first.scenario);
        let transport = first.transport.as_deref();
        JsonSide { path: &side.path, world, transport, scenario, seeds }
    }
}

impl Report<'_> {
    /// Reasons to distrust the comparison.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let titles = |side: &Side| -> BTreeSet<String> {
            side.facts.iter().map(|run| format!("`{}`", run.scenario)).collect()
        };
        let titles: BTreeSet<_> = titles(self.left).union(&titles(self.right)).cloned().collect();
        if titles.len() > 1 {
            let titles: Vec<_> = titles.into_iter().collect();
            warnings.push(format!("the scenarios have different titles: {}", titles.join(", ")));
        }
        let sides = [self.left, self.right];
        let transports = sides.map(|side| side.first().transport.as_deref());
        if let Some(at) = sides.iter().position(|side| side.first().world == "sim")
            && (transports[at], transports[1 - at]) == (None, Some("quic"))
        {
            warnings.push(
                "the simulation is one without handshakes, which QUIC has when two peers first \
                 meet; `sim --transport quic` simulates them"
                    .to_owned(),
            );
        }
        for side in sides {
            let seeds = side.seeds();
            let twice = seeds.windows(2).find(|pair| pair[0] == pair[1]);
            if let (Some(pair), "sim") = (twice, side.first().world.as_str()) {
                warnings.push(format!(
                    "`{}` has seed {} more than once: the same run again makes nothing surer",
                    side.path, pair[0]
                ));
            }
            for folder in &side.passed_over {
                warnings.push(format!("`{folder}` holds no run and is skipped"));
            }
        }
        warnings
    }

    /// The comparison as one line of JSON.
    pub fn json(&self) -> String {
        let first = self.left.first();
        let json = Json {
            schema: 1,
            left: JsonSide::of(self.left),
            right: JsonSide::of(self.right),
            peers: first.peers,
            virtual_seconds: first.virtual_seconds,
            warnings: self.warnings(),
            comparison: self.comparison,
            failed: self.comparison.failed().collect(),
            inconclusive: self.comparison.inconclusive().map(|row| row.metric.as_str()).collect(),
            seeds_to_decide: self.comparison.seeds_to_decide(),
            verdict: self.comparison.verdict(),
            held: self.comparison.holds(),
        };
        json_line(&json)
    }

    /// The comparison as a table for a terminal.
    pub fn text(&self) -> String {
        let [what, left, right] = self.head();
        let end = self.end().join("\n");
        format!("{what}\n{left}\n{right}\n\n{}\n{end}\n", self.comparison)
    }

    /// The comparison as a table for a document.
    pub fn markdown(&self) -> String {
        let [what, left, right] = self.head();
        let (table, end) = (self.comparison.markdown(), self.end().join("\n\n"));
        format!("{what}\n\n- {left}\n- {right}\n\n{table}\n{end}\n")
    }

    /// The heading: the scenario, and each side.
    fn head(&self) -> [String; 3] {
        let first = self.left.first();
        let what =
            format!("{}: {} peers, {} s", first.scenario, first.peers, first.virtual_seconds);
        let side = |name: &str, side: &Side| {
            let seeds = seeds(&side.seeds());
            format!("{name}: {}, {seeds} ({})", side.first().place(), side.path)
        };
        let pairs = match (self.comparison.paired, self.left.statistics.len()) {
            (true, 2..) => ", in pairs with the left ones",
            _ => "",
        };
        let right = format!("{}{pairs}", side("right", self.right));
        [what, side("left", self.left), right]
    }

    /// How many rows ended how, what each inconclusive one takes, and the verdict on all.
    fn end(&self) -> Vec<String> {
        let comparison = self.comparison;
        let (held, few) = (comparison.count(Verdict::Held), comparison.count(Verdict::TooFew));
        let mut counts = format!("{held} held, {} failed", comparison.failed().count());
        match comparison.count(Verdict::Inconclusive) {
            0 => (),
            open => counts += &format!(", {open} inconclusive"),
        }
        if few > 0 {
            let samples = comparison.limits.samples;
            counts += &format!("; {few} not judged, with fewer than {samples} values");
        }
        if comparison.without_values > 0 {
            counts += &format!("; {} without a value", comparison.without_values);
        }
        let mut lines = vec![counts];
        lines.extend(comparison.reasons());
        lines.push(comparison.conclusion());
        lines
    }
}

/// Seeds in ascending order, as a range where they are one.
fn seeds(seeds: &[u64]) -> String {
    let is_range = seeds.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
    match seeds {
        [seed] => format!("seed {seed}"),
        [first, .., last] if is_range => format!("seeds {first}..{last}"),
        _ if seeds.len() <= SEEDS_SHOWN_MAX => {
            let seeds: Vec<_> = seeds.iter().map(u64::to_string).collect();
            format!("seeds {}", seeds.join(", "))
        }
        _ => format!("{} seeds", seeds.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_where_they_can_be() {
        let check = |of: &[u64], text: &str| assert_eq!(seeds(of), text);
        check(&[7], "seed 7");
        check(&[1, 2, 3], "seeds 1..3");
        check(&[1, 2, 4], "seeds 1, 2, 4");
        check(&[7, 7], "seeds 7, 7");
        check(&[u64::MAX - 1, u64::MAX], "seeds 18446744073709551614..18446744073709551615");
        check(&[0, u64::MAX], "seeds 0, 18446744073709551615");
        check(&(0..20).map(|i| i * i).collect::<Vec<_>>(), "20 seeds");
    }
}
