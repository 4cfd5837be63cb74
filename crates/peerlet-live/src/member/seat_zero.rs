//! Seat 0's process as one that joins sees it: where it is looked for, and who it turned out to be.

use std::net::SocketAddr;

use peerlet_core::{Duration, Identity};
use tokio::sync::mpsc;

use super::error::JoinError;
use super::join::{Join, Search};
use super::participant::{Participant, ParticipantError};
use super::roster::SILENT;
use super::waiting::{Reminder, passed, whole};
use crate::socket::is_here;
use crate::transport::LinkError;

/// How often in a row a process keeps this one out before that is believed: on a path that loses
/// much, a proof may come too late.
const KEPT_OUT_MAX: u32 = 3;

/// Seat 0's process as a participant sees it.
pub(super) struct SeatZero {
    pub(super) participant: Participant,
    pub(super) search: Search,
    /// The address that is asked now.
    pub(super) asked: Option<SocketAddr>,
    /// Its identity, once that is known.
    pub(super) identity: Option<Identity>,
    /// Another process than the named one answered there.
    pub(super) is_another: bool,
    /// How often one of the two processes did not let the other in, and why.
    kept_out: Option<(u32, LinkError)>,
    /// Why no link could be made for another reason.
    unlinked: Option<LinkError>,
    /// The sockets of this process, as they are bound.
    own: Vec<SocketAddr>,
    has_secret: bool,
    /// Whether it was told who it is.
    is_told: bool,
    found: mpsc::Receiver<Result<Vec<SocketAddr>, String>>,
    find: mpsc::Sender<Result<Vec<SocketAddr>, String>>,
}

impl SeatZero {
    /// Looks for it with these sockets, of which the first one asks.
    pub(super) fn new(
        participant: Participant,
        join: &Join,
        own: Vec<SocketAddr>,
        has_secret: bool,
    ) -> SeatZero {
        let search = Search::new(join.clone(), own[0].ip());
        let (find, found) = mpsc::channel(1);
        let (asked, identity, is_another) = (None, join.identity(), false);
        let (kept_out, unlinked, is_told) = (None, None, join.identity().is_some());
        SeatZero {
            participant,
            search,
            asked,
            identity,
            is_another,
            kept_out,
            unlinked,
            own,
            has_secret,
            is_told,
            found,
            find,
        }
    }

    /// A link to the process that is asked broke, or could not be made, before it was heard.
    pub(super) fn link_lost(&mut self, why: LinkError) {
        match why {
            LinkError::Identity => self.is_another = true,
            why if why.is_admission() => {
                let times = self.kept_out.map_or(0, |(times, _)| times);
                self.kept_out = Some((times + 1, why));
            }
            LinkError::Refused | LinkError::Protocol | LinkError::TooMany => {
                self.unlinked = Some(why);
            }
            _ => {}
        }
    }

    /// Its address in words: the one that is asked, or the one that was given where none is known.
    pub(super) fn place(&self) -> String {
        self.asked.map_or_else(|| self.search.join().to_string(), |at| at.to_string())
    }

    /// Whether the address that is asked is one of this process's own.
    fn is_oneself(&self) -> bool {
        let Some(asked) = self.asked else { return false };
        self.own.iter().any(|own| {
            let (own_ip, ip) = (own.ip().to_canonical(), asked.ip().to_canonical());
            let is_there = own_ip == ip || own_ip.is_unspecified() && is_here(ip);
            own.port() == asked.port() && is_there
        })
    }

    fn is_kept_out(&self) -> bool {
        self.kept_out.is_some_and(|(times, _)| times >= KEPT_OUT_MAX)
    }

    /// Why there is no hope at the address that is asked, where no other one is left to be tried.
    pub(super) fn hopeless(&self) -> Option<JoinError> {
        let at = self.asked.filter(|_| !self.search.has_others())?;
        if self.is_oneself() {
            Some(JoinError::Oneself(at))
        } else if self.is_another {
            Some(JoinError::Identity(at))
        } else {
            self.kept_out_error().filter(|_| self.is_kept_out())
        }
    }

