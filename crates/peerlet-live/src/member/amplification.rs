//! How many bytes strangers get for theirs: every message between processes, over UDP, to an
//! address that has not proved itself.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use peerlet_core::{Identity, Peer, SECOND, wire};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::control::Control;
use super::fingerprint::{Fingerprint, Section};
use super::join::Join;
use crate::frame::{Frame, Kind, Tag};
use crate::process::{Process, SHARDS_MAX};
use crate::refusal::Refusal;
use crate::setup::{LiveSetup, Sockets};

/// Questions that are sent before their answers are read, so that no buffer overflows.
const BATCH: usize = 50;
/// Batches of each sort of question: 100,000 packets in all.
const ROUNDS: usize = 90;
const SEATS: u32 = 1_000;
/// The same for answers, of which a process takes a few at a time.
const ANSWERED_BATCH: usize = 12;
const ANSWERED_ROUNDS: usize = 5;

/// A process of a run, and a stranger who talks to it.
struct Talk {
    stranger: UdpSocket,
    process: SocketAddr,
    run: Fingerprint,
    buffer: Vec<u8>,
    _stop: watch::Sender<bool>,
    _runtime: Runtime,
}

/// A process that was started.
struct Started {
    runtime: Runtime,
    stop: watch::Sender<bool>,
    at: SocketAddr,
    run: Fingerprint,
}

fn start(index: (u32, u32), join: Option<SocketAddr>) -> Started {
    let runtime = Runtime::new().unwrap();
    let (stop, stopped) = watch::channel(false);
    let (tell, told): (_, Receiver<String>) = channel();
    let setup = LiveSetup {
        sockets: Sockets::Udp { closed_network: false },
        index: Some(index),
        join: join.map(Join::at),
        sections: (0..20)
            .map(|i| Section::new(i.to_string(), "x".repeat(Section::TEXT_MAX)))
            .collect(),
        start_within: SECOND * 3_600,
        notice: Arc::new(move |line| drop(tell.send(line.to_owned()))),
        ..LiveSetup::new("amplification", SEATS, SECOND * 3_600, |_| Peer::new())
    };
    let run = Fingerprint::of(&setup.all_sections(&setup.checked_registry().unwrap()));
    runtime.spawn(async { crate::run(setup, Vec::new(), stopped).await.map(drop) });
    let line = told.iter().find(|line| line.starts_with("reached as ")).unwrap();
    let at = line.split_once('@').unwrap().1.parse().unwrap();
    Started { runtime, stop, at, run }
}

impl Talk {
    fn with_coordinator() -> Talk {
        Talk::new(UdpSocket::bind("127.0.0.1:0").unwrap(), start((0, 0), None))
    }

    /// A stranger in the place of seat 0's process.
    fn with_participant() -> Talk {
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = stranger.local_addr().unwrap();
        Talk::new(stranger, start((1, 1), Some(at)))
    }

    fn new(stranger: UdpSocket, Started { runtime, stop, at, run }: Started) -> Talk {
        stranger.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let buffer = vec![0; 1 << 16];
        Talk { stranger, process: at, run, buffer, _stop: stop, _runtime: runtime }
    }

    /// The stranger as a process with these seats; its own first port, and others that nobody has.
    fn join(&self, who: u8, seats: (u32, u32), ports: usize, sent: u64) -> Control {
        let own = self.stranger.local_addr().unwrap();
        let others = (0..).map(|port| 1_000 + 100 * u16::from(who) + port);
        let ports = std::iter::once(own.port()).chain(others).take(ports).collect();
        let process = Process::new(1, seats, own.ip(), ports, Identity([who; 32]));
        Control::Join { process, run: self.run, asked: "127.0.0.1:1".parse().unwrap(), sent }
    }

    /// Sends a message in a packet of its own; gives the packet's length.
    fn say(&self, control: &Control) -> usize {
        let mut bytes = Vec::new();
        wire::encode(control, &mut bytes).unwrap();
        let frame =
            Frame { tag: Tag::CONTROL, from: 0, to: 0, life: 0, kind: Kind::Control(&bytes) };
        let frame = frame.to_vec();
        let packet = [&(frame.len() as u16).to_be_bytes()[..], &frame].concat();
        self.stranger.send_to(&packet, self.process).unwrap()
    }

    /// Receives a packet: its messages, each with its share of the bytes. None, when nothing comes
    /// for long.
    fn hear(&mut self) -> Vec<(Control, usize)> {
        let Ok((len, from)) = self.stranger.recv_from(&mut self.buffer) else { return Vec::new() };
        assert_eq!(from, self.process);
        let (mut rest, mut heard) = (&self.buffer[..len], Vec::new());
        while let Some((head, after)) = rest.split_first_chunk() {
            let (frame, after) = after.split_at(usize::from(u16::from_be_bytes(*head)));
            let Ok(Frame { kind: Kind::Control(bytes), .. }) = Frame::parse(frame) else {
                panic!("{frame:?}")
            };
            heard.push((wire::decode(bytes).unwrap(), 2 + frame.len()));
            rest = after;
        }
        heard
    }

    /// Bytes that went out and came back for many questions of one sort. After each batch the
    /// process is joined once more, and its answer says that all before it have come.
    fn ask(&mut self, question: &Control) -> (usize, usize) {
        let (mut asked, mut answered) = (0, 0);
        for round in 0..ROUNDS {
            (0..BATCH).for_each(|_| asked += self.say(question));
            let mark = u64::MAX - round as u64;
            self.say(&self.join(1, (1, 1), 1, mark));
            let mut is_over = false;
            while !is_over {
                let heard = self.hear();
                if heard.is_empty() {
                    // A buffer was too small for all answers.
                    self.say(&self.join(1, (1, 1), 1, mark));
                }
                for (control, len) in heard {
                    match control {
                        Control::Welcome { sent, .. } if sent == mark => is_over = true,
                        _ => answered += len,
                    }
                }
            }
        }
        (asked, answered)
    }
}

