//! The notation for sets of seats: `*`, `3`, `4-9`, `0,4,7-9`, `10-*`, `east`, `10%`, `5 of east`.

use std::ops::RangeInclusive;

use peerlet_core::Seed;
use peerlet_core::runtime::SeatSet;

use crate::call::normalize;
use crate::problem::suggest;
use crate::refusal::Refusal;

/// Seats that have a name.
pub(crate) type NamedSeats = (String, SeatSet);

/// The seats that the notation can name.
#[derive(Clone, Copy)]
pub(crate) struct KnownSeats<'a> {
    /// How many there are.
    pub(crate) peers: u32,
    /// Those that have a name.
    pub(crate) named: &'a [NamedSeats],
}

/// Seats as written, before random choices are made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Selection {
    /// These seats.
    Seats(SeatSet),
    /// This many seats, chosen at random.
    Count {
        /// How many.
        count: u32,
        /// The seats among which they are chosen; all unless given.
        of: Option<SeatSet>,
        /// Whether the number is a share, which means those that can be chosen.
        is_share: bool,
    },
}

/// A share of all peers is written with at most this many parts in 100 %: six decimals.
const SHARE_PARTS: u64 = 100_000_000;

impl Selection {
    /// Reads seats of a scenario.
    pub(crate) fn parse(text: &str, known: KnownSeats<'_>) -> Result<Selection, Refusal> {
        let mut words = text.split_whitespace();
        if let (Some(number), Some("of"), Some(set), None) =
            (words.next(), words.next(), words.next(), words.next())
        {
            let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
            let of = seats(set, known).map_err(|refusal| refusal.shift(start(set)))?;
            let size = of.len() as u32;
            let refused = |refusal: Refusal| refusal.shift(start(number));
            return match number.strip_suffix('%') {
                Some(percent) => share(number, percent, size, Some(of)).map_err(refused),
                None => count(number, size, of).map_err(refused),
            };
        }
        match text.strip_suffix('%') {
            Some(percent) => share(text, percent, known.peers, None),
            None => seats(text, known).map(Selection::Seats),
        }
    }

    /// The seats meant: those written, or as many as written, chosen at random among the
    /// `eligible`.
    pub(crate) fn resolve(self, eligible: &SeatSet, random: impl FnOnce() -> Seed) -> SeatSet {
        match self {
            Selection::Seats(seats) => seats,
            Selection::Count { count, of: None, .. } => eligible.draw(count as usize, random()),
            Selection::Count { count, of: Some(of), .. } => {
                of.without(&of.without(eligible)).draw(count as usize, random())
            }
        }
    }

    /// As [`resolve`](Selection::resolve); refused where a number of seats is not there.
    pub(crate) fn choose(
        self,
        eligible: &SeatSet,
        random: impl FnOnce() -> Seed,
    ) -> Result<SeatSet, String> {
        let wanted = match &self {
            Selection::Count { count, is_share: false, .. } => *count as usize,
            _ => 0,
        };
        let chosen = self.resolve(eligible, random);
        match chosen.len() < wanted {
            true => Err(format!("only {} of these seats can be chosen", chosen.len())),
            false => Ok(chosen),
        }
    }
}

/// The remedy for a number of seats that is not there.
pub(crate) const CHOICE_HELP: &str = "ask for fewer: seats of servers are not chosen";

/// The remedy for seats that cannot be read.
pub(crate) const SEATS_HELP: &str =
    "write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*`, `10%` or `5 of 10-*`";

/// This many seats of a set of this size.
fn count(text: &str, size: u32, of: SeatSet) -> Result<Selection, Refusal> {
    match text.parse() {
        Ok(0) => Refusal::new(0..text.len(), "0 seats are nobody", "choose at least one"),
        Ok(count) if count <= size => Ok(Selection::Count { count, of: Some(of), is_share: false }),
        Ok(_) => {
            let message = format!("there are not {text} of them");
            Refusal::new(0..text.len(), message, format!("choose at most {size}"))
        }
        Err(_) => {
            let message = format!("`{text}` is no number of seats");
            Refusal::new(0..text.len(), message, "write a number or a share, as in `10% of 4-99`")
        }
    }
}

/// A share of a set of this size: the nearest whole number of seats.
fn share(text: &str, percent: &str, size: u32, of: Option<SeatSet>) -> Result<Selection, Refusal> {
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_decimal = !whole.is_empty() && digits(whole) && digits(fraction) && fraction.len() <= 6;
    let parts = format!("{whole}{fraction:0<6}").parse::<u64>().ok();
    let Some(parts) = parts.filter(|parts| is_decimal && *parts <= SHARE_PARTS) else {
        let help = "a share is a number from 0% to 100% with at most six decimals";
        return Refusal::new(0..text.len(), format!("`{text}` is no share of the peers"), help);
    };
    let count = (u64::from(size) * parts + SHARE_PARTS / 2) / SHARE_PARTS;
    if count == 0 {
        let message = format!("{text} of {size} peers is nobody");
        return Refusal::new(0..text.len(), message, "give a larger share or more peers");
    }
    Ok(Selection::Count { count: count as u32, of, is_share: true })
}

