//! Decides the fate of a message: how long it takes from one peer to another, or why it is lost.
//!
//! A [`Model`] is a pure function of a [`Packet`] and of the state that one side keeps; it does no
//! I/O and has no clock, so that the simulator and the emulator can use the same one. The stock
//! models are built from the configuration of a scenario's `[network]` table:
//!
//! ```
//! use peerlet_core::{Duration, Seat, Seed, Time};
//! use peerlet_network::{Departure, GeneratedConfig, KING_LIKE, Packet, Site};
//!
//! let seed = Seed::new(7).named("network");
//! let site = Site::new(seed, 1_000, ".".as_ref());
//! let model = GeneratedConfig::default().build(&KING_LIKE, &site)?;
//! let (from, to) = (Seat(3), Seat(4));
//! let random = seed.at(3).at(4).at(0);
//! let packet = Packet { from, to, at: Time::ZERO, size: 0, random };
//! let Departure::Arrive { after } = model.depart(&packet, &mut None) else { unreachable!() };
//! assert!(after >= model.lookahead() && after < Duration::from_secs(4));
//! # Ok::<(), peerlet_network::BuildError>(())
//! ```

mod bottleneck;
mod distribution;
mod layer;
mod model;
mod probability;
mod seat_states;
mod shares;
mod site;
mod units;

mod assign;
mod delay;
mod generated;
mod lan;
mod matrix;
mod per;
mod regions;
mod sampled;
mod tables;

mod access;
mod corrupt;
mod duplicate;
mod faults;
mod jitter;
mod loss;

mod catalog;
mod config;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::matrix::fuzzing::matrices;
}

pub use access::{ACCESS_OVERHEAD, ACCESS_QUEUE, Access, AccessClass, P2P_2006, WORLD_2020};
pub use assign::{Assign, AssignError, RowSelection};
pub use catalog::{LAYERS, LayerEntry, MODELS, ModelEntry, NOT_YET, Parameter};
pub use config::{
    AccessConfig, BuildError, ClassConfig, ClassesConfig, ConstantConfig, CorruptConfig,
    DelaysConfig, GeneratedConfig, JitterConfig, LanConfig, LayersConfig, LinkConfig,
    LognormalConfig, LossConfig, MatrixConfig, NormalConfig, ParetoConfig, RegionsConfig,
    RegionsError, ReorderConfig, UniformConfig,
};
pub use corrupt::Corrupt;
pub use delay::{Constant, Uniform};
pub use distribution::{Distribution, DistributionError, Quantiles};
pub use duplicate::Duplicated;
pub use faults::{
    AddFaultError, CALLS, CallEntry, Change, Fault, FaultError, Faults, PairDelays, Ways,
    add_fault, check_fault,
};
pub use generated::{Generated, KING_LIKE, PLANETLAB_LIKE, Preset, WORLD_LIKE};
pub use jitter::{Jitter, Reorder};
pub use lan::Lan;
pub use layer::{Layer, Layers};
pub use loss::{Gilbert, GilbertError, Loss, LossModel};
pub use matrix::{Form, Matrix, MatrixError, Missing, Unit, UnitError, read_file};
pub use model::{Arrival, Departure, Model, ModelState, Packet, damage};
pub use peerlet_core::runtime::PacketDrop;
pub use per::{Per, PerPair};
pub use probability::{Probability, ProbabilityError};
pub use regions::{REGION_NAMES, REGIONS, REGIONS_MAX, Regions};
pub use sampled::Sampled;
pub use seat_states::SeatStates;
pub use site::{ReadFile, Site};
pub use units::{QuantityError, Rate, Size};
