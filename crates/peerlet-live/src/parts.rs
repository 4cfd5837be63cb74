//! The parts that all shards of a process share, and a shard made of them.

use std::sync::Arc;
use std::time::Instant;

use peerlet_core::runtime::{Directive, Host, Registry};
use peerlet_core::{Duration, Map, Seed, Time};
use peerlet_measure::{Epochs, Ledger, MetricEntry, Recorder};
use ring::rand::SystemRandom;

use crate::connection::{Budget, ConnectionConfig, Connections};
use crate::counters::Counters;
use crate::entropy::random;
use crate::kept_out::KeptOut;
use crate::key::ProcessKey;
use crate::monitor::MonitorHandle;
use crate::seats::SeatMap;
use crate::setup::LiveSetup;
use crate::shard::{
    AlarmClock, CurrentEvent, Observation, Pauses, Punctuality, Shard, ShardChannels, ShardState,
    Timers, Undecoded,
};
use crate::transport::Transport;

/// The parts that all shards of a process share.
pub(crate) struct Parts<'a> {
    pub(crate) setup: &'a LiveSetup,
    pub(crate) registry: Arc<Registry>,
    pub(crate) epochs: Epochs,
    pub(crate) seats: Arc<SeatMap>,
    pub(crate) key: ProcessKey,
    pub(crate) end: Time,
    /// Bytes of large messages that are put together at a time.
    pub(crate) budget: Budget,
    pub(crate) undecoded: Option<Undecoded>,
    pub(crate) kept_out: KeptOut,
}

impl Parts<'_> {
    /// The table of all metrics.
    pub(crate) fn metrics(&self) -> Arc<[MetricEntry]> {
        MetricEntry::table(&self.registry, &self.setup.details)
    }

    /// A shard of the process, ready to run.
    pub(crate) fn shard(
        &self,
        shard: u32,
        transport: Box<dyn Transport>,
        directives: Vec<Directive>,
        channels: ShardChannels,
        monitor: MonitorHandle,
    ) -> Shard {
        let tag = self.setup.tag(&self.registry);
        let mut config = ConnectionConfig::new(tag, random() as u32);
        config.timeout = self.setup.connection_timeout;
        config.message_max = self.setup.message_max;
        let seats = self.setup.seats_of(shard);
        let state = ShardState {
            now: Time::ZERO,
            socket: transport.local_addr(),
            identity: self.key.identity(),
            tag,
            seed: Seed::new(self.setup.seed.unwrap_or_else(random)),
            secrets: SystemRandom::new(),
            seats: self.seats.clone(),
            timers: Timers::default(),
            is_catching_up: false,
            soon: Default::default(),
            outbox: Vec::new(),
            connections: Connections::new(config).sharing(self.budget.clone()),
            refused: Map::default(),
            tampers: Map::default(),
            has_identities: transport.capabilities().identity,
            warned: Default::default(),
            ledger: Ledger::default(),
            recorder: Recorder::new(self.metrics(), self.epochs).with_details(&self.setup.details),
        };
        Shard {
            number: shard,
            host: Host::new(self.registry.clone(), seats.len()).with_codec(self.setup.codec),
            seats,
            state,
            pauses: Pauses::default(),
            transport,
            alarm_clock: AlarmClock::new(),
            current: CurrentEvent::default(),
            late: Punctuality::default(),
            monitor,
            is_broken: false,
            build: self.setup.build.clone(),
            directives: directives.into_iter().peekable(),
            zero: Instant::now(),
            end: self.end,
            counters: Counters::default(),
            idle_directives: 0,
            events: 0,
            has_stopped: false,
            drained: Duration::ZERO,
            backlog: 0,
            since: Instant::now(),
            channels,
            reported: 0,
            is_free: self.setup.is_free(),
            undecoded: self.undecoded.clone(),
            kept_out: self.kept_out.clone(),
            pins: 0,
            observation: Observation::new(self.setup.observer.clone()),
        }
    }
}
