//! Keys, secrets, certificates, lists of identities and addresses to join at.

use peerlet_core::Identity;

use super::within;
use crate::admission::Admission;
use crate::certificate;
use crate::key::ProcessKey;
use crate::member::Join;
use crate::secret::Secret;

/// Reads the bytes as each of them.
pub fn keys(bytes: &[u8], allocated: fn() -> usize) {
    if let Some(key) = within(bytes.len(), allocated, || ProcessKey::from_pkcs8(bytes)) {
        let again = certificate::identity(&certificate::issue(&key));
        assert_eq!(again, Some(key.identity()), "a key signs for itself");
    }
    assert!(certificate::check(bytes).is_none_or(|public| public != [0; 32]));
    if let Ok(secret) = within(bytes.len(), allocated, || Secret::parse(bytes)) {
        let written = secret.line();
        let again = Secret::parse(&written).expect("a secret is read as it was written");
        assert_eq!(again.tag("fuzzing", &[bytes]), secret.tag("fuzzing", &[bytes]));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Admission::of_list(text) {
        Ok(list) => {
            let allowed = list.allowed.expect("there is a list");
            let lines: String = allowed.iter().map(|identity| format!("{identity}\n")).collect();
            let again = Admission::of_list(&lines).expect("a list is read as it is shown");
            assert_eq!(again.allowed, Some(allowed));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(identity) = text.parse::<Identity>() {
        assert_eq!(identity.to_string().parse(), Ok(identity));
    }
    match text.parse::<Join>() {
        // An identity is not shown.
        Ok(join) => {
            let again: Join = join.to_string().parse().expect("it is read as it is shown");
            assert_eq!(again.to_string(), join.to_string());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
