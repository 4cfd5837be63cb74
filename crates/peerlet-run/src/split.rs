//! The parts of a network that a scenario has measured by themselves.

use std::ops::Range;

use peerlet_core::runtime::SeatSet;
use peerlet_measure::{PARTS_MAX, Split};
use peerlet_scenario::{MeasuredGroups, Problems, Scenario};

/// The split of a scenario's network; `None` where it names no parts.
///
/// # Errors
/// When a part is not there, has no seat, or shares a seat with another.
pub(crate) fn split(scenario: &Scenario) -> Result<Option<Split>, Problems> {
    let measure = &scenario.measure;
    let refused = |span: &Range<usize>, message: String, help: &str| -> Problems {
        scenario.sources.problem(span, message, help).into()
    };
    let parts: Vec<(String, SeatSet, &Range<usize>)> = match &measure.groups {
        MeasuredGroups::Named(named) if named.is_empty() => return Ok(None),
        MeasuredGroups::All if scenario.groups.is_empty() => {
            let message = "there are no groups to measure".to_owned();
            let help = "add a [[group]], or list peers such as [\"0-9\", \"17\"]";
            return Err(refused(&measure.groups_span, message, help));
        }
        MeasuredGroups::All => {
            let groups = scenario.groups.iter();
            let part = |group: &peerlet_scenario::Group| (group.name.clone(), group.seats.clone());
            groups.map(part).map(|(name, seats)| (name, seats, &measure.groups_span)).collect()
        }
        MeasuredGroups::Named(named) => {
            let mut parts = Vec::new();
            for (name, span) in named {
                let seats = scenario.seats_at(name, span)?;
                parts.push((name.clone(), seats, span));
            }
            parts
        }
    };
    if let Some((name, _, span)) = parts.iter().find(|(_, seats, _)| seats.is_empty()) {
        let help = "leave it out, or name other peers";
        return Err(refused(span, format!("there are no peers in `{name}`"), help));
    }
    if parts.len() > PARTS_MAX {
        let message = format!("{} parts are measured by themselves", parts.len());
        let help = format!("at most {PARTS_MAX} are; name fewer");
        return Err(refused(&measure.groups_span, message, &help));
    }
    let named = parts.iter().map(|(name, seats, _)| (name.clone(), seats.clone()));
    Split::new(named, scenario.peers).map(Some).map_err(|(seat, one, two)| {
        let message = format!("peer {seat} is in `{}` and in `{}`", parts[one].0, parts[two].0);
        refused(parts[two].2, message, "each peer is measured in one part; name others")
    })
}
