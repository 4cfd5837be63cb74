//! One event, one way: alone or among many turns, an event is handled or it is not, for the same
//! reasons.

use std::sync::Arc;

use peerlet_core::runtime::{
    Alarm, Body, Call, Class, Clock, Entropy, Header, Host, MetricIndex, Network, PackedEvent,
    PackedEvents, Parcel, Port, Record, Registry, RowOf, World,
};
use peerlet_core::{
    Address, Contact, Context, Identity, Nothing, Peer, Peerlet, Refusal, SECOND, Seat, Seats,
    Seed, Time, TimerId,
};

/// A world that takes every turn, and counts those that pass.
#[derive(Default)]
struct Taker {
    timers: Vec<(Port, u32, Body)>,
    passed: u32,
}

impl Clock for Taker {
    fn now(&self) -> Time {
        Time::ZERO
    }
    fn set_alarm(&mut self, _: Time, alarm: Alarm) {
        if let Alarm::Timer { port, handle, body } = alarm {
            self.timers.push((port, handle, body));
        }
    }
}

impl Network for Taker {
    fn contact(&self) -> Contact {
        Contact { address: Address::simulated(Seat(0)), identity: Identity([0; 32]) }
    }
    fn send(&mut self, _: Address, _: Header, _: Parcel) {}
    fn broadcast(&mut self, _: Header, _: Parcel) {}
    fn send_reliably(&mut self, _: Address, _: Header, _: &mut Parcel) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Entropy for Taker {
    fn seed(&self, life: u32) -> Seed {
        Seed::new(u64::from(life))
    }
    fn secret(&mut self, _: &mut [u8]) {}
}

impl Record for Taker {
    fn record(&mut self, _: MetricIndex, _: i64) {}
}

impl Seats for Taker {
    fn count(&self) -> u32 {
        2
    }
    fn address(&self, _: Seat) -> Option<Address> {
        None
    }
    fn running(&self, _: Seat) -> bool {
        true
    }
}

impl World for Taker {
    fn seat(&self) -> Seat {
        Seat(0)
    }
    fn seats(&self) -> &dyn Seats {
        self
    }
    fn take_event(&mut self, _: &PackedEvent, _: u32, _: u32) -> bool {
        true
    }
    fn pass_event(&mut self, _: &PackedEvent) {
        self.passed += 1;
    }
}

/// Sets three timers, and takes the second one back.
#[derive(Default)]
struct Ringer {
    handled: u32,
    set: Vec<TimerId>,
}

impl Peerlet for Ringer {
    const NAME: &'static str = "ringer";
    type Message = u32;
    type Timer = u32;

    fn start(&mut self, ctx: &mut Context<Self>) {
        self.set = (0..3).map(|n| ctx.after(SECOND, n)).collect();
        let second = self.set[1];
        ctx.cancel(second);
    }
    fn message(&mut self, _: &mut Context<Self>, _: Address, _: u32) {
        self.handled += 1;
    }
    fn timer(&mut self, _: &mut Context<Self>, _: u32) {
        self.handled += 1;
    }
}

/// Fills the stack of a peer that has no ringer.
struct Other;

impl Peerlet for Other {
    const NAME: &'static str = "other";
    type Message = Nothing;
    type Timer = Nothing;
}

/// What a runtime brings: a timer by its place among those that were set, or a message, to a row.
#[derive(Clone, Copy, Debug)]
enum Brought {
    Timer(usize, u32),
    Whole(u32),
    Broken(u32),
}

const RINGER: Port = Port(0);

/// A host with a ringer in row 0 and another peerlet in row 1.
fn host(world: &mut Taker) -> Host {
    let stacks = || [Peer::new().with(Ringer::default()), Peer::new().with(Other)];
    let registry = Registry::of(stacks()).expect("these stacks can run");
    let mut host = Host::new(Arc::new(registry), 2);
    for (row, peer) in stacks().into_iter().enumerate() {
        host.start(row, world, || peer);
    }
    host
}

impl Brought {
    fn body(self, world: &mut Taker) -> (u32, u32, Body) {
        match self {
            Brought::Timer(place, row) => {
                let (_, handle, body) = &mut world.timers[place];
                (row, *handle, body.leave())
            }
            Brought::Whole(row) => (row, 0, Body::value(7u32)),
            Brought::Broken(row) => (row, 0, Body::encoded(vec![0xFF; 9])),
        }
    }

    /// Brings it alone; whether it was handled.
    fn alone(self) -> bool {
        let mut world = Taker::default();
        let mut host = host(&mut world);
        let (row, handle, mut body) = self.body(&mut world);
        let (row, header) = (row as usize, Header { port: RINGER, call: Call::None });
        let from = Address::simulated(Seat(1));
        let is_handled = match self {
            Brought::Timer(..) => host.timer(row, &mut world, RINGER, handle, &mut body),
            _ => host.message(row, &mut world, from, header, Class::Datagram, &mut body).is_ok(),
        };
        let seen = host.peerlet::<Ringer>(0).expect("row 0 has one").handled;
        assert_eq!(u32::from(is_handled), seen, "{self:?}");
        is_handled
    }

    /// Brings it as a turn; whether it was handled.
    fn among_turns(self) -> bool {
        let mut world = Taker::default();
        let mut host = host(&mut world);
        let (row, handle, body) = self.body(&mut world);
        let place = u64::from(row);
        let turn = match self {
            Brought::Timer(..) => PackedEvent::timer(place, RINGER, handle, 0, body),
            _ => PackedEvent::datagram(place, RINGER, Seat(1), 0, body),
        };
        let mut turns = PackedEvents { all: &mut [turn], next: 0, rows: RowOf::new(0, 0) };
        host.run(&mut world, &mut turns);
        assert_eq!(turns.next, 1, "{self:?} is taken");
        let seen = host.peerlet::<Ringer>(0).expect("row 0 has one").handled;
        assert_eq!(1 - world.passed, seen, "{self:?}");
        world.passed == 0
    }
}

#[test]
fn what_is_handled_alone_is_handled_among_many() {
    for (brought, is_handled) in [
        (Brought::Timer(0, 0), true),
        (Brought::Timer(1, 0), false),
        (Brought::Timer(2, 1), false),
        (Brought::Whole(0), true),
        (Brought::Whole(1), false),
        (Brought::Broken(0), false),
        (Brought::Broken(1), false),
    ] {
        assert_eq!(brought.alone(), is_handled, "{brought:?} alone");
        assert_eq!(brought.among_turns(), is_handled, "{brought:?} among turns");
    }
}
