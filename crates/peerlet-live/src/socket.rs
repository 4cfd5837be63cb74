//! A UDP socket, or an emulated one that looks like it.

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
