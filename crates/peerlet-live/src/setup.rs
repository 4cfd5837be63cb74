//! The setup of a live run.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use peerlet_core::runtime::{Handler, Location, MESSAGE_MAX_LIMIT, Registry};
use peerlet_core::{Codec, Duration, MESSAGE_MAX, Need, Peer, SECOND, Seat, Time};
use peerlet_measure::{Details, Epochs, EpochsError, Measurements};

use crate::admission::Admission;
use crate::error::{EPOCH_OF_SEVERAL_MIN, EPOCHS_OF_SEVERAL_MAX, LiveError, Panicked};
use crate::frame::Tag;
use crate::key::ProcessKey;
use crate::medium::{LATE_MAX, Medium};
use crate::member::{Join, Role, Section};
use crate::notice::Notice;
use crate::observer::Observer;
use crate::panics::{PanicPlace, caught_now, message_of};
use crate::quic::{Guard, LINKS_MAX};
use crate::shard::Build;
use crate::udp::UdpOptions;

/// Connections from one network (/24, or /56 of IPv6) that a process with free membership keeps: a
/// quarter of all, so that one network does not shut out the others, and keeps room for those that
/// the process dials itself.
const LINKS_PER_NETWORK_MAX: usize = LINKS_MAX / 4;

/// Which sockets a run uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sockets {
    /// QUIC: both classes of delivery, identities.
    Quic,
    /// UDP: datagrams only, for loopback, closed networks, and those with a
    /// [secret](Admission::secret).
    Udp {
        /// Whether everybody who can reach the sockets is trusted; without it and without a secret,
        /// loopback only.
        closed_network: bool,
    },
}

impl Sockets {
    /// The needs of peerlets that these sockets meet.
    pub const fn gives(self) -> &'static [Need] {
        match self {
            Sockets::Quic => &[Need::Reliable, Need::Identity],
            Sockets::Udp { .. } => &[],
        }
    }
}

/// Takes a closed epoch: measurements that hold that one.
pub struct OnEpoch(Mutex<Box<dyn FnMut(Measurements) + Send>>);

impl OnEpoch {
    /// A function that takes them, on a task of the runtime.
    pub fn new(take: impl FnMut(Measurements) + Send + 'static) -> OnEpoch {
        OnEpoch(Mutex::new(Box::new(take)))
    }

    pub(crate) fn take(&mut self, measures: Measurements) {
        let take = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        take(measures);
    }
}

/// Who takes part in a run, and what peers are known by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Membership {
    /// The processes of a scenario, which all know its seats.
    #[default]
    Scenario,
    /// Anybody who is let in, at any time. There are no seats but a process's own, which number its
    /// peers; peers learn of each other by their addresses. It lasts until it is stopped.
    Free,
}

/// The setup of a live run, apart from the directives for its seats.
pub struct LiveSetup {
    /// The experiment's name: processes of different experiments never mix.
    pub name: String,
    /// The number of seats.
    pub seats: u32,
    /// How long it runs, from time zero.
    pub duration: Duration,
    /// Builds the stack of a seat's peer.
    pub build: Build,
    /// The peerlet types, when they are known; otherwise every seat's stack is built once.
    pub registry: Option<Arc<Registry>>,
    /// The seed of behavior's randomness; the operating system gives one where it is `None`.
    pub seed: Option<u64>,
    /// The sockets. Default: QUIC.
    pub sockets: Sockets,
    /// The medium between the sockets. Default: the real network.
    pub medium: Medium,
    /// The address that the first shard binds; shard k binds k ports higher, or any port where this
    /// one is 0. Default: a free port of 127.0.0.1.
    pub bind: SocketAddr,
    /// How late an emulation may be once, in handing a packet over, by standing still or in a
    /// handler: beyond this it is void. Default: [`LATE_MAX`].
    pub late_max: Duration,
    /// How many shards, each a task with a socket of its own. Seat s lives on shard s mod shards.
    /// Default 1. Where a [medium](LiveSetup::medium) has a model, each peer has one.
    pub shards: u32,
    /// The process's key. Default: a new one.
    pub key: Option<ProcessKey>,
    /// The first and the last of the seats that live in this process. Default: all.
    pub index: Option<(u32, u32)>,
    /// Seat 0's process; given by every process but that one.
    pub join: Option<Join>,
    /// The address at which other processes reach this one. Default: the bound one, or, where that
    /// is unspecified, the one that the first other process sees.
    pub advertise: Option<SocketAddr>,
    /// The processes that may connect. Default: anybody.
    pub admission: Admission,
    /// Whether the seats are those of a scenario. Default: they are.
    pub membership: Membership,
    /// Takes each epoch that all shards of a process with [free membership](Membership::Free) have
    /// closed. Default: nobody does, and they are kept for the outcome.
    pub on_epoch: Option<OnEpoch>,
    /// Looks at the running peers of this process while it runs. Default: nobody does.
    pub observer: Option<Arc<dyn Observer>>,
    /// The sections that all processes of the run must have alike, beside its name, seats,
    /// duration, codec, peerlets and their versions: a process that joins with other ones is
    /// refused, and told which. Default: none.
    pub sections: Vec<Section>,
    /// How long seat 0's process waits for others, and others for it. Zero: seat 0's process begins
    /// at once, and others cannot join. Default 30 s.
    pub start_within: Duration,
    /// Takes lines for the user: where the process is reached, whom it joined. Default: the log.
    pub notice: Notice,
    /// The length of an epoch. Default 10 s.
    pub epoch: Duration,
    /// From when on values count in the summary. Default: time zero.
    pub from: Time,
    /// Optional measurements, the same in all processes. Default: none.
    pub details: Details,
    /// After how long without success a reliable connection gives up. Default 10 s, as in
    /// simulation.
    pub connection_timeout: Duration,
    /// How long a reliable message may be, in encoded bytes; at most
    /// [`MESSAGE_MAX_LIMIT`](peerlet_core::runtime::MESSAGE_MAX_LIMIT). Default 16 MiB, as in
    /// simulation.
    pub message_max: usize,
    /// How messages are encoded; the same in all processes of the run. Default:
    /// [`Codec::Postcard`].
    pub codec: Codec,
}

