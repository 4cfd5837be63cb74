//! One line of a story, in a file or on a terminal.

use std::fmt::Write as _;

use peerlet_core::runtime::{Call, Registry};
use peerlet_core::{Duration, Time};
use peerlet_sim::{StoryEvent, StoryEventKind};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A longer message is cut off: more is told by the size.
const MESSAGE_MAX: usize = 4_096;

/// A longer message is cut off on a terminal.
const SHOWN_MAX: usize = 200;

/// One line of a story: something that happened.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoryLine {
    /// When, in nanoseconds from time zero.
    pub time: u64,
    /// The peer's seat.
    pub seat: u32,
    /// What happened: `send`, `drop`, or the kind of an event.
    pub kind: String,
    /// The seat of the other peer of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<u32>,
    /// The peerlet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peerlet: Option<String>,
    /// The type of a message.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub message_type: Option<String>,
    /// The class of a message, `datagram` or `reliable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The encoded size of a message, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// The number of the message among the events of its sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// The number of the question that a message is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<u32>,
    /// The number of the question that a message answers, or says that it has no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<u32>,
    /// Why a message was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The message, or its beginning as a text where it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<RawValue>>,
}

impl StoryLine {
    /// The line of an event.
    pub fn of(event: &StoryEvent, registry: &Registry) -> StoryLine {
        let entry = event.port.and_then(|port| registry.entry(port));
        let (question, answer) = match event.call {
            Call::None => (None, None),
            Call::Question(id) => (Some(id), None),
            Call::Answer(id) | Call::NoAnswer(id) => (None, Some(id)),
        };
        StoryLine {
            time: event.time.as_nanos(),
            seat: event.seat.0,
            kind: event.kind.name().to_owned(),
            other: event.other.map(|seat| seat.0),
            peerlet: entry.map(|entry| entry.name().to_owned()),
            message_type: entry
                .filter(|_| event.class.is_some())
                .map(|entry| entry.message_type().to_owned()),
            class: event.class.map(|class| class.name().to_owned()),
            size: event.size,
            number: event.number,
            question,
            answer,
            cause: match event.kind {
                StoryEventKind::Dropped(cause) => Some(cause.name().to_owned()),
                _ => None,
            },
            message: event.message.as_deref().and_then(raw),
        }
    }

    /// The line as a person reads it.
    pub fn text(&self) -> String {
        let StoryLine { seat, kind, .. } = self;
        let at = Time::ZERO + Duration::from_nanos(self.time);
        let mut text = format!("{:<14} peer {seat:<6} {kind:<11}", at.to_string());
        match (self.other, kind.as_str()) {
            (Some(other), "deliver") => write!(text, " from {other:<5}"),
            (Some(other), _) => write!(text, " to {other:<7}"),
            (None, "send" | "drop") => write!(text, " to nobody "),
            (None, _) => write!(text, "           "),
        }
        .expect("a text takes all");
        text += &format!(" {}", self.peerlet.as_deref().unwrap_or(""));
        if let Some(cause) = &self.cause {
            text += &format!(": {cause}");
        }
        if let Some(id) = self.question {
            text += &format!(", question {id}");
        }
        if let Some(id) = self.answer {
            text += &format!(", answer to {id}");
        }
        if let Some(size) = self.size {
            text += &format!(", {size} B");
        }
        if let Some(message) = self.message() {
            text += &format!(": {message}");
        }
        text.trim_end().to_owned()
    }

    /// The message as JSON, cut where it is long; its type alone where it has no content.
    pub fn message(&self) -> Option<String> {
        let message = match self.message.as_ref()?.get() {
            "null" => self.message_type.as_deref()?,
            message => message,
        };
        let shown: String = message.chars().take(SHOWN_MAX).collect();
        Some(if shown.len() < message.len() { shown + "..." } else { shown })
    }
}

/// A message as it stands in a line.
fn raw(message: &str) -> Option<Box<RawValue>> {
    if message.len() <= MESSAGE_MAX {
        return RawValue::from_string(message.to_owned()).ok();
    }
    let end = (0..=MESSAGE_MAX).rev().find(|end| message.is_char_boundary(*end))?;
    serde_json::value::to_raw_value(&format!("{}...", &message[..end])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_field() {
        let line = StoryLine {
            time: 1,
            seat: 3,
            kind: "send".to_owned(),
            other: Some(7),
            peerlet: Some("ring".to_owned()),
            message_type: Some("Message".to_owned()),
            class: Some("datagram".to_owned()),
            size: Some(2),
            number: Some(5),
            question: Some(1),
            answer: Some(1),
            cause: Some("loss".to_owned()),
            message: raw("{}"),
        };
        let text = serde_json::to_string(&line).expect("it is JSON");
        let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let page = include_str!("../../../../docs/RUN_FOLDER.md");
        let (_, page) = page.split_once("## story.jsonl").expect("it has that section");
        for field in json.as_object().expect("an object").keys() {
            assert!(page.contains(&format!("`{field}`")), "docs/RUN_FOLDER.md lacks `{field}`");
        }
    }

    #[test]
    fn a_long_message_is_cut_and_the_line_stays_json() {
        let long = format!("[{}0]", "1,".repeat(5_000));
        let cut = raw(&long).expect("it is JSON");
        let text: String = serde_json::from_str(cut.get()).expect("it is a text");
        assert!(text.len() < 5_000 && text.ends_with("..."));
        assert_eq!(raw("{\"a\":1}").expect("it is JSON").get(), "{\"a\":1}");
    }
}
