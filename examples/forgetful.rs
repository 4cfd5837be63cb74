//! A ring with a planted fault, and the properties that find it.
//!
//! Each peer tells the next one every second that it is there. After twenty times a peer forgets
//! its predecessor, as a slip in clean-up code would have it.
//!
//! ```text
//! cargo run --release --example forgetful -- sim --peers 20 --for 60s
//! ```
//!
//! The run fails, and says at what time, of which peers, and with which command to look at them.

use peerlet::prelude::*;

/// A place on a ring of all seats.
#[derive(Default)]
struct Ring {
    successor: Option<Address>,
    predecessor: Option<Address>,
    /// How often the predecessor was heard.
    heard: u32,
}

/// The sender precedes the receiver.
#[derive(Serialize, Deserialize)]
struct Here;

impl Peerlet for Ring {
    const NAME: &'static str = "ring";
    type Message = Here;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about
            .help("keeps a ring of all seats, and forgets")
            .property(Property::always(
                "nobody forgets",
                each_peer(|ring: &Ring, _| match (ring.heard, ring.predecessor) {
                    (1.., None) => Err("it has heard its predecessor, and has none"),
                    _ => Ok(()),
                }),
            ))
            .property(
                Property::eventually("all have a predecessor", whole_network(have_predecessors))
                    .within(SECOND * 10),
            )
            .property(Property::sometimes(
                "somebody was heard a thousand times",
                each_peer(|ring: &Ring, _| ring.heard >= 1_000),
            ));
    }

    fn snapshot(&self) -> Option<String> {
        let of = |peer: Option<Address>| peer.map_or("nobody".to_owned(), |at| at.to_string());
        let (before, after) = (of(self.predecessor), of(self.successor));
        Some(format!("between {before} and {after}, heard {} times", self.heard))
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let seats = ctx.seats().count();
        self.successor = ctx.seats().address(Seat((ctx.seat().0 + 1) % seats));
        ctx.every(SECOND, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        if let Some(successor) = self.successor {
            ctx.send(successor, Here);
        }
    }

    fn message(&mut self, _: &mut Context<Self>, from: Address, Here: Here) {
        self.heard += 1;
        // The planted fault: whoever was heard long enough is cleared away.
        self.predecessor = (!self.heard.is_multiple_of(20)).then_some(from);
    }
}

fn have_predecessors(world: &WorldView<'_>) -> Result<(), Violation> {
    let lonely = world.peerlets::<Ring>().filter(|(_, ring)| ring.predecessor.is_none());
    Violation::of_peers("some have no predecessor", lonely.map(|(seat, _)| (seat, "none")))
}

fn main() -> ExitCode {
    let experiment = Experiment::new("forgetful").check("ring/*");
    experiment.peer(|_seat| Peer::new().with(Ring::default())).main()
}
