//! Finds the first other peers: one peer, the server, keeps a list of who announced itself, and
//! answers every announcement with a random sample of it.

mod config;
mod members;

use peerlet_core::{About, Address, Context, Duration, Peerlet, Seat, Time};
use serde::{Deserialize, Serialize};

pub use config::BootstrapConfig;
use members::Members;

use crate::configured::{ConfigError, Configured};

/// Other peers were found: tells siblings what to try. It comes with every answer of the server,
/// and at the server when peers announce themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bootstrapped {
    /// Peers that announced themselves lately, in random order; never empty, never this peer.
    pub peers: Vec<Address>,
}

/// Finds the first other peers.
///
/// A peer announces itself to the server until it is told of others, waiting longer each time, and
/// every now and then afterwards, so that a server that lost its list learns it again. The server
/// is a peer like any other, so it may have neighbors itself.
///
/// ```
/// use peerlet_core::TestPeer;
/// use peerlet_overlay::{Bootstrap, BootstrapMessage};
///
/// let mut server = TestPeer::new(Bootstrap::default()); // The test bench's only seat is 0.
/// let (ann, bob) = (server.stranger(1), server.stranger(2));
/// server.deliver(ann, BootstrapMessage::Hello);
/// server.deliver(bob, BootstrapMessage::Hello);
/// let answers = [vec![], vec![ann]].map(BootstrapMessage::Peers);
/// assert_eq!(server.sent(), [ann, bob].into_iter().zip(answers).collect::<Vec<_>>());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Bootstrap {
    config: BootstrapConfig,
    /// Who announced itself here; empty but at the server.
    members: Members,
    /// How long the next silence of the server is taken for chance.
    wait: Duration,
    /// Whether the server told of others since the last announcement.
    answered: bool,
}

/// What peers and the server say to each other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BootstrapMessage {
    /// I live; who else does?
    Hello,
    /// The server's answer: peers that announced themselves lately.
    Peers(Vec<Address>),
    /// I leave.
    Goodbye,
}

/// When to announce oneself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootstrapTimer {
    /// The server had time to answer.
    Retry,
    /// The last answer is old.
    Refresh,
}

impl Peerlet for Bootstrap {
    const NAME: &'static str = "bootstrap";
    type Message = BootstrapMessage;
    type Timer = BootstrapTimer;

