//! The secret that the processes of one network share, and the file that keeps it.
//!
//! A process that has the secret belongs to the network. It is never sent: both ends prove that
//! they have it by message authentication codes (HMAC-SHA256, RFC 2104).
//!
//! A file that [`Secret::save`] writes has one line, `peerlet-secret-1:` and the secret in
//! hexadecimal digits. Any other file is the secret itself, byte for byte, so that
//! `head -c 32 /dev/urandom` makes one too; where it is all text, line ends at its end do not
//! count.

use std::fmt;
use std::path::{Path, PathBuf};

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::private_file::{self, PrivateFileError, PrivateFileProblem};

/// Bytes that a secret has at least: 128 bits, which nobody guesses.
pub const SECRET_LEN_MIN: usize = 16;
/// Bytes that a secret has at most.
pub const SECRET_LEN_MAX: usize = 1_024;
/// Bytes of a generated secret.
const GENERATED_LEN: usize = 32;
/// The start of a secret's line.
const PREFIX: &str = "peerlet-secret-1:";
/// The start of such lines in all versions.
const ANY_PREFIX: &[u8] = b"peerlet-secret-";
/// The longest file that is read: the longest line, with room for its end.
const FILE_LEN_MAX: usize = PREFIX.len() + 2 * SECRET_LEN_MAX + 2;

/// A secret that all processes of a network share. It never shows itself: `Debug` prints nothing
/// of it.
///
/// ```
/// use peerlet_live::Secret;
/// let (secret, other) = (Secret::generate(), Secret::generate());
/// let tag = secret.tag("greeting", &[b"hello", b"world"]);
/// assert!(secret.verify("greeting", &[b"hello", b"world"], &tag));
/// assert!(!secret.verify("greeting", &[b"hell", b"oworld"], &tag));
/// assert!(!secret.verify("farewell", &[b"hello", b"world"], &tag));
/// assert!(!other.verify("greeting", &[b"hello", b"world"], &tag));
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// ```
#[derive(Clone)]
pub struct Secret {
    bytes: Vec<u8>,
    key: hmac::Key,
}

impl Secret {
    /// A new secret of 32 bytes from the operating system's randomness.
    ///
    /// # Panics
    /// Panics when the operating system has no randomness to give.
    pub fn generate() -> Secret {
        let mut bytes = vec![0; GENERATED_LEN];
        SystemRandom::new().fill(&mut bytes).expect("the operating system gives randomness");
        Secret::of(bytes)
    }

