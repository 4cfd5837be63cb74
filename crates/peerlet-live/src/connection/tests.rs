//! Two machines and the frames between them in one struct; time is a field.

use std::collections::VecDeque;

use peerlet_core::{MILLISECOND, Rng, SECOND, Seed};

use super::*;
use peerlet_core::runtime::Call;

mod large;
mod trust;

const ALICE: usize = 0;
const BOB: usize = 1;
/// The slot of the peer on each side.
const SLOT: [u32; 2] = [3, 4];

/// Two shards with a peer each; frames are in transit until they are carried.
struct TwoShards {
    now: Time,
    side: [Connections; 2],
    /// Frames on their way to a side.
    in_transit: [VecDeque<Vec<u8>>; 2],
    delivered: [Vec<u32>; 2],
    undelivered: Vec<(u32, Undelivered)>,
    dropped: u64,
    writable: u32,
}

fn socket(side: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7000 + side as u16))
}

fn address(side: usize) -> Address {
    Address::new(socket(side), SLOT[side])
}

/// Bytes that differ by message and place.
fn content(number: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![number as u8; len];
    let pieces = bytes.chunks_mut(1000).enumerate();
    pieces.for_each(|(piece, bytes)| bytes[0] = bytes[0].wrapping_add(piece as u8));
    bytes
}

fn number(body: &[u8]) -> u32 {
    u32::from_be_bytes(*body.first_chunk().unwrap())
}

impl TwoShards {
    fn new() -> TwoShards {
        let side = || Connections::new(ConnectionConfig::new(Tag(9), u32::MAX - 2));
        let mut shards = TwoShards {
            now: Time::ZERO,
            side: [side(), side()],
            in_transit: Default::default(),
            delivered: Default::default(),
            undelivered: Vec::new(),
            dropped: 0,
            writable: 0,
        };
        shards.side[ALICE].started(SLOT[ALICE], 1);
        shards.side[BOB].started(SLOT[BOB], 1);
        shards
    }

    /// Sends a message of this many bytes, the first four of which are its number.
    fn send_sized(&mut self, from: usize, number: u32, len: usize) -> Result<(), SendError> {
        let mut body = content(number, len);
        body[..4].copy_from_slice(&number.to_be_bytes());
        let message = Message { port: 5, call: Call::Question(number), body: body.into() };
        self.side[from].send(self.now, SLOT[from], address(1 - from), message)
    }

    fn send(&mut self, from: usize, number: u32) {
        self.send_sized(from, number, 4).unwrap();
    }

    /// Does what a side asks for: frames are in transit, reports are kept.
    fn drain(&mut self, side: usize) {
        while let Some(effect) = self.side[side].poll() {
            match effect {
                Effect::Transmit { to, pair, frame, .. } => {
                    assert_eq!((to, pair), (socket(1 - side), (SLOT[side], SLOT[1 - side])));
                    self.in_transit[1 - side].push_back(frame);
                }
                Effect::Undelivered { message, why, .. } => {
                    assert_eq!(message.call, Call::Question(number(&message.body)));
                    self.undelivered.push((number(&message.body), why));
                }
                Effect::Dropped { messages } => self.dropped += messages,
                Effect::Writable { slot, to } => {
                    assert_eq!((slot, to), (SLOT[side], address(1 - side)));
                    self.writable += 1;
                }
            }
        }
    }

    fn receive(&mut self, side: usize, frame: &[u8]) {
        let frame = Frame::parse(frame).unwrap();
        if let Some(message) = self.side[side].receive(self.now, socket(1 - side), &frame) {
            assert_eq!(message.port, 5);
            let number = number(&message.body);
            assert!(message.body[4..] == content(number, message.body.len())[4..], "intact");
            self.delivered[side].push(number);
        }
    }

