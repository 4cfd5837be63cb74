//! Files that scenarios name: read within a limit, and once where they cannot be read again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes of a pipe, which are kept: 256 MiB.
pub const PIPE_BYTES_MAX: u64 = 256 << 20;

/// What came out of pipes and whatever else is no plain file. A process can read each of them once,
/// and a scenario is read again for each seed.
static PIPES: Mutex<BTreeMap<PathBuf, Arc<Vec<u8>>>> = Mutex::new(BTreeMap::new());

/// All bytes of a file, if they are at most so many; of a pipe at most [`PIPE_BYTES_MAX`].
///
/// A pipe is read once in the life of the process, and gives the same bytes from then on.
///
/// # Errors
/// When the file cannot be read, or holds more ([`io::ErrorKind::FileTooLarge`]).
pub fn read_file(path: &Path, bytes_max: u64) -> io::Result<Arc<Vec<u8>>> {
    let plain = std::fs::metadata(path)?.is_file();
    if plain {
        return read_all(File::open(path)?, bytes_max).map(Arc::new);
    }
    let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bytes) = pipes.get(path) {
        return Ok(bytes.clone());
    }
    let bytes = Arc::new(read_all(File::open(path)?, bytes_max.min(PIPE_BYTES_MAX))?);
    pipes.insert(path.to_owned(), bytes.clone());
    Ok(bytes)
}

/// The pipes that this process has read, which no other one can read again.
pub fn pipes_read() -> Vec<PathBuf> {
    PIPES.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
}

/// All bytes of the source, if they are at most so many.
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
}
