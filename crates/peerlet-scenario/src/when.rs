//! The times of events: `90`, `2m`, `1m..2m`, `every 10s`, `1m..5m every 30s`.

use peerlet_core::{Duration, DurationError, Time};

use crate::instant::instant;
use crate::refusal::Refusal;

/// When an event happens, as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    /// At this instant.
    At(Time),
    /// For each of its seats at an instant of its own, chosen at random, both ends included.
    Within(Time, Time),
    /// Again and again, from the first instant on; up to the last one, or to the end of the run.
    Every(Time, Option<Time>, Duration),
}

/// The remedy for a time that cannot be read.
const TIME_HELP: &str = "write seconds such as 14.3, or a number with a unit such as 250ms";
const WHEN_HELP: &str = "write a time, `1m..2m`, `every 10s` or `1m..5m every 10s`";

impl When {
    /// Reads a time as written: words with spaces between them.
    pub(crate) fn parse(text: &str) -> Result<When, Refusal> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let at = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
        match words.as_slice() {
            [range] => match range.split_once("..") {
                None => time(range).map_err(|refusal| refusal.shift(at(range))).map(When::At),
                Some((_, "")) => {
                    let help = "write its end, as in 1m..2m, or a period, as in `1m.. every 10s`";
                    Refusal::new(0..text.len(), format!("`{range}` has no end"), help)
                }
                Some(_) => {
                    let (from, to) = ends(range).map_err(|refusal| refusal.shift(at(range)))?;
                    Ok(When::Within(from, to.expect("the end is written")))
                }
            },
            ["every", period] => {
                let every = length(period).map_err(|refusal| refusal.shift(at(period)))?;
                Ok(When::Every(Time::ZERO + every, None, every))
            }
            [range, "every", period] if range.contains("..") => {
                let (from, to) = ends(range).map_err(|refusal| refusal.shift(at(range)))?;
                let every = length(period).map_err(|refusal| refusal.shift(at(period)))?;
                Ok(When::Every(from, to, every))
            }
            [from, "every", _] => {
                let help = format!("write {from}.. for from then on, as in `{from}.. every 10s`");
                Refusal::new(at(from)..at(from) + from.len(), "this is one instant", help)
            }
            _ => Refusal::new(0..text.len(), format!("`{text}` is no time"), WHEN_HELP),
        }
    }

    /// The first and the last instant at which it may happen, as far as they are written.
    pub(crate) fn ends(self) -> (Time, Time) {
        match self {
            When::At(at) => (at, at),
            When::Within(from, to) => (from, to),
            When::Every(from, to, _) => (from, to.unwrap_or(from)),
        }
    }
}

/// Reads the ends of `1m..2m` or `1m..`.
fn ends(range: &str) -> Result<(Time, Option<Time>), Refusal> {
    let (from, to) = range.split_once("..").expect("a range has two dots");
    let behind = range.len() - to.len();
    let first = time(from)?;
    let last = match to {
        "" => None,
        to => Some(time(to).map_err(|refusal| refusal.shift(behind))?),
    };
    match last {
        Some(last) if last < first => {
            let help = format!("write {to}..{from}");
            Refusal::new(0..range.len(), format!("`{range}` runs backward"), help)
        }
        last => Ok((first, last)),
    }
}

/// Reads an instant.
fn time(word: &str) -> Result<Time, Refusal> {
    instant(word).or_else(|error| match error {
        DurationError::Resolution(_) | DurationError::Range(_) => {
            Refusal::new(0..word.len(), error.to_string(), TIME_HELP)
        }
        _ => Refusal::new(0..word.len(), format!("`{word}` is no time"), TIME_HELP),
    })
}

/// Reads a period, which is longer than nothing.
fn length(word: &str) -> Result<Duration, Refusal> {
    let period = time(word)? - Time::ZERO;
    match period == Duration::ZERO {
        true => Refusal::new(0..word.len(), format!("`{word}` is no time at all"), TIME_HELP),
        false => Ok(period),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use peerlet_core::SECOND;

    #[test]
    fn times_are_read() {
        let at = |seconds: u64| Time::ZERO + SECOND * seconds;
        for (text, when) in [
            ("90", When::At(at(90))),
            ("1m..90", When::Within(at(60), at(90))),
            ("every 10s", When::Every(at(10), None, SECOND * 10)),
            ("1m..  every  10", When::Every(at(60), None, SECOND * 10)),
            ("0..1m every 30s", When::Every(at(0), Some(at(60)), SECOND * 30)),
        ] {
            assert_eq!(When::parse(text).unwrap(), when, "{text}");
        }
    }

    #[test]
    fn wrong_times_are_refused() {
        let mut said = String::new();
        for text in
            ["soon", "1m..", "2m..1m", "1m..x", "every 0s", "every", "1m every 10s", "1..2 each 3"]
        {
            let Refusal { at, message, help } = When::parse(text).unwrap_err();
            said += &format!("{text} [{}] {message}\n    {help}\n", &text[at]);
        }
        expect![[r#"
            soon [soon] `soon` is no time
                write seconds such as 14.3, or a number with a unit such as 250ms
            1m.. [1m..] `1m..` has no end
                write its end, as in 1m..2m, or a period, as in `1m.. every 10s`
            2m..1m [2m..1m] `2m..1m` runs backward
                write 1m..2m
            1m..x [x] `x` is no time
                write seconds such as 14.3, or a number with a unit such as 250ms
            every 0s [0s] `0s` is no time at all
                write seconds such as 14.3, or a number with a unit such as 250ms
            every [every] `every` is no time
                write seconds such as 14.3, or a number with a unit such as 250ms
            1m every 10s [1m] this is one instant
                write 1m.. for from then on, as in `1m.. every 10s`
            1..2 each 3 [1..2 each 3] `1..2 each 3` is no time
                write a time, `1m..2m`, `every 10s` or `1m..5m every 10s`
        "#]]
        .assert_eq(&said);
    }
}