/// The smallest messages of each sort, and those that get the largest answers.
fn questions(talk: &Talk) -> Vec<Control> {
    let seen = "0.0.0.0:0".parse().unwrap();
    let piece = |incarnation, report, pieces| Control::Piece {
        incarnation,
        report,
        piece: 0,
        pieces,
        bytes: Vec::new(),
    };
    let smallest = [
        talk.join(1, (1, 1), 1, 0),
        Control::Welcome { sent: 0, clock: 0, zero: None, version: 0, seen },
        Control::Refused { why: Refusal::Run },
        Control::AskMap { from: 0, padding: Vec::new() },
        Control::Map { version: 0, from: 0, processes: Vec::new(), total: 0 },
        Control::AskSections { from: 0, padding: Vec::new() },
        Control::Sections { from: 0, sections: Vec::new(), total: 0 },
        piece(1, 0, 1),
        Control::Taken { report: 0, piece: 0 },
        Control::Probe,
    ];
    let lens = [10, 60, 100, 350];
    let larger = smallest.iter().flat_map(|control| match control {
        // For seats that another process has, for some that there are not, and in another run.
        Control::Join { process, asked, .. } => vec![
            talk.join(2, (990, 995), 1, 0),
            talk.join(2, (1, SEATS), 1, 0),
            Control::Join {
                process: process.clone(),
                run: Fingerprint::of(&[]),
                asked: *asked,
                sent: 0,
            },
        ],
        Control::AskMap { .. } => {
            lens.map(|len| Control::AskMap { from: 1, padding: vec![0; len] }).to_vec()
        }
        Control::AskSections { .. } => {
            lens.map(|len| Control::AskSections { from: 0, padding: vec![0; len] }).to_vec()
        }
        Control::Piece { .. } => vec![piece(7, 0, 1), piece(1, 9, 0)],
        Control::Welcome { .. }
        | Control::Refused { .. }
        | Control::Map { .. }
        | Control::Sections { .. }
        | Control::Taken { .. }
        | Control::Probe => Vec::new(),
    });
    let larger: Vec<_> = larger.collect();
    smallest.into_iter().chain(larger).collect()
}

#[test]
fn seat_0s_process_answers_at_most_three_times_the_question() {
    let mut talk = Talk::with_coordinator();
    // Processes that take much room in the map.
    for who in 2..9 {
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        stranger.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let own = std::mem::replace(&mut talk.stranger, stranger);
        let first = 900 + 10 * u32::from(who);
        talk.say(&talk.join(who + 100, (first, first + 9), SHARDS_MAX, 0));
        let heard = talk.hear();
        assert!(matches!(heard[..], [(Control::Welcome { .. }, _)]), "{heard:?}");
        talk.stranger = own;
    }
    let (mut all_asked, mut all_answered, mut errors) = (0, 0, Vec::new());
    for question in questions(&talk) {
        let (asked, answered) = talk.ask(&question);
        let ratio = answered as f64 / asked as f64;
        let mut name = format!("{question:?}");
        name.truncate(60);
        println!("{ratio:5.2}  {name}");
        if ratio > 3.0 {
            errors.push(format!("{ratio:.2} for {name}"));
        }
        (all_asked, all_answered) = (all_asked + asked, all_answered + answered);
    }
    println!("{:5.2}  all, {all_asked} bytes", all_answered as f64 / all_asked as f64);
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(all_answered <= 3 * all_asked);
    assert!(all_answered > all_asked / 4, "it was asked in vain");
}

/// A stranger who sends with seat 0's address must not make a process flood that.
#[test]
fn other_processes_ask_at_most_three_times_the_answer() {
    let mut talk = Talk::with_participant();
    let seen = "127.0.0.1:1".parse().unwrap();
    let welcome = |version| Control::Welcome { sent: 0, clock: 0, zero: None, version, seen };
    let map = |version| Control::Map { version, from: 0, processes: Vec::new(), total: 1 };
    let refused = |_| Control::Refused { why: Refusal::Run };
    let sections = |_| Control::Sections { from: 0, sections: Vec::new(), total: 9 };
    let kinds: [&dyn Fn(u64) -> Control; 5] =
        [&welcome, &map, &refused, &sections, &|_| Control::Probe];
    let (mut version, mut all_asked) = (1, 0);
    for kind in kinds {
        let (mut said, mut asked) = (0, 0);
        for _ in 0..ANSWERED_ROUNDS {
            for _ in 0..ANSWERED_BATCH {
                version += 1;
                said += talk.say(&kind(version));
            }
            // It goes on joining by its own clock once it is welcome, and forgets the refusal.
            talk.say(&welcome(1));
            let mut joins = 0;
            while joins < 2 {
                for (control, len) in talk.hear() {
                    joins += usize::from(matches!(control, Control::Join { .. }));
                    asked += len;
                }
            }
        }
        let name = format!("{:?}", kind(version));
        println!("{asked:6} bytes for {said:6}: {name}");
        // By its clock it joins and asks again, whatever comes.
        assert!(asked <= 3 * said + ANSWERED_ROUNDS * 1_200, "{asked} bytes for {said}: {name}");
        all_asked += asked;
    }
    assert!(all_asked > 0, "it asks for the map");
}
