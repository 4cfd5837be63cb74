//! How the properties of a run ended.

use std::collections::BTreeMap;
use std::fmt;

use peerlet_core::property::Violation;
use peerlet_core::{Seat, Time};
use serde::{Deserialize, Serialize};

use crate::properties::planned::PlannedProperty;

/// How a property ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PropertyVerdict {
    /// It held as it has to.
    Held,
    /// It did not.
    Failed,
    /// It is to hold sometimes, and never did.
    Never,
    /// The run ended before it had to hold.
    Undecided,
}

/// What became of one property in a run. No digest covers it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PropertyReport {
    /// Its name, with that of its peerlet in front where it has one.
    pub name: String,
    /// When it has to hold: `always`, `eventually` or `sometimes`.
    pub kind: String,
    /// How it ended.
    pub verdict: PropertyVerdict,
    /// Whether the run is fine by it: whether it did not fail, and held where that is required.
    pub held: bool,
    /// How often it was checked.
    pub checked: u64,
    /// How many lives it came to hold of, where it is to in each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lives: Option<u64>,
    /// The instant of the check at which it held first, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_at: Option<f64>,
    /// The instant of the check at which it failed, or did not hold last, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<f64>,
    /// The same in nanoseconds.
    #[serde(skip)]
    pub failed_time: Option<Time>,
    /// What was wrong then.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The peers that it concerns, each with a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<(u32, String)>,
    /// The states of these peers then, as the snapshots of their peerlets tell them: seat, and
    /// texts by peerlet. Peers without a snapshot are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<(u32, BTreeMap<String, String>)>,
    /// How many more peers it concerns.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl PropertyReport {
    pub(crate) fn new(
        planned: &PlannedProperty,
        (checked, lives): (u64, Option<u64>),
        verdict: PropertyVerdict,
        held_at: Option<Time>,
        violation: Option<(Time, Violation)>,
    ) -> PropertyReport {
        let held = match verdict {
            PropertyVerdict::Held | PropertyVerdict::Undecided => true,
            PropertyVerdict::Failed => false,
            PropertyVerdict::Never => !planned.is_required,
        };
        let failed_time = violation.as_ref().map(|(at, _)| *at);
        let violation = violation.map(|(_, violation)| violation);
        let peers = violation.iter().flat_map(Violation::peers);
        PropertyReport {
            name: planned.name.clone(),
            kind: planned.property.kind().name().to_owned(),
            verdict,
            held,
            checked,
            lives,
            held_at: held_at.map(Time::as_secs_f64),
            failed_at: failed_time.map(Time::as_secs_f64),
            failed_time,
            message: violation.as_ref().map(|one| cut(one.message())).unwrap_or_default(),
            peers: peers.map(|(seat, message)| (seat.0, cut(message))).collect(),
            states: violation.iter().flat_map(Violation::states).map(state).collect(),
            more: violation.as_ref().map_or(0, Violation::more),
        }
    }

    /// The sentence on a violation: its own, or how many peers it concerns.
    fn sentence(&self) -> String {
        match (&*self.message, self.peers.len() as u64 + self.more) {
            ("", 0) => "it does not hold".to_owned(),
            ("", 1) => "it does not hold of 1 peer".to_owned(),
            ("", peers) => format!("it does not hold of {peers} peers"),
            (message, _) => message.to_owned(),
        }
    }
}

/// The peers whose states a table shows.
const STATES_SHOWN: usize = 3;

/// The state of a peer; long texts are cut.
fn state((seat, told): &(Seat, Vec<(&'static str, String)>)) -> (u32, BTreeMap<String, String>) {
    (seat.0, told.iter().map(|(name, text)| ((*name).to_owned(), cut(text))).collect())
}

/// The most bytes of a sentence.
const SENTENCE_MAX: usize = 1_000;

/// A sentence of a check, cut where it is long.
fn cut(sentence: &str) -> String {
    match (0..=SENTENCE_MAX).rev().find(|end| sentence.is_char_boundary(*end)) {
        Some(end) if end < sentence.len() => format!("{}...", &sentence[..end]),
        _ => sentence.to_owned(),
    }
}

/// A text of several lines, whose later ones cannot be taken for lines of a table.
fn indented(text: &str) -> String {
    text.replace('\n', "\n           ")
}

impl fmt::Display for PropertyReport {
    /// One line, and one for each peer that is named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PropertyReport { name, kind, verdict, checked, .. } = self;
        let word = match verdict {
            PropertyVerdict::Held => "held",
            PropertyVerdict::Failed => "FAILED",
            PropertyVerdict::Never if !self.held => "FAILED",
            PropertyVerdict::Never => "never",
            PropertyVerdict::Undecided => "open",
        };
        let s = if *checked == 1 { "" } else { "s" };
        write!(f, "{word:<6} {kind} {}: ", indented(name))?;
        if let (PropertyVerdict::Held, Some(lives)) = (verdict, self.lives) {
            write!(f, "of {lives} li{}, ", if lives == 1 { "fe" } else { "ves" })?;
        }
        match (verdict, self.held_at, self.failed_time) {
            (PropertyVerdict::Held, Some(at), _) if kind != "always" => {
                write!(f, "first at {at} s")?;
            }
            (PropertyVerdict::Failed, _, Some(at)) => {
                write!(f, "at {at}: {}", indented(&self.sentence()))?;
            }
            (PropertyVerdict::Never, ..) => write!(f, "it never held")?,
            (PropertyVerdict::Undecided, ..) if *checked == 0 => write!(f, "it was not checked")?,
            (PropertyVerdict::Undecided, Some(_), _) => write!(f, "it held so far")?,
            (PropertyVerdict::Undecided, None, _) => write!(f, "it did not hold so far")?,
            _ => write!(f, "at every check")?,
        }
        write!(f, " ({checked} check{s})")?;
        for (seat, message) in &self.peers {
            write!(f, "\n         peer {seat}")?;
            if !message.is_empty() {
                write!(f, ": {}", indented(message))?;
            }
            let mut shown = self.states.iter().take(STATES_SHOWN);
            for (name, text) in shown.find(|(at, _)| at == seat).iter().flat_map(|(_, told)| told) {
                write!(f, "\n           {name}: {}", indented(text))?;
            }
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n         and {more} more"),
        }
    }
}