    fn describe(about: &mut About<Self>) {
        about.help("finds the first other peers through one that everybody knows");
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        self.wait = self.config.retry;
        self.announce(ctx);
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        if let Some(server) = self.server(ctx).filter(|server| *server != ctx.address()) {
            ctx.send(server, BootstrapMessage::Goodbye);
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: BootstrapMessage) {
        match message {
            BootstrapMessage::Hello => self.welcome(ctx, from),
            BootstrapMessage::Peers(mut peers) => {
                let me = ctx.address();
                peers.truncate(config::SAMPLE_MAX);
                peers.retain(|peer| *peer != me);
                if self.server(ctx) == Some(from) && !peers.is_empty() {
                    self.answered = true;
                    ctx.emit(Bootstrapped { peers });
                }
            }
            BootstrapMessage::Goodbye => self.members.remove(from),
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, timer: BootstrapTimer) {
        match timer {
            BootstrapTimer::Retry if self.answered => {
                let rest = self.config.refresh.saturating_sub(self.wait);
                self.wait = self.config.retry;
                ctx.after(rest, BootstrapTimer::Refresh);
            }
            BootstrapTimer::Retry => {
                self.wait = (self.wait * 2).min(self.config.retry_max);
                self.announce(ctx);
            }
            BootstrapTimer::Refresh => self.announce(ctx),
        }
    }
}

impl Bootstrap {
    /// Where the server is; `None` while nobody knows.
    fn server(&self, ctx: &Context<Self>) -> Option<Address> {
        ctx.seats().address(Seat(self.config.server))
    }

    /// Tells the server that this peer lives. At the server itself, tells siblings who does.
    fn announce(&mut self, ctx: &mut Context<Self>) {
        let me = ctx.address();
        if self.server(ctx) == Some(me) {
            self.tell_siblings(ctx);
            ctx.after(self.config.refresh, BootstrapTimer::Refresh);
            return;
        }
        self.answered = false;
        if let Some(server) = self.server(ctx) {
            ctx.send(server, BootstrapMessage::Hello);
        }
        // Between three and five quarters, so that peers that began together do not stay together.
        let quarter = (self.wait / 4).as_nanos();
        let jitter = Duration::from_nanos(ctx.rng().below(2 * quarter));
        ctx.after(Duration::from_nanos(3 * quarter) + jitter, BootstrapTimer::Retry);
    }

    /// At the server: a peer announced itself.
    fn welcome(&mut self, ctx: &mut Context<Self>, peer: Address) {
        if self.server(ctx) != Some(ctx.address()) {
            return;
        }
        let now = ctx.now();
        self.members.hear(peer, now, self.config.known_max as usize, ctx.rng());
        let peers = self.sample(ctx, now, peer);
        ctx.send(peer, BootstrapMessage::Peers(peers));
        // In a small world this is the server's own way in; in a larger one it is found by others.
        if self.members.len() <= self.config.sample as usize {
            self.tell_siblings(ctx);
        }
    }

    fn tell_siblings(&mut self, ctx: &mut Context<Self>) {
        let (now, me) = (ctx.now(), ctx.address());
        let peers = self.sample(ctx, now, me);
        if !peers.is_empty() {
            ctx.emit(Bootstrapped { peers });
        }
    }

    fn sample(&mut self, ctx: &mut Context<Self>, now: Time, except: Address) -> Vec<Address> {
        let BootstrapConfig { sample, forget, .. } = self.config;
        self.members.sample(sample as usize, except, |heard| now.since(heard) <= forget, ctx.rng())
    }
}

impl Configured for Bootstrap {
    type Config = BootstrapConfig;
    const PARAMETERS: &'static [(&'static str, &'static str)] = config::PARAMETERS;

    fn configured(config: BootstrapConfig) -> Result<Bootstrap, ConfigError> {
        config.check()?;
        Ok(Bootstrap { config, ..Bootstrap::default() })
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{SECOND, TestPeer, wire};

    use super::*;

    /// A client: the bench's only seat is 0, so the server's address is not known, or it is when
    /// this peer is the server.
    fn bench(server: u32) -> TestPeer<Bootstrap> {
        let config = BootstrapConfig { server, ..BootstrapConfig::default() };
        TestPeer::new(Bootstrap::configured(config).unwrap())
    }

    #[test]
    fn golden_bytes() {
        let bytes = |message: BootstrapMessage| {
            let mut bytes = Vec::new();
            wire::encode(&message, &mut bytes).unwrap();
            bytes
        };
        let peer = Address::simulated(Seat(7));
        assert_eq!(bytes(BootstrapMessage::Hello), [0]);
        assert_eq!(
            bytes(BootstrapMessage::Peers(vec![peer])),
            [&[1, 1][..], &peer.to_bytes()].concat()
        );
        assert_eq!(bytes(BootstrapMessage::Goodbye), [2]);
    }

    #[test]
    fn the_largest_answer_is_a_datagram() {
        let peers = vec![Address::simulated(Seat(7)); config::SAMPLE_MAX];
        let len = wire::encoded_len(&BootstrapMessage::Peers(peers)).unwrap();
        assert!(len <= wire::DATAGRAM_MAX && len + Address::ENCODED_LEN > wire::DATAGRAM_MAX);
    }

    #[test]
    fn a_server_that_nobody_knows_yet_is_waited_for() {
        let mut peer = bench(5);
        peer.advance(SECOND * 100);
        assert_eq!(peer.sent(), []);
        assert_eq!(peer.peerlet().wait, peer.peerlet().config.retry_max);
    }

    #[test]
    fn who_is_no_server_answers_nobody() {
        let mut peer = bench(5);
        let other = peer.stranger(1);
        peer.deliver(other, BootstrapMessage::Hello);
        peer.deliver(other, BootstrapMessage::Peers(vec![other; 1_000]));
        assert_eq!(peer.sent(), []);
        assert_eq!(peer.peerlet().members.len(), 0);
        assert!(!peer.peerlet().answered, "an answer comes from the server");
    }

    #[test]
    fn a_server_forgets_the_silent_and_those_who_left() {
        let mut server = bench(0);
        let [a, b, c] = [1, 2, 3].map(|n| server.stranger(n));
        server.deliver(a, BootstrapMessage::Hello);
        server.advance(SECOND * 91);
        server.deliver(b, BootstrapMessage::Hello);
        server.deliver(c, BootstrapMessage::Hello);
        server.deliver(c, BootstrapMessage::Goodbye);
        server.sent();
        server.deliver(b, BootstrapMessage::Hello);
        assert_eq!(server.sent(), [(b, BootstrapMessage::Peers(vec![]))]);
    }
}
