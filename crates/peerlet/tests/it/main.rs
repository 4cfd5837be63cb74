//! Experiments as their users see them.

mod examples;
mod live;
mod planetlab;
mod protopeer;
