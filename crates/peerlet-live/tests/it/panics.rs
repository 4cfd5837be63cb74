//! Panics in whatever a run calls: they are named, end it at once, and take nobody else along.

use std::sync::Arc;

use peerlet_core::runtime::{Act, Directive, Handler, Port};
use peerlet_core::{
    Address, Command, Context, Description, Duration, MILLISECOND, Peer, Peerlet, Seat, Signature,
    Time, Undelivered,
};
use peerlet_live::{Join, LiveError, LiveSetup, Medium, PanicPlace, Panicked, ProcessKey, Sockets};
use peerlet_network::{Constant, Departure, Model, ModelState, Packet};

use crate::runs::{LONG, Lines, PATIENCE, run, run_until_stopped, runtime, seconds, starts};

/// The peer that panics, on the second of two shards.
const LOUD: u32 = 3;

/// Panics in one handler of one peer.
struct Boom {
    handler: Handler,
    is_loud: bool,
}

struct Changed;

impl Boom {
    fn may_panic(&self, handler: Handler) {
        assert!(!(self.is_loud && self.handler == handler), "on purpose");
    }
}

impl Peerlet for Boom {
    const NAME: &'static str = "boom";
    type Message = u32;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.command(Signature::new("explode"));
        about.hears(|boom, _, _: &Changed| boom.may_panic(Handler::Event));
    }

    fn init(&mut self, _: &mut Context<Self>) {
        self.may_panic(Handler::Init);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        self.may_panic(Handler::Start);
        ctx.after(MILLISECOND * 20, ());
    }

    fn stop(&mut self, _: &mut Context<Self>) {
        self.may_panic(Handler::Stop);
    }

    fn message(&mut self, _: &mut Context<Self>, _: Address, _: u32) {
        self.may_panic(Handler::Message);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        self.may_panic(Handler::Timer);
        let address = |seat| ctx.seats().address(Seat(seat)).expect("all are known");
        // The last seat is never started.
        let (loud, nobody) = (address(LOUD), address(4));
        match self.handler {
            Handler::Message => ctx.send(loud, 7),
            Handler::Undelivered => ctx.send_reliably(nobody, 7).expect("the queue is empty"),
            Handler::Writable => {
                let nowhere = Address::new(([127, 0, 0, 1], 9).into(), 9);
                while ctx.send_reliably(nowhere, 7).is_ok() {}
            }
            Handler::Event => ctx.emit(Changed),
            Handler::Task => {
                let (handler, is_loud) = (self.handler, self.is_loud);
                ctx.spawn(move |task| async move {
                    task.sleep(MILLISECOND).await;
                    assert!(!(is_loud && handler == Handler::Task), "on purpose");
                });
            }
            _ => {}
        }
    }

    fn undelivered(&mut self, _: &mut Context<Self>, _: Address, _: u32, _: Undelivered) {
        self.may_panic(Handler::Undelivered);
    }

    fn writable(&mut self, _: &mut Context<Self>, _: Address) {
        self.may_panic(Handler::Writable);
    }

    fn command(&mut self, _: &mut Context<Self>, _: &Command) {
        self.may_panic(Handler::Command);
    }
}

impl Drop for Boom {
    fn drop(&mut self) {
        self.may_panic(Handler::Drop);
    }
}

/// Five peers on two shards, one of which panics in this handler once time is zero.
fn setup(handler: Handler) -> LiveSetup {
    let peer = |handler, is_loud| Peer::new().with(Boom { handler, is_loud });
    let registry = peerlet_core::runtime::Registry::of([peer(Handler::Build, false)]);
    LiveSetup {
        shards: 2,
        seed: Some(42),
        registry: Some(Arc::new(registry.expect("one peerlet is a stack"))),
        connection_timeout: MILLISECOND * 300,
        ..LiveSetup::new("panics", 5, LONG, move |seat| {
            let is_loud = seat == Seat(LOUD);
            assert!(!(is_loud && handler == Handler::Build), "on purpose");
            peer(handler, is_loud)
        })
    }
}

