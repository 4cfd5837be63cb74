//! A peerlet that does what a test's closure says, and the stage on which a few of them play: what
//! happened to each is written into one log, in the engine's order.

use std::sync::{Arc, Mutex};

use peerlet_core::runtime::{Act, Directive, FRAME_MAX, Port};
use peerlet_core::{
    Address, Command, Context, Description, Duration, Metric, Need, Peer, Peerlet, Seat, Signature,
    Time, Undelivered,
};
use peerlet_network::Model;
use peerlet_sim::{Handled, Outcome, Setup, Simulation, Trace};

/// An event or act of an actor.
#[derive(Clone, PartialEq, Debug)]
pub enum Happened {
    Start,
    Stop,
    Message(Seat, u64),
    Timer(u64),
    Undelivered(Seat, u64, Undelivered),
    Writable(Seat),
    Command,
    /// It sent this number as a datagram.
    Sent(Seat, u64),
    /// It sent this number reliably.
    SentReliably(Seat, u64),
    /// It met a full queue.
    Full(Seat),
    /// It noted a number.
    Note(u64),
    /// The engine has handled the event.
    Handled(Handled),
}

/// One line of the log.
pub type LogEntry = (Time, Seat, Happened);

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<LogEntry>>>);

impl Log {
    fn write(&self, at: Time, seat: Seat, what: Happened) {
        self.0.lock().expect("nobody panics while writing").push((at, seat, what));
    }

    /// As [`entries`](Log::entries), seats ascending: the order among peers is not promised.
    pub fn by_seat(&self) -> Vec<LogEntry> {
        let mut entries = self.entries();
        entries.sort_by_key(|(_, seat, _)| *seat);
        entries
    }

    /// All lines so far, without the engine's own.
    pub fn entries(&self) -> Vec<LogEntry> {
        let mut entries = self.with_trace();
        entries.retain(|(_, _, what)| !matches!(what, Happened::Handled(_)));
        entries
    }

    /// All lines so far; the lines of one event precede the engine's own line about it.
    pub fn with_trace(&self) -> Vec<LogEntry> {
        self.0.lock().expect("nobody panics while writing").clone()
    }

    /// The events that the engine handled, in its order.
    pub fn trace(&self) -> Vec<Handled> {
        let handled = |(_, _, what)| match what {
            Happened::Handled(handled) => Some(handled),
            _ => None,
        };
        self.with_trace().into_iter().filter_map(handled).collect()
    }

    /// The lines of one seat except its starts, with the time in nanoseconds.
    pub fn of(&self, seat: u32) -> Vec<(u64, Happened)> {
        let mut mine = self.entries();
        mine.retain(|(_, at, what)| *at == Seat(seat) && *what != Happened::Start);
        mine.into_iter().map(|(at, _, what)| (at.as_nanos(), what)).collect()
    }
}

impl Trace for Log {
    fn handled(&mut self, event: &Handled) {
        self.write(event.time, event.seat, Happened::Handled(*event));
    }
}

type Script = Arc<dyn Fn(&mut Context<Actor>, &Log, &Happened) + Send + Sync>;

/// Counts what the actors say.
pub const SAID: Metric = Metric::counter("said");
/// The last number that each actor says.
pub const LEVEL: Metric = Metric::gauge("level").quantum(1.0);

/// A message between actors: a number, and ballast to reach a size.
pub type Message = (u64, String);

/// Plays the script.
pub struct Actor {
    log: Log,
    script: Script,
    /// How many events it has seen since it was built.
    pub seen: u64,
}

impl Actor {
    fn play(&mut self, ctx: &mut Context<Self>, what: Happened) {
        self.seen += 1;
        self.log.write(ctx.now(), ctx.seat(), what.clone());
        (self.script)(ctx, &self.log, &what);
    }
}

/// The address of a seat.
pub fn at(seat: u32) -> Address {
    Address::simulated(Seat(seat))
}

fn seat_of(address: Address) -> Seat {
    Seat(address.slot())
}

/// Notes a number.
pub fn note(ctx: &Context<Actor>, log: &Log, number: u64) {
    log.write(ctx.now(), ctx.seat(), Happened::Note(number));
}

/// Sends a datagram and notes it.
pub fn send(ctx: &mut Context<Actor>, log: &Log, to: u32, number: u64) {
    log.write(ctx.now(), ctx.seat(), Happened::Sent(Seat(to), number));
    ctx.send(at(to), (number, String::new()));
}

/// Sends reliably and notes how that went; whether it was taken.
pub fn send_reliably(ctx: &mut Context<Actor>, log: &Log, to: u32, number: u64) -> bool {
    send_sized(ctx, log, to, number, 0)
}

