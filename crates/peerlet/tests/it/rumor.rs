//! A rumor spreads: who knows it tells, who does not know it asks.

use peerlet::prelude::*;

/// Tells neighbors a rumor, or asks them for one.
#[derive(Clone, Default)]
struct Rumor {
    config: RumorConfig,
    news: Option<News>,
    /// How many more times the rumor is told.
    left: u32,
}

/// A rumor as it is passed on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct News {
    text: String,
    /// How many times it was passed on.
    hops: u32,
}

#[derive(PartialEq, Debug, Serialize, Deserialize)]
enum Message {
    /// I know something.
    Tell(News),
    /// Do you know anything?
    Ask,
}

/// The next period begins.
#[derive(Clone)]
struct Tick;

metrics! {
    METRICS for Rumor {
        /// Peers that heard the rumor.
        HEARD: counter,
        /// How far it came.
        HOPS: histogram.quantum(1.0),
        /// 1 for a peer that knows it.
        KNOWS: gauge.quantum(1.0),
    }
}

impl Peerlet for Rumor {
    const NAME: &'static str = "rumor";
    const METRICS: &'static [Metric] = METRICS;
    type Message = Message;
    type Timer = Tick;

    fn describe(about: &mut Description<Self>) {
        about.help("spreads a rumor").uses::<Neighbors>().commands();
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.measure(KNOWS, f64::from(u8::from(self.news.is_some())));
        ctx.every(self.config.period, Tick);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, Tick: Tick) {
        let Some(near) = ctx.sibling::<Neighbors>() else { return };
        let Some(neighbor) = near.any(ctx.rng()) else { return };
        match &self.news {
            None => ctx.send(neighbor, Message::Ask),
            Some(news) if self.left > 0 => {
                self.left -= 1;
                ctx.send(neighbor, Message::Tell(news.clone()));
            }
            Some(_) => {}
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        match message {
            Message::Tell(news) => self.hear(ctx, News { hops: news.hops + 1, ..news }),
            Message::Ask => {
                if let Some(news) = &self.news {
                    ctx.send(from, Message::Tell(news.clone()));
                }
            }
        }
    }
}

#[commands]
impl Rumor {
    /// Makes up a rumor.
    #[command]
    fn tell(&mut self, ctx: &mut Context<Self>, text: String) {
        self.hear(ctx, News { text, hops: 0 });
    }

    /// Takes the rumor in, unless it is old.
    fn hear(&mut self, ctx: &mut Context<Self>, news: News) {
        if self.news.is_none() {
            ctx.measure(HEARD, 1.0);
            ctx.measure(HOPS, f64::from(news.hops));
            ctx.measure(KNOWS, 1.0);
            self.left = self.config.pushes;
            self.news = Some(news);
        }
    }
}

/// The parameters that a scenario can set.
#[derive(Clone, Parameters)]
struct RumorConfig {
    /// Time between two messages to a neighbor.
    #[parameter(default = SECOND, range = MILLISECOND..=HOUR)]
    period: Duration,
    /// Times that a peer tells the rumor.
    #[parameter(default = 4, range = 0..=100)]
    pushes: u32,
}

impl Configured for Rumor {
    type Config = RumorConfig;

    fn with_config(config: RumorConfig) -> Rumor {
        Rumor { config, ..Rumor::default() }
    }
}

fn experiment() -> Experiment {
    Experiment::new("rumor").peerlet::<Rumor>().peer(|_seat| {
        Peer::new().with(Bootstrap::default()).with(Neighbors::default()).with(Rumor::default())
    })
}

#[expect(dead_code, reason = "the tests run it otherwise")]
fn main() -> ExitCode {
    experiment().main()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_heard_it_answers_who_asks() {
        let siblings = Peer::new().with(Bootstrap::default()).with(Neighbors::default());
        let mut peer = TestPeer::beside(siblings, Rumor::default());
        let (one, other) = (peer.stranger(1), peer.stranger(2));

        peer.deliver(other, Message::Ask);
        assert_eq!(peer.sent(), [], "it knows nothing yet");

        peer.deliver(one, Message::Tell(News { text: "fire".to_owned(), hops: 0 }));
        peer.deliver(other, Message::Ask);
        let told = News { text: "fire".to_owned(), hops: 1 };
        assert_eq!(peer.sent(), [(other, Message::Tell(told))]);
        assert_eq!(peer.measured("hops"), [1.0]);
    }

    #[test]
    fn a_rumor_reaches_a_hundred_peers() -> Result<(), RunError> {
        let mut run = experiment().sim("peers = 100\nfor = \"60s\"").start()?;
        run.run_for(SECOND * 10)?;
        run.event("5 Rumor.tell(\"the bridge is closed\")")?;
        let knows = |run: &SimRun| run.peerlets::<Rumor>().all(|(_, rumor)| rumor.news.is_some());
        assert!(run.run_until_holds(SECOND, knows)?, "somebody did not hear it");

        // A peer that starts anew has forgotten it, and asks.
        run.crash(Seat(7))?;
        run.start(Seat(7))?;
        assert!(!knows(&run) && run.run_until_holds(SECOND, knows)?);
        Ok(())
    }
}
