//! Looking at a simulation while it runs: its properties and its observers, at cuts.

use peerlet_core::Time;
use peerlet_measure::{Epochs, Ledger, Measurements};
use peerlet_sim::{RunError, Simulation};

use crate::observers::{LinkSink, Observers};
use crate::plan::Plan;
use crate::properties::{Checker, PropertyReport};

/// What looks at a simulation at cuts. None of it changes the run.
pub(crate) struct Inspection {
    checker: Checker,
    observers: Observers,
    epochs: Epochs,
    /// The accounts of messages at the end of each epoch so far.
    accounts: Vec<(Time, Ledger)>,
    /// Whether the run has stood still at the verdict that it was to stop at.
    has_stopped: bool,
}

impl Inspection {
    /// The inspection that a plan asks for; `sink` takes the links that are kept.
    pub(crate) fn of(plan: &Plan, sink: Option<LinkSink>) -> Inspection {
        let scenario = &plan.scenario;
        let end = Time::ZERO + scenario.duration;
        let epochs = Epochs::new(scenario.measure.epoch, plan.measured_from()..end);
        let epochs = epochs.expect("the simulation measures in these epochs");
        let observers = Observers::new(&plan.observers, (epochs, scenario.seed), sink);
        let checker = Checker::new(&plan.properties, end);
        Inspection { checker, observers, epochs, accounts: Vec::new(), has_stopped: false }
    }

    /// Runs a simulation until just before `until`, and looks at it where that is due by then. It
    /// ends earlier, once, where a verdict is known that the run is to stop at; and where the
    /// simulation's watch stops it.
    pub(crate) fn run_until(
        &mut self,
        simulation: &mut Simulation,
        until: Time,
    ) -> Result<(), RunError> {
        let until = until.min(simulation.end());
        loop {
            let edge = self.epochs.span(self.accounts.len()).map(|span| span.end);
            let looks = self.checker.due().into_iter().chain(self.observers.due());
            let due = looks.chain(edge).min();
            let cut = due.map_or(until, |due| due.min(until)).max(simulation.now());
            simulation.run_until(cut)?;
            if simulation.now() < cut {
                return Ok(());
            }
            self.checker.check(simulation);
            self.observers.observe(simulation);
            if edge.is_some_and(|edge| edge <= simulation.now()) {
                self.accounts.push((simulation.now(), simulation.ledger()));
            }
            if !self.has_stopped && self.stopped_by().is_some() {
                self.has_stopped = true;
                return Ok(());
            }
            if simulation.now() >= until {
                return Ok(());
            }
        }
    }

    /// The property at whose verdict the run was to stop, where it is known.
    pub(crate) fn stopped_by(&self) -> Option<&str> {
        self.checker.stopped_by()
    }

    /// What is known of all properties.
    pub(crate) fn reports(&self) -> Vec<PropertyReport> {
        self.checker.reports()
    }

    /// The accounts of messages at the end of each epoch, and at the end of a run that ends there.
    pub(crate) fn accounts(&self, now: Time, ledger: Ledger) -> Vec<(Time, Ledger)> {
        let mut accounts = self.accounts.clone();
        if accounts.last().is_none_or(|(last, _)| *last < now) && now > Time::ZERO {
            accounts.push((now, ledger));
        }
        accounts
    }

    /// A run's measurements until this instant, with those of its observers beside them.
    pub(crate) fn beside(&self, measures: &Measurements, now: Time) -> Measurements {
        measures.beside(&self.observers.measures(now))
    }
}
