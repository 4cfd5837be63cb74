//! Admission over QUIC: who is let in, how the secret is proved, and how many strangers there may
//! be.
//!
//! A *member* is a process that the roster names, or that we dial. Anybody else who is let in is a
//! *stranger*: it may say a little about joining and nothing else, over few connections with small
//! windows, and the one that has been there longest makes room for the next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use peerlet_core::Identity;
use quinn::{Connection, SendStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::{LINKS_MAX, config};
use crate::admission::Admission;
use crate::secret::Secret;
use crate::socket::network_of;
use crate::transport::{KeptOutNotice, LinkError};

/// Handshakes of strangers that go on at once, and those from one network (/24, or /56 of IPv6).
/// Beyond, the one that began first makes room: an honest one is over within a round trip.
pub(super) const HANDSHAKES_MAX: usize = 256;
pub(super) const HANDSHAKES_PER_NETWORK_MAX: usize = 64;
/// Handshakes of members that go on at once: those of strangers take none of their room.
const MEMBER_HANDSHAKES_MAX: usize = 256;
/// Handshakes above which others first prove their address, at the cost of a round trip (Retry):
/// of all, and of one network.
const UNPROVEN_MAX: usize = 32;
const UNPROVEN_PER_NETWORK_MAX: usize = 16;
/// Connections of strangers, and those from one network.
pub(super) const STRANGERS_MAX: usize = 128;
pub(super) const STRANGERS_PER_NETWORK_MAX: usize = 32;
/// Connections beside those of members, with those that are closing, which takes seconds. Beyond,
/// strangers are refused until some are gone.
pub(super) const STRANGER_CONNECTIONS_MAX: usize = 1_536;
/// Former members that are remembered.
const FORMER_MAX: usize = 64;
/// The purpose that the secret's proof is bound to.
const PURPOSE: &str = "peerlet quic admission 1";
/// Bytes of a proof.
const PROOF_LEN: usize = 32;

/// The gate of an endpoint: decides who is let in, and knows the members.
#[derive(Debug)]
pub(super) struct Gate {
    admission: Admission,
    own: Identity,
    /// Whether only members are listened to; otherwise everybody who is let in.
    has_roster: bool,
    members: RwLock<Members>,
    changed: Notify,
    handshakes: Mutex<Handshakes>,
    /// Bytes that members may send ahead of our reading.
    granted: AtomicU64,
    /// Room for frames that have not ended.
    unfinished: Arc<Semaphore>,
    kept_out: OnceLock<KeptOutHook>,
}

/// Takes notice of processes that are kept out.
struct KeptOutHook(KeptOutNotice);

impl fmt::Debug for KeptOutHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptOutHook")
    }
}

/// Bytes that unfinished frames may take: of all connections, and of one.
pub(super) const UNFINISHED_MAX: usize = 32 * 1024 * 1024;
const UNFINISHED_EACH_MAX: usize = 4 * 1024 * 1024;

/// Room for the unfinished frames of one connection.
#[derive(Clone)]
pub(super) struct Room {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

impl Room {
    /// Waits for room for this many bytes, of the connection's first, so that one that waits takes
    /// nothing from others. They have it again when both permits are dropped.
    pub(super) async fn take(
        &self,
        bytes: usize,
    ) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let bytes = bytes.min(UNFINISHED_EACH_MAX) as u32;
        let own = Arc::clone(&self.own).acquire_many_owned(bytes).await.ok()?;
        let all = Arc::clone(&self.all).acquire_many_owned(bytes).await.ok()?;
        Some((own, all))
    }
}

/// The window of a member's connection; dropped, others may have it.
pub(super) struct WindowGrant<'a> {
    gate: &'a Gate,
    bytes: u32,
}

