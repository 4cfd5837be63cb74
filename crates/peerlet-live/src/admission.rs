//! Admission: who may connect to a process. Anybody, those who know a secret, or those on a list.

use std::collections::BTreeSet;
use std::fmt;

use peerlet_core::{Identity, IdentityError};

use crate::secret::Secret;

/// Identities on one list.
const ALLOWED_MAX: usize = 1 << 16;

/// The processes that may connect, and that are connected to. Where both a secret and a list are
/// given, both must be met. Default: anybody.
///
/// The secret is proved on every connection and never sent. Over plain UDP there are no identities,
/// so a list is refused there.
///
/// ```
/// use peerlet_live::{Admission, ProcessKey, Secret};
/// let friend = ProcessKey::generate().identity();
/// let list = format!("# friends\n{friend}\n");
/// let admission = Admission { secret: Some(Secret::generate()), ..Admission::of_list(&list)? };
/// assert!(!admission.is_open());
/// assert!(admission.allows(friend));
/// assert!(!admission.allows(ProcessKey::generate().identity()));
/// # Ok::<(), peerlet_live::AllowListError>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct Admission {
    /// Both ends of a connection must have this secret.
    pub secret: Option<Secret>,
    /// The other end of a connection must be one of these, or the process itself.
    pub allowed: Option<BTreeSet<Identity>>,
}

/// A list of identities cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AllowListError {
    /// A line is no identity.
    Line {
        /// The line, counted from 1.
        line: usize,
        /// The reason.
        source: IdentityError,
    },
    /// There are no identities in it: nobody could connect.
    Empty,
    /// There are more identities than a list may have.
    TooMany {
        /// How many it may have.
        limit: usize,
    },
}

impl fmt::Display for AllowListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AllowListError::Line { line, source } => write!(f, "line {line}: {source}"),
            AllowListError::Empty => f.write_str(
                "there is no identity in it, so nobody could connect; write one a line, as each \
                 process prints its own at start",
            ),
            AllowListError::TooMany { limit } => {
                write!(
                    f,
                    "it has more than {limit} identities; use a secret for so large a network"
                )
            }
        }
    }
}

impl std::error::Error for AllowListError {}

impl Admission {
    /// Those on this list: an identity a line; empty lines, and what follows a `#`, do not count.
    ///
    /// # Errors
    /// When a line is no identity, or there is none, or there are too many.
    pub fn of_list(text: &str) -> Result<Admission, AllowListError> {
        let mut allowed = BTreeSet::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.split('#').next().unwrap_or_default().trim();
            if text.is_empty() {
                continue;
            }
            let identity = text.parse().map_err(|source| AllowListError::Line { line, source })?;
            allowed.insert(identity);
            if allowed.len() > ALLOWED_MAX {
                return Err(AllowListError::TooMany { limit: ALLOWED_MAX });
            }
        }
        match allowed.is_empty() {
            true => Err(AllowListError::Empty),
            false => Ok(Admission { allowed: Some(allowed), ..Admission::default() }),
        }
    }

    /// Whether anybody may connect.
    pub fn is_open(&self) -> bool {
        self.secret.is_none() && self.allowed.is_none()
    }

    /// Whether the list, if there is one, has this identity.
    pub fn allows(&self, identity: Identity) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(&identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_line_by_line() {
        let id = |byte: u8| Identity([byte; 32]);
        let text = format!("\u{feff}# ours\r\n{}\r\n\n  {} # the gateway\n", id(1), id(0xab));
        let admission = Admission::of_list(&text).unwrap();
        assert!(admission.allows(id(1)) && admission.allows(id(0xab)) && !admission.allows(id(2)));
        let error = |text: &str| Admission::of_list(text).unwrap_err().to_string();
        assert!(error("\n\nnobody\n").starts_with("line 3: no identity"), "{}", error("nobody"));
        assert!(error("# nobody\n").starts_with("there is no identity in it"));
    }

    #[test]
    fn without_secret_and_list_everybody_may() {
        let open = Admission::default();
        assert!(open.is_open() && open.allows(Identity([7; 32])));
        let secret = Some(Secret::generate());
        assert!(!Admission { secret, ..Admission::default() }.is_open());
    }
}
