//! `peerlet secret`: a new file, for its owner only, and never an old one's end.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::command::{peerlet, text};

/// A folder of a test's own, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("peerlet-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder can be written to");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_secret_is_made_once_and_for_its_owner() {
    let folder = Folder::new("secret");
    let path = folder.path("network.secret");
    let output = peerlet(&["secret", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with(&format!("a new secret is in {path}; only its owner")), "{said}");
    assert!(said.contains(&format!("--secret {path}")), "{said}");
    let content = std::fs::read_to_string(&path).expect("the file is there");
    let digits = content.trim_end().strip_prefix("peerlet-secret-1:").expect("a secret's line");
    assert_eq!(digits.len(), 64);
    assert!(!said.contains(digits), "it is not shown");
    let mode = std::fs::metadata(&path).expect("the file is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let again = peerlet(&["secret", &path]);
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(3), String::new()));
    let refusal = "exists and is left alone; name another one, or remove it first";
    assert_eq!(text(&again.stderr), format!("error: the secret file {path} {refusal}\n"));
    assert_eq!(std::fs::read_to_string(&path).expect("the file is there"), content);

    let other = folder.path("other");
    assert_eq!(peerlet(&["secret", &other]).status.code(), Some(0));
    assert_ne!(std::fs::read_to_string(&other).expect("the file is there"), content);
    assert_eq!(std::fs::read_dir(&folder.0).expect("the folder is there").count(), 2);
}

#[test]
fn a_secret_that_cannot_be_kept_is_not_made() {
    let folder = Folder::new("secret-nowhere");
    let output = peerlet(&["secret", &folder.path("none/secret")]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), String::new()));
    let said = text(&output.stderr);
    assert!(said.contains("cannot be written: No such file or directory"), "{said}");
    assert_eq!(peerlet(&["secret"]).status.code(), Some(2), "a file must be named");
}
