//! Experiments as their users see them.

mod live;
mod planetlab;
mod protopeer;