    /// Carries all frames to one side as one batch; says how many there were.
    fn carry(&mut self, side: usize) -> usize {
        self.drain(1 - side);
        let frames: Vec<_> = self.in_transit[side].drain(..).collect();
        for frame in &frames {
            self.receive(side, frame);
        }
        self.side[side].flush(self.now);
        self.drain(side);
        frames.len()
    }

    /// Carries frames until all is quiet.
    fn settle(&mut self) {
        while self.carry(ALICE) + self.carry(BOB) > 0 {}
    }

    fn break_link(&mut self) {
        for side in [ALICE, BOB] {
            self.drain(side);
            self.in_transit[1 - side].clear();
        }
        for side in [ALICE, BOB] {
            self.side[side].link_lost(self.now, socket(1 - side));
        }
    }

    /// Lets time pass, with frames carried or lost.
    fn pass(&mut self, time: Duration, carrying: bool) {
        let end = self.now + time;
        loop {
            let next =
                self.side.iter().filter_map(Connections::deadline).min().unwrap_or(Time::MAX);
            self.now = next.max(self.now).min(end);
            for side in [ALICE, BOB] {
                self.side[side].timer(self.now);
                self.drain(side);
            }
            match carrying {
                true => self.settle(),
                false => self.in_transit = Default::default(),
            }
            if self.now == end {
                return;
            }
        }
    }

    /// Asserts that these messages, and no others, were reported for this reason.
    fn assert_undelivered(&mut self, numbers: impl IntoIterator<Item = u32>, why: Undelivered) {
        let expected: Vec<_> = numbers.into_iter().map(|number| (number, why)).collect();
        assert_eq!(std::mem::take(&mut self.undelivered), expected);
    }
}

#[test]
fn first_use_costs_a_round_trip_and_batches_are_acknowledged_once() {
    let mut shards = TwoShards::new();
    (0..3).for_each(|number| shards.send(ALICE, number));
    assert_eq!(shards.carry(BOB), 1, "one question");
    assert_eq!(shards.carry(ALICE), 1, "one answer");
    assert_eq!(shards.carry(BOB), 3, "all messages");
    assert_eq!(shards.carry(ALICE), 1, "one acknowledgement");
    assert_eq!(shards.delivered[BOB], [0, 1, 2]);
    shards.send(ALICE, 3);
    assert_eq!(shards.carry(BOB), 1, "from now on messages go at once");
    assert_eq!(shards.delivered[BOB], [0, 1, 2, 3]);
    shards.send(BOB, 7);
    shards.settle();
    assert_eq!(shards.delivered[ALICE], [7], "the other way is a connection of its own");
}

#[test]
fn a_full_queue_refuses_and_says_once_when_half_is_free() {
    let mut shards = TwoShards::new();
    (0..256).for_each(|number| shards.send(ALICE, number));
    assert_eq!(shards.send_sized(ALICE, 256, 4), Err(SendError::Full));
    assert_eq!(shards.send_sized(ALICE, 256, 4), Err(SendError::Full));
    shards.settle();
    assert_eq!(shards.writable, 1);
    assert_eq!(shards.delivered[BOB], Vec::from_iter(0..256));
    shards.send(ALICE, 256);
    assert_eq!(shards.writable, 1);
}

#[test]
fn bytes_fill_a_queue_too() {
    let mut shards = TwoShards::new();
    (0..4).for_each(|number| shards.send_sized(ALICE, number, FRAME_MAX).unwrap());
    assert_eq!(shards.send_sized(ALICE, 4, 4), Err(SendError::Full));
    assert_eq!(shards.send_sized(ALICE, 4, MESSAGE_MAX + 1), Err(SendError::TooLarge));
    shards.settle();
    assert_eq!((shards.delivered[BOB].len(), shards.writable), (4, 1));
}

