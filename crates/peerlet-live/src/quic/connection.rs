//! One connection from handshake to end: who is there, what comes in, why it ended.

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Event, LINKS_MAX, Tally};
use crate::counters::Cause;
use crate::frame::STREAM_FRAME_MAX;
use crate::tls;
use crate::transport::{Inbound, LinkError};

/// How long a handshake may take: it fits twice into the time that a reliable message waits.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(4);
/// Handshakes of others that go on at once; more are refused.
const HANDSHAKES_MAX: usize = 256;
/// Handshakes above which others first prove their address, at the cost of a round trip (Retry).
const HANDSHAKES_UNPROVEN_MAX: usize = 32;
/// Datagrams that are read at once.
const DATAGRAMS_MAX: usize = 256;

/// The code that tells the other side that it broke the protocol.
const PROTOCOL: VarInt = VarInt::from_u32(1);
/// The code that tells the other side that it is not welcome.
pub(super) const UNWANTED: VarInt = VarInt::from_u32(2);

/// Accepts connections until the endpoint is closed.
pub(super) async fn accept(endpoint: Endpoint, events: mpsc::Sender<Event>, tally: Tally) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    while let Some(incoming) = endpoint.accept().await {
        let busy = HANDSHAKES_MAX - handshakes.available_permits();
        if busy >= HANDSHAKES_UNPROVEN_MAX && incoming.may_retry() {
            // Cannot fail: `may_retry` has just said so.
            incoming.retry().ok();
            continue;
        }
        let permit = Arc::clone(&handshakes).try_acquire_owned();
        let (Ok(permit), true) = (permit, endpoint.open_connections() < 2 * LINKS_MAX) else {
            tally.add(Cause::Handshake, 1);
            incoming.refuse();
            continue;
        };
        match incoming.accept() {
            Ok(connecting) => {
                tokio::spawn(answer(connecting, permit, events.clone(), tally.clone()));
            }
            Err(_) => tally.add(Cause::Handshake, 1),
        }
    }
}

async fn answer(
    connecting: Connecting,
    permit: OwnedSemaphorePermit,
    events: mpsc::Sender<Event>,
    tally: Tally,
) {
    match timeout(HANDSHAKE_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => {
            drop(permit);
            run(connection, false, events, tally).await;
        }
        _ => tally.add(Cause::Handshake, 1),
    }
}

/// Sees a connection that we dial through, from its handshake to its end.
pub(super) async fn dial(
    to: SocketAddr,
    connecting: Connecting,
    events: mpsc::Sender<Event>,
    tally: Tally,
) {
    let why = match timeout(HANDSHAKE_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => return run(connection, true, events, tally).await,
        Ok(Err(ConnectionError::TimedOut)) | Err(_) => LinkError::Unreachable,
        Ok(Err(error)) => link_error(&error),
    };
    tally.add(Cause::Handshake, 1);
    // Without a receiver the transport has gone, and nobody waits for the link.
    events.send(Event::DialFailed { to, why }).await.ok();
}

/// Reads from a connection, once the transport wants it, until it ends.
async fn run(connection: Connection, dialled: bool, events: mpsc::Sender<Event>, tally: Tally) {
    let with = remote(&connection);
    let Some(identity) = identity(&connection) else {
        connection.close(PROTOCOL, b"no certificate");
        return tally.add(Cause::Handshake, 1);
    };
    let (wanted, answer) = oneshot::channel();
    let (id, link) = (connection.stable_id(), connection.clone());
    let up = Event::Up { with, identity, connection: link, dialled, wanted };
    if events.send(up).await.is_err() || answer.await.is_err() {
        return connection.close(UNWANTED, b"unwanted");
    }
    let reader = Reader { from: with, identity, connection, events, tally };
    tokio::join!(reader.datagrams(), reader.streams());
    let why = link_error(&reader.connection.closed().await);
    // Without a receiver the transport has gone, and nobody is left to tell.
    reader.events.send(Event::Down { with, id, why }).await.ok();
}