impl LiveSetup {
    /// A setup with the defaults named at the fields.
    pub fn new(
        name: impl Into<String>,
        seats: u32,
        duration: Duration,
        build: impl Fn(Seat) -> Peer + Send + Sync + 'static,
    ) -> LiveSetup {
        LiveSetup {
            name: name.into(),
            seats,
            duration,
            build: Arc::new(build),
            registry: None,
            seed: None,
            sockets: Sockets::Quic,
            medium: Medium::Real,
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            late_max: LATE_MAX,
            shards: 1,
            key: None,
            index: None,
            join: None,
            advertise: None,
            admission: Admission::default(),
            membership: Membership::Scenario,
            on_epoch: None,
            observer: None,
            sections: Vec::new(),
            start_within: SECOND * 30,
            notice: Arc::new(|line| tracing::info!("{line}")),
            epoch: SECOND * 10,
            from: Time::ZERO,
            details: Details::default(),
            connection_timeout: SECOND * 10,
            message_max: MESSAGE_MAX,
            codec: Codec::default(),
        }
    }

    /// The first and the last seat of this process.
    pub(crate) fn own_seats(&self) -> (u32, u32) {
        self.index.unwrap_or((0, self.seats.saturating_sub(1)))
    }

    /// The seats of one of this process's shards: those of the process whose number is the shard's,
    /// modulo shards.
    pub(crate) fn seats_of(&self, shard: u32) -> Vec<Seat> {
        let (first, last) = self.own_seats();
        let mine = (first..=last).filter(|seat| seat % self.shards.max(1) == shard);
        mine.map(Seat).collect()
    }

    /// How the sockets are used, over UDP.
    pub(crate) fn udp_options(&self) -> UdpOptions {
        let closed_network = self.sockets == Sockets::Udp { closed_network: true };
        UdpOptions { closed_network, secret: self.admission.secret.clone() }
    }

    /// How this process takes part; `None` when it has all seats.
    pub(crate) fn role(&self) -> Result<Option<Role>, LiveError> {
        if self.seats == 0 {
            return Err(LiveError::NoPeers);
        }
        let (first, last) = self.own_seats();
        if first > last || last >= self.seats {
            return Err(LiveError::Index { first, last, seats: self.seats });
        }
        if self.is_free() {
            return Ok(None);
        }
        match (&self.join, first) {
            (Some(_), 0) => Err(LiveError::JoinsItself),
            (Some(join), _) => Ok(Some(Role::Participant(join.clone()))),
            (None, 0) if last + 1 == self.seats => Ok(None),
            (None, 0) => Ok(Some(Role::Coordinator)),
            (None, _) => Err(LiveError::JoinsNobody { first }),
        }
    }

    /// Whether there are no seats but this process's.
    pub(crate) fn is_free(&self) -> bool {
        self.membership == Membership::Free
    }

    /// The epochs of the run.
    pub(crate) fn epochs(&self) -> Result<Epochs, EpochsError> {
        match self.is_free() {
            true => Epochs::endless(self.epoch),
            false => Epochs::new(self.epoch, self.from..Time::ZERO + self.duration),
        }
    }

