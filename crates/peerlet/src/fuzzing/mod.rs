//! Checks of everything that reads what others wrote, for fuzzing: each takes bytes, and panics
//! when a promise is broken. `docs/FUZZING.md` lists the promises.
//!
//! The second argument tells how many bytes this thread has allocated so far. Where nobody counts,
//! it is always zero.

mod scenarios;

pub use peerlet_live::fuzzing::{control, frames, keys};
pub use peerlet_network::fuzzing::matrices;

pub use crate::compare::fuzzing::run_folders;
pub use scenarios::scenarios;

/// One check.
pub type Check = fn(&[u8], fn() -> usize);

/// All of them, by the names of the targets.
pub const ALL: [(&str, Check); 6] = [
    ("frames", frames),
    ("control", control),
    ("keys", keys),
    ("matrices", matrices),
    ("scenarios", scenarios),
    ("run_folders", run_folders),
];
