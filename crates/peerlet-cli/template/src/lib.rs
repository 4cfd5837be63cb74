//! Peers that agree on the highest level that any of them has had, by gossip.

use peerlet::prelude::*;

/// Tells its level to a random neighbor now and then, and takes over one that is higher.
#[derive(Clone, Default)]
pub struct TemplateName {
    config: TemplateNameConfig,
    level: u32,
}

/// The parameters that a scenario can set.
#[derive(Clone, Parameters)]
pub struct TemplateNameConfig {
    /// Time between two messages to a neighbor.
    #[parameter(default = SECOND, range = MILLISECOND..=HOUR)]
    pub period: Duration,
}

/// The messages between two peers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Message {
    /// I have this level.
    Tell(u32),
}

metrics! {
    METRICS for TemplateName {
        /// Level of each peer.
        LEVEL: gauge.quantum(1.0),
        /// Times that a peer took over a higher level.
        RISES: counter,
    }
}

impl Peerlet for TemplateName {
    const NAME: &'static str = "template_name";
    const METRICS: &'static [Metric] = METRICS;
    type Message = Message;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.help("spreads the highest level").uses::<Neighbors>().commands();
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.measure(LEVEL, f64::from(self.level));
        ctx.every(self.config.period, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let Some(near) = ctx.sibling::<Neighbors>() else { return };
        let Some(neighbor) = near.any(ctx.rng()) else { return };
        ctx.send(neighbor, Message::Tell(self.level));
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        let Message::Tell(level) = message;
        if level > self.level {
            self.raise(ctx, level);
            ctx.measure(RISES, 1.0);
        } else if level < self.level {
            ctx.send(from, Message::Tell(self.level));
        }
    }
}

#[commands]
impl TemplateName {
    /// Raises the level of this peer.
    #[command]
    fn raise(&mut self, ctx: &mut Context<Self>, level: u32) {
        self.level = self.level.max(level);
        ctx.measure(LEVEL, f64::from(self.level));
    }
}

impl TemplateName {
    /// The highest level that this peer has heard of.
    pub fn level(&self) -> u32 {
        self.level
    }
}

impl Configured for TemplateName {
    type Config = TemplateNameConfig;

    fn with_config(config: TemplateNameConfig) -> TemplateName {
        TemplateName { config, level: 0 }
    }
}

/// The names that scenarios can use, and the stack of each peer where a scenario has none.
pub fn experiment() -> Experiment {
    Experiment::new("template-name").peerlet::<TemplateName>().peer(|_seat| {
        let peer = Peer::new().with(Bootstrap::default()).with(Neighbors::default());
        peer.with(TemplateName::default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_higher_level_wins() {
        let siblings = Peer::new().with(Bootstrap::default()).with(Neighbors::default());
        let mut peer = TestPeer::beside(siblings, TemplateName::default());
        let other = peer.stranger(1);

        peer.deliver(other, Message::Tell(3));
        assert_eq!(peer.sent(), [], "it has nothing to add");

        peer.deliver(other, Message::Tell(2));
        assert_eq!(peer.sent(), [(other, Message::Tell(3))]);
        assert_eq!(peer.measured("level"), [0.0, 3.0]);
    }
}
