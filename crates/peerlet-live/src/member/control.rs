//! The datagrams that the processes of one run exchange, beside those of their peers.
//!
//! Each message is a small datagram that may get lost: a process that wants an answer asks again.
//! No answer is larger than three times its question, whatever the question claims, so that nobody
//! can be made to flood a third party.

use std::fmt;
use std::net::SocketAddr;

use peerlet_core::{DATAGRAM_MAX, Identity, wire};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::fingerprint::{Fingerprint, Section};
use crate::process::Process;
use crate::refusal::Refusal;

/// Bytes of a report in one datagram.
pub(crate) const PIECE_MAX: usize = 900;
/// Pieces of one report: 3.6 MB, a thousand metrics with full histograms.
pub(crate) const PIECES_MAX: u32 = 4_096;
/// Bytes that are added to a question whose answer is long.
const PADDING: usize = 360;
/// The least length of a question that follows from a datagram: its answer holds any process and
/// any section.
const FOLLOWING_MIN: usize = 100;

/// The most sections in one datagram. Empty ones take two bytes there and 48 in memory: 3 KiB.
pub(crate) const SECTIONS_EACH_MAX: usize = 64;

/// One datagram between processes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Control {
    /// To seat 0's process: this process takes part, and is there. Sent again and again.
    Join {
        process: Process,
        /// The fingerprint of the run's sections.
        run: Fingerprint,
        /// The address at which seat 0's process is asked.
        asked: SocketAddr,
        /// The sender's clock, in nanoseconds: comes back with the answer.
        sent: u64,
    },
    /// Yes; and how things stand.
    Welcome {
        /// The asker's clock, as it was sent.
        sent: u64,
        /// The clock of seat 0's process.
        clock: u64,
        /// Time zero by that clock, once it is set.
        zero: Option<u64>,
        /// The version of the map.
        version: u64,
        /// The address that the asker is seen at.
        seen: SocketAddr,
    },
    /// No, and why.
    Refused { why: Refusal },
    /// Asks for the map from this process on.
    AskMap { from: u32, padding: Vec<u8> },
    /// A part of the map.
    Map { version: u64, from: u32, processes: Vec<Process>, total: u32 },
    /// Asks what the run is made of, from this section on.
    AskSections { from: u32, padding: Vec<u8> },
    /// Some of the sections.
    Sections {
        from: u32,
        #[serde(deserialize_with = "few")]
        sections: Vec<Section>,
        total: u32,
    },
    /// A piece of a report.
    Piece { incarnation: u64, report: u32, piece: u32, pieces: u32, bytes: Vec<u8> },
    /// The piece has arrived.
    Taken { report: u32, piece: u32 },
    /// To a process that takes part: another one wants its seats; is it there?
    Probe,
}

/// Reads a list of sections and refuses one that is too long, before there is room for it.
fn few<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Section>, D::Error> {
    struct Few;

    impl<'de> Visitor<'de> for Few {
        type Value = Vec<Section>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {SECTIONS_EACH_MAX} sections")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Section>, A::Error> {
            let mut sections = Vec::new();
            while let Some(section) = items.next_element()? {
                if sections.len() == SECTIONS_EACH_MAX {
                    return Err(A::Error::invalid_length(SECTIONS_EACH_MAX + 1, &self));
                }
                sections.push(section);
            }
            Ok(sections)
        }
    }

    from.deserialize_seq(Few)
}

impl Control {
    pub(crate) fn ask_map(from: u32) -> Control {
        Control::AskMap { from, padding: vec![0; PADDING] }
    }

    pub(crate) fn ask_sections(from: u32) -> Control {
        Control::AskSections { from, padding: vec![0; PADDING] }
    }

    /// A question that follows from a datagram of this length, padded to three times that at most:
    /// strangers may have sent the datagram with another address. None where the answer could hold
    /// nothing then; it is asked again, in full, by the clock.
    pub(crate) fn following(mut self, len: usize) -> Option<Control> {
        let excess = wire::encoded_len(&self).ok()?.saturating_sub(answer_max(len));
        if let Control::AskMap { padding, .. } | Control::AskSections { padding, .. } = &mut self {
            padding.truncate(padding.len().saturating_sub(excess));
            let is_useful = wire::encoded_len(&self).ok()? >= FOLLOWING_MIN;
            return is_useful.then_some(self);
        }
        Some(self)
    }
}

/// The bytes that an answer to a question of this length may have.
pub(crate) fn answer_max(question: usize) -> usize {
    (3 * question).min(DATAGRAM_MAX)
}

/// As many items from the front as an answer of at most `room` bytes holds beside `head` bytes of
/// its own.
pub(crate) fn fitting<T: Serialize + Clone>(
    items: impl Iterator<Item = T>,
    head: usize,
    room: usize,
) -> Vec<T> {
    let mut left = room.saturating_sub(head);
    items
        .map_while(|item| {
            let len = wire::encoded_len(&item).ok()?;
            left = left.checked_sub(len)?;
            Some(item)
        })
        .collect()
}

