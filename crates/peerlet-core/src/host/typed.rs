//! Access to the peerlets of a host by their types, for the program around a run: between events.

use std::any::{Any, TypeId};
use std::cell::Ref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::column::Rows;
use crate::context::{Context, Tap};
use crate::host::Host;
use crate::life::State;
use crate::parcel::{Body, Port};
use crate::peerlet::Peerlet;
use crate::property::PeerSource;
use crate::world::World;

impl PeerSource for Host {
    fn state(&self, row: usize) -> State {
        Host::state(self, row)
    }

    fn life(&self, row: usize) -> u32 {
        Host::life(self, row)
    }

    fn peerlet(&self, row: usize, id: TypeId) -> Option<Ref<'_, dyn Any>> {
        self.house.column(self.house.registry.port_of(id)?).look(row)
    }

    fn snapshots(&self, row: usize) -> Vec<(&'static str, Option<String>)> {
        let of = |port: &Port| {
            let entry = &self.house.registry.entries()[usize::from(port.0)];
            let column = self.house.column(*port);
            let shown = catch_unwind(AssertUnwindSafe(|| column.snapshot(row)));
            let panicked = |_| Some(Some("its snapshot panicked".to_owned()));
            Some((entry.name(), shown.unwrap_or_else(panicked)?))
        };
        self.stack(row).iter().filter_map(of).collect()
    }
}

impl Host {
    /// The peerlet of type `P` in this row, to look at between events; `None` when there is none.
    pub fn peerlet<P: Peerlet>(&self, row: usize) -> Option<Ref<'_, P>> {
        let port = self.house.registry.port_of(TypeId::of::<P>())?;
        let rows: &Rows<P> = self.house.column(port).as_any().downcast_ref()?;
        rows.borrow(row)
    }

    /// A message for the peerlet with this number as JSON, for a trace; `None` where it cannot be
    /// decoded.
    pub fn json(&self, port: Port, body: &Body) -> Option<String> {
        self.house.registry.entry(port)?;
        self.house.column(port).json(body, self.house.codec)
    }

    /// Calls a closure on the peerlet of type `P` of a running peer, with its context, as a handler
    /// is called: what it emits and spawns is handled before the peer's next event. `None`, with
    /// the closure not called, when the peer does not run or has no such peerlet.
    pub fn with<P: Peerlet, R>(
        &mut self,
        row: usize,
        world: &mut dyn World,
        closure: impl FnOnce(&mut P, &mut Context<'_, '_, P>) -> R,
    ) -> Option<R> {
        let port = self.port_of::<P>(row)?;
        let env = &mut self.env(row, world, port);
        let rows: &Rows<P> = env.house.column(port).as_any().downcast_ref()?;
        let result = rows.with(env, closure);
        self.settle(row, world);
        result
    }

    /// The number of the peerlet of type `P`, where the peer in this row runs and has it.
    pub fn port_of<P: Peerlet>(&self, row: usize) -> Option<Port> {
        let port = self.house.registry.port_of(TypeId::of::<P>())?;
        let has_it = self.state(row) == State::Running && self.stack(row).contains(&port);
        has_it.then_some(port)
    }

    /// Lets the program around the run take the local events of this type that peers emit: each
    /// just before siblings hear it, with the peer's row. It ends when it is not wanted any more,
    /// which is asked with each event, and when another one begins.
    pub fn tap<E: 'static>(
        &mut self,
        is_wanted: impl Fn() -> bool + Send + 'static,
        mut take: impl FnMut(usize, &E) + Send + 'static,
    ) {
        let take = move |row: usize, event: &dyn Any| {
            if let Some(event) = event.downcast_ref() {
                take(row, event);
            }
        };
        let tap =
            Tap { event: TypeId::of::<E>(), is_wanted: Box::new(is_wanted), take: Box::new(take) };
        let taps = self.house.taps.get_mut();
        taps.retain(|tap| (tap.is_wanted)());
        taps.push(tap);
    }

    /// Shows an event to those outside who take it.
    pub(super) fn show_taps(&mut self, row: usize, id: TypeId, event: &dyn Any) {
        let taps = self.house.taps.get_mut();
        if taps.is_empty() {
            return;
        }
        taps.retain(|tap| tap.event != id || (tap.is_wanted)());
        taps.iter_mut().filter(|tap| tap.event == id).for_each(|tap| (tap.take)(row, event));
    }
}
