//! `list`: everything that scenarios can name.

use std::fmt::Write;

use clap::Args;
use peerlet_core::Property;
use peerlet_network::{CALLS, LAYERS, MODELS};
use peerlet_report::json_line;
use peerlet_run::{Entry, Experiment, Parameter};
use peerlet_scenario::{NAMED_CHURN, PEER_CALLS};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::print::print;

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the `list` command: peerlets with their parameters, commands and measures, and network
/// models.
pub(crate) fn run(experiment: &Experiment, list: &List) -> Result<Exit, Failure> {
    print(&if list.json { json_line(&value(experiment)) } else { text(experiment) })
}

fn text(experiment: &Experiment) -> String {
    let mut out = String::from("Peerlets\n");
    for entry in experiment.catalog.entries() {
        peerlet(&mut out, entry).expect("a text takes all");
    }
    if !experiment.properties.is_empty() {
        out += "\nProperties of this program\n\n";
    }
    for property in &experiment.properties {
        out += &format!("  {}  [{property}; {}]\n", property.name(), scope(property));
    }
    out += "\nNetwork models\n";
    for model in MODELS {
        out += &format!("\n  {:<24} {}\n", model.name, model.help);
        for p in model.parameters {
            let default = p.default.unwrap_or("must be given");
            out += &format!("    {:<22} {} [{}; {default}]\n", p.name, p.help, p.shape);
        }
    }
    for own in experiment.models.own() {
        out += &format!("\n  {own:<24} this program's own\n");
    }
    out += "\nLayers around every network model\n\n";
    for layer in LAYERS {
        out += &format!("  {:<24} {}\n    {:<22} [{}]\n", layer.name, layer.help, "", layer.shape);
    }
    out += "\nChurn as measured\n\n";
    for named in NAMED_CHURN {
        out += &format!("  {:<24} {}\n", named.name, named.help);
    }
    out += "\nCalls on peers, in event lines: PEERS TIME Peer.CALL\n\n";
    for (call, help) in PEER_CALLS {
        out += &format!("  {call:<26} {help}\n");
    }
    out += "\nCalls on the network, in event lines: PEERS TIME Network.CALL\n\n";
    for entry in CALLS {
        out += &format!("  {:<24} {}\n", entry.name, entry.help);
        out += &format!("    {:<22} {}\n", "", entry.call);
    }
    out
}

fn peerlet(out: &mut String, entry: &Entry) -> std::fmt::Result {
    let about = entry.about.entries().first();
    writeln!(out, "\n  {:<24} {}", entry.name, about.map_or("", |about| about.help()))?;
    if let Some(about) = about {
        let uses: Vec<_> = about.uses().collect();
        if !uses.is_empty() {
            writeln!(out, "    uses {}", uses.join(", "))?;
        }
        for role in about.plays() {
            writeln!(out, "    plays {role}")?;
        }
        for role in about.wants() {
            writeln!(out, "    wants {role}")?;
        }
        for need in about.needs() {
            writeln!(out, "    needs {}", need.name())?;
        }
    }
    if about.is_some_and(|about| about.links().is_some()) {
        writeln!(out, "    tells its links")?;
    }
    for (parameter, default) in &entry.parameters {
        let (name, what) = (parameter.name(), parameter.description());
        let unit = parameter.unit_symbol().map(|unit| format!(" {unit}")).unwrap_or_default();
        writeln!(out, "    {name:<22} {what} [{default}{unit}]")?;
    }
    let Some(about) = about else { return Ok(()) };
    for command in about.commands() {
        writeln!(out, "    {command}  {}", command.description())?;
    }
    for metric in about.metrics() {
        let (kind, unit) = (metric.kind().name(), metric.unit_symbol());
        let name = format!("{}/{}", entry.name, metric.name());
        writeln!(out, "    {name:<22} {} [{kind}, {unit}]", metric.description())?;
        for tag in metric.tags() {
            writeln!(out, "      tag {:<18} {}", tag.name, tag.values.join(", "))?;
        }
    }
    for property in about.properties() {
        let scope = scope(property);
        writeln!(out, "    {}/{}  [{property}; {scope}]", entry.name, property.name())?;
    }
    Ok(())
}

