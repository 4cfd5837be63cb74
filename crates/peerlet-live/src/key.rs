//! The key of a process, and the file that keeps it.
//!
//! A process has one Ed25519 key. Who it is, its [`Identity`], is the SHA-256 of the public half as
//! a SubjectPublicKeyInfo; all its peers share it. The file holds the key as PKCS#8 in DER, which
//! `openssl genpkey -algorithm ed25519 -outform DER` also writes.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use peerlet_core::Identity;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{digest, hmac};

use crate::private_file::{self, PrivateFileError, PrivateFileProblem};

/// The longest key file that is read: an Ed25519 key takes 83 bytes, 48 without its public half.
const FILE_LEN_MAX: usize = 1024;

/// The bytes before the 32 of an Ed25519 public key in a SubjectPublicKeyInfo (RFC 8410, section
/// 4).
pub(crate) const SPKI_PREFIX: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// The private key of a process. It never shows itself: `Debug` prints the identity only.
///
/// ```
/// use peerlet_live::ProcessKey;
/// let key = ProcessKey::generate();
/// assert_eq!(key.identity().to_string().len(), 64);
/// assert_ne!(key.identity(), ProcessKey::generate().identity());
/// ```
pub struct ProcessKey {
    pair: Ed25519KeyPair,
    pkcs8: Vec<u8>,
}

impl ProcessKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Panics
    /// Panics when the operating system has no randomness to give.
    pub fn generate() -> ProcessKey {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .expect("the operating system gives randomness");
        ProcessKey::from_pkcs8(pkcs8.as_ref()).expect("a key just made can be read")
    }

    /// The key written in this PKCS#8 document (DER, with or without the public half); `None` when
    /// it is none.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Option<ProcessKey> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok()?;
        Some(ProcessKey { pair, pkcs8: pkcs8.to_vec() })
    }

    /// Reads the key from a regular file that only its owner may get at. It never waits: a pipe is
    /// refused.
    ///
    /// # Errors
    /// When the file cannot be read, others may get at it, or it holds no Ed25519 key.
    pub fn load(path: &Path) -> Result<ProcessKey, KeyError> {
        let pkcs8 = private_file::read("key", path, FILE_LEN_MAX)?;
        ProcessKey::from_pkcs8(&pkcs8).ok_or_else(|| match pkcs8.is_empty() {
            true => KeyError::Empty { path: path.to_owned() },
            false => KeyError::Invalid { path: path.to_owned() },
        })
    }

    /// Writes the key to a new file that only its owner may get at, whole or not at all; a file
    /// that exists is left alone.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        Ok(private_file::create("key", path, &self.pkcs8)?)
    }

    /// Reads the key from a file, or makes one and keeps it there where there is no file. Of
    /// several processes that do so at once, all have the same key.
    ///
    /// # Errors
    /// As for [`load`](ProcessKey::load) and [`save`](ProcessKey::save).
    pub fn load_or_create(path: &Path) -> Result<ProcessKey, KeyError> {
        match ProcessKey::load(path) {
            Err(error) if error.is_missing() => {}
            loaded => return loaded,
        }
        let key = ProcessKey::generate();
        match key.save(path) {
            Ok(()) => Ok(key),
            // Another process was faster; a link to nothing is an error here.
            Err(KeyError::File(PrivateFileError {
                problem: PrivateFileProblem::Exists, ..
            })) => ProcessKey::load(path),
            Err(error) => Err(error),
        }
    }

    /// The identity of the process with this key.
    pub fn identity(&self) -> Identity {
        identity_of(self.public())
    }

    /// The same key once more: each shard of a process has it.
    pub(crate) fn copy(&self) -> ProcessKey {
        ProcessKey::from_pkcs8(self.pkcs8()).expect("a key that was read can be read again")
    }

    /// The 32 bytes of the public half.
    pub(crate) fn public(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        bytes
    }

    /// The 64 bytes of a signature over the message.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        bytes
    }

    /// The PKCS#8 document, for the TLS configuration.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The secret for one purpose, the same each time that the process starts with this key.
    pub(crate) fn derive(&self, purpose: &str) -> hmac::Key {
        let root = hmac::Key::new(hmac::HMAC_SHA256, &self.pkcs8);
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, purpose.as_bytes()).as_ref())
    }
}

