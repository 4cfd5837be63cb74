//! One session: its keys, its numbers, and when it was last used.

use peerlet_core::Duration;
use ring::hmac;

use super::packet::{Codes, Endpoint, SessionId, seal};
use super::window::ReplayWindow;
use crate::counters::SocketDrop;

/// Which side of a session this one is. Each direction has a key of its own, so a packet that
/// comes back to its sender fits nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Began,
    Accepted,
}

/// A session with one address.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) side: Side,
    pub(super) other: Endpoint,
    /// Drawn by the side that accepted.
    pub(super) nonce: [u8; 16],
    /// Whether the other side is known to have the keys.
    pub(super) is_confirmed: bool,
    /// When something came last; at first, when the session was made.
    pub(super) heard: Duration,
    /// When something was sent last, if ever.
    pub(super) sent: Option<Duration>,
    sending: hmac::Key,
    receiving: hmac::Key,
    number: u64,
    window: ReplayWindow,
}

impl Session {
    pub(super) fn new(
        codes: &Codes,
        id: SessionId,
        side: Side,
        (own, other): (Endpoint, Endpoint),
        nonce: [u8; 16],
        now: Duration,
    ) -> Session {
        let sides = match side {
            Side::Began => (own, other),
            Side::Accepted => (other, own),
        };
        let (began, accepted) = codes.keys(id, sides, &nonce);
        let (sending, receiving) = match side {
            Side::Began => (began, accepted),
            Side::Accepted => (accepted, began),
        };
        Session {
            id,
            side,
            other,
            nonce,
            // Whoever answered a proof made the keys itself.
            is_confirmed: side == Side::Began,
            heard: now,
            sent: None,
            sending,
            receiving,
            number: 0,
            window: ReplayWindow::default(),
        }
    }

    /// Seals frames; `None` when all numbers are used up, and the session with them.
    pub(super) fn seal(&mut self, now: Duration, frames: &[u8]) -> Option<Vec<u8>> {
        self.number = self.number.checked_add(1)?;
        self.sent = Some(now);
        Some(seal(&self.sending, self.id, self.number, frames))
    }

    /// Takes a packet of data with this number, once.
    pub(super) fn open(
        &mut self,
        now: Duration,
        codes: &Codes,
        number: u64,
        packet: &[u8],
    ) -> Result<(), SocketDrop> {
        if !codes.fits(packet, &self.receiving) {
            return Err(SocketDrop::Forged);
        }
        if !self.window.take(number) {
            return Err(SocketDrop::Duplicate);
        }
        self.heard = now;
        Ok(())
    }

    /// When it was last of use.
    pub(super) fn used(&self) -> Duration {
        self.sent.unwrap_or_default().max(self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn pair() -> (Codes, Session, Session) {
        let comparison = hmac::Key::new(hmac::HMAC_SHA256, b"comparison");
        let codes = Codes::new(Secret::generate(), comparison);
        let (a, b) = (Endpoint([1; 8]), Endpoint([2; 8]));
        let session = |side, ends| {
            Session::new(&codes, SessionId([3; 8]), side, ends, [4; 16], Duration::ZERO)
        };
        let (began, accepted) = (session(Side::Began, (a, b)), session(Side::Accepted, (b, a)));
        (codes, began, accepted)
    }

    #[test]
    fn a_packet_is_taken_once_by_the_other_side_only() {
        let (codes, mut began, mut accepted) = pair();
        let now = Duration::from_secs(5);
        let packet = began.seal(now, b"frames").unwrap();
        assert_eq!(began.open(now, &codes, 1, &packet), Err(SocketDrop::Forged), "it came back");
        assert_eq!(accepted.open(now, &codes, 1, &packet), Ok(()));
        assert_eq!(accepted.open(now, &codes, 1, &packet), Err(SocketDrop::Duplicate));
        let answer = accepted.seal(now, b"frames").unwrap();
        assert_eq!(began.open(now, &codes, 1, &answer), Ok(()));
        assert_eq!((began.used(), accepted.used()), (now, now));
    }

    #[test]
    fn the_last_number_is_used_and_none_after_it() {
        let (codes, mut began, mut accepted) = pair();
        began.number = u64::MAX - 1;
        let packet = began.seal(Duration::ZERO, b"last").unwrap();
        assert_eq!(accepted.open(Duration::ZERO, &codes, u64::MAX, &packet), Ok(()));
        assert_eq!(began.seal(Duration::ZERO, b"more"), None);
    }
}
