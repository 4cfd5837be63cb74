//! The trait that every peerlet implements.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::command::Command;
use crate::context::Context;
use crate::description::Description;
use crate::metric::Metric;
use crate::parcel::Undelivered;
use crate::picks::Picks;
use crate::wire::Message;

/// A well-defined piece of message-passing functionality, with its state.
///
/// Handlers are plain functions named after what happened. Those of one peer never overlap, in any
/// world. A handler acts through its [`Context`] only. `NAME`, `Message` and `Timer` are required;
/// every handler has a default.
///
/// ```
/// use peerlet_core::{Address, Context, Peerlet, SECOND, TestPeer};
/// use serde::{Deserialize, Serialize};
///
/// /// Answers every ping.
/// #[derive(Default)]
/// struct Echo;
///
/// #[derive(Serialize, Deserialize, PartialEq, Debug)]
/// enum Message { Ping, Pong }
///
/// impl Peerlet for Echo {
///     const NAME: &'static str = "echo";
///     type Message = Message;
///     type Timer = ();
///
///     fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
///         match message {
///             Message::Ping => ctx.send(from, Message::Pong),
///             Message::Pong => {}
///         }
///     }
/// }
///
/// let mut peer = TestPeer::new(Echo);
/// let other = peer.stranger(1);
/// peer.deliver(other, Message::Ping);
/// assert_eq!(peer.sent(), [(other, Message::Pong)]);
/// ```
pub trait Peerlet: Sized + Send + 'static {
    /// The name in scenarios, measurements and logs: lower case, one word or several with
    /// underscores.
    const NAME: &'static str;
    /// The version of its messages: increment it when [`Message`](Peerlet::Message) changes, so
    /// that a process of the old version is refused when it joins one of the new. If messages have
    /// changed and the version has not, messages cannot be decoded, and a warning says so. Default:
    /// 1.
    const VERSION: u16 = 1;
    /// The metrics that it records, as [`metrics!`](crate::metrics) declares them. Those that
    /// [`describe`](Peerlet::describe) names come behind.
    const METRICS: &'static [Metric] = &[];
    /// The messages that it sends and receives; [`Nothing`] where it does neither.
    type Message: Message;
    /// The values of its timers; [`Nothing`] where it has none, `()` where there is one kind.
    type Timer: Send + 'static;

    /// Declares once the properties of the type: needs, siblings used, events heard, commands,
    /// metrics.
    fn describe(about: &mut Description<Self>) {
        let _ = about;
    }

    /// Names the siblings that its configuration picks for [roles](crate::Role); a name that is
    /// wrong is refused before anything runs.
    fn picks(&self, picks: &mut Picks) {
        let _ = picks;
    }

    /// The peer was built, for the first time or after a crash. Siblings are there, nothing has
    /// been sent.
    fn init(&mut self, ctx: &mut Context<Self>) {
        let _ = ctx;
    }

    /// A life begins.
    fn start(&mut self, ctx: &mut Context<Self>) {
        let _ = ctx;
    }

    /// The life ends in order: messages sent now still leave, state is kept, timers and tasks are
    /// gone afterwards.
    fn stop(&mut self, ctx: &mut Context<Self>) {
        let _ = ctx;
    }

    /// A message arrived.
    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Self::Message) {
        let _ = (ctx, from, message);
    }

    /// A timer is due.
    fn timer(&mut self, ctx: &mut Context<Self>, timer: Self::Timer) {
        let _ = (ctx, timer);
    }

    /// A message sent reliably is not known to be delivered; called at most once per message, in
    /// sending order.
    fn undelivered(
        &mut self,
        ctx: &mut Context<Self>,
        to: Address,
        message: Self::Message,
        why: Undelivered,
    ) {
        let _ = (ctx, to, message, why);
    }

    /// Half of the queue to `to` is free again, after it had been full.
    fn writable(&mut self, ctx: &mut Context<Self>, to: Address) {
        let _ = (ctx, to);
    }

    /// Its state as a text for people, of one line or several: `sim --show` prints it. Default:
    /// none, which is said instead.
    fn snapshot(&self) -> Option<String> {
        None
    }

    /// The scenario calls a command that [`describe`](Peerlet::describe) declared and that has no
    /// handler of its own.
    fn command(&mut self, ctx: &mut Context<Self>, command: &Command) {
        let _ = (ctx, command);
    }
}

/// The message or timer of a peerlet that has none: a type without values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Nothing {}
