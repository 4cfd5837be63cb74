//! `story`: the messages of a trace as a sequence, as text or as a picture.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use peerlet_report::story::{STORY, Sequence};
use peerlet_report::write_whole;
use peerlet_scenario::read_regular_file;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::print::print;

/// The most bytes of a story that are read.
const BYTES_MAX: u64 = 64 << 20;

#[derive(Args, Debug)]
pub(crate) struct DrawStory {
    /// A run folder that `sim --trace FILTER -o DIR` wrote, or a file `story.jsonl`
    run: PathBuf,
    /// Draw what these peers do among themselves only, such as 3,17
    #[arg(long, value_name = "SEATS", value_delimiter = ',')]
    peers: Vec<u32>,
    /// Write a picture to this file, and no text
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Runs the `story` command.
pub(crate) fn run(arguments: &DrawStory) -> Result<Exit, Failure> {
    let path = match arguments.run.is_dir() {
        true => arguments.run.join(STORY),
        false => arguments.run.clone(),
    };
    let shown = path.display();
    let bytes = read_regular_file(&path, BYTES_MAX).map_err(|error| {
        Failure::Io(format!(
            "`{shown}` cannot be read: {error}; `sim SCENARIO --trace 'peer=17' -o DIR` writes one"
        ))
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::Usage(format!("`{shown}` is no story: it is not UTF-8")))?;
    let is_shown = |seat| arguments.peers.is_empty() || arguments.peers.contains(&seat);
    let sequence = Sequence::read(&text, is_shown)
        .map_err(|error| Failure::Usage(format!("`{shown}`: {error}")))?;
    match &arguments.svg {
        None => print(&sequence.text()),
        Some(file) => {
            write_whole(file, |into| into.write_all(sequence.svg().as_bytes()))
                .map_err(Failure::io(file.display()))?;
            Ok(Exit::Done)
        }
    }
}
