//! Stacks that are composed by role, with tasks that wait for siblings: both engines, with any
//! number of threads, come to the same.

use peerlet_core::runtime::{Act, Directive};
use peerlet_core::{
    Address, Context, Description, Duration, MILLISECOND, Nothing, Peer, Peerlet, Picks, Port, Rng,
    Role, RoleContext, SECOND, Seat, Time, join_all,
};
use peerlet_core::{ListenError, Response};
use peerlet_network::Uniform;
use peerlet_sim::{Digest, Engine, Setup, Simulation, fold};
use serde::{Deserialize, Serialize};

const SEATS: u32 = 12;

trait Sampler {
    fn sample(&self, rng: &mut Rng, into: &mut Vec<Address>);
}

impl Role for dyn Sampler {
    const NAME: &'static str = "sampler";
}

/// One of two samplers: each knows every other seat, the even or the odd ones.
struct View<const N: u32>;

impl<const N: u32> Peerlet for View<N> {
    const NAME: &'static str = ["even_view", "odd_view"][N as usize];
    type Message = Nothing;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.plays::<dyn Sampler>(|me| me);
    }
}

impl<const N: u32> Sampler for View<N> {
    fn sample(&self, rng: &mut Rng, into: &mut Vec<Address>) {
        let seat = 2 * rng.below(u64::from(SEATS / 2)) as u32 + N;
        into.push(Address::simulated(Seat(seat)));
    }
}

trait Broadcast {
    /// Sends a payload to others, and echoes it.
    fn publish(&mut self, ctx: &mut RoleContext, payload: u64) -> u64;
}

impl Role for dyn Broadcast {
    const NAME: &'static str = "broadcast";
}

#[derive(Clone)]
struct Received(u64);

#[derive(Clone)]
struct Published {
    ticket: u64,
    to: u32,
}

impl Response for Published {
    type Ticket = u64;
    fn ticket(&self) -> u64 {
        self.ticket
    }
}

/// Sends payloads to a sample. Says so at once or when the receiver has acknowledged it.
#[derive(Default)]
struct Flood {
    sampler: Option<&'static str>,
    tickets: u64,
}

#[derive(Serialize, Deserialize)]
enum Rumor {
    Payload { user: Port, ticket: u64, payload: u64 },
    Ack { user: Port, ticket: u64 },
}

impl Peerlet for Flood {
    const NAME: &'static str = "flood";
    type Message = Rumor;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.wants::<dyn Sampler>().plays::<dyn Broadcast>(|me| me);
    }

    fn picks(&self, picks: &mut Picks) {
        picks.role::<dyn Sampler>("sampler", self.sampler);
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, rumor: Rumor) {
        match rumor {
            Rumor::Payload { user, ticket, payload } => {
                ctx.emit_to(user, Received(payload));
                if payload.is_multiple_of(3) {
                    ctx.send(from, Rumor::Ack { user, ticket });
                }
            }
            Rumor::Ack { user, ticket } => ctx.emit_to(user, Published { ticket, to: 1 }),
        }
    }
}

impl Broadcast for Flood {
    fn publish(&mut self, ctx: &mut RoleContext, payload: u64) -> u64 {
        self.tickets += 1;
        let (user, ticket) = (ctx.caller(), self.tickets);
        let ctx = &mut ctx.typed::<Self>();
        let mut to = Vec::new();
        let near = ctx.role::<dyn Sampler>(self.sampler).expect("a sampler calls nobody");
        near.sample(ctx.rng(), &mut to);
        for peer in to {
            ctx.send(peer, Rumor::Payload { user, ticket, payload });
        }
        if payload.is_multiple_of(4) {
            ctx.emit_to(user, Published { ticket, to: 0 });
        }
        ticket
    }
}

/// One of two users of the broadcast: each of its payloads has its number in it.
#[derive(Default)]
struct User<const N: u64> {
    memory: u64,
    received: u64,
    answered: u64,
    timed_out: u64,
}

