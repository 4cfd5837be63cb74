//! Contacts that a peer trusts, to the nanosecond.

use std::sync::{Arc, Mutex};

use peerlet_core::runtime::Act;
use peerlet_core::{
    Contact, Context, Duration, Identity, MILLISECOND, SECOND, Seat, Time, TrustError, Undelivered,
};
use peerlet_measure::{DropCause, Ledger};
use peerlet_network::{Constant, Uniform};
use peerlet_sim::{Digest, Engine};

use crate::actor::{Actor, Happened, Stage, at, note, send, send_reliably};
use crate::hostile_network::HostileNetwork;

const MS: u64 = 1_000_000;
const DELAY: Duration = Duration::from_millis(20);
/// The reason with which every reliable message comes back here.
const WHY: Undelivered = Undelivered::Identity;

/// Something that a peer does, with regard to seat 1.
#[derive(Clone, Copy)]
enum Do {
    /// Trusts the identity that is there.
    Right,
    /// Trusts another one.
    Wrong,
    Untrust,
    Send,
    Reliable,
}
use Do::{Reliable, Right, Send, Untrust, Wrong};

fn wrong() -> Contact {
    Contact { address: at(1), identity: Identity([7; 32]) }
}

fn act(ctx: &mut Context<Actor>, right: Contact, what: Do) {
    match what {
        Right => ctx.trust(right).expect("there is room"),
        Wrong => ctx.trust(wrong()).expect("there is room"),
        Untrust => ctx.untrust(at(1)),
        Send | Reliable => {}
    }
}

/// Seat 0 does each of these at its millisecond; what it sends is a number from 0 on. Seat 2 sends
/// to seat 1 as well, every 50 ms from the first second on, by datagram and reliably.
fn stage(acts: &'static [(u64, Do)]) -> Stage {
    let right: Arc<Mutex<Option<Contact>>> = Arc::default();
    let stage = Stage::new(3, SECOND * 20, move |ctx, log, what| match (ctx.seat(), what) {
        (Seat(0), Happened::Start) => {
            let now = ctx.now();
            for ((at, _), number) in acts.iter().zip(0..) {
                let at = Time::ZERO + MILLISECOND * *at;
                if at >= now {
                    ctx.after(at - now, number);
                }
            }
        }
        (Seat(1), Happened::Start) => {
            *right.lock().expect("nobody panics") = Some(ctx.contact());
        }
        (Seat(2), Happened::Start) => (0..20).for_each(|number| {
            ctx.after(SECOND + MILLISECOND * 50 * number, 100 + number);
        }),
        (Seat(0), Happened::Timer(number)) => {
            let right = right.lock().expect("nobody panics").expect("seat 1 has started");
            match acts[*number as usize].1 {
                Send => send(ctx, log, 1, *number),
                Reliable => _ = send_reliably(ctx, log, 1, *number),
                what => act(ctx, right, what),
            }
        }
        (_, Happened::Timer(number)) => {
            send(ctx, log, 1, *number);
            send_reliably(ctx, log, 1, *number);
        }
        _ => {}
    });
    stage.over(Constant { delay: DELAY })
}

/// The messages from seat 0 to seat 1, by number, and the reports to seat 0; in milliseconds.
struct Seen {
    came: Vec<(u64, u64)>,
    told: Vec<(u64, u64)>,
    ledger: Ledger,
}

/// Plays, and sees that nothing of what seat 2 sent is missing.
fn seen(stage: Stage) -> Seen {
    let (outcome, log) = stage.run();
    let (mut came, mut others, mut told) = (Vec::new(), 0, Vec::new());
    for (at, what) in log.of(1) {
        match what {
            Happened::Message(Seat(0), number) => came.push((at / MS, number)),
            Happened::Message(_, _) => others += 1,
            _ => {}
        }
    }
    for (at, what) in log.of(0) {
        if let Happened::Undelivered(Seat(1), number, why) = what {
            assert_eq!(why, WHY, "{number}");
            told.push((at / MS, number));
        }
    }
    assert_eq!(others, 40, "other peers are not affected");
    Seen { came, told, ledger: outcome.ledger }
}

