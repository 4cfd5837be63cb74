//! Names for runtimes, network models and tools, which authors of peerlets do not need.
//!
//! A runtime implements [`World`] and its four parts, and drives a [`Host`], which holds the peers
//! of one shard or simulation. The suite in `peerlet-conformance` says whether it keeps the
//! contract.

pub use crate::command::TEXT_ESCAPES;
pub use crate::environment::{Act, Directive};
pub use crate::host::Host;
pub use crate::life::{Depth, State};
pub use crate::links::{KINDS_MAX, LinkSource};
pub use crate::location::{Handler, Location};
pub use crate::map::FixedHasher;
pub use crate::metric::QUANTA_MAX;
pub use crate::packed_event::{PackedEvent, PackedEvents, RowOf};
pub use crate::packet_drop::PacketDrop;
pub use crate::parcel::{Body, Call, Class, Encoder, Header, MetricIndex, Parcel, Port};
pub use crate::picks::WrongPick;
pub use crate::random::mix;
pub use crate::registry::{Entry, Registry, StackError};
pub use crate::seat_set::SeatSet;
pub use crate::tamper::{Tampering, Tampers};
pub use crate::text::{TextError, decode_text};
pub use crate::trust::{TRUSTED_MAX, Trusted};
pub use crate::wire::{FRAME_MAX, MESSAGE_MAX_LIMIT};
pub use crate::world::{Alarm, Clock, Entropy, Network, Record, Swept, World};