/// The scope of a property, in words.
fn scope(property: &Property) -> &'static str {
    match property.is_of_the_whole_network() {
        true => "of the whole network",
        false => "of each peer",
    }
}

/// One property; one of progress has the time within which it has to hold, if it says one.
fn property(owner: Option<&str>, property: &Property) -> Value {
    let owner = owner.map(|owner| format!("{owner}/")).unwrap_or_default();
    let mut value = json!({
        "name": format!("{owner}{}", property.name()),
        "kind": property.kind().name(),
        "scope": if property.is_of_the_whole_network() { "network" } else { "peer" },
        "stays": property.stays(),
    });
    if let Some(time) = property.time() {
        value["within"] = json!(time.to_string());
    }
    value
}

/// One parameter; it has a unit where its type says none.
fn parameter((parameter, default): &(Parameter, String)) -> Value {
    let mut value = json!({
        "name": parameter.name(), "help": parameter.description(), "default": default,
    });
    if let Some(unit) = parameter.unit_symbol() {
        value["unit"] = json!(unit);
    }
    value
}

fn value(experiment: &Experiment) -> Value {
    let peerlets = experiment.catalog.entries().iter().map(|entry| {
        let about = entry.about.entries().first();
        json!({
            "name": entry.name,
            "help": about.map_or("", |about| about.help()),
            "uses": about.map_or(vec![], |about| about.uses().collect()),
            "plays": about.map_or(vec![], |about| about.plays().collect()),
            "wants": about.map_or(vec![], |about| about.wants().collect()),
            "needs": about.map_or(vec![], |a| a.needs().iter().map(|n| n.name()).collect()),
            "links": about.is_some_and(|about| about.links().is_some()),
            "parameters": entry.parameters.iter().map(parameter).collect::<Vec<_>>(),
            "commands": about.map_or(vec![], |a| a.commands().iter().map(|c| json!({
                "call": c.to_string(), "help": c.description(),
            })).collect()),
            "measures": about.map_or(vec![], |a| a.metrics().iter().map(|m| json!({
                "name": format!("{}/{}", entry.name, m.name()), "kind": m.kind().name(),
                "unit": m.unit_symbol(), "help": m.description(),
            })).collect()),
            "properties": about.map_or(vec![], |a| {
                a.properties().iter().map(|p| property(Some(entry.name), p)).collect()
            }),
        })
    });
    let models = MODELS.iter().map(|model| {
        json!({
            "name": model.name,
            "help": model.help,
            "parameters": model.parameters.iter().map(|p| json!({
                "name": p.name, "shape": p.shape, "default": p.default, "help": p.help,
            })).collect::<Vec<_>>(),
        })
    });
    let layers = LAYERS
        .iter()
        .map(|layer| json!({ "name": layer.name, "help": layer.help, "shape": layer.shape }));
    let calls = CALLS
        .iter()
        .map(|entry| json!({ "name": entry.name, "help": entry.help, "call": entry.call }));
    let own: Vec<_> = experiment.models.own().collect();
    let properties: Vec<_> = experiment.properties.iter().map(|own| property(None, own)).collect();
    json!({
        "peerlets": peerlets.collect::<Vec<_>>(),
        "models": models.collect::<Vec<_>>(),
        "layers": layers.collect::<Vec<_>>(),
        "churn": NAMED_CHURN
            .iter()
            .map(|named| json!({ "name": named.name, "help": named.help }))
            .collect::<Vec<_>>(),
        "peer_calls": PEER_CALLS
            .iter()
            .map(|(call, help)| json!({ "call": call, "help": help }))
            .collect::<Vec<_>>(),
        "network_calls": calls.collect::<Vec<_>>(),
        "own_models": own,
        "own_properties": properties,
    })
}
