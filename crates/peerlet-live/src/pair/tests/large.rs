//! Large messages: cut, let start, put together, given up.

use super::*;

const MIB: usize = 1024 * 1024;

impl Pair {
    /// Carries what waits there and back, twice: the connection opens, and a message may start.
    fn exchange_twice(&mut self) {
        for side in [BOB, ALICE, BOB, ALICE] {
            self.carry(side);
        }
    }

    /// Two machines whose receivers share this budget.
    fn with_budget(bytes: usize) -> Pair {
        let mut pair = Pair::new();
        let config = PairConfig::new(Tag(9), 5);
        pair.side[BOB] = Pairs::new(config).sharing(Budget::new(bytes));
        pair.side[BOB].started(SLOT[BOB], 1);
        pair
    }
}

#[test]
fn a_large_message_comes_in_pieces_between_small_ones() {
    let mut pair = Pair::new();
    pair.send(ALICE, 0);
    pair.settle();
    pair.send_sized(ALICE, 1, FRAME_MAX + 1).unwrap();
    pair.send(ALICE, 2);
    assert_eq!(pair.carry(BOB), 1, "a question");
    assert_eq!(pair.carry(ALICE), 1, "it may start");
    assert_eq!(pair.carry(BOB), 3, "two pieces, and what waited behind");
    assert_eq!(pair.carry(ALICE), 1, "one acknowledgement");
    assert_eq!(pair.delivered[BOB], [0, 1, 2]);
    for (number, len) in [(3, MIB), (4, 5 * MIB), (5, MESSAGE_MAX)] {
        pair.send_sized(ALICE, number, len).unwrap();
        pair.settle();
    }
    assert_eq!(pair.delivered[BOB], [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_message_beyond_the_bound_is_handed_back_and_asked_for_it_is_refused() {
    let mut pair = Pair::new();
    assert_eq!(pair.send_sized(ALICE, 0, MESSAGE_MAX + 1), Err(SendError::TooLarge));
    let mut config = PairConfig::new(Tag(9), 5);
    config.message_max = MIB;
    pair.side[BOB] = Pairs::new(config);
    pair.side[BOB].started(SLOT[BOB], 1);
    pair.send_sized(ALICE, 1, MIB + 1).unwrap();
    pair.settle();
    pair.assert_undelivered([1], Undelivered::Reset);
    pair.send_sized(ALICE, 2, MIB).unwrap();
    pair.settle();
    assert_eq!(pair.delivered[BOB], [2]);
}

#[test]
fn a_message_larger_than_the_queue_is_taken_when_nothing_else_waits() {
    let mut pair = Pair::new();
    pair.send(ALICE, 0);
    assert_eq!(pair.send_sized(ALICE, 1, 2 * MIB), Err(SendError::Full));
    // The half that is free is not enough.
    pair.settle();
    assert_eq!((pair.writable, &*pair.delivered[BOB]), (1, &[0][..]));
    pair.send_sized(ALICE, 1, 2 * MIB).unwrap();
    assert_eq!(pair.send_sized(ALICE, 2, 4), Err(SendError::Full));
    assert_eq!(pair.writable, 1);
    pair.settle();
    assert_eq!((pair.writable, &*pair.delivered[BOB]), (2, &[0, 1][..]));
}

/// What was refused for its size is not called for before it has room.
#[test]
fn writable_waits_for_room_for_what_was_refused() {
    let mut pair = Pair::new();
    pair.send(ALICE, 0);
    pair.settle();
    // Four fill the window, two wait.
    (1..7).for_each(|number| pair.send_sized(ALICE, number, FRAME_MAX).unwrap());
    assert_eq!(pair.send_sized(ALICE, 7, MIB), Err(SendError::Full));
    pair.drain(ALICE);
    let first = pair.wire[BOB].pop_front().unwrap();
    pair.receive(BOB, &first);
    pair.side[BOB].flush(pair.now);
    pair.carry(ALICE);
    assert_eq!(pair.writable, 0, "more than half is free, and there is no room");
    pair.settle();
    assert_eq!(pair.writable, 1);
    pair.send_sized(ALICE, 7, MIB).unwrap();
    pair.settle();
    assert_eq!(pair.delivered[BOB], Vec::from_iter(0..8));
}

#[test]
fn a_broken_link_goes_on_at_the_piece_that_is_missing() {
    let mut pair = Pair::new();
    pair.send_sized(ALICE, 0, FRAME_MAX * 3).unwrap();
    pair.exchange_twice();
    pair.drain(ALICE);
    assert_eq!(pair.wire[BOB].len(), 3, "all pieces are under way");
    let first = pair.wire[BOB].pop_front().unwrap();
    pair.receive(BOB, &first);
    pair.break_link();
    assert_eq!(pair.carry(BOB), 1, "a question");
    pair.carry(ALICE);
    pair.drain(ALICE);
    assert_eq!(pair.wire[BOB].len(), 2, "what is missing");
    pair.settle();
    assert_eq!(pair.delivered[BOB], [0]);
}

/// The time of a connection runs from the last acknowledged piece: a slow link is no broken one.
#[test]
fn time_runs_from_the_last_piece() {
    let mut pair = Pair::new();
    pair.send_sized(ALICE, 0, FRAME_MAX * 4).unwrap();
    pair.exchange_twice();
    pair.drain(ALICE);
    let pieces = std::mem::take(&mut pair.wire[BOB]);
    for piece in pieces {
        pair.pass(SECOND * 8, false);
        pair.receive(BOB, &piece);
        pair.side[BOB].flush(pair.now);
        pair.carry(ALICE);
    }
    assert_eq!(pair.delivered[BOB], [0]);
    pair.assert_undelivered([], Undelivered::Timeout);
}

#[test]
fn a_crash_of_the_receiver_half_way_is_told_once() {
    for restart in [false, true] {
        let mut pair = Pair::new();
        pair.send_sized(ALICE, 0, FRAME_MAX * 3).unwrap();
        pair.exchange_twice();
        pair.drain(ALICE);
        let first = pair.wire[BOB].pop_front().unwrap();
        pair.receive(BOB, &first);
        pair.side[BOB].crashed(SLOT[BOB]);
        if restart {
            pair.side[BOB].started(SLOT[BOB], 2);
        }
        pair.pass(SECOND * 20, true);
        let why = if restart { Undelivered::Reset } else { Undelivered::Timeout };
        pair.assert_undelivered([0], why);
        assert_eq!(pair.delivered[BOB], [] as [u32; 0]);
    }
}

/// What the sender's crash leaves unfinished is dropped whole, and the room for it is given back.
#[test]
fn a_crash_of_the_sender_drops_what_has_not_wholly_left() {
    let mut pair = Pair::with_budget(16 * MIB);
    pair.send(ALICE, 0);
    pair.settle();
    pair.send(ALICE, 1);
    pair.send_sized(ALICE, 2, 16 * MIB).unwrap();
    pair.exchange_twice();
    pair.side[ALICE].crashed(SLOT[ALICE]);
    pair.settle();
    assert_eq!((&*pair.delivered[BOB], pair.dropped), (&[0, 1][..], 1));
    pair.assert_undelivered([], Undelivered::Timeout);
    // The next life opens a connection of its own; the old one is over in time.
    pair.side[ALICE].started(SLOT[ALICE], 2);
    pair.send_sized(ALICE, 3, 16 * MIB).unwrap();
    pair.pass(SECOND * 21, true);
    assert_eq!(pair.delivered[BOB], [0, 1, 3]);
}

/// What waits when a peer crashes is dropped; what has left goes on, over another link as well.
#[test]
fn a_crash_drops_what_waits() {
    let mut pair = Pair::new();
    (0..200).for_each(|number| pair.send(ALICE, number));
    pair.side[ALICE].crashed(SLOT[ALICE]);
    pair.settle();
    assert_eq!((pair.delivered[BOB].len(), pair.dropped), (0, 200));
    assert_eq!(pair.side[ALICE].deadline(), None, "nothing is left");

    let mut pair = Pair::new();
    pair.send(ALICE, 0);
    pair.settle();
    (1..=WINDOW_MESSAGES_MAX as u32 + 9).for_each(|number| pair.send(ALICE, number));
    pair.side[ALICE].crashed(SLOT[ALICE]);
    pair.break_link();
    pair.settle();
    assert_eq!(pair.delivered[BOB], Vec::from_iter(0..=WINDOW_MESSAGES_MAX as u32));
    assert_eq!(pair.dropped, 9);
    // In order, all of it arrives.
    let mut pair = Pair::new();
    (0..200).for_each(|number| pair.send(ALICE, number));
    pair.side[ALICE].stopped(SLOT[ALICE]);
    pair.settle();
    assert_eq!((pair.delivered[BOB].len(), pair.dropped), (200, 0));
}

/// Five peers of one process, with room for one message: each waits for its turn, longer than a
/// connection's time, and none fails.
#[test]
fn senders_wait_for_the_budget_and_do_not_fail() {
    let mut pair = Pair::with_budget(16 * MIB);
    for slot in 10..15 {
        pair.side[ALICE].started(slot, 1);
        let body = content(slot, 16 * MIB).into();
        let message = Message { port: 5, call: Call::None, body };
        pair.side[ALICE].send(pair.now, slot, address(BOB), message).unwrap();
    }
    let (mut came, mut slow) = (0, 0);
    while came < 5 {
        for side in [ALICE, BOB] {
            while let Some(effect) = pair.side[side].poll() {
                let Effect::Transmit { frame, .. } = effect else { panic!("{effect:?}") };
                pair.wire[1 - side].push_back(frame);
            }
        }
        // One frame each way at a time, a fifth of a second apart: 13 s a message.
        for side in [ALICE, BOB] {
            let Some(frame) = pair.wire[side].pop_front() else { continue };
            let frame = Frame::parse(&frame).unwrap();
            let message = pair.side[side].receive(pair.now, socket(1 - side), &frame);
            if let Some(message) = message {
                assert!(message.body == content(frame.from, 16 * MIB), "intact");
                came += 1;
            }
            pair.side[side].flush(pair.now);
        }
        if pair.wire.iter().all(VecDeque::is_empty) || slow % 8 == 0 {
            pair.now += SECOND / 5;
        }
        slow += 1;
        assert!(slow < 100_000, "{came} came");
        pair.side.iter_mut().for_each(|side| side.timer(pair.now));
    }
    assert!(pair.now > Time::ZERO + SECOND * 10, "{}", pair.now);
}

/// Others' claims take no memory, and their room is given back when they do nothing with it.
#[test]
fn claims_that_nothing_follows_are_forgotten() {
    let mut pair = Pair::new();
    let life = 1;
    for from in 0..50 {
        for kind in
            [Kind::Open(Link { life: 0, seq: 1 }), Kind::Ask(Link { life, seq: 1 }, 16 << 20)]
        {
            let frame = Frame { tag: Tag(9), from, to: SLOT[BOB], life: 1, kind };
            pair.side[BOB].receive(pair.now, socket(9), &frame);
        }
    }
    let granted = std::iter::from_fn(|| pair.side[BOB].poll()).filter(|effect| {
        let Effect::Transmit { frame, .. } = effect else { return false };
        matches!(Frame::parse(frame).unwrap().kind, Kind::Grant(_, 1..))
    });
    assert_eq!(granted.count(), 2, "a process holds half of the budget at most");
    pair.send_sized(ALICE, 0, 16 * MIB).unwrap();
    pair.settle();
    assert_eq!(pair.delivered[BOB], [0], "others still have room");
    pair.now += SECOND * 30;
    pair.side[BOB].timer(pair.now);
    while pair.side[BOB].poll().is_some() {}
    assert_eq!(pair.side[BOB].deadline(), None);
}

#[test]
fn pieces_that_contradict_each_other_end_their_connection() {
    let (link, total) = (|seq| Link { life: 1, seq }, 2 * FRAME_MAX as u32 + 1);
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
        let mut pair = Pair::new();
        let kinds = [
            Kind::Open(Link { life: 0, seq: 1 }),
            Kind::Ask(link(1), total),
            Kind::Piece(link(1), part(0), message(Call::None, FRAME_MAX)),
            Kind::Piece(link(2), wrong_part, wrong_message),
            Kind::Piece(link(3), part(2 * FRAME_MAX), message(Call::None, 1)),
        ];
        let mut resets = 0;
        for kind in kinds {
            let frame = Frame { tag: Tag(9), from: 1, to: SLOT[BOB], life: 1, kind };
            assert_eq!(pair.side[BOB].receive(pair.now, socket(9), &frame), None);
            while let Some(Effect::Transmit { frame, .. }) = pair.side[BOB].poll() {
                let answer = Frame::parse(&frame).unwrap();
                resets += u32::from(matches!(answer.kind, Kind::Reset(_)));
            }
        }
        assert_eq!(resets, 2, "one for the piece, one for what came behind");
        assert_eq!(pair.side[BOB].counters().get(Cause::Decode), 1);
    }
}

/// While a large message is slowly on its way, its sender asks more than once how far it is. Each
/// answer tells of what was under way before its own question, and so nothing is sent twice.
#[test]
fn answers_to_several_questions_take_nothing_for_lost() {
    let mut pair = Pair::new();
    pair.send_sized(ALICE, 0, FRAME_MAX * 12).unwrap();
    pair.exchange_twice();
    pair.drain(ALICE);
    let mut pieces = 0;
    while let Some(frame) = pair.wire[BOB].pop_front() {
        // Longer than the sender waits for news; what it asks meanwhile waits behind the pieces.
        if matches!(Frame::parse(&frame).unwrap().kind, Kind::Piece(..)) {
            pieces += 1;
            pair.now += MILLISECOND * 600;
            pair.side[ALICE].timer(pair.now);
            pair.drain(ALICE);
        }
        pair.receive(BOB, &frame);
        pair.side[BOB].flush(pair.now);
        pair.carry(ALICE);
        pair.drain(ALICE);
    }
    assert_eq!((pieces, &*pair.delivered[BOB]), (12, &[0][..]));
}
