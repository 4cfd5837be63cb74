//! Sweeps: a scenario run with every combination of some values, and with several seeds.
//!
//! A sweep folder has `sweep.json`, which says what is to be run, and a run folder for each run,
//! `runs/POINT/SEED`. Everything else is made from these: whoever has all runs, in one folder or
//! brought together from several, makes the same tables to the byte.

mod file;
mod folder;
mod results;
mod tables;

pub use file::{SWEEP, Sweep, Vary};
pub use folder::{Place, SweepFolder};
pub use results::{PointStatistics, SweepResults, SweepRun};
