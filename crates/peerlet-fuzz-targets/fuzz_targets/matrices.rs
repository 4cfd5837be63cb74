//! Files of measured round trips.

#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlet_network::fuzzing::matrices;
use peerlet_fuzz_targets::allocated;

fuzz_target!(|bytes: &[u8]| matrices(bytes, allocated));
