//! Changes of the network, read from a scenario's events.

use peerlet_core::runtime::SeatSet;
use peerlet_network::{CALLS, Change, Fault, FaultError};
use peerlet_scenario::{Action, Problem, Problems, Scenario, ScenarioEvent, normalize, suggest};

/// Reads the calls on the network of all events.
pub fn read(scenario: &Scenario) -> Result<Vec<Fault>, Problems> {
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

/// The change of the network that an event is; `None` for events on peers.
pub fn fault(event: &ScenarioEvent, peers: u32) -> Option<Result<Fault, FaultError>> {
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

/// The remedy for a call that the network does not take; empty where the error says it.
pub fn help(error: &FaultError) -> String {
    let FaultError::Unknown(name) = error else { return String::new() };
    let names: Vec<&str> = CALLS.iter().map(|call| call.name).collect();
    match suggest(name, &names) {
        Some(meant) => format!("did you mean Network.{meant}?"),
        None => format!("it has: {}", names.join(", ")),
    }
}

fn problem(scenario: &Scenario, event: &ScenarioEvent, error: &FaultError) -> Problem {
    let help = help(error);
    let Action::Network { from, .. } = &event.action else {
        unreachable!("only calls have faults")
    };
    // The others that the call names come first, and are no argument any more.
    let argument = error.argument().map(|argument| argument + usize::from(from.is_some()));
    let span = match argument {
        Some(argument) => scenario.sources.argument(&event.span, argument),
        None => event.span.clone(),
    };
    scenario.sources.problem(&span, error.to_string(), help)
}

/// Refuses what cannot be done to the real network: how long anything takes there is known to
/// nobody, and of several processes each decides for what it sends. `faults` are those that
/// [`read`] gave for the scenario.
pub fn refuse_live(scenario: &Scenario, faults: &[Fault], is_share: bool) -> Result<(), Problems> {
    let is_fault = |event: &&ScenarioEvent| matches!(event.action, Action::Network { .. });
    let calls = scenario.events.iter().filter(is_fault).zip(faults);
    let refused = calls.filter_map(|(event, fault)| {
        let help = match fault.change {
            Change::Slow(_) | Change::PairDelay { .. } => {
                "name a time, as in Network.jitter(200ms), or run it with `sim` or `emulate`"
            }
            Change::Bandwidth { down: Some(_), .. } if is_share => {
                "leave the second rate out, or run all peers in one process"
            }
            _ => return None,
        };
        let message = format!("not yet: {} in live runs", event.action);
        Some(scenario.sources.problem(&event.span, message, help))
    });
    let problems: Vec<Problem> = refused.collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}
