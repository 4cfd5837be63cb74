//! Puts the events of one bucket into order, without moving them: by destination and time.

use std::mem;

/// A handle is the place of an event in the high bits and its index below.
pub(crate) const INDEX_BITS: u32 = crate::packed::PLACE_SHIFT;

/// As many events can be told apart by their index.
pub(crate) const INDICES: usize = 1 << INDEX_BITS;

/// Fewer than this are sorted by comparing.
const FEW: usize = 48;

/// How many bits one counting pass looks at, at most.
const PASS_BITS: u32 = 8;

/// What is used again from sort to sort.
#[derive(Default)]
pub(crate) struct Scratch {
    sorted: Vec<u64>,
}

/// Sorts handles, given how many bits their places have and how many of these, the highest, are the
/// destination's. Says whether any two have the same place.
///
/// Counting passes by the destination, from the low bits to the high ones; then only events of the
/// same destination may stand wrong, and are mended.
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
    let low = INDEX_BITS + place_bits - destination_bits;
    let passes = destination_bits.div_ceil(PASS_BITS);
    for pass in 0..passes {
        // The bits are shared out evenly: two passes of six for a block of 4,096.
        let (from, to) = (destination_bits * pass / passes, destination_bits * (pass + 1) / passes);
        // What is there already is overwritten: no need to clear it.
        scratch.sorted.resize(n, 0);
        count(handles, &mut scratch.sorted, low + from, to - from);
        mem::swap(handles, &mut scratch.sorted);
    }
    mend(handles, low)
}

/// One stable counting pass.
fn count(handles: &[u64], sorted: &mut [u64], shift: u32, bits: u32) {
    let mut heads = [0u32; 1 << PASS_BITS];
    let mask = (1usize << bits) - 1;
    for handle in handles {
        heads[(handle >> shift) as usize & mask & 0xff] += 1;
    }
    let mut sum = 0u32;
    for head in &mut heads[..=mask] {
        sum = sum.wrapping_add(mem::replace(head, sum));
    }
    for handle in handles {
        let head = &mut heads[(handle >> shift) as usize & mask & 0xff];
        sorted[*head as usize] = *handle;
        *head = head.wrapping_add(1);
    }
}

/// Puts the handles of each destination into order; says whether any two have the same place.
fn mend(handles: &mut [u64], shift: u32) -> bool {
    let Some(&(mut last)) = handles.first() else { return false };
    let (mut ties, mut i) = (false, 1);
    while let Some(&handle) = handles.get(i) {
        let differ = (last ^ handle) >> shift;
        (last, i) = (handle, i + 1);
        if differ == 0 {
            ties |= mend_run(handles, &mut i, shift);
            last = handles[i - 1];
        }
    }
    ties
}

/// Puts the run of handles into order that the two before `i` begin, and goes to its end.
#[inline(never)]
fn mend_run(handles: &mut [u64], i: &mut usize, shift: u32) -> bool {
    let from = *i - 2;
    let is_same = |handle: &&u64| (**handle ^ handles[from]) >> shift == 0;
    *i += handles[*i..].iter().take_while(is_same).count();
    let run = &mut handles[from..*i];
    run.sort_unstable();
    has_ties(run)
}

fn has_ties(handles: &[u64]) -> bool {
    handles.windows(2).any(|pair| (pair[0] ^ pair[1]) >> INDEX_BITS == 0)
}

#[cfg(test)]
mod tests {
    use peerlet_core::Seed;

    use super::*;

    #[test]
    fn any_handles_come_into_order() {
        let (mut rng, mut scratch) = (Seed::new(3).rng(), Scratch::default());
        for (place_bits, destination_bits) in [(1, 1), (6, 0), (12, 12), (38, 12), (44, 20)] {
            for n in [0, 1, 2, 47, 48, 500, 5_000, 70_000] {
                for spread in [1, 2, 1 << 20, u64::MAX] {
                    let place = |bits: u64| bits % spread % (1 << place_bits);
                    let mut handles: Vec<u64> =
                        (0..n).map(|i| place(rng.bits()) << INDEX_BITS | i).collect();
                    let mut expected = handles.clone();
                    expected.sort_unstable();
                    let ties = sort(&mut handles, &mut scratch, place_bits, destination_bits);
                    assert_eq!(ties, has_ties(&expected));
                    assert_eq!(handles, expected, "{n} handles of {place_bits} bits");
                }
            }
        }
    }
}
