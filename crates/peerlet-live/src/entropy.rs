//! Randomness of the operating system.

use ring::rand::{SecureRandom, SystemRandom};

/// Sixty-four bits from the operating system.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the operating system has randomness");
    u64::from_le_bytes(bytes)
}
