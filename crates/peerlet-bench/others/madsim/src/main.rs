//! The gossip workload by madsim: nodes with an endpoint each, delays uniform in 50..150 ms.
//!
//! Takes peers, seconds and a seed; prints one JSON object, as `peerlet-bench` reads it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use madsim::net::Endpoint;
use madsim::rand::Rng;
use madsim::runtime::Runtime;
use madsim::{Config, time};

const PORT: u16 = 9_000;
const PING: u64 = 0;
const ACK: u64 = 1;

/// What all nodes share.
#[derive(Default)]
struct Shared {
    events: AtomicU64,
    hash: AtomicU64,
}

fn address(peer: u32) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0001 + peer)), PORT)
}

/// One node's program: three tasks, as its endpoints wait for one tag each.
async fn gossip(me: u32, peers: u32, shared: Arc<Shared>) {
    let endpoint = Endpoint::bind(address(me)).await.expect("its own address is free");
    let (pings, acks) = (endpoint.clone(), endpoint.clone());
    let (answering, counting) = (shared.clone(), shared.clone());
    madsim::task::spawn(async move {
        let (mut bytes, mut received) = ([0; 8], 0u64);
        while let Ok((_, from)) = pings.recv_from(PING, &mut bytes).await {
            answering.events.fetch_add(1, Ordering::Relaxed);
            received += u64::from_le_bytes(bytes);
            answering.hash.fetch_xor(received.rotate_left(me), Ordering::Relaxed);
            if pings.send_to(from, ACK, &bytes).await.is_err() {
                return;
            }
        }
    });
    madsim::task::spawn(async move {
        let mut bytes = [0; 8];
        while acks.recv_from(ACK, &mut bytes).await.is_ok() {
            counting.events.fetch_add(1, Ordering::Relaxed);
        }
    });
    let phase = Duration::from_nanos(madsim::rand::thread_rng().gen_range(0..1_000_000_000));
    let mut ticks = time::interval_at(time::Instant::now() + phase, Duration::from_secs(1));
    for sent in 1u64.. {
        ticks.tick().await;
        shared.events.fetch_add(1, Ordering::Relaxed);
        let other = madsim::rand::thread_rng().gen_range(0..peers - 1);
        let other = other + u32::from(other >= me);
        if endpoint.send_to(address(other), PING, &sent.to_le_bytes()).await.is_err() {
            return;
        }
    }
}

fn main() -> ExitCode {
    let argument = |i: usize| std::env::args().nth(i)?.parse::<u64>().ok();
    let (Some(peers), Some(seconds), Some(seed)) = (argument(1), argument(2), argument(3)) else {
        eprintln!("usage: peerlet-bench-madsim PEERS SECONDS SEED");
        return ExitCode::FAILURE;
    };
    let began = Instant::now();
    let mut config = Config::default();
    config.net.send_latency = Duration::from_millis(50)..Duration::from_millis(150);
    let runtime = Runtime::with_seed_and_config(seed, config);
    let shared = Arc::new(Shared::default());
    for me in 0..peers as u32 {
        let node = runtime.create_node().ip(address(me).ip()).build();
        let shared = shared.clone();
        node.spawn(async move { gossip(me, peers as u32, shared).await });
    }
    let set_up = began.elapsed().as_secs_f64();

    let began = Instant::now();
    runtime.block_on(async move { time::sleep(Duration::from_secs(seconds)).await });
    let wall = began.elapsed().as_secs_f64();
    let (events, hash) = (&shared.events, &shared.hash);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: u64 = line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
    println!(
        "{{\"events\":{},\"set_up_seconds\":{set_up},\"wall_seconds\":{wall},\
         \"peak_bytes\":{},\"hash\":\"{:016x}\"}}",
        events.load(Ordering::Relaxed),
        kib * 1024,
        hash.load(Ordering::Relaxed)
    );
    ExitCode::SUCCESS
}
