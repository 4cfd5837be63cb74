//! The parts of this crate at work together.

#[expect(dead_code, reason = "the bench uses all of it")]
mod attackers;
mod attacks_admission;
mod attacks_each;
mod attacks_floods;
mod attacks_member;
mod attacks_quic;
mod attacks_udp;
mod blocking;
mod garbage;
mod holder;
mod honest;
mod hostile;
mod joining;
mod panics;
mod reliable;
mod runs;
mod stacks;
mod starving;
mod trust;
mod undelivered;
