//! The accumulator of one metric: exact sums, extremes and a histogram.

use peerlet_core::runtime::QUANTA_MAX;

use crate::histogram::Histogram;
use crate::words::{Words, WordsError};

/// The most values of one metric that are taken from other processes in one epoch: 2^40.
///
/// Sums over all of a run's [`EPOCHS_MAX`](crate::EPOCHS_MAX) epochs then stay below 2^60 values
/// and 2^108 quanta, so that nothing overflows whatever was sent.
pub const COUNT_MAX: u64 = 1 << 40;

/// Sums up values given in whole quanta, so that merging comes out the same in any order.
///
/// Sums are exact. The sum of squares has room for 2^32 values at the very clamp of [`QUANTA_MAX`];
/// from there on it stays at its largest, the same in any order, and the deviation falls short.
///
/// ```
/// use peerlet_measure::Accumulator;
/// let mut times = Accumulator::default();
/// [2, 4, 9].into_iter().for_each(|quanta| times.record(quanta));
/// assert_eq!((times.count(), times.sum(), times.mean()), (3, 15, Some(5.0)));
/// assert_eq!((times.min(), times.quantile(0.5), times.max()), (Some(2), Some(4), Some(9)));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accumulator {
    count: u64,
    sum: i128,
    squares: u128,
    min: i64,
    max: i64,
    histogram: Histogram,
}

impl Default for Accumulator {
    fn default() -> Accumulator {
        let histogram = Histogram::default();
        Accumulator { count: 0, sum: 0, squares: 0, min: i64::MAX, max: i64::MIN, histogram }
    }
}

impl Accumulator {
    /// Takes one value in, clamped to [`QUANTA_MAX`] either way.
    #[inline]
    pub fn record(&mut self, quanta: i64) {
        self.record_n(quanta, 1);
    }

    /// Takes the same value in `n` times.
    #[inline]
    pub fn record_n(&mut self, quanta: i64, n: u64) {
        if n == 0 {
            return;
        }
        let quanta = quanta.clamp(-QUANTA_MAX, QUANTA_MAX);
        self.count += n;
        self.sum += i128::from(quanta) * i128::from(n);
        let magnitude = u128::from(quanta.unsigned_abs());
        let squares = (magnitude * magnitude).saturating_mul(u128::from(n));
        self.squares = self.squares.saturating_add(squares);
        self.min = self.min.min(quanta);
        self.max = self.max.max(quanta);
        self.histogram.record_n(quanta, n);
    }