    fn kept_out_error(&self) -> Option<JoinError> {
        let (at, (_, why)) = (self.asked?, self.kept_out?);
        Some(match why {
            LinkError::Unproved => JoinError::Unproved(at),
            LinkError::Unlisted => JoinError::Unlisted(at),
            _ => {
                let (own, has_secret) = (self.participant.own_identity(), self.has_secret);
                JoinError::NotAdmitted { at, own, has_secret }
            }
        })
    }

    /// A line about the search or the wait for others, when it is time for one.
    pub(super) fn waits(
        &self,
        now: Duration,
        within: Duration,
        reminder: &mut Reminder,
    ) -> Option<String> {
        if self.participant.is_welcomed() {
            let at = self.asked.filter(|_| self.participant.zero().is_none())?;
            let silent = now.saturating_sub(self.participant.heard()?);
            let is_due = reminder.is_due(now, Duration::ZERO, false);
            return is_due.then(|| match silent >= SILENT {
                false => {
                    format!("seat 0's process at {at} has taken this one in, and waits for others")
                }
                true => {
                    let (left, silent) = (whole(within.saturating_sub(silent)), passed(silent));
                    format!(
                        "nothing heard from seat 0's process at {at} for {silent}; waiting at \
                         most {left} more"
                    )
                }
            });
        }
        let is_over = self.participant.heard().is_some() || now >= within;
        let is_due = !is_over && reminder.is_due(now, Duration::ZERO, false);
        is_due.then(|| {
            let (join, left) = (self.search.join(), whole(within - now));
            format!("nothing heard from {join} so far; waiting at most {left}")
        })
    }

    /// A line about its silence, once.
    pub(super) fn silence(&self, now: Duration, is_told: &mut bool) -> Option<String> {
        let (at, heard) = (self.asked?, self.participant.heard()?);
        let silent = now.saturating_sub(heard);
        let is_news = silent >= SILENT && !std::mem::replace(is_told, silent >= SILENT);
        is_news
            .then(|| format!("nothing heard from seat 0's process at {at} for {}", whole(SILENT)))
    }

    /// A line about who it is, once it has taken this process in; nothing where that was given.
    pub(super) fn introduction(&mut self) -> Option<String> {
        let (at, identity) = (self.asked?, self.identity?);
        let is_news = self.participant.is_welcomed() && !std::mem::replace(&mut self.is_told, true);
        is_news.then(|| format!("seat 0's process at {at} is {identity}: kept for this run"))
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
        let is_hopeless = self.is_another || self.is_kept_out() || self.is_oneself();
        if self.participant.heard().is_none() && self.search.next(now, is_hopeless) {
            (self.is_another, self.kept_out, self.unlinked) = Default::default();
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
            _ => self.kept_out_error().unwrap_or_else(|| {
                let mut tried = self.search.tried();
                if let Some(why) = self.unlinked {
                    let comma = if tried.is_empty() { "" } else { ", " };
                    tried += &format!("{comma}{why}");
                }
                let (at, needs_bind) = (join.to_string(), self.search.needs_bind());
                JoinError::Unanswered { at, within, tried, needs_bind }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::SECOND;

    use super::*;
    use crate::member::control::Control;
    use crate::process::Process;

    #[test]
    fn a_wait_for_others_is_no_longer_told_of_once_seat_0s_process_is_silent() {
        let own = SocketAddr::from(([127, 0, 0, 1], 2));
        let process = Process::new(7, (3, 5), own.ip(), vec![2], Identity([2; 32]));
        let at = SocketAddr::from(([127, 0, 0, 1], 1));
        let within = SECOND * 30;
        let participant = Participant::new(process, own, Vec::new(), within, Duration::ZERO);
        let join = at.to_string().parse().expect("an address");
        let mut search = SeatZero::new(participant, &join, vec![own], false);
        search.asked = Some(at);
        let (sent, clock, zero, version, seen) = (0, 0, None, 0, own);
        search.participant.handle(SECOND, Control::Welcome { sent, clock, zero, version, seen });
        let waits = |second: u64| {
            search.waits(SECOND * second, within, &mut Reminder::default()).expect("it is due")
        };
        let others = "seat 0's process at 127.0.0.1:1 has taken this one in, and waits for others";
        assert_eq!(waits(3), others);
        let silent = "nothing heard from seat 0's process at 127.0.0.1:1 for 6 s; waiting at most \
                      24 s more";
        assert_eq!(waits(7), silent);
    }
}
