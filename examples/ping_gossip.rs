//! The workload that simulators are compared on: every peer pings a random other one each second.
//!
//! Each peer has a periodic timer of 1 s with a random phase. At each tick it sends a counter to
//! one uniformly random other peer, which adds it up and sends it back. An event is a timer or a
//! delivery: about 180 a peer in 60 virtual seconds.
//!
//! ```sh
//! cargo run --release -p peerlet --example ping_gossip -- sim --peers 100000 --for 60s \
//!     --network uniform --set network.min=50ms --set network.max=150ms --set join=0s
//! ```

use peerlet::prelude::*;

#[derive(Clone, Default)]
struct PingGossip {
    sent: u64,
    received: u64,
    acked: u64,
}

#[derive(Serialize, Deserialize)]
enum Message {
    Ping(u64),
    Ack(u64),
}

/// The next tick.
struct Tick;

metrics! {
    METRICS for PingGossip {
        /// Pings that came back.
        ACKS: counter,
        /// The counter of each ping.
        COUNT: histogram.quantum(1.0),
    }
}

impl Peerlet for PingGossip {
    const NAME: &'static str = "ping_gossip";
    const METRICS: &'static [Metric] = METRICS;
    type Message = Message;
    type Timer = Tick;

    fn describe(about: &mut Description<Self>) {
        about.help("pings a random peer every second");
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let phase = Duration::from_nanos(ctx.rng().below(SECOND.as_nanos()));
        ctx.after(phase, Tick);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, Tick: Tick) {
        ctx.after(SECOND, Tick);
        let others = u64::from(ctx.seats().count()) - 1;
        let other = ctx.rng().below(others) as u32;
        let other = Seat(other + u32::from(other >= ctx.seat().0));
        if let Some(address) = ctx.seats().address(other) {
            self.sent += 1;
            ctx.send(address, Message::Ping(self.sent));
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        match message {
            Message::Ping(count) => {
                self.received += count;
                ctx.measure(COUNT, count as f64);
                ctx.send(from, Message::Ack(count));
            }
            Message::Ack(_) => {
                self.acked += 1;
                ctx.measure(ACKS, 1.0);
            }
        }
    }
}

/// A peerlet that does nothing: real stacks have more than one.
#[derive(Clone, Default)]
struct Idle<const N: usize>;

impl Peerlet for Idle<1> {
    const NAME: &'static str = "idle_one";
    type Message = Nothing;
    type Timer = Nothing;
}

impl Peerlet for Idle<2> {
    const NAME: &'static str = "idle_two";
    type Message = Nothing;
    type Timer = Nothing;
}

fn main() -> ExitCode {
    Experiment::new("ping_gossip")
        .peer(|_seat| Peer::new().with(PingGossip::default()).with(Idle::<1>).with(Idle::<2>))
        .main()
}
