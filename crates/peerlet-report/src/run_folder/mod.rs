//! The folder of a run: written when it runs, read when it is compared.

mod error;
mod inputs;
mod links;
mod messages;
pub(crate) mod peers;
mod read;
pub mod schema;
mod whole_file;
mod write;

pub use error::FolderError;
pub use links::{LINKS, LinkChanges, LinkState, LinkWriter};
pub(crate) use messages::{MESSAGES, read_messages};
pub(crate) use peers::PEERS;
pub use peers::PeerSpread;
pub use read::{Facts, read};
pub(crate) use read::{readable_summary, text, text_if_there, whole_summary};
pub use whole_file::write_whole;
pub use write::{Folder, FolderSet, Renewed, is_run_file};

#[cfg(feature = "fuzzing")]
pub(crate) use read::read_from;
