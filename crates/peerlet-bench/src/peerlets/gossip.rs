//! Each second every peer sends a counter to a random other one, which adds it up and answers.
//!
//! With a number, so that a stack may have several of them.

use peerlet_core::{Description, Address, Context, Metric, Peerlet, SECOND};
use serde::{Deserialize, Serialize};

use super::seats::{other, phase};

/// One gossip of a peer.
#[derive(Clone, Default)]
pub struct Gossip<const N: usize> {
    sent: u64,
    received: u64,
    acked: u64,
}

/// What gossips say.
#[derive(Serialize, Deserialize)]
pub enum Message {
    /// The sender's counter.
    Ping(u64),
    /// The same one back.
    Ack(u64),
}

/// The next tick.
pub struct Tick;

const ACKS: Metric = Metric::counter("acks").help("pings that came back");
const COUNT: Metric = Metric::histogram("count").quantum(1.0).help("the counter of each ping");

impl<const N: usize> Peerlet for Gossip<N> {
    const NAME: &'static str = ["gossip", "gossip_two", "gossip_three"][N];
    type Message = Message;
    type Timer = Tick;

    fn describe(about: &mut Description<Self>) {
        about.help("pings a random peer every second").measures(&ACKS).measures(&COUNT);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let phase = phase(ctx);
        ctx.after(phase, Tick);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, Tick: Tick) {
        ctx.after(SECOND, Tick);
        if let Some(address) = other(ctx) {
            self.sent += 1;
            ctx.send(address, Message::Ping(self.sent));
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        match message {
            Message::Ping(count) => {
                self.received += count;
                ctx.measure(COUNT, count as f64);
                ctx.send(from, Message::Ack(count));
            }
            Message::Ack(_) => {
                self.acked += 1;
                ctx.measure(ACKS, 1.0);
            }
        }
    }
}
