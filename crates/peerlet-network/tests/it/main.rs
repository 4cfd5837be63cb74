//! The network models, seen from outside.

mod formats;
mod generated;
mod matrix;
