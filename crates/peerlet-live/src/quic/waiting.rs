//! Frames that wait for a link while it is dialled, and whom each is for.

use std::net::SocketAddr;

use bytes::Bytes;
use peerlet_core::Identity;

use crate::transport::{Inbound, LinkError};

/// Whether a frame for one process may go to this one.
pub(super) fn is_for(wanted: Option<Identity>, identity: Identity) -> bool {
    wanted.is_none_or(|wanted| wanted == identity)
}

/// A frame of a stream that waits for its link.
#[derive(Debug)]
pub(super) struct StreamFrame {
    pub(super) pair: (u32, u32),
    /// The only process that it may go to, if there is one.
    pub(super) identity: Option<Identity>,
    pub(super) bytes: Bytes,
}

impl StreamFrame {
    /// Tells that this frame was not sent, where it was for one process only.
    pub(super) fn mistaken(&self, to: SocketAddr) -> Option<Inbound> {
        let (pair, identity) = (self.pair, self.identity?);
        Some(Inbound::Mistaken { to, pair, identity })
    }
}

/// All that waits for one link.
#[derive(Debug, Default)]
pub(super) struct WaitingFrames {
    /// Each with the only process that it may go to, if there is one.
    pub(super) datagrams: Vec<(Option<Identity>, Bytes)>,
    pub(super) frames: Vec<StreamFrame>,
}

impl WaitingFrames {
    /// The link could not be made: gives how many datagrams were not for who answered, and how many
    /// datagrams and frames were lost besides; and tells of the frames that were not for who
    /// answered.
    pub(super) fn fail(
        self,
        to: SocketAddr,
        why: LinkError,
        into: &mut Vec<Inbound>,
    ) -> (u64, u64) {
        let has_answered = why == LinkError::Identity;
        let of_one = |wanted: Option<Identity>| has_answered && wanted.is_some();
        let datagrams = self.datagrams.iter().filter(|(wanted, _)| of_one(*wanted)).count();
        let told = self.frames.iter().filter(|frame| of_one(frame.identity));
        let told: Vec<_> = told.filter_map(|frame| frame.mistaken(to)).collect();
        let lost = self.datagrams.len() - datagrams + self.frames.len() - told.len();
        into.extend(told);
        (datagrams as u64, lost as u64)
    }
}
