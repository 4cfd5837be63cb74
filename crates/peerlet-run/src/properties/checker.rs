//! Checking the properties of a plan while it runs.

use peerlet_core::Time;
use peerlet_core::property::WorldView;
use peerlet_sim::Simulation;

use crate::properties::planned::PlannedProperty;
use crate::properties::report::{PropertyReport, PropertyVerdict};
use crate::properties::watched::Watched;

/// The properties of a run, with what is known of each.
#[derive(Default)]
pub(crate) struct Checker {
    all: Vec<Watched>,
    /// The end of the run as it is planned.
    end: Time,
}

impl Checker {
    /// A checker of these properties, in a run that ends then.
    pub(crate) fn new(planned: &[PlannedProperty], end: Time) -> Checker {
        let all = planned.iter().cloned().map(|one| Watched::new(one, end)).collect();
        Checker { all, end }
    }

    /// The instant of the next check.
    pub(crate) fn due(&self) -> Option<Time> {
        self.all.iter().filter_map(|watched| watched.next).min()
    }

    /// Makes the checks that are due.
    pub(crate) fn check(&mut self, simulation: &Simulation) {
        let (now, end) = (simulation.now(), self.end);
        let world = WorldView::new(simulation);
        for watched in self.all.iter_mut().filter(|one| one.next.is_some_and(|due| due <= now)) {
            watched.check(&world, end);
        }
    }

    /// The property at whose verdict the run was to stop, where it is known.
    pub(crate) fn stopped_by(&self) -> Option<&str> {
        let is_known = |watched: &&Watched| {
            watched.planned.stops && watched.verdict != PropertyVerdict::Undecided
        };
        self.all.iter().find(is_known).map(|watched| watched.planned.name.as_str())
    }

    /// What is known of all properties.
    pub(crate) fn reports(&self) -> Vec<PropertyReport> {
        self.all.iter().map(Watched::report).collect()
    }
}
