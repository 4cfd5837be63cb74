//! A UDP socket, or an emulated one that looks like it; and where addresses lead.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;

use crate::buffers;
use crate::emulation::EmulatedSocket;

/// The socket that plain UDP sends and receives with.
#[derive(Debug)]
pub(crate) enum Socket {
    Real(UdpSocket),
    Emulated(Arc<EmulatedSocket>),
}

impl Socket {
    /// Binds a socket of the operating system. Needs a tokio runtime.
    pub(crate) fn bind(at: SocketAddr) -> io::Result<Socket> {
        let socket = buffers::bind(at)?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket).map(Socket::Real)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Socket::Real(socket) => socket.local_addr(),
            Socket::Emulated(socket) => Ok(socket.local_addr()),
        }
    }

    pub(crate) async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Socket::Real(socket) => socket.recv_from(buffer).await,
            Socket::Emulated(socket) => socket.recv_from(buffer).await,
        }
    }

    pub(crate) fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Socket::Real(socket) => socket.try_recv_from(buffer),
            Socket::Emulated(socket) => socket.try_recv_from(buffer),
        }
    }

    /// Sends a packet with this many datagrams, waiting while the operating system's buffer is
    /// full.
    pub(crate) async fn send_to(
        &self,
        packet: &[u8],
        to: SocketAddr,
        datagrams: u64,
    ) -> io::Result<()> {
        match self {
            Socket::Real(socket) => socket.send_to(packet, to).await.map(|_| ()),
            Socket::Emulated(socket) => socket.give(to, packet, datagrams as u32),
        }
    }
}

/// Whether an address is one of this machine's: only then packets to it have it as their source.
pub(crate) fn is_here(ip: IpAddr) -> bool {
    let source = || {
        let any: IpAddr = if ip.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() };
        let socket = std::net::UdpSocket::bind((any, 0))?;
        socket.connect((ip, 9))?;
        socket.local_addr()
    };
    ip.is_loopback() || ip.is_unspecified() || source().is_ok_and(|source| source.ip() == ip)
}

/// The network that an address is budgeted with: the first 24 bits of IPv4, the first 56 of IPv6.
pub(crate) fn network_of(ip: IpAddr) -> [u8; 7] {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            [4, 0, 0, 0, a, b, c]
        }
        IpAddr::V6(v6) => {
            let mut first = [0; 7];
            first.copy_from_slice(&v6.octets()[..7]);
            first
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_budgeted_by_their_prefix() {
        let of = |ip: &str| network_of(ip.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("192.0.2.200"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.9"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:ff::2"));
        assert_ne!(of("2001:db8:0:100::1"), of("2001:db8:0:200::1"));
    }
}
