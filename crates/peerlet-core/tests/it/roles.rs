//! Siblings by role: users that do not know which peerlet they use.

use peerlet_core::runtime::{Registry, StackError};
use peerlet_core::{
    Address, Context, Description, Nothing, Peer, Peerlet, Picks, Port, Rng, Role, RoleContext,
    TestPeer,
};
use serde::{Deserialize, Serialize};

trait Sampler {
    fn sample(&self, rng: &mut Rng, count: usize, into: &mut Vec<Address>);
    fn suspect(&mut self, ctx: &mut RoleContext, peer: Address);
}

impl Role for dyn Sampler {
    const NAME: &'static str = "sampler";
}

/// One of several peerlet types that play the same role.
struct View<const N: u32> {
    peers: Vec<Address>,
    is_confused: bool,
}

impl<const N: u32> View<N> {
    fn new() -> View<N> {
        let peers = (0..3).map(|n| Address::simulated(peerlet_core::Seat(10 * N + n)));
        View { peers: peers.collect(), is_confused: false }
    }
}

impl<const N: u32> Peerlet for View<N> {
    const NAME: &'static str = ["cyclon", "newscast"][N as usize - 1];
    type Message = u32;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.plays::<dyn Sampler>(|me| me);
    }
}

impl<const N: u32> Sampler for View<N> {
    fn sample(&self, rng: &mut Rng, count: usize, into: &mut Vec<Address>) {
        into.extend(&self.peers);
        rng.shuffle(into);
        into.truncate(count);
    }

    fn suspect(&mut self, ctx: &mut RoleContext, peer: Address) {
        if self.is_confused {
            ctx.typed::<Gossip>();
        }
        let caller = ctx.caller();
        let ctx = &mut ctx.typed::<Self>();
        assert!(ctx.sibling::<Gossip>().is_none(), "the caller is on the call stack");
        self.peers.retain(|known| *known != peer);
        ctx.send(peer, u32::from(caller.0));
    }
}

/// Sends what it gets to a sample, and suspects the first of it.
#[derive(Default)]
struct Gossip {
    sampler: Option<&'static str>,
    is_busy_seen: Option<bool>,
}

impl Peerlet for Gossip {
    const NAME: &'static str = "gossip";
    type Message = u32;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.wants::<dyn Sampler>();
    }

    fn picks(&self, picks: &mut Picks) {
        picks.role::<dyn Sampler>("sampler", self.sampler);
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, number: u32) {
        let Some(mut near) = ctx.role::<dyn Sampler>(self.sampler) else { return };
        self.is_busy_seen = Some(ctx.role::<dyn Sampler>(self.sampler).is_none());
        let mut to = Vec::new();
        near.sample(ctx.rng(), 2, &mut to);
        let port = near.port();
        near.suspect(&mut ctx.acting(port), to[0]);
        to.into_iter().for_each(|peer| ctx.send(peer, number));
    }
}

type Cyclon = View<1>;
type Newscast = View<2>;

fn views() -> Peer {
    Peer::new().with(Cyclon::new()).with(Newscast::new())
}

/// The sampler that this gossip uses, by the peers that it sends to.
fn used(siblings: Peer, sampler: Option<&'static str>) -> u32 {
    let gossip = Gossip { sampler, ..Gossip::default() };
    let mut peer = TestPeer::beside(siblings, gossip);
    let other = peer.stranger(1);
    peer.deliver(other, 7);
    assert_eq!(peer.peerlet().is_busy_seen, Some(true), "a player is lent once");
    let sent = peer.sent();
    assert_eq!(sent.len(), 2);
    let of = |n: u32| (0..3).map(move |i| Address::simulated(peerlet_core::Seat(10 * n + i)));
    let uses = |n: u32| sent.iter().all(|(to, _)| of(n).any(|peer| peer == *to));
    [1, 2].into_iter().find(|n| uses(*n)).expect("all are of one sampler")
}

#[test]
fn the_nearest_below_or_the_named_one_is_used() {
    assert_eq!(used(views(), None), 2);
    let turned = Peer::new().with(Newscast::new()).with(Cyclon::new());
    assert_eq!(used(turned, None), 1);
    assert_eq!(used(views(), Some("cyclon")), 1);
    assert_eq!(used(views(), Some("newscast")), 2);
    assert_eq!(used(Peer::new().with(Cyclon::new()), None), 1);
}

