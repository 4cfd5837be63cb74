//! QUIC: encrypted, with identities, ordered streams and datagrams.
//!
//! One socket listens and dials. A link to another process is the connection that we send on; when
//! both have dialled at once, each sends on one and reads from both. Tasks run the connections and
//! report to the transport, which alone keeps the table of links.

mod config;
mod ending;
mod gate;
mod link;
mod streams;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use peerlet_core::{Duration, Identity};
use quinn::{AsyncUdpSocket, ClientConfig, Connection, Endpoint, SendDatagramError, VarInt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::admission::Admission;
use crate::counters::{Counters, SocketDrop, Tally};
use crate::emulation::EmulatedSocket;
use crate::frame::{DATAGRAM_FRAME_MAX, STREAM_FRAME_MAX};
use crate::key::ProcessKey;
use crate::socket::network_of;
use crate::tls;
use crate::transport::{
    BATCH_MAX, BindError, Capabilities, Inbound, KeptOutNotice, LinkError, Outbound, Transport,
};
use ending::{BoundSocket, farewell, let_datagrams_leave};
use gate::{Gate, crowded_out};
use link::{EndpointShared, UNWANTED};
use streams::{HeldBytes, Queued, Streams};
use waiting::{StreamFrame, WaitingFrames, is_for};

/// Processes that a transport is linked to: at 70 kB a connection, 290 MB.
pub const LINKS_MAX: usize = 4096;
/// Sockets whose identity is remembered: some for each link, since contacts outlive links.
const EXPECTED_MAX: usize = 1 << 16;
/// Datagrams that wait for a link while it is dialled.
const DIALLING_DATAGRAMS_MAX: usize = 64;
/// Bytes of answers that wait for a stranger: it asks again.
const STRANGER_HELD_MAX: usize = 8 * 1024;
/// Batches of frames that wait for the shard. A batch holds 128 datagrams or about 64 KiB of a
/// stream.
const EVENTS_MAX: usize = 256;

/// A report of a link's tasks.
#[derive(Debug)]
enum LinkEvent {
    Frames(Vec<Inbound>),
    Up {
        with: SocketAddr,
        identity: Identity,
        connection: Connection,
        dialled: bool,
        /// Dropped, the connection is closed; answered, it is read from.
        wanted: oneshot::Sender<()>,
    },
    DialFailed {
        to: SocketAddr,
        why: LinkError,
    },
    Down {
        with: SocketAddr,
        id: usize,
        why: LinkError,
    },
    Unblocked {
        to: SocketAddr,
    },
}

/// A link that we send on, or are about to.
#[derive(Debug)]
enum QuicLink {
    Dialling { held: Arc<HeldBytes>, waiting: WaitingFrames },
    Up(Box<EstablishedLink>),
}

#[derive(Debug)]
struct EstablishedLink {
    identity: Identity,
    connection: Connection,
    dialled: bool,
    held: Arc<HeldBytes>,
    streams: Streams,
    /// A connection with the same process that only it sends on, when both have dialled.
    extra: Option<Connection>,
}

/// A QUIC endpoint with its links.
///
/// Links come about in [`receive`](Transport::receive): whoever sends must also receive.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use peerlet_live::{Inbound, Outbound, ProcessKey, QuicTransport, Transport};
/// let (loopback, key) = ("127.0.0.1:0".parse()?, ProcessKey::generate());
/// let mut bob = QuicTransport::bind(key, loopback)?;
/// let mut alice = QuicTransport::bind(ProcessKey::generate(), loopback)?;
/// alice.expect(bob.local_addr(), Some(bob.identity()));
/// let (to, frame) = (bob.local_addr(), "hello".into());
/// alice.send(&mut vec![Outbound::Stream { to, pair: (0, 0), frame }]).await;
/// let mut came = Vec::new();
/// alice.receive(&mut came).await;
/// assert_eq!(came, [Inbound::LinkUp { with: to, identity: bob.identity() }]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct QuicTransport {
    key: ProcessKey,
    endpoint: Endpoint,
    /// The endpoint's socket, where it is a real one.
    bound: Option<BoundSocket>,
    local: SocketAddr,
    /// How to dial those whose identity is not known.
    anybody: ClientConfig,
    expected: BTreeMap<SocketAddr, Identity>,
    links: BTreeMap<SocketAddr, QuicLink>,
    /// The links of processes that do not take part, oldest first, with their connections.
    links_per_network: usize,
    strangers: Vec<(SocketAddr, usize)>,
    shared: EndpointShared,
    events: mpsc::Receiver<LinkEvent>,
    /// Events that came about while sending, for the next `receive`.
    pending: Vec<Inbound>,
}

