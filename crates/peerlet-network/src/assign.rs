//! The assignment of rows of a matrix, or of regions, to peers.

use std::fmt;

use peerlet_core::Seat;
use peerlet_core::runtime::SeatSet;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::site::Site;

/// Which row of a matrix, or which region, each peer has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Assign {
    /// Seat i has row i. More peers than rows are refused.
    Index,
    /// Seat i has row i modulo the number of rows.
    RoundRobin,
    /// The seed gives each seat a row, independently: any of the rows of a matrix with the same
    /// probability, the regions in relation to their shares.
    Random,
    /// Each group has rows of its own, in turn over its seats. The name `*` stands for all seats
    /// that are in none of these groups.
    Groups(Vec<(String, Vec<RowSelection>)>),
}

/// One or several rows, as a scenario writes them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RowSelection {
    /// The name of a row, or numbers as in `0-9,12`.
    Text(String),
    /// The number of a row, from 0.
    Number(u32),
}

const NAMES: &[&str] = &["index", "round-robin", "random"];

impl<'de> Deserialize<'de> for Assign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Assign, D::Error> {
        struct Assigned;

        impl<'de> Visitor<'de> for Assigned {
            type Value = Assign;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"index\", \"round-robin\", \"random\", or groups with their rows or regions, \
                     as { east = \"EU\", west = [\"NA\", \"SA\"], \"*\" = \"AP\" }",
                )
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Assign, E> {
                match name {
                    "index" => Ok(Assign::Index),
                    "round-robin" => Ok(Assign::RoundRobin),
                    "random" => Ok(Assign::Random),
                    _ => Err(E::unknown_variant(name, NAMES)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Assign, A::Error> {
                let mut groups = Vec::new();
                while let Some((group, RowSelections(selections))) = map.next_entry()? {
                    groups.push((group, selections));
                }
                Ok(Assign::Groups(groups))
            }
        }

        deserializer.deserialize_any(Assigned)
    }
}

/// The rows of one group: one, or a list.
struct RowSelections(Vec<RowSelection>);

impl<'de> Deserialize<'de> for RowSelections {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RowSelections, D::Error> {
        struct Listed;

        impl<'de> Visitor<'de> for Listed {
            type Value = RowSelections;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name or the number of a row or region, or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RowSelections, E> {
                Ok(RowSelections(vec![RowSelection::Text(text.to_owned())]))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<RowSelections, E> {
                let wrong = || E::invalid_value(de::Unexpected::Signed(number), &self);
                Ok(RowSelections(vec![RowSelection::Number(
                    number.try_into().map_err(|_| wrong())?,
                )]))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<RowSelections, E> {
                let wrong = || E::invalid_value(de::Unexpected::Unsigned(number), &self);
                Ok(RowSelections(vec![RowSelection::Number(
                    number.try_into().map_err(|_| wrong())?,
                )]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RowSelections, A::Error> {
                let mut all = Vec::new();
                while let Some(RowSelections(selections)) = seq.next_element()? {
                    all.extend(selections);
                }
                Ok(RowSelections(all))
            }
        }

        deserializer.deserialize_any(Listed)
    }
}

/// Why rows or regions cannot be assigned.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AssignError {
    /// There are more peers than rows.
    TooFew {
        /// The word for one: row or region.
        what: &'static str,
        /// How many there are.
        rows: usize,
        /// How many peers there are.
        peers: u32,
    },
    /// There is no such group.
    Group {
        /// The name.
        name: String,
        /// The groups that there are.
        known: Vec<String>,
    },
    /// A group is to have a row that there is not, or none at all.
    Row {
        /// The group.
        group: String,
        /// The text of the scenario, if there is any.
        written: String,
        /// The rows that exist.
        known: String,
    },
    /// Some seats are in none of the groups.
    Others {
        /// The seats.
        seats: SeatSet,
        /// The word for one: row or region.
        what: &'static str,
    },
}

impl fmt::Display for AssignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssignError::TooFew { what, rows, peers } => write!(
                f,
                "there are {rows} {what}s for {peers} peers; set peers = {rows}, or assign = \
                 \"round-robin\" or \"random\" to let peers share {what}s"
            ),
            AssignError::Group { name, known } if known.is_empty() => {
                write!(f, "no group is named `{name}`; add a [[group]] of this name")
            }
            AssignError::Group { name, known } => {
                write!(f, "no group is named `{name}`; the groups are: {}", known.join(", "))
            }
            AssignError::Row { group, written, known } => {
                write!(f, "`{group}` cannot have `{written}`; give one of {known}, or a list")
            }
            AssignError::Others { seats, what } => write!(
                f,
                "seats {seats} are in none of these groups; give them a {what} by \"*\" = ..."
            ),
        }
    }
}

impl std::error::Error for AssignError {}

impl AssignError {
    /// The key in `assign` that is wrong; none where it is all of it.
    pub(crate) fn group(&self) -> Option<&str> {
        match self {
            AssignError::Group { name, .. } => Some(name),
            AssignError::Row { group, .. } => Some(group),
            AssignError::TooFew { .. } | AssignError::Others { .. } => None,
        }
    }
}

/// The rows or regions that are assigned.
pub(crate) struct Rows<'a> {
    /// The word for one.
    pub(crate) what: &'static str,
    /// How many there are; at most 2^16.
    pub(crate) count: usize,
    /// Their names, if they have any.
    pub(crate) names: &'a [String],
}

impl Assign {
    /// Whether two peers may have the same row.
    pub(crate) const fn shares_rows(&self) -> bool {
        !matches!(self, Assign::Index)
    }