    /// Takes in all that the other has taken in.
    pub fn merge(&mut self, other: &Accumulator) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares = self.squares.saturating_add(other.squares);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.histogram.merge(&other.histogram);
    }

    /// Whether there was no value.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their exact sum in quanta.
    pub fn sum(&self) -> i128 {
        self.sum
    }

    /// The exact sum of their squares.
    pub fn squares(&self) -> u128 {
        self.squares
    }

    /// The smallest value; `None` when there was none.
    pub fn min(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.min)
    }

    /// The largest value; `None` when there was none.
    pub fn max(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.max)
    }

    /// The mean in quanta; `None` when there was no value.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sum as f64 / self.count as f64)
    }

    /// The sample standard deviation (divided by count - 1) in quanta; 0 for a single value, `None`
    /// for none.
    ///
    /// Squares are taken around the whole part of the mean, in integers: nothing cancels, however
    /// narrow the values lie around a large mean.
    pub fn std(&self) -> Option<f64> {
        if self.count < 2 {
            return self.mean().map(|_| 0.0);
        }
        let (n, sum) = (u128::from(self.count), self.sum.unsigned_abs());
        let (mean, rest) = (sum / n, sum % n);
        // With sum = n * mean + rest, the squares around the whole mean add up to squares - mean *
        // (sum + rest).
        let around = self.squares.saturating_sub(mean.saturating_mul(sum + rest));
        let deviation = match around.checked_mul(n) {
            Some(product) => product.saturating_sub(rest * rest) as f64 / n as f64,
            None => around as f64 - (rest * rest) as f64 / n as f64,
        };
        Some((deviation / (n - 1) as f64).sqrt())
    }

    /// The `q`-quantile in quanta, as [`Histogram::quantile`] defines it, never outside of the
    /// values seen.
    pub fn quantile(&self, q: f64) -> Option<i64> {
        self.histogram.quantile(q).map(|quanta| quanta.clamp(self.min, self.max))
    }

    /// How the values are spread.
    pub fn histogram(&self) -> &Histogram {
        &self.histogram
    }

    /// Feeds all its integers to a digest, in a fixed order and without ambiguity.
    pub fn words(&self, sink: &mut impl FnMut(u64)) {
        let (sum, squares) = (self.sum as u128, self.squares);
        [self.count, sum as u64, (sum >> 64) as u64, squares as u64, (squares >> 64) as u64]
            .into_iter()
            .chain([self.min as u64, self.max as u64])
            .for_each(&mut *sink);
        self.histogram.words(sink);
    }

    /// Reads back what [`words`](Accumulator::words) fed, from words that anybody may have made.
    pub(crate) fn read(words: &mut Words<'_>) -> Result<Accumulator, WordsError> {
        let [count, sum_low, sum_high, squares_low, squares_high, min, max] = words.take()?;
        let wide = |low, high| u128::from(low) | u128::from(high) << 64;
        let (sum, squares) = (wide(sum_low, sum_high) as i128, wide(squares_low, squares_high));
        let (min, max) = (min as i64, max as i64);
        let histogram = Histogram::read(words)?;
        let accumulator = Accumulator { count, sum, squares, min, max, histogram };
        accumulator.check().map_err(WordsError::Impossible)?;
        Ok(accumulator)
    }

    /// Whether these numbers agree with each other, as far as merging and summing them up lean on
    /// it; if not, why.
    fn check(&self) -> Result<(), &'static str> {
        let buckets = || self.histogram.buckets();
        if self.count != self.histogram.count() {
            return Err("the count is not that of the buckets");
        }
        if self.count > COUNT_MAX {
            return Err("there are more than 2^40 values");
        }
        let Some((first, last)) = buckets().next().zip(buckets().last()) else {
            let is_none = *self == Accumulator::default();
            return is_none.then_some(()).ok_or("no values have a sum or extremes");
        };
        let differ = self.min < self.max && self.count > 1;
        let clamped = -QUANTA_MAX..=QUANTA_MAX;
        if !(first.lower..=first.upper).contains(&self.min)
            || !(last.lower..=last.upper).contains(&self.max)
            || !clamped.contains(&self.min)
            || !clamped.contains(&self.max)
            || !(self.min == self.max || differ)
        {
            return Err("the extremes are outside of the buckets");
        }
        self.check_sums()
    }

    /// Whether the sums lie between those of the buckets' ends; if not, why.
    fn check_sums(&self) -> Result<(), &'static str> {
        let (mut sums, mut squares) = ((0, 0), (0, 0));
        for bucket in self.histogram.buckets() {
            let ends = [bucket.lower.max(self.min), bucket.upper.min(self.max)];
            let [low, high] = ends.map(|end| i128::from(bucket.count) * i128::from(end));
            sums = (sums.0 + low, sums.1 + high);
            // No bucket holds numbers of both signs, so the squares are least and most at its ends.
            let [a, b] = ends.map(|end| {
                let magnitude = u128::from(end.unsigned_abs());
                (magnitude * magnitude).saturating_mul(u128::from(bucket.count))
            });
            squares = (a.min(b).saturating_add(squares.0), a.max(b).saturating_add(squares.1));
        }
        if !(sums.0..=sums.1).contains(&self.sum) {
            return Err("the sum is outside of the buckets");
        }
        if !(squares.0..=squares.1).contains(&self.squares) {
            return Err("the squares are outside of the buckets");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = i64>) -> Accumulator {
        let mut accumulator = Accumulator::default();
        values.into_iter().for_each(|value| accumulator.record(value));
        accumulator
    }

    #[test]
    fn none_and_one() {
        let none = of([]);
        assert_eq!((none.mean(), none.std(), none.min(), none.max()), (None, None, None, None));
        assert_eq!(none.quantile(0.5), None);
        let one = of([-1_000_003]);
        assert_eq!((one.mean(), one.std()), (Some(-1_000_003.0), Some(0.0)));
        assert_eq!(one.quantile(0.01), Some(-1_000_003), "clamped to what was seen");
    }

    #[test]
    fn exact_near_the_clamp() {
        let many = of((0..100_000).map(|i| if i % 2 == 0 { i64::MAX } else { QUANTA_MAX - 1 }));
        let half = i128::from(QUANTA_MAX) * 50_000;
        assert_eq!(many.sum(), 2 * half - 50_000);
        assert_eq!(many.max(), Some(QUANTA_MAX));
        let square = |x: i64| u128::from(x.unsigned_abs()).pow(2);
        assert_eq!(many.squares(), 50_000 * (square(QUANTA_MAX) + square(QUANTA_MAX - 1)));
        // Values half a quantum around their mean, at 2^48: a sum of float squares would give 0 or
        // nonsense.
        let expected = (0.25_f64 * 100_000.0 / 99_999.0).sqrt();
        assert!((many.std().unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn sums_of_squares_end_without_a_panic() {
        let mut sum = of([-QUANTA_MAX]);
        for _ in 0..40 {
            sum.merge(&sum.clone());
        }
        assert_eq!((sum.count(), sum.squares()), (1 << 40, u128::MAX));
        assert_eq!(sum.mean(), Some(-(QUANTA_MAX as f64)));
        assert!(sum.std().unwrap().is_finite());
    }

    #[test]
    fn std_is_that_of_a_sample() {
        assert_eq!(of([2, 4, 4, 4, 5, 5, 7, 9]).std(), Some((32.0_f64 / 7.0).sqrt()));
        assert_eq!(of([-3, -3, -3]).std(), Some(0.0));
        assert_eq!(of([-1, 1]).std(), Some(2.0_f64.sqrt()));
    }

    #[test]
    fn words_tell_any_change() {
        let words = |accumulator: &Accumulator| {
            let mut words = Vec::new();
            accumulator.words(&mut |word| words.push(word));
            words
        };
        let base = words(&of([1, 1_000_000]));
        assert_eq!(base, words(&of([1_000_000, 1])));
        assert_ne!(base, words(&of([1, 1_000_001])), "same bucket, other sum");
        assert_ne!(base, words(&of([1])));
        assert_eq!(base.len(), 7 + 1 + 2 * 2);
        assert_eq!(words(&of([-1]))[1..3], [u64::MAX; 2], "both halves of the sum");
        // (2^48 - 1)^2 = 2^96 - 2^49 + 1.
        assert_eq!(words(&of([QUANTA_MAX - 1]))[3..5], [0xfffe_0000_0000_0001, 0xffff_ffff]);
    }

    const EXTREMES: &str = "the extremes are outside of the buckets";

    /// The refusal of these words: of an accumulator, a number of buckets, and the buckets.
    fn refusal(words: &[u64]) -> String {
        match Accumulator::read(&mut Words::new(&mut words.iter().copied())) {
            Ok(accumulator) => format!("read: {accumulator:?}"),
            Err(WordsError::Impossible(why)) => why.to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// 3, 5 and 1,000 with one word replaced: count, sum in two, squares in two, min, max, number
    /// of buckets, then a key and a count each. Keys are 3, 5 and 506: 1,000 lies in 1,000..=1,003.
    fn with(index: usize, word: i64) -> String {
        let mut words = Vec::new();
        of([3, 5, 1000]).words(&mut |word| words.push(word));
        assert_eq!(words, [3, 1008, 0, 1_000_034, 0, 3, 1000, 3, 3, 1, 5, 1, 506, 1]);
        words[index] = word as u64;
        refusal(&words)
    }

    #[test]
    fn what_no_values_give_is_refused() {
        let beyond = "a bucket lies beyond all values";
        let bucket = "a bucket is empty, or they hold too much";
        let order = "buckets are out of order";
        let count = "the count is not that of the buckets";
        let sum = "the sum is outside of the buckets";
        let squares = "the squares are outside of the buckets";
        for (index, word, why) in [
            (0, 4, count),
            (1, 1007, sum),
            (1, 1009, sum),
            (2, 1, sum),
            (2, -1, sum),
            (3, 1_000_033, squares),
            (3, 1_000_035, squares),
            (4, 1, squares),
            (5, 4, EXTREMES),
            (5, 2, EXTREMES),
            (5, i64::MIN, EXTREMES),
            (6, 999, EXTREMES),
            (6, 1004, EXTREMES),
            (8, 5, order),
            (8, i64::MIN, beyond),
            (8, -5377, beyond),
            (9, 0, bucket),
            (9, -1, bucket),
            (9, 2, count),
            (12, 5, order),
            (12, 5377, beyond),
            (12, 1 << 32, beyond),
        ] {
            assert_eq!(with(index, word), why, "word {index} as {word}");
        }
        for len in [4, i64::MAX, -1] {
            assert_eq!(with(7, len), WordsError::TooFew.to_string(), "{len} buckets");
        }
    }

    #[test]
    fn extremes_fit_the_number_of_values() {
        let (max, clamp) = (QUANTA_MAX as u64, 5376);
        assert_eq!(refusal(&[1, 1001, 0, 1_002_001, 0, 1000, 1001, 1, 506, 1]), EXTREMES);
        assert_eq!(refusal(&[2, 2001, 0, 2_002_001, 0, 1001, 1000, 1, 506, 2]), EXTREMES);
        assert_eq!(refusal(&[1, max + 1, 0, 0, 1 << 32, max + 1, max + 1, 1, clamp, 1]), EXTREMES);
        let most = refusal(&[1, max, 0, 0, 1 << 32, max, max, 1, clamp, 1]);
        assert!(most.starts_with("read"), "{most}");
        let none = [0, 0, 0, 0, 0, i64::MAX as u64, i64::MIN as u64, 0];
        assert!(refusal(&none).starts_with("read"));
        for index in 1..=6 {
            let mut words = none;
            words[index] ^= 1;
            assert_eq!(refusal(&words), "no values have a sum or extremes", "word {index}");
        }
    }

    #[test]
    fn more_values_than_fit_are_refused() {
        let ones = |n: u64| refusal(&[n, n, 0, n, 0, 1, 1, 1, 1, n]);
        assert!(ones(COUNT_MAX).starts_with("read"));
        assert_eq!(ones(COUNT_MAX + 1), "there are more than 2^40 values");
        let half = 1 << 63;
        let both = refusal(&[0, 0, 0, 0, 0, 1, 2, 2, 1, half, 2, half]);
        assert_eq!(both, "a bucket is empty, or they hold too much", "their sum does not overflow");
    }

    #[test]
    fn saturated_squares_are_read_back() {
        let mut sum = of([-QUANTA_MAX]);
        (0..40).for_each(|_| sum.merge(&sum.clone()));
        let mut words = Vec::new();
        sum.words(&mut |word| words.push(word));
        assert_eq!(Accumulator::read(&mut Words::new(&mut words.into_iter())), Ok(sum));
    }
}
