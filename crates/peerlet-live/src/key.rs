//! The key of a process, and the file that keeps it.
//!
//! A process has one Ed25519 key. Who it is, its [`Identity`], is the SHA-256 of the public half as
//! a SubjectPublicKeyInfo; all its peers share it. The file holds the key as PKCS#8 in DER, which
//! `openssl genpkey -algorithm ed25519 -outform DER` also writes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use peerlet_core::Identity;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{digest, hmac};

/// The longest key file that is read: an Ed25519 key takes 83 bytes, 48 without its public half.
const FILE_LEN_MAX: u64 = 1024;

/// What precedes the 32 bytes of an Ed25519 public key in a SubjectPublicKeyInfo (RFC 8410, section
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

    /// Reads the key from a file that nobody else may read.
    ///
    /// # Errors
    /// When the file cannot be read, others may read it, or it holds no Ed25519 key.
    pub fn load(path: &Path) -> Result<ProcessKey, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        // Asked of the open file, so that it cannot be swapped between the question and the
        // reading.
        let about = file.metadata().map_err(io)?;
        if about.mode() & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode: about.mode() & 0o777 });
        }
        let mut pkcs8 = Vec::new();
        file.take(FILE_LEN_MAX).read_to_end(&mut pkcs8).map_err(io)?;
        ProcessKey::from_pkcs8(&pkcs8).ok_or_else(|| KeyError::Invalid { path: path.to_owned() })
    }

    /// Writes the key to a new file that only its owner may read; a file that exists is left alone.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        file.write_all(&self.pkcs8).and_then(|()| file.sync_all()).map_err(io)
    }

    /// Who the process with this key is.
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

/// Who the process with this Ed25519 public key is.
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
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The file could not be opened, read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others than its owner may read or change the file.
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    Invalid {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Io { path, .. } => {
                write!(f, "cannot use the key file {}; see the cause", path.display())
            }
            KeyError::Exposed { path, mode } => write!(
                f,
                "the key file {0} has mode {mode:o}, so others can get at it; run `chmod 600 {0}`",
                path.display()
            ),
            KeyError::Invalid { path } => write!(
                f,
                "the key file {} holds no Ed25519 key in PKCS#8 DER; remove it to get a new one",
                path.display()
            ),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder of this test's own, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("peerlet-{test}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_saved_key_is_private_and_comes_back() {
        let folder = Folder::new("key-saved");
        let (key, path) = (ProcessKey::generate(), folder.0.join("key"));
        key.save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(ProcessKey::load(&path).unwrap().identity(), key.identity());
        assert!(matches!(ProcessKey::generate().save(&path), Err(KeyError::Io { .. })));
        assert_eq!(ProcessKey::load(&path).unwrap().identity(), key.identity(), "not overwritten");
    }

    #[test]
    fn exposed_and_alien_files_are_refused() {
        let folder = Folder::new("key-refused");
        let path = folder.0.join("key");
        assert!(matches!(ProcessKey::load(&path), Err(KeyError::Io { .. })));
        ProcessKey::generate().save(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o644] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = ProcessKey::load(&path).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, [0x30; 2000]).unwrap();
        assert!(matches!(ProcessKey::load(&path), Err(KeyError::Invalid { .. })));
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
