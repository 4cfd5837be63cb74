//! `simcore`: components behind `Rc<RefCell<_>>`, events boxed in one heap, time as `f64`.
//!
//! Ticks go into its queue of ordered events, which costs less than the heap: each is one second
//! later than now, so they come in order.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use peerlet_bench_yardstick::{Plan, Workload};
use serde::Serialize;
use simcore::{Event, EventHandler, Id, Simulation, SimulationContext, cast};

use crate::sample::Sample;

#[derive(Clone, Serialize)]
struct Tick {}

#[derive(Clone, Serialize)]
struct Ping {
    count: u64,
}

#[derive(Clone, Serialize)]
struct Ack {
    count: u64,
}

#[derive(Clone, Serialize)]
struct Job {}

/// One of the components.
struct Component {
    ctx: SimulationContext,
    peers: u32,
    sent: u64,
    received: u64,
    acked: u64,
    events: u64,
}

impl Component {
    fn other(&self) -> Id {
        let other = self.ctx.gen_range(0..self.peers - 1);
        other + Id::from(other >= self.ctx.id())
    }

    fn delay(&self) -> f64 {
        self.ctx.gen_range(0.050..0.150)
    }

    /// Sends a message of PHOLD.
    fn relay(&self) {
        self.ctx.emit(Job {}, self.other(), self.ctx.gen_range(0.1..1.1));
    }
}

impl EventHandler for Component {
    fn on(&mut self, event: Event) {
        self.events += 1;
        cast!(match event.data {
            Tick {} => {
                self.ctx.emit_ordered_self(Tick {}, 1.0);
                self.sent += 1;
                self.ctx.emit(Ping { count: self.sent }, self.other(), self.delay());
            }
            Ping { count } => {
                self.received += count;
                self.ctx.emit(Ack { count }, event.src, self.delay());
            }
            Ack { count } => {
                self.acked += u64::from(count > 0);
            }
            Job {} => {
                self.relay();
            }
        })
    }
}

/// Runs a workload.
///
/// # Errors
/// When there is no program for it.
pub fn run(workload: Workload, plan: &Plan) -> Result<Sample, String> {
    let began = Instant::now();
    let mut simulation = Simulation::new(plan.seed);
    let components: Vec<_> = (0..plan.peers)
        .map(|peer| {
            let name = peer.to_string();
            let ctx = simulation.create_context(&name);
            let (sent, received, acked, events) = (0, 0, 0, 0);
            let component = Component { ctx, peers: plan.peers, sent, received, acked, events };
            let component = Rc::new(RefCell::new(component));
            simulation.add_handler(name, component.clone());
            component
        })
        .collect();
    for component in &components {
        let component = component.borrow();
        match workload {
            Workload::Gossip => {
                let phase = component.ctx.gen_range(0.0..1.0);
                component.ctx.emit_self(Tick {}, phase);
            }
            Workload::Phold => (0..plan.population).for_each(|_| component.relay()),
            other => return Err(format!("no program for {}", other.name())),
        }
    }
    let set_up = began.elapsed();

    let began = Instant::now();
    simulation.step_until_time(f64::from(plan.seconds));
    let (mut events, mut hash) = (0, 0u64);
    for component in &components {
        let component = component.borrow();
        events += component.events;
        hash = hash.rotate_left(5) ^ component.received ^ (component.acked << 32);
    }
    Ok(Sample::new(events, set_up, began.elapsed(), hash))
}
