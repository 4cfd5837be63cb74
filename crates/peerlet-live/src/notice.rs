//! Lines for the user of a process.

use std::sync::Arc;

/// Takes a line for the user of a process.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;
