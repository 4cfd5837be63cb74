//! Peers that violate the protocol (Byzantine faults): they do not send what their peerlets said.
//!
//! Tampering acts on encoded messages, so that it is the same for every peerlet and in every world.
//! For misbehavior of its own, a peerlet has a command.

use std::collections::VecDeque;
use std::fmt;

use crate::parcel::{Parcel, Port};
use crate::random::Seed;

/// Messages that a peer remembers to send again.
const PAST_MAX: usize = 16;

/// How a peer tampers with its messages to others from now on, in addition to earlier tampering.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Tampering {
    /// It no longer tampers.
    End,
    /// It omits messages with this probability.
    Drop(f64),
    /// It flips a bit of messages with this probability.
    Mutate(f64),
    /// With this probability it sends, besides a message, one of its peerlet's last ones again.
    Replay(f64),
    /// With this probability it sends, instead of a message, one of its peerlet's last ones, which
    /// was meant for this peer or for another: different peers get different messages.
    Equivocate(f64),
}

impl Tampering {
    /// The ways by name, in the order of the alphabet.
    pub const NAMES: [&str; 4] = ["drop", "equivocate", "mutate", "replay"];

    /// A way of tampering by its name and probability; `None` when there is no such name, or the
    /// probability is not valid.
    pub fn read(name: &str, probability: f64) -> Option<Tampering> {
        let make = match name {
            "drop" => Tampering::Drop,
            "equivocate" => Tampering::Equivocate,
            "mutate" => Tampering::Mutate,
            "replay" => Tampering::Replay,
            _ => return None,
        };
        (0.0..=1.0).contains(&probability).then(|| make(probability))
    }
}

impl fmt::Display for Tampering {
    /// Writes the arguments of the call that asks for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tampering::End => Ok(()),
            Tampering::Drop(p) => write!(f, "\"drop\", {p:?}"),
            Tampering::Mutate(p) => write!(f, "\"mutate\", {p:?}"),
            Tampering::Replay(p) => write!(f, "\"replay\", {p:?}"),
            Tampering::Equivocate(p) => write!(f, "\"equivocate\", {p:?}"),
        }
    }
}

/// A peer that tampers: its ways of tampering, and the messages that it remembers for them.
///
/// ```
/// use peerlet_core::Seed;
/// use peerlet_core::runtime::{Parcel, Port, Tampering, Tampers};
/// let mut tampers = Tampers::new(Seed::new(7));
/// tampers.set(Tampering::Drop(1.0));
/// assert_eq!(tampers.tamper(Port(0), &Parcel::encoded(b"truth".to_vec())), Some(vec![]));
/// ```
#[derive(Debug)]
pub struct Tampers {
    seed: Seed,
    /// How many messages it looked at: each has random choices of its own.
    count: u64,
    drop: f64,
    mutate: f64,
    replay: f64,
    equivocate: f64,
    past: VecDeque<(Port, Vec<u8>)>,
}

impl Tampers {
    /// A peer that does not tamper yet, whose random choices begin here.
    pub fn new(seed: Seed) -> Tampers {
        let (drop, mutate, replay, equivocate) = Default::default();
        Tampers { seed, count: 0, drop, mutate, replay, equivocate, past: VecDeque::new() }
    }

    /// Tampers in this way from now on.
    pub fn set(&mut self, tampering: Tampering) {
        match tampering {
            Tampering::End => *self = Tampers { count: self.count, ..Tampers::new(self.seed) },
            Tampering::Drop(probability) => self.drop = probability,
            Tampering::Mutate(probability) => self.mutate = probability,
            Tampering::Replay(probability) => self.replay = probability,
            Tampering::Equivocate(probability) => self.equivocate = probability,
        }
    }

