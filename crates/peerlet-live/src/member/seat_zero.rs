//! Seat 0's process as one that joins sees it: where it is looked for, and who it turned out to be.

use std::net::SocketAddr;

use peerlet_core::{Duration, Identity};
use tokio::sync::mpsc;

use super::error::JoinError;
use super::join::{Join, Search};
use super::participant::{Participant, ParticipantError};

/// Seat 0's process as a participant sees it.
pub(super) struct SeatZero {
    pub(super) participant: Participant,
    pub(super) search: Search,
    /// Where it is asked now.
    pub(super) asked: Option<SocketAddr>,
    /// Who it is, once that is known.
    pub(super) identity: Option<Identity>,
    /// Another process than the named one answered there.
    pub(super) is_another: bool,
    found: mpsc::Receiver<Result<Vec<SocketAddr>, String>>,
    find: mpsc::Sender<Result<Vec<SocketAddr>, String>>,
}

impl SeatZero {
    /// Looks for it with a socket bound there.
    pub(super) fn new(participant: Participant, join: &Join, bound: SocketAddr) -> SeatZero {
        let search = Search::new(join.clone(), bound.ip());
        let (find, found) = mpsc::channel(1);
        let (asked, identity, is_another) = (None, join.identity(), false);
        SeatZero { participant, search, asked, identity, is_another, found, find }
    }

    /// Goes on looking for seat 0's process; gives the address at which it is asked from now on,
    /// when that is another one.
    pub(super) fn look_up(&mut self, now: Duration) -> Option<SocketAddr> {
        if let Some((host, port)) = self.search.look_up(now) {
            let find = self.find.clone();
            tokio::spawn(async move {
                let looked_up = tokio::net::lookup_host((host.as_str(), port)).await;
                let found = looked_up.map(Iterator::collect).map_err(|error| error.to_string());
                // Nobody may be looking any more.
                find.send(found).await.ok();
            });
        }
        if let Ok(found) = self.found.try_recv() {
            self.search.found(now, found);
        }
        if self.participant.heard().is_none() && self.search.next(now, self.is_another) {
            self.is_another = false;
            // Whoever was there before was not seat 0's process.
            self.identity = self.search.join().identity();
        }
        let current = self.search.current()?;
        if self.asked == Some(current) {
            return None;
        }
        self.asked = Some(current);
        self.participant.ask_at(current);
        Some(current)
    }

    pub(super) fn error(&self, error: ParticipantError, within: Duration) -> JoinError {
        let join = self.search.join();
        match (error, self.asked) {
            (ParticipantError::Refused(why), Some(at)) => JoinError::Refused(at, why),
            (ParticipantError::Differs(differences), Some(at)) => {
                JoinError::Differs(at, differences)
            }
            (ParticipantError::Zero(ahead), Some(at)) => JoinError::Zero(at, ahead),
            _ => {
                let tried = self.search.tried();
                JoinError::Unanswered { at: join.to_string(), within, tried }
            }
        }
    }
}
