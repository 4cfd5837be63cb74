//! The peerlets of larger worlds: together they do everything that a peerlet can do, at random, and
//! remember all that they see.

use peerlet_core::{
    Address, Caller, Command, Context, Description, Duration, Kind, MILLISECOND, Metric, Need,
    Peer, Peerlet, Seat, Signature, Task, TaskId, TimerId, Undelivered, join_all, race,
};
use peerlet_sim::{Simulation, fold};
use serde::{Deserialize, Serialize};

/// How lively peers are.
#[derive(Clone, Copy, Debug)]
pub struct Activity {
    pub seats: u32,
    /// The longest common pause between two acts.
    pub pause: Duration,
    /// How far ahead the timers reach that are not common.
    pub reach: Duration,
    /// How likely a message is sent reliably.
    pub reliably: f64,
    /// Whether peers now and then send three hundred messages at once.
    pub bursts: bool,
    /// A peer that triggers itself endlessly, once it has ticked this many times.
    pub endless: Option<(Seat, u32)>,
}

impl Activity {
    /// The stack of a seat: not all peers are the same.
    pub fn peer(self, seat: Seat) -> Peer {
        let talker = || Talker { activity: self, memory: 0, ticks: 0, last: None };
        let asker = || Asker { activity: self, memory: 0, waiting: Vec::new(), task: None };
        let keeper = || Keeper { activity: self, memory: 0, heard: 0 };
        match seat.0 % 7 {
            0..=2 => Peer::new().with(talker()).with(keeper()).with(asker()),
            3 => Peer::new().with(asker()).with(talker()).with(keeper()),
            4 => Peer::new().with(talker()),
            5 => Peer::new().with(asker()),
            _ => Peer::new().with(keeper()).with(talker()),
        }
    }

    fn any(&self, sample: u64) -> Address {
        // Now and then no seat has the address.
        let seat = sample % (u64::from(self.seats) * 20 + 1);
        let seat = if seat / 20 == u64::from(self.seats) { 1 << 30 } else { seat as u32 / 20 };
        Address::simulated(Seat(seat))
    }

    /// A delay: of nothing, of a few nanoseconds, on a grid that many share, or anything.
    fn delay(&self, sample: u64) -> Duration {
        let (choice, bits) = (sample % 16, sample / 16);
        match choice {
            0 => Duration::ZERO,
            1 => Duration::from_nanos(bits % 4),
            2..=4 => MILLISECOND * (bits % 7),
            5 => Duration::from_nanos(bits % self.reach.as_nanos()),
            _ => Duration::from_nanos(bits % self.pause.as_nanos()),
        }
    }
}

/// The memory of the peer in this seat, for any stack.
pub fn memory(simulation: &Simulation, seat: Seat) -> [Option<u64>; 3] {
    [
        simulation.peerlet::<Talker>(seat).map(|talker| talker.memory),
        simulation.peerlet::<Keeper>(seat).map(|keeper| keeper.memory),
        simulation.peerlet::<Asker>(seat).map(|asker| asker.memory),
    ]
}

fn remember<P: Peerlet>(memory: &mut u64, ctx: &Context<P>, what: u64) {
    *memory = fold(fold(*memory, ctx.now().as_nanos()), what);
}

/// A local event: the peer's talker heard something.
struct Heard(u64);

/// Talks to anybody, in messages of all sizes.
pub struct Talker {
    activity: Activity,
    memory: u64,
    ticks: u32,
    last: Option<TimerId>,
}

#[derive(Serialize, Deserialize)]
pub enum Said {
    Word(u32),
    Line([u64; 6]),
    Story(String),
}

#[derive(Clone)]
pub enum Chime {
    Tick,
    Beat,
    Late(u64),
}

const SAID: Metric = Metric::counter("said");
const LENGTH: Metric = Metric::histogram("length").quantum(0.5);