impl Drop for WindowGrant<'_> {
    fn drop(&mut self) {
        self.gate.granted.fetch_sub(u64::from(self.bytes), Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Members {
    /// With the number of their sockets.
    identities: BTreeMap<Identity, u32>,
    /// Processes that were members, oldest first. One that was cut off is listened to as soon as it
    /// is there again: what it may say is the roster's to decide.
    former: VecDeque<Identity>,
    sockets: BTreeSet<SocketAddr>,
}

#[derive(Debug, Default)]
struct Handshakes {
    next: u64,
    /// By age.
    pending: BTreeMap<u64, Pending>,
}

#[derive(Debug)]
struct Pending {
    network: [u8; 7],
    is_member: bool,
    /// Dropped, it ends the handshake.
    _keep: oneshot::Sender<()>,
}

/// The decision about a handshake.
pub(super) enum HandshakeDecision {
    /// It may, until the receiver ends.
    Begin(Permit, oneshot::Receiver<()>),
    /// The address has to be proved first.
    Prove,
    /// There is no room.
    Full,
}

/// A handshake that goes on; dropped, it makes room.
pub(super) struct Permit {
    gate: Arc<Gate>,
    number: u64,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.handshakes().pending.remove(&self.number);
    }
}

impl Gate {
    pub(super) fn new(admission: Admission, own: Identity, has_roster: bool) -> Gate {
        let (members, changed, handshakes, granted) = Default::default();
        let unfinished = Arc::new(Semaphore::new(UNFINISHED_MAX));
        let kept_out = OnceLock::new();
        Gate {
            admission,
            own,
            has_roster,
            members,
            changed,
            handshakes,
            granted,
            unfinished,
            kept_out,
        }
    }

    /// From now on this is called with whoever is kept out.
    pub(super) fn on_kept_out(&self, tell: KeptOutNotice) {
        // It is set once, at the start of a run.
        self.kept_out.set(KeptOutHook(tell)).ok();
    }

    /// Tells of a process that dialled and was kept out, or that keeps this one out.
    pub(super) fn tell_kept_out(&self, at: SocketAddr, who: Option<Identity>, why: LinkError) {
        if let Some(KeptOutHook(tell)) = self.kept_out.get() {
            tell(at, who, why);
        }
    }

    /// Room for the unfinished frames of a connection.
    pub(super) fn room(&self) -> Room {
        let own = Arc::new(Semaphore::new(UNFINISHED_EACH_MAX));
        Room { own, all: Arc::clone(&self.unfinished) }
    }

    /// Lets a member send as much as there is room for.
    pub(super) fn open_wide(&self, connection: &Connection) -> WindowGrant<'_> {
        let bytes = config::next_window(self.granted.load(Ordering::Relaxed));
        self.granted.fetch_add(u64::from(bytes), Ordering::Relaxed);
        config::open_wide(connection, bytes);
        WindowGrant { gate: self, bytes }
    }

    /// Another process is expected at this socket than before, or nobody any more.
    pub(super) fn expect(&self, at: SocketAddr, before: Option<Identity>, now: Option<Identity>) {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = before
            && let Some(count) = members.identities.get_mut(&before)
        {
            *count -= 1;
            if *count == 0 {
                members.identities.remove(&before);
                if members.former.len() >= FORMER_MAX {
                    members.former.pop_front();
                }
                members.former.push_back(before);
            }
        }
        match now {
            Some(now) => {
                *members.identities.entry(now).or_default() += 1;
                members.sockets.insert(at);
            }
            None => {
                members.sockets.remove(&at);
            }
        }
        drop(members);
        self.changed.notify_waiters();
    }

    /// Whether there are strangers, who are hardly listened to.
    pub(super) fn has_strangers(&self) -> bool {
        self.has_roster
    }

    pub(super) fn is_member(&self, identity: Identity) -> bool {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        !self.has_roster
            || identity == self.own
            || members.identities.contains_key(&identity)
            || members.former.contains(&identity)
    }

    /// Waits until this process is a member.
    pub(super) async fn until_member(&self, identity: Identity) {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // From here on a change is heard of.
            changed.as_mut().enable();
            if self.is_member(identity) {
                return;
            }
            changed.await;
        }
    }

    fn handshakes(&self) -> MutexGuard<'_, Handshakes> {
        self.handshakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody begins a handshake from this address, which is proved or not, when there are this
    /// many connections.
    pub(super) fn enter(
        self: &Arc<Self>,
        from: SocketAddr,
        is_proved: bool,
        connections: usize,
    ) -> HandshakeDecision {
        let canonical = SocketAddr::new(from.ip().to_canonical(), from.port());
        let (is_member, expected) = {
            let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
            (members.sockets.contains(&canonical), members.sockets.len())
        };
        // Each member may have two: both sides may have dialled.
        let most = match is_member && is_proved || !self.has_roster {
            true => 2 * LINKS_MAX,
            false => (2 * expected + STRANGER_CONNECTIONS_MAX).min(2 * LINKS_MAX),
        };
        if connections >= most {
            return HandshakeDecision::Full;
        }
        let network = network_of(from.ip());
        let mut handshakes = self.handshakes();
        // An address that is not proved may be anybody's.
        let is_member = is_member && is_proved;
        let count = |is: &dyn Fn(&Pending) -> bool| {
            handshakes.pending.values().filter(|pending| is(pending)).count()
        };
        let members = count(&|pending| pending.is_member);
        let strangers = handshakes.pending.len() - members;
        let near = count(&|pending| !pending.is_member && pending.network == network);
        if !is_proved && (strangers >= UNPROVEN_MAX || near >= UNPROVEN_PER_NETWORK_MAX) {
            return HandshakeDecision::Prove;
        }
        if is_member && members >= MEMBER_HANDSHAKES_MAX {
            return HandshakeDecision::Full;
        }
        if !is_member {
            if near >= HANDSHAKES_PER_NETWORK_MAX {
                handshakes.evict_from(network);
            } else if strangers >= HANDSHAKES_MAX {
                let crowded = handshakes.most_crowded();
                handshakes.evict_from(crowded);
            }
        }
        let number = handshakes.next;
        handshakes.next += 1;
        let (keep, ended) = oneshot::channel();
        handshakes.pending.insert(number, Pending { network, is_member, _keep: keep });
        drop(handshakes);
        HandshakeDecision::Begin(Permit { gate: Arc::clone(self), number }, ended)
    }

    /// Lets the process at the other end of a fresh connection in: the list has it, and it proves
    /// the secret, in this time. We prove it as well.
    ///
    /// # Errors
    /// When it is not let in, or nothing is heard from it any more.
    pub(super) async fn admit(
        &self,
        connection: &Connection,
        other: Identity,
        dialled: bool,
        within: Duration,
    ) -> Result<(), LinkError> {
        if other != self.own && !self.admission.allows(other) {
            return Err(LinkError::Unlisted);
        }
        let Some(secret) = &self.admission.secret else { return Ok(()) };
        let mut is_there = false;
        let proving = prove(connection, secret, (self.own, other), dialled, &mut is_there);
        match timeout(within, proving).await {
            Ok(proved) => proved.ok_or(LinkError::Unproved),
            // It took our proof and gave none: it has no secret.
            Err(_) if is_there => Err(LinkError::Unproved),
            // It may have ended since the handshake.
            Err(_) => Err(LinkError::Unreachable),
        }
    }
}

