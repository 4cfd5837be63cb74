//! The folder of a run: written when it runs, read when it is compared.

mod error;
mod inputs;
mod links;
mod messages;
mod peers;
mod read;
pub mod schema;
mod whole_file;
mod write;

pub use error::FolderError;
pub use links::{LINKS, LinkChanges, LinkWriter};
pub(crate) use messages::{MESSAGES, read_messages};
pub use peers::PeerSpread;
pub(crate) use peers::{PEERS, spreads};
pub use read::{Facts, read};
pub(crate) use read::{readable_summary, text, text_if_there, whole_summary};
pub use whole_file::write_whole;
pub use write::{Folder, FolderSet, Renewed};

#[cfg(feature = "fuzzing")]
pub(crate) use read::read_from;