impl Talker {
    /// Sends up to this many messages to a random peer.
    fn say(&mut self, ctx: &mut Context<Talker>, sample: u64, most: u64) {
        let to = self.activity.any(sample >> 8);
        let count = if sample % 8 == 7 { most } else { sample % 3 };
        let reliably = ctx.rng().chance(self.activity.reliably);
        for n in 0..count {
            let said = match (sample >> 4).wrapping_add(n) % 4 {
                0 | 1 => Said::Word(sample as u32),
                2 => Said::Line([sample; 6]),
                _ => Said::Story("once ".repeat(sample as usize % 40)),
            };
            match reliably {
                true => {
                    let taken = ctx.send_reliably(to, said).is_ok();
                    remember(&mut self.memory, ctx, u64::from(taken));
                }
                false => ctx.send(to, said),
            }
        }
        ctx.measure(SAID, count as f64);
    }

    fn act(&mut self, ctx: &mut Context<Talker>) {
        self.act_at_length(ctx, 2);
    }

    /// Acts when the program around the run asks for it.
    pub fn called(&mut self, ctx: &mut Context<Talker>) -> u64 {
        let runs = ctx.seats().running(ctx.seat());
        remember(&mut self.memory, ctx, u64::from(runs));
        self.act(ctx);
        self.act(ctx);
        self.memory
    }

    fn act_at_length(&mut self, ctx: &mut Context<Talker>, most: u64) {
        let sample = ctx.rng().bits();
        match sample % 8 {
            0 => {
                let timer = ctx.after(self.activity.delay(sample >> 3), Chime::Late(sample));
                if let Some(last) = self.last.replace(timer) {
                    ctx.cancel(last);
                }
            }
            1 => {
                ctx.emit(Heard(sample));
                ctx.emit(Heard(sample >> 32));
            }
            2 => {
                let own = ctx.address();
                ctx.send(own, Said::Word(sample as u32));
                drop(ctx.send_reliably(own, Said::Word(1)));
            }
            3 => drop(ctx.after(self.activity.delay(sample >> 3), Chime::Late(sample))),
            _ => self.say(ctx, sample >> 3, most),
        }
    }
}

impl Peerlet for Talker {
    const NAME: &'static str = "talker";
    type Message = Said;
    type Timer = Chime;

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Reliable).measures(&SAID).measures(&LENGTH);
        about.command(Signature::new("talk").takes("words", Kind::Integer));
    }
    fn init(&mut self, ctx: &mut Context<Self>) {
        remember(&mut self.memory, ctx, 1);
    }
    fn start(&mut self, ctx: &mut Context<Self>) {
        let secret = ctx.secret().bits();
        remember(&mut self.memory, ctx, secret);
        let pause = self.activity.pause;
        let phase = Duration::from_nanos(ctx.rng().below(pause.as_nanos()));
        ctx.after(phase, Chime::Tick);
        let period = MILLISECOND * 5 * (1 + ctx.rng().below(pause.as_nanos() / 1_000_000));
        ctx.every(period, Chime::Beat);
    }
    fn stop(&mut self, ctx: &mut Context<Self>) {
        remember(&mut self.memory, ctx, 2);
        self.act(ctx);
    }
    fn message(&mut self, ctx: &mut Context<Self>, from: Address, said: Said) {
        let (length, word) = match said {
            Said::Word(word) => (1, u64::from(word)),
            Said::Line(words) => (6, words[5]),
            Said::Story(story) => (story.len(), 3),
        };
        let seat = Seat(from.slot());
        let runs = ctx.seats().running(seat);
        remember(&mut self.memory, ctx, fold(word, u64::from(seat.0) << 1 | u64::from(runs)));
        ctx.measure(LENGTH, length as f64);
        ctx.emit(Heard(word));
        if ctx.rng().chance(0.2) {
            self.act(ctx);
        }
    }
    fn timer(&mut self, ctx: &mut Context<Self>, chime: Chime) {
        match chime {
            Chime::Tick => {
                self.ticks += 1;
                let endless = self.activity.endless == Some((ctx.seat(), self.ticks));
                let delay = self.activity.delay(ctx.rng().bits()) + Duration::from_nanos(1);
                let delay = if endless { Duration::ZERO } else { delay };
                self.ticks -= u32::from(endless);
                ctx.after(delay, Chime::Tick);
                if !endless {
                    self.act(ctx);
                }
            }
            // Only what no message caused may be long: otherwise talk would never die down.
            Chime::Beat => self.act_at_length(ctx, if self.activity.bursts { 300 } else { 2 }),
            Chime::Late(number) => remember(&mut self.memory, ctx, number),
        }
    }
    fn undelivered(&mut self, ctx: &mut Context<Self>, to: Address, _: Said, why: Undelivered) {
        remember(&mut self.memory, ctx, u64::from(to.slot()) << 8 | why as u64);
    }
    fn writable(&mut self, ctx: &mut Context<Self>, to: Address) {
        remember(&mut self.memory, ctx, u64::from(to.slot()));
        self.act(ctx);
    }
    fn command(&mut self, ctx: &mut Context<Self>, command: &Command) {
        remember(&mut self.memory, ctx, command.integer("words") as u64);
        self.act(ctx);
    }
}

