//! PHOLD (Fujimoto 1990): whoever gets a message sends one on, to anybody; the network takes a
//! random time for it.

use peerlet_core::{Address, Context, Nothing, Peerlet};
use serde::{Deserialize, Serialize};

use super::seats::other;

/// Sends on what comes.
#[derive(Clone, Default)]
pub struct Phold {
    /// How many messages it starts with.
    pub population: u32,
    relayed: u64,
}

impl Phold {
    /// One that starts with this many messages.
    pub fn new(population: u32) -> Phold {
        Phold { population, relayed: 0 }
    }
}

/// A message without content.
#[derive(Serialize, Deserialize)]
pub struct Job;

impl Peerlet for Phold {
    const NAME: &'static str = "phold";
    type Message = Job;
    type Timer = Nothing;

    fn start(&mut self, ctx: &mut Context<Self>) {
        for _ in 0..self.population {
            if let Some(address) = other(ctx) {
                ctx.send(address, Job);
            }
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, _from: Address, Job: Job) {
        self.relayed += 1;
        if let Some(address) = other(ctx) {
            ctx.send(address, Job);
        }
    }
}
