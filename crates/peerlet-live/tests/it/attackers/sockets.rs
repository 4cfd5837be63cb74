//! Plain UDP sockets of an attacker, whose packets are counted both ways.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::meter::Counts;

/// Networks that an attacker sends from, where loopback has as many.
const NETWORKS: usize = 16;

/// A free port of an address in one of several networks.
pub fn source(number: usize) -> SocketAddr {
    let network = if cfg!(target_os = "linux") { (number % NETWORKS) as u8 } else { 0 };
    (Ipv4Addr::new(127, 0, network, 1), 0).into()
}

/// Sockets that take turns.
pub struct Sockets {
    all: Vec<Arc<UdpSocket>>,
    next: usize,
    counts: Arc<Counts>,
    _draining: JoinSet<()>,
}

impl Sockets {
    pub async fn bind(count: usize, counts: &Arc<Counts>) -> Sockets {
        let (mut all, mut draining) = (Vec::new(), JoinSet::new());
        for number in 0..count {
            let socket = UdpSocket::bind(source(number)).await.expect("loopback can be bound");
            let (socket, counts) = (Arc::new(socket), counts.clone());
            all.push(socket.clone());
            draining.spawn(async move {
                let mut buffer = [0; 2_000];
                // A port that nobody has is reported as an error of the next call.
                loop {
                    if let Ok((len, _)) = socket.recv_from(&mut buffer).await {
                        counts.came(len);
                    }
                }
            });
        }
        Sockets { all, next: 0, counts: counts.clone(), _draining: draining }
    }

    /// Sends a packet from the next socket; a full buffer loses it, as networks do.
    pub async fn send(&mut self, packet: &[u8], to: SocketAddr) {
        self.next = (self.next + 1) % self.all.len();
        if self.all[self.next].send_to(packet, to).await.is_ok() {
            self.counts.sent(packet.len());
        }
    }
}
