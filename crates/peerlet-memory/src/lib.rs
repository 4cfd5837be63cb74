//! All unsafe code of Peerlet: values of any type in 24 bytes, rows in large pages, hints to the
//! cache, and values that stay with their thread.
//!
//! An engine moves hundreds of millions of messages and timers whose types it does not know. A box
//! for each costs more than all else together, so small ones are kept in place. Everything else in
//! Peerlet forbids unsafe code; this crate has what little there is, behind an interface that is
//! safe for every caller. Its tests are made for Miri and for sanitizers: they touch every path.
//!
//! ```
//! use peerlet_memory::Value;
//! let value = Value::new((7u32, 8u64));
//! assert!(value.is::<(u32, u64)>());
//! assert_eq!(value.take::<(u32, u64)>().unwrap(), (7, 8));
//! ```

mod forget;
mod lent;
mod prefetch;
mod push;
mod table;
mod value;

pub use forget::forget_all;
pub use lent::{Lent, OutlivesHandler};
pub use prefetch::{Hint, prefetch, prefetch_line};
pub use push::push_within;
pub use table::Table;
pub use value::{INLINE_BYTES, Value};
