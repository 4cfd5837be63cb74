//! Access links: the last mile of each peer, with a rate and a queue each way.

use peerlet_core::runtime::PacketDrop;
use peerlet_core::{Duration, Seat, Seed};

use crate::bottleneck::{Bottleneck, Pace};
use crate::layer::Layer;
use crate::model::{Arrival, Departure, ModelState, Packet};
use crate::shares;
use crate::units::{Rate, Size};

/// How many bytes wait before a link where nobody says otherwise: our choice, 26 ms at 20 Mbit/s.
pub const ACCESS_QUEUE: Size = Size::bytes(64 << 10);

/// How many bytes a message is charged besides its own where nobody says otherwise: our choice,
/// about what IP, UDP, QUIC and a frame put before it.
pub const ACCESS_OVERHEAD: u32 = 64;

/// Peers with the same access links.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AccessClass {
    /// How many peers are of this class, in relation to the others'.
    pub share: u32,
    /// How fast a peer's packets leave; `None` for at once.
    pub up: Option<Rate>,
    /// How fast they come in; `None` for at once.
    pub down: Option<Rate>,
}

const fn class(share: u32, up_kbit: u64, down_kbit: u64) -> AccessClass {
    let (up, down) = (Some(Rate::bits(up_kbit * 1_000)), Some(Rate::bits(down_kbit * 1_000)));
    AccessClass { share, up, down }
}

/// Fixed lines of 176 countries in April 2020, each as heavy as any other: the quantiles at 10, 25,
/// 50, 75 and 90 %, each for the peers around it.
pub const WORLD_2020: [AccessClass; 5] = [
    class(175, 10_000, 15_000),
    class(200, 13_000, 23_000),
    class(250, 20_000, 36_000),
    class(200, 37_000, 69_000),
    class(175, 81_000, 123_000),
];

/// Access of file-sharing peers in 2006 (after Bharambe, Herley, Padmanabhan: INFOCOM 2006).
pub const P2P_2006: [AccessClass; 4] =
    [class(20, 128, 784), class(40, 384, 1_500), class(25, 1_000, 3_000), class(15, 5_000, 10_000)];

/// The links that connect each peer with the network.
///
/// A packet leaves when those before it have left, byte by byte at the link's rate, and then goes
/// its way; when it arrives, it comes in behind those that arrived before. One that finds the link
/// busy, with more bytes still to be sent than the queue holds together with its own, is dropped
/// (tail drop). A reliable message of more than 1,500 bytes stands for a train of packets under
/// congestion control: it fills three quarters of the queue at most, and packets that come
/// meanwhile go before the rest of it. A peer's class is sampled from the seed.
///
/// It takes 32 bytes for each side of a peer that has a rate.
#[derive(Clone, Debug)]
pub struct Access {
    classes: Vec<AccessClass>,
    queue: Size,
    overhead: u32,
    seed: Seed,
}

/// One side of a peer's access.
struct AccessSide {
    pace: Pace,
    bottleneck: Bottleneck,
}

impl Access {
    /// Access of these classes. Each message is charged its encoded size and `overhead` bytes.
    ///
    /// # Panics
    /// Panics when there is no class, or none with a share.
    #[track_caller]
    pub fn new(classes: Vec<AccessClass>, queue: Size, overhead: u32, seed: Seed) -> Access {
        assert!(
            classes.iter().any(|class| class.share > 0),
            "no class of access has a share; give each one"
        );
        Access { classes, queue, overhead, seed }
    }

    /// The class of a seat.
    pub fn class_of(&self, seat: Seat) -> &AccessClass {
        let mut rng = self.seed.at(u64::from(seat.0)).rng();
        let index = shares::sample(self.classes.iter().map(|class| class.share), &mut rng);
        &self.classes[index.expect("a class has a share")]
    }