/// Bytes that the largest head of a map or of sections takes: kind, three numbers, a length.
pub(crate) const ANSWER_HEAD: usize = 1 + 10 + 5 + 5 + 5;

/// The sender of a message: its socket, and the identity of its connection where sockets have
/// identities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Speaker {
    pub(crate) socket: SocketAddr,
    pub(crate) identity: Option<Identity>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::SHARDS_MAX;

    fn process(ports: usize) -> Process {
        let ports = (0..ports).map(|port| 60_000 + port as u16).collect();
        let ip = "192.0.2.1".parse().unwrap();
        Process::new(u64::MAX, (1_000_000, 2_000_000), ip, ports, Identity([255; 32]))
    }

    fn len(control: &Control) -> usize {
        wire::encoded_len(control).unwrap()
    }

    #[test]
    fn everything_fits_a_datagram_and_nothing_amplifies() {
        let asked = "[2001:db8::1]:65535".parse().unwrap();
        let run = Fingerprint::of(&[]);
        let join = |ports| Control::Join { process: process(ports), run, asked, sent: u64::MAX };
        let (sent, clock, zero) = (u64::MAX, u64::MAX, Some(u64::MAX));
        let welcome = Control::Welcome { sent, clock, zero, version: u64::MAX, seen: asked };
        let refused = [
            Refusal::Taken { first: u32::MAX, last: u32::MAX, can_change: true },
            Refusal::SameSocket { at: asked },
            Refusal::Advertised { seen: asked },
            Refusal::Seats { count: u32::MAX },
        ];
        let bytes = vec![0; PIECE_MAX];
        let (report, piece, pieces) = (u32::MAX, u32::MAX, u32::MAX);
        let part = Control::Piece { incarnation: u64::MAX, report, piece, pieces, bytes };
        for control in [&join(SHARDS_MAX), &welcome, &part] {
            assert!(len(control) <= DATAGRAM_MAX, "{} bytes", len(control));
        }
        assert!(len(&welcome) <= answer_max(len(&join(1))));
        for why in refused {
            assert!(len(&Control::Refused { why }) <= answer_max(len(&join(1))));
        }
    }

    #[test]
    fn questions_that_follow_are_padded_to_three_times_their_cause() {
        for question in [Control::ask_map(7), Control::ask_sections(u32::MAX)] {
            for cause in 0..200 {
                match question.clone().following(cause) {
                    Some(cut) if len(&question) <= answer_max(cause) => assert_eq!(cut, question),
                    Some(cut) => {
                        assert!((FOLLOWING_MIN..=answer_max(cause)).contains(&len(&cut)));
                    }
                    None => assert!(cause <= FOLLOWING_MIN.div_ceil(3), "{cause}"),
                }
            }
        }
        let largest = Section::new("n".repeat(200), "v".repeat(200));
        let room = answer_max(FOLLOWING_MIN);
        assert_eq!(fitting([process(SHARDS_MAX)].into_iter(), ANSWER_HEAD, room).len(), 1);
        assert_eq!(fitting([largest].into_iter(), ANSWER_HEAD, room).len(), 1);
        assert_eq!(Control::Probe.following(1), Some(Control::Probe));
    }

    #[test]
    fn a_message_has_a_bounded_number_of_sections() {
        let answer = |count| {
            let sections = vec![Section::new("", ""); count];
            let mut bytes = Vec::new();
            wire::encode(&Control::Sections { from: 0, sections, total: 9 }, &mut bytes).unwrap();
            wire::decode::<Control>(&bytes)
        };
        let Ok(Control::Sections { sections, .. }) = answer(SECTIONS_EACH_MAX) else { panic!() };
        assert_eq!(sections.len(), SECTIONS_EACH_MAX);
        assert!(sections.capacity() * size_of::<Section>() <= 4096);
        assert_eq!(answer(SECTIONS_EACH_MAX + 1), Err(wire::DecodeError::Malformed));
    }

    #[test]
    fn an_answer_is_as_long_as_its_question_allows() {
        let processes = vec![process(SHARDS_MAX); 9];
        let map = |room| {
            let processes = fitting(processes.iter().cloned(), ANSWER_HEAD, room);
            let count = processes.len();
            let (version, from, total) = (u64::MAX, u32::MAX, u32::MAX);
            (count, len(&Control::Map { version, from, processes, total }))
        };
        let empty = len(&Control::AskMap { from: 0, padding: vec![] });
        assert_eq!(map(answer_max(empty)).0, 0, "an empty question gets nothing");
        let asked = answer_max(len(&Control::ask_map(0)));
        let (count, len) = map(asked);
        assert!(count >= 3 && len <= asked, "{count} processes in {len} bytes of {asked}");
    }
}
