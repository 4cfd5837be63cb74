//! What a scenario's events do to the network.

use peerlet_core::SeatSet;
use peerlet_network::{CALLS, Change, Fault, FaultError};
use peerlet_scenario::{Action, Event, Problem, Problems, Scenario, normalize, suggest};

/// Reads the calls on the network of all events.
pub(crate) fn read(scenario: &Scenario) -> Result<Vec<Fault>, Problems> {
    let (mut faults, mut problems) = (Vec::new(), Vec::new());
    for event in &scenario.events {
        match fault(event, scenario.peers) {
            Some(Ok(fault)) => faults.push(fault),
            Some(Err(error)) => problems.push(problem(scenario, event, &error)),
            None => {}
        }
    }
    if problems.is_empty() { Ok(faults) } else { Err(Problems(problems)) }
}

fn fault(event: &Event, peers: u32) -> Option<Result<Fault, FaultError>> {
    let Action::Network { name, from, arguments } = &event.action else { return None };
    let known = CALLS.iter().find(|call| normalize(call.name) == normalize(name));
    let name = known.map_or(name.as_str(), |call| call.name);
    let change = Change::read(name, from.clone(), arguments).and_then(|change| match change {
        Change::Cut { from: None, .. } if event.seats == SeatSet::all(peers) => {
            Err(FaultError::Nobody)
        }
        change => Ok(change),
    });
    let fault = |change| Fault { at: event.at, seats: event.seats.clone(), change };
    Some(change.map(fault))
}

fn problem(scenario: &Scenario, event: &Event, error: &FaultError) -> Problem {
    let help = match error {
        FaultError::Unknown(name) => {
            let names: Vec<&str> = CALLS.iter().map(|call| call.name).collect();
            match suggest(name, &names) {
                Some(meant) => format!("did you mean Network.{meant}?"),
                None => format!("it has: {}", names.join(", ")),
            }
        }
        _ => String::new(),
    };
    scenario.sources.problem(&event.span, error.to_string(), help)
}

/// Refuses pauses and the calls on the network of all events, for a world that has none of them.
pub(crate) fn refuse(scenario: &Scenario, world: &str) -> Result<(), Problems> {
    let is_call =
        |event: &&Event| matches!(event.action, Action::Pause(_) | Action::Network { .. });
    let refused = scenario.events.iter().filter(is_call).map(|event| {
        let message = format!("not yet: {} in {world}", event.action);
        scenario.sources.problem(&event.span, message, "leave it out, or run it with `sim`")
    });
    let problems: Vec<Problem> = refused.collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}
