//! For whom a model is built, and where what it needs comes from.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use peerlet_core::Seed;
use peerlet_core::runtime::SeatSet;

/// Reads a file of at most this many bytes; one that holds more is refused as
/// [`io::ErrorKind::FileTooLarge`].
pub type ReadFile<'a> = dyn Fn(&Path, u64) -> io::Result<Arc<Vec<u8>>> + 'a;

/// For whom a model is built, and where what it needs comes from.
///
/// ```
/// use peerlet_core::{Seat, Seed};
/// use peerlet_network::{ConstantConfig, Site};
/// let site = Site::new(Seed::new(7), 10, ".".as_ref());
/// let model = ConstantConfig::default().build(&site)?;
/// assert_eq!(model.round_trip(Seat(0), Seat(9)).to_string(), "100ms");
/// # Ok::<(), peerlet_network::BuildError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// Where all that is random in a model comes from.
    pub seed: Seed,
    /// How many peers there are.
    pub peers: u32,
    /// The folder that relative paths start from.
    pub base: &'a Path,
    /// The groups of peers, by name.
    pub groups: &'a [(&'a str, &'a SeatSet)],
    /// How files are read.
    pub read: &'a ReadFile<'a>,
}

impl<'a> Site<'a> {
    /// So many peers without groups; files are read from the disk.
    pub fn new(seed: Seed, peers: u32, base: &'a Path) -> Site<'a> {
        Site { seed, peers, base, groups: &[], read: &crate::matrix::read_file }
    }
}

impl fmt::Debug for Site<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("peers", &self.peers).field("base", &self.base).finish()
    }
}