    /// The secret that these bytes are; they should be random.
    ///
    /// # Errors
    /// When they are fewer than [`SECRET_LEN_MIN`] or more than [`SECRET_LEN_MAX`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Secret, SecretError> {
        match bytes.len() {
            len @ ..SECRET_LEN_MIN => Err(SecretError::TooShort { path: None, len }),
            len if len > SECRET_LEN_MAX => Err(SecretError::TooLong { path: None, len }),
            _ => Ok(Secret::of(bytes.to_vec())),
        }
    }

    /// Reads the secret from a regular file that only its owner may get at. It never waits: a pipe
    /// is refused.
    ///
    /// # Errors
    /// When the file cannot be read, others may get at it, or it holds no secret.
    pub fn load(path: &Path) -> Result<Secret, SecretError> {
        let mut content = private_file::read("secret", path, FILE_LEN_MAX)?;
        let secret = Secret::parse(&content).map_err(|error| error.of(path));
        wipe(&mut content);
        secret
    }

    /// Writes the secret to a new file that only its owner may get at, whole or not at all. A file
    /// that exists is left alone.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SecretError> {
        let mut line = self.line();
        let saved = private_file::create("secret", path, &line);
        wipe(&mut line);
        Ok(saved?)
    }

    /// The authentication code of these parts for one purpose (HMAC-SHA256). Purposes and parts
    /// are told apart by their lengths: no two different calls authenticate the same bytes.
    pub fn tag(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.key, &joined(purpose, parts)).as_ref());
        tag
    }

    /// Whether this is the authentication code of these parts, compared in constant time.
    pub fn verify(&self, purpose: &str, parts: &[&[u8]], tag: &[u8; 32]) -> bool {
        hmac::verify(&self.key, &joined(purpose, parts), tag).is_ok()
    }

    /// The content of its file. Whoever asks wipes it.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(FILE_LEN_MAX);
        line.extend_from_slice(PREFIX.as_bytes());
        for byte in &self.bytes {
            line.extend([byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[usize::from(half)]));
        }
        line.push(b'\n');
        line
    }

    fn of(bytes: Vec<u8>) -> Secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        Secret { bytes, key }
    }

    pub(crate) fn parse(content: &[u8]) -> Result<Secret, SecretError> {
        let is_text =
            content.iter().all(|byte| byte.is_ascii_graphic() || b" \t\r\n".contains(byte));
        let ends = content.iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
        let content = if is_text { &content[..content.len() - ends] } else { content };
        let Some(digits) = content.strip_prefix(PREFIX.as_bytes()) else {
            // A line that was damaged must not become another secret.
            let is_damaged = content.windows(ANY_PREFIX.len()).any(|part| part == ANY_PREFIX);
            return match is_damaged {
                true => Err(SecretError::Malformed { path: None }),
                false => Secret::from_bytes(content),
            };
        };
        let half = |digit: &u8| (*digit as char).to_digit(16).map(|half| half as u8);
        let pairs = digits.chunks(2).map(|pair| match pair {
            [high, low] => Some(half(high)? << 4 | half(low)?),
            _ => None,
        });
        let mut bytes =
            pairs.collect::<Option<Vec<u8>>>().ok_or(SecretError::Malformed { path: None })?;
        let secret = Secret::from_bytes(&bytes);
        wipe(&mut bytes);
        secret
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

/// A purpose and parts as one, each after its length.
fn joined(purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
    let parts = std::iter::once(purpose.as_bytes()).chain(parts.iter().copied());
    parts.flat_map(|part| [&(part.len() as u64).to_be_bytes(), part].concat()).collect()
}

/// Overwrites bytes that are not needed any more, in a way that is not optimized away.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    std::hint::black_box(bytes);
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a secret cannot be used.
#[non_exhaustive]
pub enum SecretError {
    /// Its file cannot be used.
    File(PrivateFileError),
    /// It has fewer bytes than a secret needs.
    TooShort {
        /// Its file.
        path: Option<PathBuf>,
        /// How many it has.
        len: usize,
    },
    /// It has more bytes than a secret may have.
    TooLong {
        /// Its file.
        path: Option<PathBuf>,
        /// How many it has.
        len: usize,
    },
    /// The file has a secret's line that is damaged or of another version.
    Malformed {
        /// The file.
        path: Option<PathBuf>,
    },
}

impl SecretError {
    /// The same error, said of a file.
    fn of(self, file: &Path) -> SecretError {
        let path = Some(file.to_owned());
        match self {
            SecretError::TooShort { len, .. } => SecretError::TooShort { path, len },
            SecretError::TooLong { len, .. } => SecretError::TooLong { path, len },
            SecretError::Malformed { .. } => SecretError::Malformed { path },
            file @ SecretError::File(_) => file,
        }
    }
}

impl fmt::Debug for SecretError {
    /// As displayed, since programs return it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self {
            SecretError::File(error) => {
                error.fmt(f)?;
                let is_missing = matches!(&error.problem, PrivateFileProblem::Read(cause)
                    if cause.kind() == std::io::ErrorKind::NotFound);
                return match is_missing {
                    true => write!(f, "; `peerlet secret {}` makes one", error.path.display()),
                    false => Ok(()),
                };
            }
            SecretError::TooShort { path, .. }
            | SecretError::TooLong { path, .. }
            | SecretError::Malformed { path } => path,
        };
        match path {
            Some(path) => write!(f, "the secret in {} ", path.display())?,
            None => f.write_str("the secret ")?,
        }
        match self {
            SecretError::TooShort { len, .. } => write!(
                f,
                "has {len} bytes and needs {SECRET_LEN_MIN} random ones at least; `peerlet secret \
                 FILE` makes one of {GENERATED_LEN}"
            ),
            SecretError::TooLong { len, .. } => {
                write!(f, "has {len} bytes and may have {SECRET_LEN_MAX}; name the right file")
            }
            _ => write!(
                f,
                "is damaged or of another version; it must be the one line `{PREFIX}` and an even \
                 number of hexadecimal digits"
            ),
        }
    }
}

impl std::error::Error for SecretError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SecretError::File(error) => error.source(),
            _ => None,
        }
    }
}

