//! The error rate of verdicts: many comparisons of sides whose true difference is known.

use std::collections::BTreeMap;

use peerlet_core::{MetricKind, Rng};
use peerlet_measure::{
    Comparison, Histogram, Limits, MessageStatistics, MetricStatistics, RunStatistics, Undecided,
    Verdict,
};

use crate::rng;

/// How often each difference is compared.
const COMPARISONS: u32 = 2_000;
/// The most wrong verdicts of tests at 5 %: 5 %, and five standard deviations of the binomial.
const WRONG_MAX: u32 = 100 + 49;

/// The limit of relative errors in these tests, and of distances.
const LIMITS: Limits = Limits { within: 0.02, ks: 0.05, counts: 0.02, samples: 1 };

/// A value of the normal distribution, by twelve uniform ones.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0
}

fn run(seed: u64, kind: MetricKind, sum: f64, histogram: Histogram) -> RunStatistics {
    let metric = MetricStatistics {
        kind,
        unit: "1".to_owned(),
        quantum: 1.0,
        count: 1_000,
        sum,
        mean: None,
        p5: None,
        p50: None,
        p95: None,
        p99: None,
        histogram,
    };
    let metrics = BTreeMap::from([("test/metric".to_owned(), metric)]);
    RunStatistics { seed, metrics, messages: MessageStatistics::default() }
}

/// Two sides of counters whose relative error is known.
#[derive(Clone, Copy)]
struct Counters {
    difference: f64,
    /// The standard deviation of a pair's error, or of each side's values.
    deviation: f64,
    paired: bool,
}

impl Counters {
    fn compare(self, rng: &mut Rng, runs: u64) -> Comparison {
        let Counters { difference, deviation, paired } = self;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for seed in 0..runs {
            // Pairs have much in common: what a seed makes of a run.
            let common = if paired { 1_000.0 + 100.0 * normal(rng) } else { 1_000.0 };
            let own = if paired { 0.0 } else { deviation * normal(rng) };
            let error = difference + deviation * normal(rng);
            let counter = |seed, sum| run(seed, MetricKind::Counter, sum, Histogram::default());
            left.push(counter(seed, common * (1.0 + own)));
            let other = if paired { seed } else { seed + runs };
            right.push(counter(other, common * (1.0 + error)));
        }
        Comparison::of(&left, &right, &LIMITS).expect("they are alike")
    }

    /// How many of all comparisons held and how many failed.
    fn count(self, rng: &mut Rng, runs: u64) -> [u32; 2] {
        let mut counts = [0; 2];
        for _ in 0..COMPARISONS {
            count(&mut counts, self.compare(rng, runs).verdict());
        }
        counts
    }
}

fn count(counts: &mut [u32; 2], verdict: Verdict) {
    counts[0] += u32::from(verdict == Verdict::Held);
    counts[1] += u32::from(verdict == Verdict::Failed);
}

#[test]
fn a_difference_at_the_limit_is_seldom_called_held_or_failed() {
    let mut rng = rng("at the limit");
    for paired in [true, false] {
        for (difference, deviation, runs) in [
            (0.02, 0.01, 3),
            (-0.02, 0.01, 5),
            (0.02, 0.04, 4),
            (-0.02, 0.002, 8),
            (0.02, 0.01, 40),
        ] {
            let counters = Counters { difference, deviation, paired };
            let [held, failed] = counters.count(&mut rng, runs);
            let context = format!("{difference} ± {deviation}, {runs} runs, paired {paired}");
            assert!(held <= WRONG_MAX, "{held} held: {context}");
            assert!(failed <= WRONG_MAX, "{failed} failed: {context}");
        }
    }
}

#[test]
fn clear_differences_are_decided() {
    let mut rng = rng("clear");
    for paired in [true, false] {
        let of = |difference| Counters { difference, deviation: 0.01, paired };
        let [held, failed] = of(0.0).count(&mut rng, 10);
        assert!(held > 1_800 && failed <= 5, "{held} held, {failed} failed of the same");
        let [held, failed] = of(0.04).count(&mut rng, 10);
        assert!(failed > 1_800 && held <= 5, "{held} held, {failed} failed of other ones");
        // Ten times the spread leaves it open, as it must.
        let wide = Counters { difference: 0.0, deviation: 0.1, paired };
        let [held, failed] = wide.count(&mut rng, 4);
        assert!(held <= WRONG_MAX && failed <= WRONG_MAX, "{held} held, {failed} failed");
    }
}

