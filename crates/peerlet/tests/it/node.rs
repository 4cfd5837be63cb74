//! Nodes inside a program: reached from outside, and gone in any way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration as StdDuration;

use peerlet::live::{PeerError, ProcessKey, Secret};
use peerlet::prelude::*;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Echoes numbers, and tells siblings and the program of each.
#[derive(Clone, Default)]
struct Echo {
    heard: u64,
    /// What it heard since it was built.
    total: u64,
}

/// A number was heard.
#[derive(Clone, PartialEq, Debug)]
struct Heard(u64);

const HEARD: Metric = Metric::counter("heard").help("numbers that came");

impl Peerlet for Echo {
    const NAME: &'static str = "echo";
    type Message = u64;
    type Timer = u64;

    fn describe(about: &mut Description<Self>) {
        about.help("echoes numbers").measures(&HEARD).needs(Need::Reliable);
    }

    fn timer(&mut self, _: &mut Context<Self>, number: u64) {
        self.heard = number;
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, number: u64) {
        (self.heard, self.total) = (number, self.total + 1);
        ctx.measure(HEARD, 1.0);
        ctx.emit(Heard(number));
        ctx.reply(number + 1);
    }
}

/// A peerlet that nobody has.
struct Absent;

impl Peerlet for Absent {
    const NAME: &'static str = "absent";
    type Message = Nothing;
    type Timer = Nothing;
}

fn experiment() -> Experiment {
    Experiment::new("echo")
}

fn stack(_: Seat) -> Peer {
    Peer::new().with(Echo::default())
}

async fn node() -> Node {
    experiment().node(stack).start().await.expect("a port is free")
}

fn total(echo: &mut Echo, _: &mut Context<Echo>) -> u64 {
    echo.total
}

