//! A small honest network for attacks to be made on: processes whose peers ask each other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use peerlet_core::runtime::Call;
use peerlet_core::{
    Address, Context, Description, Identity, MILLISECOND, Metric, Peer, Peerlet, Seat, wire,
};
use peerlet_live::{
    Admission, Frame, Join, Kind, LiveError, LiveOutcome, LiveSetup, Message as FrameMessage,
    ProcessKey, SocketDrop, Sockets, Tag,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::runs::{LONG, Lines, PATIENCE, run_until_stopped, starts};

const ROUNDS: Metric = Metric::counter("rounds");
/// The name of the experiment, and of its one peerlet.
pub const NAME: &str = "attacked";
pub const PEERLET: &str = "asks";
/// Seats of each process.
pub const SEATS_EACH: u32 = 2;

/// Asks the peer with the same place in each other process, again and again.
struct Asks {
    seats: u32,
    rounds: Arc<AtomicU64>,
    forged: Arc<AtomicU64>,
    /// Whether there is reliable delivery.
    is_reliable: bool,
}

#[derive(serde::Serialize, serde::Deserialize, Clone, Debug)]
pub enum Message {
    Ask,
    Answer,
    /// No peer sends this.
    Forged,
}

impl Peerlet for Asks {
    const NAME: &'static str = PEERLET;
    type Message = Message;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.measures(&ROUNDS);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(MILLISECOND * 20, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let own = ctx.seat().0;
        for seat in (0..self.seats).filter(|seat| *seat != own && seat % 2 == own % 2) {
            if let Some(other) = ctx.seats().address(Seat(seat)) {
                ctx.send(other, Message::Ask);
            }
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        match message {
            Message::Ask if ctx.caller().is_some() => ctx.reply(Message::Answer),
            Message::Ask if !self.is_reliable => ctx.send(from, Message::Answer),
            // What cannot be sent was lost with its link: it is asked again.
            Message::Ask => drop(ctx.send_reliably(from, Message::Answer)),
            Message::Answer => {
                ctx.measure(ROUNDS, 1.0);
                self.rounds.fetch_add(1, Ordering::Relaxed);
            }
            Message::Forged => drop(self.forged.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

/// A process under way.
pub struct Running {
    pub at: SocketAddr,
    pub lines: Lines,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<LiveOutcome, LiveError>>,
}

impl Running {
    /// Starts a process and waits until its socket is bound.
    pub async fn start(mut setup: LiveSetup) -> Running {
        let (lines, seats) = (Lines::default(), setup.seats);
        setup.notice = lines.notice();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(run_until_stopped(setup, starts(0..seats), stopped));
        let told = lines.wait_for("reached as ").await;
        let at = told.rsplit_once('@').expect("an identity and an address").1;
        Running { at: at.parse().expect("an address"), lines, stop, task }
    }

    /// Asks it to stop.
    pub fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Stops it, and waits for its end.
    pub async fn stop(self) -> LiveOutcome {
        self.stop.send_replace(true);
        self.end().await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits for its end.
    async fn end(self) -> Result<LiveOutcome, LiveError> {
        self.task.await.expect("nothing panics")
    }
}

/// Honest processes, the first with seat 0; each has two seats.
pub struct Honest {
    pub admission: Admission,
    pub seats: u32,
    pub processes: Vec<Running>,
    /// Answers that came, by seat.
    rounds: Vec<Arc<AtomicU64>>,
    /// Messages that no peer has sent.
    forged: Arc<AtomicU64>,
    /// Whether the sockets have reliable delivery.
    is_reliable: Arc<AtomicBool>,
    /// Who seat 0's process is.
    pub identity: Identity,
}

impl Honest {
    /// Seat 0's process alone, in a network with this many seats; the others are still to come.
    pub async fn first(seats: u32, admission: Admission) -> Honest {
        Honest::first_as(seats, admission, |_| {}).await
    }

    /// The same with changes to how it is set up.
    pub async fn first_as(
        seats: u32,
        admission: Admission,
        change: impl FnOnce(&mut LiveSetup),
    ) -> Honest {
        let rounds = (0..seats).map(|_| Arc::default()).collect();
        let (processes, key, forged) = (Vec::new(), ProcessKey::generate(), Arc::default());
        let identity = key.identity();
        let is_reliable = Arc::default();
        let mut honest =
            Honest { admission, seats, processes, rounds, forged, is_reliable, identity };
        let mut setup = LiveSetup { key: Some(key), join: None, ..honest.setup(0) };
        change(&mut setup);
        honest.is_reliable.store(setup.sockets == Sockets::Quic, Ordering::Relaxed);
        honest.processes.push(Running::start(setup).await);
        honest
    }

    /// Two processes with four seats, under way.
    pub async fn pair(admission: Admission) -> Honest {
        let mut honest = Honest::first(4, admission).await;
        honest.join(1).await;
        honest.rounds_go_on().await;
        honest
    }

    /// How the process with this number is set up to join the first one.
    pub fn setup(&self, number: u32) -> LiveSetup {
        let (seats, rounds, forged) = (self.seats, self.rounds.clone(), self.forged.clone());
        let is_reliable = self.is_reliable.clone();
        let build = move |seat: Seat| {
            let (rounds, forged) = (rounds[seat.index()].clone(), forged.clone());
            let is_reliable = is_reliable.load(Ordering::Relaxed);
            Peer::new().with(Asks { seats, rounds, forged, is_reliable })
        };
        let first = number * SEATS_EACH;
        let join = self.processes.first().map(|it| Join::at(it.at).of(self.identity));
        LiveSetup {
            index: Some((first, first + SEATS_EACH - 1)),
            join,
            admission: self.admission.clone(),
            epoch: MILLISECOND * 500,
            ..LiveSetup::new(NAME, seats, LONG, build)
        }
    }

    /// Starts the process with this number.
    pub async fn join(&mut self, number: u32) {
        self.join_as(number, |_| {}).await;
    }

    /// The same with changes to how it is set up.
    pub async fn join_as(&mut self, number: u32, change: impl FnOnce(&mut LiveSetup)) {
        let mut setup = self.setup(number);
        change(&mut setup);
        self.processes.push(Running::start(setup).await);
    }

    /// Where seat 0's process is reached.
    pub fn at(&self) -> SocketAddr {
        self.processes[0].at
    }

    /// Waits until each peer of these processes has had ten more answers.
    pub async fn rounds_go_on(&self) {
        let seats = self.processes.len() * SEATS_EACH as usize;
        let now = || -> Vec<u64> {
            self.rounds[..seats].iter().map(|count| count.load(Ordering::Relaxed)).collect()
        };
        let before = now();
        let going = async {
            while now().iter().zip(&before).any(|(now, before)| *now < before + 10) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let went = tokio::time::timeout(PATIENCE, going).await;
        let said = || self.processes.iter().map(|process| &process.lines).collect::<Vec<_>>();
        went.unwrap_or_else(|_| panic!("from {before:?} to {:?}: {:?}", now(), said()));
    }

    /// Stops all, seat 0's process last, and checks that its table is true: the answers that the
    /// peers counted, the processes that there were, and messages that were sent.
    pub async fn finish(self) -> LiveOutcome {
        self.finish_with(0, 0).await
    }

    /// The same, where processes that are not honest took part and reported this many answers.
    pub async fn finish_with(mut self, more: u32, reported: u64) -> LiveOutcome {
        self.rounds_go_on().await;
        let others = self.processes.split_off(1);
        let count = others.len() as u32 + 1;
        // Seat 0's process last: its end is that of the table.
        for process in &others {
            process.ask_to_stop();
        }
        for process in others {
            let ended = process.end().await.unwrap_or_else(|error| panic!("{error}"));
            assert!(ended.missing.is_empty(), "{:?}", ended.missing);
        }
        let first = self.processes.pop().expect("there is a first one");
        first.ask_to_stop();
        let outcome = first.end().await.unwrap_or_else(|error| panic!("{error}"));
        let whole = outcome.whole.expect("seat 0's process knows the whole");
        assert_eq!((whole.processes, outcome.is_share), (count + more, false));
        assert!(whole.coverage <= 1.0, "{whole:?}");
        assert_eq!(self.forged.load(Ordering::Relaxed), 0, "no peer got what no peer sent");
        let counted: u64 = self.rounds.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        let all = i128::from(counted + reported);
        assert_eq!(outcome.measures.total()[0].sum(), all, "the table is true");
        let flows = [outcome.ledger.datagram, outcome.ledger.reliable];
        // Where it is said that a share is missing, what that process sent is missing as well.
        let is_whole = outcome.missing.is_empty();
        assert!(!is_whole || flows.iter().all(|flow| flow.delivered <= flow.sent), "{flows:?}");
        // Each round is two messages and at most two timers, with a little besides.
        assert!(outcome.events < 1_000 + 100 * counted, "{} events", outcome.events);
        outcome
    }
}

/// A frame of the experiment from one life of a seat to another seat.
pub fn frame((from, life): (u32, u32), to: u32, kind: Kind<'_>) -> Vec<u8> {
    Frame { tag: Tag::of(NAME, &[PEERLET]), from, to, life, kind }.to_vec()
}

/// A frame of the experiment from one seat to another, with a message that no peer sends.
pub fn forged(from: u32, to: u32, kind: impl FnOnce(FrameMessage<&[u8]>) -> Kind<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    wire::encode(&Message::Forged, &mut body).expect("it is plain");
    frame((from, 1), to, kind(FrameMessage { port: 0, call: Call::None, body: &body[..] }))
}

/// A question or an answer as a datagram.
pub fn called(from: u32, to: u32, call: Call) -> Vec<u8> {
    let (mut body, message) = (
        Vec::new(),
        match call {
            Call::Question(_) => Message::Ask,
            _ => Message::Answer,
        },
    );
    wire::encode(&message, &mut body).expect("it is plain");
    frame((from, 1), to, Kind::Datagram(FrameMessage { port: 0, call, body: &body[..] }))
}

/// The same as a datagram.
pub fn forged_datagram(from: u32, to: u32) -> Vec<u8> {
    forged(from, to, |message| {
        let call = Call::None;
        Kind::Datagram(FrameMessage { call, ..message })
    })
}

/// How much was dropped for these reasons.
pub fn dropped(outcome: &LiveOutcome, causes: &[SocketDrop]) -> u64 {
    causes.iter().map(|cause| outcome.counters.get(*cause)).sum()
}
