//! Peerlets of which each stack has some: they act for themselves and for whichever siblings their
//! peer has, in every way in which one can act for another.

use peerlet_core::{
    Address, Context, Description, Duration, MILLISECOND, Metric, Need, Peer, Peerlet, Rng, Seat,
    Task, TaskId, TimerId, Undelivered, join_all,
};
use peerlet_sim::{Simulation, fold};
use serde::{Deserialize, Serialize};

/// How many types there are.
pub const KINDS: usize = 5;

const NAMES: [&str; KINDS] = ["kin_a", "kin_b", "kin_c", "kin_d", "kin_e"];

/// The most periodic timers of one peerlet, its first one included.
const PERIODIC_MAX: u32 = 5;

/// How lively they are.
#[derive(Clone, Copy, Debug)]
pub struct Activity {
    pub seats: u32,
    /// About how long it is from one act to the next.
    pub pause: Duration,
}

/// One of them.
pub struct ActingSibling<const N: usize> {
    activity: Activity,
    memory: u64,
    /// Its timers, those that are over included.
    timers: Vec<TimerId>,
    tasks: Vec<TaskId>,
    periodic: u32,
}

#[derive(Serialize, Deserialize)]
pub enum Talk {
    Word(u64),
    Question(u32),
    Answer(u32),
}

#[derive(Clone, Copy)]
pub enum Due {
    /// It is time to act.
    Act,
    /// Somebody set it, once or again and again.
    Set(u64),
    /// A chain: this many more follow at this instant.
    Chain(u32),
}

struct Heard(u64);

const DONE: Metric = Metric::counter("done");
const LEVEL: Metric = Metric::gauge("level");

fn remember<P: Peerlet>(memory: &mut u64, ctx: &Context<P>, what: u64) {
    *memory = fold(fold(*memory, ctx.now().as_nanos()), what);
}

/// An action in the name of a sibling, or of the peerlet itself.
struct Action {
    activity: Activity,
    timer: Option<TimerId>,
    tasks: Vec<TaskId>,
    is_periodic: bool,
}

impl Action {
    fn somebody(&self, rng: &mut Rng) -> Address {
        Address::simulated(Seat(rng.below(self.activity.seats.into()) as u32))
    }

    /// Of nothing, on a grid that many share, or anything.
    fn delay(&self, rng: &mut Rng) -> Duration {
        let pause = self.activity.pause.as_nanos();
        match rng.below(6) {
            0 => Duration::ZERO,
            1 => Duration::from_nanos(rng.below(4)),
            2 | 3 => MILLISECOND * rng.below(20),
            _ => Duration::from_nanos(rng.below(4 * pause)),
        }
    }

    /// Does something as the peerlet whose context this is.
    fn act<const M: usize>(&mut self, ctx: &mut Context<ActingSibling<M>>) {
        let (to, delay) = (self.somebody(ctx.rng()), self.delay(ctx.rng()));
        let word = ctx.rng().bits();
        match ctx.rng().below(11) {
            0 => self.timer = Some(ctx.after(delay, Due::Set(word))),
            1 => {
                self.timer = Some(ctx.every(delay + MILLISECOND * 9, Due::Set(word)));
                self.is_periodic = true;
            }
            2 => {
                let links = if word.is_multiple_of(8) { 40 } else { word as u32 % 5 };
                ctx.after(Duration::ZERO, Due::Chain(links));
            }
            3 => {
                // Taken back at once, and again.
                let timer = ctx.after(delay, Due::Set(word));
                ctx.cancel(timer);
                ctx.cancel(timer);
            }
            4 => ctx.send(to, Talk::Word(word)),
            5 => drop(ctx.send_reliably(to, Talk::Word(word))),
            6 => self.sleep(ctx, word),
            7 => {
                let id = ctx.spawn(move |task| async move {
                    let question = task.call(to, Talk::Question(word as u32));
                    let answer = question.within(delay + MILLISECOND).tries(1 + word as u32 % 2);
                    let answered = u64::from(answer.await.is_ok());
                    task.with(move |me, ctx| remember(&mut me.memory, ctx, answered)).await;
                });
                self.tasks.push(id);
            }
            8 => {
                ctx.measure(DONE, 1.0);
                ctx.measure(LEVEL, (word % 100) as f64);
            }
            9 => ctx.emit(Heard(word)),
            _ => {
                let own = ctx.address();
                ctx.send(own, Talk::Word(word));
            }
        }
    }

    /// Many tasks at once, now and then; some of them sleep more than once.
    fn sleep<const M: usize>(&mut self, ctx: &mut Context<ActingSibling<M>>, word: u64) {
        let count = if word.is_multiple_of(16) { 24 } else { 1 + word % 3 };
        for n in 0..count {
            let (one, other) = (self.delay(ctx.rng()), self.delay(ctx.rng()));
            let sleep = move |task: &Task<ActingSibling<M>>| [task.sleep(one), task.sleep(other)];
            let id = ctx.spawn(move |task| async move {
                match n % 3 {
                    0 => drop(join_all(sleep(&task)).await),
                    _ => task.sleep(one).await,
                }
                task.with(move |me, ctx| remember(&mut me.memory, ctx, n)).await;
            });
            self.tasks.push(id);
        }
    }
}