#[test]
fn what_is_under_way_is_bounded() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle();
    let taken = (1..).take_while(|n| shards.send_sized(ALICE, *n, 4).is_ok()).count();
    assert_eq!(taken, WINDOW_MESSAGES_MAX + QUEUE_MESSAGES_MAX);
    assert_eq!(shards.carry(BOB), WINDOW_MESSAGES_MAX);
    shards.settle();
    assert_eq!(shards.delivered[BOB], Vec::from_iter(0..=taken as u32));
    let large = (0..).take_while(|n| shards.send_sized(ALICE, *n, FRAME_MAX).is_ok()).count();
    assert_eq!(large, WINDOW_BYTES_MAX / (FRAME_MAX + 40) + QUEUE_BYTES_MAX / FRAME_MAX);
}

#[test]
fn pairs_share_what_a_link_holds() {
    let mut shards = TwoShards::new();
    for slot in 0..100 {
        shards.side[ALICE].started(slot, 1);
        for _ in 0..4 {
            let body = vec![0; FRAME_MAX].into();
            let message = Message { port: 5, call: Call::Question(0), body };
            shards.side[ALICE].send(shards.now, slot, address(BOB), message).unwrap();
        }
    }
    // All 100 connections are opened; their 100 MiB go 16 at a time.
    let (mut carried, mut rounds) = (0, 0);
    loop {
        while let Some(effect) = shards.side[ALICE].poll() {
            let Effect::Transmit { frame, .. } = effect else { panic!("{effect:?}") };
            shards.in_transit[BOB].push_back(frame);
        }
        let bytes: usize = shards.in_transit[BOB].iter().map(Vec::len).sum();
        assert!(bytes < LINK_BYTES_MAX + FRAME_MAX + 100 * 40, "{bytes}");
        if bytes == 0 {
            break;
        }
        rounds += 1;
        for frame in std::mem::take(&mut shards.in_transit[BOB]) {
            let frame = Frame::parse(&frame).unwrap();
            carried +=
                usize::from(shards.side[BOB].receive(shards.now, socket(ALICE), &frame).is_some());
        }
        shards.side[BOB].flush(shards.now);
        while let Some(Effect::Transmit { frame, .. }) = shards.side[BOB].poll() {
            shards.receive(ALICE, &frame);
        }
    }
    assert_eq!(carried, 400);
    assert!(rounds < 40, "{rounds}");
}

#[test]
fn a_stopped_peer_answers_with_a_reset() {
    let mut shards = TwoShards::new();
    shards.side[BOB].stopped(SLOT[BOB]);
    (0..3).for_each(|number| shards.send(ALICE, number));
    shards.settle();
    shards.assert_undelivered(0..3, Undelivered::Reset);
    assert!(shards.delivered[BOB].is_empty());
    assert_eq!(shards.side[ALICE].deadline(), None, "nothing is left");
}

#[test]
fn a_crashed_peer_is_mute() {
    let mut shards = TwoShards::new();
    shards.side[BOB].crashed(SLOT[BOB]);
    (0..3).for_each(|number| shards.send(ALICE, number));
    shards.pass(SECOND * 10 - MILLISECOND, true);
    shards.assert_undelivered([], Undelivered::Timeout);
    shards.pass(MILLISECOND, true);
    shards.assert_undelivered(0..3, Undelivered::Timeout);
}

#[test]
fn messages_for_an_old_life_are_counted_and_their_sender_told() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle();
    (1..4).for_each(|number| shards.send(ALICE, number));
    shards.side[BOB].stopped(SLOT[BOB]);
    shards.side[BOB].started(SLOT[BOB], 2);
    // Three refusals come back; the last two must not harm the connection that is made after the
    // first.
    shards.carry(BOB);
    let refusals: Vec<_> = shards.in_transit[ALICE].drain(..).collect();
    assert_eq!(refusals.len(), 3);
    shards.receive(ALICE, &refusals[0]);
    shards.drain(ALICE);
    shards.assert_undelivered(1..4, Undelivered::Reset);
    shards.send(ALICE, 4);
    shards.receive(ALICE, &refusals[1]);
    shards.settle();
    shards.send(ALICE, 5);
    shards.receive(ALICE, &refusals[2]);
    shards.settle();
    assert_eq!(shards.delivered[BOB], [0, 4, 5]);
    assert_eq!(shards.side[BOB].counters().get(SocketDrop::OldLife), 3);
    shards.assert_undelivered([], Undelivered::Reset);
}