    /// The replacement of a message, encoded: nothing, another message, two; `None` where it
    /// goes out as it is.
    pub fn tamper(&mut self, port: Port, parcel: &Parcel) -> Option<Vec<Vec<u8>>> {
        let mut rng = self.seed.at(self.count).rng();
        self.count += 1;
        let mut chance = |probability: f64| (rng.chance(probability), rng.bits());
        let [drop, mutate, replay, equivocate] =
            [self.drop, self.mutate, self.replay, self.equivocate].map(&mut chance);
        let mut bytes = Vec::new();
        parcel.encode(&mut bytes);
        let earlier = |(happens, choice): (bool, u64)| {
            let own: Vec<_> = self.past.iter().filter(|(of, _)| *of == port && happens).collect();
            let place = choice.checked_rem(own.len() as u64)?;
            Some(own[place as usize].1.clone())
        };
        let (instead, besides) = (earlier(equivocate), earlier(replay));
        let is_changed = drop.0 || mutate.0 || instead.is_some() || besides.is_some();
        if self.past.len() == PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back((port, bytes.clone()));
        if !is_changed {
            return None;
        }
        let mut sent = Vec::new();
        if !drop.0 {
            let mut body = instead.unwrap_or(bytes);
            let bit = mutate.1.checked_rem(body.len() as u64 * 8).filter(|_| mutate.0);
            if let Some(bit) = bit {
                body[(bit / 8) as usize] ^= 1 << (bit % 8);
            }
            sent.push(body);
        }
        sent.extend(besides);
        Some(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The replacements of the numbers 0 to 999, of which even ones are one peerlet's and odd
    /// ones another's.
    fn sent(tampering: &[Tampering]) -> Vec<Option<Vec<Vec<u8>>>> {
        let mut tampers = Tampers::new(Seed::new(3));
        tampering.iter().for_each(|tampering| tampers.set(*tampering));
        let parcel = |number: u16| Parcel::encoded(number.to_be_bytes().to_vec());
        (0..1_000).map(|number| tampers.tamper(Port(number % 2), &parcel(number))).collect()
    }

    fn count(sent: &[Option<Vec<Vec<u8>>>], is: impl Fn(usize, &[Vec<u8>]) -> bool) -> usize {
        let changed = sent.iter().enumerate().filter_map(|(i, sent)| Some((i, sent.as_deref()?)));
        changed.filter(|(i, sent)| is(*i, sent)).count()
    }

    fn number(bytes: &[u8]) -> usize {
        usize::from(u16::from_be_bytes(bytes.try_into().unwrap()))
    }

    #[test]
    fn each_way_does_what_it_says_as_often_as_it_says() {
        let half = 450..550;
        let dropped = sent(&[Tampering::Drop(0.5)]);
        assert!(half.contains(&count(&dropped, |_, sent| sent.is_empty())));
        let mutated = sent(&[Tampering::Mutate(0.5)]);
        let one_bit = |i: usize, sent: &[Vec<u8>]| {
            sent.len() == 1 && (number(&sent[0]) ^ i).count_ones() == 1
        };
        assert!(half.contains(&count(&mutated, one_bit)));
        let replayed = sent(&[Tampering::Replay(0.5)]);
        let earlier = |i: usize, bytes: &[u8]| {
            let old = number(bytes);
            old < i && old + PAST_MAX >= i && old % 2 == i % 2
        };
        let both = |i: usize, sent: &[Vec<u8>]| {
            sent.len() == 2 && number(&sent[0]) == i && earlier(i, &sent[1])
        };
        assert!(half.contains(&count(&replayed, both)));
        let equivocated = sent(&[Tampering::Equivocate(0.5)]);
        let another = |i: usize, sent: &[Vec<u8>]| sent.len() == 1 && earlier(i, &sent[0]);
        assert!(half.contains(&count(&equivocated, another)));
        for sent in [dropped, mutated, replayed, equivocated] {
            assert!(sent.iter().any(Option::is_none), "the others go out as they are");
        }
    }

    #[test]
    fn it_ends() {
        let ended = sent(&[Tampering::Drop(1.0), Tampering::Mutate(1.0), Tampering::End]);
        assert!(ended.iter().all(Option::is_none));
        assert_eq!(Tampering::read("drop", 1.1), None);
        assert_eq!(Tampering::read("steal", 0.1), None);
        for name in Tampering::NAMES {
            let read = Tampering::read(name, 0.25).unwrap();
            assert_eq!(read.to_string(), format!("\"{name}\", 0.25"));
        }
    }
}
