//! Networks as large as wanted whose latencies are distributed like measured ones.
//!
//! A peer is a point in a plane of four clusters, with a height for its last mile. A pair's round
//! trip is their distance plus both heights, times a factor of its own; a few pairs take a detour,
//! which is what makes triangles that violate the triangle inequality. All of it follows from the
//! seed, in integers, at 12 bytes a peer and nothing a pair.

use std::fmt;

use peerlet_core::{Duration, Seat, Seed};
use peerlet_memory::prefetch;

use crate::model::{Departure, Model, ModelState, Packet};
use crate::seat_states::SeatStates;
use crate::tables::{king, normal::NORMAL, planetlab, world};

/// So many packets ahead, the receiver's position is asked for.
const AHEAD: usize = 8;

/// The parameters of one kind of generated network. Lengths are microseconds of round trip.
pub struct Preset {
    name: &'static str,
    clusters: [Cluster; 4],
    /// How much a peer's last mile adds to each of its round trips.
    heights: &'static [u32; 1024],
    /// How a pair's round trip differs from its distance, times 2^16.
    factors: &'static [u32; 1024],
    /// How many of 10,000 pairs take a detour.
    detoured: u32,
    /// How many times longer a detour is, times 2^16; never less than once.
    detours: &'static [u32; 1024],
}

/// Peers around a center, normally distributed on both axes.
struct Cluster {
    /// The share of peers, of the sum of weights.
    weight: u32,
    center: (i32, i32),
    /// The standard deviation.
    spread: i32,
}

const fn cluster(weight: u32, center: (i32, i32), spread: i32) -> Cluster {
    Cluster { weight, center, spread }
}

/// 242 cities of the world in 2018, stretched to the median of the King data set (159 ms among
/// 1,740 DNS servers); only that median is King's.
pub static KING_LIKE: Preset = Preset {
    name: "king-like",
    clusters: [
        cluster(986, (0, 0), 7_010),
        cluster(4_936, (13_350, 0), 73_300),
        cluster(1_175, (21_310, 300_850), 23_820),
        cluster(2_903, (152_540, 61_310), 18_180),
    ],
    heights: &king::HEIGHT,
    factors: &world::FACTOR,
    detoured: 461,
    detours: &world::DETOUR,
};

/// 490 PlanetLab hosts, the median of 18 snapshots (NetLatency-Data; Zhu et al., ToN 2017).
pub static PLANETLAB_LIKE: Preset = Preset {
    name: "planetlab-like",
    clusters: [
        cluster(1_304, (0, 0), 2_640),
        cluster(4_489, (12_500, 0), 40_170),
        cluster(1_302, (52_710, 287_710), 22_320),
        cluster(2_904, (128_830, 94_850), 21_540),
    ],
    heights: &planetlab::HEIGHT,
    factors: &planetlab::FACTOR,
    detoured: 546,
    detours: &planetlab::DETOUR,
};

/// Pings between 242 cities of the world in 2018.
pub static WORLD_LIKE: Preset = Preset {
    name: "world-like",
    clusters: [
        cluster(986, (0, 0), 6_430),
        cluster(4_936, (12_250, 0), 67_270),
        cluster(1_175, (19_560, 276_100), 21_860),
        cluster(2_903, (139_990, 56_270), 16_680),
    ],
    heights: &world::HEIGHT,
    factors: &world::FACTOR,
    detoured: 461,
    detours: &world::DETOUR,
};

impl Preset {
    /// The model's name in a scenario.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Where the peer with these random bits is.
    fn position(&self, bits: u64) -> Position {
        let cluster = self.cluster((bits >> 48) as u32);
        let offset = |shift| {
            let normal = i64::from(NORMAL[entry(bits, shift)]);
            ((i64::from(cluster.spread) * normal) >> 16) as i32
        };
        let (x, y) = cluster.center;
        Position { x: x + offset(0), y: y + offset(10), height: self.heights[entry(bits, 20)] }
    }

    /// The cluster at this point of the weights, which are spread over 2^16.
    fn cluster(&self, point: u32) -> &Cluster {
        let total: u32 = self.clusters.iter().map(|c| c.weight).sum();
        let mut weight = 0;
        let ends_after_point = |cluster: &&Cluster| {
            weight += cluster.weight;
            point < ((weight << 16) + total / 2) / total
        };
        self.clusters.iter().find(ends_after_point).expect("the last cluster ends at 2^16")
    }

    /// The round trip in microseconds over this distance, for a pair with these random bits.
    #[inline]
    fn stretch(&self, distance: u64, bits: u64) -> u64 {
        let mut factor = u64::from(self.factors[entry(bits, 0)]);
        let threshold = ((self.detoured << 16) + 5_000) / 10_000;
        if (bits >> 10) as u32 & 0xffff < threshold {
            factor = (factor * u64::from(self.detours[entry(bits, 26)])) >> 16;
        }
        (distance * factor) >> 16
    }