impl Handshakes {
    fn evict_from(&mut self, network: [u8; 7]) {
        let oldest = self.pending.iter().find(|(_, p)| !p.is_member && p.network == network);
        if let Some(number) = oldest.map(|(number, _)| *number) {
            self.pending.remove(&number);
        }
    }

    fn most_crowded(&self) -> [u8; 7] {
        let strangers = self.pending.values().filter(|pending| !pending.is_member);
        most_common(strangers.map(|pending| pending.network)).unwrap_or_default()
    }
}

/// The network that most of these addresses are from.
fn most_common(networks: impl Iterator<Item = [u8; 7]>) -> Option<[u8; 7]> {
    let mut counts: BTreeMap<[u8; 7], usize> = BTreeMap::new();
    networks.for_each(|network| *counts.entry(network).or_default() += 1);
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(network, _)| network)
}

/// The connection of a stranger that makes room for one from this address, if one must: its place
/// in the list of their addresses, oldest first.
pub(super) fn crowded_out(strangers: &[IpAddr], by: IpAddr) -> Option<usize> {
    let network = network_of(by);
    let from = |network: [u8; 7]| strangers.iter().position(|ip| network_of(*ip) == network);
    let near = strangers.iter().filter(|ip| network_of(**ip) == network).count();
    if near >= STRANGERS_PER_NETWORK_MAX {
        from(network)
    } else if strangers.len() >= STRANGERS_MAX {
        from(most_common(strangers.iter().map(|ip| network_of(*ip)))?)
    } else {
        None
    }
}

