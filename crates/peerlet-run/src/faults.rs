//! Changes of the network, read from a scenario's events.

use peerlet_core::runtime::SeatSet;
use peerlet_network::{CALLS, Change, Fault, FaultError};
use peerlet_scenario::{Action, Event, Problem, Problems, Scenario, normalize, suggest};

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
/// nobody, and of several processes each decides for what it sends.
pub fn refuse_live(scenario: &Scenario, is_share: bool) -> Result<(), Problems> {
    let refused = scenario.events.iter().filter_map(|event| {
        let Action::Network { name, arguments, .. } = &event.action else { return None };
        let help = match normalize(name).as_str() {
            "slow" | "pairdelay" => {
                "name a time, as in Network.jitter(200ms), or run it with `sim` or `emulate`"
            }
            "bandwidth" if is_share && arguments.len() > 1 => {
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
