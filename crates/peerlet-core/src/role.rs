//! Roles: traits that peerlets play for their siblings, so that a peerlet can use whichever sibling
//! does a job.

use std::any::{Any, TypeId};
use std::cell::RefMut;
use std::ops::{Deref, DerefMut};

use peerlet_memory::Lent;

use crate::address::Address;
use crate::column::{Column, Rows};
use crate::context::{Context, Env, Local};
use crate::description::Description;
use crate::parcel::Port;
use crate::peerlet::Peerlet;
use crate::random::Rng;
use crate::time::Time;

/// A trait that peerlets play for their siblings, with its name.
///
/// A player says so in [`describe`](Peerlet::describe), and a user names the role and not the
/// peerlet: a scenario then decides which peerlet it is. Methods that act take a [`RoleContext`],
/// since their caller does not know the player's type.
///
/// A player must not call its caller back: the caller is on the call stack, and its
/// [`role`](Context::role) or [`sibling`](Context::sibling) is `None`. A player answers by
/// [`emit_to`](Context::emit_to), which the caller handles afterwards.
///
/// A gossip over whichever peer sampler, whole:
///
/// ```
/// use peerlet_core::{
///     Address, Context, Description, Nothing, Peer, Peerlet, Picks, Rng, Role, RoleContext,
///     SECOND, TestPeer,
/// };
///
/// trait PeerSampler {
///     /// Puts up to this many different peers into the list.
///     fn sample(&self, rng: &mut Rng, count: usize, into: &mut Vec<Address>);
///     /// A user waits in vain for this peer.
///     fn suspect(&mut self, ctx: &mut RoleContext, peer: Address);
/// }
///
/// impl Role for dyn PeerSampler {
///     const NAME: &'static str = "peer sampler";
/// }
///
/// /// Knows its peers from the beginning, and forgets those that are suspected.
/// struct View(Vec<Address>);
///
/// impl Peerlet for View {
///     const NAME: &'static str = "view";
///     type Message = u8;
///     type Timer = Nothing;
///     fn describe(about: &mut Description<Self>) {
///         about.plays::<dyn PeerSampler>(|me| me);
///     }
/// }
///
/// impl PeerSampler for View {
///     fn sample(&self, rng: &mut Rng, count: usize, into: &mut Vec<Address>) {
///         into.extend(&self.0);
///         rng.shuffle(into);
///         into.truncate(count);
///     }
///     fn suspect(&mut self, ctx: &mut RoleContext, peer: Address) {
///         let ctx = &mut ctx.typed::<Self>();
///         self.0.retain(|known| *known != peer);
///         ctx.send(peer, 0);
///     }
/// }
///
/// #[derive(Default)]
/// struct Gossip { fanout: usize, sampler: Option<String> }
///
/// impl Peerlet for Gossip {
///     const NAME: &'static str = "gossip";
///     type Message = String;
///     type Timer = ();
///     fn describe(about: &mut Description<Self>) {
///         about.wants::<dyn PeerSampler>();
///     }
///     fn picks(&self, picks: &mut Picks) {
///         picks.role::<dyn PeerSampler>("sampler", self.sampler.as_deref());
///     }
///     fn start(&mut self, ctx: &mut Context<Self>) {
///         ctx.every(SECOND, ());
///     }
///     fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
///         let Some(near) = ctx.role::<dyn PeerSampler>(self.sampler.as_deref()) else { return };
///         let mut to = Vec::new();
///         near.sample(ctx.rng(), self.fanout, &mut to);
///         for peer in to {
///             ctx.send(peer, "news".to_owned());
///         }
///     }
/// }
///
/// let view = View((1..9).map(|seat| Address::simulated(peerlet_core::Seat(seat))).collect());
/// let gossip = Gossip { fanout: 3, sampler: None };
/// let mut peer = TestPeer::beside(Peer::new().with(view), gossip);
/// peer.advance(SECOND);
/// assert_eq!(peer.sent().len(), 3);
/// ```
pub trait Role: 'static {
    /// The name in errors and lists: lower case, a noun.
    const NAME: &'static str;
}

/// A borrowed sibling in a role, from [`Context::role`]. It is free for others again when this is
/// dropped.
///
/// It borrows the peer, not the context, so both can be used side by side, as with a
/// [`Sibling`](crate::Sibling).
pub struct RoleRef<'e, R: ?Sized> {
    player: Lent<RefMut<'e, R>>,
    port: Port,
}

impl<R: ?Sized> RoleRef<'_, R> {
    /// The player's number in the run, for [`Context::acting`] and [`Context::emit_to`].
    pub fn port(&self) -> Port {
        self.port
    }
}

