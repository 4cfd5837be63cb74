//! Handlers that block: they are named, what their shard lost is not covered, and nobody waits for
//! them for ever.

use std::sync::{Arc, Mutex, MutexGuard};

use peerlet_core::runtime::Handler;
use peerlet_core::{Context, Description, MILLISECOND, Metric, Peer, Peerlet, SECOND, Seat};
use peerlet_live::{LiveError, LiveSetup, PanicPlace};

use crate::runs::{LONG, run, run_until_stopped, runtime, starts};

const LEVEL: Metric = Metric::gauge("level");

/// The peer in seat 0 blocks in its timer, the other one may panic.
struct Blocks {
    until: Arc<Mutex<()>>,
    for_millis: u64,
    panics: bool,
}

impl Peerlet for Blocks {
    const NAME: &'static str = "blocks";
    type Message = u32;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.measures(&LEVEL);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.measure(LEVEL, 1.0);
        ctx.after(MILLISECOND * 100, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let is_first = ctx.seat() == Seat(0);
        assert!(is_first || !self.panics, "on purpose");
        if is_first {
            std::thread::sleep(std::time::Duration::from_millis(self.for_millis));
            drop(self.until.lock().map(|guard: MutexGuard<'_, ()>| drop(guard)));
        }
    }
}

/// A shard whose handler takes 1.6 of 3 seconds has lost most of that: its seat is not covered, its
/// level is no value of the epochs in between, and the handler has a name.
#[test]
fn time_that_a_handler_took_is_lost_and_named() {
    let setup = LiveSetup {
        shards: 2,
        epoch: MILLISECOND * 500,
        ..LiveSetup::new("blocks", 2, SECOND * 3, |_| {
            Peer::new().with(Blocks { until: Arc::default(), for_millis: 1_600, panics: false })
        })
    };
    let outcome = run(setup, starts(0..2)).expect("it comes to its end");
    let (place, took) = outcome.delays.slowest.expect("one took long");
    assert_eq!((place.seat, place.handler), (Seat(0), Handler::Timer));
    assert_eq!((place.peerlet, place.life), (Some("blocks"), 1));
    assert!(took >= MILLISECOND * 1_600 && outcome.delays.blocked >= 1, "{took}");
    assert!(outcome.delays.lateness.max() > SECOND);
    let whole = outcome.whole.expect("it knows the whole network");
    assert!(whole.coverage < 0.85 && whole.processes == 1, "{whole:?}");
    let levels: Vec<u64> =
        outcome.measures.epochs().map(|epoch| epoch.accumulators[0].count()).collect();
    assert!(levels[0] == 2 && levels[2] < 2 && levels[5] == 2, "{levels:?}");
}

/// A shard that does not come back from a handler is left out, even where it keeps the thread that
/// was to look at the sockets.
#[test]
fn a_blocked_shard_does_not_keep_the_run() {
    let until = Arc::new(Mutex::new(()));
    let held = until.clone();
    let setup = LiveSetup {
        shards: 2,
        ..LiveSetup::new("blocks", 2, LONG, move |_| {
            Peer::new().with(Blocks { until: until.clone(), for_millis: 0, panics: true })
        })
    };
    let runtime = runtime();
    let keep = held.lock().expect("nobody panicked");
    let (_keep, stop) = tokio::sync::watch::channel(false);
    let ended = runtime.block_on(run_until_stopped(setup, starts(0..2), stop));
    drop(keep);
    let Err(LiveError::Panicked(panicked)) = ended else { panic!("it came to its end") };
    assert!(matches!(panicked.place, PanicPlace::Peer(place) if place.seat == Seat(1)));
    let partial = panicked.partial.expect("the shard that panicked hands over what it has");
    assert!(partial.events > 0);
}
