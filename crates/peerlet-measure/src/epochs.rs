//! The grid of epochs over a run.

use std::fmt;
use std::ops::Range;

use peerlet_core::{Duration, Time};

/// The most epochs that a run can have: each is kept until the end, about 100 bytes a metric.
pub const EPOCHS_MAX: u64 = 1 << 20;

/// The half-open epochs `[a, b)` of a run, from time zero to its end.
///
/// Their edges are the multiples of one length, and the end of the warm-up. Epochs that begin at or
/// after the end of the warm-up count for the summary.
///
/// ```
/// use peerlet_core::{SECOND, Time};
/// use peerlet_measure::Epochs;
/// let at = |seconds| Time::ZERO + SECOND * seconds;
/// let epochs = Epochs::new(SECOND * 10, at(25)..at(42))?;
/// assert_eq!(epochs.edges().collect::<Vec<_>>(), [0, 10, 20, 25, 30, 40, 42].map(at));
/// assert_eq!(epochs.index_at(at(25)), Some(3));
/// assert!(epochs.counts(3) && !epochs.counts(2));
/// # Ok::<(), peerlet_measure::EpochsError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epochs {
    length: Duration,
    from: Time,
    end: Time,
}

impl Epochs {
    /// Epochs of this length; `measured` goes from the end of the warm-up to the end of the run. A
    /// warm-up that lasts as long as the run leaves nothing for the summary.
    ///
    /// # Errors
    /// Refuses epochs of no length, more than [`EPOCHS_MAX`] of them, a run of no length, and a
    /// warm-up that is longer than the run.
    pub fn new(length: Duration, measured: Range<Time>) -> Result<Epochs, EpochsError> {
        let Range { start: from, end } = measured;
        if length == Duration::ZERO {
            return Err(EpochsError::NoLength);
        }
        if from > end || end == Time::ZERO {
            return Err(EpochsError::AllWarmUp { from, end });
        }
        // One more than the multiples, for the edge at the end of the warm-up.
        if end.as_nanos() / length.as_nanos() + 1 >= EPOCHS_MAX {
            return Err(EpochsError::TooMany { length, end });
        }
        Ok(Epochs { length, from, end })
    }

    /// Epochs of this length without an end, for an owner that
    /// [takes](crate::Recorder::take_finished) what it has recorded.
    ///
    /// # Errors
    /// Refuses epochs of no length.
    pub fn endless(length: Duration) -> Result<Epochs, EpochsError> {
        match length {
            Duration::ZERO => Err(EpochsError::NoLength),
            _ => Ok(Epochs { length, from: Time::ZERO, end: Time::MAX }),
        }
    }

    /// The end of the warm-up, where the summary begins.
    pub fn from(&self) -> Time {
        self.from
    }

    /// The end of the run.
    pub fn end(&self) -> Time {
        self.end
    }

    /// How many epochs there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "there is always an epoch")]
    pub fn len(&self) -> usize {
        self.index_before_end(Time::from_nanos(self.end.as_nanos() - 1)) + 1
    }

    /// The epoch that an instant falls into; `None` at the end of the run and after.
    pub fn index_at(&self, time: Time) -> Option<usize> {
        (time < self.end).then(|| self.index_before_end(time))
    }

    /// From when to when an epoch lasts; `None` when there are not as many.
    pub fn span(&self, index: usize) -> Option<Range<Time>> {
        (index < self.len()).then(|| self.edge(index)..self.edge(index + 1))
    }

    /// All edges, from time zero to the end of the run.
    pub fn edges(&self) -> impl Iterator<Item = Time> + '_ {
        (0..=self.len()).map(|index| self.edge(index))
    }

    /// Whether the epoch counts for the summary: it begins at or after the end of the warm-up.
    pub fn counts(&self, index: usize) -> bool {
        self.span(index).is_some_and(|span| span.start >= self.from)
    }

    fn index_before_end(&self, time: Time) -> usize {
        let extra = self.has_extra_edge() && time >= self.from;
        (time.as_nanos() / self.length.as_nanos()) as usize + usize::from(extra)
    }

    fn edge(&self, index: usize) -> Time {
        let before = (self.from.as_nanos() / self.length.as_nanos()) as usize;
        let multiple = |n: usize| (Time::ZERO + self.length * n as u64).min(self.end);
        match self.has_extra_edge() {
            true if index == before + 1 => self.from,
            true if index > before => multiple(index - 1),
            _ => multiple(index),
        }
    }

    /// Whether the end of the warm-up is no multiple of the length.
    fn has_extra_edge(&self) -> bool {
        !self.from.as_nanos().is_multiple_of(self.length.as_nanos())
    }
}

