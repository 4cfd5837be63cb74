//! What a peer is. (Being written.)

mod address;
mod metric;
mod random;
mod time;

pub use address::{Address, AddressError, Contact, Identity, IdentityError, Seat};
pub use metric::{Metric, MetricKind, QUANTA_MAX};
pub use random::{Rng, Seed, mix};
pub use time::{
    Duration, DurationError, HOUR, MICROSECOND, MILLISECOND, MINUTE, NANOSECOND, SECOND, Time,
};
