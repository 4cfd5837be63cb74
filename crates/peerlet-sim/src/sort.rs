//! Puts the events of one bucket into order, without moving them: neighbors together, and each
//! peer's own by time.

use std::mem;

/// A handle is the place of an event in the high bits and its index below.
pub(crate) const INDEX_BITS: u32 = crate::packed::PLACE_SHIFT;

/// As many events can be told apart by their index.
pub(crate) const INDICES: usize = 1 << INDEX_BITS;

/// Fewer than this are sorted by comparing.
const FEW: usize = 48;

/// The most bits that the counting pass looks at.
const COUNTED_MAX: u32 = 12;

/// What is used again from sort to sort.
#[derive(Default)]
pub(crate) struct Scratch {
    heads: Vec<u32>,
    sorted: Vec<u64>,
}

/// Orders handles, given how many bits their places have and how many of these, the highest, are
/// the destination's: destinations of one group stand together, groups ascend, and the handles of
/// one destination ascend. Says whether any two have the same place.
///
/// One counting pass makes about as many groups as there are handles. Which of its group's peers
/// comes first makes no difference, so a group is sorted only when one of them has several events.
pub(crate) fn sort(
    handles: &mut Vec<u64>,
    scratch: &mut Scratch,
    place_bits: u32,
    destination_bits: u32,
) -> bool {
    let n = handles.len();
    if n < FEW {
        handles.sort_unstable();
        return has_ties(handles);
    }
    let counted = n.ilog2().min(COUNTED_MAX).min(destination_bits);
    let group_shift = INDEX_BITS + place_bits - counted;
    let Scratch { heads, sorted } = scratch;
    heads.clear();
    heads.resize(1 << counted, 0);
    // What is there already is overwritten: no need to clear it.
    sorted.resize(n, 0);
    for handle in handles.iter() {
        heads[(handle >> group_shift) as usize] += 1;
    }
    let mut sum = 0u32;
    for head in heads.iter_mut() {
        sum = sum.wrapping_add(mem::replace(head, sum));
    }
    for handle in handles.iter() {
        let head = &mut heads[(handle >> group_shift) as usize];
        sorted[*head as usize] = *handle;
        *head = head.wrapping_add(1);
    }
    mem::swap(handles, sorted);
    let shift = INDEX_BITS + place_bits - destination_bits;
    mend(handles, shift, group_shift)
}

/// Sorts the groups in which a destination has several events; says whether any two events have the
/// same place.
fn mend(handles: &mut [u64], shift: u32, group_shift: u32) -> bool {
    let (mut ties, mut i, mut group, mut seen) = (false, 0, u64::MAX, 0u64);
    while let Some(&handle) = handles.get(i) {
        let now = handle >> group_shift;
        // A bit for each of the group's first 64 peers; of more, some share one.
        let bit = 1 << (handle >> shift & 63);
        seen = if now == group { seen } else { 0 };
        if seen & bit != 0 {
            ties |= mend_group(handles, &mut i, group_shift);
            (group, seen) = (u64::MAX, 0);
            continue;
        }
        (group, seen, i) = (now, seen | bit, i + 1);
    }
    ties
}

/// Sorts the group of handles that `i` is in, and goes to its end.
#[inline(never)]
fn mend_group(handles: &mut [u64], i: &mut usize, group_shift: u32) -> bool {
    let is_same = |handle: &&u64| **handle >> group_shift == handles[*i] >> group_shift;
    let before = handles[..*i].iter().rev().take_while(is_same).count();
    let behind = handles[*i..].iter().take_while(is_same).count();
    let group = &mut handles[*i - before..*i + behind];
    group.sort_unstable();
    *i += behind;
    has_ties(group)
}

fn has_ties(handles: &[u64]) -> bool {
    handles.windows(2).any(|pair| (pair[0] ^ pair[1]) >> INDEX_BITS == 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use peerlet_core::Seed;

    use super::*;

    /// The handles of each destination, in the order in which they stand.
    fn by_destination(handles: &[u64], shift: u32) -> BTreeMap<u64, Vec<u64>> {
        let mut found = BTreeMap::<u64, Vec<u64>>::new();
        for handle in handles {
            found.entry(handle.checked_shr(shift).unwrap_or(0)).or_default().push(*handle);
        }
        found
    }

    #[test]
    fn each_destinations_events_ascend() {
        let (mut rng, mut scratch) = (Seed::new(3).rng(), Scratch::default());
        for (place_bits, bits) in [(1, 1), (6, 1), (12, 12), (38, 12), (38, 4), (44, 20)] {
            for n in [0, 1, 2, 47, 48, 500, 5_000, 70_000] {
                for spread in [1, 2, 1 << 20, u64::MAX] {
                    let place = |bits: u64| bits % spread % (1 << place_bits);
                    let mut handles: Vec<u64> =
                        (0..n).map(|i| place(rng.bits()) << INDEX_BITS | i).collect();
                    let mut expected = handles.clone();
                    expected.sort_unstable();
                    let ties = sort(&mut handles, &mut scratch, place_bits, bits);
                    assert_eq!(ties, has_ties(&expected));
                    let shift = INDEX_BITS + place_bits - bits;
                    let [seen, expected] =
                        [&handles, &expected].map(|handles| by_destination(handles, shift));
                    assert_eq!(seen, expected, "{n} handles of {place_bits} bits");
                }
            }
        }
    }
}