/// The other end's socket, IPv4 addresses as such.
fn remote(connection: &Connection) -> SocketAddr {
    let socket = connection.remote_address();
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
        ConnectionError::ApplicationClosed(_)
        | ConnectionError::LocallyClosed
        | ConnectionError::Reset => LinkError::Closed,
    }
}

/// What the readers of one connection need.
struct Reader {
    from: SocketAddr,
    identity: Identity,
    connection: Connection,
    events: mpsc::Sender<Event>,
    tally: Tally,
}

impl Reader {
    /// Reads datagrams; what the shard does not take in time is dropped.
    async fn datagrams(&self) {
        let (from, identity) = (self.from, Some(self.identity));
        while let Ok(first) = self.connection.read_datagram().await {
            let mut frames = vec![Inbound::Datagram { from, identity, frame: first }];
            let mut nobody = Context::from_waker(Waker::noop());
            while frames.len() < DATAGRAMS_MAX
                && let Poll::Ready(Ok(frame)) =
                    pin!(self.connection.read_datagram()).as_mut().poll(&mut nobody)
            {
                frames.push(Inbound::Datagram { from, identity, frame });
            }
            let count = frames.len() as u64;
            match self.events.try_send(Event::Frames(frames)) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => self.tally.add(Cause::Queue, count),
                Err(mpsc::error::TrySendError::Closed(_)) => return,
            }
        }
    }

    /// Reads streams, each in a task of its own; QUIC bounds their number.
    async fn streams(&self) {
        let mut readers = JoinSet::new();
        while let Ok(stream) = self.connection.accept_uni().await {
            while readers.try_join_next().is_some() {}
            let (from, identity, events) = (self.from, self.identity, self.events.clone());
            let (connection, tally) = (self.connection.clone(), self.tally.clone());
            readers.spawn(async move {
                if let Err(cause) = read(stream, from, identity, events).await {
                    tally.add(cause, 1);
                    connection.close(PROTOCOL, b"no frame");
                }
            });
        }
        while readers.join_next().await.is_some() {}
    }
}

/// Reads the frames of a stream to its end. While the shard is busy the stream waits, and so does
/// its sender.
async fn read(
    mut stream: RecvStream,
    from: SocketAddr,
    identity: Identity,
    events: mpsc::Sender<Event>,
) -> Result<(), Cause> {
    let mut buffer = BytesMut::new();
    let mut chunks: [Bytes; 32] = Default::default();
    while let Ok(Some(count)) = stream.read_chunks(&mut chunks).await {
        for chunk in &mut chunks[..count] {
            buffer.extend_from_slice(&std::mem::take(chunk));
        }
        let identity = Some(identity);
        let frames: Vec<_> = split(&mut buffer)?
            .into_iter()
            .map(|frame| Inbound::Stream { from, identity, frame })
            .collect();
        if !frames.is_empty() && events.send(Event::Frames(frames)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Takes the whole frames from the front of what came.
fn split(buffer: &mut BytesMut) -> Result<Vec<Bytes>, Cause> {
    let mut frames = Vec::new();
    while let Some(head) = buffer.first_chunk::<4>() {
        let len = u32::from_be_bytes(*head) as usize;
        match len {
            0 => return Err(Cause::Decode),
            1..=STREAM_FRAME_MAX if buffer.len() >= 4 + len => {
                buffer.advance(4);
                frames.push(buffer.split_to(len).freeze());
            }
            1..=STREAM_FRAME_MAX => break,
            _ => return Err(Cause::TooLarge),
        }
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use peerlet_core::Seed;

    use super::*;

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
        assert_eq!(split(&(STREAM_FRAME_MAX as u32 + 1).to_be_bytes()), Err(Cause::TooLarge));
        assert_eq!(split(&[0xff; 4]), Err(Cause::TooLarge));
        assert_eq!(split(&[0; 4]), Err(Cause::Decode));
        assert_eq!(split(&(STREAM_FRAME_MAX as u32).to_be_bytes()), Ok(vec![]));
        assert_eq!(split(&[0, 0, 0]), Ok(vec![]));
    }
}