#[test]
fn a_player_acts_as_itself_for_its_caller() {
    let mut peer = TestPeer::beside(views(), Gossip::default());
    let other = peer.stranger(1);
    peer.deliver(other, 7);
    let suspected = peer.sent()[0].0;
    // The third of the stack called.
    assert_eq!(peer.sent_by::<Newscast>(), [(suspected, 2)]);
    assert_eq!(peer.sent_by::<Cyclon>(), []);
    assert_eq!(peer.sibling::<Newscast>().peers.len(), 2);
    assert_eq!(peer.sibling::<Cyclon>().peers.len(), 3);
}

#[test]
#[should_panic(expected = "a role context of `newscast` is typed as `gossip`; pass `ctx.acting` \
                           the port of the sibling whose method is called, and type it as `Self` \
                           there")]
fn a_role_context_is_typed_by_its_player_only() {
    let confused = Newscast { is_confused: true, ..Newscast::new() };
    let mut peer = TestPeer::beside(Peer::new().with(confused), Gossip::default());
    let other = peer.stranger(1);
    peer.deliver(other, 7);
}

fn refused(peer: Peer) -> StackError {
    Registry::new().add(&peer).expect_err("this stack cannot run")
}

#[test]
fn a_stack_without_a_player_is_refused() {
    let gossip = || Gossip::default();
    let alone = refused(Peer::new().with(gossip()));
    assert_eq!(alone.peerlet(), "gossip");
    assert_eq!(
        alone.to_string(),
        "`gossip` wants a sibling in the role `sampler`, and none on the stack plays it; put one \
         below `gossip`"
    );
    assert_eq!(
        refused(Peer::new().with(gossip()).with(Cyclon::new())).to_string(),
        "`gossip` wants a sibling in the role `sampler` below it, and `cyclon`, which plays it, is \
         above; put `cyclon` below `gossip`, or pick it by its name"
    );
    // A named one may be anywhere.
    let named = Gossip { sampler: Some("cyclon"), ..Gossip::default() };
    Registry::new().add(&Peer::new().with(named).with(Cyclon::new())).unwrap();
}

#[test]
fn a_wrong_name_is_refused() {
    let picking = |siblings: Peer, sampler| {
        refused(siblings.with(Gossip { sampler: Some(sampler), ..Gossip::default() })).to_string()
    };
    assert_eq!(
        picking(views(), "cyclone"),
        "the parameter `sampler` of `gossip` names `cyclone`, which is not on the stack; did you \
         mean `cyclon`?"
    );
    assert_eq!(
        picking(views(), "scamp"),
        "the parameter `sampler` of `gossip` names `scamp`, which is not on the stack; name one of \
         `cyclon`, `newscast`"
    );
    assert_eq!(
        picking(views(), "gossip"),
        "the parameter `sampler` of `gossip` names `gossip`, which is that peerlet itself; name \
         one of `cyclon`, `newscast`"
    );
    assert_eq!(
        picking(views().with(Idle), "idle"),
        "the parameter `sampler` of `gossip` names `idle`, which does not play the role `sampler`; \
         name one of `cyclon`, `newscast`"
    );
    assert_eq!(
        picking(Peer::new().with(Idle), "cyclon"),
        "the parameter `sampler` of `gossip` names `cyclon`, which is not on the stack; put a \
         sibling on the stack that plays the role `sampler`"
    );
}

struct Idle;

impl Peerlet for Idle {
    const NAME: &'static str = "idle";
    type Message = Nothing;
    type Timer = Nothing;
}

#[test]
fn roles_are_listed() {
    let mut registry = Registry::new();
    registry.describe(&views().with(Gossip::default()));
    let lists = |index: usize| {
        let entry = &registry.entries()[index];
        (entry.plays().collect::<Vec<_>>(), entry.wants().collect::<Vec<_>>())
    };
    assert_eq!([lists(0), lists(2)], [(vec!["sampler"], vec![]), (vec![], vec!["sampler"])]);
}

