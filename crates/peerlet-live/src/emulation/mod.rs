//! A model between the sockets of a run.
//!
//! Every peer has an [`EmulatedSocket`] of its own, so that a packet
//! names its pair. A packet that is sent goes to the *driver*, a thread that asks the model for the
//! packet's fate, keeps it for as long as the model says, and then hands it to the operating
//! system, which brings it to the other peer's socket. So the model acts on packets, below QUIC:
//! acknowledgements, handshakes and packets that are sent again included.
//!
//! The same driver applies the faults of a scenario to the real network: then the model is one
//! without delays, and packets go out as they are.
//!
//! In an emulation each peer has the address that it has in simulation, so that identifiers made of
//! addresses are the same in both worlds; the emulated sockets map them to sockets on loopback. A
//! packet carries the instant at which it was due in front of its bytes. The driver, and the socket
//! that receives it, note how late that is: an emulation is as good as its lateness is small.

mod driver;
mod link;
mod packet;
mod readings;
mod socket;

pub(crate) use driver::{Driver, DriverSetup};
pub(crate) use link::Damage;
pub(crate) use socket::{EmulatedSocket, shown};
