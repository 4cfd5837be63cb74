//! Processes that are kept out, or that keep this one out: the first few are named to the user, and
//! all are counted.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerlet_core::{Duration, Identity, SECOND};

use crate::notice::Notice;
use crate::refusal::Refusal;
use crate::socket::network_of;
use crate::transport::{KeptOutNotice, LinkError};

/// Processes that are named: strangers could fill a disk with more.
const NAMED_MAX: usize = 16;
/// Those of one network (/24, or /56 of IPv6) that are named, so that nobody who has one network
/// hides all others.
const NAMED_PER_NETWORK_MAX: usize = 8;
/// A refusal that may pass is news after this long: a process that was restarted may be refused for
/// a moment.
const LASTS: Duration = Duration::from_nanos(4 * SECOND.as_nanos());

/// Why a process was kept out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum KeptOutReason {
    /// It did not prove that it has the secret.
    Unproved,
    /// It is not on the list.
    Unlisted,
    /// It does not let this process in.
    KeepsUsOut,
    /// Its packets do not prove the secret.
    UnprovedPackets,
    /// Its packets are sealed with a secret, and this process has none.
    SealedPackets,
    /// Seat 0's process refused it.
    Refused(Refusal),
}

/// A process that was kept out.
struct Named {
    socket: SocketAddr,
    identity: Option<Identity>,
    why: KeptOutReason,
    times: u64,
    first: Duration,
    is_told: bool,
}

#[derive(Default)]
struct KeptOutLog {
    named: Vec<Named>,
    /// How often others were kept out.
    others: u64,
}

/// The processes that were kept out; all parts of a process share it.
#[derive(Clone)]
pub(crate) struct KeptOut {
    notice: Notice,
    log: Arc<Mutex<KeptOutLog>>,
}

impl KeptOut {
    pub(crate) fn new(notice: Notice) -> KeptOut {
        KeptOut { notice, log: Arc::default() }
    }

    /// Notes that a process was kept out now, by the caller's clock, and gives notice the first
    /// time.
    pub(crate) fn note(
        &self,
        now: Duration,
        (socket, identity): (SocketAddr, Option<Identity>),
        why: KeptOutReason,
    ) {
        let line = self.log().note(now, (socket, identity), why);
        if let Some(line) = line {
            (self.notice)(&line);
        }
    }

    /// A process was let in: refusals that had to pass have passed.
    pub(crate) fn let_in(&self, identity: Identity) {
        self.log().named.retain(|named| named.is_told || named.identity != Some(identity));
    }

    /// The function by which a transport tells of processes.
    pub(crate) fn of_transport(&self) -> KeptOutNotice {
        let kept_out = self.clone();
        Arc::new(move |socket, identity, error| {
            let why = match (error, identity) {
                (LinkError::Unlisted, _) => KeptOutReason::Unlisted,
                (LinkError::Unproved, Some(_)) => KeptOutReason::Unproved,
                (LinkError::Unproved, None) => KeptOutReason::UnprovedPackets,
                (LinkError::Admission, Some(_)) => KeptOutReason::KeepsUsOut,
                (LinkError::Admission, None) => KeptOutReason::SealedPackets,
                _ => return,
            };
            kept_out.note(Duration::ZERO, (socket, identity), why);
        })
    }

    /// All that were named, and how often others were kept out; in words.
    pub(crate) fn lines(&self) -> Vec<String> {
        let log = self.log();
        let named = log.named.iter().filter(|named| named.is_told);
        let mut lines: Vec<_> = named
            .map(|named| match named.times {
                1 => named.to_string(),
                times => format!("{named} ({times} times)"),
            })
            .collect();
        if log.others > 0 {
            lines.push(format!("others, {} times", log.others));
        }
        lines
    }

    /// A panic elsewhere left nothing half-done in it.
    fn log(&self) -> MutexGuard<'_, KeptOutLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptOutLog {
    fn note(
        &mut self,
        now: Duration,
        (socket, identity): (SocketAddr, Option<Identity>),
        why: KeptOutReason,
    ) -> Option<String> {
        let is_known = |named: &Named| {
            let is_same = match (named.identity, identity) {
                (Some(known), Some(identity)) => known == identity,
                _ => named.socket == socket,
            };
            is_same && named.why == why
        };
        let index = self.named.iter().position(is_known).unwrap_or(self.named.len());
        if index == self.named.len() {
            if !self.has_room(socket) {
                self.others += 1;
                return None;
            }
            let (times, first, is_told) = (0, now, false);
            self.named.push(Named { socket, identity, why, times, first, is_told });
        }
        let named = &mut self.named[index];
        // Without an identity it may be news of the same connection, from another part.
        named.times += u64::from(named.identity == identity);
        let is_news = !named.is_told && (!named.why.may_pass() || now >= named.first + LASTS);
        named.is_told |= is_news;
        is_news.then(|| named.to_string())
    }