/// What happens to the peers; the last is never started.
fn directives(handler: Handler) -> Vec<Directive> {
    let call = Signature::new("explode");
    let command = call.call(&[]).expect("the signature fits");
    let act = match handler {
        Handler::Stop => Some(Act::Stop),
        Handler::Drop => Some(Act::Crash),
        Handler::Command => Some(Act::Command(Port(0), Arc::new(command))),
        _ => None,
    };
    let at = Time::ZERO + MILLISECOND * 50;
    let more = act.map(|act| Directive { at, seat: Seat(LOUD), act });
    starts(0..4).into_iter().chain(more).collect()
}

fn panicked(result: Result<peerlet_live::LiveOutcome, LiveError>) -> Panicked {
    match result {
        Err(LiveError::Panicked(panicked)) => panicked,
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("it came to its end"),
    }
}

/// Checks that a panic in a handler is named, that the run ends, and what it had reached is there.
fn check(setup: LiveSetup, handler: Handler) {
    let panicked = panicked(run(setup, directives(handler)));
    let PanicPlace::Peer(place) = panicked.place else { panic!("{panicked}") };
    assert_eq!((place.seat, place.handler), (Seat(LOUD), handler), "{panicked}");
    let (peerlet, life) = match handler {
        Handler::Build => (None, 0),
        _ => (Some("boom"), 1),
    };
    assert_eq!((place.peerlet, place.life), (peerlet, life), "{panicked}");
    assert!(place.time < seconds(60), "{panicked}");
    assert_eq!((&*panicked.message, panicked.seed), ("on purpose", 42));
    let partial = panicked.partial.expect("peers had lived");
    assert!(partial.end < seconds(60) && partial.events > 0, "{} events", partial.events);
}

#[test]
fn a_panic_in_any_handler_names_it_and_ends_the_run() {
    for handler in [
        Handler::Build,
        Handler::Init,
        Handler::Start,
        Handler::Stop,
        Handler::Message,
        Handler::Timer,
        Handler::Undelivered,
        Handler::Writable,
        Handler::Command,
        Handler::Event,
        Handler::Task,
        Handler::Drop,
    ] {
        check(setup(handler), handler);
    }
}

#[test]
fn a_panic_ends_an_emulation() {
    for (handler, sockets) in [
        (Handler::Timer, Sockets::Quic),
        (Handler::Message, Sockets::Udp { closed_network: false }),
        (Handler::Drop, Sockets::Quic),
    ] {
        let model = Constant { delay: MILLISECOND * 5 };
        let medium = Medium::Emulated(Box::new(model));
        check(LiveSetup { medium, sockets, ..setup(handler) }, handler);
    }
}

/// Two shards that panic at the same time: one of them is named.
#[test]
fn panics_of_several_shards_are_one_end() {
    let setup = LiveSetup {
        shards: 4,
        ..LiveSetup::new("panics", 4, LONG, |_| {
            Peer::new().with(Boom { handler: Handler::Start, is_loud: true })
        })
    };
    let panicked = panicked(run(setup, starts(0..4)));
    let PanicPlace::Peer(place) = panicked.place else { panic!("{panicked}") };
    assert_eq!(place.handler, Handler::Start);
}

/// What panics when all else is over is not lost.
#[test]
fn a_destructor_at_the_end_counts() {
    let setup = LiveSetup { duration: MILLISECOND * 100, ..setup(Handler::Drop) };
    let panicked = panicked(run(setup, starts(0..4)));
    let PanicPlace::Peer(place) = panicked.place else { panic!("{panicked}") };
    assert_eq!((place.seat, place.handler), (Seat(LOUD), Handler::Drop), "{panicked}");
    assert!(panicked.partial.is_some());
}

/// The stack of a seat is looked at before the run where its types are not known.
#[test]
fn a_stack_that_cannot_be_looked_at_is_named() {
    let setup = LiveSetup { registry: None, ..setup(Handler::Build) };
    let panicked = panicked(run(setup, Vec::new()));
    let PanicPlace::Peer(place) = panicked.place else { panic!("{panicked}") };
    assert_eq!((place.seat, place.handler, place.life), (Seat(LOUD), Handler::Build, 0));
    assert!(panicked.partial.is_none());
}