#[test]
fn what_was_delivered_before_a_stop_is_acknowledged() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.carry(BOB);
    shards.carry(ALICE);
    shards.drain(ALICE);
    let data = shards.in_transit[BOB].pop_front().unwrap();
    shards.receive(BOB, &data);
    shards.side[BOB].stopped(SLOT[BOB]);
    shards.pass(SECOND * 20, true);
    shards.assert_undelivered([], Undelivered::Reset);
    assert_eq!(shards.delivered[BOB], [0]);
}

#[test]
fn what_was_sent_before_a_stop_still_arrives_in_silence_and_before_a_crash_what_left() {
    for crash in [false, true] {
        let mut shards = TwoShards::new();
        (0..3).for_each(|number| shards.send(ALICE, number));
        match crash {
            true => shards.side[ALICE].crashed(SLOT[ALICE]),
            false => shards.side[ALICE].stopped(SLOT[ALICE]),
        }
        assert_eq!(shards.send_sized(ALICE, 3, 4), Err(SendError::NotRunning));
        shards.settle();
        let arrived: &[u32] = if crash { &[] } else { &[0, 1, 2] };
        assert_eq!((&*shards.delivered[BOB], shards.dropped), (arrived, 3 * u64::from(crash)));
        assert_eq!(shards.side[ALICE].deadline(), None, "nothing is left");
    }
    let mut shards = TwoShards::new();
    shards.side[BOB].crashed(SLOT[BOB]);
    shards.send(ALICE, 0);
    shards.side[ALICE].stopped(SLOT[ALICE]);
    shards.pass(SECOND * 11, true);
    shards.assert_undelivered([], Undelivered::Timeout);
}

#[test]
fn a_broken_link_that_heals_in_time_loses_and_repeats_nothing() {
    let mut shards = TwoShards::new();
    (0..5).for_each(|number| shards.send(ALICE, number));
    shards.settle();
    (5..9).for_each(|number| shards.send(ALICE, number));
    // Half of them arrive; their acknowledgement does not.
    shards.drain(ALICE);
    for _ in 0..2 {
        let frame = shards.in_transit[BOB].pop_front().unwrap();
        shards.receive(BOB, &frame);
    }
    shards.side[BOB].flush(shards.now);
    shards.break_link();
    shards.pass(SECOND * 9, false);
    shards.pass(SECOND * 9 / 10, true);
    assert_eq!(shards.delivered[BOB], Vec::from_iter(0..9));
    shards.assert_undelivered([], Undelivered::Timeout);
    assert_eq!(
        shards.side[BOB].counters().get(SocketDrop::Duplicate),
        0,
        "only what is missing is sent again"
    );
}

#[test]
fn a_link_that_stays_broken_times_out_in_order() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle();
    (1..300).for_each(|number| shards.send(ALICE, number));
    shards.break_link();
    shards.pass(SECOND * 10, false);
    shards.assert_undelivered(1..300, Undelivered::Timeout);
    shards.pass(SECOND * 20, false);
    assert_eq!(shards.side[BOB].deadline(), None, "the receiver has forgotten, too");
    shards.send(ALICE, 300);
    shards.settle();
    assert_eq!(shards.delivered[BOB], [0, 300], "there is a new connection");
}

#[test]
fn a_lost_acknowledgement_is_asked_for() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle();
    shards.send(ALICE, 1);
    shards.carry(BOB);
    shards.in_transit[ALICE].clear();
    shards.pass(SECOND * 12, true);
    shards.assert_undelivered([], Undelivered::Timeout);
    assert_eq!(shards.delivered[BOB], [0, 1]);
}

