//! The reading side of `words`: from integers that another process sent, and that anybody may have
//! made up, back to measurements.

use std::fmt;

/// Words that were not read yet.
pub(crate) struct Words<'a>(&'a mut dyn Iterator<Item = u64>);

impl<'a> Words<'a> {
    pub(crate) fn new(words: &'a mut dyn Iterator<Item = u64>) -> Words<'a> {
        Words(words)
    }

    /// The next `N` words.
    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u64; N], WordsError> {
        let mut taken = [0; N];
        for word in &mut taken {
            *word = self.0.next().ok_or(WordsError::TooFew)?;
        }
        Ok(taken)
    }

    /// How many are left.
    pub(crate) fn left(self) -> usize {
        self.0.count()
    }
}

/// Why words cannot be read back as measurements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WordsError {
    /// The words end before the measurements do.
    TooFew,
    /// The measurements end before the words do.
    TooMany {
        /// How many words are left over.
        left: usize,
    },
    /// They measure another number of metrics.
    OtherTable {
        /// How many metrics the table has.
        metrics: usize,
        /// How many were measured.
        measured: u64,
    },
    /// No values give such words, for the reason named.
    Impossible(&'static str),
}

impl fmt::Display for WordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WordsError::TooFew => {
                f.write_str("the words end before the measurements do; send all words of one epoch")
            }
            WordsError::TooMany { left } => write!(
                f,
                "words are left over behind the measurements: {left}; send one epoch at a time"
            ),
            WordsError::OtherTable { metrics, measured } => write!(
                f,
                "the words' table of metrics is {measured} long, that of the run {metrics}; \
                 run the same program with the same scenario in each process"
            ),
            WordsError::Impossible(why) => write!(
                f,
                "no values give such words: {why}; \
                 send what `EpochMeasurements::words` feeds, unchanged"
            ),
        }
    }
}

impl std::error::Error for WordsError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurements::EpochMeasurements;

    #[test]
    fn refusals_say_what_to_do() {
        let none = [0, 0, 0, 0, 0, i64::MAX as u64, i64::MIN as u64, 0];
        let check = |head: [u64; 4], tail: &[u64]| {
            let error = EpochMeasurements::from_words([&head, tail].concat(), 1).unwrap_err();
            error.to_string()
        };
        let last = crate::EPOCHS_MAX - 1;
        let whole = [[last, 7, 7, 1].as_slice(), &none].concat();
        assert_eq!(EpochMeasurements::from_words(whole, 1).unwrap().epoch as u64, last);
        assert_eq!(EpochMeasurements::from_words([], 1), Err(WordsError::TooFew));
        let errors = [
            check([0, 0, 1, 1], &none[..7]),
            check([0, 0, 1, 1], &[none, none].concat()),
            check([0, 0, 1, u64::MAX], &none),
            check([0, 8, 7, 1], &none),
            check([last + 1, 0, 1, 1], &none),
        ];
        // Broken after the semicolon, where it says what to do.
        expect_test::expect![[r#"
            the words end before the measurements do;
              send all words of one epoch
            words are left over behind the measurements: 8;
              send one epoch at a time
            the words' table of metrics is 18446744073709551615 long, that of the run 1;
              run the same program with the same scenario in each process
            no values give such words: the epoch ends before it begins;
              send what `EpochMeasurements::words` feeds, unchanged
            no values give such words: the epoch is later than any run's last;
              send what `EpochMeasurements::words` feeds, unchanged"#]]
        .assert_eq(&errors.join("\n").replace("; ", ";\n  "));
    }
}
