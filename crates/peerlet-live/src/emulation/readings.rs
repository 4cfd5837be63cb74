//! The lateness of the packets that the sockets of an emulation read.

use std::sync::{Arc, Mutex, PoisonError};

use peerlet_core::Duration;

use super::packet::RunPart;
use crate::medium::Lateness;

/// The packets that all sockets of an emulation read during the run.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadLateness {
    pub(super) warm_up: Lateness,
    pub(super) measured: Lateness,
    pub(super) count: u64,
}

/// Notes the lateness of packets that are read off all sockets.
#[derive(Clone, Default, Debug)]
pub(super) struct Readings(Arc<Mutex<ReadLateness>>);

impl Readings {
    pub(super) fn note(&self, late: Duration, part: RunPart) {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.count += 1;
        match part {
            RunPart::WarmUp => read.warm_up.note(late),
            RunPart::Measured => read.measured.note(late),
        }
    }

    pub(super) fn get(&self) -> ReadLateness {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
