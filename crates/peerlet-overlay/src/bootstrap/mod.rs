//! Finds the first other peers: one peer, the server, keeps a list of the peers that announced
//! themselves, and answers every announcement with a random sample of those that have joined.

mod config;
mod introducers;
mod members;

use peerlet_core::property::{PeerView, each_peer};
use peerlet_core::{
    Address, Context, Description, Duration, Peerlet, Property, SECOND, Seat, Time,
};
use serde::{Deserialize, Serialize};

pub use config::BootstrapConfig;
use introducers::Introduced;
pub use introducers::{Introducer, IntroducerError};
use members::{Members, Standing};

use crate::configured::Configured;

/// Other peers were found: gives siblings addresses to try. It comes with every answer of the
/// server, and at the server when peers announce themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bootstrapped {
    /// Peers that announced themselves lately, in random order; never empty, never this peer. As
    /// long as the server knows any, they are only peers that had time to join: the founder, and
    /// those that announced themselves again after they had learned of others.
    pub peers: Vec<Address>,
}

/// This peer is alone: it was the first to announce itself to the server, or all others have left.
///
/// It founds the overlay, and others are referred to it. Siblings hear this with every answer that
/// names nobody, so it may come more than once. The server itself never hears it: it joins the
/// first peer that announces itself. A server that lost its list considers the first peer that it
/// hears a founder, so a peer that already has links does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alone;

/// Finds the first other peers.
///
/// A peer announces itself to the server until it learns of others, waiting longer each time. It
/// announces itself once more after `retry`, when it had time to join, and then every `refresh`, so
/// that a server that lost its list recovers it. The server is a peer like any other, so it may
/// have neighbors itself.
///
/// ```
/// use peerlet_core::{TestPeer};
/// use peerlet_overlay::{Bootstrap, BootstrapMessage};
///
/// let mut server = TestPeer::new(Bootstrap::default()); // The test bench's only seat is 0.
/// let (ann, bob) = (server.stranger(1), server.stranger(2));
/// server.deliver(ann, BootstrapMessage::Hello);
/// server.deliver(bob, BootstrapMessage::Hello);
/// let answers = [vec![], vec![ann]].map(BootstrapMessage::Peers);
/// assert_eq!(server.sent(), [ann, bob].into_iter().zip(answers).collect::<Vec<_>>());
/// ```
///
/// # Joining an overlay
///
/// Peers that join at the same time must not join each other, or separate overlays arise: a peer
/// that was asked before it found anybody would mistake itself and its asker for the overlay.
/// Therefore exactly one peer, the first, hears [`Alone`] and founds the overlay. All others hear
/// [`Bootstrapped`], which names peers that have joined already wherever the server knows any. An
/// overlay follows one rule: a peer that has not joined accepts nobody. A peer that was not
/// accepted tries again by itself: after the first two answers, the next one comes after `refresh`.
///
/// ```
/// use peerlet_core::{Description, Address, Context, Nothing, Peer, Peerlet, SECOND};
/// use peerlet_core::runtime::{Act, Directive};
/// use peerlet_core::{Seat, Time};
/// use peerlet_overlay::{Alone, Bootstrap, Bootstrapped};
/// use peerlet_sim::{Setup, Simulation};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default)]
/// struct Club {
///     founded: bool,
///     /// The member that took this peer in.
///     sponsor: Option<Address>,
/// }
///
/// #[derive(Serialize, Deserialize)]
/// enum ClubMessage {
///     Join,
///     Welcome,
/// }
///
/// impl Peerlet for Club {
///     const NAME: &'static str = "club";
///     type Message = ClubMessage;
///     type Timer = Nothing;
///
///     fn describe(about: &mut Description<Self>) {
///         about.uses::<Bootstrap>().hears(Club::alone).hears(Club::bootstrapped);
///     }
///
///     fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: ClubMessage) {
///         match message {
///             ClubMessage::Join if self.is_member() => ctx.send(from, ClubMessage::Welcome),
///             // It hears of others again within `refresh`, 30 s, and asks then.
///             ClubMessage::Join => {}
///             ClubMessage::Welcome if self.is_member() => {}
///             ClubMessage::Welcome => self.sponsor = Some(from),
///         }
///     }
/// }
///
/// impl Club {
///     fn is_member(&self) -> bool {
///         self.founded || self.sponsor.is_some()
///     }
///
///     fn alone(&mut self, _: &mut Context<Self>, _: &Alone) {
///         self.founded |= !self.is_member();
///     }
///
///     fn bootstrapped(&mut self, ctx: &mut Context<Self>, found: &Bootstrapped) {
///         if !self.is_member() {
///             found.peers.iter().for_each(|peer| ctx.send(*peer, ClubMessage::Join));
///         }
///     }
/// }
///
/// let setup = Setup::new(50, SECOND * 10, |_seat| {
///     Peer::new().with(Bootstrap::default()).with(Club::default())
/// });
/// let starts = (0..50).map(|s| Directive { at: Time::ZERO, seat: Seat(s), act: Act::Start });
/// let mut simulation = Simulation::new(setup, starts)?;
/// simulation.run_until(Time::ZERO + SECOND * 10)?;
/// let count = |is: fn(&Club) -> bool| {
///     (0..50).filter(|s| is(&simulation.peerlet::<Club>(Seat(*s)).unwrap())).count()
/// };
/// assert_eq!(count(Club::is_member), 50);
/// assert_eq!(count(|club| club.founded), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Bootstrap {
    config: BootstrapConfig,
    /// The peers that announced themselves here; empty but at the server.
    members: Members,
    /// How long the next silence of the server is taken for chance.
    wait: Duration,
    /// Whether the server told of others since the last announcement, and ever in this life.
    answered: bool,
    told: bool,
    /// Whether this peer announced itself again after it was told of others.
    confirmed: bool,
    /// The way in without a scenario.
    introduced: Option<Introduced>,
}

