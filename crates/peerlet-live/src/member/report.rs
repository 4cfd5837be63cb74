//! Reports: what a process measured, sent in pieces until they have arrived.

use std::collections::{BTreeMap, VecDeque};

use peerlet_core::Duration;

use crate::member::control::{Control, PIECE_MAX, PIECES_MAX};

/// Pieces that are under way at once.
const WINDOW: usize = 32;
/// After this long a piece is sent again.
pub(super) const AGAIN: Duration = Duration::from_millis(300);
/// Reports of one process that are being put together at once.
const OPEN_MAX: usize = 8;

/// What a process has to report and has not got through yet.
#[derive(Default)]
pub(crate) struct Outbox {
    reports: u32,
    waiting: VecDeque<(u32, u32, u32, Vec<u8>)>,
    /// Sent, not taken: by report and piece, with the time it was sent last.
    sent: BTreeMap<(u32, u32), (Duration, u32, Vec<u8>)>,
}

impl Outbox {
    /// Queues a report; one that is too long for its pieces is left out, and false.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        let pieces = bytes.len().div_ceil(PIECE_MAX).max(1);
        if pieces > PIECES_MAX as usize {
            return false;
        }
        let report = self.reports;
        self.reports += 1;
        for piece in 0..pieces {
            let part = &bytes[piece * PIECE_MAX..bytes.len().min((piece + 1) * PIECE_MAX)];
            self.waiting.push_back((report, piece as u32, pieces as u32, part.to_vec()));
        }
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    pub(crate) fn taken(&mut self, report: u32, piece: u32) {
        self.sent.remove(&(report, piece));
    }

    /// What is to be sent now.
    pub(crate) fn due(&mut self, now: Duration, nonce: u64) -> Vec<Control> {
        let mut due = Vec::new();
        for ((report, piece), (at, pieces, bytes)) in &mut self.sent {
            if now.saturating_sub(*at) >= AGAIN {
                *at = now;
                let (report, piece, pieces) = (*report, *piece, *pieces);
                due.push(Control::Piece { nonce, report, piece, pieces, bytes: bytes.clone() });
            }
        }
        while self.sent.len() < WINDOW
            && let Some((report, piece, pieces, bytes)) = self.waiting.pop_front()
        {
            self.sent.insert((report, piece), (now, pieces, bytes.clone()));
            due.push(Control::Piece { nonce, report, piece, pieces, bytes });
        }
        due
    }
}

/// How many pieces a report has, and those that are there.
type Parts = (u32, BTreeMap<u32, Vec<u8>>);

/// Reports of others that are being put together.
#[derive(Default)]
pub(crate) struct Inbox {
    open: BTreeMap<(u64, u32), Parts>,
    /// By process: every report below this number was given on, and those beyond it that are whole.
    done: BTreeMap<u64, (u32, BTreeMap<u32, Vec<u8>>)>,
}

impl Inbox {
    /// Takes a piece; gives the reports that are whole now and have none missing before them, in
    /// order: the last report of a process is its last word. `None` when it is not
    /// taken: it does not fit its report, or is too far ahead and must be sent again.
    pub(crate) fn take(
        &mut self,
        nonce: u64,
        report: u32,
        piece: u32,
        pieces: u32,
        bytes: Vec<u8>,
    ) -> Option<Vec<Vec<u8>>> {
        let (below, beyond) = self.done.entry(nonce).or_default();
        if report < *below || beyond.contains_key(&report) {
            return Some(Vec::new());
        }
        let fits = piece < pieces && pieces <= PIECES_MAX && bytes.len() <= PIECE_MAX;
        if !fits || report - *below >= OPEN_MAX as u32 {
            return None;
        }
        let (total, parts) = self.open.entry((nonce, report)).or_insert((pieces, BTreeMap::new()));
        if *total != pieces {
            return None;
        }
        parts.entry(piece).or_insert(bytes);
        if parts.len() < pieces as usize {
            return Some(Vec::new());
        }
        let (_, parts) = self.open.remove(&(nonce, report))?;
        beyond.insert(report, parts.into_values().flatten().collect());
        let mut whole = Vec::new();
        while let Some(next) = beyond.remove(below) {
            whole.push(next);
            *below += 1;
        }
        Some(whole)
    }

    /// Forgets a process that has gone.
    pub(crate) fn forget(&mut self, nonce: u64) {
        self.open.retain(|(whose, _), _| *whose != nonce);
        self.done.remove(&nonce);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerlet_core::Seed;

    /// Sends reports over a line that loses, repeats and reorders.
    #[test]
    fn reports_arrive_once_and_whole() {
        let mut rng = Seed::new(5).rng();
        let reports: Vec<Vec<u8>> = [0, 1, PIECE_MAX, PIECE_MAX + 1, 70_000]
            .map(|len| (0..len).map(|_| rng.bits() as u8).collect())
            .to_vec();
        let (mut outbox, mut inbox, mut got) = (Outbox::default(), Inbox::default(), Vec::new());
        reports.iter().for_each(|report| assert!(outbox.push(report)));
        let mut now = Duration::ZERO;
        while !outbox.is_empty() {
            now = now + Duration::from_millis(100);
            let mut due = outbox.due(now, 9);
            due.extend(due.clone());
            rng.shuffle(&mut due);
            for control in due {
                let Control::Piece { report, piece, pieces, bytes, .. } = control else { panic!() };
                if rng.chance(0.3) {
                    continue;
                }
                let Some(complete) = inbox.take(9, report, piece, pieces, bytes) else { continue };
                got.extend(complete);
                if rng.chance(0.7) {
                    outbox.taken(report, piece);
                }
            }
            assert!(now < Duration::from_secs(600), "it never ends");
        }
        assert_eq!(got, reports, "in the order in which they were sent");
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.take(1, 0, 5, 5, vec![]), None);
        assert_eq!(inbox.take(1, 99, 0, 1, vec![]), None, "too far ahead");
        assert_eq!(inbox.take(1, 0, 0, PIECES_MAX + 1, vec![]), None);
        assert_eq!(inbox.take(1, 0, 0, 2, vec![1]), Some(vec![]));
        assert_eq!(inbox.take(1, 0, 1, 3, vec![2]), None, "another total");
        assert_eq!(inbox.take(1, 0, 1, 2, vec![2]), Some(vec![vec![1, 2]]));
        assert_eq!(inbox.take(1, 0, 1, 2, vec![2]), Some(vec![]), "it came before");
        assert!(!Outbox::default().push(&vec![0; PIECE_MAX * (PIECES_MAX as usize + 1)]));
    }
}