/// The rules by which a QUIC transport lets processes in and listens to them.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// The rule of admission. Default: anybody may connect.
    pub admission: Admission,
    /// Whether it listens only to those it [expects](Transport::expect). Others may say a little
    /// about joining, over few connections. Default: it listens to everybody whom it lets in.
    pub has_roster: bool,
    /// How many connections from one network (/24, or /56 of IPv6) it keeps that others dialed.
    /// Default: as many as of all.
    pub links_per_network: Option<usize>,
}

impl QuicTransport {
    /// Binds a socket that lets anybody in; must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the operating system refuses the address.
    pub fn bind(key: ProcessKey, at: SocketAddr) -> Result<QuicTransport, BindError> {
        QuicTransport::bind_guarded(key, at, Guard::default())
    }

    /// Binds a socket; must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the operating system refuses the address.
    pub fn bind_guarded(
        key: ProcessKey,
        at: SocketAddr,
        guard: Guard,
    ) -> Result<QuicTransport, BindError> {
        let io = |source| BindError::Io { at, source };
        let socket = config::bind(at).map_err(io)?;
        let bound = BoundSocket::new(&socket);
        QuicTransport::over(key, socket, Some(bound), guard).map_err(io)
    }

    /// QUIC over an emulated socket; must be called within a tokio runtime.
    pub(crate) fn emulated(
        key: ProcessKey,
        socket: Arc<EmulatedSocket>,
        guard: Guard,
    ) -> io::Result<QuicTransport> {
        QuicTransport::over(key, socket, None, guard)
    }

    fn over(
        key: ProcessKey,
        socket: Arc<dyn AsyncUdpSocket>,
        bound: Option<BoundSocket>,
        guard: Guard,
    ) -> io::Result<QuicTransport> {
        let endpoint = config::over(&key, socket)?;
        let local = endpoint.local_addr()?;
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let gate = Arc::new(Gate::new(guard.admission, key.identity(), guard.has_roster));
        let shared = EndpointShared { events, tally: Tally::default(), gate };
        tokio::spawn(link::accept(endpoint.clone(), shared.clone()));
        Ok(QuicTransport {
            anybody: config::client(&key, None),
            key,
            endpoint,
            bound,
            local,
            expected: BTreeMap::new(),
            links: BTreeMap::new(),
            links_per_network: guard.links_per_network.unwrap_or(LINKS_MAX),
            strangers: Vec::new(),
            shared,
            events: receiver,
            pending: Vec::new(),
        })
    }

    /// The identity of this process.
    pub fn identity(&self) -> Identity {
        self.key.identity()
    }

    /// The link to a process, dialled if there is none.
    fn link(&mut self, to: SocketAddr) -> Result<&mut QuicLink, LinkError> {
        if !self.links.contains_key(&to) {
            if self.links.len() >= LINKS_MAX {
                return Err(LinkError::TooMany);
            }
            let config = match self.expected.get(&to) {
                Some(expected) => config::client(&self.key, Some(*expected)),
                None => self.anybody.clone(),
            };
            let connecting = self
                .endpoint
                .connect_with(config, to, tls::SERVER_NAME)
                .map_err(|_| LinkError::Unreachable)?;
            tokio::spawn(link::dial(to, connecting, self.shared.clone()));
            let (held, waiting) = Default::default();
            self.links.insert(to, QuicLink::Dialling { held, waiting });
        }
        Ok(self.links.get_mut(&to).expect("the link is in the table"))
    }

