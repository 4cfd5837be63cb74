//! The seats of the simulated world, as workloads see them.

use peerlet_core::{Address, Seat, Seats};

/// Which seats there are and which of them the scenario has running. It changes at cuts only.
pub(crate) struct Chart {
    running: Vec<bool>,
}

impl Chart {
    pub(crate) fn new(seats: u32) -> Chart {
        Chart { running: vec![false; seats as usize] }
    }

    pub(crate) fn set_running(&mut self, seat: Seat, running: bool) {
        self.running[seat.index()] = running;
    }

    /// The seat at this address; `None` when nobody can be there.
    pub(crate) fn seat_at(&self, address: Address) -> Option<Seat> {
        let seat = Seat(address.slot());
        (seat.index() < self.running.len() && address == Address::simulated(seat)).then_some(seat)
    }
}

impl Seats for Chart {
    fn count(&self) -> u32 {
        self.running.len() as u32
    }

    fn address(&self, seat: Seat) -> Option<Address> {
        (seat.index() < self.running.len()).then(|| Address::simulated(seat))
    }

    fn running(&self, seat: Seat) -> bool {
        self.running.get(seat.index()).copied().unwrap_or(false)
    }
}