#[test]
fn a_notice_that_panics_ends_the_run() {
    let notice = Arc::new(|line: &str| panic!("told {}", line.len() > 3));
    let panicked = panicked(run(LiveSetup { notice, ..setup(Handler::Stop) }, starts(0..4)));
    assert_eq!((panicked.place, &*panicked.message), (PanicPlace::Notice, "told true"));
}

/// A model of a user's own, with a fault in one of its functions.
#[derive(Debug)]
struct Faulty(&'static str);

impl Faulty {
    fn may_panic(&self, function: &str) {
        assert!(self.0 != function, "on purpose");
    }
}

impl Model for Faulty {
    fn lookahead(&self) -> Duration {
        MILLISECOND
    }

    fn outbound(&self, _: Seat) -> ModelState {
        self.may_panic("outbound");
        None
    }

    fn has_local_networks(&self) -> bool {
        self.may_panic("has_local_networks");
        false
    }

    fn round_trip(&self, _: Seat, _: Seat) -> Duration {
        MILLISECOND * 2
    }

    fn depart(&self, _: &Packet, _: &mut ModelState) -> Departure {
        self.may_panic("depart");
        Departure::Arrive { after: MILLISECOND }
    }
}

#[test]
fn a_model_that_panics_ends_the_emulation() {
    for (function, place) in [
        ("depart", PanicPlace::Network),
        ("outbound", PanicPlace::Network),
        ("has_local_networks", PanicPlace::Setup),
    ] {
        let medium = Medium::Emulated(Box::new(Faulty(function)));
        // What panics nowhere makes traffic.
        let setup = LiveSetup { medium, ..setup(Handler::Message) };
        let registry = setup.registry.clone();
        let quiet = LiveSetup {
            registry,
            ..LiveSetup::new("panics", 5, LONG, |_| {
                Peer::new().with(Boom { handler: Handler::Message, is_loud: false })
            })
        };
        let setup = LiveSetup { build: quiet.build, ..setup };
        let panicked = panicked(run(setup, starts(0..4)));
        assert_eq!((panicked.place, &*panicked.message), (place, "on purpose"), "{function}");
    }
}

/// Of two processes one panics: the other hears of it at once, and lives on to its end.
#[test]
fn another_process_hears_of_the_end() {
    for first_panics in [false, true] {
        let share = |lines: &Lines, index| LiveSetup {
            index: Some(index),
            notice: lines.notice(),
            shards: 1,
            ..setup(Handler::Timer)
        };
        let key = ProcessKey::generate();
        let identity = Some(key.identity());
        let lines = [Lines::default(), Lines::default()];
        // The peer that panics lives in the one or the other.
        let split = if first_panics { 3 } else { 2 };
        let first = LiveSetup { key: Some(key), ..share(&lines[0], (0, split)) };
        let survivor = lines[usize::from(first_panics)].clone();
        runtime().block_on(async move {
            let (stopping, stop) = tokio::sync::watch::channel(false);
            let first = tokio::spawn(run_until_stopped(first, starts(0..4), stop.clone()));
            let told = lines[0].wait_for("reached as ").await;
            let at = told.rsplit_once('@').expect("an identity and an address").1;
            let join = Join::at(at.parse().expect("an address"));
            let join = Some(match identity {
                Some(identity) => join.of(identity),
                None => join,
            });
            let second = LiveSetup { join, ..share(&lines[1], (split + 1, 4)) };
            let second = tokio::spawn(run_until_stopped(second, starts(0..4), stop));
            let (broken, other) = if first_panics { (first, second) } else { (second, first) };
            let panicked = panicked(broken.await.expect("no panic comes through"));
            assert!(matches!(panicked.place, PanicPlace::Peer(place) if place.seat == Seat(LOUD)));
            survivor.wait_for("closed its link").await;
            assert!(!other.is_finished());
            stopping.send_replace(true);
            let other = tokio::time::timeout(PATIENCE, other).await.expect("it ends");
            let outcome = other.expect("it does not panic").expect("it lives to its end");
            assert!(outcome.events > 0);
        });
    }
}
