//! One QUIC connection, which is a link, from handshake to end: its identity, its frames, its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use peerlet_core::Identity;
use quinn::rustls::pki_types::CertificateDer;
use quinn::{
    Connecting, Connection, ConnectionError, Endpoint, RecvStream, TransportErrorCode, VarInt,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::gate::{Gate, HandshakeDecision, Permit, Room};
use super::{DIALLING_DATAGRAMS_MAX, EVENTS_MAX, LinkEvent};
use crate::counters::{SocketDrop, Tally};
use crate::frame::{DATAGRAM_FRAME_MAX, STREAM_FRAME_MAX, is_control};
use crate::tls;
use crate::transport::{Inbound, LinkError};

/// How long a handshake may take: it fits twice into the time that a reliable message waits.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a frame may take from its first byte to its last: the largest at 70 kbit/s.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the other side has to prove the secret: less than for all of a handshake, so that it is
/// told that it was the proof.
const PROOF_TIMEOUT: Duration = Duration::from_secs(3);
/// Datagrams that are read at once.
pub(super) const DATAGRAMS_MAX: usize = 128;

/// The code that tells the other side that it broke the protocol.
const PROTOCOL: VarInt = VarInt::from_u32(1);
/// The code that tells the other side that it is not welcome.
pub(super) const UNWANTED: VarInt = VarInt::from_u32(2);
/// The code that tells the other side that it is not let in: it has another secret or none, or is
/// not on the list.
const NOT_ADMITTED: VarInt = VarInt::from_u32(3);
/// Frames that a stranger may send: at once, and in a second. Who joins asks seven times a second,
/// and for what differs.
pub(super) const STRANGER_BURST: u32 = 40;
const STRANGER_RATE: u32 = 20;

/// Datagrams of a stranger that wait until the transport knows of its connection: who joins has
/// sent a few.
pub(super) const STRANGER_DATAGRAMS_MAX: usize = 8;

/// The state that the tasks of all connections of an endpoint share.
#[derive(Clone, Debug)]
pub(super) struct EndpointShared {
    pub(super) events: mpsc::Sender<LinkEvent>,
    pub(super) tally: Tally,
    pub(super) gate: Arc<Gate>,
}

/// Accepts connections until the endpoint is closed.
pub(super) async fn accept(endpoint: Endpoint, shared: EndpointShared) {
    while let Some(incoming) = endpoint.accept().await {
        let from = incoming.remote_address();
        // An address that cannot be asked to prove itself once more has done so.
        let is_proved = incoming.remote_address_validated() || !incoming.may_retry();
        let decision = shared.gate.enter(from, is_proved, endpoint.open_connections());
        let (permit, evicted) = match decision {
            HandshakeDecision::Begin(permit, evicted) => (permit, evicted),
            HandshakeDecision::Prove => {
                // Cannot fail: `may_retry` has just said so.
                incoming.retry().ok();
                continue;
            }
            HandshakeDecision::Full => {
                shared.tally.add(SocketDrop::Handshake, 1);
                incoming.refuse();
                continue;
            }
        };
        match incoming.accept() {
            Ok(connecting) => {
                tokio::spawn(answer(connecting, permit, evicted, shared.clone()));
            }
            Err(_) => shared.tally.add(SocketDrop::Handshake, 1),
        }
    }
}

async fn answer(
    connecting: Connecting,
    permit: Permit,
    evicted: oneshot::Receiver<()>,
    shared: EndpointShared,
) {
    let from = connecting.remote_address();
    let entering = async {
        let handshake = timeout(HANDSHAKE_TIMEOUT, shake(connecting, false, &shared.gate));
        let (connection, identity) = handshake.await.map_err(|_| Failed::unreachable())??;
        // The transport may be busy, and counts it only from then on.
        let waited = announce(&connection, identity, false, &shared).await;
        Ok((connection, identity, waited))
    };
    let entered = tokio::select! {
        entered = entering => entered,
        // Others need the room.
        _ = evicted => Err(Failed::unreachable()),
    };
    drop(permit);
    match entered {
        Ok((connection, identity, Some(waited))) => {
            run(connection, identity, waited, shared, false).await;
        }
        // The transport has counted it.
        Ok((_, _, None)) => {}
        Err(Failed { why, identity }) => {
            shared.tally.add(why.cause(), 1);
            if why.is_admission() {
                shared.gate.tell_kept_out(canonical(from), identity, why);
            }
        }
    }
}

/// A connection that could not be made, with who is at its other end where that is known.
struct Failed {
    why: LinkError,
    identity: Option<Identity>,
}

impl Failed {
    fn new(why: LinkError) -> Failed {
        Failed { why, identity: None }
    }

    fn unreachable() -> Failed {
        Failed::new(LinkError::Unreachable)
    }
}

impl LinkError {
    /// The account of a connection that could not be made.
    fn cause(self) -> SocketDrop {
        if self.is_admission() { SocketDrop::Admission } else { SocketDrop::Handshake }
    }
}

/// Sees a connection that we dial through, from its handshake to its end.
pub(super) async fn dial(to: SocketAddr, connecting: Connecting, shared: EndpointShared) {
    let why = match timeout(HANDSHAKE_TIMEOUT, shake(connecting, true, &shared.gate)).await {
        Ok(Ok((connection, identity))) => {
            if let Some(waited) = announce(&connection, identity, true, &shared).await {
                run(connection, identity, waited, shared, true).await;
            }
            return;
        }
        Ok(Err(Failed { why, .. })) => why,
        Err(_) => LinkError::Unreachable,
    };
    shared.tally.add(why.cause(), 1);
    // Without a receiver the transport has gone, and nobody waits for the link.
    shared.events.send(LinkEvent::DialFailed { to, why }).await.ok();
}

/// Waits for the handshake, and for the proof that the other side is to be let in.
async fn shake(
    connecting: Connecting,
    dialled: bool,
    gate: &Gate,
) -> Result<(Connection, Identity), Failed> {
    let connection = connecting.await.map_err(|error| match error {
        ConnectionError::TimedOut => Failed::unreachable(),
        error => Failed::new(link_error(&error)),
    })?;
    let Some(identity) = identity(&connection) else {
        connection.close(PROTOCOL, b"no certificate");
        return Err(Failed::new(LinkError::Protocol));
    };
    let admitted = tokio::select! {
        // In this order: where nothing is to be proved, what comes is kept.
        biased;
        admitted = gate.admit(&connection, identity, dialled, PROOF_TIMEOUT) => admitted,
        // A process that dials and has the secret says nothing before both have proved it: one that
        // does has none, and is refused at once.
        _ = connection.read_datagram(), if !dialled => Err(LinkError::Unproved),
    };
    if let Err(why) = admitted {
        // Where the other side found out first, it has closed.
        let why = connection.close_reason().map_or(why, |error| link_error(&error));
        connection.close(NOT_ADMITTED, b"not admitted");
        return Err(Failed { why, identity: Some(identity) });
    }
    Ok((connection, identity))
}

/// Closes a connection when it is dropped, unless it is wanted by then: others hold it too.
struct Unwanted<'a>(&'a Connection, bool);

