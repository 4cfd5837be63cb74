//! `nexosim`: models with mailboxes; whoever sends to a random model does so by the scheduler.
//!
//! Ports are connected beforehand, and a port to each of the others would take memory for every
//! pair. So each model's input is registered as an event source, and models share the scheduler's
//! handle. One thread: a second one only helps models that act at the same instant.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nexosim::model::{BuildContext, Context, Model, ProtoModel, schedulable};
use nexosim::ports::EventSource;
use nexosim::simulation::{EventId, Mailbox, Scheduler, SimInit};
use nexosim::time::MonotonicTime;
use peerlet_bench_yardstick::{RandomStream, Plan, Workload};
use serde::{Deserialize, Serialize};

use crate::sample::Sample;

/// What models say to each other.
#[derive(Clone, Serialize, Deserialize)]
enum Message {
    Ping { from: u32, count: u64 },
    Ack { count: u64 },
    Job,
}

/// What all models share.
struct Shared {
    /// Once the simulation is there: how to send, and the inputs of all models.
    wires: OnceLock<(Scheduler, Vec<EventId<Message>>)>,
    events: AtomicU64,
    hash: AtomicU64,
}

/// One of the models.
#[derive(Serialize, Deserialize)]
struct Peer {
    me: u32,
    plan: (u32, u32),
    is_phold: bool,
    sent: u64,
    received: u64,
    acked: u64,
}

/// What a model has that is not saved with it.
struct Surroundings {
    shared: Arc<Shared>,
    random: RandomStream,
}

impl Surroundings {
    fn send(&mut self, to: u32, (min, spread): (u64, u64), message: Message) {
        let delay = Duration::from_nanos(min + self.random.below(spread));
        let (scheduler, inputs) = self.shared.wires.get().expect("it is set before the run");
        let sent = scheduler.schedule_event(delay, &inputs[to as usize], message);
        sent.expect("a delay is never zero");
    }
}

const GOSSIP_DELAY: (u64, u64) = (50_000_000, 100_000_000);
const PHOLD_DELAY: (u64, u64) = (100_000_000, 1_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

#[Model(type Env = Surroundings)]
impl Peer {
    /// Sets the timer of gossip.
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>, env: &mut Surroundings) {
        if !self.is_phold {
            let phase = Duration::from_nanos(1 + env.random.below(999_999_999));
            let set = cx.schedule_periodic_event(phase, SECOND, schedulable!(Self::tick), ());
            set.expect("a phase is never zero");
        }
    }

    #[nexosim(schedulable)]
    fn tick(&mut self, _: (), _: &Context<Self>, env: &mut Surroundings) {
        env.shared.events.fetch_add(1, Ordering::Relaxed);
        self.sent += 1;
        let to = env.random.other(self.me, self.plan.0);
        env.send(to, GOSSIP_DELAY, Message::Ping { from: self.me, count: self.sent });
    }

    fn message(&mut self, message: Message, _: &Context<Self>, env: &mut Surroundings) {
        env.shared.events.fetch_add(1, Ordering::Relaxed);
        match message {
            Message::Ping { from, count } => {
                self.received += count;
                env.send(from, GOSSIP_DELAY, Message::Ack { count });
            }
            Message::Ack { count } => {
                self.acked += 1;
                env.shared.hash.fetch_add(count ^ self.received, Ordering::Relaxed);
            }
            Message::Job => {
                let to = env.random.other(self.me, self.plan.0);
                env.send(to, PHOLD_DELAY, Message::Job);
            }
        }
    }
}

/// A model before the simulation has it.
struct Prototype(Peer, Surroundings);

impl ProtoModel for Prototype {
    type Model = Peer;

    fn build(self, _: &mut BuildContext<Self>) -> (Peer, Surroundings) {
        (self.0, self.1)
    }
}

/// Runs a workload.
///
/// # Errors
/// When there is no program for it, or the simulator says so.
pub fn run(workload: Workload, plan: &Plan) -> Result<Sample, String> {
    let is_phold = match workload {
        Workload::Gossip => false,
        Workload::Phold => true,
        other => return Err(format!("no program for {}", other.name())),
    };
    let began = Instant::now();
    let (events, hash) = (AtomicU64::new(0), AtomicU64::new(0));
    let shared = Arc::new(Shared { wires: OnceLock::new(), events, hash });
    let mut bench = SimInit::with_num_threads(1);
    let mut inputs = Vec::new();
    for me in 0..plan.peers {
        let mailbox = Mailbox::new();
        inputs.push(EventSource::new().connect(Peer::message, &mailbox).register(&mut bench));
        let (sent, received, acked) = (0, 0, 0);
        let peer =
            Peer { me, plan: (plan.peers, plan.population), is_phold, sent, received, acked };
        let env = Surroundings { shared: shared.clone(), random: RandomStream::new(plan.seed, me) };
        bench = bench.add_model(Prototype(peer, env), mailbox, "peer");
    }
    let mut simulation = bench.init(MonotonicTime::EPOCH).map_err(|e| e.to_string())?;
    let scheduler = simulation.scheduler();
    if is_phold {
        let mut random = RandomStream::new(plan.seed, u32::MAX - 1);
        for me in 0..plan.peers {
            for _ in 0..plan.population {
                let delay = Duration::from_nanos(PHOLD_DELAY.0 + random.below(PHOLD_DELAY.1));
                let to = random.other(me, plan.peers) as usize;
                let sent = scheduler.schedule_event(delay, &inputs[to], Message::Job);
                sent.map_err(|e| e.to_string())?;
            }
        }
    }
    if shared.wires.set((scheduler, inputs)).is_err() {
        return Err("the wires were set twice".to_owned());
    }
    let set_up = began.elapsed();

    let began = Instant::now();
    let end = Duration::from_secs(u64::from(plan.seconds));
    simulation.step_until(end).map_err(|e| e.to_string())?;
    let events = shared.events.load(Ordering::Relaxed);
    Ok(Sample::new(events, set_up, began.elapsed(), shared.hash.load(Ordering::Relaxed)))
}
