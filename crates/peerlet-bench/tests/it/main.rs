//! The workloads as peerlets, as loops and by other simulators do the same work.

mod agreement;
mod program;