/// Two sides of values spread evenly over 1,000, of which one is moved by `distance` thousandths on
/// average, and each run by up to `apart` more or less: the distance is what it is moved by.
fn moved(rng: &mut Rng, [distance, apart]: [i64; 2], runs: u64, paired: bool) -> Verdict {
    let mut side = |offset: i64, first: u64| -> Vec<RunStatistics> {
        let mut one = |seed| {
            let mut histogram = Histogram::default();
            let own = rng.below(2 * apart as u64 + 1) as i64 - apart;
            for _ in 0..150 {
                histogram.record(2_000 + rng.below(1_000) as i64 + offset + own);
            }
            run(seed, MetricKind::Histogram, 0.0, histogram)
        };
        (first..first + runs).map(&mut one).collect()
    };
    let (left, right) = (side(0, 0), side(distance, if paired { 0 } else { runs }));
    let comparison = Comparison::of(&left, &right, &LIMITS).expect("they are alike");
    let distance = comparison.rows[0].ks.expect("there are values");
    let [low, high] = distance.interval.expect("there are several runs");
    assert!(low <= distance.distance && distance.distance <= high, "{distance:?}");
    distance.verdict.expect("it is judged")
}

#[test]
fn a_distance_at_the_limit_is_seldom_called_held_or_failed() {
    let mut rng = rng("distances");
    // A difference that is the same at nearly every bound is the hardest: the largest of many.
    for (apart, runs, paired) in [(0, 5, true), (40, 8, true), (20, 5, false)] {
        let mut counts = [0; 2];
        for _ in 0..COMPARISONS {
            count(&mut counts, moved(&mut rng, [50, apart], runs, paired));
        }
        let context = format!("{counts:?} held and failed: {apart} apart, {runs} runs, {paired}");
        assert!(counts.iter().all(|wrong| *wrong <= WRONG_MAX), "{context}");
    }
    let mut decided = |distance| {
        let mut counts = [0; 2];
        (0..200).for_each(|_| count(&mut counts, moved(&mut rng, [distance, 5], 40, true)));
        counts
    };
    let ([held, _], [_, failed]) = (decided(0), decided(150));
    assert!(held > 150 && failed > 150, "{held} held and {failed} failed of 200");
}

#[test]
fn the_seeds_that_are_named_decide_most_comparisons() {
    let mut rng = rng("seeds");
    let (mut all_named, mut all_decided) = (0, 0);
    for difference in [0.0, 0.005, -0.012, 0.03, 0.04, -0.06] {
        for paired in [true, false] {
            let counters = Counters { difference, deviation: 0.04, paired };
            let (mut named, mut decided, mut wrong) = (0, 0, 0);
            for _ in 0..400 {
                let comparison = counters.compare(&mut rng, 4);
                let Some(seeds) = comparison.seeds_to_decide() else { continue };
                assert!((5..=1_000).contains(&seeds), "{seeds}");
                let verdict = counters.compare(&mut rng, seeds).verdict();
                let right = if difference.abs() <= 0.02 { Verdict::Held } else { Verdict::Failed };
                named += 1;
                decided += u32::from(verdict != Verdict::Inconclusive);
                wrong += u32::from(verdict != Verdict::Inconclusive && verdict != right);
            }
            let context = format!("{difference}, paired {paired}: {decided} of {named}");
            println!("{context}, {wrong} wrong");
            // Near the limit it is about half; elsewhere more.
            assert!(5 * decided > 2 * named, "{context}");
            assert!(20 * wrong <= named, "{wrong} wrong, {context}");
            (all_named, all_decided) = (all_named + named, all_decided + decided);
        }
    }
    assert!(all_decided * 100 > all_named * 65, "{all_decided} of {all_named}");
}

#[test]
fn a_precise_difference_at_the_limit_is_not_to_be_decided() {
    let mut rng = rng("near");
    let (mut near, mut open) = (0, 0);
    for _ in 0..200 {
        let counters = Counters { difference: 0.02, deviation: 0.01, paired: true };
        let comparison = counters.compare(&mut rng, 100);
        let Some(row) = comparison.inconclusive().next() else { continue };
        open += 1;
        near += u32::from(row.undecided == Some(Undecided::NearLimit));
    }
    assert!(open > 150 && 2 * near > open, "{near} near the limit of {open} open");
}
