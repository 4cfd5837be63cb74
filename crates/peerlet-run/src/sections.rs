//! The sections of a scenario that the processes of a live run compare when one joins. `[network]`
//! is left out, since a live run does not apply it.

use peerlet_live::Section;
use peerlet_scenario::{Raw, RawValue, StackEntry};

use crate::plan::Plan;
use crate::properties::PlannedProperty;

/// Values up to this many bytes are shown as they are; of longer ones the beginning and a hash.
const SHOWN_MAX: usize = 100;

/// The sections of a plan. The runtime adds the program, the peers, the duration and the peerlets.
pub fn sections(plan: &Plan) -> Vec<Section> {
    let scenario = &plan.scenario;
    let (measure, connection) = (&scenario.measure, &scenario.connection);
    let (timeout, message_max) = (connection.timeout, connection.message_max);
    let mut sections = vec![
        Section::new("seed", scenario.seed),
        Section::new("join", scenario.join),
        Section::new("measure", format_args!("epoch {}, from {}", measure.epoch, measure.from)),
        Section::new("connection", format_args!("timeout {timeout}, message_max {message_max} B")),
    ];
    sections.extend(scenario.stack.iter().map(|entry| peerlet("stack", entry)));
    for group in &scenario.groups {
        let name = format!("group `{}`", group.name);
        sections.push(text(format!("{name}, seats"), &group.seats.to_string()));
        sections.extend(group.stack.iter().map(|entry| peerlet(&name, entry)));
    }
    for PlannedProperty { name, every, from, within, .. } in &plan.properties {
        let within = within.map(|within| format!(", within {within}")).unwrap_or_default();
        let value = format!("every {every}, from {from}{within}");
        sections.push(text(format!("property `{name}`"), &value));
    }
    let timeline = plan.timeline();
    let count = format!("{} entries", timeline.entries().len());
    sections.push(Section::hashed("events and churn", count, &timeline.to_string()));
    sections
}

fn peerlet(of: &str, entry: &StackEntry) -> Section {
    text(format!("{of}, `{}`", entry.name), &written(&entry.params))
}

fn text(name: String, value: &str) -> Section {
    match value.len() <= SHOWN_MAX {
        true => Section::new(name, value),
        false => {
            let beginning = &value[..value.floor_char_boundary(SHOWN_MAX / 2)];
            Section::hashed(name, format_args!("{beginning}..."), value)
        }
    }
}

/// A value as TOML writes it, with the keys of tables in order.
fn written(raw: &Raw) -> String {
    match &raw.value {
        RawValue::Text(text) => format!("{text:?}"),
        RawValue::Integer(number) | RawValue::Float(number) | RawValue::Date(number) => {
            number.clone()
        }
        RawValue::Bool(bool) => bool.to_string(),
        RawValue::List(items) => {
            let items: Vec<_> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        RawValue::Table(parts) => {
            let mut parts: Vec<_> = parts
                .iter()
                .map(|part| format!("{} = {}", part.name, written(&part.raw)))
                .collect();
            parts.sort_unstable();
            format!("{{{}}}", parts.join(", "))
        }
    }
}
