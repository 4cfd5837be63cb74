//! What a loop written by hand reaches on each workload, with no framework at all.
//!
//! Each workload is a [`Program`]: the state of a peer and what it does when something is due. Two
//! drivers run the same programs: [`Driver::Windows`] as fast as we know how, [`Driver::Heap`] as
//! the textbook has it. Both give the same hash.

#![deny(unsafe_code)]

mod workload;

mod random_stream;
mod program;

mod gossip;
mod kinds;
mod large;
mod lookups;
mod phold;
mod tasks;
mod three;
mod timers;

mod heap;
#[allow(unsafe_code)]
mod windows;

pub use random_stream::RandomStream;
pub use program::{Plan, Program, Ran};
pub use workload::{Driver, Workload, run};
