//! Processes that cannot take part, and why; what is said while one waits for others.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peerlet_core::{
    Address, Context, MILLISECOND, Nothing, Peer, Peerlet, SECOND, Seat, Undelivered,
};
use peerlet_live::{
    Admission, Join, JoinError, LiveError, LiveOutcome, LiveSetup, ProcessKey, Refusal, Secret,
    SocketDrop, Sockets,
};
use tokio::sync::watch;

use crate::honest::{Honest, Running, dropped};
use crate::runs::{LONG, Lines, PATIENCE, run_until_stopped, runtime, starts};

fn secret(byte: u8) -> Admission {
    let secret = Secret::from_bytes(&[byte; 32]).expect("it is long enough");
    Admission { secret: Some(secret), ..Admission::default() }
}

/// Tries to take part; gives why that is not possible, and the lines that were said.
async fn refused(setup: LiveSetup) -> (JoinError, Lines) {
    let (lines, _keep) = (Lines::default(), watch::channel(false));
    let setup = LiveSetup { notice: lines.notice(), ..setup };
    match run_until_stopped(setup, Vec::new(), _keep.1.clone()).await {
        Err(LiveError::Join(error)) => (error, lines),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it took part"),
    }
}

#[test]
fn a_process_that_is_not_let_in_learns_that_and_how_to_get_in() {
    runtime().block_on(async {
        for theirs in [secret(1), Admission::default()] {
            let honest = Honest::first(4, theirs.clone()).await;
            let join = Join::at(honest.at());
            for ours in [Admission::default(), secret(2)] {
                if theirs.is_open() && ours.is_open() {
                    continue;
                }
                let key = ProcessKey::generate();
                let identity = key.identity();
                let mut setup = honest.setup(1);
                (setup.join, setup.key) = (Some(join.clone()), Some(key));
                let has_secret = ours.secret.is_some();
                setup.admission = ours;
                let (error, lines) = refused(setup).await;
                let at = honest.at();
                let expected = match theirs.is_open() {
                    true => JoinError::Unproved(at),
                    false => JoinError::NotAdmitted { at, own: identity, has_secret },
                };
                assert_eq!(error, expected);
                let remedy = match has_secret {
                    true => "give both the same secret",
                    false => "start this one with the network's secret",
                };
                assert!(error.to_string().contains(remedy), "{error}");
                assert_eq!(lines.find("kept for this run"), None, "it never took this one in");
                let told = honest.processes[0].lines.wait_for(&identity.to_string()).await;
                assert!(told.starts_with("the process at 127.0.0.1:"), "{told}");
            }
            let outcome = honest.processes.into_iter().next().expect("it runs").stop().await;
            assert!(dropped(&outcome, &[SocketDrop::Admission]) > 0 || theirs.is_open());
            assert!(!outcome.kept_out.is_empty());
        }
    });
}

#[test]
fn a_process_that_asks_another_than_seat_zeros_is_told_so() {
    runtime().block_on(async {
        let honest = Honest::pair(Admission::default()).await;
        let at = honest.processes[1].at;
        let mut setup = honest.setup(1);
        setup.join = Some(Join::at(at));
        let (error, _) = refused(setup).await;
        assert_eq!(error, JoinError::Refused(at, Refusal::NotSeatZero));
        assert!(error.to_string().contains("join seat 0's process, at the address"), "{error}");
        honest.finish().await;
    });
}

#[test]
fn a_list_that_lacks_seat_zeros_process_is_told_of() {
    runtime().block_on(async {
        let honest = Honest::first(4, Admission::default()).await;
        let mut setup = honest.setup(1);
        let other = ProcessKey::generate().identity();
        setup.admission = Admission::of_list(&other.to_string()).expect("a list");
        let (error, _) = refused(setup).await;
        assert_eq!(error, JoinError::Unlisted(honest.at()));
    });
}

