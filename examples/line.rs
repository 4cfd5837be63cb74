//! A network of one's own: peers along a railway line, and trains that disturb it.
//!
//! Seat i stands at kilometer 10 i. A message takes 5 µs a kilometer and half a millisecond for
//! each exchange, one every 100 km. While a train is near one of the two peers, each message is
//! lost with a probability of a tenth; a train needs ten seconds from one end to the other, and the
//! next one follows.
//!
//! ```sh
//! cargo run --release -p peerlet --example line -- sim --peers 100 --for 60s --network line
//! ```
//!
//! Layers and faults of a scenario work around it as around any model:
//!
//! ```sh
//! cargo run --release -p peerlet --example line -- sim --peers 100 --for 60s --network line \
//!     --set network.jitter=1ms
//! ```

use peerlet::network::{Departure, Model, ModelState, Packet, PacketDrop, Probability};
use peerlet::prelude::*;

/// The line: how many peers stand along it.
#[derive(Debug)]
struct Line {
    peers: u32,
}

/// How long a train needs from one end to the other.
const JOURNEY: Duration = Duration::from_secs(10);

impl Line {
    fn delay(from: Seat, to: Seat) -> Duration {
        let kilometers = 10 * u64::from(from.0.abs_diff(to.0));
        MICROSECOND * 5 * kilometers + MICROSECOND * 500 * (1 + kilometers / 100)
    }

    /// Whether the train is within 50 km of this peer: five stations.
    fn is_near_a_train(&self, seat: Seat, at: Time) -> bool {
        let on_its_way = at.as_nanos() % JOURNEY.as_nanos();
        let station = on_its_way * u64::from(self.peers) / JOURNEY.as_nanos();
        station.abs_diff(u64::from(seat.0)) <= 5
    }
}

impl Model for Line {
    /// Neighbors are the shortest way: simulated time may go on by so much at once.
    fn lookahead(&self) -> Duration {
        Line::delay(Seat(0), Seat(1))
    }

    /// It keeps nothing between messages.
    fn is_stateless(&self) -> bool {
        true
    }

    fn depart(&self, packet: &Packet, _state: &mut ModelState) -> Departure {
        let a_tenth = Probability::new(0.1).expect("a tenth is a probability");
        let is_near = [packet.from, packet.to].map(|seat| self.is_near_a_train(seat, packet.at));
        // A random stream of its own, so that nothing around it changes it.
        if is_near.contains(&true) && a_tenth.happens(packet.random.named("train").bits()) {
            return Departure::Drop(PacketDrop::Loss);
        }
        Departure::Arrive { after: Line::delay(packet.from, packet.to) }
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        Line::delay(from, to) * 2
    }
}

/// Asks a random peer for the time once a second.
#[derive(Clone, Default)]
struct Clerk;

#[derive(Serialize, Deserialize)]
enum Message {
    Ask,
    Told,
}

metrics! {
    METRICS for Clerk {
        /// Whether an answer came.
        ANSWERED: histogram,
    }
}

impl Peerlet for Clerk {
    const NAME: &'static str = "clerk";
    const METRICS: &'static [Metric] = METRICS;
    type Message = Message;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.help("asks a random peer once a second");
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(SECOND, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let count = u64::from(ctx.seats().count());
        let other = Seat(ctx.rng().below(count) as u32);
        let Some(address) = ctx.seats().address(other) else { return };
        ctx.spawn(move |clerk| async move {
            let answer = clerk.call(address, Message::Ask).within(SECOND).await;
            let answered = if answer.is_ok() { 1.0 } else { 0.0 };
            clerk.with(move |_me, ctx| ctx.measure(ANSWERED, answered)).await;
        });
    }

    fn message(&mut self, ctx: &mut Context<Self>, _from: Address, message: Message) {
        match message {
            Message::Ask => ctx.reply(Message::Told),
            // Answers go to the task that waits for them.
            Message::Told => {}
        }
    }
}

fn main() -> ExitCode {
    Experiment::new("line")
        .network("line", |_seed, peers| Box::new(Line { peers }))
        .peer(|_seat| Peer::new().with(Clerk))
        .main()
}
