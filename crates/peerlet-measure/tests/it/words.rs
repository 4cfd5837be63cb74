//! Measures that travel as words between processes: nothing is lost on the way, and words that
//! somebody made up do no harm.

use peerlet_core::Rng;
use peerlet_measure::{EpochMeasurements, Measurements, Summary, WordsError, ks, write_csv};

use crate::merging::World;
use crate::rng;

/// How many metrics a world has.
const METRICS: usize = 3;

fn words(epoch: &EpochMeasurements) -> Vec<u64> {
    let mut words = Vec::new();
    epoch.words(&mut |word| words.push(word));
    words
}

/// The epochs of several owners of a world's peers, in random order.
fn reports(rng: &mut Rng, world: &World, owners: u32) -> Vec<EpochMeasurements> {
    let measurements = (0..owners).map(|owner| world.run(|seat| seat.0 % owners == owner));
    let mut reports: Vec<_> =
        measurements.flat_map(|m| m.epochs().cloned().collect::<Vec<_>>()).collect();
    rng.shuffle(&mut reports);
    reports
}

#[test]
fn what_was_read_back_merges_the_same_to_the_bit() {
    let mut rng = rng("words");
    for _ in 0..8 {
        let world = World::new(&mut rng);
        let owners = 1 + rng.below(5) as u32;
        let mut collected = Measurements::new(world.table.clone(), world.epochs);
        for report in reports(&mut rng, &world, owners) {
            let read = EpochMeasurements::from_words(words(&report), METRICS).unwrap();
            assert_eq!(read, report);
            assert_eq!(words(&read), words(&report));
            collected.try_add(read).unwrap();
        }
        let alone = world.run(|_| true);
        assert_eq!(collected, alone);
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        collected.words(&mut |word| theirs.push(word));
        alone.words(&mut |word| ours.push(word));
        assert_eq!(theirs, ours);
    }
}

#[test]
fn every_cut_is_refused() {
    let mut rng = rng("cuts");
    let world = World::new(&mut rng);
    let words = words(&reports(&mut rng, &world, 1)[0]);
    for len in 0..words.len() {
        let read = EpochMeasurements::from_words(words[..len].iter().copied(), METRICS);
        assert_eq!(read, Err(WordsError::TooFew), "{len} of {} words", words.len());
    }
}

/// Words as somebody might send them who means harm or whose memory is bad.
fn mutate(rng: &mut Rng, words: &mut Vec<u64>) {
    let at = rng.index(words.len());
    match rng.below(8) {
        0 => words[at] ^= 1 << rng.below(64),
        1 => words[at] = words[at].wrapping_add(1),
        2 => words[at] = words[at].wrapping_sub(1),
        3 => words[at] = rng.bits() >> rng.below(64),
        4 => words[at] = [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 40][rng.index(6)],
        5 => drop(words.remove(at)),
        6 => words.insert(at, rng.bits() >> rng.below(64)),
        _ => {
            let other = rng.index(words.len());
            words.swap(at, other);
        }
    }
}

/// Every operation on measurements.
fn use_up(world: &World, epoch: &EpochMeasurements) {
    let mut measurements = Measurements::new(world.table.clone(), world.epochs);
    let added = [0; 3].map(|_| measurements.try_add(epoch.clone()).is_ok());
    assert_eq!(measurements.epochs().count(), usize::from(added[0]));
    let before = world.run(|_| true);
    measurements.merge(&before);
    write_csv(&measurements, &mut Vec::new()).expect("a vector takes all");
    assert!(!Summary::of(&measurements).to_string().is_empty());
    for (one, other) in measurements.total().iter().zip(&epoch.accumulators) {
        assert!((0.0..=1.0).contains(&ks(one.histogram(), other.histogram())));
        assert!(other.std().is_none_or(f64::is_finite));
        let [least, most] = [other.min(), other.max()]
            .map(|end| i128::from(end.unwrap_or(0)) * i128::from(other.count()));
        assert!((least..=most).contains(&other.sum()), "the mean lies between the extremes");
        assert_eq!(other.quantile(0.5).is_none(), other.is_empty());
    }
}

#[test]
fn words_that_were_tampered_with_are_refused_or_read_as_they_are() {
    let mut rng = rng("tampering");
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..4 {
        let world = World::new(&mut rng);
        let reports = reports(&mut rng, &world, 20);
        for _ in 0..2_000 {
            let report = &reports[rng.index(reports.len())];
            let mut sent = words(report);
            (0..=rng.below(3)).for_each(|_| mutate(&mut rng, &mut sent));
            match EpochMeasurements::from_words(sent.iter().copied(), METRICS) {
                Err(_) => refused += 1,
                Ok(epoch) => {
                    taken += 1;
                    assert_eq!(words(&epoch), sent, "read as they are");
                    use_up(&world, &epoch);
                }
            }
        }
    }
    println!("{refused} refused, {taken} taken");
    assert!(refused > 1_000 && taken > 100, "{refused} refused, {taken} taken: both are tried");
}
