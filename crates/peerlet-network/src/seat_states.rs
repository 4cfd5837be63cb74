//! The states of many peers, on one side of a model.

use std::ops::Range;

use peerlet_core::Seat;

use crate::model::ModelState;

/// One side's states of a run of seats. Where a model keeps none, as most do, this takes nothing.
#[derive(Debug, Default)]
pub struct SeatStates {
    seats: Range<u32>,
    /// Empty as long as no seat has any.
    states: Vec<ModelState>,
}

impl SeatStates {
    /// The states that these seats start with.
    pub fn new(seats: Range<u32>, start: impl FnMut(Seat) -> ModelState) -> SeatStates {
        let states: Vec<ModelState> = seats.clone().map(Seat).map(start).collect();
        let states = if states.iter().any(Option::is_some) { states } else { Vec::new() };
        SeatStates { seats, states }
    }

    /// Shows a seat's state to a model, which may change it.
    ///
    /// # Panics
    /// Panics when there is no such seat and the model keeps states.
    #[inline(always)]
    pub fn with<T>(&mut self, seat: Seat, model: impl FnOnce(&mut ModelState) -> T) -> T {
        if self.states.is_empty() {
            let mut state = None;
            let fate = model(&mut state);
            if state.is_some() {
                self.keep(seat, state);
            }
            return fate;
        }
        model(&mut self.states[(seat.0 - self.seats.start) as usize])
    }

    /// Keeps a state that a model made for a seat to which it gave none at the start.
    #[cold]
    fn keep(&mut self, seat: Seat, state: ModelState) {
        self.states.resize_with(self.seats.len(), || None);
        self.states[(seat.0 - self.seats.start) as usize] = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(states: &mut SeatStates, seat: u32) -> u32 {
        states.with(Seat(seat), |state| {
            let count = state.get_or_insert_with(|| Box::new(0u32));
            let count: &mut u32 = count.downcast_mut().unwrap();
            *count += 1;
            *count
        })
    }

    #[test]
    fn each_seat_has_its_own() {
        for starts_with_any in [false, true] {
            let start = |seat: Seat| -> ModelState {
                (starts_with_any && seat == Seat(11)).then(|| Box::new(5u32) as _)
            };
            let mut states = SeatStates::new(10..13, start);
            states.with(Seat(12), |state| assert!(state.is_none()));
            let first = if starts_with_any { 6 } else { 1 };
            let seen = [11, 11, 10, 11].map(|seat| count(&mut states, seat));
            assert_eq!(seen, [first, first + 1, 1, first + 2]);
        }
    }
}
