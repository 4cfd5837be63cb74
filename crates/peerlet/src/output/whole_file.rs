//! Files that are there as a whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a file under a temporary name beside its own and then renames it. When that fails, as on
/// a full disk, nothing is left of it. Where there is something under its name that is no regular
/// file, such as a pipe, it is written into that: renaming would take the pipe away.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        let mut file = BufWriter::new(File::create(path)?);
        return write(&mut file).and_then(|()| file.flush());
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    let mut file = BufWriter::new(File::create(&draft)?);
    let written = write(&mut file).and_then(|()| file.flush());
    // Closed before it is renamed or removed, with what could not be written left out.
    drop(file.into_parts());
    let placed = written.and_then(|()| std::fs::rename(&draft, path));
    if placed.is_err() {
        // What made it fail is the error that matters.
        std::fs::remove_file(&draft).ok();
    }
    placed
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
}
