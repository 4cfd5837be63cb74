//! Which part of a run a story is about, read from a text.

use peerlet_core::Time;
use peerlet_scenario::{instant, suggest};
use peerlet_sim::StoryFilter;

use crate::plan::Plan;

const KEYS: [&str; 4] = ["peer", "peerlet", "from", "to"];

/// Reads a filter: conditions such as `peer=17 and from=3m and to=3m5s`. `peer` takes seats as
/// event lines do, `peerlet` a name; `from` and `to` are instants, the second one excluded.
///
/// # Errors
/// Says what is wrong with it, and what to do.
pub fn story_filter(plan: &Plan, text: &str) -> Result<StoryFilter, String> {
    let mut filter = StoryFilter::default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let conditions = words.split(|word| *word == "and");
    let mut seen = Vec::new();
    for condition in conditions {
        let condition = condition.concat();
        let Some((key, value)) = condition.split_once('=') else {
            return Err(format!(
                "`{condition}` is no condition; write such as 'peer=17 and from=3m and to=3m5s'"
            ));
        };
        if seen.contains(&key.to_owned()) {
            return Err(format!("`{key}` is there twice; leave one out"));
        }
        seen.push(key.to_owned());
        match key {
            "peer" => {
                let seats = plan.scenario.seats(value).map_err(|problems| {
                    problems
                        .0
                        .iter()
                        .map(|one| one.message().to_owned())
                        .collect::<Vec<_>>()
                        .join("; ")
                })?;
                filter.peers = Some(seats);
            }
            "peerlet" => {
                let entries = plan.registry.entries();
                let port = entries.iter().zip(0..).find(|(entry, _)| entry.name() == value);
                let names: Vec<&str> = entries.iter().map(|entry| entry.name()).collect();
                let port = port.map(|(_, port)| peerlet_core::runtime::Port(port));
                filter.port = Some(port.ok_or_else(|| {
                    let help = match suggest(value, &names) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("there are: {}", names.join(", ")),
                    };
                    format!("no peerlet is named `{value}`; {help}")
                })?);
            }
            "from" => filter.from = read_instant(value)?,
            "to" => filter.to = read_instant(value)?,
            other => {
                let help = match suggest(other, &KEYS) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("there are: {}", KEYS.join(", ")),
                };
                return Err(format!("`{other}` is no key of a story; {help}"));
            }
        }
    }
    if filter.from >= filter.to {
        return Err(format!("nothing is from {} to {}; exchange the two", filter.from, filter.to));
    }
    let end = plan.scenario.duration;
    if filter.from >= Time::ZERO + end {
        return Err(format!("the run is over at {end}, before `from`"));
    }
    Ok(filter)
}

fn read_instant(text: &str) -> Result<Time, String> {
    instant(text).map_err(|error| format!("{error}; write an instant such as 3m5s"))
}

#[cfg(test)]
mod tests {
    use peerlet_core::{SECOND, Seat};
    use peerlet_scenario::Source;

    use crate::{Experiment, World};

    use super::*;

    fn plan() -> Plan {
        let text = "peers = 20\nfor = \"60s\"\n[stack]\nbootstrap = {}\nneighbors = {}\n";
        let experiment = Experiment::new("stock");
        Plan::new(&experiment, Source::new("x.toml", text), &[], World::Sim).expect("it is right")
    }

    #[test]
    fn conditions_are_read() {
        let read = story_filter(&plan(), "peer=3-5 and from=10 and to=12.5s and peerlet=neighbors");
        let filter = read.expect("it is right");
        assert_eq!(
            (filter.from, filter.to),
            (Time::ZERO + SECOND * 10, Time::ZERO + SECOND * 25 / 2,)
        );
        let peers = filter.peers.expect("some are named");
        assert!(peers.contains(Seat(4)) && peers.len() == 3);
        assert_eq!(filter.port, Some(peerlet_core::runtime::Port(1)));
    }

    #[test]
    fn mistakes_have_a_remedy() {
        let check = |text: &str, expected: &str| {
            let said = story_filter(&plan(), text).expect_err("it is wrong");
            assert!(said.contains(expected), "{said}");
        };
        check("first.toml", "is no condition; write such as");
        check("", "is no condition");
        check("pear=3", "did you mean `peer`?");
        check("peer=3 and peer=4", "twice");
        check("peer=99", "99");
        check("peerlet=neighbor", "did you mean `neighbors`?");
        check("from=soon", "such as 3m5s");
        check("from=5 and to=4", "exchange the two");
        check("from=61", "over at 60s");
    }
}
