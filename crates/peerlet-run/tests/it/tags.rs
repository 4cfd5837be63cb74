//! Values with tags, and of parts of the network: they add up to those of the whole.

use std::collections::BTreeMap;

use peerlet_core::runtime::mix;
use peerlet_core::{
    Address, Context, MILLISECOND, Metric, Peer, Peerlet, SECOND, Seat, TestPeer, metrics,
};
use peerlet_measure::Accumulator;
use peerlet_run::{Experiment, Results, RunError};
use serde::{Deserialize, Serialize};

metrics! {
    METRICS for Chat {
        /// Words heard, by their length.
        WORDS: counter.tag("length", &["short", "long"]),
        /// Delays.
        DELAY: histogram.unit("s").quantum(1e-9)
            .tag("length", &["short", "long"])
            .tag("hops", &["0", "1", "2 or more"]),
        /// Peers heard.
        HEARD: gauge.quantum(1.0).tag("parity", &["even", "odd"]),
        /// Without tags.
        PLAIN: counter,
    }
}

/// Says words of random length to random peers.
#[derive(Clone, Default)]
struct Chat {
    heard: u32,
}

#[derive(Serialize, Deserialize)]
struct Word {
    length: u32,
    hops: u32,
}

impl Peerlet for Chat {
    const NAME: &'static str = "chat";
    const METRICS: &'static [Metric] = METRICS;
    type Message = Word;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(MILLISECOND * 700, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let count = ctx.seats().count();
        let (seat, length) = (ctx.rng().below(count.into()), ctx.rng().below(900));
        if let Some(other) = ctx.seats().address(Seat(seat as u32)) {
            ctx.send(other, Word { length: length as u32, hops: 0 });
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, word: Word) {
        self.heard += 1;
        let (is_long, hops) = (word.length >= 300, word.hops as usize);
        ctx.measure(WORDS.tagged([usize::from(is_long)]), f64::from(word.length));
        ctx.measure(DELAY.tagged([usize::from(is_long), hops]), f64::from(word.length) / 1e6);
        ctx.measure(HEARD.tagged([self.heard as usize % 2]), f64::from(self.heard));
        ctx.measure(PLAIN, 1.0);
        if word.length.is_multiple_of(5) {
            ctx.measure(WORDS, 7.0);
        }
        if word.hops < 3 && word.length.is_multiple_of(2) {
            ctx.send(from, Word { hops: word.hops + 1, ..word });
        }
    }
}

fn experiment() -> Experiment {
    Experiment::new("chat").peer(|_seat| Peer::new().with(Chat::default()))
}

fn run(scenario: &str, threads: u32) -> Result<Results, RunError> {
    experiment().sim(scenario.to_owned()).threads(threads).run()
}

/// The values of each metric by its full name, over the whole run.
fn totals(results: &Results) -> BTreeMap<String, Accumulator> {
    let entries = results.measures.metrics().iter();
    let total = results.measures.total_from(peerlet_core::Time::ZERO);
    entries.map(|entry| entry.full_name.clone()).zip(total).collect()
}

/// What two accumulators of the same values agree in: count, sum, smallest, largest, median.
fn facts(values: &Accumulator) -> (u64, i128, Option<i64>, Option<i64>, Option<i64>) {
    (values.count(), values.sum(), values.min(), values.max(), values.quantile(0.5))
}

#[test]
fn values_of_parts_and_tags_add_up_over_random_scenarios() {
    let base: u64 =
        std::env::var("PEERLET_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for i in 0..200 {
        let seed = mix(base.wrapping_add(i));
        let peers = 2 + seed % 30;
        let cut = 1 + seed / 64 % (peers - 1);
        let crash = 1 + seed / 4096 % 9;
        let scenario = format!(
            "peers = {peers}\nfor = \"10s\"\njoin = \"2s\"\nseed = {}\n\
             [network]\nmodel = \"king-like\"\nloss = 0.05\n\
             [measure]\nepoch = \"3s\"\ngroups = [\"0-{}\", \"{cut}\"]\n\
             [events]\nlines = \"0 {crash} Peer.restart()\"\n",
            seed % 1_000_000,
            cut - 1
        );
        let results = run(&scenario, 1).unwrap_or_else(|error| panic!("{scenario}\n{error}"));
        let all = totals(&results);
        let names: Vec<&String> = all.keys().filter(|name| !name.contains('{')).collect();
        assert_eq!(names.len(), 4);
        for name in names {
            let whole = &all[name];
            let groups = all.iter().filter(|(full, _)| {
                full.starts_with(&format!("{name}{{group=")) && !full.contains(',')
            });
            let mut sum = Accumulator::default();
            groups.for_each(|(_, part)| sum.merge(part));
            assert_eq!(facts(&sum), facts(whole), "{name} in\n{scenario}");
        }
        // Values that are recorded without tags are in no combination of them.
        let untagged = all["chat/words"].sum()
            - all["chat/words{length=short}"].sum()
            - all["chat/words{length=long}"].sum();
        assert!(untagged >= 0 && untagged % 7 == 0, "{scenario}");
        let tagged = all.iter().filter(|(name, _)| name.starts_with("chat/delay{length="));
        let mut sum = Accumulator::default();
        tagged.for_each(|(_, part)| sum.merge(part));
        assert_eq!(sum, all["chat/delay"], "every delay has tags, in\n{scenario}");
    }
}

#[test]
fn groups_change_neither_the_digest_nor_the_whole() {
    let scenario = "peers = 20\nfor = \"10s\"\nloss = 0\n".replace("loss = 0\n", "");
    let whole = run(&scenario, 1).expect("it runs");
    let groups = format!("{scenario}[measure]\ngroups = [\"0-4\", \"5\"]\n");
    for threads in [1, 2, 4] {
        let split = run(&groups, threads).expect("it runs");
        assert_eq!(split.digest, whole.digest);
        let (split, whole) = (totals(&split), totals(&whole));
        assert!(whole.iter().all(|(name, values)| split[name] == *values));
        assert_eq!(split.len(), whole.len() * 4, "the whole, two parts, and others");
        let others = &split["chat/delay{group=others,length=long,hops=2 or more}"];
        assert!(others.count() > 0);
    }
}

#[test]
fn wrong_groups_are_refused() {
    let check = |groups: &str, expected: &str| {
        let scenario = format!("peers = 20\nfor = \"10s\"\n[measure]\ngroups = {groups}\n");
        let error = run(&scenario, 1).expect_err("it is wrong").to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("true", "there are no groups to measure");
    check("[\"0-9\", \"5\"]", "peer 5 is in `0-9` and in `5`");
    let named =
        |name: &str| format!("true\n[[group]]\nname = {name:?}\npeers = \"0-9\"\nstack = {{}}\n");
    check(&named("others"), "`others` cannot be the name of a part");
    check(&named("a{b"), "`a{b` cannot be the name of a part");
    check("[\"east\"]", "east");
    check("[\"0,1\"]", "cannot stand in the name of a measure");
    check("[\"30\"]", "30");
    check("\"east\"", "groups");
}

#[test]
fn a_test_peer_shows_values_with_their_tags() {
    let mut peer = TestPeer::new(Chat::default());
    peer.start();
    let other = peer.stranger(1);
    peer.deliver(other, Word { length: 301, hops: 9 });
    peer.deliver(other, Word { length: 4, hops: 3 });
    assert_eq!(peer.measured("words"), [301.0, 4.0]);
    assert_eq!(peer.measured("words{length=long}"), [301.0]);
    assert_eq!(peer.measured("delay{length=long,hops=2 or more}").len(), 1);
    peer.advance(SECOND);
}

#[test]
#[should_panic(expected = "has 1 tags and was given 2 values")]
fn a_metric_by_name_is_given_a_value_for_each_tag() {
    const LISTED: Metric = Metric::counter("listed").tag("one", &["a"]);
    struct Wrong;
    impl Peerlet for Wrong {
        const NAME: &'static str = "wrong";
        type Message = peerlet_core::Nothing;
        type Timer = peerlet_core::Nothing;
        fn describe(about: &mut peerlet_core::Description<Self>) {
            about.measures(&LISTED);
        }
        fn start(&mut self, ctx: &mut Context<Self>) {
            ctx.measure(LISTED.tagged([0, 0]), 1.0);
        }
    }
    TestPeer::new(Wrong).start();
}