#[test]
fn a_process_that_joins_itself_is_told_so() {
    runtime().block_on(async {
        for sockets in [Sockets::Quic, Sockets::Udp { closed_network: false }] {
            for admission in [Admission::default(), secret(1)] {
                for shards in [1, 2] {
                    let (asked, error) = joining_itself(sockets, &admission, shards).await;
                    assert_eq!(error, JoinError::Oneself(asked));
                }
            }
        }
    });
}

/// Has a process with this many shards join the last of its own sockets; gives its address and the
/// error.
async fn joining_itself(
    sockets: Sockets,
    admission: &Admission,
    shards: u32,
) -> (SocketAddr, JoinError) {
    loop {
        let port = free_ports(shards);
        let asked = SocketAddr::from(([127, 0, 0, 1], port + shards as u16 - 1));
        let setup = LiveSetup {
            index: Some((2, 3)),
            bind: ([127, 0, 0, 1], port).into(),
            join: Some(Join::at(asked)),
            sockets,
            admission: admission.clone(),
            shards,
            ..LiveSetup::new("oneself", 4, LONG, |_| Peer::new().with(Idle))
        };
        let (_keep, stop) = watch::channel(false);
        match run_until_stopped(setup, Vec::new(), stop).await {
            Err(LiveError::Join(error)) => return (asked, error),
            // Another program was faster.
            Err(LiveError::Bind(_)) => {}
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it took part"),
        }
    }
}

/// The first of this many ports in a row that are free.
fn free_ports(count: u32) -> u16 {
    let bind = |port| std::net::UdpSocket::bind(("127.0.0.1", port));
    loop {
        let first = bind(0).expect("a free port");
        let port = first.local_addr().expect("it is bound").port();
        let next = (1..count as u16).map(|more| port.checked_add(more).map(bind));
        if next.into_iter().all(|bound| matches!(bound, Some(Ok(_)))) {
            return port;
        }
    }
}

#[test]
fn no_time_to_join_is_refused_and_no_time_to_wait_begins_at_once() {
    runtime().block_on(async {
        let build = |_| Peer::new().with(Sends(None));
        let setup = LiveSetup {
            index: Some((2, 3)),
            join: Some("127.0.0.1:9".parse().expect("an address")),
            start_within: peerlet_core::Duration::ZERO,
            ..LiveSetup::new("hasty", 4, LONG, build)
        };
        let (_keep, stop) = watch::channel(false);
        let error = run_until_stopped(setup, Vec::new(), stop).await.err();
        assert!(matches!(error, Some(LiveError::NoTimeToJoin)), "{error:?}");
        let lines = Lines::default();
        let setup = LiveSetup {
            index: Some((0, 1)),
            start_within: peerlet_core::Duration::ZERO,
            notice: lines.notice(),
            ..LiveSetup::new("hasty", 4, MILLISECOND * 100, build)
        };
        let (_keep, stop) = watch::channel(false);
        let outcome = run_until_stopped(setup, starts(0..2), stop).await.expect("it runs");
        assert_eq!(outcome.missing, ["seats 2 to 3: no process came"]);
        assert!(lines.find("the run begins without seats 2 to 3").is_some());
    });
}

/// Messages that came back, each with its reason.
type Back = Arc<Mutex<Vec<(u32, Undelivered)>>>;

/// Sends three numbers reliably to an address, and notes which come back.
#[derive(Clone)]
struct Sends(Option<(Address, Back)>);

impl Peerlet for Sends {
    const NAME: &'static str = "sends";
    type Message = u32;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        if let Some((to, _)) = &self.0 {
            for number in 0..3 {
                ctx.send_reliably(*to, number).expect("the queue has room");
            }
        }
    }

    fn undelivered(&mut self, _: &mut Context<Self>, _: Address, number: u32, why: Undelivered) {
        if let Some((_, back)) = &self.0 {
            back.lock().expect("nobody panics").push((number, why));
        }
    }
}

