//! A run one event at a time, and the acts that wait for the end of an instant meanwhile.

use peerlet_core::{NANOSECOND, Time};

use crate::outcome::RunError;
use crate::simulation::{Simulation, Stepped};

impl Simulation {
    /// Whether it stands between two events, after a [`step`](Simulation::step).
    pub fn is_within_an_instant(&self) -> bool {
        self.stepped.is_some()
    }

    /// Goes on to an instant, from a cut or from within an instant.
    pub(crate) fn go_on(&mut self, until: Time) -> Result<(), RunError> {
        if self.stepped.as_ref().is_some_and(|stepped| until <= stepped.at) {
            return Ok(());
        }
        self.settle()?;
        self.go(until)
    }

    /// Handles one event; false when there is none left.
    pub(crate) fn step_on(&mut self) -> Result<bool, RunError> {
        let is_waited = |stepped: &&Stepped| !stepped.waiting.is_empty();
        if let Some(at) = self.stepped.as_ref().filter(is_waited).map(|stepped| stepped.at) {
            if self.go_one(at + NANOSECOND)?.is_some() {
                return Ok(true);
            }
            self.settle()?;
        }
        let at = self.go_one(self.director.end)?;
        self.stepped = at.map(|at| Stepped { at, waiting: Vec::new() });
        Ok(at.is_some())
    }

    /// Handles what is left of the instant of a step, and does the acts that wait for its end.
    fn settle(&mut self) -> Result<(), RunError> {
        let Some(Stepped { at, waiting }) = self.stepped.take() else { return Ok(()) };
        if waiting.is_empty() {
            return Ok(());
        }
        self.go(at + NANOSECOND)?;
        waiting.into_iter().for_each(|waiting| self.do_waiting(waiting));
        Ok(())
    }
}
