//! Layers around a model: each changes the fates that what is inside it decides.

use std::any::Any;
use std::fmt;

use peerlet_core::{Duration, Seat, Time};

use crate::model::{Arrival, Departure, Model, ModelState, Packet};
use crate::seat_states::SeatStates;

/// Something that the network does to messages, whatever model says how long they take.
///
/// The contract is that of a [`Model`]: a layer is a pure function of the packet, the fate so far
/// and its own state, and takes its random stream by name, so that no other stream changes. It
/// never makes a packet arrive earlier than what is inside it says.
///
/// # Examples
/// Messages of more than 500 bytes take a second longer:
/// ```
/// use peerlet_core::{MILLISECOND, SECOND, Seat, Seed, Time};
/// use peerlet_network::{Constant, Departure, Layer, Layers, Model, ModelState, Packet};
///
/// #[derive(Debug)]
/// struct SlowGiants;
///
/// impl Layer for SlowGiants {
///     fn needs_size(&self) -> bool {
///         true
///     }
///     fn is_stateless(&self) -> bool {
///         true
///     }
///     fn depart(&self, packet: &Packet, fate: Departure, _: &mut ModelState) -> Departure {
///         if packet.size > 500 { fate.later(SECOND) } else { fate }
///     }
/// }
///
/// let constant = Box::new(Constant { delay: MILLISECOND });
/// let network = Layers::around(constant, vec![Box::new(SlowGiants)]);
/// let (from, to, at, random) = (Seat(0), Seat(1), Time::ZERO, Seed::new(0));
/// let fate = |size| network.depart(&Packet { from, to, at, size, random }, &mut None);
/// assert_eq!(fate(500), Departure::Arrive { after: MILLISECOND });
/// assert_eq!(fate(501), Departure::Arrive { after: MILLISECOND + SECOND });
/// ```
pub trait Layer: Send + Sync + fmt::Debug {
    /// As [`Model::needs_size`].
    fn needs_size(&self) -> bool {
        false
    }

    /// Whether it never has a state, which spares looking for one.
    fn is_stateless(&self) -> bool {
        false
    }

    /// The state that the layer starts with at this seat's outgoing side.
    fn outbound(&self, _seat: Seat) -> ModelState {
        None
    }

    /// The state that the layer starts with at this seat's incoming side.
    fn inbound(&self, _seat: Seat) -> ModelState {
        None
    }

    /// Whether [`arrive`](Layer::arrive) does anything.
    fn has_arrival(&self) -> bool {
        false
    }

    /// The fate of a packet that departs now, given its fate inside. `state` is the layer's own at
    /// the sender.
    fn depart(&self, _packet: &Packet, fate: Departure, _state: &mut ModelState) -> Departure {
        fate
    }

    /// The fate of a packet that arrives now, given its fate inside. `state` is the layer's own at
    /// the receiver.
    fn arrive(&self, _packet: &Packet, fate: Arrival, _state: &mut ModelState) -> Arrival {
        fate
    }

    /// As [`Model::is_cut`].
    fn is_cut(&self, _from: Seat, _to: Seat, _at: Time) -> bool {
        false
    }

    /// As [`Model::open_parts`].
    fn open_parts(&mut self, _show: &mut dyn FnMut(&mut dyn Any)) {}
}

/// A model with layers around it, from the inside out.
///
/// Their states take what each of them takes; where several have any, 16 bytes a layer and 48 more
/// for each side of a peer.
#[derive(Debug)]
pub struct Layers {
    inner: Box<dyn Model>,
    layers: Vec<Box<dyn Layer>>,
    /// The only part that may have states, 0 for what is inside, if no other has.
    sole: Option<usize>,
}

/// The states of what is inside and of each layer, where there are any.
struct Parts(Box<[ModelState]>);

impl Layers {
    /// Puts the layers around a model; the first is the innermost.
    pub fn around(inner: Box<dyn Model>, layers: Vec<Box<dyn Layer>>) -> Layers {
        let stateless = layers.iter().map(|layer| layer.is_stateless());
        let stateless = [inner.is_stateless()].into_iter().chain(stateless);
        let mut stateful = (0..).zip(stateless).filter(|(_, is)| !is).map(|(part, _)| part);
        let sole = stateful.next().filter(|_| stateful.next().is_none());
        Layers { inner, layers, sole }
    }