    fn has_room(&self, socket: SocketAddr) -> bool {
        let network = network_of(socket.ip());
        let near = self.named.iter().filter(|named| network_of(named.socket.ip()) == network);
        self.named.len() < NAMED_MAX && near.count() < NAMED_PER_NETWORK_MAX
    }
}

impl KeptOutReason {
    fn may_pass(&self) -> bool {
        matches!(self, KeptOutReason::Refused(refusal) if refusal.may_pass())
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Named { socket, identity, why, .. } = self;
        if matches!(why, KeptOutReason::UnprovedPackets | KeptOutReason::SealedPackets) {
            write!(f, "packets from {socket} were dropped: ")?;
        } else {
            write!(f, "the process at {socket}")?;
            if let Some(identity) = identity {
                write!(f, ", {identity},")?;
            }
        }
        match why {
            KeptOutReason::Unproved => {
                f.write_str(" was not let in: it did not prove that it has the secret")
            }
            KeptOutReason::Unlisted => {
                f.write_str(" was not let in: its identity is not on the list")
            }
            KeptOutReason::KeepsUsOut => f.write_str(
                " does not let this one in: it has another secret, or a list without this process",
            ),
            KeptOutReason::UnprovedPackets => f.write_str("they do not prove the secret"),
            KeptOutReason::SealedPackets => f.write_str(
                "they are sealed with a secret, and this process was started without one",
            ),
            KeptOutReason::Refused(refusal) => write!(f, " was refused: {refusal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log, and the lines of which it gave notice.
    fn log() -> (KeptOut, Arc<Mutex<Vec<String>>>) {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = lines.clone();
        let notice: Notice = Arc::new(move |line| told.lock().unwrap().push(line.to_owned()));
        (KeptOut::new(notice), lines)
    }

    fn at(network: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, network, 7], port))
    }

    #[test]
    fn each_is_named_once_and_counted() {
        let (kept_out, told) = log();
        let who = Some(Identity([7; 32]));
        for port in [1, 2, 1] {
            kept_out.note(Duration::ZERO, (at(1, port), who), KeptOutReason::Unproved);
        }
        kept_out.note(Duration::ZERO, (at(1, 9), None), KeptOutReason::UnprovedPackets);
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("did not prove that it has the secret"), "{told:?}");
        assert!(told[1].starts_with("packets from 198.51.1.7:9 were dropped"), "{told:?}");
        let lines = kept_out.lines();
        assert_eq!(lines, [format!("{} (3 times)", told[0]), told[1].clone()]);
    }

    #[test]
    fn strangers_fill_neither_the_screen_nor_the_list_and_one_network_hides_no_other() {
        let (kept_out, told) = log();
        for i in 0..1_000u16 {
            let who = Some(Identity([(i % 251) as u8; 32]));
            kept_out.note(Duration::ZERO, (at(1, i), who), KeptOutReason::Unproved);
            kept_out.note(Duration::ZERO, (at(1, i), None), KeptOutReason::UnprovedPackets);
        }
        assert_eq!(told.lock().unwrap().len(), NAMED_PER_NETWORK_MAX);
        kept_out.note(Duration::ZERO, (at(2, 1), None), KeptOutReason::UnprovedPackets);
        assert_eq!(told.lock().unwrap().len(), NAMED_PER_NETWORK_MAX + 1);
        for network in 3..200 {
            kept_out.note(Duration::ZERO, (at(network, 1), None), KeptOutReason::UnprovedPackets);
        }
        assert_eq!(told.lock().unwrap().len(), NAMED_MAX);
        let lines = kept_out.lines();
        assert_eq!(lines.len(), NAMED_MAX + 1);
        assert!(lines[NAMED_MAX].starts_with("others, "), "{lines:?}");
    }

    #[test]
    fn a_refusal_that_passes_is_no_news() {
        let (kept_out, told) = log();
        let (who, why) = (Identity([7; 32]), KeptOutReason::Refused(Refusal::SameKey));
        let note = |now| kept_out.note(now, (at(1, 1), Some(who)), why.clone());
        note(SECOND);
        note(SECOND * 2);
        kept_out.let_in(who);
        assert!(kept_out.lines().is_empty() && told.lock().unwrap().is_empty());
        note(SECOND * 10);
        note(SECOND * 10 + LASTS);
        note(SECOND * 11 + LASTS);
        assert_eq!(told.lock().unwrap().len(), 1);
        kept_out.let_in(who);
        assert_eq!(kept_out.lines().len(), 1, "it was kept out for long");
    }
}
