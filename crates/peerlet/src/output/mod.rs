//! What a run shows: tables, JSON, run folders.

pub(crate) mod again;
pub(crate) mod drops;
pub(crate) mod expectations;
pub(crate) mod folder;
pub(crate) mod folder_error;
pub(crate) mod inputs;
pub(crate) mod list;
pub(crate) mod memory;
pub(crate) mod progress;
pub(crate) mod repeats;
pub(crate) mod results;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod summary;
pub(crate) mod terminal;
pub(crate) mod void;
pub(crate) mod whole_file;
