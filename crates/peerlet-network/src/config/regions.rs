//! The configuration of networks of regions.

use std::fmt;
use std::path::PathBuf;

use peerlet_core::{Duration, Seat};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::BuildError;
use super::models::floor;
use crate::assign::{Assign, Rows};
use crate::matrix::{LatencyTable, Unit};
use crate::model::Model;
use crate::regions::{self, REGION_NAMES, REGIONS_MAX, Regions};
use crate::site::Site;

/// How many peers each stock region has, in relation to the others: as Bitcoin's nodes in 2019
/// (SimBlock).
const SHARES: [u32; 6] = [3316, 4998, 90, 1177, 224, 195];

/// Of [`Regions`]: the six stock regions, or one's own.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionsConfig {
    /// The names of one's own regions, where `delays` has none.
    #[serde(default)]
    pub names: Option<Vec<String>>,
    /// The delays between one's own regions, one way, with those within one on the diagonal.
    /// Without, there are the six stock regions.
    #[serde(default)]
    pub delays: Option<DelaysConfig>,
    /// How long a 1 in the file of delays is.
    #[serde(default)]
    pub unit: Option<Unit>,
    /// How many peers each region has, in relation to the others. The stock regions have those of
    /// Bitcoin's nodes in 2019 (SimBlock), one's own the same each.
    #[serde(default)]
    pub shares: Option<Vec<u32>>,
    /// Which region a peer has. One that the seed gives it, by the shares.
    #[serde(default = "random")]
    pub assign: Assign,
    /// One-way delays below this are raised to it. 1 ms.
    #[serde(default = "floor")]
    pub floor: Duration,
}

fn random() -> Assign {
    Assign::Random
}

impl Default for RegionsConfig {
    fn default() -> RegionsConfig {
        let (names, delays, unit, shares) = (None, None, None, None);
        RegionsConfig { names, delays, unit, shares, assign: random(), floor: floor() }
    }
}

/// Delays between regions.
#[derive(Clone, PartialEq, Debug)]
pub enum DelaysConfig {
    /// A row for each region.
    Rows(Vec<Vec<Duration>>),
    /// A file in one of the forms of a matrix.
    File(PathBuf),
}

impl<'de> Deserialize<'de> for DelaysConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DelaysConfig, D::Error> {
        struct Delays;

        impl<'de> Visitor<'de> for Delays {
            type Value = DelaysConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a file, or a row of delays for each region, as [[\"5ms\", \"40ms\"], \
                     [\"40ms\", \"8ms\"]]",
                )
            }

            fn visit_str<E: de::Error>(self, file: &str) -> Result<DelaysConfig, E> {
                Ok(DelaysConfig::File(file.into()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<DelaysConfig, A::Error> {
                let rows = de::value::SeqAccessDeserializer::new(seq);
                Vec::deserialize(rows).map(DelaysConfig::Rows)
            }
        }

        deserializer.deserialize_any(Delays)
    }
}

/// Why regions make no network.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RegionsError {
    /// There are no regions, or too many.
    Count(usize),
    /// A row of delays is longer or shorter than the number of rows.
    Row {
        /// The row, from 0.
        row: usize,
        /// How many delays it has.
        delays: usize,
        /// How many rows there are.
        regions: usize,
    },
    /// There are more or fewer names than regions.
    Names {
        /// How many names there are.
        names: usize,
        /// How many regions there are.
        regions: usize,
    },
    /// A name is there twice: the second one, from 0.
    NameTwice(usize),
    /// Regions that have names are named.
    Named,
    /// The stock regions are named, or have a unit.
    Stock(&'static str),
    /// The delays are in a file, and nothing says what its numbers are.
    NoUnit,
    /// The delays have units, and one is given.
    Unit,
    /// There are more or fewer shares than regions.
    Shares {
        /// How many shares there are.
        shares: usize,
        /// How many regions there are.
        regions: usize,
    },
    /// There are shares, and regions are not assigned by them.
    SharesUnused,
}

impl fmt::Display for RegionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionsError::Count(regions) => {
                write!(f, "there are {regions} regions; give from 1 to {REGIONS_MAX}")
            }
            RegionsError::Row { row, delays, regions } => write!(
                f,
                "row {row} has {delays} delays, and there are {regions} rows; give each region a \
                 row, and each row a delay for each region"
            ),
            RegionsError::Names { names, regions } => {
                write!(f, "{names} names are given for {regions} regions; give each one a name")
            }
            RegionsError::NameTwice(_) => {
                f.write_str("two regions have this name; give each its own")
            }
            RegionsError::Named => f.write_str("the file names its regions; leave `names` out"),
            RegionsError::Stock(key) => write!(
                f,
                "`{key}` is for regions of your own; add `delays`, or leave it out for the stock \
                 regions ({})",
                REGION_NAMES.join(", ")
            ),
            RegionsError::NoUnit => f.write_str(
                "`unit` is missing; say what a 1 in the file of delays is, as in unit = \"ms\"",
            ),
            RegionsError::Unit => f.write_str("the delays have units already; leave `unit` out"),
            RegionsError::Shares { shares, regions } => {
                write!(f, "{shares} shares are given for {regions} regions; give each one a share")
            }
            RegionsError::SharesUnused => f.write_str(
                "`shares` say nothing where regions are assigned otherwise; leave them out, or \
                 set assign = \"random\"",
            ),
        }
    }
}

