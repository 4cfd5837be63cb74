//! Peers that tamper with what they send.

use peerlet_core::runtime::{Act, Tampering};
use peerlet_core::{Duration, MILLISECOND, SECOND, Seat};
use peerlet_measure::DropCause;
use peerlet_network::Constant;
use peerlet_sim::Engine;

use crate::actor::{Happened, Stage, send, send_reliably};

const DELAY: Duration = Duration::from_millis(20);
const NUMBERS: u64 = 2_000;

/// Seat 0 sends numbers to seat 1, one every 5 ms, and tampers with them from the first one on.
fn stage(reliably: bool, tampering: Tampering) -> Stage {
    let stage = Stage::new(2, SECOND * 20, move |ctx, log, what| match what {
        Happened::Start if ctx.seat() == Seat(0) => {
            (0..NUMBERS).for_each(|n| _ = ctx.after(SECOND + MILLISECOND * 5 * n, n));
        }
        Happened::Timer(number) => match reliably {
            true => _ = send_reliably(ctx, log, 1, *number),
            false => send(ctx, log, 1, *number),
        },
        _ => {}
    });
    stage.over(Constant { delay: DELAY }).then(MILLISECOND * 500, 0, Act::Tamper(tampering))
}

/// How many numbers came when they should have, how many others, and how many were left out.
fn came(reliably: bool, tampering: Tampering) -> [u64; 3] {
    let (outcome, log) = stage(reliably, tampering).run();
    let ledger = outcome.ledger;
    assert!(ledger.is_balanced(), "{ledger:?}");
    let flow = if reliably { ledger.reliable } else { ledger.datagram };
    let (mut right, mut others, mut next) = (0, 0, 0);
    for (_, what) in log.of(1) {
        let Happened::Message(_, number) = what else { continue };
        let is_next = number >= next && number < NUMBERS;
        (right, others) = (right + u64::from(is_next), others + u64::from(!is_next));
        next = if is_next { number + 1 } else { next };
    }
    [right, others, flow.dropped(DropCause::Filtered) + flow.dropped(DropCause::Decode)]
}

/// Within five standard deviations of a binomial around half of them.
fn is_half(count: u64) -> bool {
    count.abs_diff(NUMBERS / 2) < 112
}

#[test]
fn each_way_shows_in_what_comes() {
    for reliably in [false, true] {
        let [right, others, out] = came(reliably, Tampering::Drop(0.5));
        assert!(is_half(right) && others == 0 && right + out == NUMBERS, "{right} {others} {out}");
        let [right, others, _] = came(reliably, Tampering::Replay(0.5));
        assert!(right == NUMBERS && is_half(others), "{right} {others}");
        let [right, others, out] = came(reliably, Tampering::Equivocate(0.5));
        assert!(is_half(others) && right + others == NUMBERS && out == 0, "{right} {others}");
        let [right, others, out] = came(reliably, Tampering::Mutate(0.5));
        assert!(right + others + out == NUMBERS && others + out > 300, "{right} {others} {out}");
    }
}

#[test]
fn it_comes_to_the_same_in_all_engines() {
    for reliably in [false, true] {
        for tampering in [Tampering::Replay(0.3), Tampering::Mutate(0.3), Tampering::Drop(0.3)] {
            let digest = |engine, threads| {
                let mut stage = stage(reliably, tampering);
                (stage.setup.engine, stage.setup.threads) = (engine, threads);
                let (outcome, _) = stage.run();
                (outcome.digest, outcome.ledger)
            };
            let one = digest(Engine::Reference, 1);
            assert_eq!(digest(Engine::Windowed, 1), one);
            assert_eq!(digest(Engine::Windowed, 2), one);
        }
    }
}