impl Drop for Unwanted<'_> {
    fn drop(&mut self) {
        if self.1 {
            self.0.close(UNWANTED, b"unwanted");
        }
    }
}

/// Tells the transport of a connection and waits for its word; gives the datagrams that came
/// meanwhile, or `None` when the connection is not wanted.
async fn announce(
    connection: &Connection,
    identity: Identity,
    dialled: bool,
    shared: &EndpointShared,
) -> Option<Vec<Bytes>> {
    let (wanted, answer) = oneshot::channel();
    let (with, connection_too) = (remote(connection), connection.clone());
    let up = LinkEvent::Up { with, identity, connection: connection_too, dialled, wanted };
    let mut told = pin!(async { shared.events.send(up).await.is_ok() && answer.await.is_ok() });
    let (mut waiting, mut guard) = (Vec::new(), Unwanted(connection, true));
    let is_member = shared.gate.is_member(identity);
    let most = if is_member { DIALLING_DATAGRAMS_MAX } else { STRANGER_DATAGRAMS_MAX };
    loop {
        tokio::select! {
            biased;
            is_wanted = &mut told => {
                guard.1 = !is_wanted;
                return is_wanted.then_some(waiting);
            }
            Ok(frame) = connection.read_datagram() => {
                if waiting.len() < most && frame.len() <= DATAGRAM_FRAME_MAX {
                    // A short frame must not keep a long packet.
                    waiting.push(Bytes::copy_from_slice(&frame));
                } else {
                    shared.tally.add(SocketDrop::Queue, 1);
                }
            }
        }
    }
}

