//! Reports: what a process measured, sent in pieces until they have arrived.

use std::collections::{BTreeMap, VecDeque};

use peerlet_core::{Duration, Identity};

use super::control::{Control, PIECE_MAX, PIECES_MAX};

/// Pieces that are under way at once.
const WINDOW: usize = 32;
/// After this long a piece is sent again.
pub(super) const AGAIN: Duration = Duration::from_millis(300);
/// Reports of one process that are being put together at once.
const OPEN_MAX: usize = 8;
/// Bytes that unfinished reports may take: those of one process, unless it is a single one, and
/// all.
const RESERVED_EACH_MAX: usize = 8 * 1024 * 1024;
pub(crate) const RESERVED_MAX: usize = 32 * 1024 * 1024;
/// Bytes that each process may always have, however much others have begun and not finished.
pub(crate) const GRANTED_EACH: usize = 4 * PIECE_MAX;

/// Bytes of reports that wait for a seat 0's process that does not take them; epochs beyond are
/// left out.
pub(super) const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The reports of a process that are not acknowledged yet.
#[derive(Default)]
pub(crate) struct Outbox {
    reports: u32,
    waiting: VecDeque<(u32, u32, u32, Vec<u8>)>,
    /// Sent, not taken: by report and piece, with the time it was sent last.
    sent: BTreeMap<(u32, u32), (Duration, u32, Vec<u8>)>,
    /// The bytes of both.
    bytes: usize,
}

impl Outbox {
    /// Queues a report. One that is too long for its pieces is left out, and false; so is one that
    /// is not the last, where too much waits.
    pub(crate) fn push(&mut self, bytes: &[u8], is_last: bool) -> bool {
        let pieces = bytes.len().div_ceil(PIECE_MAX).max(1);
        let has_room = is_last || self.bytes + bytes.len() <= WAITING_BYTES_MAX;
        if pieces > PIECES_MAX as usize || !has_room {
            return false;
        }
        self.bytes += bytes.len();
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
        if let Some((_, _, bytes)) = self.sent.remove(&(report, piece)) {
            self.bytes -= bytes.len();
        }
    }

    /// The messages that are due now.
    pub(crate) fn due(&mut self, now: Duration, incarnation: u64) -> Vec<Control> {
        let mut due = Vec::new();
        for ((report, piece), (at, pieces, bytes)) in &mut self.sent {
            if now.saturating_sub(*at) >= AGAIN {
                *at = now;
                let (report, piece, pieces) = (*report, *piece, *pieces);
                due.push(Control::Piece {
                    incarnation,
                    report,
                    piece,
                    pieces,
                    bytes: bytes.clone(),
                });
            }
        }
        while self.sent.len() < WINDOW
            && let Some((report, piece, pieces, bytes)) = self.waiting.pop_front()
        {
            self.sent.insert((report, piece), (now, pieces, bytes.clone()));
            due.push(Control::Piece { incarnation, report, piece, pieces, bytes });
        }
        due
    }
}

/// A report that is being put together: how many pieces it has, and those that are there.
struct Open {
    pieces: u32,
    parts: BTreeMap<u32, Vec<u8>>,
}

/// The reports of one process.
#[derive(Default)]
struct From {
    /// Every report below this number was given on.
    below: u32,
    /// Those beyond it that are whole, each with the bytes reserved for it.
    whole: BTreeMap<u32, (Vec<u8>, usize)>,
    open: BTreeMap<u32, Open>,
    /// The bytes that its reports take, or will.
    reserved: usize,
}

/// Reports of others that are being put together, within bounds for each process and for all.
#[derive(Default)]
pub(crate) struct Inbox {
    from: BTreeMap<Identity, From>,
    reserved: usize,
}

impl Inbox {
    /// Takes a piece: a report's number, the piece's, and how many it has. Gives the reports that
    /// are whole now and have none missing before them, in order: the last report of a process is
    /// its last word. `None` when it is not taken: it does not fit its report, is too far ahead, or
    /// there is no room, and it must be sent again.
    pub(crate) fn take(
        &mut self,
        who: Identity,
        (report, piece, pieces): (u32, u32, u32),
        bytes: Vec<u8>,
    ) -> Option<Vec<Vec<u8>>> {
        let from = self.from.entry(who).or_default();
        if report < from.below || from.whole.contains_key(&report) {
            return Some(Vec::new());
        }
        let fits = piece < pieces && pieces <= PIECES_MAX && bytes.len() <= PIECE_MAX;
        if !fits || report - from.below >= OPEN_MAX as u32 {
            return None;
        }
        let size = pieces as usize * PIECE_MAX;
        if !from.open.contains_key(&report) {
            let is_first = from.reserved == 0;
            let has_room = from.reserved + size <= RESERVED_EACH_MAX || is_first;
            let is_granted = from.reserved + size <= GRANTED_EACH;
            if !has_room || !is_granted && self.reserved + size > RESERVED_MAX {
                return None;
            }
            from.reserved += size;
            self.reserved += size;
            from.open.insert(report, Open { pieces, parts: BTreeMap::new() });
        }
        let open = from.open.get_mut(&report)?;
        if open.pieces != pieces {
            return None;
        }
        open.parts.entry(piece).or_insert(bytes);
        if open.parts.len() < pieces as usize {
            return Some(Vec::new());
        }
        let open = from.open.remove(&report)?;
        from.whole.insert(report, (open.parts.into_values().flatten().collect(), size));
        let mut whole = Vec::new();
        while let Some((next, size)) = from.whole.remove(&from.below) {
            from.reserved -= size;
            self.reserved -= size;
            whole.push(next);
            from.below += 1;
        }
        Some(whole)
    }

