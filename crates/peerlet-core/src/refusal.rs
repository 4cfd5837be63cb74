//! Why a message is not accepted for delivery, and how its sender gets it back.

use std::fmt;

/// Why a message is not accepted for delivery. The message is then untouched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The queue to the destination is full; [`writable`](crate::Peerlet::writable) is called once
    /// when there is room.
    QueueFull,
    /// The encoded message is longer than a message of its class may be. It will never be accepted.
    TooLarge {
        /// How long it is, in encoded bytes.
        size: usize,
        /// How long it may be, in encoded bytes.
        max: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::QueueFull => {
                f.write_str("the queue to this peer is full; wait for `writable`")
            }
            Refusal::TooLarge { size, max } => write!(
                f,
                "the message has {size} encoded bytes, and {max} are allowed; send it in parts"
            ),
        }
    }
}

impl std::error::Error for Refusal {}

/// A message that was not accepted for delivery, handed back with the reason.
///
/// ```
/// use peerlet_core::{Context, Nothing, Peerlet, Refusal};
/// # use peerlet_core::Address;
/// struct Sender { waiting: Vec<Vec<u8>> }
/// impl Peerlet for Sender {
///     const NAME: &'static str = "sender";
///     type Message = Vec<u8>;
///     type Timer = Nothing;
/// }
/// impl Sender {
///     fn give(&mut self, ctx: &mut Context<Self>, to: Address, message: Vec<u8>) {
///         let Err(refused) = ctx.try_send_reliably(to, message) else { return };
///         match refused.why {
///             Refusal::TooLarge { max, .. } => {
///                 // An encoded vector is its bytes behind their length.
///                 let half = refused.message.len().min(max) / 2;
///                 let mut first = refused.message;
///                 let second = first.split_off(half);
///                 self.give(ctx, to, first);
///                 self.give(ctx, to, second);
///             }
///             _ => self.waiting.push(refused.message),
///         }
///     }
/// }
/// # peerlet_core::TestPeer::new(Sender { waiting: Vec::new() });
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Refused<M> {
    /// The message, untouched.
    pub message: M,
    /// Why it was not accepted.
    pub why: Refusal,
}

impl<M> Refused<M> {
    /// The message alone.
    pub fn into_message(self) -> M {
        self.message
    }
}

// Messages need not be shown to say why they came back.
impl<M> fmt::Debug for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<M> fmt::Display for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl<M> std::error::Error for Refused<M> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = Refused { message: (), why: Refusal::TooLarge { size: 20, max: 10 } };
        let said = "the message has 20 encoded bytes, and 10 are allowed; send it in parts";
        assert_eq!(refused.to_string(), said);
        assert_eq!(format!("{refused:?}"), "Refused { why: TooLarge { size: 20, max: 10 }, .. }");
        assert!(Refusal::QueueFull.to_string().ends_with("wait for `writable`"));
    }
}
