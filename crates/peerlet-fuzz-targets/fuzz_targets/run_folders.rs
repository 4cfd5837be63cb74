//! Run folders, as `compare` reads them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlet_report::fuzzing::run_folders;
use peerlet_fuzz_targets::allocated;

fuzz_target!(|bytes: &[u8]| run_folders(bytes, allocated));
