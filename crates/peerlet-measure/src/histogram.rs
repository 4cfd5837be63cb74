//! A histogram of whole numbers with a relative error of at most 1/256.
//!
//! Buckets are log-linear: numbers below 256 have one each, every octave above is cut into 128 of
//! equal width. Negative numbers mirror positive ones. Memory goes by pages of 16 buckets: 128
//! bytes for each in use, and 2 for each between the smallest and the largest number seen.

use std::fmt;
use std::iter;

use peerlet_core::runtime::QUANTA_MAX;

use crate::words::{Words, WordsError};

/// An octave is cut into 2^7 buckets: the middle of one is then off by at most 2^-8 of any number
/// in it.
const OCTAVE_BITS: u32 = 7;

/// Buckets are made 2^4 at a time. Few enough that a bucket read from another process's words, of
/// which it takes two, cannot make much more memory of them.
const PAGE_BITS: u32 = 4;

/// Neighboring buckets, by the low bits of their keys.
type Page = [u64; 1 << PAGE_BITS];

/// How often numbers were seen, by log-linear buckets.
///
/// ```
/// use peerlet_measure::Histogram;
/// let mut histogram = Histogram::default();
/// (1..=1000).for_each(|value| histogram.record(value));
/// let median = histogram.quantile(0.5).expect("there are values");
/// assert!((median - 500).abs() <= 500 / 256);
/// ```
#[derive(Clone, Default)]
pub struct Histogram {
    /// The number of the page of `indices[0]`: the high bits of its keys.
    first: i32,
    /// The index of each page, counted from 1; 0 where no number was seen.
    indices: Vec<u16>,
    /// In the order that they came into use.
    pages: Vec<Page>,
}

/// One bucket that is not empty: `count` numbers lie between `lower` and `upper`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// The smallest number that falls into it.
    pub lower: i64,
    /// The largest number that falls into it.
    pub upper: i64,
    /// How many did.
    pub count: u64,
}

impl Histogram {
    /// Counts one number.
    #[inline]
    pub fn record(&mut self, value: i64) {
        self.record_n(value, 1);
    }

    /// Counts the same number `n` times.
    #[inline]
    pub fn record_n(&mut self, value: i64, n: u64) {
        *self.slot(key(value)) += n;
    }

    /// Adds all that the other has counted.
    pub fn merge(&mut self, other: &Histogram) {
        other.keys().for_each(|(key, count)| *self.slot(key) += count);
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many numbers were counted.
    pub fn count(&self) -> u64 {
        self.pages.iter().flatten().sum()
    }

    /// The `q`-quantile by nearest rank: the number at rank `ceil(q * count)`, counted from 1 in
    /// ascending order.
    ///
    /// It is known by its bucket; given is the bucket's middle, off by at most 1/256 of the number
    /// and exact below 256. `q` is read to a millionth, so that 0.07 of 100 numbers is the seventh
    /// whatever floats make of the product. `None` when nothing was counted.
    pub fn quantile(&self, q: f64) -> Option<i64> {
        let millionths = (q.clamp(0.0, 1.0) * 1e6).round() as u128;
        let rank = (millionths * u128::from(self.count())).div_ceil(1_000_000).max(1);
        let mut seen = 0;
        let bucket = self.buckets().find(|bucket| {
            seen += u128::from(bucket.count);
            seen >= rank
        })?;
        Some(bucket.lower + (bucket.upper - bucket.lower) / 2)
    }

    /// The buckets that are not empty, in ascending order.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.keys().map(|(key, count)| {
            let (lower, upper) = bounds(key);
            Bucket { lower, upper, count }
        })
    }

    /// Feeds the contents to a digest: the number of buckets in use, then each one's key and count.
    pub fn words(&self, sink: &mut impl FnMut(u64)) {
        sink(self.keys().count() as u64);
        for (key, count) in self.keys() {
            sink(i64::from(key) as u64);
            sink(count);
        }
    }

    /// Reads back what [`words`](Histogram::words) fed, from words that anybody may have made.
    pub(crate) fn read(words: &mut Words<'_>) -> Result<Histogram, WordsError> {
        let [len] = words.take()?;
        let (mut histogram, mut last, mut total) = (Histogram::default(), None, 0);
        for _ in 0..len {
            let [word, count] = words.take()?;
            let key = i32::try_from(word as i64)
                .ok()
                .filter(|key| (-key_max()..=key_max()).contains(key))
                .ok_or(WordsError::Impossible("a bucket lies beyond all values"))?;
            if last.replace(key).is_some_and(|last| last >= key) {
                return Err(WordsError::Impossible("buckets are out of order"));
            }
            total = count
                .checked_add(total)
                .filter(|_| count > 0)
                .ok_or(WordsError::Impossible("a bucket is empty, or they hold too much"))?;
            *histogram.slot(key) = count;
        }
        Ok(histogram)
    }

    /// The keys in use and their counts, ascending.
    fn keys(&self) -> impl Iterator<Item = (i32, u64)> + '_ {
        let pages = (self.first..).zip(&self.indices).filter(|(_, index)| **index > 0);
        let keys = pages.flat_map(|(page, index)| {
            let counts = self.pages[usize::from(*index) - 1];
            (page << PAGE_BITS..).zip(counts)
        });
        keys.filter(|(_, count)| *count > 0)
    }

    #[inline]
    fn slot(&mut self, key: i32) -> &mut u64 {
        let page = key >> PAGE_BITS;
        // A page before the first one wraps around to a huge index.
        let index = match self.indices.get(page.wrapping_sub(self.first) as u32 as usize) {
            Some(index) if *index > 0 => *index,
            _ => self.open(page),
        };
        &mut self.pages[usize::from(index) - 1][key as usize % (1 << PAGE_BITS)]
    }

    /// Brings a page into use; returns its index.
    #[cold]
    fn open(&mut self, page: i32) -> u16 {
        if self.indices.is_empty() {
            self.first = page;
        } else if page < self.first {
            let missing = (self.first - page) as usize;
            self.indices.splice(0..0, iter::repeat_n(0, missing));
            self.first = page;
        }
        let index = (page - self.first) as usize;
        self.indices.resize(self.indices.len().max(index + 1), 0);
        self.pages.push(Page::default());
        // All 64-bit numbers fall into 912 pages.
        self.indices[index] = self.pages.len() as u16;
        self.indices[index]
    }
}

