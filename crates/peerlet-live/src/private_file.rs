//! Files that only their owner may get at: how keys and secrets are read and written.
//!
//! Reading never waits and never touches a device, and writing leaves a whole file or none. Where
//! files have no mode (Windows), the permissions of the folder are all that protects a file.

use std::fmt;
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};

/// Reads a regular file of at most `len_max` bytes that only its owner may get at.
///
/// `what` is the noun that errors use, such as `key` or `secret`.
pub(crate) fn read(
    what: &'static str,
    path: &Path,
    len_max: usize,
) -> Result<Vec<u8>, PrivateFileError> {
    let failed = |problem| PrivateFileError { what, path: path.to_owned(), problem };
    let io = |error| failed(PrivateFileProblem::Read(error));
    // Asked by name first, since opening a device may already do something to it.
    check(&fs::metadata(path).map_err(io)?).map_err(failed)?;
    let file = system::reading().open(path).map_err(io)?;
    // Asked of the open file, which nobody can swap.
    check(&file.metadata().map_err(io)?).map_err(failed)?;
    let mut bytes = Vec::with_capacity(len_max + 1);
    file.take(len_max as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() > len_max {
        return Err(failed(PrivateFileProblem::TooLong { len_max }));
    }
    Ok(bytes)
}

/// Writes a new file that only its owner may get at, whole or not at all. A file that exists is
/// left alone.
pub(crate) fn create(
    what: &'static str,
    path: &Path,
    bytes: &[u8],
) -> Result<(), PrivateFileError> {
    create_with(path, bytes, |from, to| fs::hard_link(from, to)).map_err(|error| {
        let problem = match error.kind() {
            io::ErrorKind::AlreadyExists => PrivateFileProblem::Exists,
            _ => PrivateFileProblem::Write(error),
        };
        PrivateFileError { what, path: path.to_owned(), problem }
    })
}

/// The file is written under another name and then linked to its own, which replaces nothing. File
/// systems without links get it written in place, and removed when that fails.
fn create_with(
    path: &Path,
    bytes: &[u8],
    link: impl Fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it has no file name"));
    };
    // Looked at first for the sake of a plain error; the link is what keeps others from losing.
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(format!(".{:016x}", u64::from_be_bytes(random)));
    let draft = path.with_file_name(draft);
    let fill = |file: &mut File| file.write_all(bytes);
    write(&draft, fill)?;
    let placed = match link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => write(path, fill),
        placed => placed,
    };
    let removed = fs::remove_file(&draft);
    placed.and(removed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Some file systems do not sync folders; the file itself is on the disk.
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()).ok();
    Ok(())
}

/// Writes a file that does not exist yet through to the disk, or removes it again.
fn write(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = system::creating().open(path)?;
    let written = fill(&mut file).and_then(|()| file.sync_all());
    if written.is_err() {
        fs::remove_file(path)?;
    }
    written
}

/// Whether this is a regular file of its owner's alone.
fn check(about: &Metadata) -> Result<(), PrivateFileProblem> {
    let kind = about.file_type();
    if !kind.is_file() {
        return Err(PrivateFileProblem::NotRegular(system::name_of(kind)));
    }
    match system::exposing_mode(about) {
        Some(mode) => Err(PrivateFileProblem::Exposed { mode }),
        None => Ok(()),
    }
}

/// How Unix opens and describes files.
#[cfg(unix)]
mod system {
    use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

    use rustix::fs::OFlags;

    use super::{FileType, Metadata, OpenOptions};

    /// The permission bits of everybody but the owner.
    const OTHERS: u32 = 0o077;

    /// A FIFO that has taken the file's place must not block.
    pub(super) fn reading() -> OpenOptions {
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags);
        options
    }

    pub(super) fn creating() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options
    }

    pub(super) fn name_of(kind: FileType) -> &'static str {
        match kind {
            kind if kind.is_dir() => "folder",
            kind if kind.is_fifo() => "pipe",
            kind if kind.is_socket() => "socket",
            _ => "device",
        }
    }

    /// The file's mode, if others than its owner can get at it.
    pub(super) fn exposing_mode(about: &Metadata) -> Option<u32> {
        Some(about.mode() & 0o777).filter(|mode| mode & OTHERS != 0)
    }
}

/// How other systems do: files have no mode, and no FIFO stands among them.
#[cfg(not(unix))]
mod system {
    use super::{FileType, Metadata, OpenOptions};

    pub(super) fn reading() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true);
        options
    }

    pub(super) fn creating() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        options
    }

    pub(super) fn name_of(kind: FileType) -> &'static str {
        if kind.is_dir() { "folder" } else { "device" }
    }

    pub(super) fn exposing_mode(_: &Metadata) -> Option<u32> {
        None
    }
}

/// Why a file that keeps a key or a secret cannot be used.
#[derive(Debug)]
pub struct PrivateFileError {
    /// The noun for its content, such as `key`.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The problem with it.
    pub problem: PrivateFileProblem,
}

