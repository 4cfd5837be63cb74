//! The emulator of a run: binds its sockets, starts the driver, and closes the accounts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use peerlet_core::{Duration, Seat, Seed, Time};
use peerlet_measure::Flow;
use peerlet_network::Model;
use tokio::sync::watch;

use crate::emulation::{Damage, Driver, DriverSetup, shown};
use crate::entropy::random;
use crate::key::ProcessKey;
use crate::medium::{Carried, Medium, MediumError, make_room};
use crate::outcome::LiveOutcome;
use crate::panics::Failures;
use crate::process::SHARDS_MAX;
use crate::quic::{Guard, QuicTransport};
use crate::seats::SeatMap;
use crate::setup::{LiveSetup, Sockets};
use crate::socket::Socket;
use crate::transport::{BindError, Transport};
use crate::udp::{self, UdpTransport};

/// A model between the sockets of a run, one a peer.
pub(crate) struct Emulator {
    driver: Driver,
    is_emulated: bool,
    /// Whether packets are encrypted or authenticated.
    are_sealed: bool,
    /// The largest single delay before the run is void.
    late_max: Duration,
    /// When the run ends, unless it is interrupted.
    end: Time,
    /// The network; taken when it begins.
    network: Option<(Box<dyn Model>, Seed, Damage)>,
}

impl Emulator {
    /// The emulator of a run whose medium has a model. Each of its peers then gets a shard of its
    /// own, if there can be as many sockets.
    pub(crate) fn new(setup: &mut LiveSetup) -> Result<Option<Emulator>, MediumError> {
        let (model, is_emulated) = match std::mem::take(&mut setup.medium) {
            Medium::Real => return Ok(None),
            Medium::Faulty(model) => (model, false),
            Medium::Emulated(model) => (model, true),
        };
        let (first, last) = setup.own_seats();
        let (own, is_share) = (last - first + 1, last - first + 1 < setup.seats);
        if is_share && is_emulated {
            return Err(MediumError::Share);
        }
        if is_share && own > SHARDS_MAX as u32 {
            return Err(MediumError::Sockets { seats: own, limit: SHARDS_MAX as u32 });
        }
        make_room(own).map_err(MediumError::Limit)?;
        setup.shards = own;
        let seed = Seed::new(setup.seed.unwrap_or_else(random)).named("between");
        let are_sealed = setup.sockets == Sockets::Quic || setup.admission.secret.is_some();
        let damage: Damage = if are_sealed { peerlet_network::damage } else { udp::damage };
        let network = Some((model, seed, damage));
        let driver = Driver::new(is_emulated);
        let (late_max, end) = (setup.late_max, Time::ZERO + setup.duration);
        Ok(Some(Emulator { driver, is_emulated, are_sealed, late_max, end, network }))
    }

    pub(crate) fn is_emulated(&self) -> bool {
        self.is_emulated
    }

    /// The socket of a shard, which has one peer.
    pub(crate) fn bind(
        &mut self,
        setup: &LiveSetup,
        key: &ProcessKey,
        shard: u32,
        at: SocketAddr,
    ) -> Result<Box<dyn Transport>, BindError> {
        let at = if self.is_emulated { (Ipv4Addr::LOCALHOST, 0).into() } else { at };
        let seat = setup.seats_of(shard)[0];
        let io = |source| BindError::Io { at, source };
        if setup.sockets != Sockets::Quic {
            setup.udp_options().check(at)?;
        }
        // The peers of an emulation are all this process's.
        let guard = if self.is_emulated { Guard::default() } else { setup.guard() };
        let mut transport = || -> io::Result<Box<dyn Transport>> {
            let socket = self.driver.socket(seat, at)?;
            Ok(match setup.sockets {
                Sockets::Quic => {
                    Box::new(QuicTransport::emulated(key.copy(), socket, guard.clone())?)
                }
                Sockets::Udp { .. } => {
                    Box::new(UdpTransport::over(Socket::Emulated(socket), setup.udp_options())?)
                }
            })
        };
        transport().map_err(io)
    }

    /// Sets the addresses of all seats of an emulation, and their local networks.
    pub(crate) fn show(&self, seats: &SeatMap) {
        let Some((model, ..)) = &self.network else { return };
        for seat in (0..seats.count()).map(Seat) {
            seats.set(seat, shown(seat));
        }
        if model.has_local_networks() {
            seats.set_local(|seat| model.local_network(seat));
        }
    }

    /// Begins to carry packets. Tells when nothing is on its way any more that departed before the
    /// end.
    pub(crate) fn begin(
        &mut self,
        seats: Arc<SeatMap>,
        measured: Range<Time>,
        zero: watch::Receiver<Option<Instant>>,
        failures: Failures,
    ) -> Result<watch::Receiver<bool>, MediumError> {
        let (model, seed, damage) = self.network.take().expect("it begins once");
        let setup = DriverSetup { model, seed, seats, measured, damage };
        self.driver.begin(setup, zero, failures).map_err(MediumError::Io)
    }

    /// Ends it, and closes the accounts of an emulation.
    pub(crate) fn finish(self, outcome: &mut LiveOutcome) {
        let Emulator { driver, is_emulated, are_sealed, late_max, end, .. } = self;
        let results = driver.finish();
        ClosingFacts { is_emulated, are_sealed, late_max, end }.close(results, outcome);
    }

    /// Ends it after a panic somewhere, likewise; a thread that does not answer is left behind.
    pub(crate) fn give_up(self, outcome: &mut LiveOutcome) {
        let Emulator { driver, is_emulated, are_sealed, late_max, end, .. } = self;
        let results = driver.give_up();
        ClosingFacts { is_emulated, are_sealed, late_max, end }.close(results, outcome);
    }
}

/// The facts by which accounts are closed.
struct ClosingFacts {
    is_emulated: bool,
    are_sealed: bool,
    late_max: Duration,
    end: Time,
}

impl ClosingFacts {
    fn close(self, (mut carried, datagrams): (Carried, Flow), out: &mut LiveOutcome) {
        carried.late_max = self.late_max;
        carried.woken = out.delays.lateness.max();
        carried.blocked = out.delays.slowest.map_or(Duration::ZERO, |(_, took)| took);
        if out.end < self.end {
            // An interrupted run leaves packets behind that nobody reads any more.
            carried.lost.unread = 0;
        }
        if self.is_emulated {
            out.close_emulated(carried, &datagrams, self.are_sealed);
        } else {
            out.carried = Some(carried);
        }
    }
}
