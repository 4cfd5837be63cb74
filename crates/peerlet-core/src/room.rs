//! Decoding that allocates room for items as they come.
//!
//! A list or a map states its length before its items, and containers reserve that many places at
//! once. A message of ten bytes that claims many large items would take up to a mebibyte. The
//! adapter here passes on small lengths only. It works on top of any codec.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

/// The most items for which room is made before they are there: few enough that large ones take a
/// few KiB, and enough that short lists are allocated once.
pub(crate) const RESERVED_MAX: usize = 32;

/// A deserializer, visitor or access of serde's that announces at most [`RESERVED_MAX`] items. It
/// wraps all parts of a value in itself.
pub(crate) struct Sparing<T>(T);

/// The way to decode an `M` sparingly.
pub(crate) fn sparing<M>() -> Sparing<PhantomData<M>> {
    Sparing(PhantomData)
}

impl<'de, M: Deserialize<'de>> Sparing<PhantomData<M>> {
    /// Decodes from any codec.
    pub(crate) fn decode<D: Deserializer<'de>>(self, from: D) -> Result<M, D::Error> {
        M::deserialize(Sparing(from))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Sparing<S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Sparing(from))
    }
}

/// Values without parts: their visitors need no adapter.
macro_rules! plain {
    ($($name:ident)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$name(visitor)
        }
    )*};
}