/// Hears what its sibling hears, keeps count of who runs, and makes its sibling talk.
pub struct Keeper {
    activity: Activity,
    memory: u64,
    heard: u64,
}

const LEVEL: Metric = Metric::gauge("level");

impl Keeper {
    fn heard(&mut self, ctx: &mut Context<Self>, heard: &Heard) {
        self.heard += 1;
        remember(&mut self.memory, ctx, heard.0);
        let sample = ctx.rng().bits();
        let seats = u64::from(ctx.seats().count());
        // The running seats, as of this instant.
        let first = sample % seats;
        let running = (first..seats.min(first + 9))
            .fold(0, |bits, seat| bits << 1 | u64::from(ctx.seats().running(Seat(seat as u32))));
        remember(&mut self.memory, ctx, running);
        ctx.measure(LEVEL, running.count_ones() as f64 + self.heard as f64);
        if sample.is_multiple_of(16)
            && let Some(mut talker) = ctx.sibling::<Talker>()
        {
            talker.say(&mut ctx.of::<Talker>(), sample >> 4, 2);
        }
    }
}

impl Peerlet for Keeper {
    const NAME: &'static str = "keeper";
    type Message = ();
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.uses::<Talker>().hears(Keeper::heard).measures(&LEVEL);
    }
    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        ctx.emit(Heard(self.memory));
    }
    fn start(&mut self, ctx: &mut Context<Self>) {
        let identity = ctx.contact().identity.0[0];
        remember(&mut self.memory, ctx, u64::from(identity));
        ctx.every(self.activity.pause / 2, ());
    }
}

/// Asks in tasks, and answers in tasks that ask others.
pub struct Asker {
    activity: Activity,
    memory: u64,
    waiting: Vec<(Caller, u32)>,
    task: Option<TaskId>,
}

#[derive(Serialize, Deserialize)]
pub enum Talk {
    Question(u32),
    Answer(u32),
}

#[derive(Clone, Copy)]
pub enum Asking {
    Ask,
    AnswerLate,
}

const ANSWERS: Metric = Metric::counter("answers");
const TOOK: Metric = Metric::histogram("took").unit("s");

impl Asker {
    /// Asks when the program around the run asks for it.
    pub fn called(&mut self, ctx: &mut Context<Asker>) -> u64 {
        let (activity, sample) = (self.activity, ctx.rng().bits());
        ctx.spawn(move |task| async move {
            let number = ask(&task, activity, sample).await;
            task.with(move |me, ctx| remember(&mut me.memory, ctx, number)).await;
        });
        ctx.after(Duration::ZERO, Asking::AnswerLate);
        self.memory
    }
}

