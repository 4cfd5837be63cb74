//! Full speed: handlers that never overlap and pairs that never reorder, under all the load that
//! this machine makes. `PEERLET_LIVE_SECONDS` makes it longer than the two seconds of a test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use peerlet_conformance::Overlap;
use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{
    Address, Context, Description, Duration, MILLISECOND, Need, Nothing, Peer, Peerlet, Seat, Time,
};
use peerlet_live::LiveSetup;

const PEERS: u32 = 8;
/// Messages that each ordered pair has under way.
const UNDER_WAY: u64 = 16;

/// The findings of all racers.
#[derive(Clone, Default)]
struct Findings {
    received: Arc<Mutex<u64>>,
    disorder: Arc<Mutex<Vec<String>>>,
}

/// Answers every message with its next one, as fast as it can.
struct Racer {
    overlap: Overlap,
    findings: Findings,
    next: BTreeMap<Address, u64>,
    expected: BTreeMap<Address, u64>,
}

impl Racer {
    fn send(&mut self, ctx: &mut Context<Self>, to: Address) {
        let next = self.next.entry(to).or_default();
        if ctx.send_reliably(to, *next).is_ok() {
            *next += 1;
        }
    }
}

impl Peerlet for Racer {
    const NAME: &'static str = "racer";
    type Message = u64;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Reliable);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.after(MILLISECOND * 200, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let overlap = self.overlap.clone();
        overlap.during(|| {
            let me = ctx.seat();
            for seat in (0..PEERS).map(Seat).filter(|seat| *seat != me) {
                let to = ctx.seats().address(seat).expect("all seats are here");
                (0..UNDER_WAY).for_each(|_| self.send(ctx, to));
            }
        });
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, number: u64) {
        let overlap = self.overlap.clone();
        overlap.during(|| {
            let expected = self.expected.entry(from).or_default();
            if number != *expected {
                let what = format!("{number} instead of {expected} from {from}");
                self.findings.disorder.lock().expect("nobody panics").push(what);
            }
            *expected = number + 1;
            *self.findings.received.lock().expect("nobody panics") += 1;
            self.send(ctx, from);
        });
    }
}

/// A sibling, so that a racer's stack has more than one peerlet.
struct Idle;

impl Peerlet for Idle {
    const NAME: &'static str = "idle";
    type Message = Nothing;
    type Timer = Nothing;
}

#[test]
fn at_full_speed_nothing_overlaps_and_nothing_is_reordered() {
    let seconds = std::env::var("PEERLET_LIVE_SECONDS").ok().and_then(|s| s.parse().ok());
    let (overlaps, findings): (Vec<Overlap>, _) =
        ((0..PEERS).map(|_| Overlap::default()).collect(), Findings::default());
    let (watched, shared) = (overlaps.clone(), findings.clone());
    let build = move |seat: Seat| {
        let (overlap, findings) = (watched[seat.index()].clone(), shared.clone());
        let (next, expected) = Default::default();
        Peer::new().with(Racer { overlap, findings, next, expected }).with(Idle)
    };
    let duration = Duration::from_secs(seconds.unwrap_or(2));
    let setup = LiveSetup { shards: 2, ..LiveSetup::new("race", PEERS, duration, build) };
    let start = |seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let (_keep, stop) = tokio::sync::watch::channel(false);
    let run = peerlet_live::run(setup, (0..PEERS).map(start).collect(), stop);
    let outcome = runtime.block_on(run).expect("QUIC gives all that is needed");

    let received = *findings.received.lock().expect("nobody panics");
    let overlapping: u64 = overlaps.iter().map(Overlap::overlaps).sum();
    let handlers: u64 = overlaps.iter().map(Overlap::handlers).sum();
    let disorder = findings.disorder.lock().expect("nobody panics").clone();
    println!("{duration}: {received} messages, {handlers} handlers, {overlapping} overlaps");
    assert!(received > 1_000, "only {received} messages came");
    assert_eq!(outcome.ledger.reliable.delivered, received);
    assert_eq!(overlapping, 0);
    assert_eq!(disorder, [] as [&str; 0]);
}
