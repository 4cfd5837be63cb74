//! Run folders, tables and comparisons of runs.
//!
//! A run folder ([`Folder`]) keeps a scenario as it ran and all results; [`run_folder::schema`] is
//! the one schema by which `summary.json` is written and read. [`summary`] and [`repeats`] show one
//! run and several, for people and for programs. A [`Side`] is one run folder or several, and a
//! [`Report`] tells how two sides compare.

pub mod run_folder;

mod digits;
mod drops;
pub mod export;
pub mod html;
mod json;
mod memory;
pub mod repeats;
pub mod story;
pub mod summary;
pub mod sweep;
pub mod void;

mod comparison;
pub mod fidelity;
mod side;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use comparison::Report;
pub use digits::grouped;
pub use json::json_line;
pub use memory::{peak_rss_bytes, rss_bytes};
pub use run_folder::{Facts, Folder, FolderError, FolderSet, Renewed, write_whole};
pub use side::{Side, check as check_sides};
