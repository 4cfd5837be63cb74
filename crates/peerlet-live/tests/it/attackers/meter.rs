//! Counts packets and bytes at an attacker's sockets.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::ops::Sub;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};

/// Counts of an attacker, while it goes on.
#[derive(Default, Debug)]
pub struct Counts {
    ticks: AtomicU64,
    packets: AtomicU64,
    asked: AtomicU64,
    answers: AtomicU64,
    answered: AtomicU64,
}

/// Counts of an attacker at some time.
#[derive(Clone, Copy, Default, Debug, serde::Serialize, serde::Deserialize)]
pub struct Counted {
    /// Actions of its program.
    pub ticks: u64,
    /// Packets sent, and their bytes.
    pub packets: u64,
    pub asked: u64,
    /// Packets that came, and their bytes.
    pub answers: u64,
    pub answered: u64,
}

impl Sub for Counted {
    type Output = Counted;

    fn sub(self, before: Counted) -> Counted {
        Counted {
            ticks: self.ticks - before.ticks,
            packets: self.packets - before.packets,
            asked: self.asked - before.asked,
            answers: self.answers - before.answers,
            answered: self.answered - before.answered,
        }
    }
}

impl Counts {
    pub fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a sent packet of this length.
    pub fn sent(&self, len: usize) {
        self.sent_in(len, len);
    }

    /// Counts packets of `each` bytes that together have `len`.
    fn sent_in(&self, len: usize, each: usize) {
        self.packets.fetch_add(len.div_ceil(each.max(1)) as u64, Ordering::Relaxed);
        self.asked.fetch_add(len as u64, Ordering::Relaxed);
    }

    /// Counts a packet of this length that came.
    pub fn came(&self, len: usize) {
        self.came_in(len, len);
    }

    fn came_in(&self, len: usize, each: usize) {
        self.answers.fetch_add(len.div_ceil(each.max(1)) as u64, Ordering::Relaxed);
        self.answered.fetch_add(len as u64, Ordering::Relaxed);
    }

    pub fn now(&self) -> Counted {
        Counted {
            ticks: self.ticks.load(Ordering::Relaxed),
            packets: self.packets.load(Ordering::Relaxed),
            asked: self.asked.load(Ordering::Relaxed),
            answers: self.answers.load(Ordering::Relaxed),
            answered: self.answered.load(Ordering::Relaxed),
        }
    }
}

/// Decides by its first byte whether a packet that came is read.
pub type Filter = fn(u8) -> bool;

/// A socket of QUIC's whose packets are counted.
pub struct MeteredSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    counts: Arc<Counts>,
    filter: Filter,
}

impl MeteredSocket {
    /// A new one at this address, which reads the packets that the filter lets through.
    pub fn bind(at: SocketAddr, counts: Arc<Counts>, filter: Filter) -> MeteredSocket {
        let socket = std::net::UdpSocket::bind(at).expect("loopback can be bound");
        let inner = TokioRuntime.wrap_udp_socket(socket).expect("it can be read without waiting");
        MeteredSocket { inner, counts, filter }
    }
}

impl fmt::Debug for MeteredSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl AsyncUdpSocket for MeteredSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        self.inner.try_send(transmit)?;
        let len = transmit.contents.len();
        self.counts.sent_in(len, transmit.segment_size.unwrap_or(len));
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let count = ready!(self.inner.poll_recv(cx, buffers, meta))?;
            let mut kept = false;
            for (buffer, meta) in buffers.iter().zip(&mut *meta).take(count) {
                self.counts.came_in(meta.len, meta.stride);
                if meta.len > 0 && (self.filter)(buffer[0]) {
                    kept = true;
                } else {
                    meta.len = 0;
                }
            }
            if kept || count == 0 {
                return Poll::Ready(Ok(count));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }
}
