//! A map that usually has few entries.

use std::hash::Hash;
use std::mem;

use crate::map::Map;

/// So many entries are looked through one by one.
const FEW: usize = 16;

/// A map that is a plain row while it has few entries, and hashes when it has more. Many peers have
/// several of these each, nearly always with one entry or none: that one is in place.
pub(crate) struct SmallMap<K, V> {
    first: Option<(K, V)>,
    /// The others.
    more: More<K, V>,
}

enum More<K, V> {
    Row(Vec<(K, V)>),
    Map(Box<Map<K, V>>),
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> SmallMap<K, V> {
        SmallMap { first: None, more: More::Row(Vec::new()) }
    }
}

impl<K: Copy + Eq + Hash, V> SmallMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        let more = match &self.more {
            More::Row(row) => row.len(),
            More::Map(map) => map.len(),
        };
        usize::from(self.first.is_some()) + more
    }

    /// The entry that is in place.
    pub(crate) fn first(&self) -> Option<&V> {
        self.first.as_ref().map(|(_, value)| value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        match (&self.first, &self.more) {
            (Some((first, value)), _) if *first == key => Some(value),
            (_, More::Row(row)) => row.iter().find(|(k, _)| *k == key).map(|(_, value)| value),
            (_, More::Map(map)) => map.get(&key),
        }
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        match (&mut self.first, &mut self.more) {
            (Some((first, value)), _) if *first == key => Some(value),
            (_, More::Row(row)) => row.iter_mut().find(|(k, _)| *k == key).map(|(_, v)| v),
            (_, More::Map(map)) => map.get_mut(&key),
        }
    }

    /// Puts an entry in; one with the same key is replaced.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if let Some(known) = self.get_mut(key) {
            *known = value;
            return;
        }
        match &mut self.more {
            _ if self.first.is_none() => self.first = Some((key, value)),
            More::Row(row) if row.len() < FEW => row.push((key, value)),
            More::Row(row) => {
                let mut map: Map<K, V> = mem::take(row).into_iter().collect();
                map.insert(key, value);
                self.more = More::Map(Box::new(map));
            }
            More::Map(map) => {
                map.insert(key, value);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        if let Some((_, value)) = self.first.take_if(|(first, _)| *first == key) {
            return Some(value);
        }
        match &mut self.more {
            More::Row(row) => {
                let place = row.iter().position(|(k, _)| *k == key)?;
                Some(row.swap_remove(place).1)
            }
            More::Map(map) => {
                let value = map.swap_remove(&key);
                if map.is_empty() {
                    self.more = More::Row(Vec::new());
                }
                value
            }
        }
    }

    /// Keeps the entries of which this is true.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(K, &mut V) -> bool) {
        self.first.take_if(|(key, value)| !keep(*key, value));
        match &mut self.more {
            More::Row(row) => row.retain_mut(|(key, value)| keep(*key, value)),
            More::Map(map) => map.retain(|key, value| keep(*key, value)),
        }
    }

    /// All values, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        let (row, map) = match &self.more {
            More::Row(row) => (Some(row), None),
            More::Map(map) => (None, Some(map)),
        };
        let row = row.into_iter().flatten().map(|(_, value)| value);
        let map = map.into_iter().flat_map(|map| map.values());
        self.first.iter().map(|(_, value)| value).chain(row).chain(map)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::random::Seed;

    #[test]
    fn it_is_a_map_of_any_size() {
        let mut rng = Seed::new(1).rng();
        let (mut few, mut model) = (SmallMap::default(), BTreeMap::new());
        let mut most = 0;
        for step in 0..20_000u64 {
            // It grows and shrinks again, now and then.
            let (key, grows) = (rng.below(40) as u32, step / 500 % 2 == 0);
            match rng.below(10) {
                0 => assert_eq!(few.get(key), model.get(&key)),
                1 => assert_eq!(few.get_mut(key), model.get_mut(&key)),
                2..6 if grows => {
                    few.insert(key, step);
                    model.insert(key, step);
                }
                6 => {
                    few.retain(|key, _| key % 7 != 0);
                    model.retain(|key, _| key % 7 != 0);
                }
                7 => {
                    let mut values: Vec<_> = few.values().copied().collect();
                    values.sort_unstable();
                    let mut expected: Vec<_> = model.values().copied().collect();
                    expected.sort_unstable();
                    assert_eq!(values, expected);
                }
                _ => assert_eq!(few.remove(key), model.remove(&key)),
            }
            assert_eq!((few.len(), few.is_empty()), (model.len(), model.is_empty()));
            most = most.max(few.len());
        }
        few.retain(|_, _| false);
        assert!(most > FEW + 2 && few.is_empty() && few.values().next().is_none());
    }
}
