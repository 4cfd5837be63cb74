//! The part of the results that only runs on real sockets have, where there are none.

/// Nothing: no run is on real sockets.
pub enum OnSockets {}

impl OnSockets {
    pub(crate) fn is_share(&self) -> bool {
        match *self {}
    }

    pub(crate) fn was_late(&self) -> bool {
        match *self {}
    }

    pub(crate) fn is_incomplete(&self) -> bool {
        match *self {}
    }
}
