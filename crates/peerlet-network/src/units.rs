//! Rates and sizes as scenarios write them.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// So many bits in a second, at least one: `"20 Mbit/s"`, `"1.5 MB/s"`.
///
/// ```
/// use peerlet_network::Rate;
/// assert_eq!("20 Mbit/s".parse(), Ok(Rate::bits(20_000_000)));
/// assert_eq!("1 MB/s".parse::<Rate>()?.to_string(), "8 Mbit/s");
/// assert!("0 Mbit/s".parse::<Rate>().is_err());
/// # Ok::<(), peerlet_network::QuantityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rate(u64);

/// So many bytes: `"64 KiB"`, `"1.5 MB"`, `"900 B"`.
///
/// ```
/// use peerlet_network::Size;
/// assert_eq!("64 KiB".parse(), Ok(Size::bytes(65_536)));
/// # Ok::<(), peerlet_network::QuantityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Size(u64);

/// The units of rates, in bits a second.
const RATES: [(&str, u64); 8] = [
    ("bit/s", 1),
    ("kbit/s", 1_000),
    ("Mbit/s", 1_000_000),
    ("Gbit/s", 1_000_000_000),
    ("B/s", 8),
    ("kB/s", 8_000),
    ("MB/s", 8_000_000),
    ("GB/s", 8_000_000_000),
];

/// The units of sizes, in bytes.
const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// The greatest rate: 1,000 Gbit/s, where a byte takes less than a hundredth of a nanosecond.
const RATE_MAX: u64 = 1_000_000_000_000;

/// The greatest size: 1 TiB.
const SIZE_MAX: u64 = 1 << 40;

impl Rate {
    /// So many bits a second.
    ///
    /// # Panics
    /// Panics when they are none, or more than 10^12.
    #[track_caller]
    pub const fn bits(bits_a_second: u64) -> Rate {
        assert!(bits_a_second > 0 && bits_a_second <= RATE_MAX, "from 1 bit/s to 1,000 Gbit/s");
        Rate(bits_a_second)
    }

    /// How many bits pass in a second.
    pub const fn as_bits(self) -> u64 {
        self.0
    }
}

impl Size {
    /// So many bytes.
    pub const fn bytes(bytes: u64) -> Size {
        Size(bytes)
    }

    /// How many bytes these are.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

/// Why a text is no rate or size.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum QuantityError {
    /// The text is not a number and a unit.
    Rate(String),
    /// The text is not a number and a unit.
    Size(String),
    /// Nothing would ever pass at this rate.
    Standstill(String),
    /// The rate or the size is too large.
    TooLarge(String),
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QuantityError::Rate(text) => {
                write!(f, "`{text}` is no rate; write a number and a unit, as \"20 Mbit/s\"")
            }
            QuantityError::Size(text) => {
                write!(f, "`{text}` is no size; write a number and a unit, as \"64 KiB\"")
            }
            QuantityError::Standstill(text) => write!(
                f,
                "at `{text}` nothing would ever pass; give at least 1 bit/s, or leave the limit out"
            ),
            QuantityError::TooLarge(text) => {
                write!(f, "`{text}` is too large; rates end at 1000 Gbit/s, sizes at 1024 GiB")
            }
        }
    }
}

impl std::error::Error for QuantityError {}

/// The number of smallest units in a text, if it is one.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    Some(number.parse::<f64>().ok()? * *scale as f64)
}

impl FromStr for Rate {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Rate, QuantityError> {
        match parse(text, &RATES) {
            None => Err(QuantityError::Rate(text.to_owned())),
            Some(bits) if bits < 1.0 => Err(QuantityError::Standstill(text.to_owned())),
            Some(bits) if bits > RATE_MAX as f64 => Err(QuantityError::TooLarge(text.to_owned())),
            Some(bits) => Ok(Rate(bits.round() as u64)),
        }
    }
}

impl FromStr for Size {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Size, QuantityError> {
        match parse(text, &SIZES) {
            None => Err(QuantityError::Size(text.to_owned())),
            Some(bytes) if bytes > SIZE_MAX as f64 => Err(QuantityError::TooLarge(text.to_owned())),
            Some(bytes) => Ok(Size(bytes.round() as u64)),
        }
    }
}

/// Reads a quantity from a text, and says what it is where there is none.
struct Text<T>(&'static str, PhantomData<T>);

impl<T: FromStr<Err = QuantityError>> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        deserializer.deserialize_str(Text("a rate, as \"20 Mbit/s\"", PhantomData))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        deserializer.deserialize_str(Text("a size, as \"64 KiB\"", PhantomData))
    }
}

/// Writes a number in the largest of these units that leaves it whole.
fn write_in(f: &mut fmt::Formatter<'_>, number: u64, units: &[(&str, u64)]) -> fmt::Result {
    let fits = |(_, scale): &&(&str, u64)| number.is_multiple_of(*scale) && number >= *scale;
    let (unit, scale) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    write!(f, "{} {unit}", number / scale)
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in(f, self.0, &RATES[..4])
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in(f, self.0, &[SIZES[0], SIZES[4], SIZES[5], SIZES[6]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_sizes_are_read_and_written() {
        for (text, bits, written) in [
            ("1bit/s", 1, "1 bit/s"),
            ("56 kbit/s", 56_000, "56 kbit/s"),
            (" 1.5 Mbit/s", 1_500_000, "1500 kbit/s"),
            ("2.5 GB/s", 20_000_000_000, "20 Gbit/s"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.as_bits(), rate.to_string().as_str()), (bits, written), "{text}");
        }
        for (text, bytes, written) in
            [("0 B", 0, "0 B"), ("64 KiB", 65_536, "64 KiB"), ("1.5 kB", 1_500, "1500 B")]
        {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.as_bytes(), size.to_string().as_str()), (bytes, written), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let rate = |text: &str| text.parse::<Rate>().unwrap_err().to_string();
        for bad in ["", "5", "Mbit/s", "-1 Mbit/s", "1 mbit/s", "1..2 bit/s", "5 MiB"] {
            assert!(rate(bad).contains("is no rate"), "{bad}");
            assert!(bad == "5 MiB" || bad.parse::<Size>().is_err(), "{bad}");
        }
        assert_eq!(
            rate("0.5 bit/s"),
            "at `0.5 bit/s` nothing would ever pass; give at least 1 bit/s, or leave the limit out"
        );
        assert!(rate("1001 Gbit/s").contains("is too large"));
        assert!("9999999 GiB".parse::<Size>().unwrap_err().to_string().contains("is too large"));
    }
}