impl<R: ?Sized> Deref for RoleRef<'_, R> {
    type Target = R;
    fn deref(&self) -> &R {
        &self.player.0
    }
}

impl<R: ?Sized> DerefMut for RoleRef<'_, R> {
    fn deref_mut(&mut self) -> &mut R {
        &mut self.player.0
    }
}

/// The context that a player's methods take, from [`Context::acting`]: the caller does not know the
/// player's type, so only the player can make a [`Context`] of it.
pub struct RoleContext<'a, 'e> {
    env: Lent<&'a mut Env<'e>>,
    port: Port,
    caller: Port,
}

impl<'e> RoleContext<'_, 'e> {
    /// The context of the player, which asks for it with its own type:
    /// `let ctx = &mut ctx.typed::<Self>();`.
    ///
    /// # Panics
    /// Panics when the player is not a `P`: a context made for one sibling was given to another.
    #[track_caller]
    pub fn typed<P: Peerlet>(&mut self) -> Context<'_, 'e, P> {
        let registry = &self.env.house.registry;
        let entry = registry.entry(self.port).expect("an acting peerlet is in the registry");
        if !entry.is_of::<P>() {
            mistyped(entry.name(), P::NAME);
        }
        Context::acting_as(&mut self.env, self.port)
    }

    /// The number of the peerlet that calls: keep it to answer with [`Context::emit_to`].
    pub fn caller(&self) -> Port {
        self.caller
    }

    /// The name of the peerlet that calls.
    pub fn caller_name(&self) -> &'static str {
        let entry = self.env.house.registry.entry(self.caller);
        entry.expect("a calling peerlet is in the registry").name()
    }

    /// The peer's local time.
    pub fn now(&self) -> Time {
        self.env.world.now()
    }

    /// Where this peer is reached.
    pub fn address(&self) -> Address {
        self.env.world.address()
    }

    /// Randomness for behavior: see [`Context::rng`].
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.env.life().rng
    }
}

#[cold]
#[track_caller]
fn mistyped(player: &str, taken_for: &str) -> ! {
    panic!(
        "a role context of `{player}` is typed as `{taken_for}`; pass `ctx.acting` the port of the \
         sibling whose method is called, and type it as `Self` there"
    );
}

impl<'e, P: Peerlet> Context<'_, 'e, P> {
    /// The sibling in this role: the named one, wherever it is on this peer's stack, or else the
    /// nearest one below. `None` when there is none or when it is already on the call stack.
    ///
    /// For methods that act, pass the player its own context:
    ///
    /// ```
    /// # use peerlet_core::*;
    /// # trait PeerSampler { fn suspect(&mut self, ctx: &mut RoleContext, peer: Address); }
    /// # impl Role for dyn PeerSampler { const NAME: &'static str = "peer sampler"; }
    /// # fn example<P: Peerlet>(ctx: &mut Context<P>, peer: Address) {
    /// if let Some(mut near) = ctx.role::<dyn PeerSampler>(None) {
    ///     let port = near.port();
    ///     near.suspect(&mut ctx.acting(port), peer);
    /// }
    /// # }
    /// ```
    pub fn role<R: Role + ?Sized>(&self, name: Option<&str>) -> Option<RoleRef<'e, R>> {
        let (house, row) = (self.env_ref().house, self.env_ref().row());
        let players = house.registry.players_of(TypeId::of::<R>())?;
        let (port, cast) = match name {
            Some(name) => {
                let port = house.registry.port_named(name)?;
                (port, players.cast(port)?)
            }
            None => {
                let mut below = below(house.stack(row), self.port()).iter().rev();
                below.find_map(|port| Some((*port, players.cast(*port)?)))?
            }
        };
        let cast: &Cast<R> = cast.downcast_ref().expect("a role's casts are of its type");
        let player = cast(house.column(port), row)?;
        Some(RoleRef { player: Lent(player), port })
    }

    /// The context with which this peerlet calls the sibling with this number in a role.
    ///
    /// # Panics
    /// Panics when this peer has no such sibling, as [`of`](Context::of) does.
    #[track_caller]
    pub fn acting(&mut self, port: Port) -> RoleContext<'_, 'e> {
        let (house, row) = (self.env_ref().house, self.env_ref().row());
        let is_here = house.registry.entry(port).is_some() && house.column(port).has(row);
        if !is_here {
            let name = house.registry.entry(port).map_or("?", |entry| entry.name());
            self.refuse(name);
        }
        let caller = self.port();
        RoleContext { env: Lent(self.env()), port, caller }
    }

    /// Tells the sibling with this number alone, if it hears events of type `E`, and its tasks, if
    /// they wait for them. It is handled after the current handler, in order with other events.
    pub fn emit_to<E: Send + 'static>(&mut self, to: Port, event: E) {
        self.env().tell(event, Some(to));
    }

    /// This peer's peerlets with their numbers, from the lowest of the stack. A peerlet has the
    /// same number in all processes of a run.
    pub fn stack(&self) -> impl Iterator<Item = (Port, &'static str)> + use<'e, P> {
        let (house, row) = (self.env_ref().house, self.env_ref().row());
        let name = |port: &Port| Some((*port, house.registry.entry(*port)?.name()));
        house.stack(row).iter().filter_map(name)
    }
}

