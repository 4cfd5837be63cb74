//! Experiments as their users see them.

mod planetlab;
mod protopeer;