/// Equal when the same buckets hold the same counts, whatever room was made.
impl PartialEq for Histogram {
    fn eq(&self, other: &Histogram) -> bool {
        self.keys().eq(other.keys())
    }
}

impl Eq for Histogram {}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.buckets()).finish()
    }
}

/// The Kolmogorov-Smirnov distance: the largest difference between the two shares of numbers up to
/// any bucket's end.
///
/// 0 for the same distribution, 1 for two that do not overlap. Empty against empty is 0, empty
/// against anything else 1.
pub fn ks(a: &Histogram, b: &Histogram) -> f64 {
    let (count_a, count_b) = (u128::from(a.count()), u128::from(b.count()));
    if count_a == 0 || count_b == 0 {
        return if count_a == count_b { 0.0 } else { 1.0 };
    }
    let (mut seen_a, mut seen_b, mut gap) = (0, 0, 0);
    let (mut keys_a, mut keys_b) = (a.keys().peekable(), b.keys().peekable());
    // Whole numbers until the last division, so that the distance is the same on every machine.
    while let Some(key) = keys_a.peek().into_iter().chain(keys_b.peek()).map(|(key, _)| *key).min()
    {
        seen_a += keys_a.next_if(|(k, _)| *k == key).map_or(0, |(_, n)| u128::from(n));
        seen_b += keys_b.next_if(|(k, _)| *k == key).map_or(0, |(_, n)| u128::from(n));
        gap = (seen_a * count_b).abs_diff(seen_b * count_a).max(gap);
    }
    gap as f64 / (count_a * count_b) as f64
}

/// The bucket of a number: keys ascend with the numbers, without gaps, and change sign with them.
#[inline]
fn key(value: i64) -> i32 {
    let magnitude = value.unsigned_abs();
    let bits = u64::BITS - magnitude.leading_zeros();
    // As many low bits are rounded away as leave eight.
    let shift = bits.saturating_sub(OCTAVE_BITS + 1);
    let key = (shift << OCTAVE_BITS) as i32 + (magnitude >> shift) as i32;
    if value < 0 { -key } else { key }
}

/// The key of the largest value that is recorded: its mirror image is that of the smallest.
fn key_max() -> i32 {
    key(QUANTA_MAX)
}

/// The smallest and the largest value that falls into the bucket of this one, no farther out than
/// values are recorded.
pub(crate) fn ends(value: i64) -> [i64; 2] {
    let (lower, upper) = bounds(key(value));
    [lower.max(-QUANTA_MAX), upper.min(QUANTA_MAX)]
}

