//! Merging: the same to the bit for any spread of the peers over owners and any order.

use std::sync::Arc;

use peerlet_core::{Duration, Metric, Rng, SECOND, Seat, Time};
use peerlet_measure::{Epochs, Measurements, MetricEntry, Recorder, Summary, write_csv};

use crate::{DISTRIBUTIONS, draw, rng};

const SEATS: u32 = 300;
const SENT: usize = 0;
const LOAD: usize = 1;
const TIME: usize = 2;

/// An event at one seat.
#[derive(Clone, Copy)]
enum Event {
    Sent(i64),
    Load(i64),
    Time(i64),
    Stop,
}

pub(crate) struct World {
    pub(crate) table: Arc<[MetricEntry]>,
    pub(crate) epochs: Epochs,
    events: Vec<(Time, Seat, Event)>,
}

impl World {
    pub(crate) fn new(rng: &mut Rng) -> World {
        let metrics = [
            Metric::counter("sent"),
            Metric::gauge("load").unit("1/s"),
            Metric::histogram("time").unit("s").quantum(1e-9),
        ];
        let table = metrics.iter().map(|metric| MetricEntry::new("test", *metric)).collect();
        let end = Time::ZERO + Duration::from_nanos(1 + rng.below(100 * SECOND.as_nanos()));
        let from = Time::from_nanos(rng.below(end.as_nanos()));
        let length = Duration::from_nanos(SECOND.as_nanos() + rng.below(10 * SECOND.as_nanos()));
        let epochs = Epochs::new(length, from..end).expect("a run of some length");
        let mut events: Vec<_> = (0..1_000)
            .map(|_| {
                let time = Time::from_nanos(rng.below(end.as_nanos()));
                (time, Seat(rng.below(u64::from(SEATS)) as u32), event(rng))
            })
            .collect();
        events.sort_by_key(|(time, seat, _)| (*time, *seat));
        World { table, epochs, events }
    }

    /// The measurements of an owner of the seats that `owns` names. It closes epochs at each edge
    /// that it passes.
    pub(crate) fn run(&self, owns: impl Fn(Seat) -> bool) -> Measurements {
        let mut recorder = Recorder::new(self.table.clone(), self.epochs);
        for (time, seat, event) in self.events.iter().filter(|(_, seat, _)| owns(*seat)) {
            recorder.close_epoch(*time);
            match event {
                Event::Sent(quanta) => recorder.measure(SENT, *seat, *quanta, Time::ZERO),
                Event::Time(quanta) => recorder.measure(TIME, *seat, *quanta, Time::ZERO),
                Event::Load(quanta) => recorder.measure(LOAD, *seat, *quanta, Time::ZERO),
                Event::Stop => recorder.forget(*seat),
            }
        }
        recorder.finish(self.epochs.end())
    }
}

fn event(rng: &mut Rng) -> Event {
    let distribution = rng.index(DISTRIBUTIONS);
    match rng.below(8) {
        0 => Event::Stop,
        1..3 => Event::Load(draw(rng, distribution)),
        3..5 => Event::Sent(1),
        _ => Event::Time(draw(rng, distribution)),
    }
}

fn words(measurements: &Measurements) -> Vec<u64> {
    let mut words = Vec::new();
    measurements.words(&mut |word| words.push(word));
    words
}

/// Merges parts in random order and random pairs, so that every bracketing comes up.
fn merge_all(rng: &mut Rng, mut parts: Vec<Measurements>) -> Measurements {
    while parts.len() > 1 {
        let part = parts.swap_remove(rng.index(parts.len()));
        let into = rng.index(parts.len());
        parts[into].merge(&part);
    }
    parts.pop().expect("merging leaves one")
}

#[test]
fn any_partition_merged_in_any_order_is_the_same_to_the_bit() {
    let mut rng = rng("partitions");
    for _ in 0..8 {
        let world = World::new(&mut rng);
        let alone = world.run(|_| true);
        let mut csv = Vec::new();
        write_csv(&alone, &mut csv).unwrap();
        for owners in [1, 2, 3, 16] {
            let owner: Vec<u64> = (0..SEATS).map(|_| rng.below(owners)).collect();
            let parts = (0..owners).map(|o| world.run(|seat| owner[seat.index()] == o)).collect();
            let merged = merge_all(&mut rng, parts);
            assert_eq!(merged, alone);
            assert_eq!(words(&merged), words(&alone));
            assert_eq!(Summary::of(&merged), Summary::of(&alone));
            let mut merged_csv = Vec::new();
            write_csv(&merged, &mut merged_csv).unwrap();
            assert_eq!(merged_csv, csv);
        }
    }
}

#[test]
fn nothing_recorded_is_lost_and_levels_are_those_of_running_peers() {
    let mut rng = rng("nothing lost");
    for _ in 0..20 {
        let world = World::new(&mut rng);
        let measurements = world.run(|_| true);
        assert_eq!(measurements.epochs().count(), world.epochs.len());
        for (epoch, span) in
            measurements.epochs().zip(0..).map(|(epoch, i)| (epoch, world.epochs.span(i).unwrap()))
        {
            assert_eq!((epoch.from, epoch.to), (span.start, span.end));
            let inside = world.events.iter().filter(|(time, ..)| span.contains(time));
            let sent = inside.filter(|(.., event)| matches!(event, Event::Sent(_))).count();
            assert_eq!(epoch.accumulators[SENT].sum(), sent as i128);
            let levels: Vec<i64> =
                (0..SEATS).filter_map(|seat| level(&world, seat, span.end)).collect();
            assert_eq!(epoch.accumulators[LOAD].count(), levels.len() as u64);
            let sum: i128 = levels.iter().map(|level| i128::from(*level)).sum();
            assert_eq!(epoch.accumulators[LOAD].sum(), sum);
        }
        let times = |from: Time| {
            let after = world.events.iter().filter(move |(time, ..)| *time >= from);
            after.filter(|(.., event)| matches!(event, Event::Time(_))).count()
        };
        assert_eq!(measurements.total()[TIME].count(), times(world.epochs.from()) as u64);
    }
}

/// The level that a seat has just before an instant, looked up in the events alone.
fn level(world: &World, seat: u32, before: Time) -> Option<i64> {
    let mut mine = world.events.iter().filter(|(time, s, _)| *time < before && *s == Seat(seat));
    let last = mine.rfind(|(.., event)| matches!(event, Event::Load(_) | Event::Stop))?;
    match last.2 {
        Event::Load(quanta) => Some(quanta),
        _ => None,
    }
}

#[test]
fn one_quantum_changes_the_words() {
    let mut rng = rng("one quantum");
    let mut world = World::new(&mut rng);
    let before = words(&world.run(|_| true));
    let time = world.events.iter_mut().find_map(|(.., event)| match event {
        Event::Time(quanta) => Some(quanta),
        _ => None,
    });
    let quanta = time.expect("there are values");
    // Towards zero, so that the clamp does not undo it.
    *quanta += if *quanta > 0 { -1 } else { 1 };
    assert_ne!(words(&world.run(|_| true)), before);
}
