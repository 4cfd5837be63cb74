//! Runs in the formats of other people's tools: overlays as graphs, stories as traces.

mod graphs;
mod trace;

pub use graphs::{GraphFormat, Snapshot, SnapshotError};
pub use trace::perfetto;
