//! A random walk as a task: code that waits for answers, and reads like its description.
//!
//! Every few seconds each peer walks from neighbor to neighbor, ten steps far, by asking each one
//! for a neighbor of its own; a step that is not answered is tried again from where it stood.
//!
//! ```sh
//! cargo run --release -p peerlet --example walk -- sim --peers 1000 --network king-like --for 60s
//! ```

use peerlet::prelude::*;

#[derive(Clone, Default)]
struct Walk;

#[derive(Serialize, Deserialize)]
enum Message {
    /// Where would you go from here?
    Next,
    /// There; or nowhere.
    Step(Option<Address>),
}

const STEPS: u32 = 10;

metrics! {
    METRICS for Walk {
        /// Walks that made all their steps.
        ARRIVED: counter,
        /// How long a walk took.
        TIME: histogram.unit("s"),
    }
}

impl Peerlet for Walk {
    const NAME: &'static str = "walk";
    const METRICS: &'static [Metric] = METRICS;
    type Message = Message;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.help("walks at random").uses::<Neighbors>();
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(SECOND * 5, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let Some(first) = neighbor(ctx) else { return };
        let begun = ctx.now();
        ctx.spawn(move |walk| async move {
            let mut here = first;
            for _ in 1..STEPS {
                let answer = walk.call(here, Message::Next).within(SECOND).tries(3).await;
                let Ok(Message::Step(Some(next))) = answer else { return };
                here = next;
            }
            walk.with(move |_, ctx| {
                let took = ctx.now() - begun;
                ctx.measure(ARRIVED, 1.0);
                ctx.measure(TIME, took.as_secs_f64());
            })
            .await;
        });
    }

    fn message(&mut self, ctx: &mut Context<Self>, _from: Address, message: Message) {
        if let Message::Next = message {
            let next = neighbor(ctx);
            ctx.reply(Message::Step(next));
        }
    }
}

fn neighbor(ctx: &mut Context<Walk>) -> Option<Address> {
    ctx.sibling::<Neighbors>()?.any(ctx.rng())
}

fn main() -> ExitCode {
    Experiment::new("walk")
        .peer(|_seat| Peer::new().with(Bootstrap::default()).with(Neighbors::default()).with(Walk))
        .main()
}
