//! Stories of peers: their lines in files and on terminals, and as sequences of messages.

mod line;
mod sequence;
mod svg;

/// The name of the file of a story in a run folder.
pub const STORY: &str = "story.jsonl";

pub use line::StoryLine;
pub use sequence::{LINES_MAX, PEERS_MAX, Sequence, SequenceError};