/// Proves to the other end of a connection that we have the secret, and has it proved: `None` when
/// it is not. Whoever dialled begins, so that nobody learns anything from us who has not proved it.
///
/// A proof is HMAC-SHA256 by the secret over the side that makes it, a value that only the two ends
/// of this connection can derive (RFC 5705), and both identities. So it is of no use on another
/// connection, nor to the other side. When our proof has arrived before theirs came, `is_there` is
/// set.
async fn prove(
    connection: &Connection,
    secret: &Secret,
    (own, other): (Identity, Identity),
    dialled: bool,
    is_there: &mut bool,
) -> Option<()> {
    let mut bound = [0; 32];
    connection.export_keying_material(&mut bound, PURPOSE.as_bytes(), b"").ok()?;
    let (dialler, listener) = if dialled { (own, other) } else { (other, own) };
    let proof = |side: &[u8]| secret.tag(PURPOSE, &[side, &bound, &dialler.0, &listener.0]);
    let is_proof = |side: &[u8], shown: &[u8; PROOF_LEN]| {
        secret.verify(PURPOSE, &[side, &bound, &dialler.0, &listener.0], shown)
    };
    let (ours, theirs): (&[u8], &[u8]) =
        if dialled { (b"dialler", b"listener") } else { (b"listener", b"dialler") };
    let mut hearing = pin!(hear(connection));
    let shown = match dialled {
        false => hearing.await?,
        true => {
            let said = say(connection, &proof(ours)).await?;
            tokio::select! {
                biased;
                shown = &mut hearing => shown?,
                taken = said.stopped() => {
                    *is_there = taken.is_ok();
                    hearing.await?
                }
            }
        }
    };
    if !is_proof(theirs, &shown) {
        return None;
    }
    if !dialled {
        say(connection, &proof(ours)).await?;
    }
    Some(())
}

async fn say(connection: &Connection, proof: &[u8; PROOF_LEN]) -> Option<SendStream> {
    let mut stream = connection.open_uni().await.ok()?;
    stream.write_all(proof).await.ok()?;
    stream.finish().ok()?;
    Some(stream)
}

