//! The events that the digest tells apart, and those that it does not.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::rc::Rc;

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{
    Address, Context, Duration, MILLISECOND, NANOSECOND, Peer, Peerlet, SECOND, Seat, Time,
};
use peerlet_network::{Constant, Departure, Model, ModelState, Packet, PacketDrop};
use peerlet_sim::{Digest, JsonTrace, Outcome, Setup, Simulation};

use crate::actor::{Happened, LEVEL, SAID, Stage, at, send};
use crate::stacks::Stacks;

/// One packet of one seat is treated differently from all others.
#[derive(Clone, Copy, Debug)]
struct But {
    delay: Duration,
    at: Duration,
    fate: Departure,
}

impl Model for But {
    fn lookahead(&self) -> Duration {
        MILLISECOND
    }
    fn depart(&self, packet: &Packet, _: &mut ModelState) -> Departure {
        match packet.from == Seat(2) && packet.at.as_nanos() == self.at.as_nanos() {
            true => self.fate,
            false => Departure::Arrive { after: self.delay },
        }
    }
    fn round_trip(&self, _: Seat, _: Seat) -> Duration {
        self.delay * 2
    }
}

/// Three seats in a ring; each sends a number to the next every 100 ms.
fn ring(number: u64, level: f64, change: impl FnOnce(&mut Stage)) -> Outcome {
    let mut stage = Stage::new(3, SECOND, move |ctx, log, what| match what {
        Happened::Start => _ = ctx.every(MILLISECOND * 100, 0),
        Happened::Timer(_) => {
            let next = (ctx.seat().0 + 1) % 3;
            send(ctx, log, next, number);
            ctx.measure(LEVEL, level);
        }
        Happened::Message(..) => ctx.measure(SAID, 1.0),
        _ => {}
    });
    stage.setup.model = Box::new(Constant { delay: MILLISECOND * 10 });
    stage.setup.trace = None;
    change(&mut stage);
    stage.run().0
}

fn over(at: Duration, fate: Departure) -> Digest {
    let model = But { delay: MILLISECOND * 10, at, fate };
    ring(1, 1.0, |stage| stage.setup.model = Box::new(model)).digest
}

#[test]
fn one_nanosecond_of_one_message_changes_it() {
    let same = ring(1, 1.0, |_| {}).digest;
    let after = MILLISECOND * 10;
    assert_eq!(over(MILLISECOND * 500, Departure::Arrive { after }), same);
    let later = Departure::Arrive { after: after + NANOSECOND };
    let sooner = Departure::Arrive { after: after - NANOSECOND };
    let [one, other] = [sooner, later].map(|fate| over(MILLISECOND * 500, fate));
    assert!(one != same && other != same && one != other);
    // At another instant it is another run.
    assert_ne!(over(MILLISECOND * 600, later), other);
}

/// Messages on their way at the end are events of nobody, but how they are dropped is told.
#[test]
fn drop_counters_are_in_it() {
    let at = MILLISECOND * 900;
    let never = Departure::Arrive { after: SECOND };
    let [loss, queue] =
        [PacketDrop::Loss, PacketDrop::Queue].map(|cause| over(at, Departure::Drop(cause)));
    assert_ne!(loss, queue);
    assert_ne!(loss, over(at, never));
}

#[test]
fn measures_are_in_it() {
    let same = ring(1, 1.0, |_| {}).digest;
    assert_eq!(ring(1, 1.0, |_| {}).digest, same);
    // The events are the same; only what is measured differs, by one quantum.
    assert_ne!(ring(1, 2.0, |_| {}).digest, same);
    assert_ne!(ring(1, 1.0, |stage| stage.setup.epoch = MILLISECOND * 300).digest, same);
}

#[test]
fn payloads_have_a_digest_of_their_own() {
    let wired = |number| ring(number, 1.0, |stage| stage.setup.wire = true);
    let bare = ring(1, 1.0, |_| {});
    assert_eq!(bare.payload_digest, None);
    let (one, other) = (wired(1), wired(2));
    assert_eq!((one.digest, other.digest), (bare.digest, bare.digest));
    assert_eq!(one.payload_digest, wired(1).payload_digest);
    assert_ne!(one.payload_digest, other.payload_digest);
}

/// Guards the value itself: no change of the engine may move it by accident.
#[test]
fn it_is_the_one_that_was_written_down() {
    expect_test::expect!["b35aadbda5cd5e5a"].assert_eq(&ring(1, 1.0, |_| {}).digest.to_string());
}