/// One life of a question, in one of many ways; what came out, as a number.
async fn ask(task: &Task<Asker>, activity: Activity, sample: u64) -> u64 {
    let within = activity.delay(sample >> 5) + MILLISECOND;
    let call = |n: u64| {
        let to = activity.any(sample.rotate_right(8 * n as u32) >> 4);
        task.call(to, Talk::Question(sample as u32 >> (26 + n as u32))).within(within)
    };
    let number = |answer| match answer {
        Ok(Talk::Answer(number)) => u64::from(number),
        Ok(Talk::Question(_)) => 0,
        Err(_) => 1 << 40,
    };
    match sample % 8 {
        0 | 1 => number(call(0).tries(1 + (sample >> 40) as u32 % 3).await),
        2 => number(call(0).reliably().await),
        3 => {
            let answers = join_all([call(0), call(1).tries(2), call(2).reliably()]).await;
            answers.into_iter().map(number).sum()
        }
        4 => {
            let (place, answer) = race([call(0), call(1)]).await;
            number(answer) << 1 | place as u64
        }
        5 => {
            let sleeps =
                [sample >> 8, sample >> 20].map(|sample| task.sleep(activity.delay(sample)));
            race(sleeps).await.0 as u64
        }
        6 => {
            for n in 0..sample >> 62 {
                task.sleep(activity.delay(sample >> (8 + n))).await;
                task.with(move |_, ctx| ctx.send(activity.any(sample >> n), Talk::Answer(1))).await;
            }
            2
        }
        _ => {
            task.sleep(Duration::ZERO).await;
            3
        }
    }
}

impl Peerlet for Asker {
    const NAME: &'static str = "asker";
    type Message = Talk;
    type Timer = Asking;

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Reliable).measures(&ANSWERS).measures(&TOOK);
        about.command(Signature::new("ask"));
    }
    fn start(&mut self, ctx: &mut Context<Self>) {
        self.waiting.clear();
        let period = self.activity.pause * (1 + ctx.rng().below(3));
        ctx.every(period + Duration::from_nanos(1), Asking::Ask);
    }
    fn timer(&mut self, ctx: &mut Context<Self>, asking: Asking) {
        if let Asking::AnswerLate = asking {
            for (caller, number) in std::mem::take(&mut self.waiting) {
                ctx.reply_to(caller, Talk::Answer(number));
            }
            return;
        }
        let (activity, sample, begun) = (self.activity, ctx.rng().bits(), ctx.now());
        let task = ctx.spawn(move |task| async move {
            let number = ask(&task, activity, sample).await;
            task.with(move |me, ctx| {
                remember(&mut me.memory, ctx, number);
                ctx.measure(ANSWERS, 1.0);
                ctx.measure(TOOK, (ctx.now() - begun).as_secs_f64());
            })
            .await;
        });
        if sample >> 58 == 0
            && let Some(task) = self.task.replace(task)
        {
            ctx.abort(task);
        }
    }
    fn message(&mut self, ctx: &mut Context<Self>, from: Address, talk: Talk) {
        let number = match talk {
            Talk::Question(number) => number,
            Talk::Answer(number) => {
                let seat = u64::from(from.slot()) << 32;
                return remember(&mut self.memory, ctx, seat | u64::from(number));
            }
        };
        remember(&mut self.memory, ctx, u64::from(number));
        let Some(caller) = ctx.caller() else { return };
        match number % 4 {
            0 | 1 => ctx.reply(Talk::Answer(number + 1)),
            2 => {
                self.waiting.push((caller, number));
                ctx.after(self.activity.delay(u64::from(number) << 2), Asking::AnswerLate);
            }
            _ => {
                let (activity, sample) = (self.activity, ctx.rng().bits());
                ctx.spawn(move |task| async move {
                    let question = Talk::Question(number / 4);
                    let answer = task.call(activity.any(sample), question).within(activity.pause);
                    let number = if answer.await.is_ok() { number } else { 0 };
                    task.with(move |_, ctx| ctx.reply_to(caller, Talk::Answer(number))).await;
                });
            }
        }
    }
    fn command(&mut self, ctx: &mut Context<Self>, _: &Command) {
        // A peer that is stopped can be told so as well.
        ctx.after(Duration::ZERO, Asking::Ask);
    }
}
