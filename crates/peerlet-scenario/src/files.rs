//! Input files: the one way in which this program reads them.
//!
//! A scenario, a matrix, a file of event lines may be a regular file or a pipe. A pipe is read once
//! in the life of the process and kept. All other inputs, such as those in run folders, are regular
//! files. Nothing else is opened: a device may have no end, and a pipe in a run folder no writer.

use std::collections::BTreeMap;
use std::fs::{File, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes of a pipe, which are kept: 256 MiB.
pub const PIPE_BYTES_MAX: u64 = 256 << 20;

/// The content of pipes. A process can read each of them once, and a scenario is read again for
/// each seed.
static PIPES: Mutex<BTreeMap<PathBuf, Arc<Vec<u8>>>> = Mutex::new(BTreeMap::new());

/// All bytes of a regular file, if they are at most this many; of a pipe at most
/// [`PIPE_BYTES_MAX`].
///
/// A pipe is read once in the life of the process, and gives the same bytes from then on.
///
/// # Errors
/// When the file cannot be read, is neither a regular file nor a pipe
/// ([`io::ErrorKind::Unsupported`]), or holds more ([`io::ErrorKind::FileTooLarge`]).
pub fn read_file(path: &Path, bytes_max: u64) -> io::Result<Arc<Vec<u8>>> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() && !is_descriptor(path) {
        return read_all(File::open(path)?, bytes_max).map(Arc::new);
    }
    let kind = if kind.is_file() { PIPE } else { kind_of(kind) };
    if kind != PIPE {
        return Err(not_regular(kind, "a regular file or a pipe"));
    }
    let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bytes) = pipes.get(path) {
        return Ok(bytes.clone());
    }
    let bytes = Arc::new(read_all(File::open(path)?, bytes_max.min(PIPE_BYTES_MAX))?);
    pipes.insert(path.to_owned(), bytes.clone());
    Ok(bytes)
}

/// All bytes of a regular file, if they are at most this many. It never waits.
///
/// # Errors
/// As [`read_file`], and for a pipe as well.
pub fn read_regular_file(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let kind = std::fs::metadata(path)?.file_type();
    match kind.is_file() {
        true => read_all(File::open(path)?, bytes_max),
        false => Err(not_regular(kind_of(kind), "a regular file")),
    }
}

/// Whether this file is a pipe, so that no path leads to its content later.
pub fn is_pipe(path: &Path) -> bool {
    is_descriptor(path)
        || std::fs::metadata(path).is_ok_and(|about| kind_of(about.file_type()) == PIPE)
}

/// Whether the path is one of this process's own files, such as its standard input. In another
/// process it is another file, so it counts as a pipe even where it is none.
fn is_descriptor(path: &Path) -> bool {
    ["/dev/stdin", "/dev/fd", "/proc/self/fd"].iter().any(|own| path.starts_with(own))
}

/// Whether an error of reading is one of the content: the file could be read, and is wrong.
pub fn is_of_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge)
}

/// The kind of file that can be read once.
const PIPE: &str = "pipe";

fn not_regular(kind: &str, wanted: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("it is a {kind}; name {wanted}"))
}

#[cfg(unix)]
fn kind_of(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        kind if kind.is_dir() => "folder",
        kind if kind.is_fifo() => PIPE,
        kind if kind.is_socket() => "socket",
        _ => "device",
    }
}

#[cfg(not(unix))]
fn kind_of(kind: FileType) -> &'static str {
    if kind.is_dir() { "folder" } else { "device" }
}

/// The pipes that this process has read, which no other one can read again.
pub fn pipes_read() -> Vec<PathBuf> {
    PIPES.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
}

/// All bytes of the source, if they are at most this many.
fn read_all(source: impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(bytes_max + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > bytes_max {
        true => {
            let message = format!("it holds more than {bytes_max} bytes");
            Err(io::Error::new(io::ErrorKind::FileTooLarge, message))
        }
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_refused() {
        let error = read_all(io::repeat(7), 1_000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "it holds more than 1000 bytes");
        assert_eq!(read_all(&[7; 4][..], 4).unwrap(), [7; 4]);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_are_read_once_and_kept() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = {
            use std::os::fd::AsRawFd;
            PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()))
        };
        if !path.exists() {
            return;
        }
        io::Write::write_all(&mut writer, b"0 1\n1 0\n").unwrap();
        drop(writer);
        for _ in 0..2 {
            assert_eq!(**read_file(&path, 100).unwrap(), *b"0 1\n1 0\n");
        }
        assert!(pipes_read().contains(&path));
    }

    #[cfg(unix)]
    #[test]
    fn other_kinds_of_files_are_refused_unopened() {
        let check = |path: &str, pipe_too: &str, regular: &str| {
            let path = Path::new(path);
            for (error, said) in [
                (read_file(path, 9).unwrap_err(), pipe_too),
                (read_regular_file(path, 9).unwrap_err(), regular),
            ] {
                assert_eq!((error.kind(), &*error.to_string()), (io::ErrorKind::Unsupported, said));
            }
        };
        let device = "it is a device; name a regular file";
        check("/dev/zero", &format!("{device} or a pipe"), device);
        check(
            "/",
            "it is a folder; name a regular file or a pipe",
            "it is a folder; name a regular file",
        );
    }
}