/// Why a run cannot be cut into epochs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EpochsError {
    /// The length of an epoch is zero.
    NoLength,
    /// The warm-up is longer than the run.
    AllWarmUp {
        /// The end of the warm-up.
        from: Time,
        /// The end of the run.
        end: Time,
    },
    /// There would be more than [`EPOCHS_MAX`] epochs.
    TooMany {
        /// The length of an epoch.
        length: Duration,
        /// The end of the run.
        end: Time,
    },
}

impl fmt::Display for EpochsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EpochsError::NoLength => {
                f.write_str("an epoch of no length holds nothing; give it one, such as `10s`")
            }
            EpochsError::AllWarmUp { from, end } => write!(
                f,
                "measuring starts at {from}, but the run ends at {end}; \
                 start it earlier or run longer"
            ),
            EpochsError::TooMany { length, end } => write!(
                f,
                "epochs of {length} in a run of {end} are more than {EPOCHS_MAX}; make them longer"
            ),
        }
    }
}

impl std::error::Error for EpochsError {}

#[cfg(test)]
mod tests {
    use peerlet_core::{NANOSECOND, SECOND};

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + SECOND * seconds
    }

    fn check(length: u64, from: u64, end: u64, edges: &[u64]) {
        let epochs = Epochs::new(SECOND * length, at(from)..at(end)).unwrap();
        assert_eq!(
            epochs.edges().collect::<Vec<_>>(),
            edges.iter().copied().map(at).collect::<Vec<_>>()
        );
        assert_eq!(epochs.len(), edges.len() - 1);
        for (index, pair) in edges.windows(2).enumerate() {
            let span = at(pair[0])..at(pair[1]);
            assert_eq!(epochs.span(index), Some(span.clone()));
            assert_eq!(epochs.index_at(span.start), Some(index));
            assert_eq!(epochs.index_at(Time::from_nanos(span.end.as_nanos() - 1)), Some(index));
            assert_eq!(epochs.counts(index), pair[0] >= from);
        }
        assert_eq!(epochs.index_at(at(end)), None);
        assert_eq!(epochs.span(epochs.len()), None);
        assert!(!epochs.counts(epochs.len()));
    }

    #[test]
    fn grids() {
        check(10, 0, 30, &[0, 10, 20, 30]);
        check(10, 0, 25, &[0, 10, 20, 25]);
        check(10, 0, 3, &[0, 3]);
        check(10, 20, 40, &[0, 10, 20, 30, 40]);
        check(10, 5, 20, &[0, 5, 10, 20]);
        check(10, 29, 30, &[0, 10, 20, 29, 30]);
        check(10, 31, 35, &[0, 10, 20, 30, 31, 35]);
        check(100, 7, 9, &[0, 7, 9]);
        check(10, 20, 20, &[0, 10, 20]);
        check(10, 25, 25, &[0, 10, 20, 25]);
    }

    #[test]
    fn refusals_say_what_to_do() {
        let error =
            |length, from, end| Epochs::new(length, at(from)..at(end)).unwrap_err().to_string();
        expect_test::expect![[r#"
            an epoch of no length holds nothing; give it one, such as `10s`
            measuring starts at 61s, but the run ends at 60s; start it earlier or run longer
            epochs of 1ns in a run of 3600s are more than 1048576; make them longer"#]]
        .assert_eq(
            &[error(Duration::ZERO, 0, 1), error(SECOND, 61, 60), error(NANOSECOND, 0, 3600)]
                .join("\n"),
        );
    }

    #[test]
    fn the_largest_grid_is_within_bounds() {
        let end = Time::from_nanos(EPOCHS_MAX * 1000 - 1001);
        let epochs = Epochs::new(NANOSECOND * 1000, Time::from_nanos(1)..end).unwrap();
        assert!(epochs.len() as u64 <= EPOCHS_MAX);
        assert!(Epochs::new(SECOND, Time::ZERO..Time::MAX).is_err());
    }
}