    fn state(&self, rate: Option<Rate>) -> ModelState {
        let side = |rate| AccessSide {
            pace: Pace::new(rate, self.queue),
            bottleneck: Bottleneck::default(),
        };
        rate.map(|rate| Box::new(side(rate)) as _)
    }

    #[inline]
    fn pass(&self, packet: &Packet, state: &mut ModelState) -> Option<Duration> {
        let Some(side) = state.as_mut().and_then(|state| state.downcast_mut::<AccessSide>()) else {
            return Some(Duration::ZERO);
        };
        let bytes = u64::from(packet.size) + u64::from(self.overhead);
        side.bottleneck.pass(bytes, side.pace, packet.at)
    }
}

impl Layer for Access {
    fn needs_size(&self) -> bool {
        true
    }

    fn is_stateless(&self) -> bool {
        self.classes.iter().all(|class| class.up.is_none() && class.down.is_none())
    }

    fn outbound(&self, seat: Seat) -> ModelState {
        self.state(self.class_of(seat).up)
    }

    fn inbound(&self, seat: Seat) -> ModelState {
        self.state(self.class_of(seat).down)
    }

    fn has_arrival(&self) -> bool {
        self.classes.iter().any(|class| class.down.is_some())
    }

    fn depart(&self, packet: &Packet, fate: Departure, state: &mut ModelState) -> Departure {
        match self.pass(packet, state) {
            Some(wait) => fate.later(wait),
            None => Departure::Drop(PacketDrop::Queue),
        }
    }

