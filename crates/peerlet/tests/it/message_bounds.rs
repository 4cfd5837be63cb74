//! Reliable messages of exactly the bound, and of one byte more, in every world.

use std::sync::{Arc, Mutex};

use peerlet::live::{LiveError, LiveSetup, Medium, Sockets};
use peerlet::network::Constant;
use peerlet::prelude::*;
use peerlet::sim::{Setup, Simulation};
use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{Refusal, wire};

use crate::sockets;

/// What became of messages, by their encoded length: one that was handed back at once, or the
/// length that arrived.
type Fates = Arc<Mutex<Vec<Result<usize, Refusal>>>>;

/// The peer of seat 1 sends seat 0 a message of each of these encoded lengths.
#[derive(Clone)]
struct Sizes {
    lengths: [usize; 2],
    fates: Fates,
}

/// A message that is this long when it is encoded.
fn message(len: usize) -> Vec<u8> {
    let mut message = vec![7; len];
    while wire::encoded_len(&message).expect("it can be encoded") > len {
        message.pop();
    }
    assert_eq!(wire::encoded_len(&message).expect("it can be encoded"), len);
    message
}

impl Peerlet for Sizes {
    const NAME: &'static str = "sizes";
    type Message = Vec<u8>;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Reliable);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        if ctx.seat() == Seat(1) {
            ctx.after(MILLISECOND * 50, ());
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let to = ctx.seats().address(Seat(0)).expect("it is known");
        for len in self.lengths {
            if let Err(refused) = ctx.try_send_reliably(to, message(len)) {
                self.fates.lock().expect("nobody panics").push(Err(refused.why));
            }
        }
    }

    fn message(&mut self, _: &mut Context<Self>, _: Address, message: Vec<u8>) {
        let len = wire::encoded_len(&message).expect("it was encoded");
        self.fates.lock().expect("nobody panics").push(Ok(len));
    }
}

fn starts() -> Vec<Directive> {
    let start = |seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start };
    (0..2).map(start).collect()
}

/// Checks one world with a bound within a frame, one at its edge, and two beyond it.
fn check(run: impl Fn(usize, Sizes)) {
    for bound in [1, 1_000, 256 * 1024, 256 * 1024 + 1, 3_000_000] {
        let fates = Fates::default();
        run(bound, Sizes { lengths: [bound, bound + 1], fates: fates.clone() });
        let refused = Err(Refusal::TooLarge { size: bound + 1, max: bound });
        let fates = fates.lock().expect("nobody panics");
        assert_eq!(*fates, [refused, Ok(bound)], "a bound of {bound} bytes");
    }
}

#[test]
fn messages_of_the_bound_arrive_in_simulation_and_larger_ones_are_handed_back() {
    for threads in [1, 2] {
        check(|message_max, sizes| {
            let build = move |_| Peer::new().with(sizes.clone());
            let setup = Setup { message_max, threads, ..Setup::new(2, SECOND * 5, build) };
            let simulation = Simulation::new(setup, starts()).expect("it can run");
            simulation.run().expect("it runs");
        });
    }
}

/// Runs until both messages have a fate, which a busy machine may need a while for.
fn live(setup: LiveSetup, fates: &Fates) -> Result<(), LiveError> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let fated = async {
        while fates.lock().expect("nobody panics").len() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    sockets::runtime().block_on(async {
        let mut run = std::pin::pin!(peerlet::live::run(setup, starts(), stopped));
        tokio::select! {
            ended = &mut run => return ended.map(drop),
            () = fated => {}
        }
        stop.send_replace(true);
        run.await.map(drop)
    })
}

#[test]
fn messages_of_the_bound_arrive_live_and_emulated_and_larger_ones_are_handed_back() {
    for is_emulated in [false, true] {
        check(|message_max, sizes| {
            let fates = sizes.fates.clone();
            let build = move |_| Peer::new().with(sizes.clone());
            let model = Box::new(Constant { delay: MILLISECOND * 5 });
            let medium = if is_emulated { Medium::Emulated(model) } else { Medium::Real };
            let setup = LiveSetup {
                message_max,
                medium,
                shards: 2,
                ..LiveSetup::new("sizes", 2, SECOND * 60, build)
            };
            live(setup, &fates).expect("it runs");
        });
    }
}

/// UDP has no reliable delivery: a stack that needs it is refused by name, whatever the bound.
#[test]
fn over_udp_reliable_messages_are_refused_by_name() {
    let sizes = Sizes { lengths: [1, 2], fates: Fates::default() };
    let build = move |_| Peer::new().with(sizes.clone());
    let sockets = Sockets::Udp { closed_network: false };
    let setup = LiveSetup { sockets, message_max: 1, ..LiveSetup::new("sizes", 2, SECOND, build) };
    let error = live(setup, &Fates::default()).expect_err("UDP has none").to_string();
    assert!(error.contains("sizes"), "{error}");
}