impl<const N: u64> Peerlet for User<N> {
    const NAME: &'static str = ["chat", "weather"][N as usize];
    type Message = Nothing;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.wants::<dyn Broadcast>().hears(User::<N>::received);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(MILLISECOND * 100, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let count = 1 + ctx.rng().below(3);
        let limit = MILLISECOND * (20 + ctx.rng().below(200));
        ctx.spawn(move |task| async move {
            let ask = |_| {
                task.request::<Published, _>(|_, ctx: &mut Context<Self>| {
                    let payload = ctx.rng().below(1_000) * 2 + N;
                    let mut flood = ctx.role::<dyn Broadcast>(None)?;
                    let port = flood.port();
                    Some(flood.publish(&mut ctx.acting(port), payload))
                })
            };
            let results = join_all((0..count).map(|n| ask(n).within(limit))).await;
            let heard = task.hear(|received: &Received| received.0.is_multiple_of(5));
            let heard = heard.within(limit).await.map_or(0, |received| received.0);
            task.with(move |me, ctx| {
                me.memory = fold(fold(me.memory, ctx.now().as_nanos()), heard);
                for result in results {
                    match result {
                        Ok(published) => me.answered += 1 + u64::from(published.to),
                        Err(ListenError::TimedOut) => me.timed_out += 1,
                        Err(why) => panic!("{why}"),
                    }
                }
            })
            .await;
        });
    }
}

impl<const N: u64> User<N> {
    fn received(&mut self, ctx: &mut Context<Self>, Received(payload): &Received) {
        assert_eq!(payload % 2, N, "each hears its own payloads only");
        self.memory = fold(fold(self.memory, ctx.now().as_nanos()), *payload);
        self.received += 1;
    }
}

type Chat = User<0>;
type Weather = User<1>;

/// Two samplers side by side: a third of the seats picks one by name, a third has them in another
/// order.
fn stack(seat: Seat) -> Peer {
    let views = match seat.0 % 3 {
        2 => Peer::new().with(View::<1>).with(View::<0>),
        _ => Peer::new().with(View::<0>).with(View::<1>),
    };
    let sampler = (seat.0 % 3 == 1).then_some("even_view");
    let flood = Flood { sampler, ..Flood::default() };
    views.with(flood).with(Chat::default()).with(Weather::default())
}

/// The digest, and what all users came to.
fn run(engine: Engine, threads: u32, wire: bool) -> (Digest, Vec<[u64; 4]>) {
    let delays = Uniform { min: MILLISECOND * 20, max: MILLISECOND * 90 };
    let setup = Setup {
        seed: 5,
        model: Box::new(delays),
        engine,
        threads,
        wire,
        ..Setup::new(SEATS, SECOND * 3, stack)
    };
    let act = |at: Duration, seat, act| Directive { at: Time::ZERO + at, seat: Seat(seat), act };
    let mut directives: Vec<_> =
        (0..SEATS).map(|seat| act(MILLISECOND, seat, Act::Start)).collect();
    directives.push(act(SECOND, 3, Act::Crash));
    directives.push(act(SECOND, 4, Act::Stop));
    directives.push(act(SECOND + MILLISECOND * 500, 3, Act::Start));
    directives.push(act(SECOND + MILLISECOND * 500, 4, Act::Start));
    directives.push(act(SECOND * 2, 5, Act::Pause(MILLISECOND * 400)));
    let mut simulation = Simulation::new(setup, directives).expect("these stacks can run");
    simulation.run_until(Time::MAX).expect("nobody is endless");
    let sums = |seat: u32| {
        let chat = simulation.peerlet::<Chat>(Seat(seat)).expect("it is on every stack");
        let weather = simulation.peerlet::<Weather>(Seat(seat)).expect("it is on every stack");
        let both = fold(chat.memory, weather.memory);
        let answered = chat.answered + weather.answered;
        [both, chat.received + weather.received, answered, chat.timed_out + weather.timed_out]
    };
    let sums = (0..SEATS).map(sums).collect();
    (simulation.finish().digest, sums)
}

#[test]
fn stacks_by_role_come_to_the_same_in_every_way() {
    let expected = run(Engine::Reference, 1, false);
    let totals = |index: usize| expected.1.iter().map(|sums| sums[index]).sum::<u64>();
    let [received, answered, timed_out] = [1, 2, 3].map(totals);
    println!("{received} received, {answered} answered, {timed_out} timed out");
    assert!(received > 500 && answered > 200 && timed_out > 100);
    for threads in 1..=4 {
        assert_eq!(run(Engine::Windowed, threads, false), expected, "{threads} threads");
    }
    assert_eq!(run(Engine::Reference, 1, true), expected, "with every message encoded");
    assert_eq!(run(Engine::Windowed, 2, true), expected, "with both");
}
