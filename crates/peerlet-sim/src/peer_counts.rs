//! The messages of one peer, where they are counted.

/// The messages of one peer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PeerCounts {
    /// Those that it sent, of both classes.
    pub sent: u64,
    /// Their encoded bytes; 0 where nothing asks for the sizes of messages.
    pub bytes: u64,
    /// Those that it handled.
    pub delivered: u64,
    /// How often it was started.
    pub lives: u32,
}