#[test]
fn the_right_identity_changes_nothing() {
    const ACTS: &[(u64, Do)] =
        &[(1_000, Right), (1_010, Send), (1_020, Reliable), (1_500, Reliable), (1_510, Send)];
    const WITHOUT: &[(u64, Do)] =
        &[(1_000, Untrust), (1_010, Send), (1_020, Reliable), (1_500, Reliable), (1_510, Send)];
    let seen = seen(stage(ACTS));
    assert_eq!(seen.came, [(1_030, 1), (1_080, 2), (1_520, 3), (1_530, 4)]);
    assert_eq!(seen.told, []);
    assert_eq!(stage(ACTS).run().0.digest, stage(WITHOUT).run().0.digest);
}

#[test]
fn a_wrong_identity_is_found_out_after_a_round_trip() {
    const ACTS: &[(u64, Do)] = &[
        (1_000, Wrong),
        (1_000, Send),
        (1_000, Reliable),
        (1_010, Reliable),
        (1_500, Reliable),
        (1_500, Send),
    ];
    let seen = seen(stage(ACTS));
    assert_eq!(seen.came, []);
    // Both wait for the answer to the first.
    assert_eq!(seen.told, [(1_040, 2), (1_040, 3), (1_540, 4)]);
    assert_eq!(seen.ledger.datagram.dropped(DropCause::Identity), 2);
    assert_eq!(seen.ledger.reliable.dropped(DropCause::Undelivered), 3);
}

#[test]
fn a_handshake_shows_who_is_there() {
    const ACTS: &[(u64, Do)] =
        &[(1_000, Wrong), (1_000, Send), (1_010, Reliable), (1_500, Reliable), (1_500, Send)];
    let mut stage = stage(ACTS);
    stage.setup.handshakes = true;
    let seen = seen(stage);
    assert_eq!(seen.came, []);
    assert_eq!(seen.told, [(1_040, 2), (1_540, 3)]);
    assert_eq!(seen.ledger.datagram.dropped(DropCause::Identity), 2);
}

#[test]
fn trust_holds_from_now_on_and_is_taken_back() {
    const ACTS: &[(u64, Do)] = &[
        (1_000, Reliable),
        (1_100, Send),
        (1_200, Wrong),
        (1_300, Send),
        (1_400, Untrust),
        (1_500, Send),
        (1_600, Reliable),
        (1_700, Wrong),
        (1_800, Right),
        (1_900, Send),
    ];
    let seen = seen(stage(ACTS));
    assert_eq!(seen.came, [(1_060, 0), (1_120, 1), (1_520, 5), (1_620, 6), (1_920, 9)]);
    assert_eq!(seen.told, []);
}

#[test]
fn what_departed_before_is_reported_before() {
    // The connection stands when the peer trusts, and seat 1 is silent for the second message.
    const ACTS: &[(u64, Do)] = &[(1_000, Reliable), (2_000, Reliable), (2_001, Wrong)];
    const LATER: &[(u64, Do)] =
        &[(1_000, Reliable), (2_000, Reliable), (2_001, Wrong), (2_002, Reliable)];
    let told = |acts| {
        let stage = stage(acts).then(MILLISECOND * 2_010, 1, Act::Crash);
        let (_, log) = stage.run();
        let report = |(at, what)| match what {
            Happened::Undelivered(_, number, why) => Some((at, number, why)),
            _ => None,
        };
        log.of(0).into_iter().filter_map(report).collect::<Vec<_>>()
    };
    let lost = (12_000 * MS, 1, Undelivered::Timeout);
    assert_eq!(told(ACTS), [lost]);
    assert_eq!(told(LATER), [lost, (12_000 * MS, 3, WHY)]);
}

#[test]
fn a_message_that_waits_departs_when_the_trust_is_right_after_all() {
    const ACTS: &[(u64, Do)] =
        &[(1_000, Reliable), (2_000, Wrong), (2_000, Reliable), (2_500, Right), (3_000, Reliable)];
    let seen = seen(stage(ACTS));
    assert_eq!(seen.came, [(1_060, 0), (2_520, 2), (3_020, 4)]);
    assert_eq!(seen.told, []);
}