    fn send_datagram(&mut self, to: SocketAddr, wanted: Option<Identity>, frame: Bytes) {
        if frame.len() > DATAGRAM_FRAME_MAX {
            return self.shared.tally.add(SocketDrop::TooLarge, 1);
        }
        let (tally, gate) = (self.shared.tally.clone(), Arc::clone(&self.shared.gate));
        match self.link(to) {
            Err(_) => tally.add(SocketDrop::Link, 1),
            Ok(QuicLink::Up(up)) if !is_for(wanted, up.identity) => {
                tally.add(SocketDrop::Identity, 1)
            }
            // A stranger that acknowledges nothing must not make us keep much.
            Ok(QuicLink::Up(up))
                if config::datagrams_held(&up.connection) > STRANGER_HELD_MAX
                    && !gate.is_member(up.identity) =>
            {
                tally.add(SocketDrop::Queue, 1);
            }
            Ok(QuicLink::Up(up)) => transmit(&up.connection, frame, &tally),
            Ok(QuicLink::Dialling { waiting: WaitingFrames { datagrams, .. }, .. })
                if datagrams.len() < DIALLING_DATAGRAMS_MAX =>
            {
                datagrams.push((wanted, frame));
            }
            Ok(QuicLink::Dialling { .. }) => tally.add(SocketDrop::Queue, 1),
        }
    }

    fn send_stream(&mut self, to: SocketAddr, frame: StreamFrame) {
        if frame.bytes.len() > STREAM_FRAME_MAX {
            return self.shared.tally.add(SocketDrop::TooLarge, 1);
        }
        let link = match self.link(to) {
            Ok(link) => link,
            Err(why) => {
                self.shared.tally.add(SocketDrop::Link, 1);
                return self.pending.push(Inbound::LinkLost { with: to, why });
            }
        };
        let len = frame.bytes.len();
        // Counted before it is queued: a writer on another thread may be done with it at once.
        let (queued, pushed) = match link {
            QuicLink::Up(up) if !is_for(frame.identity, up.identity) => {
                return self.pending.extend(frame.mistaken(to));
            }
            QuicLink::Up(up) => (up.held.add(len), up.streams.push(frame.pair, frame.bytes)),
            QuicLink::Dialling { held, waiting } => {
                waiting.frames.push(frame);
                (held.add(len), true)
            }
        };
        match queued {
            // A broken stream is one of a broken connection, whose end is about to be reported.
            _ if !pushed => self.shared.tally.add(SocketDrop::Link, 1),
            Queued::Fine => {}
            Queued::Blocked => self.pending.push(Inbound::Blocked { to }),
            Queued::Overflow => {
                if let Some(QuicLink::Up(up)) = self.links.remove(&to) {
                    up.close();
                }
                self.shared.tally.add(SocketDrop::Queue, 1);
                self.pending.push(Inbound::LinkLost { with: to, why: LinkError::Overflow });
            }
        }
    }

    /// Whether one more connection from the network of this address may be kept.
    fn has_room_for(&self, with: SocketAddr) -> bool {
        let near = network_of(with.ip());
        let count = || self.links.keys().filter(|at| network_of(at.ip()) == near).count();
        self.links_per_network >= LINKS_MAX || count() < self.links_per_network
    }

    fn handle(&mut self, event: LinkEvent, into: &mut Vec<Inbound>) {
        match event {
            LinkEvent::Frames(frames) => into.extend(frames),
            LinkEvent::Up { with, identity, connection, dialled, wanted } => {
                let expected = self.expected.get(&with).is_none_or(|known| *known == identity);
                let room = self.links.contains_key(&with)
                    || self.links.len() < LINKS_MAX && (dialled || self.has_room_for(with));
                if !expected || !room {
                    self.shared.tally.add(SocketDrop::Handshake, 1);
                    if dialled {
                        let why = if expected { LinkError::TooMany } else { LinkError::Identity };
                        self.dial_failed(with, why, into);
                    }
                } else if wanted.send(()).is_ok() {
                    if !dialled {
                        self.make_room(with, identity, connection.stable_id(), into);
                    }
                    self.up(with, identity, connection, dialled, into);
                }
            }
            LinkEvent::DialFailed { to, why } => self.dial_failed(to, why, into),
            LinkEvent::Down { with, id, why } => self.down(with, id, why, into),
            LinkEvent::Unblocked { to } => into.push(Inbound::Unblocked { to }),
        }
    }

    fn dial_failed(&mut self, to: SocketAddr, why: LinkError, into: &mut Vec<Inbound>) {
        let Some(QuicLink::Dialling { .. }) = self.links.get(&to) else { return };
        if let Some(QuicLink::Dialling { waiting, .. }) = self.links.remove(&to) {
            let (of_others, lost) = waiting.fail(to, why, into);
            self.shared.tally.add(SocketDrop::Identity, of_others);
            self.shared.tally.add(SocketDrop::Link, lost);
            into.push(Inbound::LinkLost { with: to, why });
        }
    }

