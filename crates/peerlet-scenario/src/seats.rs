//! The notation for sets of seats: `*`, `3`, `4-9`, `0,4,7-9`, `10-*`, `10%`.

use std::ops::{Range, RangeInclusive};

use peerlet_core::Seed;
use peerlet_core::runtime::SeatSet;

/// Why a piece of text cannot be read: which part of it, what is wrong, what to do.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Refusal {
    pub(crate) fn new<T>(
        at: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Result<T, Refusal> {
        Err(Refusal { at, message: message.into(), help: help.into() })
    }

    /// The same refusal in a text that has this one at `offset`.
    pub(crate) fn shift(mut self, offset: usize) -> Refusal {
        self.at = self.at.start + offset..self.at.end + offset;
        self
    }
}

/// Seats as written, before random choices are made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Selection {
    /// These seats.
    Seats(SeatSet),
    /// This many seats, chosen at random.
    Count(u32),
}

/// A share of all peers is written with at most this many parts in 100 %: six decimals.
const SHARE_PARTS: u64 = 100_000_000;

impl Selection {
    /// Reads seats of a scenario with this many peers.
    pub(crate) fn parse(text: &str, peers: u32) -> Result<Selection, Refusal> {
        if let Some(percent) = text.strip_suffix('%') {
            return share(text, percent, peers).map(Selection::Count);
        }
        let mut ranges = Vec::new();
        let mut at = 0;
        for item in text.split(',') {
            ranges.push(range(item, peers).map_err(|refusal| refusal.shift(at))?);
            at += item.len() + 1;
        }
        Ok(Selection::Seats(SeatSet::from_ranges(ranges)))
    }

    /// The seats meant: those written, or as many as written, chosen at random among the
    /// `eligible`.
    pub(crate) fn resolve(self, eligible: &SeatSet, random: impl FnOnce() -> Seed) -> SeatSet {
        match self {
            Selection::Seats(seats) => seats,
            Selection::Count(count) => eligible.draw(count as usize, random()),
        }
    }
}

/// The remedy for seats that cannot be read.
pub(crate) const SEATS_HELP: &str = "write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*` or `10%`";

/// How many peers a share is: the nearest whole number.
fn share(text: &str, percent: &str, peers: u32) -> Result<u32, Refusal> {
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_decimal = !whole.is_empty() && digits(whole) && digits(fraction) && fraction.len() <= 6;
    let parts = format!("{whole}{fraction:0<6}").parse::<u64>().ok();
    let Some(parts) = parts.filter(|parts| is_decimal && *parts <= SHARE_PARTS) else {
        let help = "a share is a number from 0% to 100% with at most six decimals";
        return Refusal::new(0..text.len(), format!("`{text}` is no share of the peers"), help);
    };
    let count = (u64::from(peers) * parts + SHARE_PARTS / 2) / SHARE_PARTS;
    if count == 0 {
        let message = format!("{text} of {peers} peers is nobody");
        return Refusal::new(0..text.len(), message, "give a larger share or more peers");
    }
    Ok(count as u32)
}

/// Reads `*`, `i`, `i-j` or `i-*`.
fn range(text: &str, peers: u32) -> Result<RangeInclusive<u32>, Refusal> {
    let last = peers.saturating_sub(1);
    if text == "*" {
        return Ok(0..=last);
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let first = number(from, peers)?;
    let end = match to {
        "*" => last,
        to => number(to, peers).map_err(|refusal| refusal.shift(text.len() - to.len()))?,
    };
    if first > end {
        let message = format!("`{text}` runs backward");
        return Refusal::new(0..text.len(), message, format!("write {end}-{first}"));
    }
    Ok(first..=end)
}

/// Reads the number of a seat.
fn number(text: &str, peers: u32) -> Result<u32, Refusal> {
    if text.is_empty() {
        return Refusal::new(0..0, "a seat is missing", SEATS_HELP);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Refusal::new(0..text.len(), format!("`{text}` is no seat"), SEATS_HELP);
    }
    match text.parse() {
        Ok(seat) if seat < peers => Ok(seat),
        _ => {
            let message = format!("there is no seat {text}");
            let help = format!("{peers} peers have the seats 0 to {}", peers.saturating_sub(1));
            Refusal::new(0..text.len(), message, help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn seats(text: &str) -> SeatSet {
        match Selection::parse(text, 100).unwrap() {
            Selection::Seats(seats) => seats,
            Selection::Count(count) => panic!("{text} counts {count}"),
        }
    }

    /// The refusal of each text: the part that is wrong in brackets, the reason, the remedy.
    fn refused(texts: &[&str], expected: Expect) {
        let mut said = String::new();
        for text in texts {
            let refusal = Selection::parse(text, 100).unwrap_err();
            let wrong = &text[refusal.at];
            said += &format!("{text} [{wrong}] {}\n    {}\n", refusal.message, refusal.help);
        }
        expected.assert_eq(&said);
    }

    #[test]
    fn seats_are_read_and_written() {
        for (text, display, len) in [
            ("*", "0-99", 100),
            ("4", "4", 1),
            ("9,8,7,0,4", "0,4,7-9", 5),
            ("0-5,3-7,8", "0-8", 9),
            ("98-*", "98-99", 2),
            ("0,99", "0,99", 2),
        ] {
            assert_eq!((seats(text).to_string().as_str(), seats(text).len()), (display, len));
            assert_eq!(seats(text).iter().count(), len);
        }
    }

    #[test]
    fn shares_are_rounded_to_the_nearest() {
        let count = |text: &str, peers| match Selection::parse(text, peers) {
            Ok(Selection::Count(count)) => count,
            other => panic!("{other:?}"),
        };
        assert_eq!(count("10%", 1000), 100);
        assert_eq!(count("12.5%", 100), 13);
        assert_eq!(count("0.000001%", 100_000_000), 1);
        assert_eq!(count("100%", u32::MAX), u32::MAX);
    }

    #[test]
    fn bad_seats_are_refused() {
        refused(
            &["4,x", "100", "7-3", "3-200", "1,,2", "-3", "101%", "+5%", "%", "0.1%", ""],
            expect![[r#"
                4,x [x] `x` is no seat
                    write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*` or `10%`
                100 [100] there is no seat 100
                    100 peers have the seats 0 to 99
                7-3 [7-3] `7-3` runs backward
                    write 3-7
                3-200 [200] there is no seat 200
                    100 peers have the seats 0 to 99
                1,,2 [] a seat is missing
                    write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*` or `10%`
                -3 [] a seat is missing
                    write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*` or `10%`
                101% [101%] `101%` is no share of the peers
                    a share is a number from 0% to 100% with at most six decimals
                +5% [+5%] `+5%` is no share of the peers
                    a share is a number from 0% to 100% with at most six decimals
                % [%] `%` is no share of the peers
                    a share is a number from 0% to 100% with at most six decimals
                0.1% [0.1%] 0.1% of 100 peers is nobody
                    give a larger share or more peers
                 [] a seat is missing
                    write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*` or `10%`
            "#]],
        );
    }
}