trait Broadcast {
    fn publish(&mut self, ctx: &mut RoleContext, payload: u32);
}

impl Role for dyn Broadcast {
    const NAME: &'static str = "broadcast";
}

struct Received(u32);

/// Sends payloads on for any sibling, and hands them to the sibling of the same number.
struct Flood;

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Rumor {
    user: Port,
    payload: u32,
}

impl Peerlet for Flood {
    const NAME: &'static str = "flood";
    type Message = Rumor;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.wants::<dyn Sampler>().plays::<dyn Broadcast>(|me| me);
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, rumor: Rumor) {
        ctx.emit_to(rumor.user, Received(rumor.payload));
    }
}

impl Broadcast for Flood {
    fn publish(&mut self, ctx: &mut RoleContext, payload: u32) {
        let user = ctx.caller();
        let ctx = &mut ctx.typed::<Self>();
        let near = ctx.role::<dyn Sampler>(None).expect("the sampler calls nobody");
        let mut to = Vec::new();
        near.sample(ctx.rng(), 1, &mut to);
        to.into_iter().for_each(|peer| ctx.send(peer, Rumor { user, payload }));
        ctx.emit_to(user, Received(payload));
    }
}

/// One of two users of one broadcast.
#[derive(Default)]
struct User<const N: usize>(Vec<u32>);

type Chat = User<0>;
type Weather = User<1>;

impl<const N: usize> Peerlet for User<N> {
    const NAME: &'static str = ["chat", "weather"][N];
    type Message = u32;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.wants::<dyn Broadcast>().hears(|me: &mut Self, ctx, received: &Received| {
            let is_free = ctx.role::<dyn Broadcast>(None).is_some();
            assert!(is_free, "the player has returned");
            me.0.push(received.0);
        });
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, payload: u32) {
        let mut flood = ctx.role::<dyn Broadcast>(None).expect("it is below");
        let port = flood.port();
        flood.publish(&mut ctx.acting(port), payload);
        assert!(self.0.is_empty(), "events are handled after the handler");
    }
}

#[test]
fn users_of_one_broadcast_hear_their_own_payloads_only() {
    let siblings = Peer::new().with(Cyclon::new()).with(Flood).with(Chat::default());
    let mut peer = TestPeer::beside(siblings, Weather::default());
    let other = peer.stranger(1);
    peer.deliver(other, 5);
    peer.deliver_to::<Chat>(other, 6);
    assert_eq!((&*peer.peerlet().0, &*peer.sibling::<Chat>().0), (&[5][..], &[6][..]));
    let rumors = peer.sent_by::<Flood>();
    let sent: Vec<_> = rumors.iter().map(|(_, rumor)| (rumor.user.0, rumor.payload)).collect();
    assert_eq!(sent, [(3, 5), (2, 6)]);
    // The same numbers say whose they are at another peer.
    for (_, rumor) in rumors {
        peer.deliver_to::<Flood>(other, rumor);
    }
    assert_eq!((&*peer.peerlet().0, &*peer.sibling::<Chat>().0), (&[5, 5][..], &[6, 6][..]));
    // A number that nobody has is nobody's.
    for user in [0, 9, u16::MAX].map(Port) {
        peer.deliver_to::<Flood>(other, Rumor { user, payload: 1 });
    }
    assert_eq!(peer.peerlet().0.len() + peer.sibling::<Chat>().0.len(), 4);
}

/// Acts for a number that its peer does not have.
struct Reckless;

impl Peerlet for Reckless {
    const NAME: &'static str = "reckless";
    type Message = u16;
    type Timer = Nothing;

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, port: u16) {
        assert_eq!(ctx.stack().collect::<Vec<_>>(), [(Port(0), "idle"), (ctx.port(), "reckless")]);
        ctx.acting(Port(port));
    }
}

#[test]
#[should_panic(expected = "peer 0 (life 1) has no `?`, and its `reckless` acts as `?` at 0s")]
fn nobody_acts_for_a_number_that_is_not_there() {
    let mut peer = TestPeer::beside(Peer::new().with(Idle), Reckless);
    let other = peer.stranger(1);
    peer.deliver(other, 1);
    peer.deliver(other, 2);
}