/// Reads from a connection until it ends; some datagrams have come before.
async fn run(
    connection: Connection,
    identity: Identity,
    waited: Vec<Bytes>,
    shared: EndpointShared,
    dialled: bool,
) {
    let (with, id) = (remote(&connection), connection.stable_id());
    let EndpointShared { events, tally, gate } = shared;
    let reader = Reader { from: with, identity, connection, events, tally, gate };
    tokio::join!(reader.datagrams(waited), reader.streams());
    let why = link_error(&reader.connection.closed().await);
    if why == LinkError::Admission && !dialled {
        reader.gate.tell_kept_out(with, Some(identity), why);
    }
    // Without a receiver the transport has gone, and nobody is left to tell.
    reader.events.send(LinkEvent::Down { with, id, why }).await.ok();
}

/// The other end's socket, IPv4 addresses as such.
fn remote(connection: &Connection) -> SocketAddr {
    canonical(connection.remote_address())
}

fn canonical(socket: SocketAddr) -> SocketAddr {
    SocketAddr::new(socket.ip().to_canonical(), socket.port())
}

fn identity(connection: &Connection) -> Option<Identity> {
    let shown = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    tls::identity_shown(&shown)
}

fn link_error(error: &ConnectionError) -> LinkError {
    /// The alert by which our own verifier refuses another process than the expected (RFC 8446,
    /// section 6).
    const ACCESS_DENIED: u8 = 49;
    match error {
        ConnectionError::TransportError(e)
            if e.code == TransportErrorCode::crypto(ACCESS_DENIED) =>
        {
            LinkError::Identity
        }
        ConnectionError::TransportError(_) | ConnectionError::CidsExhausted => LinkError::Protocol,
        ConnectionError::VersionMismatch => LinkError::Refused,
        ConnectionError::ConnectionClosed(close) => match close.error_code {
            TransportErrorCode::NO_ERROR => LinkError::Closed,
            _ => LinkError::Refused,
        },
        ConnectionError::TimedOut => LinkError::Silent,
        ConnectionError::ApplicationClosed(close) if close.error_code == NOT_ADMITTED => {
            LinkError::Admission
        }
        ConnectionError::ApplicationClosed(_)
        | ConnectionError::LocallyClosed
        | ConnectionError::Reset => LinkError::Closed,
    }
}

/// The state that the readers of one connection need.
struct Reader {
    from: SocketAddr,
    identity: Identity,
    connection: Connection,
    events: mpsc::Sender<LinkEvent>,
    tally: Tally,
    gate: Arc<Gate>,
}

/// The frames that a stranger may still send.
struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Allowance {
        Allowance { left: STRANGER_BURST, since: now }
    }

    /// Whether one more may be taken.
    fn take(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.since).as_millis() as u64;
        let earned = earned * u64::from(STRANGER_RATE) / 1_000;
        if earned > 0 {
            let left = u64::from(self.left) + earned;
            self.left = left.min(u64::from(STRANGER_BURST)) as u32;
            self.since = now;
        }
        let has_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_left
    }
}

