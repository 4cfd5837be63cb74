//! Messages between the processes of a run, and the machines that answer them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlet_live::fuzzing::control;
use peerlet_fuzz_targets::allocated;

fuzz_target!(|bytes: &[u8]| control(bytes, allocated));
