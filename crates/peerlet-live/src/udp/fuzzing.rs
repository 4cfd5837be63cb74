//! Packets for fuzzing: any bytes, and two sockets with a secret whose packets somebody holds,
//! repeats, changes and turns back.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use peerlet_core::{Duration, MILLISECOND, Seed};

use super::frames::{append, damage, frames};
use super::packet::Packet;
use super::sessions::Sessions;
use crate::fuzzing::{Choices, within};
use crate::secret::Secret;

/// Packets that whoever sits on the way keeps.
const KEPT_MAX: usize = 64;
const STEPS_MAX: usize = 256;

/// Reads bytes as a packet of each sort.
pub(crate) fn packet(bytes: &Bytes, allocated: fn() -> usize) {
    within(bytes.len(), allocated, || frames(bytes).map(Iterator::count).ok());
    if let Ok(frames) = frames(bytes) {
        let mut packet = BytesMut::new();
        frames.for_each(|frame| append(&mut packet, &frame));
        assert_eq!(packet, bytes, "a packet has one encoding");
        let mut damaged = bytes.to_vec();
        damage(&mut damaged, 3, Seed::new(1));
        assert_eq!(damaged.len(), bytes.len());
    }
    if let Ok(Packet::Data { frames, .. }) = within(bytes.len(), allocated, || Packet::parse(bytes))
    {
        assert_eq!(frames.len() + super::SEAL_LEN, bytes.len());
    }
}

struct End {
    at: SocketAddr,
    sessions: Sessions,
    /// The numbers of the frames that came.
    came: BTreeSet<u32>,
}

struct SealedPath {
    now: Duration,
    ends: [End; 2],
    /// Packets with the end that sent each.
    kept: Vec<(usize, Bytes)>,
    sent: [u32; 2],
}

/// Two sockets share a secret; somebody on the way has their packets, and not the secret.
pub(crate) fn sessions(choices: &mut Choices<'_>) {
    let secret = || Secret::from_bytes(&[7; 32]).expect("it is long enough");
    let end = |port| {
        let (at, sessions) = (([192, 0, 2, 1], port).into(), Sessions::new(secret()));
        End { at, sessions, came: BTreeSet::new() }
    };
    let ends = [end(1), end(2)];
    let mut path = SealedPath { now: Duration::ZERO, ends, kept: Vec::new(), sent: [0; 2] };
    for _ in 0..STEPS_MAX {
        if choices.is_empty() {
            return;
        }
        path.step(choices);
    }
}

impl SealedPath {
    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() % 8 {
            0 | 1 => self.send(choices.below(2)),
            2 | 3 => self.bring(choices, |_, packet, _| packet),
            4 => self.bring(choices, |choices, packet, _| {
                let mut changed = packet.to_vec();
                let at = usize::from(choices.byte()) % changed.len();
                changed[at] ^= 1 << choices.below(8);
                changed.into()
            }),
            5 => self.bring(choices, |_, packet, from| {
                *from = ([198, 51, 100, 7], 1).into();
                packet
            }),
            6 => {
                let (to, from) = (choices.below(2), choices.below(3));
                let from = self.ends.get(from).map_or(([198, 51, 100, 7], 1).into(), |end| end.at);
                let packet = Bytes::copy_from_slice(choices.bytes());
                let took = self.receive(to, from, &packet);
                assert!(took.is_none(), "nobody else can make a packet");
            }
            _ => {
                self.now = self.now + MILLISECOND * 50 * u64::from(choices.byte());
                for end in 0..2 {
                    self.ends[end].sessions.tick(self.now);
                    self.keep(end);
                }
            }
        }
    }

    /// A frame with a number of its own, for the other end.
    fn send(&mut self, end: usize) {
        self.sent[end] += 1;
        let frame = Bytes::copy_from_slice(&self.sent[end].to_be_bytes());
        let (to, now) = (self.ends[1 - end].at, self.now);
        let sessions = &mut self.ends[end].sessions;
        let mut packet = BytesMut::new();
        append(&mut packet, &frame);
        match sessions.seal(now, to, &packet) {
            Some(sealed) => self.push(end, sealed.into()),
            None => sessions.hold(now, to, frame),
        }
        self.keep(end);
    }

    /// Brings a packet that was kept to one of the ends, as `change` would have it.
    fn bring(
        &mut self,
        choices: &mut Choices<'_>,
        change: impl FnOnce(&mut Choices<'_>, Bytes, &mut SocketAddr) -> Bytes,
    ) {
        if self.kept.is_empty() {
            return;
        }
        let newest_first = self.kept.len() - 1 - choices.below(self.kept.len());
        let (sender, packet) = self.kept[newest_first].clone();
        // Now and then it comes back to whoever sent it.
        let to = if choices.byte() < 240 { 1 - sender } else { sender };
        let mut from = self.ends[1 - to].at;
        let brought = change(choices, packet.clone(), &mut from);
        // Whoever changes the source of all packets, as NAT does, changes nothing else.
        let is_true = brought == packet && to != sender;
        let Some(frames) = self.receive(to, from, &brought) else { return };
        assert!(is_true, "a changed packet, or an own one, was taken");
        for frame in frames {
            let number = u32::from_be_bytes(frame[..].try_into().expect("it has a number"));
            assert!(number <= self.sent[sender]);
            assert!(self.ends[to].came.insert(number), "frame {number} came twice");
        }
    }

    fn receive(&mut self, to: usize, from: SocketAddr, packet: &Bytes) -> Option<Vec<Bytes>> {
        let sessions = &mut self.ends[to].sessions;
        let opened = sessions.receive(self.now, from, packet);
        let opened = opened.map(Bytes::copy_from_slice);
        let answers = sessions.out.iter().filter(|out| out.frames == 0);
        let len: usize = answers.map(|out| out.packet.len()).sum();
        // A greeting answers the word that a session is lost, which is two thirds as long.
        assert!(2 * len <= 3 * packet.len(), "{len} bytes answer {}", packet.len());
        assert!(sessions.len() <= 12, "{} sessions with three addresses", sessions.len());
        self.keep(to);
        opened.map(|opened| frames(&opened).expect("ends send frames").collect())
    }

    /// Keeps what an end wants to send.
    fn keep(&mut self, end: usize) {
        while let Some(out) = self.ends[end].sessions.out.pop_front() {
            self.push(end, out.packet);
        }
    }

    fn push(&mut self, end: usize, packet: Bytes) {
        if self.kept.len() == KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push((end, packet));
    }
}