    fn arrive(&self, packet: &Packet, fate: Arrival, state: &mut ModelState) -> Arrival {
        if matches!(fate, Arrival::Drop(_)) {
            return fate;
        }
        match self.pass(packet, state) {
            Some(wait) => fate.later(wait),
            None => Arrival::Drop(PacketDrop::Queue),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use peerlet_core::{MICROSECOND, MILLISECOND, SECOND, Time};

    use super::*;

    fn packet(at: Time, size: u32) -> Packet {
        Packet { from: Seat(0), to: Seat(1), at, size, random: Seed::new(1) }
    }

    /// A queue of bytes before a line, moved on byte by byte: nothing of it is shared with the
    /// layer.
    struct ByteQueue {
        nanos_a_byte: u64,
        room: u64,
        /// The bytes of each packet that is not through, with the instant when it is.
        waiting: VecDeque<(u64, u64)>,
    }

    impl ByteQueue {
        /// When a packet is through, or `None` when it is dropped.
        fn pass(&mut self, now: u64, bytes: u64) -> Option<u64> {
            while self.waiting.front().is_some_and(|(_, end)| *end <= now) {
                self.waiting.pop_front();
            }
            let mut left = 0;
            for (index, (bytes, end)) in self.waiting.iter().enumerate() {
                // Of the one that is on the line, part is through.
                let unsent = (end - now).div_ceil(self.nanos_a_byte);
                left += if index == 0 { unsent.min(*bytes) } else { *bytes };
            }
            if left > 0 && left + bytes > self.room {
                return None;
            }
            let begin = self.waiting.back().map_or(now, |(_, end)| *end);
            self.waiting.push_back((bytes, begin + bytes * self.nanos_a_byte));
            Some(begin + bytes * self.nanos_a_byte)
        }
    }

    #[test]
    fn links_agree_with_a_queue_of_bytes() {
        // 8 Mbit/s: a microsecond a byte, exactly.
        let (rate, queue) = (Some("8 Mbit/s".parse().unwrap()), Size::bytes(10_000));
        let class = AccessClass { share: 1, up: rate, down: rate };
        let access = Access::new(vec![class], queue, 40, Seed::new(2));
        let (mut up, mut down) = (access.outbound(Seat(0)), access.inbound(Seat(1)));
        let line = || ByteQueue { nanos_a_byte: 1_000, room: 10_000, waiting: VecDeque::new() };
        let (mut up_line, mut down_line, mut rng) = (line(), line(), Seed::new(5).rng());
        let (mut now, mut dropped, mut waited) = (0, 0, 0);
        for _ in 0..100_000 {
            // A little more than the line takes, so that the queue fills; now and then a pause.
            let pause = if rng.below(100) == 0 { 20_000_000 } else { rng.below(1_200) * 1_000 };
            now += pause;
            let (size, time) = (rng.below(1_200) as u32, Time::from_nanos(now));
            let through = up_line.pass(now, u64::from(size) + 40);
            let inner = Departure::Arrive { after: MILLISECOND };
            match access.depart(&packet(time, size), inner, &mut up) {
                Departure::Arrive { after } => {
                    assert_eq!(Some(now + after.as_nanos() - 1_000_000), through);
                    waited += u64::from(after > MILLISECOND * 2);
                }
                fate => {
                    assert!(fate == Departure::Drop(PacketDrop::Queue) && through.is_none());
                    dropped += 1;
                }
            }
            let through = down_line.pass(now, u64::from(size) + 40);
            let inner = Arrival::Accept { after: Duration::ZERO };
            match access.arrive(&packet(time, size), inner, &mut down) {
                Arrival::Accept { after } => assert_eq!(Some(now + after.as_nanos()), through),
                Arrival::Drop(cause) => assert!(cause == PacketDrop::Queue && through.is_none()),
            }
        }
        assert!(dropped > 1_000 && waited > 10_000, "{dropped} {waited}");
    }

    #[test]
    fn a_link_carries_its_rate_and_no_more() {
        let rate = Some("1 Mbit/s".parse().unwrap());
        let class = AccessClass { share: 1, up: rate, down: None };
        let access = Access::new(vec![class], Size::bytes(65_536), 0, Seed::new(2));
        assert!(!access.has_arrival() && access.inbound(Seat(0)).is_none());
        let mut state = access.outbound(Seat(0));
        let mut carried = 0;
        // Ten seconds of 8 Mbit/s.
        for i in 0..10_000u64 {
            let now = Time::ZERO + MILLISECOND * i;
            let fate = access.depart(
                &packet(now, 1_000),
                Departure::Arrive { after: MICROSECOND },
                &mut state,
            );
            carried += if fate.arrives() { 8_000 } else { 0 };
        }
        // The contents of the queue at the end come on top.
        assert!((10_000_000..10_000_000 + 8 * 66_000).contains(&carried), "{carried}");
    }

    #[test]
    fn an_idle_link_takes_what_its_queue_does_not_hold() {
        let rate = Some(Rate::bits(8_000));
        let class = AccessClass { share: 1, up: rate, down: None };
        let access = Access::new(vec![class], Size::bytes(100), 0, Seed::new(2));
        let mut state = access.outbound(Seat(0));
        let mut fate = |now: Time, size| {
            access.depart(&packet(now, size), Departure::Arrive { after: MICROSECOND }, &mut state)
        };
        let after = SECOND + MICROSECOND;
        assert_eq!(fate(Time::ZERO, 1_000), Departure::Arrive { after });
        assert_eq!(fate(Time::ZERO, 1), Departure::Drop(PacketDrop::Queue));
        assert!(fate(Time::ZERO + MILLISECOND * 950, 50).arrives());
    }

    #[test]
    fn classes_have_their_shares() {
        for classes in [&WORLD_2020[..], &P2P_2006] {
            let access = Access::new(classes.to_vec(), Size::bytes(65_536), 0, Seed::new(3));
            let all: u32 = classes.iter().map(|class| class.share).sum();
            for class in classes {
                let is_of = |seat: &u32| access.class_of(Seat(*seat)) == class;
                let seen = (0..20_000).filter(is_of).count() as u32;
                let expected = 20_000 * class.share / all;
                // Five standard deviations of a binomial are less than 5 * sqrt(20,000) / 2.
                assert!(seen.abs_diff(expected) < 354, "{seen} of {class:?}");
            }
        }
    }
}