async fn hear(connection: &Connection) -> Option<[u8; PROOF_LEN]> {
    let mut stream = connection.accept_uni().await.ok()?;
    let bytes = stream.read_to_end(PROOF_LEN).await.ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(has_roster: bool) -> Arc<Gate> {
        Arc::new(Gate::new(Admission::default(), Identity([1; 32]), has_roster))
    }

    fn at(network: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, network, 7], port))
    }

    #[test]
    fn a_flood_from_one_network_makes_room_for_itself_only() {
        let gate = gate(true);
        let mut held = Vec::new();
        let mut enter = |from, is_proved| match gate.enter(from, is_proved, 0) {
            HandshakeDecision::Begin(permit, ended) => {
                held.push((permit, ended));
                "begins"
            }
            HandshakeDecision::Prove => "proves",
            HandshakeDecision::Full => "full",
        };
        assert_eq!(enter(at(1, 1), true), "begins");
        for port in 0..200 {
            assert_eq!(enter(at(2, port), true), "begins");
        }
        assert_eq!(enter(at(3, 1), false), "proves", "many strangers are there");
        assert_eq!(enter(at(3, 1), true), "begins");
        let is_over = |ended: &mut oneshot::Receiver<()>| {
            matches!(ended.try_recv(), Err(oneshot::error::TryRecvError::Closed))
        };
        let over: Vec<_> = held.iter_mut().map(|(_, ended)| is_over(ended)).collect();
        assert_eq!(over.len(), 202);
        assert!(!over[0] && !over[201], "others go on");
        assert_eq!(over.iter().filter(|over| **over).count(), 200 - HANDSHAKES_PER_NETWORK_MAX);
        assert!(over[1] && !over[200], "the oldest made room");
        held.clear();
        assert!(gate.handshakes().pending.is_empty());
    }

    #[test]
    fn strangers_take_no_room_from_members() {
        let gate = gate(true);
        gate.expect(at(9, 1), None, Some(Identity([9; 32])));
        let mut held = Vec::new();
        for network in 0..=255u8 {
            for port in 0..4 {
                if let HandshakeDecision::Begin(permit, ended) =
                    gate.enter(at(network, port + 2), true, 0)
                {
                    held.push((permit, ended));
                }
            }
        }
        assert_eq!(gate.handshakes().pending.len(), HANDSHAKES_MAX);
        let HandshakeDecision::Begin(permit, mut ended) = gate.enter(at(9, 1), true, 0) else {
            panic!("full")
        };
        for port in 0..999 {
            if let HandshakeDecision::Begin(permit, ended) = gate.enter(at(9, port + 2), true, 0) {
                held.push((permit, ended));
            }
        }
        assert_eq!(ended.try_recv(), Err(oneshot::error::TryRecvError::Empty), "it goes on");
        drop(permit);
        assert!(
            matches!(gate.enter(at(9, 1), false, 0), HandshakeDecision::Prove),
            "it may be anybody"
        );
    }

    #[test]
    fn connections_that_close_take_no_room_from_members() {
        let gate = gate(true);
        gate.expect(at(9, 1), None, Some(Identity([9; 32])));
        let is_full =
            |from, count| matches!(gate.enter(from, true, count), HandshakeDecision::Full);
        assert!(!is_full(at(1, 1), STRANGER_CONNECTIONS_MAX));
        assert!(is_full(at(1, 1), STRANGER_CONNECTIONS_MAX + 2));
        assert!(!is_full(at(9, 1), STRANGER_CONNECTIONS_MAX + 2), "a member");
        assert!(is_full(at(9, 1), 2 * LINKS_MAX));
    }

    #[test]
    fn who_is_a_member_changes_with_what_is_expected() {
        let gate = gate(true);
        let other = Identity([2; 32]);
        assert!(gate.is_member(Identity([1; 32])), "oneself");
        assert!(!gate.is_member(other));
        gate.expect(at(1, 1), None, Some(other));
        gate.expect(at(1, 2), None, Some(other));
        gate.expect(at(1, 1), Some(other), None);
        assert!(gate.is_member(other), "it has another socket");
        gate.expect(at(1, 2), Some(other), Some(Identity([3; 32])));
        assert!(gate.is_member(other), "it may have been cut off for a while");
        for who in 0..FORMER_MAX as u8 {
            gate.expect(at(2, 1), None, Some(Identity([100 + who; 32])));
            gate.expect(at(2, 1), Some(Identity([100 + who; 32])), None);
        }
        assert!(!gate.is_member(other), "others were members since");
        let open = Arc::new(Gate::new(Admission::default(), Identity([1; 32]), false));
        assert!(open.is_member(other), "without a roster everybody is");
    }

    #[test]
    fn the_stranger_that_was_there_longest_makes_room() {
        let ip = |network: u8, host: u8| IpAddr::from([198, 51, network, host]);
        let few: Vec<_> = (0..10).map(|host| ip(1, host)).collect();
        assert_eq!(crowded_out(&few, ip(1, 99)), None);
        let mut many = vec![ip(2, 1)];
        many.extend((0..STRANGERS_PER_NETWORK_MAX as u8).map(|host| ip(1, host)));
        assert_eq!(crowded_out(&many, ip(1, 99)), Some(1), "one of the same network");
        assert_eq!(crowded_out(&many, ip(3, 1)), None, "others have room");
        // Thirty-one from the network 2 and fewer from each other one.
        let mut full: Vec<_> = (0..STRANGERS_MAX as u8 - 31).map(|i| ip(10 + i / 4, i)).collect();
        full.extend((0..31).map(|host| ip(2, host)));
        let first = STRANGERS_MAX - 31;
        assert_eq!(crowded_out(&full, ip(200, 1)), Some(first), "one of the most crowded network");
    }
}
