//! The catalog of models and layers, for `peerlet list` and for readers of scenarios.

use crate::generated::{KING_LIKE, PLANETLAB_LIKE, WORLD_LIKE};

/// One model that a scenario can name.
#[derive(Clone, Copy, Debug)]
pub struct ModelEntry {
    /// The name in a scenario.
    pub name: &'static str,
    /// Its description, in one line.
    pub help: &'static str,
    /// The keys that stand beside its name.
    pub parameters: &'static [Parameter],
}

/// One key of a model's configuration.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The key.
    pub name: &'static str,
    /// The kind of its values.
    pub shape: &'static str,
    /// The value where none is given, as a scenario writes it; `None` where one must be given.
    pub default: Option<&'static str>,
    /// Its description, in one line.
    pub help: &'static str,
}

const fn duration(name: &'static str, default: &'static str, help: &'static str) -> Parameter {
    Parameter { name, shape: "duration", default: Some(default), help }
}

const fn number(name: &'static str, default: &'static str, help: &'static str) -> Parameter {
    Parameter { name, shape: "number", default: Some(default), help }
}

const FLOOR: Parameter = duration("floor", "1ms", "shorter one-way delays are raised to this");

const ASSIGN: &str = "index, round-robin, random or { group = rows }";

const PER: Parameter = Parameter {
    name: "per",
    shape: "message or pair",
    default: Some("message"),
    help: "whether each message samples its delay, or each pair once, the same both ways",
};

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
        name: "lan",
        help: "local networks, near within and far between, with broadcast",
        parameters: &[
            number("size", "20", "peers on each local network, seat by seat"),
            duration("within", "200us", "the time a message takes within one, one way"),
            duration("between", "20ms", "the time from one to another, one way"),
        ],
    },
    ModelEntry {
        name: "lognormal",
        help: "every message takes its own time, whose logarithm is normal",
        parameters: &[
            duration("median", "70ms", "half of the delays are longer, one way"),
            number("sigma", "0.5", "the standard deviation of the natural logarithm, 0 to 4"),
            FLOOR,
            PER,
        ],
    },
    ModelEntry {
        name: "matrix",
        help: "measured: half of the round trips in a file, one row a host",
        parameters: &[
            Parameter {
                name: "file",
                shape: "path",
                default: None,
                help: "the round trips: *.u16le, *.u16le.zst, else text: a square, a long table \
                       of pairs, p2psim's; relative to the scenario",
            },
            Parameter {
                name: "unit",
                shape: "ms, us or duration",
                default: None,
                help: "how long a 1 in the file is",
            },
            Parameter {
                name: "form",
                shape: "square or edges",
                default: Some("none"),
                help: "whether a text has a line a row or a line a pair, where it does not show",
            },
            Parameter {
                name: "missing",
                shape: "refuse, mirror, median or unreachable",
                default: Some("refuse"),
                help: "what to do about round trips that the file lacks",
            },
            Parameter {
                name: "assign",
                shape: ASSIGN,
                default: Some("index"),
                help: "which row a peer has: its seat's, in turn, any by the seed, or its group's",
            },
            FLOOR,
        ],
    },
    ModelEntry {
        name: "normal",
        help: "every message takes its own time, normal",
        parameters: &[
            duration("mean", "70ms", "the mean delay, one way"),
            duration("sd", "20ms", "the standard deviation"),
            FLOOR,
            PER,
        ],
    },
    ModelEntry {
        name: "pareto",
        help: "every message takes its own time, with a long tail",
        parameters: &[
            duration("min", "30ms", "the shortest delay, one way"),
            number("shape", "2.5", "the larger, the fewer long delays, above 1"),
            PER,
        ],
    },
    ModelEntry {
        name: PLANETLAB_LIKE.name(),
        help: "generated: 490 PlanetLab hosts, median round trip 134 ms",
        parameters: &[FLOOR],
    },
    ModelEntry {
        name: "regions",
        help: "regions with a delay between any two: six of the world, or one's own",
        parameters: &[
            Parameter {
                name: "shares",
                shape: "list of numbers",
                default: Some("[3316, 4998, 90, 1177, 224, 195]"),
                help: "peers of each region (NA, EU, SA, AP, JP, AU), in relation to the others; \
                       of one's own as many each",
            },
            Parameter {
                name: "assign",
                shape: ASSIGN,
                default: Some("random"),
                help: "which region a peer has: one by the seed and the shares, or otherwise",
            },
            Parameter {
                name: "delays",
                shape: "list of rows of durations, or path",
                default: Some("none"),
                help: "one-way delays between one's own regions, on the diagonal those within",
            },
            Parameter {
                name: "names",
                shape: "list of names",
                default: Some("none"),
                help: "the names of one's own regions, where a file of delays has none",
            },
            Parameter {
                name: "unit",
                shape: "ms, us or duration",
                default: Some("none"),
                help: "how long a 1 in a file of delays is",
            },
            FLOOR,
        ],
    },
    ModelEntry {
        name: "uniform",
        help: "every message takes its own time, uniform between two bounds",
        parameters: &[
            duration("min", "50ms", "the shortest delay, one way"),
            duration("max", "150ms", "the longest delay, one way, itself excluded"),
            PER,
        ],
    },
    ModelEntry {
        name: WORLD_LIKE.name(),
        help: "generated: cities of the world in 2018, median round trip 143 ms",
        parameters: &[FLOOR],
    },
];

