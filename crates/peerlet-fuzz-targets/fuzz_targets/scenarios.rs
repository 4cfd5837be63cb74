//! Scenarios, values put over theirs, and files of event lines.

#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlet_run::fuzzing::scenarios;
use peerlet_fuzz_targets::allocated;

fuzz_target!(|bytes: &[u8]| scenarios(bytes, allocated));