    /// The row of each seat; `random` gives those that the seed gives.
    pub(crate) fn rows(
        &self,
        site: &Site<'_>,
        rows: &Rows<'_>,
        random: impl Fn(Seat) -> usize,
    ) -> Result<Vec<u16>, AssignError> {
        let (what, count) = (rows.what, rows.count);
        let seats = (0..site.peers).map(Seat);
        match self {
            Assign::Index if site.peers as usize > count => {
                Err(AssignError::TooFew { what, rows: count, peers: site.peers })
            }
            Assign::Index | Assign::RoundRobin => {
                Ok(seats.map(|seat| (seat.index() % count) as u16).collect())
            }
            Assign::Random => Ok(seats.map(|seat| random(seat) as u16).collect()),
            Assign::Groups(groups) => by_group(groups, site, rows),
        }
    }
}

fn by_group(
    groups: &[(String, Vec<RowSelection>)],
    site: &Site<'_>,
    rows: &Rows<'_>,
) -> Result<Vec<u16>, AssignError> {
    let all = SeatSet::all(site.peers);
    let mut assigned = vec![0; site.peers as usize];
    let mut left = all.clone();
    let mut others = None;
    let mut give = |seats: &SeatSet, own: &[u16]| {
        for (seat, row) in seats.iter().zip(own.iter().cycle()) {
            assigned[seat.index()] = *row;
        }
    };
    for (name, selections) in groups {
        let own = rows.chosen(name, selections)?;
        if name == "*" {
            others = Some(own);
            continue;
        }
        let Some((_, seats)) = site.groups.iter().find(|(known, _)| known == name) else {
            let known = site.groups.iter().map(|(name, _)| (*name).to_owned()).collect();
            return Err(AssignError::Group { name: name.clone(), known });
        };
        give(seats, &own);
        left = left.without(seats);
    }
    match others {
        Some(own) => give(&left, &own),
        None if left.is_empty() => {}
        None => return Err(AssignError::Others { seats: left, what: rows.what }),
    }
    Ok(assigned)
}

impl Rows<'_> {
    /// The rows that a group is given.
    fn chosen(&self, group: &str, selections: &[RowSelection]) -> Result<Vec<u16>, AssignError> {
        let wrong = |written: String| AssignError::Row {
            group: group.to_owned(),
            written,
            known: match self.names {
                [] => format!("the {}s 0 to {}", self.what, self.count.saturating_sub(1)),
                names => {
                    let some: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
                    let more = if names.len() > some.len() { ", ..." } else { "" };
                    format!("{}{more}", some.join(", "))
                }
            },
        };
        let mut rows = Vec::new();
        for selection in selections {
            match selection {
                RowSelection::Number(number) if (*number as usize) < self.count => {
                    rows.push(*number as u16);
                }
                RowSelection::Number(number) => return Err(wrong(number.to_string())),
                RowSelection::Text(text) => match self.names.iter().position(|name| name == text) {
                    Some(row) => rows.push(row as u16),
                    None => rows.extend(self.ranges(text).ok_or_else(|| wrong(text.clone()))?),
                },
            }
        }
        if rows.is_empty() { Err(wrong("[]".to_owned())) } else { Ok(rows) }
    }