/// The part of a stack below this peerlet.
#[inline]
fn below(stack: &[Port], port: Port) -> &[Port] {
    let place = stack.iter().position(|other| *other == port);
    &stack[..place.unwrap_or(stack.len())]
}

impl Env<'_> {
    /// Tells all siblings, or one, where somebody hears such events.
    pub(crate) fn tell<E: Send + 'static>(&mut self, event: E, to: Option<Port>) {
        let (id, registry) = (TypeId::of::<E>(), &self.house.registry);
        let is_heard = match to {
            None => registry.is_heard(id),
            Some(port) => registry.ears_of(port, id).next().is_some(),
        };
        if is_heard || self.house.is_tapped(id) || self.life().listens(id) {
            self.house.push_local(Local::Event { id, event: Box::new(event), to });
        }
    }
}

/// Borrows the player in a row of its column.
type Cast<R> = Box<dyn for<'c> Fn(&'c dyn Column, usize) -> Option<RefMut<'c, R>> + Send + Sync>;

/// A role, its type forgotten.
#[derive(Clone, Copy)]
pub(crate) struct RoleName {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

impl RoleName {
    pub(crate) fn of<R: Role + ?Sized>() -> RoleName {
        RoleName { id: TypeId::of::<R>(), name: R::NAME }
    }
}

/// A role that a peerlet type plays.
pub(crate) struct Played {
    pub(crate) role: RoleName,
    /// A [`Cast`] to the role.
    cast: Box<dyn Any + Send + Sync>,
}

impl<P: Peerlet> Description<P> {
    /// Names a role that the peerlet plays for its siblings. The closure is always `|me| me`.
    pub fn plays<R: Role + ?Sized>(
        &mut self,
        cast: impl Fn(&mut P) -> &mut R + Send + Sync + 'static,
    ) -> &mut Self {
        // The column is borrowed as for a sibling; then the peerlet's type is forgotten.
        let cast: Cast<R> = Box::new(move |column, row| {
            let rows: &Rows<P> = (column as &dyn Any).downcast_ref()?;
            Some(RefMut::map(rows.borrow_mut(row)?, &cast))
        });
        self.plays.push(Played { role: RoleName::of::<R>(), cast: Box::new(cast) });
        self
    }

    /// Names a role that a sibling must play. A stack is refused before anything runs unless a
    /// sibling below plays it, or the one that [`picks`](Peerlet::picks) names.
    pub fn wants<R: Role + ?Sized>(&mut self) -> &mut Self {
        self.wants.push(RoleName::of::<R>());
        self
    }
}

/// The peerlet types that play one role.
pub(crate) struct Players {
    role: TypeId,
    by_port: Vec<Option<Box<dyn Any + Send + Sync>>>,
}

impl Players {
    #[inline]
    fn cast(&self, port: Port) -> Option<&(dyn Any + Send + Sync)> {
        self.by_port.get(usize::from(port.0))?.as_deref()
    }
}

/// All roles that are played in a run.
#[derive(Default)]
pub(crate) struct Roles(Vec<Players>);

impl Roles {
    /// Notes the roles that the type with this number plays.
    pub(crate) fn add(&mut self, port: Port, plays: Vec<Played>) {
        for Played { role, cast } in plays {
            let index = self.0.iter().position(|players| players.role == role.id);
            let index = index.unwrap_or_else(|| {
                self.0.push(Players { role: role.id, by_port: Vec::new() });
                self.0.len() - 1
            });
            let by_port = &mut self.0[index].by_port;
            by_port.resize_with(usize::from(port.0) + 1, || None);
            by_port[usize::from(port.0)] = Some(cast);
        }
    }

    #[inline]
    pub(crate) fn of(&self, role: TypeId) -> Option<&Players> {
        self.0.iter().find(|players| players.role == role)
    }
}