#[test]
fn a_link_that_drops_a_message_in_silence_is_found_out() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle();
    (1..5).for_each(|number| shards.send(ALICE, number));
    shards.drain(ALICE);
    shards.in_transit[BOB].remove(1);
    shards.pass(SECOND * 2, true);
    assert_eq!(shards.delivered[BOB], [0, 1, 2, 3, 4]);
    assert_eq!(shards.side[BOB].counters().get(SocketDrop::Link), 2, "two came after the gap");
}

#[test]
fn a_blocked_link_holds_messages_back() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle();
    shards.side[ALICE].blocked(socket(BOB));
    (1..=256).for_each(|number| shards.send(ALICE, number));
    assert_eq!(shards.send_sized(ALICE, 257, 4), Err(SendError::Full));
    shards.settle();
    assert_eq!(shards.delivered[BOB], [0]);
    shards.side[ALICE].unblocked(socket(BOB));
    shards.settle();
    assert_eq!((shards.delivered[BOB].len(), shards.writable), (257, 1));
}

#[test]
fn a_process_that_starts_again_begins_anew() {
    let mut shards = TwoShards::new();
    (0..50).for_each(|number| shards.send(ALICE, number));
    shards.settle();
    // Alice's process comes back with the same slot, the same life, and numbers from the start.
    shards.break_link();
    shards.side[ALICE] = Connections::new(ConnectionConfig::new(Tag(9), 77));
    shards.side[ALICE].started(SLOT[ALICE], 1);
    shards.send(ALICE, 50);
    shards.settle();
    assert_eq!(shards.delivered[BOB].len(), 51);
    // Bob's does: what Alice had under way belongs to the life before.
    shards.send(ALICE, 51);
    shards.break_link();
    shards.side[BOB] = Connections::new(ConnectionConfig::new(Tag(9), 77));
    shards.side[BOB].started(SLOT[BOB], 1);
    shards.settle();
    shards.assert_undelivered([51], Undelivered::Reset);
}

#[test]
fn idle_connections_are_forgotten_and_made_again() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle();
    shards.pass(IDLE_MAX, true);
    assert_eq!(shards.side[ALICE].deadline(), None);
    shards.send(ALICE, 1);
    shards.settle();
    assert_eq!(shards.delivered[BOB], [0, 1]);
}

#[test]
fn one_process_cannot_take_all_connections() {
    let mut shards = TwoShards::new();
    for from in 0..=RECEIVING_PER_LINK_MAX as u32 {
        let kind = Kind::Open(ConnectionPosition { life: 0, seq: 1 });
        let open = Frame { tag: Tag(9), from, to: SLOT[BOB], life: 1, kind };
        shards.side[BOB].receive(shards.now, socket(5), &open);
    }
    assert_eq!(shards.side[BOB].counters().get(SocketDrop::Queue), 1);
    while shards.side[BOB].poll().is_some() {}
    shards.send(ALICE, 0);
    shards.settle();
    assert_eq!(shards.delivered[BOB], [0], "others still can");
}

