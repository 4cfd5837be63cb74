//! Keys, secrets, certificates, lists of identities and addresses to join at.

#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlet_live::fuzzing::keys;
use peerlet_fuzz_targets::allocated;

fuzz_target!(|bytes: &[u8]| keys(bytes, allocated));
