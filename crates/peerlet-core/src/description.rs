//! The description of a peerlet type: given once, and read while no peer is alive.

use std::any::{Any, TypeId};

use crate::command::{Command, Signature};
use crate::context::Context;
use crate::links::{LinkSource, Links};
use crate::metric::Metric;
use crate::peerlet::Peerlet;
use crate::property::Property;
use crate::role::{Played, RoleName};

/// A service that a world may or may not provide.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Need {
    /// Reliable delivery: `send_reliably`.
    Reliable,
    /// Local networks: [`broadcast`](crate::Context::broadcast).
    Broadcast,
    /// Peers that can be told apart from others at their address:
    /// [`trust`](crate::Context::trust).
    Identity,
}

impl Need {
    /// The need in words.
    pub const fn name(self) -> &'static str {
        match self {
            Need::Reliable => "reliable delivery",
            Need::Broadcast => "broadcast on a local network",
            Need::Identity => "verified identities",
        }
    }
}

pub(crate) type Listener<P> = Box<dyn Fn(&mut P, &mut Context<P>, &dyn Any) + Send + Sync>;

/// A handler of one command.
pub type CommandHandler<P> = fn(&mut P, &mut Context<P>, &Command);

/// A peerlet with commands that are methods of its own: implemented by
/// [`#[commands]`](crate::commands), and named by [`Description::commands`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no commands",
    note = "put `#[commands]` on its `impl` block, and `#[command]` on methods in it"
)]
pub trait Commands: Peerlet {
    /// Names each of the commands, with its handler.
    fn declare(about: &mut Description<Self>);
}

/// A peerlet's description of itself, filled in by [`Peerlet::describe`].
///
/// ```
/// use peerlet_core::{Description, Context, Kind, Metric, Need, Nothing, Peerlet, Signature};
///
/// struct Lost;
/// const LOSSES: Metric = Metric::counter("losses").help("neighbors lost");
///
/// struct Watcher;
/// impl Peerlet for Watcher {
///     const NAME: &'static str = "watcher";
///     type Message = Nothing;
///     type Timer = Nothing;
///
///     fn describe(about: &mut Description<Self>) {
///         about
///             .help("counts lost neighbors")
///             .hears(Watcher::lost)
///             .measures(&LOSSES)
///             .command(Signature::new("mute").takes("on", Kind::Bool));
///     }
/// }
///
/// impl Watcher {
///     fn lost(&mut self, ctx: &mut Context<Self>, _: &Lost) {
///         ctx.measure(LOSSES, 1.0);
///     }
/// }
/// ```
pub struct Description<P: Peerlet> {
    pub(crate) help: &'static str,
    pub(crate) needs: Vec<Need>,
    pub(crate) uses: Vec<(TypeId, &'static str)>,
    pub(crate) plays: Vec<Played>,
    pub(crate) wants: Vec<RoleName>,
    pub(crate) listeners: Vec<(TypeId, Listener<P>)>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) commands: Vec<Signature>,
    pub(crate) handlers: Vec<(&'static str, CommandHandler<P>)>,
    pub(crate) properties: Vec<Property>,
    pub(crate) links: Option<LinkSource>,
}

impl<P: Peerlet> Description<P> {
    pub(crate) fn of() -> Description<P> {
        let mut about = Description {
            help: "",
            needs: Vec::new(),
            uses: Vec::new(),
            plays: Vec::new(),
            wants: Vec::new(),
            listeners: Vec::new(),
            metrics: P::METRICS.to_vec(),
            commands: Vec::new(),
            handlers: Vec::new(),
            properties: Vec::new(),
            links: None,
        };
        P::describe(&mut about);
        about
    }

    /// Describes the peerlet in a sentence.
    pub fn help(&mut self, help: &'static str) -> &mut Self {
        self.help = help;
        self
    }

    /// Names a service that the world must provide; a world that cannot is refused before anything
    /// runs.
    pub fn needs(&mut self, need: Need) -> &mut Self {
        self.needs.push(need);
        self
    }

    /// Names a sibling that must be on the same peer; a stack without it is refused before anything
    /// runs.
    pub fn uses<Q: Peerlet>(&mut self) -> &mut Self {
        self.uses.push((TypeId::of::<Q>(), Q::NAME));
        self
    }

    /// Names a handler for a kind of local event that siblings [emit](Context::emit).
    pub fn hears<E: 'static>(&mut self, listener: fn(&mut P, &mut Context<P>, &E)) -> &mut Self {
        let listener = move |me: &mut P, ctx: &mut Context<P>, event: &dyn Any| {
            listener(
                me,
                ctx,
                event.downcast_ref().expect("an event comes to the listeners of its type"),
            );
        };
        self.listeners.push((TypeId::of::<E>(), Box::new(listener)));
        self
    }

    /// Names a metric that the peerlet records, behind those of [`Peerlet::METRICS`].
    pub fn measures(&mut self, metric: &Metric) -> &mut Self {
        self.metrics.push(*metric);
        self
    }

    /// Names a command that scenarios may call; [`Peerlet::command`] handles it.
    pub fn command(&mut self, signature: Signature) -> &mut Self {
        self.commands.push(signature);
        self
    }

    /// Names a command that scenarios may call, with a handler of its own.
    pub fn answers(&mut self, signature: Signature, handler: CommandHandler<P>) -> &mut Self {
        self.handlers.push((signature.name(), handler));
        self.command(signature)
    }

    /// Names the commands that [`#[commands]`](crate::commands) made of methods.
    pub fn commands(&mut self) -> &mut Self
    where
        P: Commands,
    {
        P::declare(self);
        self
    }

    /// Names a [property](crate::property) that peers keep, or that the network of them does.
    /// Scenarios choose by its name which ones are checked.
    pub fn property(&mut self, property: Property) -> &mut Self {
        self.properties.push(property);
        self
    }

    /// Names the function that tells a peer's [links](Links), for observers of the network as a
    /// graph. It is called between events, and changes nothing.
    pub fn links(&mut self, tell: fn(&P, &mut Links)) -> &mut Self {
        self.links = Some(LinkSource::of(tell));
        self
    }
}
