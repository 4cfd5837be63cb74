//! Observing a simulation: when it is looked at, and what is recorded.

use peerlet_core::property::WorldView;
use peerlet_core::{Links, Seed, Time};
use peerlet_measure::{Epochs, Measurements, Recorder};
use peerlet_sim::Simulation;

use crate::observers::observation::{LinkSink, Observation};
use crate::observers::planned::PlannedObserver;
use crate::observers::quantities;

/// The observers of a run, and what they recorded.
pub(crate) struct Observers {
    all: Vec<Observing>,
    recorder: Recorder,
    seed: Seed,
    end: Time,
    /// Takes the links that are kept.
    sink: Option<LinkSink>,
}

/// One observer.
struct Observing {
    planned: PlannedObserver,
    /// The index of its first metric.
    first: usize,
    next: Option<Time>,
    links: Links,
}

impl Observers {
    /// Observers of a simulation that measures in these epochs.
    pub(crate) fn new(
        planned: &[PlannedObserver],
        (epochs, seed): (Epochs, u64),
        sink: Option<LinkSink>,
    ) -> Observers {
        let (mut all, mut table) = (Vec::new(), Vec::new());
        for planned in planned {
            let next = Some(planned.due_after(Time::ZERO, epochs.end()));
            let (first, links) = (table.len(), Links::new());
            table.extend(planned.metrics());
            all.push(Observing { planned: planned.clone(), first, next, links });
        }
        let recorder = Recorder::new(table.into(), epochs);
        let seed = Seed::new(seed).named("observers");
        Observers { all, recorder, seed, end: epochs.end(), sink }
    }

    /// The instant of the next observation.
    pub(crate) fn due(&self) -> Option<Time> {
        self.all.iter().filter_map(|observing| observing.next).min()
    }

    /// Makes the observations that are due.
    pub(crate) fn observe(&mut self, simulation: &Simulation) {
        let (now, world) = (simulation.now(), WorldView::new(simulation));
        let Observers { all, recorder, seed, end, sink } = self;
        for (i, observing) in all.iter_mut().enumerate() {
            if observing.next.is_none_or(|due| due > now) {
                continue;
            }
            let Observing { planned, first, next, links } = observing;
            let observation = Observation::of((planned.peerlet, &planned.source), &world, links);
            let mut rng = seed.at(i as u64).at(now.as_nanos()).rng();
            let what = (&*planned.measures, planned.samples);
            quantities::measure(&observation, what, &mut rng, &mut |index, metric, value, n| {
                let quanta = metric.quanta(value).expect("no quantity of a graph is NaN");
                recorder.record_n(*first + index, quanta, n);
            });
            if planned.is_recorded
                && let Some(sink) = sink
            {
                sink(&observation);
            }
            *next = (now < *end).then(|| planned.due_after(now, *end));
        }
        // What is seen at the edge of an epoch is of the one that ends there.
        recorder.close_epoch(now);
    }

    /// All that was measured until this instant.
    pub(crate) fn measures(&self, now: Time) -> Measurements {
        self.recorder.clone().finish(now)
    }
}
