//! The attacker's process, and the process that sends the same load without content.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::attackers::Attack;
use crate::attackers::scene::Scene;
use crate::attackers::sockets::Sockets;
use crate::child::answer;
use crate::hostile::LOOPBACK;
use crate::measure::Load;

/// The seats that are free for an attacker who takes part.
const SEATS: (u32, u32) = (4, 5);
/// Sockets that a load comes from.
const SOCKETS: usize = 32;
/// The longest that a load computes between two packets.
const SPELL: Duration = Duration::from_micros(500);

/// Prepares an attack and says so. Then `begin ADDRESS` starts it, and `counts` asks how much it
/// has sent.
pub async fn attack(attack: &Attack, first: SocketAddr, mut told: UnboundedReceiver<String>) {
    let (scene, mut cue) = Scene::new(first, SEATS, attack.rate);
    let mut program = tokio::spawn((attack.program)(scene));
    cue.ready().await;
    answer(&"ready");
    loop {
        let line = tokio::select! {
            line = told.recv() => line,
            ended = &mut program => panic!("{} has ended: {ended:?}", attack.name),
        };
        match line.as_deref().map(|line| line.split_once(' ').unwrap_or((line, ""))) {
            Some(("begin", second)) => cue.begin(second.parse().expect("an address")),
            Some(("counts", _)) => answer(&cue.counts.now()),
            _ => return,
        }
    }
}

/// Sends packets of zeros to a socket that nobody reads, and computes as long as an attacker does,
/// until a line comes or its input ends.
pub async fn load(load: Load, mut told: UnboundedReceiver<String>) {
    let sink = UdpSocket::bind(LOOPBACK).await.expect("loopback can be bound");
    let to = sink.local_addr().expect("it is bound");
    let (mut scene, cue) = Scene::new(to, (0, 0), load.rate);
    cue.begin(to);
    scene.begin().await;
    let mut sockets = Sockets::bind(SOCKETS, &scene.counts).await;
    let (packet, mut share) = (vec![0; load.len], Share::new(load.busy));
    let sending = async {
        loop {
            scene.tick().await;
            sockets.send(&packet, to).await;
            share.spend();
        }
    };
    tokio::select! {
        () = sending => {}
        _ = told.recv() => {}
    }
}

/// A share of a processor's time that is to be spent.
struct Share {
    share: f64,
    since: Instant,
    before: Duration,
}

impl Share {
    fn new(share: f64) -> Share {
        Share { share, since: Instant::now(), before: busy() }
    }

    /// Computes until the share is spent, but not for long at once.
    fn spend(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < SPELL {
            let due = self.since.elapsed().mul_f64(self.share);
            if busy() - self.before >= due {
                return;
            }
        }
    }
}

/// The processor time that this process has taken.
fn busy() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
