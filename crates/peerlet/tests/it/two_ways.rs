//! Two peers over slow links, one of which sends the other a large message, while that one sends
//! small ones: what is told of both, and what a crash leaves of the large one.

use std::sync::{Arc, Mutex};

use peerlet::live::{LiveSetup, Medium};
use peerlet::network::{AccessConfig, Constant, LayersConfig, Model, Rate, Size};
use peerlet::prelude::*;
use peerlet::sim::{Setup, Simulation};
use peerlet_core::Undelivered;
use peerlet_core::runtime::{Act, Directive};

use crate::sockets;

/// What takes more than four seconds on a link of 4 Mbit/s.
const LARGE: usize = 2 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Default, Debug)]
struct Seen {
    small: u32,
    large: u32,
    undelivered: Vec<(Time, Seat, usize, Undelivered)>,
}

/// Seat 0 sends seat 1 a large message after 300 ms; seat 1 sends seat 0 a small one every 200 ms.
#[derive(Clone)]
struct TwoWays(Arc<Mutex<Seen>>);

impl Peerlet for TwoWays {
    const NAME: &'static str = "two_ways";
    type Message = Vec<u8>;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Reliable);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        match ctx.seat() {
            Seat(0) => _ = ctx.after(MILLISECOND * 300, ()),
            _ => _ = ctx.every(MILLISECOND * 200, ()),
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        // What is sent last is told of before the end.
        if ctx.now() > Time::ZERO + SECOND * 8 {
            return;
        }
        let other = ctx.seats().address(Seat(1 - ctx.seat().0)).expect("it is known");
        let len = if ctx.seat() == Seat(0) { LARGE } else { 1 };
        ctx.send_reliably(other, vec![7; len]).expect("there is room");
    }

    fn message(&mut self, _: &mut Context<Self>, _: Address, message: Vec<u8>) {
        let mut seen = self.0.lock().expect("nobody panics");
        match message.len() {
            1 => seen.small += 1,
            _ => seen.large += 1,
        }
    }

    fn undelivered(
        &mut self,
        ctx: &mut Context<Self>,
        _: Address,
        message: Vec<u8>,
        why: Undelivered,
    ) {
        let told = (ctx.now(), ctx.seat(), message.len(), why);
        self.0.lock().expect("nobody panics").undelivered.push(told);
    }
}

fn model() -> Box<dyn Model> {
    let up = Some(Rate::bits(4_000_000));
    let queue = Size::bytes(64 << 10);
    let access = Some(AccessConfig { up, down: None, classes: None, queue, overhead: 64 });
    let layers = LayersConfig { access, ..LayersConfig::default() };
    let model = Box::new(Constant { delay: MILLISECOND * 20 });
    layers.wrap(model, Seed::new(5), 2).expect("the layers can be built")
}

fn directives(crash: bool) -> Vec<Directive> {
    let act =
        |at, seat, act| Directive { at: Time::ZERO + MILLISECOND * at, seat: Seat(seat), act };
    let starts = [act(0, 0, Act::Start), act(0, 1, Act::Start)];
    starts.into_iter().chain(crash.then(|| act(2_000, 0, Act::Crash))).collect()
}

fn simulated(crash: bool) -> Seen {
    let seen = Arc::<Mutex<Seen>>::default();
    let peerlet = TwoWays(seen.clone());
    let mut setup = Setup::new(2, SECOND * 12, move |_| Peer::new().with(peerlet.clone()));
    (setup.model, setup.connection_timeout) = (model(), TIMEOUT);
    let simulation = Simulation::new(setup, directives(crash)).expect("it can run");
    simulation.run().expect("it runs");
    std::mem::take(&mut *seen.lock().expect("nobody panics"))
}

fn emulated(crash: bool) -> Seen {
    let seen = Arc::<Mutex<Seen>>::default();
    let peerlet = TwoWays(seen.clone());
    let build = move |_| Peer::new().with(peerlet.clone());
    let setup = LiveSetup {
        connection_timeout: TIMEOUT,
        medium: Medium::Emulated(model()),
        ..LiveSetup::new("two ways", 2, SECOND * 12, build)
    };
    sockets::direct(setup, directives(crash));
    std::mem::take(&mut *seen.lock().expect("nobody panics"))
}

/// Acknowledgements do not wait behind the large message.
#[test]
fn a_peer_that_sends_much_acknowledges_what_it_gets() {
    for (world, run) in [("sim", simulated as fn(bool) -> Seen), ("emulate", emulated)] {
        let seen = run(false);
        assert_eq!((seen.large, seen.undelivered.len()), (1, 0), "{world}: {seen:?}");
        assert!(seen.small >= 30, "{world}: {seen:?}");
    }
}

/// At two seconds four tenths of the message can have left.
#[test]
fn a_crash_cuts_a_large_message_off() {
    for (world, run) in [("sim", simulated as fn(bool) -> Seen), ("emulate", emulated)] {
        let seen = run(true);
        assert_eq!(seen.large, 0, "{world}: {seen:?}");
    }
}
