//! Experiments as their users see them.

mod beats;
mod broadcast;
mod examples;
mod faults;
mod layout;
mod live;
mod planetlab;
mod protopeer;
mod random;
mod sockets;
