//! A network as a graph: who has links to whom at an instant, and what that is worth.
//!
//! Nodes are numbered from 0. Degrees count directed links; everything else takes links in both
//! directions, as is usual for overlays.

mod adjacency;
mod components;
mod paths;

pub use adjacency::Graph;
pub use components::Components;
pub use paths::Distances;
