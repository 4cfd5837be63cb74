//! A workload: looks up random keys and measures whether the right peer answers, and how soon.

mod config;
mod oracle;
mod rate;

use std::collections::BTreeMap;

use peerlet_core::{
    Address, Context, Description, Duration, Metric, Peerlet, Seat, Time, metrics, wire,
};
use serde::{Deserialize, Serialize};

pub use config::LookupsConfig;
use oracle::Oracle;
pub use rate::{Rate, RateError};

use crate::configured::Configured;
use crate::ring::RingId;
use crate::roles::KeyRouter;
use crate::router::{Delivered, Payload};

metrics! {
    METRICS for Lookups {
        /// 1 for a lookup answered in time by the peer nearest to its key, 0 for any other.
        SUCCESS: histogram.quantum(1.0),
        /// Hops of successful lookups.
        HOPS: histogram.quantum(1.0),
        /// Time from a successful lookup to its answer.
        TIME: histogram.unit("s").quantum(1e-9),
    }
}

/// How many lookups may wait for their answers; beyond, none is begun.
const WAITING_MAX: usize = 65_536;

/// How long an answer's acknowledgement is waited for, and how often the answer is sent: as the
/// router does for a hop, so that what is measured is routing and not the loss of answers.
const ANSWER_WAIT: Duration = Duration::from_millis(500);
const ANSWER_TRIES: u32 = 3;

/// Looks up random keys at random times and measures who answers.
///
/// A lookup succeeds when it is answered in time by the peer that is nearest to its key among all
/// that run, at the time it was asked or at the time the answer came. Lookups of a peer that
/// stopped or crashed meanwhile count neither way. Clones share their knowledge of all seats, so
/// make many by cloning one.
///
/// ```
/// use peerlet_core::{Peer, SECOND, TestPeer};
/// use peerlet_overlay::{Bootstrap, Lookups, LookupsMessage, Neighbors, Router};
///
/// let siblings = Peer::new()
///     .with(Bootstrap::default())
///     .with(Neighbors::default())
///     .with(Router::default());
/// let mut peer = TestPeer::beside(siblings, Lookups::default());
/// peer.advance(SECOND * 20);
/// let answers = peer.sent();
/// assert!(answers.len() > 2, "who is alone answers all its own lookups");
/// let me = peer.address();
/// for (to, answer) in answers {
///     assert_eq!(to, me);
///     peer.deliver(me, answer);
/// }
/// assert!(peer.measured("success").contains(&1.0));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    config: LookupsConfig,
    oracle: Oracle,
    waiting: BTreeMap<u64, Waiting>,
}

/// A lookup without an answer.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    key: RingId,
    at: Time,
    /// The seat that should have answered at that time.
    responsible: Option<Seat>,
}

/// The messages between the peer that a lookup reached and the one that asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LookupsMessage {
    /// I am nearest to your key.
    Found {
        /// The lookup's number.
        nonce: u64,
        /// Over how many hops it came.
        hops: u32,
    },
    /// Your answer came.
    Noted,
}

/// The timers of `Lookups`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupsTimer {
    /// The next lookup begins.
    Next,
    /// The time of the lookup with this number is over.
    Overdue(u64),
}

impl Peerlet for Lookups {
    const NAME: &'static str = "lookups";
    const METRICS: &'static [Metric] = METRICS;
    const VERSION: u16 = 2;
    type Message = LookupsMessage;
    type Timer = LookupsTimer;

