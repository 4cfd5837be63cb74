//! Stopwatches: from what a scenario does until each peer notices.

use peerlet_core::{Context, MILLISECOND, Metric, Nothing, Peer, Peerlet, metrics};
use peerlet_run::{Experiment, Results, RunError};

metrics! {
    METRICS for Watcher {
        /// Crashes noticed.
        NOTICED: counter.tag("way", &["seen", "told"]),
    }
}

/// Looks every 300 ms whether peer 0 runs, and notices each change once.
#[derive(Clone, Default)]
struct Watcher {
    was_up: Option<bool>,
}

impl Peerlet for Watcher {
    const NAME: &'static str = "watcher";
    const METRICS: &'static [Metric] = METRICS;
    type Message = Nothing;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(MILLISECOND * 300, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let is_up = ctx.seats().running(peerlet_core::Seat(0));
        if self.was_up.replace(is_up) == Some(true) && !is_up {
            ctx.measure(NOTICED.tagged([0]), 1.0);
        }
    }
}

fn run(more: &str, threads: u32) -> Result<Results, RunError> {
    let experiment = Experiment::new("watcher").peer(|_seat| Peer::new().with(Watcher::default()));
    let scenario = format!(
        "peers = 5\nfor = \"20s\"\njoin = \"0s\"\n{more}\n\
         [events]\nlines = \"0 4.0 Peer.crash()\\n0 6 Peer.start()\\n0 10.1 Peer.crash()\"\n"
    );
    experiment.sim(scenario).threads(threads).run()
}

const WATCH: &str = "[[stopwatch]]\nname = \"crash\"\nfrom = \"Peer.crash\"\n\
    until = \"watcher/noticed\"";

#[test]
fn each_peer_stops_each_start_once() {
    let digest = run("", 1).expect("it runs").digest;
    for threads in [1, 2, 4] {
        let results = run(WATCH, threads).expect("it runs");
        let row = results.summary().rows["stopwatch/crash"];
        // At 4.2 s and at 10.2 s, by four peers each.
        assert_eq!((row.count, row.min, row.max), (8, Some(0.1), Some(0.2)), "{threads} threads");
        assert!(row.observed && row.unit == "s");
        assert_eq!(results.digest, digest);
    }
    let tagged = WATCH.replace("watcher/noticed", "watcher/noticed{way=told}");
    let row = run(&tagged, 1).expect("it runs").summary().rows["stopwatch/crash"];
    assert_eq!(row.count, 0, "nobody was told");
}

#[test]
fn an_instant_starts_one_and_late_values_do_not_stop_it() {
    let count = |more: &str| run(more, 1).expect("it runs").summary().rows["stopwatch/crash"].count;
    let at = WATCH.replace("Peer.crash", "9s");
    assert_eq!(count(&at), 4, "only the crash after it");
    assert_eq!(count(&format!("{at}\nwithin = \"1s\"")), 0);
    let groups = format!("{at}\n[measure]\ngroups = [\"1-2\"]");
    let rows = run(&groups, 1).expect("it runs").summary().rows;
    assert_eq!(rows["stopwatch/crash{group=1-2}"].count, 2);
}

#[test]
fn wrong_stopwatches_are_refused() {
    let check = |more: &str, expected: &str| {
        let error = run(more, 1).expect_err("it is wrong").to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&WATCH.replace("noticed", "notice"), "did you mean `watcher/noticed`?");
    check(&WATCH.replace("crash", "stop"), "nothing in this scenario is `Peer.stop`");
    check(&WATCH.replace("Peer.crash", "30s"), "nothing in this scenario is `30s`");
    check(&format!("{WATCH}\n{WATCH}"), "two stopwatches are named `crash`");
}