    /// The tag of its frames: of those who speak the same protocols. Processes of a scenario
    /// compare versions when they join; others do not meet where versions differ.
    pub(crate) fn tag(&self, registry: &Registry) -> Tag {
        let names = registry.entries().iter().map(|entry| match self.is_free() {
            true => format!("{} {}", entry.name(), entry.version()),
            false => entry.name().to_owned(),
        });
        let codec = self.is_free().then(|| self.codec.name().to_owned());
        let names: Vec<String> = names.chain(codec).collect();
        Tag::of(&self.name, &names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The rules by which the process's sockets let others in.
    pub(crate) fn guard(&self) -> Guard {
        let (admission, has_roster) = (self.admission.clone(), !self.is_free());
        let links_per_network = self.is_free().then_some(LINKS_PER_NETWORK_MAX);
        Guard { admission, has_roster, links_per_network }
    }

    /// The sections that all processes of the run must have alike.
    pub(crate) fn all_sections(&self, registry: &Registry) -> Vec<Section> {
        let peerlets = registry.entries().iter().map(|entry| {
            let name = format!("peerlet `{}`", entry.name());
            Section::new(name, format_args!("version {}", entry.version()))
        });
        let order: Vec<_> = registry.entries().iter().map(|entry| entry.name()).collect();
        let own = [
            Section::new("program", &self.name),
            Section::new("peers", self.seats),
            Section::new("for", self.duration),
            Section::new("codec", self.codec),
        ];
        let order = order.join(" ");
        let order = Section::hashed("peerlets", registry.entries().len(), &order);
        own.into_iter().chain(peerlets).chain([order]).chain(self.sections.clone()).collect()
    }

    /// Checks the setup for contradictions.
    pub(crate) fn check(&self) -> Result<(), LiveError> {
        if self.admission.allowed.is_some() && self.sockets != Sockets::Quic {
            return Err(LiveError::ListOverUdp);
        }
        if self.is_free() {
            let ip = self.advertise.unwrap_or(self.bind).ip();
            if ip.is_unspecified() || ip.is_multicast() {
                return Err(LiveError::NoAddress);
            }
            if self.epoch < EPOCH_OF_SEVERAL_MIN {
                return Err(LiveError::ShortEpoch { length: self.epoch });
            }
        }
        if self.join.is_some() && self.start_within == Duration::ZERO {
            return Err(LiveError::NoTimeToJoin);
        }
        let count = self.duration.as_nanos().div_ceil(self.epoch.as_nanos().max(1));
        let is_one_of_several =
            !self.is_free() && self.own_seats() != (0, self.seats.saturating_sub(1));
        let is_too_often = count > EPOCHS_OF_SEVERAL_MAX && self.epoch < EPOCH_OF_SEVERAL_MIN;
        if is_one_of_several && is_too_often {
            return Err(LiveError::ShortEpochs { length: self.epoch, count });
        }
        self.check_addresses()?;
        match self.message_max {
            0..=MESSAGE_MAX_LIMIT => Ok(()),
            asked => Err(LiveError::MessageMax { asked }),
        }
    }

    /// Checks that the addresses of all shards can be bound and said.
    fn check_addresses(&self) -> Result<(), LiveError> {
        let shards = self.shards;
        for at in [Some(self.bind), self.advertise].into_iter().flatten() {
            let first = at.port();
            if first != 0 && u32::from(first) + shards - 1 > u32::from(u16::MAX) {
                return Err(LiveError::Ports { first, shards });
            }
            if let IpAddr::V6(ip) = at.ip()
                && ip.is_unicast_link_local()
            {
                return Err(LiveError::LinkLocal { at: ip });
            }
        }
        match self.advertise {
            Some(at) if at.port() != 0 && self.bind.port() == 0 && shards > 1 => {
                Err(LiveError::PortsInNoOrder { shards })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn checked_registry(&self) -> Result<Arc<Registry>, LiveError> {
        let registry = match &self.registry {
            Some(registry) => registry.clone(),
            None => {
                let mut stacks = Vec::new();
                for seat in (0..self.seats).map(Seat) {
                    stacks.push(self.built(seat)?);
                }
                Arc::new(Registry::of(stacks)?)
            }
        };
        let broadcast = self.medium.has_local_networks().then_some(Need::Broadcast);
        let gives: Vec<Need> = self.sockets.gives().iter().copied().chain(broadcast).collect();
        registry.check_needs(&gives)?;
        Ok(registry)
    }

    /// The stack of a seat, to look at.
    fn built(&self, seat: Seat) -> Result<Peer, LiveError> {
        caught_now(|| (self.build)(seat)).map_err(|payload| {
            let (life, peerlet, time) = (0, None, Time::ZERO);
            let place = Location { seat, life, peerlet, handler: Handler::Build, time };
            LiveError::Panicked(Panicked {
                place: PanicPlace::Peer(place),
                message: message_of(&payload),
                seed: self.seed.unwrap_or_default(),
                partial: None,
            })
        })
    }
}
