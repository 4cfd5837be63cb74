//! What models there are, for `peerlet list` and for whoever reads scenarios.

use crate::generated::{KING_LIKE, PLANETLAB_LIKE, WORLD_LIKE};

/// One model that a scenario can name.
#[derive(Clone, Copy, Debug)]
pub struct ModelEntry {
    /// The name in a scenario.
    pub name: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
    /// The keys that stand beside its name.
    pub parameters: &'static [Parameter],
}

/// One key of a model's configuration.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The key.
    pub name: &'static str,
    /// What kind of value it takes.
    pub shape: &'static str,
    /// The value where none is given, as a scenario writes it; `None` where one must be given.
    pub default: Option<&'static str>,
    /// What it is, in one line.
    pub help: &'static str,
}

const fn duration(name: &'static str, default: &'static str, help: &'static str) -> Parameter {
    Parameter { name, shape: "duration", default: Some(default), help }
}

const FLOOR: Parameter = duration("floor", "1ms", "shorter one-way delays are raised to this");

/// Every model that is built, in the order of the alphabet.
pub const MODELS: &[ModelEntry] = &[
    ModelEntry {
        name: "constant",
        help: "every message takes the same time",
        parameters: &[duration("delay", "50ms", "that time, one way")],
    },
    ModelEntry {
        name: KING_LIKE.name(),
        help: "generated: as world-like, stretched to King's median round trip, 159 ms",
        parameters: &[FLOOR],
    },
    ModelEntry {
        name: "matrix",
        help: "measured: half of the round trips in a file, one row a host",
        parameters: &[
            Parameter {
                name: "file",
                shape: "path",
                default: None,
                help: "the round trips: *.u16le, *.u16le.zst, else text; relative to the scenario",
            },
            Parameter {
                name: "unit",
                shape: "ms, us or duration",
                default: None,
                help: "how long a 1 in the file is",
            },
            Parameter {
                name: "missing",
                shape: "refuse, median or unreachable",
                default: Some("refuse"),
                help: "what to do about round trips that the file lacks",
            },
            Parameter {
                name: "assign",
                shape: "index or random",
                default: Some("index"),
                help: "which row a peer has: its seat's, or any by the seed",
            },
            FLOOR,
        ],
    },
    ModelEntry {
        name: PLANETLAB_LIKE.name(),
        help: "generated: 490 PlanetLab hosts, median round trip 134 ms",
        parameters: &[FLOOR],
    },
    ModelEntry {
        name: "uniform",
        help: "every message takes its own time, uniform between two bounds",
        parameters: &[
            duration("min", "50ms", "the shortest delay, one way"),
            duration("max", "150ms", "the longest delay, one way, itself excluded"),
        ],
    },
    ModelEntry {
        name: WORLD_LIKE.name(),
        help: "generated: cities of the world in 2018, median round trip 143 ms",
        parameters: &[FLOOR],
    },
];

/// Models, layers and laws that are planned, to be refused as `not yet: NAME`.
pub const NOT_YET: &[&str] = &[
    "access",
    "bandwidth",
    "duplicate",
    "exponential",
    "flow",
    "gilbert",
    "jitter",
    "lognormal",
    "nat",
    "normal",
    "pareto",
    "queue",
    "regions",
    "reorder",
    "transit-stub",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_disjoint() {
        assert!(MODELS.is_sorted_by(|a, b| a.name < b.name));
        assert!(NOT_YET.is_sorted_by(|a, b| a < b));
        assert!(MODELS.iter().all(|model| !NOT_YET.contains(&model.name)));
    }
}