/// Reads a list of names and ranges.
fn seats(text: &str, known: KnownSeats<'_>) -> Result<SeatSet, Refusal> {
    let (mut ranges, mut at) = (Vec::new(), 0);
    for item in text.split(',') {
        match named(item, known) {
            Ok(Some(seats)) => ranges.extend(seats.ranges()),
            Ok(None) => {
                let range = range(item, known.peers).map_err(|refusal| refusal.shift(at))?;
                ranges.push(range);
            }
            Err(refusal) => return Err(refusal.shift(at)),
        }
        at += item.len() + 1;
    }
    Ok(SeatSet::from_ranges(ranges))
}

/// The seats of this name, where it looks like one and there are names.
fn named<'a>(text: &str, known: KnownSeats<'a>) -> Result<Option<&'a SeatSet>, Refusal> {
    if let Some((_, seats)) =
        known.named.iter().find(|(name, _)| normalize(name) == normalize(text))
    {
        return Ok(Some(seats));
    }
    let is_word = text.starts_with(|c: char| c.is_alphabetic());
    if !is_word || known.named.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = known.named.iter().map(|(name, _)| name.as_str()).collect();
    let help = match suggest(text, &names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the names are: {}", names.join(", ")),
    };
    Refusal::new(0..text.len(), format!("no seats are named `{text}`"), help)
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

    fn known(named: &[NamedSeats]) -> KnownSeats<'_> {
        KnownSeats { peers: 100, named }
    }

    fn seats(text: &str) -> SeatSet {
        match Selection::parse(text, known(&[])).unwrap() {
            Selection::Seats(seats) => seats,
            other => panic!("{text} is {other:?}"),
        }
    }

    /// The refusal of each text: the part that is wrong in brackets, the reason, the remedy.
    fn refused(texts: &[&str], expected: Expect) {
        let mut said = String::new();
        for text in texts {
            let refusal = Selection::parse(text, known(&[])).unwrap_err();
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
        let count =
            |text: &str, peers| match Selection::parse(text, KnownSeats { peers, named: &[] }) {
                Ok(Selection::Count { count, .. }) => count,
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
                    write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*`, `10%` or `5 of 10-*`
                100 [100] there is no seat 100
                    100 peers have the seats 0 to 99
                7-3 [7-3] `7-3` runs backward
                    write 3-7
                3-200 [200] there is no seat 200
                    100 peers have the seats 0 to 99
                1,,2 [] a seat is missing
                    write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*`, `10%` or `5 of 10-*`
                -3 [] a seat is missing
                    write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*`, `10%` or `5 of 10-*`
                101% [101%] `101%` is no share of the peers
                    a share is a number from 0% to 100% with at most six decimals
                +5% [+5%] `+5%` is no share of the peers
                    a share is a number from 0% to 100% with at most six decimals
                % [%] `%` is no share of the peers
                    a share is a number from 0% to 100% with at most six decimals
                0.1% [0.1%] 0.1% of 100 peers is nobody
                    give a larger share or more peers
                 [] a seat is missing
                    write peers as `*`, `3`, `4-9`, `0,4,7-9`, `10-*`, `10%` or `5 of 10-*`
            "#]],
        );
    }

    #[test]
    fn names_are_sets_and_parts_of_sets() {
        let named = [("the_east".to_owned(), SeatSet::from_ranges([10..=19]))];
        let all = SeatSet::all(100).without(&SeatSet::from_ranges([10..=10]));
        let choose = |text: &str| {
            let selection = Selection::parse(text, known(&named)).unwrap();
            selection.choose(&all, || Seed::new(1)).unwrap().to_string()
        };
        assert_eq!(choose("TheEast"), "10-19");
        assert_eq!(choose("the_east,3,15-21"), "3,10-21");
        assert_eq!(choose("9 of the_east"), "11-19", "seat 10 is a server");
        assert_eq!(choose("100% of the_east"), "11-19");
        assert_eq!(choose("2 of 98-*"), "98-99");
        let refused = |text: &str| {
            let Refusal { at, message, help } = Selection::parse(text, known(&named)).unwrap_err();
            format!("[{}] {message}; {help}", &text[at])
        };
        assert_eq!(
            refused("the_esat"),
            "[the_esat] no seats are named `the_esat`; did you mean `the_east`?"
        );
        assert_eq!(refused("11 of the_east"), "[11] there are not 11 of them; choose at most 10");
        assert_eq!(refused("0 of the_east"), "[0] 0 seats are nobody; choose at least one");
        assert_eq!(refused("3 of 200").split(';').next(), Some("[200] there is no seat 200"));
        let selection = Selection::parse("10 of the_east", known(&named)).unwrap();
        assert!(
            selection.choose(&all, || Seed::new(1)).unwrap_err().starts_with("only 9 of these")
        );
    }
}
