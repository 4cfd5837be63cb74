//! Faults that are added while the layer is in use: by a program that steps a simulation.

use std::fmt;
use std::ops::RangeInclusive;

use peerlet_core::Duration;

use super::{Change, Fault, Faults, PairDelays};
use crate::model::Model;

/// The factors of [`Change::Slow`], times 2^16.
const SLOW: RangeInclusive<u32> = 1 << 16..=10_000 << 16;
/// The bits of [`Change::Corrupt`].
const BITS: RangeInclusive<u32> = 1..=1_000_000;

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

    /// Takes one more fault, where it is open.
    fn add(&mut self, fault: &Fault) {
        if let Some(mut open) = self.open.take() {
            open.faults.add(fault);
            *self = Faults::of(open);
        }
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
    show(model, fault, true)
}

/// Whether [`add_fault`] would add this fault; changes nothing.
///
/// # Errors
/// As [`add_fault`].
pub fn check_fault(model: &mut dyn Model, fault: &Fault) -> Result<(), AddFaultError> {
    show(model, fault, false)
}

/// Shows a fault to the part that takes such ones, which adds it where that is wanted.
fn show(model: &mut dyn Model, fault: &Fault, is_added: bool) -> Result<(), AddFaultError> {
    match fault.change {
        Change::Clog | Change::Release | Change::Cut { in_flight: true, .. } => {
            return Err(AddFaultError::InFlight);
        }
        Change::Slow(factor) if !SLOW.contains(&factor) => return Err(AddFaultError::Slow),
        Change::Corrupt(_, bits) if !BITS.contains(&bits) => return Err(AddFaultError::Bits),
        _ => {}
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
                    added = delays.check(*delay);
                    if is_added && added.is_ok() {
                        delays.add(fault);
                    }
                }
            }
            _ => {
                if let Some(faults) = part.downcast_mut::<Faults>() {
                    added = Ok(());
                    if is_added {
                        faults.add(fault);
                    }
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
    /// A factor of slowness is none from 1 to 10,000.
    Slow,
    /// Bits to flip are none from 1 to a million.
    Bits,
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
            AddFaultError::Slow => f.write_str(
                "nothing can be that many times as slow; give a factor from 1 to 10000, times 2^16",
            ),
            AddFaultError::Bits => {
                f.write_str("nobody flips that many bits; give 1 to 1000000 of them")
            }
            AddFaultError::InFlight => f.write_str(
                "clogs, releases and cuts of what is in flight decide over packets that departed \
                 before; write them into the scenario",
            ),
        }
    }
}

impl std::error::Error for AddFaultError {}
