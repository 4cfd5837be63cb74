//! Reusable peerlets: the building blocks of an overlay.
//!
//! - [`Bootstrap`] finds the first other peers, through one peer that everybody knows.
//! - [`Neighbors`] keeps random links and the nearest peers on a ring of identifiers, and reports
//!   which were found and lost.
//! - [`Router`] brings a payload to the peer that is nearest to a key.
//! - [`Lookups`] is a workload: it looks up random keys and measures who answers.
//!
//! Siblings can use [`Neighbors`] and [`Router`] by the roles that they play, [`PeerSampler`] and
//! [`KeyRouter`], and so exchange them for others.
//!
//! Each is [`Configured`] by a plain struct, so that a scenario can put it on a stack by name; a
//! user's own peerlet can be, too: its struct derives [`Parameters`](macro@Parameters).
//!
//! ```
//! use peerlet_core::{Peer};
//! use peerlet_overlay::{Bootstrap, Configured, Lookups, LookupsConfig, Neighbors, Router};
//!
//! let config = LookupsConfig { rate: "6/m".parse()?, ..LookupsConfig::default() };
//! let lookups = Lookups::configured(config)?;
//! let peer = Peer::new()
//!     .with(Bootstrap::default())
//!     .with(Neighbors::default())
//!     .with(Router::default())
//!     .with(lookups.clone());
//! assert_eq!(peer.names().last(), Some("lookups"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod configured;
mod macros;
mod ring;
mod roles;

mod bootstrap;
mod lookups;
mod neighbors;
mod router;

pub use bootstrap::{
    Alone, Bootstrap, BootstrapConfig, BootstrapMessage, BootstrapTimer, Bootstrapped, Introducer,
    IntroducerError,
};
pub use configured::{ConfigError, Configured, Parameter, Parameters, check_range};
pub use lookups::{Lookups, LookupsConfig, LookupsMessage, LookupsTimer, Rate, RateError};
pub use macros::Parameters;
pub use neighbors::{
    LayoutConfig, Neighbor, NeighborFound, NeighborLost, Neighbors, NeighborsConfig,
    NeighborsMessage, NeighborsTimer, Peers,
};
pub use ring::RingId;
pub use roles::{KeyRouter, PeerSampler};
pub use router::{
    Delivered, Envelope, PAYLOAD_MAX, Payload, PayloadError, Router, RouterConfig, RouterMessage,
    RouterTimer, UserTag,
};

/// Names for the code that the macros write.
#[doc(hidden)]
pub mod __macros {
    pub use crate::configured::{Parameters, check_in};
    pub use serde;
}

// That code names this crate from outside, also here.
extern crate self as peerlet_overlay;
