//! Peerlets that do nothing: real stacks have more than one.

use peerlet_core::{Nothing, Peerlet};

/// One of two idle peerlets.
#[derive(Clone, Default)]
pub struct Idle<const N: usize>;

impl Peerlet for Idle<1> {
    const NAME: &'static str = "idle_one";
    type Message = Nothing;
    type Timer = Nothing;
}

impl Peerlet for Idle<2> {
    const NAME: &'static str = "idle_two";
    type Message = Nothing;
    type Timer = Nothing;
}