    /// Shows the state of one part, 0 for what is inside, to whoever it belongs to.
    #[inline]
    fn part<T>(
        &self,
        all: &mut ModelState,
        part: usize,
        owner: impl FnOnce(&mut ModelState) -> T,
    ) -> T {
        if let Some(sole) = self.sole {
            return if sole == part { owner(all) } else { owner(&mut None) };
        }
        if let Some(Parts(parts)) = all.as_mut().and_then(|all| all.downcast_mut()) {
            return owner(&mut parts[part]);
        }
        let mut own = None;
        let fate = owner(&mut own);
        if own.is_some() {
            *all = self.parts(|i| if i == part { own.take() } else { None });
        }
        fate
    }

    /// All states together; none where there is none.
    fn parts(&self, mut state: impl FnMut(usize) -> ModelState) -> ModelState {
        if let Some(sole) = self.sole {
            return state(sole);
        }
        let parts: Box<[ModelState]> = (0..=self.layers.len()).map(state).collect();
        parts.iter().any(Option::is_some).then(|| Box::new(Parts(parts)) as _)
    }

    fn each(&self) -> impl Iterator<Item = (usize, &dyn Layer)> {
        (1..).zip(self.layers.iter().map(|layer| &**layer))
    }
}

impl Model for Layers {
    fn lookahead(&self) -> Duration {
        self.inner.lookahead()
    }

    fn needs_size(&self) -> bool {
        self.inner.needs_size() || self.layers.iter().any(|layer| layer.needs_size())
    }

    fn is_stateless(&self) -> bool {
        self.inner.is_stateless() && self.layers.iter().all(|layer| layer.is_stateless())
    }

    fn outbound(&self, seat: Seat) -> ModelState {
        self.parts(|part| match part {
            0 => self.inner.outbound(seat),
            _ => self.layers[part - 1].outbound(seat),
        })
    }

    fn inbound(&self, seat: Seat) -> ModelState {
        self.parts(|part| match part {
            0 => self.inner.inbound(seat),
            _ => self.layers[part - 1].inbound(seat),
        })
    }

    fn has_arrival(&self) -> bool {
        self.inner.has_arrival() || self.layers.iter().any(|layer| layer.has_arrival())
    }

    fn depart(&self, packet: &Packet, state: &mut ModelState) -> Departure {
        let fate = self.part(state, 0, |own| self.inner.depart(packet, own));
        self.each().fold(fate, |fate, (part, layer)| {
            self.part(state, part, |own| layer.depart(packet, fate, own))
        })
    }

    fn depart_all(&self, packets: &[Packet], states: &mut SeatStates, fates: &mut Vec<Departure>) {
        let from = fates.len();
        if self.inner.is_stateless() {
            self.inner.depart_all(packets, &mut SeatStates::default(), fates);
        } else {
            fates.extend(packets.iter().map(|packet| {
                let inner = |own: &mut ModelState| self.inner.depart(packet, own);
                states.with(packet.from, |state| self.part(state, 0, inner))
            }));
        }
        for (part, layer) in self.each() {
            for (packet, fate) in packets.iter().zip(&mut fates[from..]) {
                let change = |own: &mut ModelState| layer.depart(packet, *fate, own);
                *fate = match layer.is_stateless() {
                    true => change(&mut None),
                    false => states.with(packet.from, |state| self.part(state, part, change)),
                };
            }
        }
    }

    fn arrive(&self, packet: &Packet, state: &mut ModelState) -> Arrival {
        let fate = self.part(state, 0, |own| self.inner.arrive(packet, own));
        self.each().filter(|(_, layer)| layer.has_arrival()).fold(fate, |fate, (part, layer)| {
            self.part(state, part, |own| layer.arrive(packet, fate, own))
        })
    }

    fn has_local_networks(&self) -> bool {
        self.inner.has_local_networks()
    }

    fn local_network(&self, seat: Seat) -> std::ops::Range<u32> {
        self.inner.local_network(seat)
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        self.inner.round_trip(from, to)
    }

    fn is_cut(&self, from: Seat, to: Seat, at: Time) -> bool {
        let by_layer = self.layers.iter().any(|layer| layer.is_cut(from, to, at));
        by_layer || self.inner.is_cut(from, to, at)
    }

    fn open_parts(&mut self, show: &mut dyn FnMut(&mut dyn Any)) {
        self.layers.iter_mut().rev().for_each(|layer| layer.open_parts(show));
        self.inner.open_parts(show);
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Seed, Time};

    use super::*;
    use crate::delay::Constant;
    use peerlet_core::runtime::PacketDrop;