/// The problem with a file that keeps a key or a secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum PrivateFileProblem {
    /// It cannot be read.
    Read(io::Error),
    /// It cannot be written.
    Write(io::Error),
    /// It is to be made and exists.
    Exists,
    /// It is no regular file, but this.
    NotRegular(&'static str),
    /// Others than its owner may read or change it.
    Exposed {
        /// Its permission bits.
        mode: u32,
    },
    /// It is longer than such a file can be.
    TooLong {
        /// The longest that is read, in bytes.
        len_max: usize,
    },
}

impl fmt::Display for PrivateFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "the {} file {path} ", self.what)?;
        match &self.problem {
            PrivateFileProblem::Read(error) => write!(f, "cannot be read: {error}"),
            PrivateFileProblem::Write(error) => write!(f, "cannot be written: {error}"),
            PrivateFileProblem::Exists => {
                f.write_str("exists and is left alone; name another one, or remove it first")
            }
            PrivateFileProblem::NotRegular(kind) => {
                write!(f, "is a {kind}; name a regular file")
            }
            PrivateFileProblem::Exposed { mode } => {
                write!(f, "has mode {mode:03o}, so others can get at it; run `chmod 600 {path}`")
            }
            PrivateFileProblem::TooLong { len_max } => {
                write!(f, "is longer than {len_max} bytes; name the right file")
            }
        }
    }
}

impl std::error::Error for PrivateFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            PrivateFileProblem::Read(error) | PrivateFileProblem::Write(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    /// A folder of a test's own, removed at the end.
    pub(crate) struct Folder(pub(crate) PathBuf);

    impl Folder {
        pub(crate) fn new(test: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("peerlet-{test}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn said(result: Result<Vec<u8>, PrivateFileError>, path: &Path) -> String {
        result.unwrap_err().to_string().replace(&path.display().to_string(), "F")
    }

    #[test]
    fn a_file_is_private_and_is_never_overwritten() {
        let folder = Folder::new("private-made");
        let path = folder.0.join("file");
        create("key", &path, b"first").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let again = create("key", &path, b"second").unwrap_err();
        assert!(matches!(again.problem, PrivateFileProblem::Exists), "{again}");
        assert_eq!(read("key", &path, 5).unwrap(), b"first");
        let hanging = folder.0.join("hanging");
        std::os::unix::fs::symlink(folder.0.join("nothing"), &hanging).unwrap();
        assert!(create("key", &hanging, b"x").is_err(), "a link to nothing is followed nowhere");
        assert!(create("key", &folder.0.join("no/folder"), b"x").is_err());
        assert!(create("key", &folder.0.join(".."), b"x").is_err());
        let mut names = folder.names();
        names.sort();
        assert_eq!(names, ["file", "hanging"], "no draft is left");
    }

    #[test]
    fn file_systems_without_links_keep_the_promises() {
        let folder = Folder::new("private-unlinked");
        let path = folder.0.join("file");
        let unsupported = |_: &Path, _: &Path| Err(io::ErrorKind::Unsupported.into());
        create_with(&path, b"first", unsupported).unwrap();
        assert_eq!(read("key", &path, 5).unwrap(), b"first");
        // Somebody makes the file between the look at it and the link.
        let raced = create_with(&folder.0.join("raced"), b"second", |_, to| {
            fs::write(to, b"theirs")?;
            Err(io::ErrorKind::Unsupported.into())
        });
        assert_eq!(raced.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(folder.0.join("raced")).unwrap(), b"theirs");
        assert_eq!(folder.names().len(), 2, "no draft is left: {:?}", folder.names());
    }

    #[test]
    fn a_write_that_fails_half_way_leaves_nothing() {
        let folder = Folder::new("private-full");
        let failed = write(&folder.0.join("file"), |file| {
            file.write_all(b"half of it")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(folder.names(), [""; 0]);
    }

    #[test]
    fn what_is_no_private_file_is_refused_at_once() {
        let folder = Folder::new("private-refused");
        let path = folder.0.join("file");
        let check = |said_of_it: &str| {
            let said = said(read("secret", &path, 8), &path);
            assert_eq!(said, format!("the secret file F {said_of_it}"));
        };
        check("cannot be read: No such file or directory (os error 2)");
        create("secret", &path, b"12345678").unwrap();
        assert_eq!(read("secret", &path, 8).unwrap(), b"12345678");
        for mode in [0o640, 0o604, 0o620, 0o644, 0o610, 0o602] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            check(&format!("has mode {mode:o}, so others can get at it; run `chmod 600 F`"));
        }
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(read("secret", &path, 8).is_ok(), "stricter will do");
        assert_eq!(
            said(read("secret", &path, 7), &path),
            "the secret file F is longer than 7 bytes; name the right file"
        );
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        check("is a pipe; name a regular file");
        fs::remove_file(&path).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        check("is a socket; name a regular file");
        let device = Path::new("/dev/zero");
        assert_eq!(
            said(read("key", device, 8), device),
            "the key file F is a device; name a regular file"
        );
        let of_the_folder = said(read("key", &folder.0, 8), &folder.0);
        assert_eq!(of_the_folder, "the key file F is a folder; name a regular file");
    }
}