    fn describe(about: &mut Description<Self>) {
        about
            .help("looks up random keys and measures who answers")
            .wants::<dyn KeyRouter>()
            .hears(Lookups::delivered);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        self.waiting.clear();
        if let Some(gap) = self.config.rate.gap(ctx.rng()) {
            ctx.after(self.config.warmup + gap, LookupsTimer::Next);
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: LookupsMessage) {
        let LookupsMessage::Found { nonce, hops } = message else { return };
        ctx.reply(LookupsMessage::Noted);
        let Some(lookup) = self.waiting.remove(&nonce) else { return };
        debug_assert!(lookup.at <= ctx.now(), "an answer comes after its question");
        let is_at =
            |seat: Option<Seat>| seat.is_some_and(|seat| ctx.seats().address(seat) == Some(from));
        let success = is_at(lookup.responsible) || is_at(self.responsible(ctx, lookup.key));
        ctx.measure(SUCCESS, f64::from(u8::from(success)));
        if success {
            ctx.measure(HOPS, f64::from(hops));
            ctx.measure(TIME, ctx.now().since(lookup.at).as_secs_f64());
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, timer: LookupsTimer) {
        match timer {
            LookupsTimer::Next => {
                if let Some(gap) = self.config.rate.gap(ctx.rng()) {
                    ctx.after(gap, LookupsTimer::Next);
                }
                self.look_up(ctx);
            }
            LookupsTimer::Overdue(nonce) => {
                if self.waiting.remove(&nonce).is_some() {
                    ctx.measure(SUCCESS, 0.0);
                }
            }
        }
    }
}

impl Lookups {
    fn look_up(&mut self, ctx: &mut Context<Self>) {
        let Some(mut router) = ctx.role::<dyn KeyRouter>(None) else { return };
        if self.waiting.len() >= WAITING_MAX {
            return;
        }
        let (key, nonce) = (RingId(ctx.rng().bits()), ctx.rng().bits());
        let responsible = self.responsible(ctx, key);
        self.waiting.insert(nonce, Waiting { key, at: ctx.now(), responsible });
        ctx.after(self.config.timeout, LookupsTimer::Overdue(nonce));
        let port = router.port();
        router.route(&mut ctx.acting(port), key, question(nonce));
    }

    /// Answers a lookup that arrived here, until its origin has acknowledged the answer.
    fn delivered(&mut self, ctx: &mut Context<Self>, delivered: &Delivered) {
        let Some(nonce) = nonce_of(&delivered.payload) else { return };
        let (origin, found) =
            (delivered.origin, LookupsMessage::Found { nonce, hops: delivered.hops });
        ctx.spawn(move |task| async move {
            drop(task.call(origin, found).within(ANSWER_WAIT).tries(ANSWER_TRIES).await);
        });
    }

    fn responsible(&self, ctx: &Context<Self>, key: RingId) -> Option<Seat> {
        self.oracle.responsible(ctx.seats(), key, ctx.now())
    }
}

fn question(nonce: u64) -> Payload {
    let mut bytes = Vec::new();
    wire::encode(&nonce, &mut bytes).expect("the codec carries numbers");
    Payload::new(bytes).expect("a number is short")
}

/// The number of the lookup, if the payload is one: another peer may send anything.
fn nonce_of(payload: &Payload) -> Option<u64> {
    wire::decode(payload.as_bytes()).ok()
}

impl Configured for Lookups {
    type Config = LookupsConfig;

    fn with_config(config: LookupsConfig) -> Lookups {
        Lookups { config, ..Lookups::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let mut bytes = Vec::new();
        wire::encode(&LookupsMessage::Found { nonce: 300, hops: 4 }, &mut bytes).unwrap();
        assert_eq!(bytes, [0, 0xac, 0x02, 4]);
        bytes.clear();
        wire::encode(&LookupsMessage::Noted, &mut bytes).unwrap();
        assert_eq!(bytes, [1]);
        assert_eq!(question(300).as_bytes(), [0xac, 0x02]);
    }

    #[test]
    fn payloads_that_are_no_lookups_are_left_alone() {
        assert_eq!(nonce_of(&question(7)), Some(7));
        for other in [&b""[..], b"\xff", b"\x07\x07", b"lk01\x07"] {
            assert_eq!(nonce_of(&Payload::new(other.to_vec()).unwrap()), None);
        }
    }
}
