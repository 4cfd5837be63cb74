//! An emulated socket: a peer's socket, with a model between it and the others.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use peerlet_core::{Address, Duration, Map, Seat};
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::net::UdpSocket;

use super::packet::{Load, Order, STAMP_LEN, read_stamp};
use super::readings::Readings;

/// A peer's socket, whose packets go by the driver.
pub(crate) struct EmulatedSocket {
    pub(super) io: Arc<UdpSocket>,
    pub(super) local: SocketAddr,
    pub(super) seat: Seat,
    pub(super) driver: SyncSender<Order>,
    /// Packets of all sockets that did not fit the driver's queue.
    pub(super) overflow: Arc<AtomicU64>,
    /// The origin of stamps.
    pub(super) epoch: Instant,
    /// On the real network there is none.
    pub(super) emulation: Option<Emulation>,
}

/// The state of an emulation that all its sockets share.
#[derive(Clone, Debug, Default)]
pub(super) struct Emulation {
    pub(super) readings: Readings,
    /// Whose the sockets on loopback are, once all are there.
    pub(super) seats: Arc<OnceLock<Map<SocketAddr, Seat>>>,
}

/// The address of a seat in an emulation: the one that it has in simulation, so that whatever
/// depends on addresses is the same in both.
pub(crate) fn shown(seat: Seat) -> SocketAddr {
    Address::simulated(seat).socket()
}

impl EmulatedSocket {
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Gives a packet with this many datagrams to the network. An error tells that the driver is
    /// behind by more packets than it holds, or has ended.
    pub(crate) fn give(&self, to: SocketAddr, bytes: &[u8], datagrams: u32) -> io::Result<()> {
        let mut stamped = Vec::with_capacity(STAMP_LEN + bytes.len());
        stamped.extend_from_slice(&[0; STAMP_LEN]);
        stamped.extend_from_slice(bytes);
        let (at, from) = (Instant::now(), self.seat);
        let order = Order::Carry(Load { at, from, to, bytes: stamped, datagrams });
        self.driver.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => {
                self.overflow.fetch_add(1, Ordering::Relaxed);
                io::ErrorKind::WouldBlock.into()
            }
            TrySendError::Disconnected(_) => io::ErrorKind::NotConnected.into(),
        })
    }

    /// Receives a packet; what comes from elsewhere is passed over.
    pub(crate) async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            let (len, from) = self.io.recv_from(buffer).await?;
            if let Some(opened) = self.open(buffer, len, from) {
                return Ok(opened);
            }
        }
    }

    /// Receives a packet that is there.
    pub(crate) fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            let (len, from) = self.io.try_recv_from(buffer)?;
            if let Some(opened) = self.open(buffer, len, from) {
                return Ok(opened);
            }
        }
    }

    /// Takes the stamp off a packet, and notes how late it is; how long it is then, and whose.
    fn open(&self, buffer: &mut [u8], len: usize, from: SocketAddr) -> Option<(usize, SocketAddr)> {
        let Some(Emulation { readings, seats }) = &self.emulation else { return Some((len, from)) };
        let from = shown(*seats.get()?.get(&from)?);
        let (due, part) = read_stamp(*buffer[..len].first_chunk()?);
        if let Some(part) = part {
            let now = Duration::from(self.epoch.elapsed());
            readings.note(now.saturating_sub(due), part);
        }
        buffer.copy_within(STAMP_LEN..len, 0);
        Some((len - STAMP_LEN, from))
    }
}

impl fmt::Debug for EmulatedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatedSocket")
            .field("seat", &self.seat)
            .field("local", &self.local)
            .finish()
    }
}

impl AsyncUdpSocket for EmulatedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        // As a full buffer of the operating system loses a packet, and QUIC sends it again.
        self.give(transmit.destination, transmit.contents, 0).or_else(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Ok(()),
            _ => Err(error),
        })
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.io.poll_recv_ready(cx))?;
            let mut count = 0;
            for (buffer, meta) in bufs.iter_mut().zip(meta.iter_mut()) {
                match self.try_recv_from(buffer) {
                    Ok((len, addr)) => {
                        *meta = RecvMeta { addr, len, stride: len, ecn: None, dst_ip: None };
                        count += 1;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if count == 0 => return Poll::Ready(Err(error)),
                    Err(_) => break,
                }
            }
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

/// The driver takes packets at any time.
#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