impl std::error::Error for RegionsError {}

impl RegionsError {
    /// The keys that can mend it, the most likely one first, each with the index in its list.
    pub(super) fn keys(&self) -> Vec<(&'static str, Option<usize>)> {
        match self {
            RegionsError::Count(_) => vec![("delays", None)],
            RegionsError::Row { row, .. } => vec![("delays", Some(*row))],
            RegionsError::NameTwice(name) => vec![("names", Some(*name))],
            RegionsError::Names { .. } | RegionsError::Named => vec![("names", None)],
            RegionsError::Stock(key) => vec![(key, None)],
            RegionsError::NoUnit => Vec::new(),
            RegionsError::Unit => vec![("unit", None)],
            RegionsError::Shares { .. } | RegionsError::SharesUnused => vec![("shares", None)],
        }
    }
}

/// Regions with names or without, and the delays between them row by row.
type Named = (Vec<String>, Vec<Duration>);

impl RegionsConfig {
    /// Gives each peer a region.
    ///
    /// # Errors
    /// Says what is wrong with regions, shares or delays.
    pub fn build(&self, site: &Site<'_>) -> Result<Box<dyn Model>, BuildError> {
        let (names, delays) = self.regions(site)?;
        let count = delays.len().isqrt();
        let wrong = |why| Err(BuildError::Regions(why));
        if !(1..=REGIONS_MAX).contains(&count) {
            return wrong(RegionsError::Count(count));
        }
        let given = self.shares.as_ref();
        let shares = match (given, &self.delays) {
            (Some(shares), _) => shares.clone(),
            (None, None) => SHARES.to_vec(),
            (None, Some(_)) => vec![1; count],
        };
        if shares.len() != count {
            return wrong(RegionsError::Shares { shares: shares.len(), regions: count });
        }
        if given.is_some() && self.assign != Assign::Random {
            return wrong(RegionsError::SharesUnused);
        }
        if shares.iter().all(|share| *share == 0) {
            return Err(BuildError::Shares("region"));
        }
        let rows = Rows { what: "region", count, names: &names };
        let random = |seat: Seat| regions::sample(&shares, site.seed, seat);
        let of = self.assign.rows(site, &rows, random).map_err(BuildError::Assign)?;
        let of = of.into_iter().map(|region| region as u8).collect();
        Ok(Box::new(Regions::own(of, delays, self.floor)))
    }

