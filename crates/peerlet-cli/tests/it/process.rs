//! One process of a live run of several, as a test starts, watches and ends it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use crate::command::{peerlet, root};
use crate::secret::Folder;

/// A process of a run, and how it says that it is reached. Dropped, it is killed.
pub struct Process {
    pub child: Child,
    errors: BufReader<ChildStderr>,
    said: String,
}

impl Process {
    pub fn start(arguments: &[&str]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peerlet"))
            .args(arguments)
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let errors = BufReader::new(child.stderr.take().expect("it is piped"));
        Process { child, errors, said: String::new() }
    }

    /// Waits for a line that begins like this; gives the rest of it.
    pub fn says(&mut self, beginning: &str) -> String {
        loop {
            let before = self.said.len();
            let read = self.errors.read_line(&mut self.said).expect("it can be read");
            assert!(read > 0, "it ended without `{beginning}`: {}", self.said);
            let line = self.said[before..].trim_end();
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    /// Waits until it has said where it is reached; gives the address.
    pub fn reached(&mut self) -> String {
        self.says("reached as ").split_once('@').expect("an identity").1.to_owned()
    }

    /// Waits for its end; gives its output, with all that it said.
    pub fn end(mut self) -> Output {
        self.errors.read_to_string(&mut self.said).expect("it can be read");
        let stdout = self.child.stdout.take();
        let mut output = Vec::new();
        stdout.expect("it is piped").read_to_end(&mut output).expect("it can be read");
        let status = self.child.wait().expect("it can be waited for");
        Output { status, stdout: output, stderr: std::mem::take(&mut self.said).into_bytes() }
    }

    /// Kills it, as a crash of its machine would.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A new secret in a folder.
pub fn secret(folder: &Folder, name: &str) -> String {
    let path = folder.path(name);
    assert_eq!(peerlet(&["secret", &path]).status.code(), Some(0));
    path
}