    /// The rows of numbers as in `0-9,12`.
    fn ranges(&self, text: &str) -> Option<Vec<u16>> {
        let mut rows = Vec::new();
        for range in text.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (usize, usize) =
                (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if first > last || last >= self.count || rows.len() > self.count {
                return None;
            }
            rows.extend((first..=last).map(|row| row as u16));
        }
        Some(rows)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use peerlet_core::Seed;

    use super::*;

    fn rows(json: &str, peers: u32, names: &[&str]) -> Result<Vec<u16>, String> {
        let assign: Assign = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let east = SeatSet::from_ranges([2..=4]);
        let groups = [("east", &east)];
        let site = Site { groups: &groups, ..Site::new(Seed::new(1), peers, ".".as_ref()) };
        let rows = Rows { what: "row", count: 3, names: &names };
        assign.rows(&site, &rows, |seat| seat.index() / 3).map_err(|error| error.to_string())
    }

    #[test]
    fn each_way_gives_each_seat_a_row() {
        assert_eq!(rows(r#""index""#, 3, &[]), Ok(vec![0, 1, 2]));
        assert_eq!(rows(r#""round-robin""#, 5, &[]), Ok(vec![0, 1, 2, 0, 1]));
        assert_eq!(rows(r#""random""#, 5, &[]), Ok(vec![0, 0, 0, 1, 1]));
        let named = rows(r#"{ "east": "b", "*": ["c", 0] }"#, 6, &["a", "b", "c"]);
        assert_eq!(named, Ok(vec![2, 0, 1, 1, 1, 2]));
        assert_eq!(rows(r#"{ "*": "2,0-1", "east": 1 }"#, 7, &[]), Ok(vec![2, 0, 1, 1, 1, 1, 2]));
    }

    #[test]
    fn what_cannot_be_assigned_is_refused_with_advice() {
        let refused = |json: &str, expected: Expect| {
            let said = rows(json, 5, &["a", "b", "c"]).unwrap_err();
            expected.assert_eq(said.split(" at line").next().unwrap());
        };
        refused(
            r#""index""#,
            expect![
                "there are 3 rows for 5 peers; set peers = 3, or assign = \"round-robin\" or \
                 \"random\" to let peers share rows"
            ],
        );
        refused(
            r#""group""#,
            expect!["unknown variant `group`, expected one of `index`, `round-robin`, `random`"],
        );
        refused(r#"{ "west": 1 }"#, expect!["no group is named `west`; the groups are: east"]);
        refused(
            r#"{ "east": "d" }"#,
            expect!["`east` cannot have `d`; give one of a, b, c, or a list"],
        );
        for wrong in ["3", "\"0-3\"", "[]", "\"2-1\""] {
            let said = rows(&format!("{{ \"east\": {wrong} }}"), 5, &[]).unwrap_err();
            assert!(said.contains("give one of the rows 0 to 2, or a list"), "{said}");
        }
        refused(
            r#"{ "east": "a" }"#,
            expect![[r#"seats 0-1 are in none of these groups; give them a row by "*" = ..."#]],
        );
    }
}
