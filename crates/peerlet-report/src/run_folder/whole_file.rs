//! Files that are there as a whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// How many drafts that others left are passed over.
const DRAFTS_MAX: u32 = 1000;

/// Writes a file under a new name beside its own and then renames it. When that fails, as on a full
/// disk, nothing is left of it. Nothing is opened that is there already; where there is something
/// under the file's name that is no regular file, such as a pipe, it is left as it is.
///
/// # Errors
/// When it cannot be written, or its place is taken by something else than a regular file.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    if std::fs::symlink_metadata(path).is_ok_and(|about| !about.is_file()) {
        return Err(io::Error::other("it is no regular file; remove it or name another place"));
    }
    let (draft, file) = draft_of(path)?;
    let mut file = BufWriter::new(file);
    let written = write(&mut file).and_then(|()| file.flush());
    // Closed before it is renamed or removed, with what could not be written left out.
    drop(file.into_parts());
    let placed = written.and_then(|()| std::fs::rename(&draft, path));
    if placed.is_err() {
        // The error of writing matters more.
        std::fs::remove_file(&draft).ok();
    }
    placed
}

/// A new file beside this one.
fn draft_of(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut number = 0;
    loop {
        let mut draft = path.as_os_str().to_owned();
        draft.push(match number {
            0 => ".part".to_owned(),
            _ => format!(".{number}.part"),
        });
        match File::create_new(&draft) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < DRAFTS_MAX => {
                number += 1;
            }
            created => return Ok((draft.into(), created?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing() {
        let folder = std::env::temp_dir().join(format!("peerlet-{}-whole", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("file");
        let full = write_whole(&path, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        let left = std::fs::read_dir(&folder).unwrap().count();
        let written = write_whole(&path, |file| file.write_all(b"all"));
        let content = std::fs::read(&path).unwrap();
        let files = std::fs::read_dir(&folder).unwrap().count();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((full.unwrap_err().kind(), left), (io::ErrorKind::StorageFull, 0));
        assert_eq!((written.is_ok(), &*content, files), (true, &b"all"[..], 1));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_neither_opened_nor_replaced() {
        let folder = std::env::temp_dir().join(format!("peerlet-{}-pipes", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["pipe", "file.part"] {
            let made = std::process::Command::new("mkfifo").arg(folder.join(name)).status();
            assert!(made.unwrap().success());
        }
        let write = |name: &str| write_whole(&folder.join(name), |file| file.write_all(b"all"));
        let (pipe, file) = (write("pipe"), write("file"));
        let content = std::fs::read(folder.join("file")).unwrap();
        let mut left: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(pipe.unwrap_err().to_string().contains("is no regular file"));
        assert!(file.is_ok());
        assert_eq!(
            (&*content, left),
            (&b"all"[..], ["file", "file.part", "pipe"].map(Into::into).to_vec())
        );
    }
}