impl Reader {
    /// Leaves of a stranger's datagrams those about joining, as many as it may send, and none when
    /// strangers have their half of what waits for the shard.
    fn sift(&self, frames: &mut Vec<Inbound>, allowance: &mut Allowance) {
        let (before, now) = (frames.len(), Instant::now());
        let has_room = self.events.capacity() > EVENTS_MAX / 2;
        frames.retain_mut(|inbound| {
            let Inbound::Datagram { frame, .. } = inbound else { return false };
            let is_taken = has_room && is_control(frame) && allowance.take(now);
            if is_taken {
                // A short frame must not keep a long packet.
                *frame = Bytes::copy_from_slice(frame);
            }
            is_taken
        });
        self.tally.add(SocketDrop::Stranger, (before - frames.len()) as u64);
    }

    /// Reads datagrams after those that have waited; what the shard does not take in time is
    /// dropped.
    async fn datagrams(&self, waited: Vec<Bytes>) {
        let mut allowance = Allowance::new(Instant::now());
        if !waited.is_empty() && !self.hand_over(waited, &mut allowance) {
            return;
        }
        while let Ok(first) = self.connection.read_datagram().await {
            let mut frames = vec![first];
            let mut nobody = Context::from_waker(Waker::noop());
            while frames.len() < DATAGRAMS_MAX
                && let Poll::Ready(Ok(frame)) =
                    pin!(self.connection.read_datagram()).as_mut().poll(&mut nobody)
            {
                frames.push(frame);
            }
            if !self.hand_over(frames, &mut allowance) {
                return;
            }
        }
    }

    /// Hands datagrams to the shard, those of a stranger after a close look; false when the shard
    /// has gone.
    fn hand_over(&self, frames: Vec<Bytes>, allowance: &mut Allowance) -> bool {
        let (from, identity) = (self.from, Some(self.identity));
        let inbound = |frame| Inbound::Datagram { from, identity, frame };
        let mut frames: Vec<_> = frames.into_iter().map(inbound).collect();
        if !self.gate.is_member(self.identity) {
            self.sift(&mut frames, allowance);
            if frames.is_empty() {
                return true;
            }
        }
        let count = frames.len() as u64;
        match self.events.try_send(LinkEvent::Frames(frames)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => self.tally.add(SocketDrop::Queue, count),
            Err(mpsc::error::TrySendError::Closed(_)) => return false,
        }
        true
    }

    /// Reads a member's streams, each in a task of its own; QUIC bounds their number. Those of a
    /// stranger wait until it is one, within its small windows.
    async fn streams(&self) {
        tokio::select! {
            () = self.gate.until_member(self.identity) => {}
            _ = self.connection.closed() => return,
        }
        let _window = self.gate.open_wide(&self.connection);
        let mut readers = JoinSet::new();
        let room = self.gate.room();
        while let Ok(stream) = self.connection.accept_uni().await {
            while readers.try_join_next().is_some() {}
            let (from, identity, events) = (self.from, self.identity, self.events.clone());
            let (connection, tally) = (self.connection.clone(), self.tally.clone());
            let room = room.clone();
            readers.spawn(async move {
                if let Err(cause) = read(stream, from, identity, events, room).await {
                    tally.add(cause, 1);
                    connection.close(PROTOCOL, b"no frame");
                }
            });
        }
        while readers.join_next().await.is_some() {}
    }
}

