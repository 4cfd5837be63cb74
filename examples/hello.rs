//! Greets a random neighbor every second and counts the answers.
//!
//! ```sh
//! cargo run --release -p peerlet --example hello -- \
//!     sim --peers 10000 --network king-like --for 60s
//! ```

use peerlet::prelude::*;

/// Greets a random neighbor every second and counts the answers.
#[derive(Clone, Default)]
struct Hello {
    answers: u64,
}

#[derive(Serialize, Deserialize)]
enum Message {
    Hello,
    Welcome,
}

enum Timer {
    Greet,
}

metrics! {
    METRICS for Hello {
        /// Welcomes that came back.
        ANSWERS: counter,
    }
}

impl Peerlet for Hello {
    const NAME: &'static str = "hello";
    const METRICS: &'static [Metric] = METRICS;
    type Message = Message;
    type Timer = Timer;

    fn describe(about: &mut Description<Self>) {
        about.help("greets a neighbor every second").uses::<Neighbors>();
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.after(SECOND, Timer::Greet);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, Timer::Greet: Timer) {
        ctx.after(SECOND, Timer::Greet);
        let Some(near) = ctx.sibling::<Neighbors>() else { return };
        let Some(neighbor) = near.any(ctx.rng()) else { return };
        ctx.send(neighbor, Message::Hello);
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        match message {
            Message::Hello => ctx.send(from, Message::Welcome),
            Message::Welcome => {
                self.answers += 1;
                ctx.measure(ANSWERS, 1.0);
            }
        }
    }
}

fn main() -> ExitCode {
    Experiment::new("hello")
        .peer(|_seat| {
            Peer::new().with(Bootstrap::default()).with(Neighbors::default()).with(Hello::default())
        })
        .main()
}
