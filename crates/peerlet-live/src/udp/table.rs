//! The table of sessions: which there are, which to send on, and which go when there are too many.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use peerlet_core::{Duration, SECOND};

use super::packet::SessionId;
use super::session::{Session, Side};

/// Sessions of one socket, of 700 bytes each: as many as QUIC has links.
pub const SESSIONS_MAX: usize = 4_096;
/// Sessions with one network: the addresses that share 24 bits of IPv4, or 56 of IPv6.
pub const SESSIONS_PER_NETWORK_MAX: usize = 1_024;
/// Sessions with one address: one for each side that began it, and their successors.
const PER_ADDRESS_MAX: usize = 4;
/// A session that nothing is sent on and nothing comes from for this long goes, as over QUIC.
const IDLE: Duration = Duration::from_nanos(30 * SECOND.as_nanos());
/// A session that the other side never used goes after this long, which is at least as long as
/// cookies hold: nobody makes it again by repeating packets.
const UNCONFIRMED: Duration = Duration::from_nanos(10 * SECOND.as_nanos());
/// A session that both sides use is not given up for another one within this time.
const IN_USE: Duration = Duration::from_nanos(5 * SECOND.as_nanos());

#[derive(Default)]
pub(super) struct SessionTable {
    sessions: BTreeMap<(SocketAddr, SessionId), Session>,
    /// The session to send on: the one that was confirmed last.
    current: BTreeMap<SocketAddr, SessionId>,
    networks: BTreeMap<IpAddr, usize>,
}

impl SessionTable {
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn current(&self, with: SocketAddr) -> Option<SessionId> {
        self.current.get(&with).copied()
    }

    pub(super) fn set_current(&mut self, with: SocketAddr, id: SessionId) {
        self.current.insert(with, id);
    }

    pub(super) fn get_mut(&mut self, with: SocketAddr, id: SessionId) -> Option<&mut Session> {
        self.sessions.get_mut(&(with, id))
    }

    /// Adds a session, giving up a less useful one where there are too many; false when there is
    /// none. One that this side began always has room, and is sent on from now on.
    pub(super) fn insert(&mut self, now: Duration, with: SocketAddr, session: Session) -> bool {
        let is_own = session.side == Side::Began;
        if !self.make_room(now, with, is_own) {
            return false;
        }
        if is_own {
            self.set_current(with, session.id);
        }
        *self.networks.entry(network(with.ip())).or_default() += 1;
        self.sessions.insert((with, session.id), session);
        true
    }

    pub(super) fn remove(&mut self, with: SocketAddr, id: SessionId) {
        if self.sessions.remove(&(with, id)).is_none() {
            return;
        }
        if self.current.get(&with) == Some(&id) {
            self.current.remove(&with);
        }
        let network = network(with.ip());
        if let Some(count) = self.networks.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.networks.remove(&network);
            }
        }
    }

    /// Removes sessions that were not used for long.
    pub(super) fn sweep(&mut self, now: Duration) {
        let is_old = |session: &Session| match session.is_confirmed {
            true => now.saturating_sub(session.used()) >= IDLE,
            false => now.saturating_sub(session.heard) >= UNCONFIRMED,
        };
        let old: Vec<_> = self.sessions.iter().filter(|(_, session)| is_old(session)).collect();
        let old: Vec<_> = old.into_iter().map(|(key, _)| *key).collect();
        old.into_iter().for_each(|(with, id)| self.remove(with, id));
    }

    /// Sees to it that there is room for one more session with this address.
    fn make_room(&mut self, now: Duration, with: SocketAddr, is_own: bool) -> bool {
        let ends = (with, SessionId([0; 8]))..=(with, SessionId([u8::MAX; 8]));
        let here = network(with.ip());
        let victim = if self.sessions.range(ends.clone()).count() >= PER_ADDRESS_MAX {
            let current = self.current(with);
            let others = self.sessions.range(ends).filter(|((_, id), _)| Some(*id) != current);
            least_useful(now, true, others)
        } else if self.networks.get(&here).is_some_and(|n| *n >= SESSIONS_PER_NETWORK_MAX) {
            let neighbors =
                self.sessions.iter().filter(|((with, _), _)| network(with.ip()) == here);
            least_useful(now, is_own, neighbors)
        } else if self.sessions.len() >= SESSIONS_MAX {
            least_useful(now, is_own, self.sessions.iter())
        } else {
            return true;
        };
        let Some((with, id)) = victim else { return false };
        self.remove(with, id);
        true
    }
}

/// The session to give up first: one that the other side never used, then one that this side never
/// used, then the one that was heard from the longest time ago. Those in use are spared unless
/// `any` may go.
fn least_useful<'a>(
    now: Duration,
    any: bool,
    sessions: impl Iterator<Item = (&'a (SocketAddr, SessionId), &'a Session)>,
) -> Option<(SocketAddr, SessionId)> {
    let rank = |session: &Session| {
        let is_in_use = session.is_confirmed && session.sent.is_some();
        (session.is_confirmed, is_in_use, session.heard)
    };
    let (key, session) = sessions.min_by_key(|(_, session)| rank(session))?;
    let (_, is_in_use, heard) = rank(session);
    let is_spared = is_in_use && now.saturating_sub(heard) < IN_USE;
    (any || !is_spared).then_some(*key)
}

/// The network that an address belongs to.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            [a, b, c, 0].into()
        }
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[7..].fill(0);
            octets.into()
        }
    }
}
