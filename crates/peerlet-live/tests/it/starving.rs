//! Peers that always have something to do: nobody else starves, and the run ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use peerlet_core::{Address, Context, MILLISECOND, NANOSECOND, Peer, Peerlet, Seat};
use peerlet_live::{Join, LiveError, LiveOutcome, LiveSetup, ProcessKey, Sockets};
use tokio::sync::watch;

use crate::runs::{LONG, Lines, PATIENCE, run_until_stopped, starts};

/// What the greedy peer does without end.
#[derive(Clone, Copy, Debug)]
enum Greed {
    /// A timer that is due at once.
    Zero,
    /// A timer that is due a nanosecond later.
    Nanosecond,
    /// Messages to itself.
    Itself,
    /// A timer that is always due and sends 256 datagrams to the other process.
    Datagrams,
    /// A task that sleeps for no time.
    Sleep,
    /// Local events, from a timer that is always due.
    Local,
    /// Reliable messages to the other process, as many as it takes.
    Reliable,
}

const ALL: [Greed; 7] = [
    Greed::Zero,
    Greed::Nanosecond,
    Greed::Itself,
    Greed::Datagrams,
    Greed::Sleep,
    Greed::Local,
    Greed::Reliable,
];

/// Seat 0 is greedy, seats 1 and 2 ask each other and are answered; the odd seats live in the
/// first process as well.
struct Subject {
    greed: Option<Greed>,
    answers: Arc<AtomicU64>,
}

struct Again;

#[derive(serde::Serialize, serde::Deserialize, Clone, Debug)]
enum Message {
    Ask,
    Answer,
    More,
}

impl Subject {
    fn be_greedy(&mut self, ctx: &mut Context<Self>) {
        let other = ctx.seats().address(Seat(2));
        match self.greed {
            None => {}
            Some(Greed::Zero) => drop(ctx.after(peerlet_core::Duration::ZERO, ())),
            Some(Greed::Nanosecond) => drop(ctx.after(NANOSECOND, ())),
            Some(Greed::Itself) => ctx.send(ctx.address(), Message::More),
            Some(Greed::Datagrams) => {
                (0..256).for_each(|_| ctx.send(other.expect("it is known"), Message::More));
                ctx.after(NANOSECOND, ());
            }
            Some(Greed::Sleep) => {
                ctx.spawn(|task| async move {
                    loop {
                        task.sleep(peerlet_core::Duration::ZERO).await;
                    }
                });
            }
            Some(Greed::Local) => {
                ctx.emit(Again);
                ctx.after(NANOSECOND, ());
            }
            Some(Greed::Reliable) => {
                let other = other.expect("it is known");
                while ctx.send_reliably(other, Message::More).is_ok() {}
                ctx.after(NANOSECOND, ());
            }
        }
    }
}

impl Peerlet for Subject {
    const NAME: &'static str = "subject";
    type Message = Message;
    type Timer = ();

    fn describe(about: &mut peerlet_core::Description<Self>) {
        about.hears(|_, _, _: &Again| {});
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        match self.greed {
            Some(_) => self.be_greedy(ctx),
            None => drop(ctx.every(MILLISECOND * 5, ())),
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        match self.greed {
            Some(_) => self.be_greedy(ctx),
            None => {
                let other = ctx.seats().address(Seat(3 - ctx.seat().0)).expect("it is known");
                ctx.send(other, Message::Ask);
            }
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        match message {
            Message::Ask => ctx.send(from, Message::Answer),
            Message::Answer => drop(self.answers.fetch_add(1, Ordering::Relaxed)),
            Message::More if self.greed.is_some() => self.be_greedy(ctx),
            Message::More => {}
        }
    }
}

type Ended = Result<LiveOutcome, LiveError>;

/// Runs on one thread of its own, beside this one: a shard that keeps it keeps all.
fn begin(setup: LiveSetup, stop: watch::Receiver<bool>) -> Receiver<Ended> {
    let (end, ended) = channel();
    std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime");
        end.send(runtime.block_on(run_until_stopped(setup, starts(0..3), stop))).ok();
    });
    ended
}

fn wait_for(what: &str, greed: Greed, condition: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "{greed:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Peers of two processes ask each other beside a greedy one: they are answered, both ways, the
/// process of the greedy one is not taken for gone, and stops when it is told to.
fn check(greed: Greed, sockets: Sockets) {
    let answers: [Arc<AtomicU64>; 3] = Default::default();
    let (lines, seen) = (Lines::default(), answers.clone());
    let setup = |index| {
        let answers = answers.clone();
        let build = move |seat: Seat| {
            let greed = (seat == Seat(0)).then_some(greed);
            Peer::new().with(Subject { greed, answers: answers[seat.index()].clone() })
        };
        LiveSetup { sockets, index: Some(index), ..LiveSetup::new("starving", 3, LONG, build) }
    };
    let key = ProcessKey::generate();
    let identity = (sockets == Sockets::Quic).then(|| key.identity());
    let (stopping, stop) = watch::channel(false);
    let first = LiveSetup { key: Some(key), notice: lines.notice(), ..setup((0, 1)) };
    let first = begin(first, stop.clone());
    wait_for("no address", greed, || lines.find("reached as ").is_some());
    let told = lines.find("reached as ").expect("it was just there");
    let at = told.rsplit_once('@').expect("an identity and an address").1;
    let join = Join::at(at.parse().expect("an address"));
    let join = Some(match identity {
        Some(identity) => join.of(identity),
        None => join,
    });
    let second = begin(LiveSetup { join, ..setup((2, 2)) }, stop);
    for seat in [1, 2] {
        wait_for("too few answers", greed, || seen[seat].load(Ordering::Relaxed) >= 20);
    }
    stopping.send_replace(true);
    for ended in [first, second] {
        let ended = ended.recv_timeout(PATIENCE).expect("it ends");
        let outcome = ended.unwrap_or_else(|error| panic!("{greed:?}: {error}"));
        assert!(outcome.events >= 20);
    }
}

#[test]
fn nobody_starves_over_quic() {
    ALL.into_iter().for_each(|greed| check(greed, Sockets::Quic));
}

#[test]
fn nobody_starves_over_udp() {
    let udp = Sockets::Udp { closed_network: false };
    [Greed::Zero, Greed::Nanosecond, Greed::Itself, Greed::Datagrams, Greed::Sleep]
        .into_iter()
        .for_each(|greed| check(greed, udp));
}