/// Reads the frames of a stream to its end. While the shard is busy the stream waits, and so does
/// its sender. The bytes of a frame that has not ended are in a budget, and it must end in time.
async fn read(
    mut stream: RecvStream,
    from: SocketAddr,
    identity: Identity,
    events: mpsc::Sender<LinkEvent>,
    room: Room,
) -> Result<(), SocketDrop> {
    let mut buffer = BytesMut::new();
    let mut chunks: [Bytes; 32] = Default::default();
    let mut unfinished = None;
    loop {
        let more = stream.read_chunks(&mut chunks);
        let more = match unfinished {
            None => more.await,
            Some((_, until)) => {
                timeout_at(until, more).await.map_err(|_| SocketDrop::Unfinished)?
            }
        };
        let Ok(Some(count)) = more else { return Ok(()) };
        for chunk in &mut chunks[..count] {
            buffer.extend_from_slice(&std::mem::take(chunk));
        }
        let identity = Some(identity);
        let frames: Vec<_> = split(&mut buffer)?
            .into_iter()
            .map(|frame| Inbound::Stream { from, identity, frame })
            .collect();
        if !frames.is_empty() {
            unfinished = None;
            if events.send(LinkEvent::Frames(frames)).await.is_err() {
                return Ok(());
            }
        }
        if unfinished.is_none() && !buffer.is_empty() {
            let Some(taken) = room.take(unfinished_len(&buffer)).await else { return Ok(()) };
            unfinished = Some((taken, Instant::now() + FRAME_TIMEOUT));
        }
    }
}

/// The bytes that the frame at the front has, once it is whole.
fn unfinished_len(buffer: &BytesMut) -> usize {
    // The length itself may still be on its way.
    let len = buffer
        .first_chunk::<4>()
        .map_or(STREAM_FRAME_MAX, |head| u32::from_be_bytes(*head) as usize);
    4 + len
}

/// Takes the whole frames from the front of what came.
fn split(buffer: &mut BytesMut) -> Result<Vec<Bytes>, SocketDrop> {
    let mut frames = Vec::new();
    while let Some(head) = buffer.first_chunk::<4>() {
        let len = u32::from_be_bytes(*head) as usize;
        match len {
            0 => return Err(SocketDrop::Decode),
            1..=STREAM_FRAME_MAX if buffer.len() >= 4 + len => {
                buffer.advance(4);
                frames.push(buffer.split_to(len).freeze());
            }
            1..=STREAM_FRAME_MAX => break,
            _ => return Err(SocketDrop::TooLarge),
        }
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use peerlet_core::Seed;

    use super::*;

    #[test]
    fn a_stranger_may_say_a_little() {
        let begin = Instant::now();
        let mut allowance = Allowance::new(begin);
        let mut taken = 0;
        for millis in 0..10_000 {
            taken += u32::from(allowance.take(begin + Duration::from_millis(millis)));
        }
        let most = STRANGER_BURST + 10 * STRANGER_RATE;
        assert!((most - 2..=most).contains(&taken), "{taken} of {most}");
        let later = begin + Duration::from_secs(9_999);
        let burst = (0..1_000).filter(|_| allowance.take(later)).count();
        assert_eq!(burst, STRANGER_BURST as usize, "what is not used is not kept for ever");
    }

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let seed = std::env::var("PEERLET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
        let mut rng = Seed::new(seed).named("split").rng();
        let frames: Vec<Vec<u8>> = (0..200).map(|i| vec![i; 1 + rng.index(300)]).collect();
        let mut bytes = Vec::new();
        for frame in &frames {
            bytes.extend((frame.len() as u32).to_be_bytes());
            bytes.extend(frame);
        }
        let (mut buffer, mut out) = (BytesMut::new(), Vec::new());
        while !bytes.is_empty() {
            let rest = bytes.split_off(rng.index(bytes.len() + 1).min(700));
            buffer.extend_from_slice(&bytes);
            out.extend(split(&mut buffer).unwrap());
            bytes = rest;
        }
        assert_eq!(out, frames, "seed {seed}");
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_buffered() {
        let split = |bytes: &[u8]| split(&mut BytesMut::from(bytes));
        assert_eq!(split(&(STREAM_FRAME_MAX as u32 + 1).to_be_bytes()), Err(SocketDrop::TooLarge));
        assert_eq!(split(&[0xff; 4]), Err(SocketDrop::TooLarge));
        assert_eq!(split(&[0; 4]), Err(SocketDrop::Decode));
        assert_eq!(split(&(STREAM_FRAME_MAX as u32).to_be_bytes()), Ok(vec![]));
        assert_eq!(split(&[0, 0, 0]), Ok(vec![]));
    }
}
