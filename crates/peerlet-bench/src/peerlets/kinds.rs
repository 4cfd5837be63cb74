//! Gossip with 64 kinds of messages: 32 kinds of pings, each with an answer of its own kind.

use peerlet_core::{Description, Address, Context, Metric, Peerlet, SECOND};
use serde::{Deserialize, Serialize};

use super::seats::{other, phase};

/// Pings that take turns in what they are.
#[derive(Clone, Default)]
pub struct Kinds {
    sent: u64,
    received: u64,
    acked: u64,
}

/// The next tick.
pub struct Tick;

const ACKS: Metric = Metric::counter("acks").help("pings that came back");

impl Peerlet for Kinds {
    const NAME: &'static str = "kinds";
    type Message = Message;
    type Timer = Tick;

    fn describe(about: &mut Description<Self>) {
        about.help("pings a random peer in one of 32 ways every second").measures(&ACKS);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let phase = phase(ctx);
        ctx.after(phase, Tick);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, Tick: Tick) {
        ctx.after(SECOND, Tick);
        if let Some(address) = other(ctx) {
            self.sent += 1;
            ctx.send(address, Message::ping(self.sent));
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        message.handle(self, ctx, from);
    }
}

macro_rules! kinds {
    ($($number:literal $ping:ident $ack:ident),*) => {
        /// What they say: the sender's counter, and the same one back.
        #[derive(Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum Message {
            $($ping(u64), $ack(u64)),*
        }

        impl Message {
            /// The ping whose turn it is.
            fn ping(count: u64) -> Message {
                const KINDS: u64 = [$($number),*].len() as u64;
                match count % KINDS {
                    $($number => Message::$ping(count),)*
                    beyond => panic!("{beyond} is no remainder of {KINDS}"),
                }
            }

            fn handle(self, me: &mut Kinds, ctx: &mut Context<Kinds>, from: Address) {
                match self {
                    $(
                        Message::$ping(count) => {
                            me.received += count + $number;
                            ctx.send(from, Message::$ack(count));
                        }
                        Message::$ack(_) => {
                            me.acked += 1 + $number;
                            ctx.measure(ACKS, 1.0);
                        }
                    )*
                }
            }
        }
    };
}

kinds! {
    0 PingZero AckZero,
    1 PingOne AckOne,
    2 PingTwo AckTwo,
    3 PingThree AckThree,
    4 PingFour AckFour,
    5 PingFive AckFive,
    6 PingSix AckSix,
    7 PingSeven AckSeven,
    8 PingEight AckEight,
    9 PingNine AckNine,
    10 PingTen AckTen,
    11 PingEleven AckEleven,
    12 PingTwelve AckTwelve,
    13 PingThirteen AckThirteen,
    14 PingFourteen AckFourteen,
    15 PingFifteen AckFifteen,
    16 PingSixteen AckSixteen,
    17 PingSeventeen AckSeventeen,
    18 PingEighteen AckEighteen,
    19 PingNineteen AckNineteen,
    20 PingTwenty AckTwenty,
    21 PingTwentyOne AckTwentyOne,
    22 PingTwentyTwo AckTwentyTwo,
    23 PingTwentyThree AckTwentyThree,
    24 PingTwentyFour AckTwentyFour,
    25 PingTwentyFive AckTwentyFive,
    26 PingTwentySix AckTwentySix,
    27 PingTwentySeven AckTwentySeven,
    28 PingTwentyEight AckTwentyEight,
    29 PingTwentyNine AckTwentyNine,
    30 PingThirty AckThirty,
    31 PingThirtyOne AckThirtyOne
}