/// All kinds of faults at random; then they stop, and every message is accounted for.
fn storm(seed: u64) {
    let mut rng: Rng = Seed::new(seed).named("storm").rng();
    let (mut shards, mut sent, mut life) = (TwoShards::new(), 0, [1, 1]);
    for _ in 0..400 {
        match rng.below(20) {
            0..=9 => {
                let max = match rng.below(50) {
                    0 => FRAME_MAX * 5,
                    1..=5 => FRAME_MAX - 4,
                    _ => 100,
                };
                let len = 4 + rng.index(max);
                sent += u32::from(shards.send_sized(ALICE, sent, len).is_ok());
            }
            10..=12 => drop(shards.carry(BOB)),
            13..=14 => drop(shards.carry(ALICE)),
            15 => shards.break_link(),
            16 => shards.side[ALICE].blocked(socket(BOB)),
            17 => shards.side[ALICE].unblocked(socket(BOB)),
            18 => shards.pass(SECOND * rng.below(8), rng.chance(0.5)),
            _ => {
                life[BOB] += 1;
                match rng.chance(0.5) {
                    true => shards.side[BOB].stopped(SLOT[BOB]),
                    false => shards.side[BOB].crashed(SLOT[BOB]),
                }
                shards.side[BOB].started(SLOT[BOB], life[BOB]);
            }
        }
    }
    shards.side[ALICE].unblocked(socket(BOB));
    shards.pass(SECOND * 100, true);
    let reported: Vec<u32> = shards.undelivered.iter().map(|(number, _)| *number).collect();
    for list in [&shards.delivered[BOB], &reported] {
        assert!(
            list.windows(2).all(|two| two[0] < two[1]),
            "seed {seed}: in order, once: {list:?}"
        );
    }
    let mut all: Vec<u32> = shards.delivered[BOB].iter().chain(&reported).copied().collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, Vec::from_iter(0..sent), "seed {seed}: delivered or reported");
    for side in &shards.side {
        assert_eq!(side.deadline(), None, "seed {seed}: nothing is left");
    }
}

#[test]
fn every_message_is_delivered_once_in_order_or_reported() {
    let first = std::env::var("PEERLET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    (first..first + 300).for_each(storm);
}

#[test]
fn strange_frames_do_no_harm() {
    let seed = std::env::var("PEERLET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut rng = Seed::new(seed).named("strange").rng();
    let mut shards = TwoShards::new();
    for _ in 0..20_000 {
        let number = |rng: &mut Rng| rng.below(6) as u32;
        let seq = (u64::from(u32::MAX) << 32).wrapping_add(rng.below(3) << 32);
        let position =
            ConnectionPosition { life: number(&mut rng), seq: seq.wrapping_add(rng.below(9)) };
        let body = Message { port: 5, call: Call::None, body: &[0; 4][..] };
        let total = rng.below(3 * FRAME_MAX as u64) as u32;
        let part = Part { offset: FRAME_MAX as u32 * number(&mut rng), total };
        let kinds = [
            Kind::Open(position),
            Kind::Opened(position),
            Kind::Reset(position),
            Kind::Ack(position),
            Kind::Data(position, body),
            Kind::Piece(position, part, body),
            Kind::Ask(position, part.total),
            Kind::Grant(position, part.total),
            Kind::Datagram(body),
            Kind::Control(b""),
        ];
        let kind = *rng.choose(&kinds).unwrap();
        let (from, to) = (number(&mut rng), number(&mut rng));
        let frame = Frame { tag: Tag(9), from, to, life: number(&mut rng), kind };
        let side = rng.index(2);
        let _taken = shards.side[side].receive(shards.now, socket(1 - side), &frame);
        if rng.chance(0.1) {
            shards.send_sized(ALICE, 0, 4).ok();
            shards.side.iter_mut().for_each(|side| side.flush(shards.now));
        }
        shards.side.iter_mut().for_each(|side| while side.poll().is_some() {});
        shards.in_transit = Default::default();
    }
    // The messages accepted last still have to be acknowledged to their sender.
    for side in &mut shards.side {
        side.flush(shards.now);
        while side.poll().is_some() {}
    }
    // A new life owes nothing to what was forged in the old one.
    (shards.delivered, shards.undelivered) = Default::default();
    for side in [ALICE, BOB] {
        shards.side[side].stopped(SLOT[side]);
        shards.side[side].started(SLOT[side], 9);
    }
    (0..10).for_each(|number| shards.send(ALICE, number));
    shards.settle();
    assert_eq!(shards.delivered[BOB], Vec::from_iter(0..10), "seed {seed}");
}