/// One layer that a scenario can put around any model.
#[derive(Clone, Copy, Debug)]
pub struct LayerEntry {
    /// The key in a scenario.
    pub name: &'static str,
    /// Its effect, in one line.
    pub help: &'static str,
    /// The kinds of its values.
    pub shape: &'static str,
}

/// Every layer that is built, in the order of the alphabet.
pub const LAYERS: &[LayerEntry] = &[
    LayerEntry {
        name: "access",
        help: "each peer's link: rates, and a queue before each that drops what it cannot hold",
        shape: "{ up, down (rates, as \"20 Mbit/s\") or classes (\"world-2020\", \"p2p-2006\" or \
                [{ share, up, down }]), queue = \"64 KiB\", overhead = 64 }",
    },
    LayerEntry {
        name: "corrupt",
        help: "flips bits of some encoded messages",
        shape: "{ probability, bits = 1 }",
    },
    LayerEntry {
        name: "duplicate",
        help: "lets some messages arrive twice, each copy with its own delay",
        shape: "0 to 1",
    },
    LayerEntry {
        name: "jitter",
        help: "adds a time of its own to each message's delay",
        shape: "duration (uniform from zero to that), or a distribution: \
                { uniform = { min, max } }, { exponential = { mean } }, \
                { normal = { mean, sd } }, { lognormal = { median, sigma } }, \
                { pareto = { min, shape } }; \
                per = \"pair\" beside a distribution samples once a pair",
    },
    LayerEntry {
        name: "loss",
        help: "loses messages",
        shape: "0 to 1, or { gilbert = { mean, burst } }, or { up, down (each one of these), \
                links = [{ from, to, loss }] }",
    },
    LayerEntry {
        name: "reorder",
        help: "holds some messages up, so that others overtake them",
        shape: "{ probability, by = \"20ms\" }",
    },
];

/// Models, layers and distributions that are planned, to be refused as `not yet: NAME`.
pub const NOT_YET: &[&str] = &["bandwidth", "exponential", "flow", "nat", "queue", "transit-stub"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_disjoint() {
        assert!(MODELS.is_sorted_by(|a, b| a.name < b.name));
        assert!(NOT_YET.is_sorted_by(|a, b| a < b));
        assert!(LAYERS.is_sorted_by(|a, b| a.name < b.name));
        let built = MODELS.iter().map(|model| model.name).chain(LAYERS.iter().map(|l| l.name));
        assert!(built.into_iter().all(|name| !NOT_YET.contains(&name)));
    }
}
