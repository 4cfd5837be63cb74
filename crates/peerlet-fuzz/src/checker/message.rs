//! Messages between checkers. Each is sealed, so that flipped bits are detected.

use peerlet_core::runtime::mix;
use peerlet_core::{Seat, Time};
use serde::{Deserialize, Serialize};

/// A message between checkers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Sent as a datagram.
    Datagram(Stamp),
    /// Sent reliably.
    Reliable(Stamp),
    /// Asked in a task.
    Question(Stamp),
    /// The answer to the question with this stamp.
    Answer(Stamp),
}

/// The identification of one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// The life of its sender, or for an answer that of the asker.
    pub(crate) life: u32,
    /// For a datagram or a question, its number among all of its seat. For a reliable message, its
    /// number among those from its sender's life to its receiver.
    pub(crate) number: u64,
    /// The seat that it is for.
    pub(crate) to: u32,
    /// When it was sent, in nanoseconds.
    pub(crate) at: u64,
    seal: u64,
}

impl Stamp {
    /// A stamp without a seal.
    pub(crate) fn new(life: u32, number: u64, to: Seat, at: Time) -> Stamp {
        Stamp { life, number, to: to.0, at: at.as_nanos(), seal: 0 }
    }
}

impl Message {
    fn stamp_mut(&mut self) -> &mut Stamp {
        match self {
            Message::Datagram(stamp)
            | Message::Reliable(stamp)
            | Message::Question(stamp)
            | Message::Answer(stamp) => stamp,
        }
    }

    fn kind(&self) -> u64 {
        match self {
            Message::Datagram(_) => 0,
            Message::Reliable(_) => 1,
            Message::Question(_) => 2,
            Message::Answer(_) => 3,
        }
    }

    fn seal(&mut self, from: Seat) -> u64 {
        let kind = self.kind();
        let Stamp { life, number, to, at, .. } = *self.stamp_mut();
        let words = [u64::from(from.0), kind, u64::from(life), number, u64::from(to), at];
        words.iter().fold(0, |seal, word| mix(seal ^ word))
    }

    /// The message, sealed by its sender.
    pub(crate) fn sealed(mut self, from: Seat) -> Message {
        self.stamp_mut().seal = self.seal(from);
        self
    }

    /// Whether it is what its sender sealed.
    pub(crate) fn is_whole(mut self, from: Seat) -> bool {
        self.stamp_mut().seal == self.seal(from)
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::wire;

    use super::*;

    #[test]
    fn golden_bytes() {
        let stamp = Stamp { seal: 9, ..Stamp::new(1, 300, Seat(2), Time::from_nanos(5)) };
        let all = [Message::Datagram, Message::Reliable, Message::Question, Message::Answer];
        for (kind, message) in (0u8..).zip(all) {
            let mut bytes = Vec::new();
            wire::encode(&message(stamp), &mut bytes).unwrap();
            assert_eq!(bytes[..2], [kind, 1]);
            assert_eq!(wire::decode::<Message>(&bytes).unwrap(), message(stamp));
            assert_eq!(bytes[2..], GOLDEN);
        }
    }

    /// The number 300, the seat 2, the instant 5, the seal 9.
    const GOLDEN: [u8; 5] = [172, 2, 2, 5, 9];

    #[test]
    fn a_flipped_bit_breaks_the_seal() {
        let stamp = Stamp::new(1, 300, Seat(2), Time::from_nanos(5));
        let whole = Message::Datagram(stamp).sealed(Seat(7));
        assert!(whole.is_whole(Seat(7)) && !whole.is_whole(Seat(6)));
        let Message::Datagram(stamp) = whole else { panic!("it is a datagram") };
        assert!(!Message::Reliable(stamp).is_whole(Seat(7)));
        assert!(!Message::Datagram(Stamp { number: 301, ..stamp }).is_whole(Seat(7)));
    }
}
