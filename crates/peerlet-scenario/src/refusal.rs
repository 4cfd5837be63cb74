//! Why a piece of text cannot be read, before it is known where in the scenario that stands.

use std::ops::Range;

/// Why a piece of text cannot be read: which part of it, what is wrong, what to do.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Refusal {
    pub(crate) fn new<T>(
        at: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Result<T, Refusal> {
        Err(Refusal { at, message: message.into(), help: help.into() })
    }

    /// The same refusal in a text that has this one at `offset`.
    pub(crate) fn shift(mut self, offset: usize) -> Refusal {
        self.at = self.at.start + offset..self.at.end + offset;
        self
    }
}