impl<const N: usize> ActingSibling<N> {
    pub fn new(activity: Activity) -> ActingSibling<N> {
        ActingSibling { activity, memory: 0, timers: Vec::new(), tasks: Vec::new(), periodic: 0 }
    }

    /// Does something as `M`, if the peer has one. What that leaves is this one's to take back.
    fn act_as<const M: usize>(&mut self, ctx: &mut Context<Self>) {
        remember(&mut self.memory, ctx, u64::from(ctx.has::<ActingSibling<M>>()));
        if !ctx.has::<ActingSibling<M>>() {
            return;
        }
        let mut action =
            Action { activity: self.activity, timer: None, tasks: Vec::new(), is_periodic: false };
        action.act(&mut ctx.of::<ActingSibling<M>>());
        self.timers.extend(action.timer);
        self.tasks.extend(action.tasks);
        if action.is_periodic {
            self.periodic += 1;
            if self.periodic > PERIODIC_MAX
                && let Some(timer) = self.timers.pop()
            {
                ctx.cancel(timer);
            }
        }
    }

    /// Cancels a timer of the sibling, in the peerlet's own name.
    fn cancel_timer<const M: usize>(&mut self, ctx: &mut Context<Self>) {
        let sample = ctx.rng().index(1 << 20);
        let timer = match ctx.sibling::<ActingSibling<M>>() {
            Some(other) if !other.timers.is_empty() => other.timers[sample % other.timers.len()],
            _ if !self.timers.is_empty() => self.timers[sample % self.timers.len()],
            _ => return,
        };
        // It stays in its list, to be canceled again when it is over.
        ctx.cancel(timer);
    }

    fn act(&mut self, ctx: &mut Context<Self>) {
        if self.tasks.len() > 3 && ctx.rng().chance(0.5) {
            let index = ctx.rng().index(self.tasks.len());
            ctx.abort(self.tasks.swap_remove(index));
        }
        let cancels = ctx.rng().chance(0.25);
        macro_rules! with {
            ($($kind:literal),*) => {
                match (ctx.rng().index(KINDS), cancels) {
                    $(
                        ($kind, false) => self.act_as::<$kind>(ctx),
                        ($kind, true) => self.cancel_timer::<$kind>(ctx),
                    )*
                    _ => {}
                }
            };
        }
        with!(0, 1, 2, 3, 4);
    }
}

impl<const N: usize> Peerlet for ActingSibling<N> {
    const NAME: &'static str = NAMES[N];
    type Message = Talk;
    type Timer = Due;

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Reliable).measures(&DONE).measures(&LEVEL);
        about.hears(|me: &mut Self, ctx, heard: &Heard| remember(&mut me.memory, ctx, heard.0));
    }
    fn start(&mut self, ctx: &mut Context<Self>) {
        // The timers of older lives are kept, to be canceled in this one.
        self.periodic = 0;
        self.tasks.clear();
        let period = self.activity.pause / 2 + MILLISECOND * ctx.rng().below(5);
        ctx.every(period, Due::Act);
        self.act(ctx);
    }
    fn stop(&mut self, ctx: &mut Context<Self>) {
        self.act(ctx);
    }
    fn message(&mut self, ctx: &mut Context<Self>, from: Address, talk: Talk) {
        let word = match talk {
            Talk::Word(word) => word,
            Talk::Question(number) => {
                if !number.is_multiple_of(4) {
                    ctx.reply(Talk::Answer(number));
                }
                u64::from(number)
            }
            Talk::Answer(number) => u64::from(number) << 8,
        };
        remember(&mut self.memory, ctx, word ^ u64::from(from.slot()));
    }
    fn timer(&mut self, ctx: &mut Context<Self>, due: Due) {
        match due {
            Due::Act => self.act(ctx),
            Due::Set(word) => remember(&mut self.memory, ctx, word),
            Due::Chain(0) => remember(&mut self.memory, ctx, 0),
            Due::Chain(left) => _ = ctx.after(Duration::ZERO, Due::Chain(left - 1)),
        }
    }
    fn undelivered(&mut self, ctx: &mut Context<Self>, to: Address, _: Talk, why: Undelivered) {
        remember(&mut self.memory, ctx, u64::from(to.slot()) << 8 | why as u64);
    }
}

/// A stack of these types, in this order.
pub fn peer(kinds: &[usize], activity: Activity) -> Peer {
    kinds.iter().fold(Peer::new(), |peer, kind| match kind {
        0 => peer.with(ActingSibling::<0>::new(activity)),
        1 => peer.with(ActingSibling::<1>::new(activity)),
        2 => peer.with(ActingSibling::<2>::new(activity)),
        3 => peer.with(ActingSibling::<3>::new(activity)),
        _ => peer.with(ActingSibling::<4>::new(activity)),
    })
}

/// The memory of the peer in this seat.
pub fn memory(simulation: &Simulation, seat: Seat) -> u64 {
    fn of<const N: usize>(simulation: &Simulation, seat: Seat) -> u64 {
        simulation.peerlet::<ActingSibling<N>>(seat).map_or(1, |sibling| sibling.memory)
    }
    let all = [of::<0>, of::<1>, of::<2>, of::<3>, of::<4>];
    all.iter().fold(0, |hash, of| fold(hash, of(simulation, seat)))
}