    /// The regions: the stock ones, or one's own.
    fn regions(&self, site: &Site<'_>) -> Result<Named, BuildError> {
        let wrong = |why| Err(BuildError::Regions(why));
        let (names, delays) = match &self.delays {
            None if self.names.is_some() => return wrong(RegionsError::Stock("names")),
            None if self.unit.is_some() => return wrong(RegionsError::Stock("unit")),
            None => (REGION_NAMES.map(str::to_owned).to_vec(), regions::stock()),
            Some(DelaysConfig::Rows(_)) if self.unit.is_some() => return wrong(RegionsError::Unit),
            Some(DelaysConfig::Rows(rows)) => {
                let regions = rows.len();
                let odd = rows.iter().position(|row| row.len() != regions);
                if let Some(row) = odd {
                    let delays = rows[row].len();
                    return wrong(RegionsError::Row { row, delays, regions });
                }
                (Vec::new(), rows.concat())
            }
            Some(DelaysConfig::File(file)) => {
                let Some(unit) = self.unit else { return wrong(RegionsError::NoUnit) };
                let file = site.base.join(file);
                LatencyTable::of_regions(&file, unit, site)
                    .map_err(|why| BuildError::Matrix { file, why })?
            }
        };
        let Some(own) = &self.names else { return Ok((names, delays)) };
        let regions = delays.len().isqrt();
        if !names.is_empty() {
            return wrong(RegionsError::Named);
        }
        if own.len() != regions {
            return wrong(RegionsError::Names { names: own.len(), regions });
        }
        match (1..own.len()).find(|&i| own[..i].contains(&own[i])) {
            Some(name) => wrong(RegionsError::NameTwice(name)),
            None => Ok((own.clone(), delays)),
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::runtime::SeatSet;
    use peerlet_core::{MILLISECOND, Seed};

    use super::super::tests::read;
    use super::*;

    fn build(json: &str) -> Result<Box<dyn Model>, String> {
        let west = SeatSet::from_ranges([0..=1]);
        let groups = [("west", &west)];
        let site = Site { groups: &groups, ..Site::new(Seed::new(1), 4, ".".as_ref()) };
        read::<RegionsConfig>(json).build(&site).map_err(|error| error.to_string())
    }

    #[test]
    fn regions_of_ones_own_are_assigned() {
        let model = build(
            r#"{ "names": ["a", "b"], "delays": [["5ms", "40ms"], ["60ms", "8ms"]],
                 "assign": { "west": "a", "*": "b" } }"#,
        )
        .unwrap();
        let rtt = |from, to| model.round_trip(Seat(from), Seat(to));
        assert_eq!(
            [rtt(0, 1), rtt(0, 2), rtt(2, 3)],
            [MILLISECOND * 10, MILLISECOND * 100, MILLISECOND * 16]
        );
        let stock = build(r#"{ "assign": { "west": "EU", "*": ["NA", "JP"] } }"#).unwrap();
        assert_eq!(stock.round_trip(Seat(0), Seat(1)), MILLISECOND * 11);
        assert_eq!(stock.round_trip(Seat(2), Seat(3)), MILLISECOND * 151);
        let turns =
            build(r#"{ "delays": [["5ms", "9ms"], ["9ms", "8ms"]], "assign": "round-robin" }"#);
        assert_eq!(turns.unwrap().round_trip(Seat(1), Seat(3)), MILLISECOND * 16);
    }

    #[test]
    fn what_makes_no_regions_is_refused() {
        let square = r#""delays": [["5ms", "40ms"], ["60ms", "8ms"]]"#;
        for (json, said) in [
            (r#""delays": []"#.to_owned(), "there are 0 regions"),
            (r#""delays": [["1ms"], ["1ms", "2ms"]]"#.to_owned(), "row 0 has 1 delays"),
            (format!(r#"{square}, "names": ["a"]"#), "1 names are given for 2 regions"),
            (format!(r#"{square}, "names": ["a", "a"]"#), "two regions have this name"),
            (format!(r#"{square}, "shares": [1, 2, 3]"#), "3 shares are given for 2 regions"),
            (format!(r#"{square}, "shares": [0, 0]"#), "no region has a share"),
            (format!(r#"{square}, "unit": "ms""#), "leave `unit` out"),
            (
                format!(r#"{square}, "shares": [1, 2], "assign": "round-robin""#),
                "`shares` say nothing",
            ),
            (r#""names": ["a"]"#.to_owned(), "add `delays`"),
            (r#""unit": "ms""#.to_owned(), "add `delays`"),
            (r#""delays": "x.csv""#.to_owned(), "`unit` is missing"),
            (r#""assign": "index", "delays": [["1ms"]]"#.to_owned(), "there are 1 regions for 4"),
        ] {
            let error = build(&format!("{{ {json} }}")).unwrap_err();
            assert!(error.contains(said), "{json}: {error}");
        }
    }
}