/// As [`send_reliably`], with this many bytes of ballast.
pub fn send_sized(
    ctx: &mut Context<Actor>,
    log: &Log,
    to: u32,
    number: u64,
    ballast: usize,
) -> bool {
    let taken = ctx.send_reliably(at(to), (number, ballast_of(number, ballast))).is_ok();
    let what = match taken {
        true => Happened::SentReliably(Seat(to), number),
        false => Happened::Full(Seat(to)),
    };
    log.write(ctx.now(), ctx.seat(), what);
    taken
}

/// Ballast that differs by message and position.
pub fn ballast_of(number: u64, len: usize) -> String {
    let mut bytes = vec![b'a' + (number % 26) as u8; len];
    let pieces = bytes.chunks_mut(1_000).enumerate();
    pieces.for_each(|(place, bytes)| bytes[0] = b'a' + (place % 26) as u8);
    String::from_utf8(bytes).expect("letters are text")
}

impl Peerlet for Actor {
    const NAME: &'static str = "actor";
    type Message = Message;
    type Timer = u64;

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Reliable).measures(&SAID).measures(&LEVEL).command(Signature::new("cue"));
    }
    fn start(&mut self, ctx: &mut Context<Self>) {
        self.play(ctx, Happened::Start);
    }
    fn stop(&mut self, ctx: &mut Context<Self>) {
        self.play(ctx, Happened::Stop);
    }
    fn message(&mut self, ctx: &mut Context<Self>, from: Address, (number, ballast): Message) {
        let is_whole = ballast.len() <= FRAME_MAX || ballast == ballast_of(number, ballast.len());
        assert!(is_whole, "a large message is changed");
        self.play(ctx, Happened::Message(seat_of(from), number));
    }
    fn timer(&mut self, ctx: &mut Context<Self>, timer: u64) {
        self.play(ctx, Happened::Timer(timer));
    }
    fn undelivered(
        &mut self,
        ctx: &mut Context<Self>,
        to: Address,
        (number, _): Message,
        why: Undelivered,
    ) {
        self.play(ctx, Happened::Undelivered(seat_of(to), number, why));
    }
    fn writable(&mut self, ctx: &mut Context<Self>, to: Address) {
        self.play(ctx, Happened::Writable(seat_of(to)));
    }
    fn command(&mut self, ctx: &mut Context<Self>, _: &Command) {
        self.play(ctx, Happened::Command);
    }
}

/// The command that every actor takes.
pub fn cue() -> Act {
    let command = Signature::new("cue").call(&[]).expect("it takes no arguments");
    Act::Command(Port(0), Arc::new(command))
}

/// A few actors with one script, what the environment does to them, and their log.
pub struct Stage {
    pub setup: Setup,
    pub directives: Vec<Directive>,
    pub log: Log,
}

impl Stage {
    /// A stage without any started peer.
    pub fn empty(
        seats: u32,
        duration: Duration,
        script: impl Fn(&mut Context<Actor>, &Log, &Happened) + Send + Sync + 'static,
    ) -> Stage {
        let log = Log::default();
        let (script, written): (Script, Log) = (Arc::new(script), log.clone());
        let build = move |_| {
            let (log, script) = (written.clone(), script.clone());
            Peer::new().with(Actor { log, script, seen: 0 })
        };
        let mut setup = Setup::new(seats, duration, build);
        setup.trace = Some(Box::new(log.clone()));
        Stage { setup, directives: Vec::new(), log }
    }

    /// A stage on which everybody is started at time zero.
    pub fn new(
        seats: u32,
        duration: Duration,
        script: impl Fn(&mut Context<Actor>, &Log, &Happened) + Send + Sync + 'static,
    ) -> Stage {
        let stage = Stage::empty(seats, duration, script);
        (0..seats).fold(stage, |stage, seat| stage.then(Duration::ZERO, seat, Act::Start))
    }

    /// One more thing that the environment does, after all others.
    pub fn then(mut self, at: Duration, seat: u32, act: Act) -> Stage {
        self.directives.push(Directive { at: Time::ZERO + at, seat: Seat(seat), act });
        self
    }

    /// The same stage with this network.
    pub fn over(self, model: impl Model + 'static) -> Stage {
        self.over_boxed(Box::new(model))
    }

    /// The same stage with this network.
    pub fn over_boxed(mut self, model: Box<dyn Model>) -> Stage {
        self.setup.model = model;
        self
    }

    /// The same stage whose connections give up after this long.
    pub fn patient(mut self, timeout: Duration) -> Stage {
        self.setup.connection_timeout = timeout;
        self
    }

    pub fn simulation(self) -> (Simulation, Log) {
        let simulation = Simulation::new(self.setup, self.directives).expect("actors can run");
        (simulation, self.log)
    }

    /// Plays to the end; the accounts balance in every play.
    pub fn run(self) -> (Outcome, Log) {
        let (simulation, log) = self.simulation();
        let outcome = simulation.run().expect("no actor is endless");
        assert!(outcome.ledger.is_balanced(), "{:?}", outcome.ledger);
        (outcome, log)
    }
}
