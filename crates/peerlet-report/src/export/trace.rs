//! A story as a trace in the JSON format that Perfetto and Chrome read: a track for each peer, and
//! an arrow for each message.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::story::StoryLine;

/// The trace of a text of `story.jsonl`. Times are in microseconds from time zero; the digits
/// behind the point are nanoseconds.
///
/// # Errors
/// The number of a line that is wrong, and why.
pub fn perfetto(text: &str) -> Result<String, (usize, String)> {
    let mut events = Vec::new();
    let mut seats = BTreeSet::new();
    let mut arrows = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let line: StoryLine =
            serde_json::from_str(line).map_err(|error| (index + 1, error.to_string()))?;
        seats.insert(line.seat);
        events.extend(step(&line));
        let arrow = line.number.zip(line.other).map(|(number, other)| match line.kind.as_str() {
            "send" => Some(("s", format!("{}-{number}", line.seat))),
            "deliver" => Some(("f", format!("{other}-{number}"))),
            _ => None,
        });
        if let Some((phase, id)) = arrow.flatten() {
            // A copy that the network made has the number of its original: one arrow ends once.
            let is_new = arrows.insert((phase, id.clone()));
            let began = phase == "s" || arrows.contains(&("s", id.clone()));
            if is_new && began {
                let mut flow = json!({
                    "ph": phase, "cat": "message", "name": "message", "id": id,
                    "pid": 1, "tid": line.seat, "ts": micros(line.time),
                });
                if phase == "f" {
                    flow["bp"] = json!("e");
                }
                events.push(flow);
            }
        }
    }
    let names = seats.iter().map(|seat| {
        json!({
            "ph": "M", "name": "thread_name", "pid": 1, "tid": seat,
            "args": { "name": format!("peer {seat}") },
        })
    });
    let process = json!({
        "ph": "M", "name": "process_name", "pid": 1, "args": { "name": "peerlet" },
    });
    let all: Vec<Value> = std::iter::once(process).chain(names).chain(events).collect();
    let trace = json!({ "displayTimeUnit": "ns", "traceEvents": all });
    Ok(format!("{trace}\n"))
}

/// What happened at a peer: a slice of a microsecond, which arrows can end at.
fn step(line: &StoryLine) -> Option<Value> {
    let what = line.message_type.as_deref().or(line.peerlet.as_deref()).unwrap_or("");
    let name = format!("{} {what}", line.kind);
    let mut arguments = serde_json::to_value(line).ok()?;
    let fields = arguments.as_object_mut()?;
    ["time", "seat", "kind"].iter().for_each(|known| drop(fields.remove(*known)));
    Some(json!({
        "ph": "X", "cat": line.kind, "name": name.trim_end(), "pid": 1, "tid": line.seat,
        "ts": micros(line.time), "dur": 1, "args": arguments,
    }))
}

/// Nanoseconds in microseconds.
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_arrows_between_tracks() {
        let text = "{\"time\":5000,\"seat\":1,\"kind\":\"send\",\"other\":2,\"number\":7}\n\
             {\"time\":9500,\"seat\":2,\"kind\":\"deliver\",\"other\":1,\"number\":7}\n\
             {\"time\":9600,\"seat\":2,\"kind\":\"deliver\",\"other\":1,\"number\":7}\n\
             {\"time\":9700,\"seat\":2,\"kind\":\"deliver\",\"other\":3,\"number\":1}\n\
             {\"time\":9800,\"seat\":2,\"kind\":\"timer\",\"peerlet\":\"a\"}\n";
        let trace: Value = serde_json::from_str(&perfetto(text).expect("it is right")).unwrap();
        let events = trace["traceEvents"].as_array().expect("a list");
        let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
        assert_eq!((of("M"), of("X"), of("s"), of("f")), (3, 5, 1, 1));
        let ends = events.iter().find(|event| event["ph"] == "f").expect("it ends");
        assert_eq!((ends["id"].as_str(), ends["ts"].as_f64()), (Some("1-7"), Some(9.5)));
        assert_eq!(perfetto("x").expect_err("it is wrong").0, 1);
    }
}