    /// No round trip is shorter: two smallest heights at one point, and the smallest factor.
    fn smallest(&self) -> u64 {
        let (height, factor) = (u64::from(self.heights[0]), u64::from(self.factors[0]));
        (2 * height * factor) >> 16
    }
}

impl fmt::Debug for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preset").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The table entry that ten of these bits choose.
#[inline]
fn entry(bits: u64, shift: u32) -> usize {
    (bits >> shift) as usize & 1023
}

/// Where a peer is, in microseconds of round trip.
#[derive(Clone, Copy, Debug)]
struct Position {
    x: i32,
    y: i32,
    height: u32,
}

/// A generated network: seat i is the generator's peer i, wherever it is put by the seed.
///
/// A delay belongs to a pair: it is the same both ways and for every message. It takes 12 bytes a
/// peer (12 MB for a million).
///
/// ```
/// use peerlet_core::{MILLISECOND, Seat};
/// use peerlet_network::{Generated, KING_LIKE, Model};
/// let model = Generated::new(&KING_LIKE, 1, 2_000, MILLISECOND);
/// assert_eq!(model.round_trip(Seat(0), Seat(1)).to_string(), "176.262ms");
/// ```
pub struct Generated {
    preset: &'static Preset,
    positions: Vec<Position>,
    pairs: Seed,
    floor: Duration,
}

impl Generated {
    /// Generates the network of this seed for this many peers. One-way delays shorter than `floor`
    /// are raised to it, which gives an engine a lookahead worth having.
    pub fn new(preset: &'static Preset, seed: u64, peers: u32, floor: Duration) -> Generated {
        let root = Seed::new(seed);
        let positions = (0..peers).map(|i| preset.position(root.at(u64::from(i)).bits())).collect();
        // Any constant keeps the random streams of pairs apart from those of peers.
        let pairs = Seed::new(seed ^ 0x5bd1_e995);
        Generated { preset, positions, pairs, floor }
    }

    /// The generator's round trip in microseconds, before halving and floor.
    #[inline]
    fn rtt_us(&self, a: Seat, b: Seat) -> u64 {
        let (p, q) = (self.positions[a.index()], self.positions[b.index()]);
        let (dx, dy) = (i64::from(p.x) - i64::from(q.x), i64::from(p.y) - i64::from(q.y));
        let line = root((dx * dx + dy * dy).unsigned_abs());
        let distance = line + u64::from(p.height) + u64::from(q.height);
        let (low, high) = (a.min(b), a.max(b));
        let bits = self.pairs.at(u64::from(low.0)).at(u64::from(high.0)).bits();
        self.preset.stretch(distance, bits)
    }

    #[inline]
    fn one_way(&self, a: Seat, b: Seat) -> Duration {
        half(self.rtt_us(a, b)).max(self.floor)
    }
}

/// The square root, rounded down, of what is less than 2^52.
///
/// The float only guesses: whatever it says, the result is the integers' own.
#[inline]
fn root(square: u64) -> u64 {
    let mut root = (square as f64).sqrt() as u64;
    while root * root > square {
        root -= 1;
    }
    while (root + 1) * (root + 1) <= square {
        root += 1;
    }
    root
}

/// Half a round trip of this many microseconds, exactly.
fn half(rtt_us: u64) -> Duration {
    Duration::from_nanos(rtt_us * 500)
}

impl Model for Generated {
    fn lookahead(&self) -> Duration {
        half(self.preset.smallest()).max(self.floor)
    }

    fn is_stateless(&self) -> bool {
        true
    }

    fn depart(&self, packet: &Packet, _state: &mut ModelState) -> Departure {
        Departure::Arrive { after: self.one_way(packet.from, packet.to) }
    }

    fn depart_all(&self, packets: &[Packet], _states: &mut SeatStates, fates: &mut Vec<Departure>) {
        fates.extend(packets.iter().enumerate().map(|(i, packet)| {
            if let Some(later) = packets.get(i + AHEAD) {
                prefetch(&self.positions, later.to.index());
            }
            Departure::Arrive { after: self.one_way(packet.from, packet.to) }
        }));
    }

    fn round_trip(&self, from: Seat, to: Seat) -> Duration {
        self.one_way(from, to) * 2
    }
}