#[test]
fn a_new_life_trusts_nobody() {
    const ACTS: &[(u64, Do)] = &[(1_000, Wrong), (1_100, Send), (1_200, Reliable), (2_000, Send)];
    for end in [Act::Stop, Act::Crash] {
        let stage = stage(ACTS).then(MILLISECOND * 1_500, 0, end);
        let seen = seen(stage.then(MILLISECOND * 1_600, 0, Act::Start));
        assert_eq!((seen.came, seen.told), (vec![(2_020, 3)], vec![(1_240, 2)]));
    }
}

#[test]
fn what_a_peer_sends_when_it_stops_goes_to_nobody_else() {
    let stage = Stage::new(2, SECOND * 20, |ctx, log, what| match (ctx.seat(), what) {
        (Seat(0), Happened::Start) => ctx.trust(wrong()).expect("there is room"),
        (Seat(0), Happened::Stop) => {
            send(ctx, log, 1, 0);
            send_reliably(ctx, log, 1, 1);
        }
        _ => {}
    });
    let (outcome, log) = stage.then(SECOND, 0, Act::Stop).run();
    assert!(!log.of(1).iter().any(|(_, what)| matches!(what, Happened::Message(..))));
    let Ledger { datagram, reliable } = outcome.ledger;
    assert_eq!(datagram.dropped(DropCause::Identity), 1);
    assert_eq!(reliable.dropped(DropCause::Undelivered), 1);
}

#[test]
fn it_is_found_out_when_the_network_lets_it_be() {
    // Nothing departs for a second from the first message on.
    const ACTS: &[(u64, Do)] = &[(1_000, Wrong), (1_000, Reliable), (1_000, Reliable)];
    let stage = stage(ACTS).over(HostileNetwork::constant(DELAY).wall(SECOND, SECOND * 2));
    let (_, log) = stage.run();
    let told = log.of(0).into_iter().filter_map(|(_, what)| match what {
        Happened::Undelivered(_, number, why) => Some((number, why)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(1, WHY), (2, WHY)]);
}

#[test]
fn a_transport_without_identities_says_so() {
    let stage = |identities| {
        let mut stage = Stage::new(2, SECOND * 2, |ctx, log, what| {
            if ctx.seat() == Seat(0) && *what == Happened::Start {
                let refused = ctx.trust(wrong()) == Err(TrustError::NoIdentities);
                note(ctx, log, u64::from(refused));
                send(ctx, log, 1, 0);
            }
        });
        stage.setup.identities = identities;
        stage.run().1
    };
    let noted = |identities| {
        let mine = stage(identities).of(0);
        mine.iter().any(|(_, what)| *what == Happened::Note(1))
    };
    let came = |identities| {
        let mine = stage(identities).of(1);
        mine.iter().any(|(_, what)| matches!(what, Happened::Message(..)))
    };
    assert!(noted(false) && came(false));
    assert!(!noted(true) && !came(true));
}

#[test]
fn it_comes_to_the_same_in_all_engines() {
    const ACTS: &[(u64, Do)] = &[
        (1_000, Send),
        (1_001, Wrong),
        (1_010, Reliable),
        (1_011, Send),
        (1_020, Reliable),
        (1_200, Right),
        (1_210, Reliable),
        (1_220, Wrong),
        (1_220, Reliable),
        (1_221, Send),
        (1_400, Untrust),
        (1_410, Send),
        (1_420, Reliable),
    ];
    for (wire, handshakes) in [(false, false), (true, false), (false, true)] {
        let digest = |engine, threads| -> (Digest, Ledger) {
            let mut stage = stage(ACTS).over(Uniform { min: MILLISECOND, max: MILLISECOND * 90 });
            (stage.setup.engine, stage.setup.threads) = (engine, threads);
            (stage.setup.wire, stage.setup.handshakes) = (wire, handshakes);
            let (outcome, _) = stage.run();
            (outcome.digest, outcome.ledger)
        };
        let one = digest(Engine::Reference, 1);
        assert!(one.1.datagram.dropped(DropCause::Identity) > 0);
        for threads in [1, 2, 3] {
            assert_eq!(digest(Engine::Windowed, threads), one, "{threads} threads");
        }
    }
}
