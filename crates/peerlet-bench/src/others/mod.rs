//! The same workloads by other simulators, each as its documentation has it.

pub mod nexosim;
pub mod simcore;
pub mod turmoil;