impl From<PrivateFileError> for SecretError {
    fn from(error: PrivateFileError) -> SecretError {
        SecretError::File(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private_file::tests::Folder;

    fn load(folder: &Folder, content: &[u8]) -> Result<Secret, SecretError> {
        let path = folder.0.join("secret");
        drop(std::fs::remove_file(&path));
        private_file::create("secret", &path, content).unwrap();
        Secret::load(&path)
    }

    #[test]
    fn a_saved_secret_comes_back() {
        let folder = Folder::new("secret-saved");
        let (secret, path) = (Secret::generate(), folder.0.join("secret"));
        secret.save(&path).unwrap();
        let line = std::fs::read_to_string(&path).unwrap();
        assert!(line.starts_with(PREFIX) && line.ends_with('\n'), "{line}");
        assert_eq!(line.len(), PREFIX.len() + 64 + 1);
        assert_eq!(Secret::load(&path).unwrap().bytes, secret.bytes);
        assert!(matches!(Secret::generate().save(&path), Err(SecretError::File(_))));
        assert_eq!(Secret::load(&path).unwrap().bytes, secret.bytes, "not overwritten");
        let longest = Secret::from_bytes(&[255; SECRET_LEN_MAX]).unwrap();
        let path = folder.0.join("longest");
        longest.save(&path).unwrap();
        assert_eq!(Secret::load(&path).unwrap().bytes, longest.bytes);
        let missing = Secret::load(&folder.0.join("none")).unwrap_err().to_string();
        assert!(missing.contains("peerlet secret "), "{missing}");
    }

    #[test]
    fn people_can_write_their_own() {
        let folder = Folder::new("secret-own");
        let bytes = |content: &[u8]| load(&folder, content).map(|secret| secret.bytes.clone());
        let raw: Vec<u8> = (0..16).chain([10]).collect();
        assert_eq!(bytes(&raw).unwrap(), raw, "a line end is a byte like others here");
        for end in ["", "\n", "\r\n", "\n\n"] {
            let text = format!("0123456789abcdef{end}");
            assert_eq!(bytes(text.as_bytes()).unwrap(), b"0123456789abcdef");
            let line = format!("{PREFIX}000102030405060708090A0b0C0d0E0f{end}");
            assert_eq!(bytes(line.as_bytes()).unwrap(), Vec::from_iter(0..16));
        }
    }

    #[test]
    fn no_secret_is_refused_with_its_reason() {
        let folder = Folder::new("secret-refused");
        let said = |content: &[u8]| load(&folder, content).unwrap_err().to_string();
        assert!(said(b"").contains("has 0 bytes and needs 16 random"), "{}", said(b""));
        assert!(said(&[1; 15]).contains("has 15 bytes"));
        assert!(said(b"fifteen letters\n").contains("has 15 bytes"));
        assert!(said(format!("{PREFIX}{}", "ab".repeat(15)).as_bytes()).contains("has 15 bytes"));
        assert!(said(&[1; SECRET_LEN_MAX + 1]).contains("has 1025 bytes and may have 1024"));
        assert!(said(&[1; FILE_LEN_MAX + 1]).contains("is longer than"));
        let good = format!("{PREFIX}{}", "ab".repeat(16));
        for damaged in [
            format!("{good}a"),
            format!("{good} "),
            format!("{good}\n{good}"),
            format!(" {good}"),
            format!("\u{feff}{good}"),
            good.replace("ab", "ag"),
            good.replace("-1:", "-2:"),
            good.replace("ab", "+b"),
            format!("{good}\0"),
        ] {
            assert!(said(damaged.as_bytes()).contains("is damaged or of another"), "{damaged}");
        }
    }

    /// The value was computed by Python's `hmac`.
    #[test]
    fn tags_are_hmac_sha256_over_lengths_and_parts() {
        let key: Vec<u8> = (1..=25).collect();
        let secret = Secret::from_bytes(&key).unwrap();
        let tag = secret.tag("purpose", &[b"one", b""]);
        let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "9282a58bff5822ef29fe9d30b246f3b2638031e4b9c30e018279e8e1188a1db9");
        let mut flipped = tag;
        flipped[31] ^= 1;
        assert!(secret.verify("purpose", &[b"one", b""], &tag));
        assert!(!secret.verify("purpose", &[b"one", b""], &flipped));
        assert!(!secret.verify("purpose", &[b"one"], &tag), "an empty part counts");
    }
}