    /// Counts what passes and adds this many milliseconds for each that passed before.
    #[derive(Debug)]
    struct Counting {
        /// Whether its state is there from the beginning.
        starts: bool,
        arrives: bool,
    }

    impl Counting {
        fn count(state: &mut ModelState) -> u64 {
            let count: &mut u64 =
                state.get_or_insert_with(|| Box::new(0u64)).downcast_mut().expect("its own");
            *count += 1;
            *count - 1
        }
    }

    impl Layer for Counting {
        fn outbound(&self, _: Seat) -> ModelState {
            self.starts.then(|| Box::new(0u64) as _)
        }
        fn has_arrival(&self) -> bool {
            self.arrives
        }
        fn depart(&self, _: &Packet, fate: Departure, state: &mut ModelState) -> Departure {
            fate.later(MILLISECOND * Counting::count(state))
        }
        fn arrive(&self, _: &Packet, _: Arrival, state: &mut ModelState) -> Arrival {
            match Counting::count(state) {
                0 => Arrival::Accept { after: MILLISECOND },
                _ => Arrival::Drop(PacketDrop::Nat),
            }
        }
    }

    fn packet(from: u32, to: u32) -> Packet {
        let random = Seed::new(11).at(u64::from(from)).at(u64::from(to));
        Packet { from: Seat(from), to: Seat(to), at: Time::ZERO, size: 0, random }
    }

    fn counting(starts: bool, arrives: bool) -> Box<dyn Layer> {
        Box::new(Counting { starts, arrives })
    }

    fn network(layers: Vec<Box<dyn Layer>>) -> Layers {
        Layers::around(Box::new(Constant { delay: MILLISECOND }), layers)
    }

    #[test]
    fn each_layer_has_a_state_of_its_own() {
        for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
            let network = network(vec![counting(first, false), counting(second, false)]);
            let mut state = network.outbound(Seat(0));
            assert_eq!(state.is_some(), first || second);
            let delays: Vec<_> = (0..3)
                .map(|_| network.depart(&packet(0, 1), &mut state))
                .map(|fate| fate == Departure::Arrive { after: MILLISECOND })
                .collect();
            assert_eq!(delays, [true, false, false]);
            let after = MILLISECOND * (1 + 2 * 3);
            assert_eq!(network.depart(&packet(0, 1), &mut state), Departure::Arrive { after });
        }
    }

    #[test]
    fn many_depart_as_each_does() {
        let packets: Vec<Packet> = (0..60).map(|i| packet(i % 3, i)).collect();
        for inner_counts in [false, true] {
            let layers = || vec![counting(true, false), counting(false, false)];
            let network = match inner_counts {
                false => network(layers()),
                true => Layers::around(Box::new(network(layers())), layers()),
            };
            let mut states = SeatStates::new(0..3, |seat| network.outbound(seat));
            let each = |p: &Packet| states.with(p.from, |state| network.depart(p, state));
            let expected: Vec<_> = packets.iter().map(each).collect();
            let mut states = SeatStates::new(0..3, |seat| network.outbound(seat));
            let mut fates = vec![Departure::Drop(PacketDrop::Nat)];
            network.depart_all(&packets, &mut states, &mut fates);
            assert_eq!(fates[0], Departure::Drop(PacketDrop::Nat), "what was there is left alone");
            assert_eq!(fates[1..], expected);
        }
    }

    #[test]
    fn arrivals_pass_the_layers_that_have_any() {
        let network = network(vec![counting(true, false), counting(false, true)]);
        assert!(network.has_arrival() && !network.is_stateless());
        let mut state = network.inbound(Seat(1));
        let mut arrive = || network.arrive(&packet(0, 1), &mut state);
        assert_eq!(arrive(), Arrival::Accept { after: MILLISECOND });
        assert_eq!(arrive(), Arrival::Drop(PacketDrop::Nat));
    }

    #[test]
    fn without_layers_nothing_changes() {
        let network = network(Vec::new());
        assert!(network.is_stateless() && !network.has_arrival() && !network.needs_size());
        assert!(network.outbound(Seat(0)).is_none() && network.inbound(Seat(0)).is_none());
        assert_eq!(network.round_trip(Seat(0), Seat(1)), MILLISECOND * 2);
        let fate = network.depart(&packet(0, 1), &mut None);
        assert_eq!(fate, Departure::Arrive { after: MILLISECOND });
    }
}
