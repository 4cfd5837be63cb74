//! The network models, seen from outside.

mod generated;
mod matrix;
