//! A list of numbers that takes no more memory than its encoding. Reports are long, and most of
//! their numbers are small.

use std::fmt;
use std::iter;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

/// Numbers in seven bits a byte, the lowest first; all bytes of a number but its last have their
/// highest bit set. It encodes as a list of `u64`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Numbers {
    len: usize,
    bytes: Vec<u8>,
}

impl Numbers {
    pub(crate) fn push(&mut self, mut number: u64) {
        self.len += 1;
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        let mut bytes = self.bytes.iter();
        iter::from_fn(move || {
            let (mut number, mut shift) = (0, 0);
            loop {
                let byte = *bytes.next()?;
                number |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    return Some(number);
                }
                shift += 7;
            }
        })
    }
}

impl FromIterator<u64> for Numbers {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Numbers {
        let mut all = Numbers::default();
        numbers.into_iter().for_each(|number| all.push(number));
        all
    }
}

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(self.len))?;
        self.iter().try_for_each(|number| list.serialize_element(&number))?;
        list.end()
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Numbers, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Numbers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Numbers, A::Error> {
                let mut numbers = Numbers::default();
                while let Some(number) = items.next_element()? {
                    numbers.push(number);
                }
                Ok(numbers)
            }
        }

        from.deserialize_seq(List)
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::wire;

    use super::*;

    #[test]
    fn numbers_encode_as_a_list_and_take_no_more_memory_than_that() {
        let powers = (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit]);
        let list: Vec<u64> = powers.chain([u64::MAX]).chain([0; 5000]).collect();
        let (mut plain, mut small) = (Vec::new(), Vec::new());
        let numbers: Numbers = list.iter().copied().collect();
        assert_eq!(numbers.len(), list.len());
        wire::encode(&list, &mut plain).unwrap();
        wire::encode(&numbers, &mut small).unwrap();
        assert_eq!(small, plain, "the same bytes");
        let read: Numbers = wire::decode(&small).unwrap();
        assert_eq!(read, numbers);
        assert_eq!(Vec::from_iter(read.iter()), list);
        let room = read.bytes.capacity();
        assert!(room <= 2 * small.len(), "{room} bytes of memory for {}", small.len());
    }
}