    /// A connection of somebody who does not take part comes: where there are too many of those,
    /// the oldest ends.
    fn make_room(
        &mut self,
        with: SocketAddr,
        identity: Identity,
        id: usize,
        into: &mut Vec<Inbound>,
    ) {
        let gate = &self.shared.gate;
        if !gate.has_strangers() || gate.is_member(identity) {
            return;
        }
        let links = &self.links;
        self.strangers.retain(|(with, id)| match links.get(with) {
            Some(QuicLink::Up(up)) => {
                up.connection.stable_id() == *id && !gate.is_member(up.identity)
            }
            _ => false,
        });
        let addresses: Vec<_> = self.strangers.iter().map(|(with, _)| with.ip()).collect();
        if let Some(index) = crowded_out(&addresses, with.ip()) {
            let (with, _) = self.strangers.remove(index);
            if let Some(QuicLink::Up(up)) = self.links.remove(&with) {
                up.close();
                self.shared.tally.add(SocketDrop::Stranger, 1);
                into.push(Inbound::LinkLost { with, why: LinkError::TooMany });
            }
        }
        self.strangers.push((with, id));
    }

    /// A connection stands: it becomes the link, or one to read from beside it.
    fn up(
        &mut self,
        with: SocketAddr,
        identity: Identity,
        connection: Connection,
        dialled: bool,
        into: &mut Vec<Inbound>,
    ) {
        let (mut held, mut waiting) = (Arc::<HeldBytes>::default(), WaitingFrames::default());
        match self.links.remove(&with) {
            Some(QuicLink::Up(mut up)) if up.identity == identity && up.dialled != dialled => {
                if let Some(old) = up.extra.replace(connection) {
                    old.close(UNWANTED, b"replaced");
                }
                self.links.insert(with, QuicLink::Up(up));
                return;
            }
            // Another process there, or one that dials again although it had a connection: the old
            // one is dead.
            Some(QuicLink::Up(up)) => {
                up.close();
                into.push(Inbound::LinkLost { with, why: LinkError::Closed });
            }
            Some(QuicLink::Dialling { held: kept, waiting: all }) => (held, waiting) = (kept, all),
            None => {}
        }
        let report = self.shared.events.clone();
        let mut streams = Streams::new(with, connection.clone(), Arc::clone(&held), report);
        let tally = &self.shared.tally;
        for (wanted, frame) in waiting.datagrams {
            match is_for(wanted, identity) {
                true => transmit(&connection, frame, tally),
                false => tally.add(SocketDrop::Identity, 1),
            }
        }
        for frame in waiting.frames {
            if !is_for(frame.identity, identity) {
                into.extend(frame.mistaken(with));
                if held.release(frame.bytes.len()) {
                    into.push(Inbound::Unblocked { to: with });
                }
            } else if !streams.push(frame.pair, frame.bytes) {
                tally.add(SocketDrop::Link, 1);
            }
        }
        let up = EstablishedLink { identity, connection, dialled, held, streams, extra: None };
        self.links.insert(with, QuicLink::Up(Box::new(up)));
        into.push(Inbound::LinkUp { with, identity });
    }

    /// A connection ended: where it was the link, another one with the same process takes its
    /// place.
    fn down(&mut self, with: SocketAddr, id: usize, why: LinkError, into: &mut Vec<Inbound>) {
        let Some(QuicLink::Up(up)) = self.links.get_mut(&with) else { return };
        if up.extra.as_ref().is_some_and(|extra| extra.stable_id() == id) {
            up.extra = None;
        }
        if up.connection.stable_id() != id {
            return;
        }
        into.push(Inbound::LinkLost { with, why });
        let (identity, dialled, extra) = (up.identity, !up.dialled, up.extra.take());
        self.links.remove(&with);
        if let Some(connection) = extra {
            self.up(with, identity, connection, dialled, into);
        }
    }

