//! Large messages: cut, let start, put together, given up.

use super::*;

const MIB: usize = 1024 * 1024;

impl TwoShards {
    /// Carries what waits there and back, twice: the connection opens, and a message may start.
    fn exchange_twice(&mut self) {
        for side in [BOB, ALICE, BOB, ALICE] {
            self.carry(side);
        }
    }

    /// Two machines whose receivers share this budget.
    fn with_budget(bytes: usize) -> TwoShards {
        let mut shards = TwoShards::new();
        let config = ConnectionConfig::new(Tag(9), 5);
        shards.side[BOB] = Connections::new(config).sharing(Budget::new(bytes));
        shards.side[BOB].started(SLOT[BOB], 1);
        shards
    }
}

#[test]
fn a_large_message_comes_in_pieces_between_small_ones() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle();
    shards.send_sized(ALICE, 1, FRAME_MAX + 1).unwrap();
    shards.send(ALICE, 2);
    assert_eq!(shards.carry(BOB), 1, "a question");
    assert_eq!(shards.carry(ALICE), 1, "it may start");
    assert_eq!(shards.carry(BOB), 3, "two pieces, and what waited behind");
    assert_eq!(shards.carry(ALICE), 1, "one acknowledgement");
    assert_eq!(shards.delivered[BOB], [0, 1, 2]);
    for (number, len) in [(3, MIB), (4, 5 * MIB), (5, MESSAGE_MAX)] {
        shards.send_sized(ALICE, number, len).unwrap();
        shards.settle();
    }
    assert_eq!(shards.delivered[BOB], [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_message_beyond_the_bound_is_handed_back_and_asked_for_it_is_refused() {
    let mut shards = TwoShards::new();
    assert_eq!(shards.send_sized(ALICE, 0, MESSAGE_MAX + 1), Err(SendError::TooLarge));
    let mut config = ConnectionConfig::new(Tag(9), 5);
    config.message_max = MIB;
    shards.side[BOB] = Connections::new(config);
    shards.side[BOB].started(SLOT[BOB], 1);
    shards.send_sized(ALICE, 1, MIB + 1).unwrap();
    shards.settle();
    shards.assert_undelivered([1], Undelivered::Reset);
    shards.send_sized(ALICE, 2, MIB).unwrap();
    shards.settle();
    assert_eq!(shards.delivered[BOB], [2]);
}

#[test]
fn a_message_larger_than_the_queue_is_taken_when_nothing_else_waits() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    assert_eq!(shards.send_sized(ALICE, 1, 2 * MIB), Err(SendError::Full));
    // The half that is free is not enough.
    shards.settle();
    assert_eq!((shards.writable, &*shards.delivered[BOB]), (1, &[0][..]));
    shards.send_sized(ALICE, 1, 2 * MIB).unwrap();
    assert_eq!(shards.send_sized(ALICE, 2, 4), Err(SendError::Full));
    assert_eq!(shards.writable, 1);
    shards.settle();
    assert_eq!((shards.writable, &*shards.delivered[BOB]), (2, &[0, 1][..]));
}

/// `writable` comes only once a message that was refused for its size has room.
#[test]
fn writable_waits_for_room_for_what_was_refused() {
    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle();
    // Four fill the window, two wait.
    (1..7).for_each(|number| shards.send_sized(ALICE, number, FRAME_MAX).unwrap());
    assert_eq!(shards.send_sized(ALICE, 7, MIB), Err(SendError::Full));
    shards.drain(ALICE);
    let first = shards.in_transit[BOB].pop_front().unwrap();
    shards.receive(BOB, &first);
    shards.side[BOB].flush(shards.now);
    shards.carry(ALICE);
    assert_eq!(shards.writable, 0, "more than half is free, and there is no room");
    shards.settle();
    assert_eq!(shards.writable, 1);
    shards.send_sized(ALICE, 7, MIB).unwrap();
    shards.settle();
    assert_eq!(shards.delivered[BOB], Vec::from_iter(0..8));
}

#[test]
fn a_broken_link_goes_on_at_the_piece_that_is_missing() {
    let mut shards = TwoShards::new();
    shards.send_sized(ALICE, 0, FRAME_MAX * 3).unwrap();
    shards.exchange_twice();
    shards.drain(ALICE);
    assert_eq!(shards.in_transit[BOB].len(), 3, "all pieces are under way");
    let first = shards.in_transit[BOB].pop_front().unwrap();
    shards.receive(BOB, &first);
    shards.break_link();
    assert_eq!(shards.carry(BOB), 1, "a question");
    shards.carry(ALICE);
    shards.drain(ALICE);
    assert_eq!(shards.in_transit[BOB].len(), 2, "what is missing");
    shards.settle();
    assert_eq!(shards.delivered[BOB], [0]);
}

/// The time of a connection runs from the last acknowledged piece: a slow link is no broken one.
#[test]
fn time_runs_from_the_last_piece() {
    let mut shards = TwoShards::new();
    shards.send_sized(ALICE, 0, FRAME_MAX * 4).unwrap();
    shards.exchange_twice();
    shards.drain(ALICE);
    let pieces = std::mem::take(&mut shards.in_transit[BOB]);
    for piece in pieces {
        shards.pass(SECOND * 8, false);
        shards.receive(BOB, &piece);
        shards.side[BOB].flush(shards.now);
        shards.carry(ALICE);
    }
    assert_eq!(shards.delivered[BOB], [0]);
    shards.assert_undelivered([], Undelivered::Timeout);
}

#[test]
fn a_crash_of_the_receiver_half_way_is_told_once() {
    for restart in [false, true] {
        let mut shards = TwoShards::new();
        shards.send_sized(ALICE, 0, FRAME_MAX * 3).unwrap();
        shards.exchange_twice();
        shards.drain(ALICE);
        let first = shards.in_transit[BOB].pop_front().unwrap();
        shards.receive(BOB, &first);
        shards.side[BOB].crashed(SLOT[BOB]);
        if restart {
            shards.side[BOB].started(SLOT[BOB], 2);
        }
        shards.pass(SECOND * 20, true);
        let why = if restart { Undelivered::Reset } else { Undelivered::Timeout };
        shards.assert_undelivered([0], why);
        assert_eq!(shards.delivered[BOB], [] as [u32; 0]);
    }
}

/// A message that the sender's crash leaves unfinished is dropped whole, and its room is freed.
#[test]
fn a_crash_of_the_sender_drops_what_has_not_wholly_left() {
    let mut shards = TwoShards::with_budget(16 * MIB);
    shards.send(ALICE, 0);
    shards.settle();
    shards.send(ALICE, 1);
    shards.send_sized(ALICE, 2, 16 * MIB).unwrap();
    shards.exchange_twice();
    shards.side[ALICE].crashed(SLOT[ALICE]);
    shards.settle();
    assert_eq!((&*shards.delivered[BOB], shards.dropped), (&[0, 1][..], 1));
    shards.assert_undelivered([], Undelivered::Timeout);
    // The next life opens a connection of its own; the old one is over in time.
    shards.side[ALICE].started(SLOT[ALICE], 2);
    shards.send_sized(ALICE, 3, 16 * MIB).unwrap();
    shards.pass(SECOND * 21, true);
    assert_eq!(shards.delivered[BOB], [0, 1, 3]);
}

/// Messages that wait when a peer crashes are dropped; those that have left go on, over another
/// link as well.
#[test]
fn a_crash_drops_what_waits() {
    let mut shards = TwoShards::new();
    (0..200).for_each(|number| shards.send(ALICE, number));
    shards.side[ALICE].crashed(SLOT[ALICE]);
    shards.settle();
    assert_eq!((shards.delivered[BOB].len(), shards.dropped), (0, 200));
    assert_eq!(shards.side[ALICE].deadline(), None, "nothing is left");

    let mut shards = TwoShards::new();
    shards.send(ALICE, 0);
    shards.settle();
    (1..=WINDOW_MESSAGES_MAX as u32 + 9).for_each(|number| shards.send(ALICE, number));
    shards.side[ALICE].crashed(SLOT[ALICE]);
    shards.break_link();
    shards.settle();
    assert_eq!(shards.delivered[BOB], Vec::from_iter(0..=WINDOW_MESSAGES_MAX as u32));
    assert_eq!(shards.dropped, 9);
    // In order, all of it arrives.
    let mut shards = TwoShards::new();
    (0..200).for_each(|number| shards.send(ALICE, number));
    shards.side[ALICE].stopped(SLOT[ALICE]);
    shards.settle();
    assert_eq!((shards.delivered[BOB].len(), shards.dropped), (200, 0));
}

/// Five peers of one process, with room for one message: each waits for its turn, longer than a
/// connection's time, and none fails.
#[test]
fn senders_wait_for_the_budget_and_do_not_fail() {
    let mut shards = TwoShards::with_budget(16 * MIB);
    for slot in 10..15 {
        shards.side[ALICE].started(slot, 1);
        let body = content(slot, 16 * MIB).into();
        let message = Message { port: 5, call: Call::None, body };
        shards.side[ALICE].send(shards.now, slot, address(BOB), message).unwrap();
    }
    let (mut came, mut slow) = (0, 0);
    while came < 5 {
        for side in [ALICE, BOB] {
            while let Some(effect) = shards.side[side].poll() {
                let Effect::Transmit { frame, .. } = effect else { panic!("{effect:?}") };
                shards.in_transit[1 - side].push_back(frame);
            }
        }
        // One frame each way at a time, a fifth of a second apart: 13 s a message.
        for side in [ALICE, BOB] {
            let Some(frame) = shards.in_transit[side].pop_front() else { continue };
            let frame = Frame::parse(&frame).unwrap();
            let message = shards.side[side].receive(shards.now, socket(1 - side), &frame);
            if let Some(message) = message {
                assert!(message.body == content(frame.from, 16 * MIB), "intact");
                came += 1;
            }
            shards.side[side].flush(shards.now);
        }
        if shards.in_transit.iter().all(VecDeque::is_empty) || slow % 8 == 0 {
            shards.now += SECOND / 5;
        }
        slow += 1;
        assert!(slow < 100_000, "{came} came");
        shards.side.iter_mut().for_each(|side| side.timer(shards.now));
    }
    assert!(shards.now > Time::ZERO + SECOND * 10, "{}", shards.now);
}

/// Others' claims take no memory, and their room is given back when they do nothing with it.
#[test]
fn claims_that_nothing_follows_are_forgotten() {
    let mut shards = TwoShards::new();
    let life = 1;
    for from in 0..50 {
        for kind in [
            Kind::Open(ConnectionPosition { life: 0, seq: 1 }),
            Kind::Ask(ConnectionPosition { life, seq: 1 }, 16 << 20),
        ] {
            let frame = Frame { tag: Tag(9), from, to: SLOT[BOB], life: 1, kind };
            shards.side[BOB].receive(shards.now, socket(9), &frame);
        }
    }
    let granted = std::iter::from_fn(|| shards.side[BOB].poll()).filter(|effect| {
        let Effect::Transmit { frame, .. } = effect else { return false };
        matches!(Frame::parse(frame).unwrap().kind, Kind::Grant(_, 1..))
    });
    assert_eq!(granted.count(), 2, "a process holds half of the budget at most");
    shards.send_sized(ALICE, 0, 16 * MIB).unwrap();
    shards.settle();
    assert_eq!(shards.delivered[BOB], [0], "others still have room");
    shards.now += SECOND * 30;
    shards.side[BOB].timer(shards.now);
    while shards.side[BOB].poll().is_some() {}
    assert_eq!(shards.side[BOB].deadline(), None);
}

#[test]
fn pieces_that_contradict_each_other_end_their_connection() {
    let (position, total) = (|seq| ConnectionPosition { life: 1, seq }, 2 * FRAME_MAX as u32 + 1);
    let body = vec![0; FRAME_MAX];
    let message = |call, len| Message { port: 5, call, body: &body[..len] };
    let part = |offset| Part { offset: offset as u32, total };
    let wrong = [
        (part(0), message(Call::None, FRAME_MAX)),
        (Part { total: 9, ..part(FRAME_MAX) }, message(Call::None, FRAME_MAX)),
        (part(FRAME_MAX), message(Call::None, 1)),
        (part(FRAME_MAX), message(Call::Question(1), FRAME_MAX)),
    ];
    for (wrong_part, wrong_message) in wrong {
        let mut shards = TwoShards::new();
        let kinds = [
            Kind::Open(ConnectionPosition { life: 0, seq: 1 }),
            Kind::Ask(position(1), total),
            Kind::Piece(position(1), part(0), message(Call::None, FRAME_MAX)),
            Kind::Piece(position(2), wrong_part, wrong_message),
            Kind::Piece(position(3), part(2 * FRAME_MAX), message(Call::None, 1)),
        ];
        let mut resets = 0;
        for kind in kinds {
            let frame = Frame { tag: Tag(9), from: 1, to: SLOT[BOB], life: 1, kind };
            assert_eq!(shards.side[BOB].receive(shards.now, socket(9), &frame), None);
            while let Some(Effect::Transmit { frame, .. }) = shards.side[BOB].poll() {
                let answer = Frame::parse(&frame).unwrap();
                resets += u32::from(matches!(answer.kind, Kind::Reset(_)));
            }
        }
        assert_eq!(resets, 2, "one for the piece, one for what came behind");
        assert_eq!(shards.side[BOB].counters().get(SocketDrop::Decode), 1);
    }
}

/// While a large message is slowly on its way, its sender asks more than once how far it is. Each
/// answer tells of what was under way before its own question, and so nothing is sent twice.
#[test]
fn answers_to_several_questions_take_nothing_for_lost() {
    let mut shards = TwoShards::new();
    shards.send_sized(ALICE, 0, FRAME_MAX * 12).unwrap();
    shards.exchange_twice();
    shards.drain(ALICE);
    let mut pieces = 0;
    while let Some(frame) = shards.in_transit[BOB].pop_front() {
        // Longer than the sender waits for news; what it asks meanwhile waits behind the pieces.
        if matches!(Frame::parse(&frame).unwrap().kind, Kind::Piece(..)) {
            pieces += 1;
            shards.now += MILLISECOND * 600;
            shards.side[ALICE].timer(shards.now);
            shards.drain(ALICE);
        }
        shards.receive(BOB, &frame);
        shards.side[BOB].flush(shards.now);
        shards.carry(ALICE);
        shards.drain(ALICE);
    }
    assert_eq!((pieces, &*shards.delivered[BOB]), (12, &[0][..]));
}
