//! Faults that are added while the layer is in use: by a program that steps a simulation.

use std::fmt;

use peerlet_core::Duration;

use super::{Change, Fault, Faults, PairDelays};
use crate::model::Model;

/// The faults of a layer that takes more of them.
pub(super) struct Open {
    faults: OpenList,
    peers: u32,
}

impl Faults {
    /// As [`new`](Faults::new), and takes [more of them](add_fault) while it is in
    /// use. Fates are the same; deciding them takes a little longer.
    pub fn open(faults: &[Fault], peers: u32) -> Faults {
        Faults::of(Open { faults: OpenList::new(faults.to_vec()), peers })
    }

    fn of(open: Open) -> Faults {
        let faults = Faults::new(open.faults.all(), open.peers);
        Faults { open: Some(open), ..faults }
    }

    /// Takes one more fault.
    fn add(&mut self, fault: &Fault) -> Result<(), AddFaultError> {
        let mut open = self.open.take().ok_or(AddFaultError::Closed)?;
        open.faults.add(fault);
        *self = Faults::of(open);
        Ok(())
    }
}

/// Adds a fault to a network that is in use, at an instant before which all packets have departed.
/// Its lookahead stays.
///
/// # Errors
/// When the network has no part that takes it ([`Faults::open`], [`PairDelays::open`]), or not this
/// one. Nothing has changed then.
///
/// ```
/// use peerlet_core::runtime::SeatSet;
/// use peerlet_core::{MILLISECOND, Time};
/// use peerlet_network::{AddFaultError, Change, Constant, Fault, Faults, Layers, Model, add_fault};
///
/// let (constant, faults) = (Constant { delay: MILLISECOND }, Faults::open(&[], 2));
/// let mut model = Layers::around(Box::new(constant), vec![Box::new(faults)]);
/// let slow = Fault { at: Time::ZERO, seats: SeatSet::all(2), change: Change::Slow(3 << 16) };
/// assert_eq!(add_fault(&mut model, &slow), Ok(()));
/// let clog = Fault { change: Change::Clog, ..slow };
/// assert_eq!(add_fault(&mut model, &clog), Err(AddFaultError::InFlight));
/// ```
pub fn add_fault(model: &mut dyn Model, fault: &Fault) -> Result<(), AddFaultError> {
    if let Change::Clog | Change::Release | Change::Cut { in_flight: true, .. } = fault.change {
        return Err(AddFaultError::InFlight);
    }
    let mut added = Err(AddFaultError::Closed);
    model.open_parts(&mut |part| {
        if added != Err(AddFaultError::Closed) {
            return;
        }
        match &fault.change {
            // Applied around the model itself.
            Change::PairDelay { delay, .. } => {
                if let Some(delays) = part.downcast_mut::<PairDelays>() {
                    added = delays.add(fault, *delay);
                }
            }
            _ => {
                if let Some(faults) = part.downcast_mut::<Faults>() {
                    added = faults.add(fault);
                }
            }
        }
    });
    added
}

/// Faults in an order from which a stable sort by time makes that in which they happen: at one
/// instant, those that were added come first.
#[derive(Debug)]
pub(super) struct OpenList {
    faults: Vec<Fault>,
    added: usize,
}

impl OpenList {
    pub(super) fn new(faults: Vec<Fault>) -> OpenList {
        OpenList { faults, added: 0 }
    }

    pub(super) fn add(&mut self, fault: &Fault) {
        self.faults.insert(self.added, fault.clone());
        self.added += 1;
    }

    pub(super) fn all(&self) -> &[Fault] {
        &self.faults
    }
}

/// Why a network takes no fault while it is in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AddFaultError {
    /// It was not made for that.
    Closed,
    /// A delay is shorter than the lookahead, which stays as it was when the run began.
    BelowLookahead {
        /// The delay.
        delay: Duration,
        /// The lookahead.
        lookahead: Duration,
    },
    /// It concerns packets that are on their way, whose fates were decided when they departed.
    InFlight,
}

impl fmt::Display for AddFaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddFaultError::Closed => f.write_str(
                "this network takes no faults while it is in use; write them into the scenario",
            ),
            AddFaultError::BelowLookahead { delay, lookahead } => write!(
                f,
                "a delay of {delay} is shorter than any that the run began with; give {lookahead} \
                 or more, or write it into the scenario"
            ),
            AddFaultError::InFlight => f.write_str(
                "clogs, releases and cuts of what is in flight decide over packets that departed \
                 before; write them into the scenario",
            ),
        }
    }
}

impl std::error::Error for AddFaultError {}