/// A peer whose process another one does not let in gets its messages back with that reason, once
/// and in order; both ways.
#[test]
fn peers_learn_that_the_other_process_does_not_let_theirs_in() {
    runtime().block_on(async {
        for (theirs, ours) in [(secret(1), Admission::default()), (secret(1), secret(2))] {
            let honest = Honest::first(4, theirs).await;
            let back = Back::default();
            let to = Some((Address::new(honest.at(), 0), back.clone()));
            let setup = LiveSetup {
                admission: ours,
                connection_timeout: SECOND * 2,
                ..LiveSetup::new("strangers", 1, LONG, move |_: Seat| {
                    Peer::new().with(Sends(to.clone()))
                })
            };
            let alone = Running::start(setup).await;
            let all_back = async {
                while back.lock().expect("nobody panics").len() < 3 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(PATIENCE, all_back).await.expect("they come back");
            let expected = [0, 1, 2].map(|number| (number, Undelivered::Admission));
            assert_eq!(*back.lock().expect("nobody panics"), expected);
            let outcome: LiveOutcome = alone.stop().await;
            let line = outcome.kept_out.first().expect("it is named");
            assert!(line.contains("does not let this one in"), "{line}");
        }
    });
}

/// Does nothing.
struct Idle;

impl Peerlet for Idle {
    const NAME: &'static str = "idle";
    type Message = Nothing;
    type Timer = ();
}

/// Over UDP nobody learns who is at the other end; packets that prove nothing are told of.
#[test]
fn over_udp_packets_that_do_not_prove_the_secret_are_told_of() {
    runtime().block_on(async {
        let sockets = Sockets::Udp { closed_network: false };
        for theirs in [secret(1), Admission::default()] {
            for ours in [Admission::default(), secret(2)] {
                if theirs.is_open() && ours.is_open() {
                    continue;
                }
                let new = || LiveSetup {
                    sockets,
                    ..LiveSetup::new("udp", 4, LONG, |_| Peer::new().with(Idle))
                };
                let first = LiveSetup { index: Some((0, 1)), admission: theirs.clone(), ..new() };
                let first = Running::start(first).await;
                let second = LiveSetup {
                    index: Some((2, 3)),
                    join: Some(Join::at(first.at)),
                    admission: ours,
                    start_within: MILLISECOND * 300,
                    ..new()
                };
                let (error, _) = refused(second).await;
                assert!(matches!(error, JoinError::Unanswered { .. }), "{error}");
                let told = first.lines.wait_for("packets from 127.0.0.1:").await;
                assert!(told.contains("secret"), "{told}");
                let outcome = first.stop().await;
                assert!(outcome.kept_out[0].starts_with(&told), "{:?}", outcome.kept_out);
            }
        }
    });
}

/// Seat 0's process says at once which processes it waits for in vain.
#[test]
fn a_process_that_fell_silent_is_named_while_it_is_waited_for() {
    for sockets in [Sockets::Quic, Sockets::Udp { closed_network: false }] {
        let beside = runtime();
        runtime().block_on(async {
            let new = |seats| LiveSetup {
                sockets,
                index: Some(seats),
                ..LiveSetup::new("silent", 4, SECOND * 6, |_| Peer::new().with(Idle))
            };
            let first = Running::start(new((0, 1))).await;
            let join = Some(Join::at(first.at));
            let lines = Lines::default();
            let setup = LiveSetup { join, notice: lines.notice(), ..new((2, 3)) };
            beside.spawn(async move {
                let (_keep, stop) = watch::channel(false);
                run_until_stopped(setup, starts(0..4), stop).await.err()
            });
            lines.wait_for("time zero is known").await;
            // Gone without a word, as if it were killed.
            beside.shutdown_background();
            let silent = "nothing heard from the process of seats 2 to 3 for 3 s";
            first.lines.wait_for(silent).await;
            let waits = first.lines.wait_for("waiting at most ").await;
            assert!(waits.contains("the last report of the process of seats 2 to 3 at"), "{waits}");
            assert!(waits.contains("(nothing heard from it for "), "{waits}");
            let outcome = first.stop().await;
            assert_eq!(outcome.missing.len(), 1, "{:?}", outcome.missing);
        });
    }
}
