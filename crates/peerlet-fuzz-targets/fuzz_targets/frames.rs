//! Frames and packets, and the machines that take them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlet_live::fuzzing::frames;
use peerlet_fuzz_targets::allocated;

fuzz_target!(|bytes: &[u8]| frames(bytes, allocated));
