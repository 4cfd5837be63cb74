//! Fuzz targets for everything that reads what others wrote; `docs/FUZZING.md` says how to run
//! them.

mod counting;

pub use counting::allocated;
