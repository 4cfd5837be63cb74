//! `secret`: makes the secret that the processes of one network share.

use std::path::PathBuf;

use clap::Args;
use peerlet_live::Secret as NetworkSecret;

use crate::exit::Exit;
use crate::failure::{Failure, with_causes};
use crate::terminal::print::print;

#[derive(Args, Debug)]
pub(crate) struct Secret {
    /// The new file that keeps it; only its owner may read it
    file: PathBuf,
}

/// Makes a secret and keeps it in a new file.
pub(crate) fn run(secret: &Secret) -> Result<Exit, Failure> {
    let file = &secret.file;
    NetworkSecret::generate().save(file).map_err(|error| Failure::Io(with_causes(&error)))?;
    print(&format!(
        "a new secret is in {0}; only its owner can read it (mode 600)\n\
         bring it to the other processes' machines over a private channel, such as `scp -p`, and \
         start each\nprocess with `--secret {0}`; whoever has the file can take part\n",
        file.display()
    ))
}