    /// Ends links with all that is queued for them sent, or at the deadline.
    async fn drain(&mut self, until: Instant) {
        let dialling = |link: &QuicLink| match link {
            QuicLink::Dialling { waiting, .. } => !waiting.frames.is_empty(),
            QuicLink::Up(_) => false,
        };
        while self.links.values().any(dialling)
            && let Ok(Some(event)) = timeout_at(until, self.events.recv()).await
        {
            self.handle(event, &mut Vec::new());
        }
        let links = std::mem::take(&mut self.links).into_values();
        let (mut writers, mut connections) = (Vec::new(), Vec::new());
        for link in links {
            if let QuicLink::Up(up) = link {
                connections.push(up.connection);
                writers.extend(up.streams.finish());
            }
        }
        for writer in writers {
            if timeout_at(until, writer).await.is_err() {
                return;
            }
        }
        let_datagrams_leave(&connections, until).await;
    }
}

impl EstablishedLink {
    fn close(self) {
        for connection in self.extra.iter().chain([&self.connection]) {
            connection.close(UNWANTED, b"replaced");
        }
    }
}

/// Gives a datagram to a connection; one that would push out others is dropped itself.
fn transmit(connection: &Connection, frame: Bytes, tally: &Tally) {
    if connection.datagram_send_buffer_space() < frame.len() {
        return tally.add(SocketDrop::Queue, 1);
    }
    match connection.send_datagram(frame) {
        Ok(()) => {}
        Err(SendDatagramError::TooLarge) => tally.add(SocketDrop::TooLarge, 1),
        Err(_) => tally.add(SocketDrop::Link, 1),
    }
}

#[async_trait]
impl Transport for QuicTransport {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn on_kept_out(&mut self, tell: KeptOutNotice) {
        self.shared.gate.on_kept_out(tell);
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { reliable: true, identity: true }
    }

    fn expect(&mut self, socket: SocketAddr, identity: Option<Identity>) {
        let gate = &self.shared.gate;
        let Some(identity) = identity else {
            let before = self.expected.remove(&socket);
            return gate.expect(socket, before, None);
        };
        if self.expected.len() >= EXPECTED_MAX
            && !self.expected.contains_key(&socket)
            && let Some((other, before)) = self.expected.pop_first()
        {
            gate.expect(other, Some(before), None);
        }
        let before = self.expected.insert(socket, identity);
        gate.expect(socket, before, Some(identity));
        let Some(QuicLink::Up(up)) = self.links.get(&socket) else { return };
        if up.identity != identity
            && let Some(QuicLink::Up(up)) = self.links.remove(&socket)
        {
            up.close();
            self.pending.push(Inbound::LinkLost { with: socket, why: LinkError::Identity });
        }
    }

    async fn receive(&mut self, into: &mut Vec<Inbound>) {
        let before = into.len();
        into.append(&mut self.pending);
        loop {
            while into.len() < before + BATCH_MAX
                && let Ok(event) = self.events.try_recv()
            {
                self.handle(event, into);
            }
            if into.len() > before {
                return;
            }
            let event = self.events.recv().await.expect("the transport holds a sender itself");
            self.handle(event, into);
        }
    }

    async fn send(&mut self, batch: &mut Vec<Outbound>) {
        for outbound in batch.drain(..) {
            match outbound {
                Outbound::Datagram { to, frame } => self.send_datagram(to, None, frame),
                Outbound::Stream { to, pair, frame: bytes } => {
                    self.send_stream(to, StreamFrame { pair, identity: None, bytes });
                }
                Outbound::Trusted { to, identity, pair: None, frame } => {
                    self.send_datagram(to, Some(identity), frame);
                }
                Outbound::Trusted { to, identity, pair: Some(pair), frame: bytes } => {
                    self.send_stream(to, StreamFrame { pair, identity: Some(identity), bytes });
                }
            }
        }
    }

    fn counters(&self) -> Counters {
        self.shared.tally.get()
    }

    async fn close(&mut self, drain: Duration) {
        let until = Instant::now() + std::time::Duration::from(drain);
        let is_linked = self.links.values().any(|link| matches!(link, QuicLink::Up(_)));
        self.drain(until).await;
        self.endpoint.close(VarInt::from_u32(0), b"closed");
        // Lets the others know; at the deadline they find out by themselves.
        let until = farewell(is_linked, until, Instant::now());
        timeout_at(until, self.endpoint.wait_idle()).await.ok();
        if let Some(bound) = &self.bound {
            bound.release(&self.endpoint).await;
        }
    }
}

impl Drop for QuicTransport {
    fn drop(&mut self) {
        // Ends all tasks: those that accept, and those that read.
        self.endpoint.close(VarInt::from_u32(0), b"closed");
    }
}