    /// Forgets a process that has gone.
    pub(crate) fn forget(&mut self, who: Identity) {
        if let Some(from) = self.from.remove(&who) {
            self.reserved -= from.reserved;
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::SECOND;

    use super::*;
    use peerlet_core::Seed;

    const WHO: Identity = Identity([9; 32]);

    /// Sends reports over a line that loses, repeats and reorders.
    #[test]
    fn reports_arrive_once_and_whole() {
        let mut rng = Seed::new(5).rng();
        let reports: Vec<Vec<u8>> = [0, 1, PIECE_MAX, PIECE_MAX + 1, 70_000]
            .map(|len| (0..len).map(|_| rng.bits() as u8).collect())
            .to_vec();
        let (mut outbox, mut inbox, mut got) = (Outbox::default(), Inbox::default(), Vec::new());
        reports.iter().for_each(|report| assert!(outbox.push(report, false)));
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
                let Some(complete) = inbox.take(WHO, (report, piece, pieces), bytes) else {
                    continue;
                };
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
        let mut take =
            |report, piece, pieces, bytes| inbox.take(WHO, (report, piece, pieces), bytes);
        assert_eq!(take(0, 5, 5, vec![]), None);
        assert_eq!(take(99, 0, 1, vec![]), None, "too far ahead");
        assert_eq!(take(0, 0, PIECES_MAX + 1, vec![]), None);
        assert_eq!(take(0, 0, 2, vec![1]), Some(vec![]));
        assert_eq!(take(0, 1, 3, vec![2]), None, "another total");
        assert_eq!(take(0, 1, 2, vec![2]), Some(vec![vec![1, 2]]));
        assert_eq!(take(0, 1, 2, vec![2]), Some(vec![]), "it came before");
        assert!(!Outbox::default().push(&vec![0; PIECE_MAX * (PIECES_MAX as usize + 1)], true));
    }

    /// A seat 0's process that takes no report costs a process a bounded amount of memory, and not
    /// its last word.
    #[test]
    fn reports_that_nobody_takes_are_left_out_beyond_a_bound() {
        let mut outbox = Outbox::default();
        let epoch = vec![1; 1024 * 1024];
        let queued = (0..1_000).filter(|_| outbox.push(&epoch, false)).count();
        assert_eq!(queued, WAITING_BYTES_MAX / epoch.len());
        assert!(outbox.push(&[2; 10], true), "the last report");
        let due = outbox.due(SECOND, 7);
        for piece in &due {
            let Control::Piece { report, piece, .. } = piece else { panic!("{piece:?}") };
            outbox.taken(*report, *piece);
            outbox.taken(*report, *piece);
        }
        assert_eq!(outbox.bytes, WAITING_BYTES_MAX + 10 - due.len() * PIECE_MAX);
    }

    #[test]
    fn unfinished_reports_have_a_budget() {
        let mut inbox = Inbox::default();
        let mut open = |who: u8, report| {
            inbox.take(Identity([who; 32]), (report, 0, PIECES_MAX), vec![1]).is_some()
        };
        let each = RESERVED_EACH_MAX / (PIECES_MAX as usize * PIECE_MAX);
        let of_one = (0..OPEN_MAX as u32).filter(|report| open(0, *report)).count();
        assert_eq!(of_one, each, "one process");
        let of_all = (1..=255).filter(|who| open(*who, 0)).count() + of_one;
        assert_eq!(of_all, RESERVED_MAX / (PIECES_MAX as usize * PIECE_MAX), "all of them");
        assert!(open(1, 0), "what was begun goes on");
        let short = inbox.take(Identity([254; 32]), (0, 0, 1), vec![1]);
        assert_eq!(short, Some(vec![vec![1]]), "a short report always has room");
        inbox.forget(Identity([0; 32]));
        let open = |inbox: &mut Inbox, who: u8| {
            inbox.take(Identity([who; 32]), (0, 0, PIECES_MAX), vec![1]).is_some()
        };
        assert!(open(&mut inbox, 254), "who is forgotten leaves room");
        assert_eq!(inbox.reserved, inbox.from.values().map(|from| from.reserved).sum::<usize>());
    }
}