/// The smallest and the largest number in the bucket with this key.
fn bounds(key: i32) -> (i64, i64) {
    let shift = (key.unsigned_abs() >> OCTAVE_BITS).saturating_sub(1);
    let near = u64::from(key.unsigned_abs() - (shift << OCTAVE_BITS)) << shift;
    let far = near + ((1 << shift) - 1);
    if key < 0 {
        (0i64.saturating_sub_unsigned(far), 0i64.saturating_sub_unsigned(near))
    } else {
        (0i64.saturating_add_unsigned(near), 0i64.saturating_add_unsigned(far))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = i64>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    #[test]
    fn buckets_cover_all_numbers_without_gap_or_overlap() {
        let last = key(i64::MAX);
        assert_eq!(bounds(last).1, i64::MAX);
        assert_eq!(bounds(key(i64::MIN)).0, i64::MIN);
        for k in -last..last {
            let (lower, upper) = bounds(k);
            assert_eq!((key(lower), key(upper)), (k, k));
            assert_eq!(upper + 1, bounds(k + 1).0, "after key {k}");
            let widest = lower.unsigned_abs().min(upper.unsigned_abs()) / 128;
            assert!(((upper - lower) as u64) < widest.max(1), "key {k} is {lower}..={upper}");
        }
    }

    #[test]
    fn small_numbers_are_exact() {
        let histogram = of(-255..=255);
        assert!(histogram.buckets().all(|b| b.lower == b.upper && b.count == 1));
        assert_eq!(histogram.quantile(0.0), Some(-255));
        assert_eq!(histogram.quantile(0.5), Some(0));
        assert_eq!(histogram.quantile(1.0), Some(255));
    }

    #[test]
    fn ranks_are_exact_where_floats_are_not() {
        assert!((0.07_f64 * 100.0).ceil() > 7.0, "this is why q is read to a millionth");
        assert_eq!(of(1..=100).quantile(0.07), Some(7));
        assert_eq!(of([]).quantile(0.5), None);
        assert_eq!(of([9]).quantile(f64::NAN), Some(9));
    }

    #[test]
    fn order_of_growth_does_not_matter() {
        let values = [5, 1 << 40, -7, -(1 << 40), 0, 300];
        let (up, down) = (of(values), of(values.into_iter().rev()));
        assert_eq!(up, down);
        assert_eq!(up.buckets().count(), 6);
        let mut with_room = of([]);
        with_room.record_n(1 << 44, 0);
        assert!(with_room.is_empty());
        assert_eq!(with_room, of([]));
    }

    #[test]
    fn memory_follows_the_range_in_use() {
        let pages = |histogram: Histogram| (histogram.pages.len(), histogram.indices.len());
        assert_eq!(pages(of([1, 15])), (1, 1));
        assert_eq!(pages(of([1_000_000_000, 1_001_000_000])), (1, 1));
        assert_eq!(pages(of([i64::MIN, i64::MAX])), (2, 912));
        assert_eq!(pages(of([-QUANTA_MAX, QUANTA_MAX])), (2, 673));
    }

    #[test]
    fn hostile_words_make_little_memory() {
        // The farthest apart that buckets can be: as many as named, each on a page of its own.
        for buckets in [1, 2, 3, 5, 9, 17, 33, 65, 129, 257, 513, 673] {
            let keys = (0..buckets).map(|i| -5376 + 5376 * 2 * i / (buckets - 1).max(1));
            let pairs = keys.flat_map(|key: i64| [key as u64, 1]);
            let words: Vec<u64> = iter::once(buckets as u64).chain(pairs).collect();
            let histogram = Histogram::read(&mut Words::new(&mut words.iter().copied())).unwrap();
            assert_eq!(histogram.pages.len() as i64, buckets);
            let bytes = histogram.pages.capacity() * size_of::<Page>()
                + histogram.indices.capacity() * size_of::<u16>();
            // Seven words of an accumulator come before each histogram.
            assert!(bytes < 24 * 8 * (7 + words.len()), "{buckets} buckets: {bytes} bytes");
        }
    }

    #[test]
    fn ks_of_known_distributions() {
        let (low, high) = (of(0..100), of(50..150));
        assert_eq!(ks(&low, &low.clone()), 0.0);
        assert_eq!(ks(&low, &high), 0.5);
        assert_eq!(ks(&high, &low), 0.5);
        assert_eq!(ks(&of(0..10), &of(20..30)), 1.0);
        assert_eq!(ks(&of([]), &low), 1.0);
        assert_eq!(ks(&of([]), &of([])), 0.0);
        assert_eq!(ks(&of([1]), &of([1, 1, 1, 2])), 0.25);
    }
}
