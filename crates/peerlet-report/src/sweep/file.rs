//! `sweep.json`: the runs of a sweep.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::run_folder::schema::Version;

/// The name of the file in a sweep folder.
pub const SWEEP: &str = "sweep.json";

/// The version of `sweep.json`. Files of another one are refused.
const SCHEMA: u64 = 1;

/// The content of `sweep.json`. Two sweeps with equal content have the same runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sweep {
    /// The version of the schema.
    schema: u64,
    /// The scenario's title.
    pub scenario: String,
    /// The SHA-256 of the scenario as it runs, without what varies, and of the files that it names.
    pub sha256: String,
    /// The program that runs it.
    pub version: Version,
    /// The keys that vary, the slowest first.
    pub vary: Vec<Vary>,
    /// The first and the last seed.
    pub seeds: (u64, u64),
}

/// A key of the scenario, and the values that it takes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vary {
    /// The path, such as `network.loss`.
    pub key: String,
    /// The values as written, in order.
    pub values: Vec<String>,
}

impl Sweep {
    /// The sweep of a scenario.
    pub fn new(
        scenario: String,
        sha256: String,
        version: Version,
        vary: Vec<Vary>,
        seeds: RangeInclusive<u64>,
    ) -> Sweep {
        Sweep { schema: SCHEMA, scenario, sha256, version, vary, seeds: seeds.into_inner() }
    }

    /// Reads `sweep.json`.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(text: &str) -> Result<Sweep, String> {
        let sweep: Sweep = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if sweep.schema != SCHEMA {
            return Err(format!("it is of schema {}, and {SCHEMA} is read here", sweep.schema));
        }
        if sweep.seeds.0 > sweep.seeds.1 || sweep.vary.iter().any(|vary| vary.values.is_empty()) {
            return Err("it has no runs".to_owned());
        }
        Ok(sweep)
    }

    /// The content of `sweep.json`.
    pub fn write(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("it has only texts and numbers");
        text.push('\n');
        text
    }

    /// How many combinations of values there are; one where nothing varies.
    pub fn points(&self) -> usize {
        self.vary.iter().fold(1, |all, vary| all.saturating_mul(vary.values.len()))
    }

    /// The values of a combination, one for each key. The last key varies fastest.
    pub fn values(&self, point: usize) -> Vec<&str> {
        let mut rest = point;
        let mut values: Vec<&str> = self
            .vary
            .iter()
            .rev()
            .map(|vary| {
                let value = &vary.values[rest % vary.values.len()];
                rest /= vary.values.len();
                value.as_str()
            })
            .collect();
        values.reverse();
        values
    }

    /// The combination in words: `network.loss=0.01 peers=100`.
    pub fn words(&self, point: usize) -> String {
        let words = self.vary.iter().zip(self.values(point));
        words.map(|(vary, value)| format!("{}={value}", vary.key)).collect::<Vec<_>>().join(" ")
    }

    /// The seeds.
    pub fn seeds(&self) -> RangeInclusive<u64> {
        self.seeds.0..=self.seeds.1
    }

    /// How many runs there are.
    pub fn runs(&self) -> u64 {
        (self.seeds.1 - self.seeds.0).saturating_add(1).saturating_mul(self.points() as u64)
    }

    /// How another sweep differs from this one, in words: this one first.
    pub fn difference(&self, other: &Sweep) -> String {
        let mut parts = Vec::new();
        let keys = |sweep: &Sweep| -> Vec<String> {
            sweep
                .vary
                .iter()
                .map(|vary| format!("{}={}", vary.key, vary.values.join(",")))
                .collect()
        };
        if self.vary != other.vary {
            parts.push(format!("--vary {}, not {}", keys(self).join(" "), keys(other).join(" ")));
        }
        if self.seeds != other.seeds {
            let seeds = |sweep: &Sweep| format!("{}..{}", sweep.seeds.0, sweep.seeds.1);
            parts.push(format!("seeds {}, not {}", seeds(self), seeds(other)));
        }
        if self.version != other.version {
            let program = |sweep: &Sweep| {
                let version = &sweep.version;
                format!("{} {} with {}", version.program, version.peerlet, version.codec)
            };
            parts.push(format!("program {}, not {}", program(self), program(other)));
        }
        if self.sha256 != other.sha256 || self.scenario != other.scenario {
            parts.push("another scenario, files of it or options".to_owned());
        }
        parts.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::Codec;

    use super::*;

    fn sweep(vary: &[(&str, &[&str])], seeds: RangeInclusive<u64>) -> Sweep {
        let vary = vary.iter().map(|(key, values)| Vary {
            key: (*key).to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        });
        let version = Version::of("test", Codec::default());
        Sweep::new("a title".to_owned(), "0".repeat(64), version, vary.collect(), seeds)
    }

    #[test]
    fn the_last_key_varies_fastest() {
        let sweep = sweep(&[("a", &["1", "2"]), ("b.c", &["x", "y", "z"])], 1..=10);
        let all: Vec<String> = (0..sweep.points()).map(|point| sweep.words(point)).collect();
        assert_eq!(
            all,
            ["a=1 b.c=x", "a=1 b.c=y", "a=1 b.c=z", "a=2 b.c=x", "a=2 b.c=y", "a=2 b.c=z"]
        );
        assert_eq!(sweep.runs(), 60);
        assert_eq!(self::sweep(&[], 3..=3).runs(), 1);
    }

    #[test]
    fn what_is_written_is_read() {
        let sweep = sweep(&[("a", &["1"])], 0..=u64::MAX);
        assert_eq!(Sweep::read(&sweep.write()), Ok(sweep.clone()));
        let newer = sweep.write().replace("\"schema\": 1", "\"schema\": 2");
        assert!(Sweep::read(&newer).unwrap_err().contains("schema 2"));
        let none = sweep.write().replace("\"1\"", "");
        assert_eq!(Sweep::read(&none), Err("it has no runs".to_owned()));
        assert!(Sweep::read("{").is_err());
    }
}
