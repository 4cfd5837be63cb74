//! Experiments as their users see them.

mod broadcast;
mod documented;
mod examples;
mod faults;
mod heartbeat_fixture;
mod layout;
mod live;
mod message_bounds;
mod network_errors;
mod planetlab;
mod protopeer;
mod sockets;
mod tutorial;
mod two_ways;
