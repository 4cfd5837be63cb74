//! Cuts between peers, and their ends.

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Seat, Time};

use super::{Change, Fault, Ways, others};

/// A cut or its end.
#[derive(Debug)]
pub(super) struct CutChange {
    at: Time,
    these: SeatSet,
    those: SeatSet,
    ways: Ways,
    is_cut: bool,
    /// Whether what is on its way is lost as well.
    in_flight: bool,
}

impl CutChange {
    /// The cut, or its end, that a fault makes; `None` for other faults.
    pub(super) fn of(fault: &Fault, peers: u32) -> Option<CutChange> {
        let (those, ways, is_cut, in_flight) = match &fault.change {
            Change::Cut { from, ways, in_flight } => {
                let from = from.clone().unwrap_or_else(|| others(&fault.seats, peers));
                (from, *ways, true, *in_flight)
            }
            Change::Heal { from } => {
                let from = from.clone().unwrap_or_else(|| SeatSet::all(peers));
                (from, Ways::Both, false, false)
            }
            _ => return None,
        };
        let (at, these) = (fault.at, fault.seats.clone());
        Some(CutChange { at, these, those, ways, is_cut, in_flight })
    }

    /// Whether it is about packets from one peer to another.
    fn covers(&self, from: Seat, to: Seat) -> bool {
        let leads = |a: Seat, b: Seat| self.these.contains(a) && self.those.contains(b);
        match self.ways {
            Ways::Out => leads(from, to),
            Ways::In => leads(to, from),
            Ways::Both => leads(from, to) || leads(to, from),
        }
    }
}

/// All cuts and their ends.
#[derive(Debug)]
pub(super) struct Cuts {
    /// In order of time.
    cuts: Vec<CutChange>,
}

impl Cuts {
    /// Cuts that are in order of time.
    pub(super) fn new(cuts: Vec<CutChange>) -> Cuts {
        Cuts { cuts }
    }

    /// Whether no path leads from one peer to another: the last word on that pair says so.
    #[inline]
    pub(super) fn are_cut(&self, from: Seat, to: Seat, at: Time) -> bool {
        if self.cuts.is_empty() {
            return false;
        }
        let said = self.cuts.partition_point(|cut| cut.at <= at);
        let last = self.cuts[..said].iter().rev().find(|cut| cut.covers(from, to));
        last.is_some_and(|cut| cut.is_cut)
    }

    /// Whether a cut hits what is on its way from one peer to another between two instants.
    pub(super) fn hit(&self, from: Seat, to: Seat, since: Time, until: Time) -> bool {
        if self.cuts.is_empty() {
            return false;
        }
        let range = [since, until].map(|at| self.cuts.partition_point(|cut| cut.at <= at));
        let mut cuts = self.cuts[range[0]..range[1]].iter();
        cuts.any(|cut| cut.is_cut && cut.in_flight && cut.covers(from, to))
    }
}
