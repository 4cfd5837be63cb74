//! `turmoil`: hosts, each with a tokio runtime and a UDP socket, that advance together in ticks.
//!
//! A tick is 10 ms here: ten times its default, and ten times as fast.
//!
//! Its latency lies between the same bounds, but falls off exponentially; that costs no more.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use peerlet_bench_yardstick::{RandomStream, Plan, Workload};
use turmoil::Builder;
use turmoil::net::UdpSocket;

use crate::sample::Sample;

const PORT: u16 = 9_000;
const TICK: Duration = Duration::from_millis(10);
const PING: u8 = 0;
const ACK: u8 = 1;

/// What all hosts share.
struct Shared {
    addresses: Vec<IpAddr>,
    events: Cell<u64>,
    hash: Cell<u64>,
    seed: u64,
}

impl Shared {
    fn count(&self) {
        self.events.set(self.events.get() + 1);
    }
}

/// A message: what it is, and a counter.
fn encode(kind: u8, count: u64) -> [u8; 9] {
    let mut bytes = [kind; 9];
    bytes[1..].copy_from_slice(&count.to_le_bytes());
    bytes
}

/// One host's program.
async fn gossip(me: u32, shared: Rc<Shared>) -> turmoil::Result {
    let peers = shared.addresses.len() as u32;
    let mut random = RandomStream::new(shared.seed, me);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let phase = Duration::from_nanos(random.below(1_000_000_000));
    let mut ticks =
        tokio::time::interval_at(tokio::time::Instant::now() + phase, Duration::from_secs(1));
    let (mut sent, mut received) = (0u64, 0u64);
    let mut bytes = [0; 9];
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                sent += 1;
                let to = shared.addresses[random.other(me, peers) as usize];
                socket.send_to(&encode(PING, sent), (to, PORT)).await?;
            }
            came = socket.recv_from(&mut bytes) => {
                let (_, from) = came?;
                let [kind, count @ ..] = bytes;
                let count = u64::from_le_bytes(count);
                if kind == PING {
                    received += count;
                    socket.send_to(&encode(ACK, count), from).await?;
                } else {
                    shared.hash.set(shared.hash.get().rotate_left(5) ^ received ^ count);
                }
            }
        }
        shared.count();
    }
}

/// Runs a workload.
///
/// # Errors
/// When there is no program for it, or a host fails.
pub fn run(workload: Workload, plan: &Plan) -> Result<Sample, String> {
    if workload != Workload::Gossip {
        return Err(format!("no program for {}", workload.name()));
    }
    let began = Instant::now();
    let mut simulation = Builder::new()
        .tick_duration(TICK)
        .min_message_latency(Duration::from_millis(50))
        .max_message_latency(Duration::from_millis(150))
        .rng_seed(plan.seed)
        .build();
    let name = |peer: u32| format!("peer-{peer}");
    let shared = Rc::new(Shared {
        addresses: (0..plan.peers).map(|peer| simulation.lookup(name(peer))).collect(),
        events: Cell::new(0),
        hash: Cell::new(0),
        seed: plan.seed,
    });
    for me in 0..plan.peers {
        let shared = shared.clone();
        simulation.host(name(me), move || gossip(me, shared.clone()));
    }
    let set_up = began.elapsed();

    let began = Instant::now();
    let ticks = u128::from(plan.seconds) * 1_000_000_000 / TICK.as_nanos();
    for _ in 0..ticks {
        simulation.step().map_err(|error| error.to_string())?;
    }
    Ok(Sample::new(shared.events.get(), set_up, began.elapsed(), shared.hash.get()))
}
