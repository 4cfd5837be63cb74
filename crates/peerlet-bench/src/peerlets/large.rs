//! Gossip with messages of 200 bytes.

use peerlet_core::{Description, Address, Context, Metric, Peerlet, SECOND};
use serde::{Deserialize, Serialize};

use super::seats::{other, phase};

/// Pings with a load.
#[derive(Clone, Default)]
pub struct Large {
    sent: u64,
    received: u64,
    acked: u64,
}

/// What they say.
#[derive(Serialize, Deserialize)]
pub enum Message {
    /// The sender's counter, 25 times.
    Ping([u64; 25]),
    /// The same ones back.
    Ack([u64; 25]),
}

/// The next tick.
pub struct Tick;

const ACKS: Metric = Metric::counter("acks").help("pings that came back");

impl Peerlet for Large {
    const NAME: &'static str = "large";
    type Message = Message;
    type Timer = Tick;

    fn describe(about: &mut Description<Self>) {
        about.help("pings a random peer with 200 bytes every second").measures(&ACKS);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let phase = phase(ctx);
        ctx.after(phase, Tick);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, Tick: Tick) {
        ctx.after(SECOND, Tick);
        if let Some(address) = other(ctx) {
            self.sent += 1;
            ctx.send(address, Message::Ping([self.sent; 25]));
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        match message {
            Message::Ping(words) => {
                self.received = words.iter().fold(self.received, |sum, word| sum + word);
                ctx.send(from, Message::Ack(words));
            }
            Message::Ack(words) => {
                self.acked += words[24];
                ctx.measure(ACKS, 1.0);
            }
        }
    }
}
