//! The machine of reliable delivery for fuzzing: frames of others that say anything, at any time.

use std::net::SocketAddr;

use bytes::Bytes;
use peerlet_core::runtime::Call;
use peerlet_core::{Address, MILLISECOND, Time};

use super::{ConnectionConfig, Connections, Effect, QUEUE_BYTES_MAX};
use crate::frame::{ConnectionPosition, Frame, Kind, Message, Part, Tag};
use crate::fuzzing::Choices;

const STEPS_MAX: usize = 512;
/// A large message is longer than this.
const LARGE: usize = peerlet_core::runtime::FRAME_MAX;

struct Machine {
    connections: Connections,
    now: Time,
    /// The life of each of our two peers, and whether it runs.
    lives: [(u32, bool); 2],
    sent: usize,
    undelivered: usize,
}

/// Lets others send any frames to a machine with two peers.
pub(crate) fn connections(choices: &mut Choices<'_>) {
    let config = ConnectionConfig {
        message_max: 4 * LARGE,
        ..ConnectionConfig::new(Tag(9), choices.short())
    };
    let mut machine = Machine {
        connections: Connections::new(config),
        now: Time::ZERO,
        lives: [(0, false); 2],
        sent: 0,
        undelivered: 0,
    };
    machine.start(0);
    for _ in 0..STEPS_MAX {
        if choices.is_empty() {
            break;
        }
        machine.step(choices);
        machine.drain();
    }
    machine.end();
}

fn socket(number: usize) -> SocketAddr {
    ([192, 0, 2, 1 + number as u8], 7).into()
}

impl Machine {
    fn start(&mut self, slot: usize) {
        let life = self.lives[slot].0 + 1;
        self.lives[slot] = (life, true);
        self.connections.started(slot as u32, life);
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() % 16 {
            0..=8 => self.receive(choices),
            9 | 10 => self.send(choices),
            11 => {
                self.now += MILLISECOND * 20 * u64::from(choices.byte());
                self.connections.timer(self.now);
            }
            12 => self.connections.flush(self.now),
            13 => match choices.below(4) {
                0 => self.connections.link_lost(self.now, socket(choices.below(2))),
                1 => self.connections.link_up(socket(choices.below(2))),
                2 => self.connections.blocked(socket(choices.below(2))),
                _ => self.connections.unblocked(socket(choices.below(2))),
            },
            _ => {
                let slot = choices.below(2);
                if !self.lives[slot].1 {
                    return self.start(slot);
                }
                self.lives[slot].1 = false;
                match choices.flag() {
                    false => self.connections.stopped(slot as u32),
                    true => self.connections.crashed(slot as u32),
                }
            }
        }
    }

    fn send(&mut self, choices: &mut Choices<'_>) {
        let len = match choices.below(8) {
            0 => LARGE + usize::from(choices.byte()),
            1 => 2 * LARGE,
            _ => usize::from(choices.byte()),
        };
        let (slot, to) = (choices.below(2), choices.below(2));
        let to = Address::new(socket(to), choices.below(2) as u32);
        let message = Message { port: 1, call: Call::None, body: Bytes::from(vec![7; len]) };
        let sent = self.connections.send(self.now, slot as u32, to, message);
        self.sent += usize::from(sent.is_ok());
    }

    /// A frame whose numbers others chose.
    fn receive(&mut self, choices: &mut Choices<'_>) {
        let position = ConnectionPosition { life: choices.short(), seq: choices.number() };
        let body = match choices.below(16) {
            0 => vec![3; LARGE],
            _ => choices.bytes().to_vec(),
        };
        let message = Message { port: 1, call: Call::None, body: &body[..] };
        let kind = match choices.below(8) {
            0 => Kind::Open(position),
            1 => Kind::Opened(position),
            2 => Kind::Reset(position),
            3 => Kind::Data(position, message),
            4 => Kind::Ack(position),
            5 => {
                let offset = match choices.flag() {
                    true => choices.short(),
                    false => (choices.below(5) * LARGE) as u32,
                };
                Kind::Piece(position, Part { offset, total: total(choices) }, message)
            }
            6 => Kind::Ask(position, total(choices)),
            _ => Kind::Grant(position, total(choices)),
        };
        let (from, to) = (choices.below(3) as u32, choices.below(3) as u32);
        let frame = Frame { tag: Tag(9), from, to, life: choices.short(), kind };
        if let Some(message) = self.connections.receive(self.now, socket(choices.below(2)), &frame)
        {
            let (_, runs) = self.lives.get(to as usize).copied().unwrap_or_default();
            assert!(runs, "a message for a peer that does not run");
            assert!(message.body.len() <= self.connections.message_max());
        }
    }

    fn drain(&mut self) {
        while let Some(effect) = self.connections.poll() {
            match effect {
                Effect::Transmit { frame, .. } => {
                    Frame::parse(&frame).expect("what is sent can be read");
                }
                Effect::Undelivered { message, .. } => {
                    assert!(message.body.len() <= self.connections.message_max());
                    self.undelivered += 1;
                }
                Effect::Dropped { messages } => self.undelivered += messages as usize,
                Effect::Writable { .. } => {}
            }
        }
        assert!(!self.connections.has_effects());
        assert!(self.undelivered <= self.sent, "a message has one end at most");
    }

    /// When nobody answers any more, everything ends.
    fn end(&mut self) {
        for number in 0..2 {
            self.connections.unblocked(socket(number));
        }
        let mut rounds = 0;
        while let Some(due) = self.connections.deadline() {
            self.now = self.now.max(due);
            self.connections.timer(self.now);
            self.drain();
            rounds += 1;
            assert!(rounds < 10_000, "the machine does not come to rest");
        }
    }
}

fn total(choices: &mut Choices<'_>) -> u32 {
    match choices.below(4) {
        0 => choices.short(),
        1 => 0,
        2 => LARGE as u32 + u32::from(choices.byte()),
        _ => QUEUE_BYTES_MAX as u32 * 2,
    }
}