/// Values with parts, which are visited sparingly.
macro_rules! parts {
    ($($name:ident($($argument:ident: $type:ty),*))*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.0.$name($($argument,)* Sparing(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Sparing<D> {
    type Error = D::Error;

    // The codecs do not describe their values: both refuse `deserialize_any`.
    plain! {
        deserialize_any deserialize_ignored_any deserialize_identifier deserialize_unit
        deserialize_bool deserialize_char deserialize_f32 deserialize_f64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
    }

    parts! {
        deserialize_option()
        deserialize_seq()
        deserialize_map()
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_newtype_struct(name: &'static str)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, visitor)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Sparing<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    #[inline]
    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Sparing(from))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Sparing(from))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Sparing(items))
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Sparing(entries))
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Sparing(variant))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Sparing<A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Sparing(seed))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint().map(|len| len.min(RESERVED_MAX))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Sparing<A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Sparing(seed))
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Sparing(seed))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint().map(|len| len.min(RESERVED_MAX))
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Sparing<A> {
    type Error = A::Error;
    type Variant = Sparing<A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Sparing<A::Variant>), A::Error> {
        let (value, variant) = self.0.variant_seed(Sparing(seed))?;
        Ok((value, Sparing(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Sparing<A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Sparing(seed))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, Sparing(visitor))
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Sparing(visitor))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::wire::{Codec, DecodeError};

    thread_local! {
        /// The longest list or map that a decoder has announced to a container.
        static ANNOUNCED: Cell<usize> = const { Cell::new(0) };
    }

    /// A list that records the length announced before its items, as a container would use it.
    #[derive(Debug)]
    struct Noted;

    impl<'de> Deserialize<'de> for Noted {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Noted, D::Error> {
            from.deserialize_seq(Noted)
        }
    }

    impl<'de> Visitor<'de> for Noted {
        type Value = Noted;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list or a map of bytes")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Noted, A::Error> {
            ANNOUNCED.set(ANNOUNCED.get().max(items.size_hint().unwrap_or(0)));
            while items.next_element::<u8>()?.is_some() {}
            Ok(Noted)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Noted, A::Error> {
            ANNOUNCED.set(ANNOUNCED.get().max(entries.size_hint().unwrap_or(0)));
            while entries.next_entry::<u8, u8>()?.is_some() {}
            Ok(Noted)
        }
    }

    /// The same, as a map.
    #[derive(Debug)]
    struct NotedMap;

    impl<'de> Deserialize<'de> for NotedMap {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<NotedMap, D::Error> {
            from.deserialize_map(Noted).map(|Noted| NotedMap)
        }
    }

    /// Every place in which a list can be.
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "they are decoded, and never made")]
    enum Places {
        List(Noted),
        Map(NotedMap),
        Tuple(u8, Option<Noted>),
        Struct { inner: (u8, [Noted; 1]) },
        Deep(BTreeMap<u8, Vec<Option<Noted>>>),
    }

    #[test]
    fn no_claim_of_many_items_reaches_a_container() {
        for codec in Codec::ALL {
            let encoded = |len: u64| {
                let mut bytes = Vec::new();
                codec.encode(&len, &mut bytes).unwrap();
                bytes
            };
            let heads: [&[u8]; 5] = [&[0], &[1], &[2, 7, 1], &[3, 7], &[4, 1, 9, 1, 1]];
            for head in heads {
                let items = vec![5; if head == [1] { 400 } else { 200 }];
                let list = [head, &encoded(200), &items].concat();
                codec.decode::<Places>(&list).unwrap();
                let bomb = [head, &encoded(u64::MAX / 2)].concat();
                assert_eq!(
                    codec.decode::<Places>(&bomb).unwrap_err(),
                    DecodeError::Malformed,
                    "{head:?}"
                );
            }
            let announced = ANNOUNCED.get();
            assert!((1..=RESERVED_MAX).contains(&announced), "{announced} items were announced");
        }
    }

    #[test]
    fn room_grows_with_the_items_that_are_there() {
        for codec in Codec::ALL {
            for len in [0, 1, RESERVED_MAX, RESERVED_MAX + 1, 1000] {
                let mut bytes = Vec::new();
                codec.encode(&vec![7u64; len], &mut bytes).unwrap();
                let list: Vec<u64> = codec.decode(&bytes).unwrap();
                assert_eq!(list, vec![7; len]);
                assert!(
                    list.capacity() <= (2 * len).max(RESERVED_MAX),
                    "{} for {len}",
                    list.capacity()
                );
            }
        }
    }

    /// A value of every kind that serde knows.
    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    struct Everything {
        signed: (i8, i16, i32, i64, i128),
        unsigned: (u8, u16, u32, u64, u128),
        others: (bool, f32, f64, char),
        text: String,
        unit: (),
        nothing: Nothing,
        options: [Option<u8>; 2],
        newtype: Newtype,
        pair: Pair,
        map: BTreeMap<String, Vec<Kind>>,
    }

    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    struct Nothing;
    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    struct Newtype(Vec<u16>);
    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    struct Pair(u8, String);
    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    enum Kind {
        Unit,
        Newtype(Newtype),
        Tuple(u8, u8),
        Struct { field: u64 },
    }

    #[test]
    fn values_of_every_kind_are_decoded_as_they_were_encoded() {
        for codec in Codec::ALL {
            let kinds = vec![
                Kind::Unit,
                Kind::Newtype(Newtype(vec![1])),
                Kind::Tuple(1, 2),
                Kind::Struct { field: u64::MAX },
            ];
            let everything = Everything {
                signed: (-1, -2, -3, -4, -5),
                unsigned: (1, 2, 3, 4, 5),
                others: (true, 0.5, -0.25, 'é'),
                text: "text".to_owned(),
                unit: (),
                nothing: Nothing,
                options: [None, Some(1)],
                newtype: Newtype((0..100).collect()),
                pair: Pair(9, String::new()),
                map: BTreeMap::from([("a".to_owned(), kinds), ("b".to_owned(), vec![])]),
            };
            let mut bytes = Vec::new();
            codec.encode(&everything, &mut bytes).unwrap();
            assert_eq!(codec.decode::<Everything>(&bytes).unwrap(), everything);
            for end in 0..bytes.len() {
                assert_eq!(codec.decode::<Everything>(&bytes[..end]), Err(DecodeError::Malformed));
            }
        }
    }
}