impl fmt::Debug for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generated")
            .field("preset", &self.preset.name)
            .field("peers", &self.positions.len())
            .field("floor", &self.floor)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, Time};

    use super::*;

    const PRESETS: [&Preset; 3] = [&KING_LIKE, &PLANETLAB_LIKE, &WORLD_LIKE];
    const PAIRS: [(u32, u32); 8] =
        [(0, 1), (0, 2), (1, 0), (17, 1739), (1739, 18), (1234, 321), (3, 1999), (5, 6)];

    /// Round trips of [`PAIRS`], then the sum, least and greatest of all pairs of 2,000 peers, in
    /// microseconds: printed by an independent reference program (Python, numpy, scipy).
    type Golden = (&'static Preset, u64, [u64; 8], [u64; 3]);
    #[rustfmt::skip]
    const GOLDEN: [Golden; 6] = [
        (&PLANETLAB_LIKE, 1,
         [162_366, 161_096, 162_366, 208_471, 47_856, 36_104, 59_633, 293_969],
         [288_386_926_623, 266, 2_536_761]),
        (&PLANETLAB_LIKE, 20_240_607,
         [73_499, 16_978, 73_499, 316_842, 189_415, 281_799, 114_792, 302_450],
         [283_309_699_153, 348, 2_444_064]),
        (&WORLD_LIKE, 1,
         [161_761, 173_167, 161_761, 241_009, 36_869, 28_325, 97_228, 314_986],
         [316_776_167_964, 823, 4_557_254]),
        (&WORLD_LIKE, 20_240_607,
         [57_619, 13_360, 57_619, 335_086, 222_799, 264_516, 187_533, 280_941],
         [314_148_461_501, 585, 4_673_090]),
        (&KING_LIKE, 1,
         [176_262, 188_689, 176_262, 262_608, 40_185, 30_874, 105_941, 343_224],
         [345_174_250_396, 897, 4_965_761]),
        (&KING_LIKE, 20_240_607,
         [62_799, 14_562, 62_799, 365_121, 242_781, 288_228, 204_343, 306_126],
         [342_311_192_802, 637, 5_092_010]),
    ];

    #[test]
    fn agrees_with_the_reference_program() {
        for (preset, seed, pairs, [sum, least, greatest]) in GOLDEN {
            let network = Generated::new(preset, seed, 2_000, Duration::ZERO);
            let rtt = |(a, b)| network.rtt_us(Seat(a), Seat(b));
            assert_eq!(PAIRS.map(rtt), pairs, "{} {seed}", preset.name);
            let (mut seen_sum, mut seen_least, mut seen_greatest) = (0, u64::MAX, 0);
            for a in 0..2_000 {
                for b in 0..a {
                    let rtt = rtt((b, a));
                    seen_sum += rtt;
                    seen_least = seen_least.min(rtt);
                    seen_greatest = seen_greatest.max(rtt);
                }
            }
            assert_eq!([seen_sum, seen_least, seen_greatest], [sum, least, greatest]);
        }
    }

    #[test]
    fn smallest_delays_are_provable() {
        let smallest = PRESETS.map(Preset::smallest);
        assert_eq!(smallest, [143, 48, 130]);
        for preset in PRESETS {
            let heights = preset.heights.iter().min();
            assert_eq!(heights, Some(&preset.heights[0]), "the smallest height comes first");
            assert_eq!(preset.factors.iter().min(), Some(&preset.factors[0]));
            assert!(preset.detours.iter().all(|&d| d >= 1 << 16), "no detour is a shortcut");
        }
    }

    #[test]
    fn the_floor_is_the_lookahead() {
        let floored = Generated::new(&KING_LIKE, 3, 50, MILLISECOND * 40);
        assert_eq!(floored.lookahead(), MILLISECOND * 40);
        let free = Generated::new(&KING_LIKE, 3, 50, Duration::ZERO);
        assert_eq!(free.lookahead(), Duration::from_nanos(71_500));
        let mut raised = 0;
        for to in (1..50).map(Seat) {
            let delay = free.one_way(Seat(0), to);
            raised += u32::from(delay < MILLISECOND * 40);
            assert_eq!(floored.one_way(Seat(0), to), delay.max(MILLISECOND * 40));
            assert_eq!(floored.round_trip(Seat(0), to), floored.one_way(to, Seat(0)) * 2);
        }
        assert!((1..49).contains(&raised), "{raised} of 49 delays were raised");
    }

    #[test]
    fn roots_are_the_integers_own() {
        let mut rng = Seed::new(6).rng();
        for _ in 0..100_000 {
            let near = rng.below(1 << 26);
            for square in [near * near, near * near + 1, (near * near).max(1) - 1, rng.bits() >> 12]
            {
                assert_eq!(root(square), square.isqrt(), "{square}");
            }
        }
    }

    #[test]
    fn many_fates_are_those_of_each() {
        let network = Generated::new(&KING_LIKE, 3, 50, MILLISECOND);
        let packet = |to| {
            let (from, to, random) = (Seat(to / 2), Seat(to), Seed::new(0));
            Packet { from, to, at: Time::ZERO, size: 0, random }
        };
        let packets: Vec<Packet> = (1..50).map(packet).collect();
        let mut fates = Vec::new();
        network.depart_all(&packets, &mut SeatStates::default(), &mut fates);
        let each: Vec<_> = packets.iter().map(|p| network.depart(p, &mut None)).collect();
        assert_eq!(fates, each);
    }

    #[test]
    fn a_peer_takes_twelve_bytes() {
        assert_eq!(size_of::<Position>(), 12);
    }
}
