//! Tests of the simulator from outside, with helpers that try hard to break it.

mod acting_siblings;
mod actor;
mod acts;
mod hostile_network;
mod random_peerlets;
mod verifier;
mod worlds;

mod bounds;
mod cuts;
mod digest;
mod engines;
mod handshake;
mod large;
mod layers;
mod order;
mod pause;
mod pressure;
mod random_faults;
mod random_streams;
mod reliable;
mod roles;
mod stacks;
mod story;
mod tampering;
mod trust;
