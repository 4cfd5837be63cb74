//! The arguments that several commands have.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use peerlet_run::Transport;
use peerlet_scenario::{Override, Problems, Source};

use crate::failure::Failure;

/// The scenario, and the changes to it.
#[derive(Args, Debug)]
pub(crate) struct What {
    /// The scenario file; may be left out by programs with one experiment of their own
    pub(crate) scenario: Option<PathBuf>,
    /// The seed that everything is drawn from [default: the scenario's]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<String>,
    /// The number of peers
    #[arg(long, value_name = "N")]
    pub(crate) peers: Option<String>,
    /// How long it runs
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<String>,
    /// The network model
    #[arg(long, value_name = "MODEL")]
    pub(crate) network: Option<String>,
    /// Set any key of the scenario (repeatable); KEY.PATH= takes the key away
    #[arg(long, value_name = "KEY.PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// Say more: what runs (-v), what peerlets log (-vv), everything (-vvv)
    #[arg(short, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but the results
    #[arg(short)]
    pub(crate) quiet: bool,
}

/// Reads the name of a transport.
pub(crate) fn transport() -> impl TypedValueParser<Value = Transport> {
    let read = |name: String| Transport::named(&name).expect("only these names are read");
    PossibleValuesParser::new(Transport::ALL.map(Transport::name)).map(read)
}

/// The most seeds that one call repeats.
const SEEDS_MAX: u64 = 10_000;

pub(crate) fn seeds(text: &str) -> Result<(u64, u64), String> {
    let wrong =
        || format!("write two numbers, the first and the last seed, such as `1..30`: {text}");
    let (first, last) = text.split_once("..").ok_or_else(wrong)?;
    let last = last.strip_prefix('=').unwrap_or(last);
    let (first, last) =
        (first.parse::<u64>().map_err(|_| wrong())?, last.parse::<u64>().map_err(|_| wrong())?);
    if first > last {
        return Err(format!("the first seed comes first, as in {last}..{first}: {text}"));
    }
    if last - first >= SEEDS_MAX {
        return Err(format!("from 1 to {SEEDS_MAX} seeds can be repeated: {text}"));
    }
    Ok((first, last))
}

impl What {
    /// The scenario's text; an empty one where no file is named.
    pub(crate) fn source(&self) -> Result<Source, Failure> {
        match &self.scenario {
            Some(path) => {
                Source::open(path).map_err(|error| Failure::unreadable_scenario(path, &error))
            }
            None => Ok(Source::new("command line", "")),
        }
    }

    /// The changes that the options make to the scenario. The options of their own come first, so
    /// that `--set` has the last word.
    pub(crate) fn overrides(&self) -> Result<Vec<Override>, Problems> {
        let named = [
            ("--seed", "seed", &self.seed),
            ("--peers", "peers", &self.peers),
            ("--for", "for", &self.duration),
            ("--network", "network.model", &self.network),
        ];
        let named = named.into_iter().filter_map(|(option, path, value)| {
            value.as_ref().map(|value| Override::option(option, path, value))
        });
        let mut overrides: Vec<_> = named.collect();
        for assignment in &self.set {
            overrides.push(Override::set(assignment)?);
        }
        Ok(overrides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_with_both_ends() {
        assert_eq!(seeds("1..30"), Ok((1, 30)));
        assert_eq!(seeds("7..=7"), Ok((7, 7)));
        for wrong in ["", "1", "3..1", "a..b", "0..99999999"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
