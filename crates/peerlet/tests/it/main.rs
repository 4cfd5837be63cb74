//! Experiments as their users see them.

// The files of a new project know it by its name.
extern crate self as template_name;
pub use crate::template::library::{TemplateName, experiment};

mod broadcast;
mod churn;
mod documented;
mod embedded;
mod examples;
mod faults;
mod heartbeat_fixture;
mod layout;
mod live;
mod message_bounds;
mod network_errors;
mod node;
mod planetlab;
mod properties;
mod protopeer;
mod rumor;
mod sockets;
mod template;
mod tutorial;
mod two_ways;