/// The identity of the process with this Ed25519 public key.
pub(crate) fn identity_of(public: [u8; 32]) -> Identity {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&SPKI_PREFIX);
    hash.update(&public);
    let mut identity = [0; 32];
    identity.copy_from_slice(hash.finish().as_ref());
    Identity(identity)
}

impl fmt::Debug for ProcessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessKey({:?})", self.identity())
    }
}

/// Why a key file could not be used.
#[non_exhaustive]
pub enum KeyError {
    /// The file itself is at fault: it cannot be read or written, or others may get at it.
    File(PrivateFileError),
    /// The file is empty.
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    Invalid {
        /// The file.
        path: PathBuf,
    },
}

impl KeyError {
    fn is_missing(&self) -> bool {
        let KeyError::File(error) = self else { return false };
        matches!(&error.problem, PrivateFileProblem::Read(e) if e.kind() == ErrorKind::NotFound)
    }
}

impl fmt::Debug for KeyError {
    /// As displayed, since programs return it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::File(error) => error.fmt(f),
            KeyError::Empty { path } => {
                write!(f, "the key file {} is empty; remove it to get a new one", path.display())
            }
            KeyError::Invalid { path } => write!(
                f,
                "the key file {} holds no Ed25519 key in PKCS#8 DER; name the right file",
                path.display()
            ),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyError::File(error) => error.source(),
            _ => None,
        }
    }
}

impl From<PrivateFileError> for KeyError {
    fn from(error: PrivateFileError) -> KeyError {
        KeyError::File(error)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;
    use crate::private_file::tests::Folder;

    #[test]
    fn a_saved_key_is_private_and_comes_back() {
        let folder = Folder::new("key-saved");
        let (key, path) = (ProcessKey::generate(), folder.0.join("key"));
        key.save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(ProcessKey::load(&path).unwrap().identity(), key.identity());
        assert!(matches!(ProcessKey::generate().save(&path), Err(KeyError::File(_))));
        assert_eq!(ProcessKey::load(&path).unwrap().identity(), key.identity(), "not overwritten");
    }

    #[test]
    fn a_missing_key_is_made_once_by_whoever_comes_first() {
        let folder = Folder::new("key-made");
        let path = folder.0.join("key");
        let identities: Vec<_> = std::thread::scope(|scope| {
            let make = || ProcessKey::load_or_create(&path).unwrap().identity();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(identities.iter().all(|identity| *identity == identities[0]), "{identities:?}");
        let nowhere = ProcessKey::load_or_create(&folder.0.join("no/key")).unwrap_err();
        assert!(nowhere.to_string().contains("cannot be written: "), "{nowhere}");
    }

    #[test]
    fn exposed_and_alien_files_are_refused_with_their_cause() {
        let folder = Folder::new("key-refused");
        let path = folder.0.join("key");
        let error = ProcessKey::load(&path).unwrap_err().to_string();
        assert!(error.contains("cannot be read: No such file"), "{error}");
        ProcessKey::generate().save(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o644] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = ProcessKey::load_or_create(&path).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for (content, said) in
            [(vec![], "is empty"), (vec![0x30; 83], "no Ed25519 key"), (vec![0x30; 2000], "longer")]
        {
            fs::write(&path, content).unwrap();
            let error = ProcessKey::load_or_create(&path).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
        let error = ProcessKey::load_or_create(&folder.0).unwrap_err();
        assert!(error.to_string().contains("is a folder"), "{error}");
    }

    /// The first key of RFC 8032, section 7.1, in the shorter of the two forms of RFC 8410, section
    /// 7; its identity was computed by `openssl pkey -pubout -outform DER | sha256sum`.
    #[test]
    fn identity_is_the_hash_of_the_public_key_info() {
        let seed = *b"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\
            \x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
        let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let key = ProcessKey::from_pkcs8(&[&head[..], &seed[..]].concat()).unwrap();
        assert_eq!(
            key.identity().to_string(),
            "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9"
        );
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let key = ProcessKey::generate();
        let text = format!("{key:?}");
        assert_eq!(text, format!("ProcessKey({:?})", key.identity()));
        assert_ne!(key.derive("a").as_tag(), key.derive("b").as_tag());
    }

    /// Makes derived secrets comparable in tests.
    trait Tag {
        fn as_tag(&self) -> Vec<u8>;
    }

    impl Tag for hmac::Key {
        fn as_tag(&self) -> Vec<u8> {
            hmac::sign(self, b"").as_ref().to_vec()
        }
    }
}