/// The messages between peers and the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BootstrapMessage {
    /// I live, and know of nobody else; who else does?
    Hello,
    /// The server's answer: peers that announced themselves lately.
    Peers(Vec<Address>),
    /// I leave.
    Goodbye,
    /// I live, and have learned of others; who else does?
    Again,
    /// Where there are no seats: I live; who else does?
    Ask {
        /// A number that nobody else can guess, for the answer.
        token: u64,
        /// Whether I am in the overlay already.
        joined: bool,
    },
    /// The answer: peers that are in the overlay, the one that answers among them.
    Told {
        /// The number of the question.
        token: u64,
        /// The peers.
        peers: Vec<Address>,
    },
}

/// The times of announcements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootstrapTimer {
    /// The server had time to answer.
    Retry,
    /// The last answer is old.
    Refresh,
}

impl Peerlet for Bootstrap {
    const NAME: &'static str = "bootstrap";
    const VERSION: u16 = 2;
    type Message = BootstrapMessage;
    type Timer = BootstrapTimer;

    fn describe(about: &mut Description<Self>) {
        about.help("finds the first other peers through one that everybody knows").property(
            Property::eventually("it learns of others", each_peer(has_learned_of_others))
                .within(SECOND * 60),
        );
    }

    fn snapshot(&self) -> Option<String> {
        let told = if self.told { "has learned" } else { "has not learned" };
        let (wait, members) = (self.wait, self.members.len());
        Some(format!(
            "{told} of others; waits {wait} for an answer; {members} announced themselves"
        ))
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        self.wait = self.config.retry;
        (self.told, self.confirmed) = (false, false);
        match self.introduced {
            None => self.announce(ctx),
            Some(_) => self.find_introducers(ctx),
        }
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        if self.introduced.is_some() {
            return self.say_goodbye(ctx);
        }
        if let Some(server) = self.server(ctx).filter(|server| *server != ctx.address()) {
            ctx.send(server, BootstrapMessage::Goodbye);
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: BootstrapMessage) {
        if self.introduced.is_some() {
            return self.message_without_seats(ctx, from, message);
        }
        match message {
            BootstrapMessage::Hello => self.welcome(ctx, from, Standing::New),
            BootstrapMessage::Again => self.welcome(ctx, from, Standing::Settled),
            BootstrapMessage::Peers(_) if self.server(ctx) != Some(from) => {}
            BootstrapMessage::Peers(peers) if peers.is_empty() => ctx.emit(Alone),
            BootstrapMessage::Peers(mut peers) => {
                let me = ctx.address();
                peers.truncate(config::SAMPLE_MAX);
                peers.retain(|peer| *peer != me);
                if !peers.is_empty() {
                    (self.answered, self.told) = (true, true);
                    ctx.emit(Bootstrapped { peers });
                }
            }
            BootstrapMessage::Goodbye => self.members.remove(from),
            // They are for those that have no seats.
            BootstrapMessage::Ask { .. } | BootstrapMessage::Told { .. } => {}
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, timer: BootstrapTimer) {
        if self.introduced.is_some() {
            return self.ask_again(ctx);
        }
        match timer {
            BootstrapTimer::Retry if self.answered && !self.confirmed => {
                self.confirmed = true;
                self.wait = self.config.retry;
                self.announce(ctx);
            }
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

fn has_learned_of_others(me: &Bootstrap, _: &PeerView<'_>) -> Result<(), &'static str> {
    match me.told || me.members.len() > 0 {
        true => Ok(()),
        false => Err("it knows nobody"),
    }
}

impl Bootstrap {
    /// Joins through these peers, or founds an overlay where there are none: for programs that have
    /// no scenario, and so no seats.
    ///
    /// They are asked in their order, eight at a time, until one answers; any peer of the overlay
    /// will do. The list may have this peer itself. A peer that is the first of its own
    /// list founds the overlay when nobody else answers twice; so the same list can be given to all
    /// of the peers that start together. All others ask until somebody answers.
    ///
    /// A peer that is introduced with its identity is [trusted](Context::trust) to be that one.
    ///
    /// ```
    /// use peerlet_core::{SECOND, TestPeer};
    /// use peerlet_overlay::{Bootstrap, BootstrapMessage, Introducer};
    ///
    /// let known: Introducer = "192.0.2.1:7000".parse()?;
    /// let mut peer = TestPeer::new(Bootstrap::through([known]));
    /// let asked = |sent: Vec<(_, BootstrapMessage)>| {
    ///     sent.len() == 1 && sent[0].0 == known.address
    /// };
    /// assert!(asked(peer.sent()));
    /// peer.advance(SECOND);
    /// assert!(asked(peer.sent()), "it was silent");
    /// # Ok::<(), peerlet_overlay::IntroducerError>(())
    /// ```
    pub fn through<I: Into<Introducer>>(introducers: impl IntoIterator<Item = I>) -> Bootstrap {
        let list = introducers.into_iter().map(Into::into).collect();
        Bootstrap { introduced: Some(Introduced::new(list)), ..Bootstrap::default() }
    }

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
            let news = if self.told { BootstrapMessage::Again } else { BootstrapMessage::Hello };
            ctx.send(server, news);
        }
        // Between three and five quarters, so that peers that began together do not stay together.
        let quarter = (self.wait / 4).as_nanos();
        let jitter = Duration::from_nanos(ctx.rng().below(2 * quarter));
        ctx.after(Duration::from_nanos(3 * quarter) + jitter, BootstrapTimer::Retry);
    }

    /// At the server: a peer announced itself.
    fn welcome(&mut self, ctx: &mut Context<Self>, peer: Address, said: Standing) {
        if self.server(ctx) != Some(ctx.address()) {
            return;
        }
        let now = ctx.now();
        // A founder says hello until it is told of others.
        let is_founder = self.members.standing(peer) == Some(Standing::Founder);
        let standing = if is_founder { Standing::Founder } else { said };
        self.members.hear(peer, standing, now, self.config.known_max as usize, ctx.rng());
        let peers = self.others(ctx, now, peer);
        let standing = if peers.is_empty() { Standing::Founder } else { said };
        self.members.set_standing(peer, standing);
        ctx.send(peer, BootstrapMessage::Peers(peers));
        // In a small world this is the server's own way in; in a larger one it is found by others.
        if self.members.len() <= self.config.sample as usize {
            self.tell_siblings(ctx);
        }
    }

    fn tell_siblings(&mut self, ctx: &mut Context<Self>) {
        let (now, me) = (ctx.now(), ctx.address());
        let peers = self.others(ctx, now, me);
        if !peers.is_empty() {
            ctx.emit(Bootstrapped { peers });
        }
    }

    /// Whom to name to a peer: some that had time to join, and those that are new only where there
    /// are no others. A founder is not sent to peers that are sent to it.
    fn others(&mut self, ctx: &mut Context<Self>, now: Time, peer: Address) -> Vec<Address> {
        let BootstrapConfig { sample, forget, .. } = self.config;
        let is_fresh = |heard| now.since(heard) <= forget;
        let settled = self.members.sample(false, sample as usize, peer, is_fresh, ctx.rng());
        if !settled.is_empty() || self.members.standing(peer) == Some(Standing::Founder) {
            return settled;
        }
        self.members.sample(true, sample as usize, peer, is_fresh, ctx.rng())
    }
}

impl Configured for Bootstrap {
    type Config = BootstrapConfig;

    fn with_config(config: BootstrapConfig) -> Bootstrap {
        Bootstrap { config, ..Bootstrap::default() }
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
        assert_eq!(bytes(BootstrapMessage::Again), [3]);
        assert_eq!(bytes(BootstrapMessage::Ask { token: 7, joined: true }), [4, 7, 1]);
        let told = BootstrapMessage::Told { token: 7, peers: vec![peer] };
        assert_eq!(bytes(told), [&[5, 7, 1][..], &peer.to_bytes()].concat());
    }

    #[test]
    fn the_largest_answer_is_a_datagram() {
        let peers = vec![Address::simulated(Seat(7)); config::SAMPLE_MAX];
        let len = wire::encoded_len(&BootstrapMessage::Peers(peers)).unwrap();
        assert!(len <= wire::DATAGRAM_MAX && len + Address::ENCODED_LEN > wire::DATAGRAM_MAX);
        let peers = vec![Address::simulated(Seat(7)); config::SAMPLE_MAX - 1];
        let len = wire::encoded_len(&BootstrapMessage::Told { token: u64::MAX, peers }).unwrap();
        assert!(len <= wire::DATAGRAM_MAX);
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

    /// Tells the server something, and returns whom it names.
    fn named(
        server: &mut TestPeer<Bootstrap>,
        from: Address,
        said: BootstrapMessage,
    ) -> Vec<Address> {
        server.deliver(from, said);
        let mut sent = server.sent();
        assert_eq!((sent.len(), sent[0].0), (1, from));
        let BootstrapMessage::Peers(mut peers) = sent.remove(0).1 else { panic!("no answer") };
        peers.sort_unstable();
        peers
    }

    #[test]
    fn peers_that_had_time_to_join_are_named_and_new_ones_only_for_want_of_them() {
        use BootstrapMessage::{Again, Hello};
        let mut server = bench(0);
        let [a, b, c, d] = [1, 2, 3, 4].map(|n| server.stranger(n));
        assert_eq!(named(&mut server, a, Hello), [], "it is the first, and founds the overlay");
        assert_eq!(named(&mut server, b, Hello), [a]);
        assert_eq!(named(&mut server, c, Hello), [a], "b may have found nobody yet");
        assert_eq!(named(&mut server, a, Hello), [], "it may not have heard that it is alone");
        assert_eq!(named(&mut server, b, Again), [a]);
        assert_eq!(named(&mut server, a, Hello), [b]);
        assert_eq!(named(&mut server, a, Again), [b]);
        assert_eq!(named(&mut server, d, Hello), [a, b]);
        assert_eq!(named(&mut server, b, Hello), [a], "it lives anew");
        assert_eq!(named(&mut server, d, Hello), [a]);
        server.deliver(a, BootstrapMessage::Goodbye);
        assert_eq!(named(&mut server, d, Hello), [b, c], "nobody else is known");
    }

    #[test]
    fn all_but_one_are_gone() {
        use BootstrapMessage::{Again, Goodbye, Hello};
        let mut server = bench(0);
        let [a, b, c] = [1, 2, 3].map(|n| server.stranger(n));
        named(&mut server, a, Hello);
        named(&mut server, b, Hello);
        server.deliver(a, Goodbye);
        assert_eq!(named(&mut server, b, Again), [], "it is alone now");
        assert_eq!(named(&mut server, c, Hello), [b]);
    }

    fn through(addresses: &[Address]) -> TestPeer<Bootstrap> {
        TestPeer::new(Bootstrap::through(addresses.iter().copied()))
    }

    /// The token of the only question that was sent.
    fn token(peer: &mut TestPeer<Bootstrap>) -> u64 {
        match peer.sent().as_slice() {
            [(_, BootstrapMessage::Ask { token, joined: false })] => *token,
            sent => panic!("{sent:?}"),
        }
    }

    #[test]
    fn only_the_answer_to_its_own_question_is_believed() {
        let other = Address::simulated(Seat(9));
        let mut peer = through(&[other]);
        let token = token(&mut peer);
        let told = |token| BootstrapMessage::Told { token, peers: vec![other; 60] };
        peer.deliver(other, told(token ^ 1));
        let stranger = peer.stranger(3);
        peer.deliver(stranger, told(token));
        peer.deliver(other, BootstrapMessage::Peers(vec![other]));
        assert!(!peer.peerlet().told, "nobody who says so was asked");
        peer.deliver(other, told(token));
        assert!(peer.peerlet().told);
    }

    #[test]
    fn who_has_not_joined_answers_when_it_has() {
        let other = Address::simulated(Seat(9));
        let mut peer = through(&[other]);
        let own = token(&mut peer);
        let early = peer.stranger(4);
        for token in [5, 6] {
            peer.deliver(early, BootstrapMessage::Ask { token, joined: false });
        }
        assert_eq!(peer.sent(), []);
        peer.deliver(other, BootstrapMessage::Told { token: own, peers: vec![other] });
        let me = peer.address();
        let told = |token| (early, BootstrapMessage::Told { token, peers: vec![me] });
        assert_eq!(peer.sent(), [told(6)], "its last question");
        peer.deliver(early, BootstrapMessage::Ask { token: 7, joined: false });
        assert_eq!(peer.sent(), [told(7)]);
    }
}
