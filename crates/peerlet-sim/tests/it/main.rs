//! The simulator, tried from outside by people who want to break it.

mod actor;
mod folk;
mod kin;
mod weather;
mod worlds;

mod bounds;
mod cuts;
mod dice;
mod digest;
mod engines;
mod handshake;
mod judge;
mod large;
mod layers;
mod order;
mod pause;
mod pressure;
mod random_faults;
mod reliable;
mod stacks;
mod tampering;
mod trust;
