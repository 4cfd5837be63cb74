//! Groups with stacks of their own in two processes: peerlets act as siblings that only some peers
//! have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peerlet_core::{
    Address, Context, Description, MILLISECOND, Metric, Need, Nothing, Peer, Peerlet, Seat,
};
use peerlet_live::{Join, LiveSetup, Sockets};

use crate::honest::Running;
use crate::runs::{LONG, PATIENCE, runtime};

const SEATS: u32 = 6;
const STORED: Metric = Metric::counter("stored");

/// Keeps numbers; every peer has one, at another place of its stack.
#[derive(Clone)]
struct Store {
    is_reliable: bool,
    stored: Arc<Vec<AtomicU64>>,
}

impl Peerlet for Store {
    const NAME: &'static str = "store";
    type Message = u32;
    type Timer = u32;

    fn describe(about: &mut Description<Self>) {
        about.measures(&STORED);
    }

    /// Set by the sibling: it stores in the own name.
    fn timer(&mut self, ctx: &mut Context<Self>, number: u32) {
        let own = ctx.seat();
        for seat in (0..SEATS).map(Seat).filter(|seat| *seat != own) {
            let Some(to) = ctx.seats().address(seat) else { continue };
            if self.is_reliable {
                // A full queue goes on later.
                ctx.send_reliably(to, number).ok();
            } else {
                ctx.send(to, number);
            }
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, number: u32) {
        ctx.measure(STORED, 1.0);
        self.stored[number as usize].fetch_add(1, Ordering::Relaxed);
        // Peers of the other group have no client, and are not asked for one.
        assert_eq!(ctx.has::<Client>(), ctx.seat().0.is_multiple_of(2), "by group");
    }
}

/// Has the store of its own peer send, by a timer of the store's; peers with an even seat have one.
#[derive(Clone)]
struct Client;

impl Peerlet for Client {
    const NAME: &'static str = "client";
    type Message = Nothing;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(MILLISECOND * 20, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let number = ctx.seat().0;
        ctx.of::<Store>().after(MILLISECOND, number);
    }
}

/// Says that it needs what it needs, and does nothing; peers with an odd seat have one.
#[derive(Clone)]
struct Needs;

impl Peerlet for Needs {
    const NAME: &'static str = "needs";
    type Message = Nothing;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Identity);
    }
}

fn check(sockets: Sockets) {
    let is_reliable = sockets == Sockets::Quic;
    let stored: Arc<Vec<AtomicU64>> = Arc::new((0..SEATS).map(|_| AtomicU64::new(0)).collect());
    let new = |index| {
        let store = Store { is_reliable, stored: stored.clone() };
        let build = move |seat: Seat| match seat.0.is_multiple_of(2) {
            true => Peer::new().with(Client).with(store.clone()),
            false if is_reliable => Peer::new().with(store.clone()).with(Needs),
            false => Peer::new().with(store.clone()),
        };
        LiveSetup {
            sockets,
            shards: 2,
            index: Some(index),
            ..LiveSetup::new("stacks", SEATS, LONG, build)
        }
    };
    runtime().block_on(async {
        let first = Running::start(new((0, 2))).await;
        let join = Some(Join::at(first.at));
        let second = Running::start(LiveSetup { join, ..new((3, 5)) }).await;
        let going = async {
            let has_enough = |(seat, count): (usize, &AtomicU64)| {
                seat % 2 == 1 || count.load(Ordering::Relaxed) >= 50
            };
            while !stored.iter().enumerate().all(has_enough) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, going).await.expect("all clients are heard everywhere");
        // All at once, as nobody waits for the last words of others then.
        first.ask_to_stop();
        second.stop().await;
        let outcome = first.stop().await;
        let counted: u64 = stored.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        assert_eq!(outcome.measures.total()[0].sum(), i128::from(counted), "the table is true");
        assert_eq!(outcome.whole.map(|whole| whole.processes), Some(2));
    });
}

#[test]
fn groups_with_unlike_stacks_work_together_over_quic() {
    check(Sockets::Quic);
}

#[test]
fn groups_with_unlike_stacks_work_together_over_udp() {
    check(Sockets::Udp { closed_network: false });
}