/// The output of a trace.
#[derive(Clone, Default)]
struct Paper(Rc<RefCell<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Two types of peerlets that do the same, so that a run of one is that of the other but for whom
/// its events are for.
struct Twin<const N: usize>;

impl<const N: usize> Peerlet for Twin<N> {
    const NAME: &'static str = ["twin_a", "twin_b"][N];
    type Message = u32;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        if ctx.seat() == Seat(0) {
            ctx.after(MILLISECOND * 5, ());
        }
    }
    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        ctx.send(at(1), 7);
    }
}

fn twins(change: impl Fn(Peer) -> Peer + Send + Sync + 'static) -> Outcome {
    let setup = Setup::new(2, SECOND, move |_| change(Peer::new()));
    let start = |seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start };
    let simulation = Simulation::new(setup, (0..2).map(start)).expect("twins can run");
    simulation.run().expect("no twin is endless")
}

/// The digest covers the handler of an event and its call as well as its time.
#[test]
fn the_peerlet_of_an_event_counts() {
    struct Idle<const N: usize>;
    impl<const N: usize> Peerlet for Idle<N> {
        const NAME: &'static str = ["twin_a", "twin_b"][N];
        type Message = u32;
        type Timer = ();
    }
    let one = twins(|peer| peer.with(Twin::<0>).with(Idle::<1>));
    let other = twins(|peer| peer.with(Idle::<0>).with(Twin::<1>));
    assert_eq!((one.events, one.ledger), (other.events, other.ledger));
    assert_ne!(one.digest, other.digest);
}

/// One peer asks another one; the number of the call comes from the asker's secrets.
fn asked(secrets: u32, tries: u32) -> Outcome {
    struct Asking {
        secrets: u32,
        tries: u32,
    }
    impl Peerlet for Asking {
        const NAME: &'static str = "asking";
        type Message = u32;
        type Timer = ();
        fn start(&mut self, ctx: &mut Context<Self>) {
            if ctx.seat() != Seat(0) {
                return;
            }
            (0..self.secrets).for_each(|_| _ = ctx.secret().bits());
            let tries = self.tries;
            ctx.spawn(move |task| async move {
                let question = task.call(at(1), 1).within(MILLISECOND * 150).tries(tries);
                _ = question.await;
            });
        }
        fn message(&mut self, ctx: &mut Context<Self>, _: Address, _: u32) {
            ctx.reply(2);
        }
    }
    twins(move |peer| peer.with(Asking { secrets, tries }))
}

#[test]
fn the_number_of_a_call_counts() {
    let (one, other) = (asked(0, 1), asked(1, 1));
    assert_eq!((one.events, one.ledger), (other.events, other.ledger));
    assert_ne!(one.digest, other.digest);
    assert_eq!(one.digest, asked(0, 1).digest);
}

/// The content of a message is not in the digest; its length is.
#[test]
fn bytes_are_in_it() {
    let (short, long) = (ring(1, 1.0, |_| {}), ring(300, 1.0, |_| {}));
    assert_eq!((short.events, short.ledger.drops()), (long.events, long.ledger.drops()));
    assert_ne!(short.ledger.datagram.bytes, long.ledger.datagram.bytes);
    assert_ne!(short.digest, long.digest);
}

/// The script of the documentation finds the digest of a run that has calls, tasks, reports of
/// reliable messages and pauses in it.
#[test]
fn the_script_recomputes_it() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/digest.py");
    let mut kinds = BTreeSet::new();
    for seed in 0..6 {
        let paper = Paper::default();
        let trace = JsonTrace::new(paper.clone(), Stacks::drawn(seed).seats());
        let outcome = Stacks::drawn(seed).traced(Box::new(trace));
        let events = String::from_utf8(paper.0.take()).expect("a trace is text");
        let words = events.split(['"', ':']);
        kinds.extend(words.filter(|word| WANTED.contains(word)).map(str::to_owned));
        let mut python = match Command::new("python3")
            .args([script, "/dev/stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
        {
            Ok(python) => python,
            Err(_) => return println!("passed over: there is no python3 for docs/digest.py"),
        };
        let mut stdin = python.stdin.take().expect("it is piped");
        stdin.write_all(events.as_bytes()).expect("the script reads");
        drop(stdin);
        let output = python.wait_with_output().expect("the script ends");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), outcome.digest.to_string(), "seed {seed}");
    }
    assert_eq!(kinds.len(), WANTED.len(), "{kinds:?}");
}

/// The features of the traces that the script is given.
const WANTED: [&str; 8] =
    ["deliver", "timer", "wake", "pause", "resume", "undelivered", "question", "answer"];