/// Waits until the condition holds, with a generous limit.
async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let all = async {
        while !condition().await {
            sleep(StdDuration::from_millis(5)).await;
        }
    };
    timeout(StdDuration::from_secs(20), all).await.expect("it comes true in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_talk_and_are_reached_from_outside() {
    let (a, b) = (node().await, node().await);
    let (to, from) = (b.contact(), a.contact());
    assert!(to.address != from.address && to.identity == b.identity());
    // A message by a closure, an answer by a task.
    a.with(move |_: &mut Echo, ctx| ctx.send(to.address, 7)).await.expect("it runs");
    until(|| async { b.with(total).await == Ok(1) }).await;
    let answer = a.run(move |task: Task<Echo>| async move {
        let call = task.call(to.address, 41).within(SECOND).tries(5);
        call.await.expect("somebody answers")
    });
    assert_eq!(answer.await, Ok(42));
    assert_eq!(b.with(|echo: &mut Echo, _| echo.heard).await, Ok(41));
    // What a closure sets, its peer handles.
    let later = |_: &mut Echo, ctx: &mut Context<Echo>| ctx.after(MILLISECOND, 5);
    a.with(later).await.expect("it runs");
    until(|| async { a.with(|echo: &mut Echo, _| echo.heard).await == Ok(5) }).await;
    let seats = a.with(|_: &mut Echo, ctx| (ctx.seats().count(), ctx.seats().address(Seat(0))));
    assert_eq!(seats.await, Ok((0, None)), "a node knows no seats");
    let outcome = a.stop().await.expect("nothing panicked");
    assert!(outcome.ledger.datagram.sent >= 2 && outcome.events >= 4);
    b.stop().await.expect("nothing panicked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_free_when_its_node_has_stopped() {
    let is_free = |at: SocketAddr| std::net::UdpSocket::bind(at).is_ok();
    let mute = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let nobody = Address::new(mute.local_addr().expect("it is bound"), 0);
    for linked in [false, true] {
        let (a, b) = (node().await, node().await);
        let (of_a, of_b) = (a.contact().address, b.contact().address);
        a.with(move |_: &mut Echo, ctx| ctx.send(if linked { of_b } else { nobody }, 7))
            .await
            .expect("it runs");
        if linked {
            until(|| async { b.with(total).await == Ok(1) }).await;
        }
        assert!(!is_free(of_a.socket()) && !is_free(of_b.socket()));
        a.stop().await.expect("nothing panicked");
        assert!(is_free(of_a.socket()), "linked: {linked}");
        b.stop().await.expect("nothing panicked");
        assert!(is_free(of_b.socket()), "linked: {linked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_nobody_could_use_are_refused() {
    async fn check(node: peerlet::NodeBuilder, expected: &str) {
        let said = node.start().await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains(expected), "{said}");
    }
    let four = || experiment().node(stack).peers(4).shards(4);
    let at = |text: &str| -> SocketAddr { text.parse().expect("an address") };
    check(four().peers(0), "a process without peers does nothing; give it one").await;
    check(four().advertise(at("192.0.2.1:7000")), "bind a port, or advertise port 0").await;
    check(four().bind(at("127.0.0.1:65533")), "need ports up to 65536").await;
    let far = four().bind(at("127.0.0.1:17170")).advertise(at("192.0.2.1:65534"));
    check(far, "need ports up to 65537").await;
    check(four().bind(at("[fe80::1%1]:0")), "fe80::1 holds on one link of this machine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_is_said() {
    let node = experiment().node(stack).peers(3).start().await.expect("a port is free");
    let absent = node.with(|_: &mut Absent, _| ()).await.expect_err("nobody has it");
    assert_eq!(absent, PeerError::NoPeerlet(Seat(0), "absent"));
    assert!(absent.to_string().contains("put one on its stack"), "{absent}");
    let none = node.peer(Seat(3));
    assert_eq!(none.with(total).await, Err(PeerError::NoSeat(Seat(3))));
    assert_eq!((none.address(), none.start().await), (None, Err(PeerError::NoSeat(Seat(3)))));
    // Peers come and go; a crash forgets.
    let peer = node.peer(Seat(2));
    peer.with(|echo: &mut Echo, _| echo.total = 9).await.expect("it runs");
    peer.stop().await.expect("it is there");
    assert_eq!(peer.with(total).await, Err(PeerError::NotRunning(Seat(2))));
    peer.start().await.expect("it is there");
    assert_eq!(peer.with(total).await, Ok(9), "state outlives a stop");
    peer.crash().await.expect("it is there");
    peer.start().await.expect("it is there");
    assert_eq!(peer.with(total).await, Ok(0));
    // A task ends with its peer's life.
    let asleep = peer.clone();
    let task = tokio::spawn(async move {
        asleep.run(|task: Task<Echo>| async move { task.sleep(HOUR).await }).await
    });
    sleep(StdDuration::from_millis(50)).await;
    peer.stop().await.expect("it is there");
    let ended = timeout(StdDuration::from_secs(10), task).await.expect("nothing hangs");
    assert_eq!(ended.expect("it is no panic"), Err(PeerError::TaskEnded(Seat(2))));
    node.stop().await.expect("nothing panicked");
    assert_eq!(peer.with(total).await, Err(PeerError::Stopped));
    assert_eq!(peer.start().await, Err(PeerError::Stopped));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_closure_runs_even_if_nobody_waits_for_it() {
    let node = node().await;
    let first = node.with(|_: &mut Echo, _| std::thread::sleep(StdDuration::from_millis(150)));
    {
        let mut first = std::pin::pin!(first);
        std::future::poll_fn(|cx| {
            assert!(first.as_mut().poll(cx).is_pending(), "it is queued, and takes a while");
            std::task::Poll::Ready(())
        })
        .await;
        let second = node.with(|echo: &mut Echo, _| echo.total = 3);
        let mut second = std::pin::pin!(second);
        std::future::poll_fn(|cx| {
            assert!(second.as_mut().poll(cx).is_pending(), "it is queued behind the first");
            std::task::Poll::Ready(())
        })
        .await;
    }
    until(|| async { node.with(total).await == Ok(3) }).await;
    // The first one blocked the node, and is named.
    let delays = node.stats().await.expect("it runs").delays;
    let (place, took) = delays.slowest.expect("it was slow");
    assert_eq!((delays.blocked, place.peerlet, place.handler.name()), (1, Some("echo"), "closure"));
    assert!(took >= MILLISECOND * 150, "{took}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_of_events_loses_some_and_hears_how_many() {
    let node = node().await;
    let mut events = node.events::<Heard>().await.expect("it runs");
    let send = |numbers: std::ops::Range<u64>| {
        node.with(move |_: &mut Echo, ctx| {
            let own = ctx.address();
            numbers.for_each(|number| ctx.send(own, number));
        })
    };
    send(0..1_000).await.expect("it runs");
    for number in 0..1_000 {
        assert_eq!(events.next().await, Some((Seat(0), Heard(number))));
    }
    assert_eq!(events.lost(), 0);
    send(0..3_000).await.expect("it runs");
    until(|| async { node.with(total).await == Ok(4_000) }).await;
    assert_eq!((events.lost(), events.lost()), (3_000 - 1_024, 0), "it is told once");
    for number in 0..1_024 {
        assert_eq!(events.next().await, Some((Seat(0), Heard(number))));
    }
    // A reader that is gone costs nothing, and the end is told.
    let mut more = node.events::<Heard>().await.expect("it runs");
    drop(events);
    send(5..6).await.expect("it runs");
    assert_eq!(more.next().await, Some((Seat(0), Heard(5))));
    node.stop().await.expect("nothing panicked");
    assert_eq!(more.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_closure_ends_the_node_and_everybody_is_told() {
    let node = Arc::new(node().await);
    let other = node.clone();
    let sleeping = tokio::spawn(async move {
        other.run(|task: Task<Echo>| async move { task.sleep(HOUR).await }).await
    });
    sleep(StdDuration::from_millis(50)).await;
    let error = node.with(|_: &mut Echo, _| panic!("on purpose")).await.expect_err("it panicked");
    let PeerError::Panicked(what) = &error else { panic!("{error}") };
    assert!(what.contains("on purpose") && what.contains("handler `closure`"), "{what}");
    let slept = timeout(StdDuration::from_secs(10), sleeping).await.expect("nothing hangs");
    assert!(matches!(slept.expect("it is caught"), Err(PeerError::Panicked(_))));
    assert!(matches!(node.with(total).await, Err(PeerError::Panicked(_))));
    let node = Arc::into_inner(node).expect("nobody else has it");
    let error = node.ended().await.map(drop).expect_err("it panicked");
    assert!(error.to_string().contains("on purpose"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_while_it_is_called_leaves_nobody_waiting() {
    for _ in 0..5 {
        let node = node().await;
        let peer = node.peer(Seat(0));
        let calls: Vec<_> = (0..64)
            .map(|_| {
                let peer = peer.clone();
                tokio::spawn(async move {
                    while peer.with(total).await.is_ok() {}
                    peer.with(total).await
                })
            })
            .collect();
        sleep(StdDuration::from_millis(20)).await;
        timeout(StdDuration::from_secs(20), node.stop()).await.expect("in time").expect("in order");
        for call in calls {
            let ended = timeout(StdDuration::from_secs(20), call).await.expect("nothing hangs");
            assert_eq!(ended.expect("no panic"), Err(PeerError::Stopped));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_come_when_they_are_over_and_nothing_is_kept() {
    let (send, mut epochs) = mpsc::unbounded_channel();
    let taking = move |epoch| send.send(epoch).expect("the test waits for it");
    let node = experiment().node(stack).peers(2).shards(2).epochs(MILLISECOND * 100, taking);
    let node = node.start().await.expect("ports are free");
    for seat in [0, 1] {
        let own = move |_: &mut Echo, ctx: &mut Context<Echo>| {
            let own = ctx.address();
            ctx.send(own, 1);
        };
        node.peer(Seat(seat)).with(own).await.expect("it runs");
    }
    let (mut sum, mut at) = (0.0, Time::ZERO);
    while sum < 2.0 || at < Time::ZERO + MILLISECOND * 500 {
        let next = timeout(StdDuration::from_secs(20), epochs.recv()).await.expect("in time");
        let epoch: peerlet::Epoch = next.expect("it goes on");
        assert_eq!((epoch.from, epoch.to), (at, at + MILLISECOND * 100));
        (sum, at) = (sum + epoch.summary.rows["echo/heard"].sum, epoch.to);
    }
    assert_eq!(sum, 2.0);
    let outcome = node.stop().await.expect("nothing panicked");
    assert!(outcome.measures.epochs().count() <= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_other_versions_do_not_mix() {
    let secret = Secret::generate();
    let inside = || experiment().node(stack).secret(secret.clone());
    let (a, b) = (inside().start().await.unwrap(), inside().start().await.unwrap());
    let open = node().await;
    let named = Experiment::new("other").node(stack).secret(secret.clone()).start().await.unwrap();
    let to = b.contact().address;
    let call = move |task: Task<Echo>| async move {
        task.call(to, 1).within(MILLISECOND * 500).tries(2).await.is_ok()
    };
    assert_eq!(a.run(call).await, Ok(true));
    assert_eq!(open.run(call).await, Ok(false), "it does not have the secret");
    assert_eq!(named.run(call).await, Ok(false), "it is another experiment");
    assert_eq!(b.with(total).await, Ok(1));
    let anywhere: SocketAddr = "0.0.0.0:0".parse().expect("an address");
    let refused = experiment().node(stack).bind(anywhere).start().await.map(drop);
    let error = refused.expect_err("nobody would know where it is").to_string();
    assert!(error.contains("give one to advertise"), "{error}");
}

/// The identity lasts, whoever trusts it reaches it again, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_comes_back_as_who_it_was() {
    let folder = std::env::temp_dir().join(format!("peerlet-node-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("tests may write there");
    let key = || ProcessKey::load_or_create(&folder.join("key")).expect("it can be kept");
    let first = experiment().node(stack).key(key()).start().await.expect("a port is free");
    let contact = first.contact();
    let a = node().await;
    let call = move |task: Task<Echo>| async move {
        task.with(move |_, ctx| ctx.trust(contact).expect("there are identities")).await;
        task.call(contact.address, 1).within(SECOND).tries(8).await.is_ok()
    };
    assert_eq!(a.run(call).await, Ok(true));
    first.stop().await.expect("nothing panicked");
    let socket = contact.address.socket();
    let again = experiment().node(stack).key(key()).bind(socket).start().await;
    let again = again.expect("the port is free again");
    assert_eq!(again.contact(), contact);
    assert_eq!(a.run(call).await, Ok(true));
    again.stop().await.expect("nothing panicked");
    let other = experiment().node(stack).bind(socket).start().await.expect("it is free again");
    assert_eq!(a.run(call).await, Ok(false), "somebody else is there now");
    assert_eq!(other.with(total).await, Ok(0));
    std::fs::remove_dir_all(&folder).expect("it can be removed");
}

/// A dropped node stops in the background, and lets go of its port.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_node_stops() {
    let node = node().await;
    let (peer, socket) = (node.peer(Seat(0)), node.contact().address.socket());
    drop(node);
    until(|| async { peer.with(total).await == Err(PeerError::Stopped) }).await;
    until(|| async { std::net::UdpSocket::bind(socket).is_ok() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlay_forms_without_a_scenario() {
    let known = Arc::new(std::sync::Mutex::new(Vec::<Introducer>::new()));
    let overlay = |known: Vec<Introducer>| {
        experiment().node(move |_| {
            let bootstrap = Bootstrap::through(known.clone());
            Peer::new().with(bootstrap).with(Neighbors::default()).with(Echo::default())
        })
    };
    let mut nodes = Vec::new();
    for _ in 0..5 {
        // Each knows those before it, of whom any will do.
        let before = known.lock().unwrap().clone();
        let last = before.last().copied().into_iter().collect();
        let node = overlay(last).start().await.expect("a port is free");
        known.lock().unwrap().push(node.contact().into());
        nodes.push(node);
    }
    let count = |near: &mut Neighbors, _: &mut Context<Neighbors>| near.all().count();
    for node in &nodes {
        until(|| async { node.with(count).await == Ok(4) }).await;
    }
    nodes.pop().expect("there are five").stop().await.expect("nothing panicked");
    for node in &nodes {
        until(|| async { node.with(count).await == Ok(3) }).await;
    }
}

/// A plan with a scenario is reached in the same way.
#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_runs_inside_a_program() {
    let experiment = experiment().peer(stack);
    let scenario = "peers = 4\nfor = \"1h\"\njoin = \"0s\"";
    let plan = peerlet::Plan::new(&experiment, scenario.into(), &[], peerlet::World::Live);
    let live = plan.expect("it is right").live(&experiment, peerlet::LiveOptions::default());
    let run = live.expect("it can run").start().await.expect("a port is free");
    let to = run.peer(Seat(3)).address().expect("it is here");
    let called = Arc::new(AtomicU32::new(0));
    let mut events = run.events::<Heard>().await.expect("it runs");
    for seat in 0..3 {
        let called = called.clone();
        let call = move |_: &mut Echo, ctx: &mut Context<Echo>| {
            called.fetch_add(ctx.seats().count(), Ordering::Relaxed);
            ctx.send(to, u64::from(ctx.seat().0));
        };
        run.peer(Seat(seat)).with(call).await.expect("it runs");
    }
    assert_eq!(called.load(Ordering::Relaxed), 12);
    for _ in 0..3 {
        let (seat, _) = events.next().await.expect("it goes on");
        assert_eq!(seat, Seat(3));
    }
    let results = run.stop().await.expect("nothing panicked");
    assert!(results.is_interrupted && results.summary().rows["echo/heard"].sum == 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_has_started() {
    for _ in 0..30 {
        let node = experiment().node(stack).peers(300).shards(3).start().await;
        let node = node.expect("ports are free");
        for seat in [0, 1, 2, 298, 299] {
            assert_eq!(node.peer(Seat(seat)).with(total).await, Ok(0));
        }
    }
}

/// A start that nobody waits for any more leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_dropped_lets_go_of_its_port() {
    let free = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let socket = free.local_addr().expect("it is bound");
    drop(free);
    for millis in [1, 5, 10, 15, 20, 30] {
        let start = experiment().node(stack).bind(socket).start();
        drop(timeout(StdDuration::from_millis(millis), start).await);
        until(|| async { std::net::UdpSocket::bind(socket).is_ok() }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_that_nobody_could_take_are_refused() {
    let node = experiment().node(stack).epochs(MILLISECOND, drop).start().await.map(drop);
    let error = node.expect_err("they are too short").to_string();
    assert!(error.contains("give at least 100ms"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_nobody_does_not_hold_up_the_end() {
    let (gone, node) = (node().await, node().await);
    let to = gone.contact().address;
    gone.stop().await.expect("nothing panicked");
    let send = move |_: &mut Echo, ctx: &mut Context<Echo>| ctx.send_reliably(to, 1).is_ok();
    assert_eq!(node.with(send).await, Ok(true));
    timeout(StdDuration::from_millis(3_500), node.stop())
        .await
        .expect("in time")
        .expect("in order");
}
