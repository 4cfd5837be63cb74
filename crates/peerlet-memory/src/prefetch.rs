//! Hints to the cache.

/// Asks the cache to load the element, because it is needed soon. Nothing else happens, whether the
/// index is inside the slice or not.
///
/// An element is loaded up to its second line of 64 bytes.
#[inline(always)]
pub fn prefetch<T>(slice: &[T], index: usize) {
    let place = (slice.as_ptr() as usize).wrapping_add(size_of::<T>().wrapping_mul(index));
    load(place);
    // One that is not aligned to its own size may lie across two lines.
    if size_of::<T>() > align_of::<T>() || size_of::<T>() > 64 {
        load(place.wrapping_add(second::<T>()));
    }
}

/// How far behind the first byte of a `T` its second line is asked for.
const fn second<T>() -> usize {
    match size_of::<T>() {
        0 => 0,
        size @ 1..=64 => size - 1,
        _ => 64,
    }
}

/// Asks the cache to load one of the lines of 64 bytes that a value takes.
#[inline(always)]
pub fn prefetch_line<T: ?Sized>(value: &T, line: usize) {
    load((std::ptr::from_ref(value).cast::<u8>() as usize).wrapping_add(line.wrapping_mul(64)));
}

/// Where the elements of a slice lie, for whoever cannot keep the slice. When the slice is gone or
/// has moved, prefetching does nothing useful, and nothing bad.
#[derive(Clone, Copy, Default, Debug)]
pub struct Hint {
    base: usize,
    size: usize,
    /// How far behind its first byte an element's second line is asked for.
    second: usize,
}

impl Hint {
    /// The place of this slice as it is now.
    #[inline]
    pub fn of<T>(slice: &[T]) -> Hint {
        Hint { base: slice.as_ptr() as usize, size: size_of::<T>(), second: second::<T>() }
    }

    /// As [`prefetch`], of the slice as it was.
    #[inline(always)]
    pub fn prefetch(self, index: usize) {
        let place = self.base.wrapping_add(self.size.wrapping_mul(index));
        load(place);
        load(place.wrapping_add(self.second));
    }
}

#[inline(always)]
pub(crate) fn load(place: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and faults nowhere, whatever the address; SSE is part of
        // every x86_64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(place)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

#[cfg(test)]
mod tests {
    use super::{Hint, prefetch, prefetch_line};

    #[test]
    fn any_index_will_do() {
        let numbers = [1u64, 2, 3];
        [0, 2, 3, usize::MAX].into_iter().for_each(|index| prefetch(&numbers, index));
        prefetch::<[u8; 200]>(&[], 5);
        prefetch(&[(), ()], 1);
        [0, 1, usize::MAX].into_iter().for_each(|line| prefetch_line(&numbers, line));
        [0, 9, usize::MAX].into_iter().for_each(|index| {
            Hint::of(&numbers).prefetch(index);
            Hint::default().prefetch(index);
        });
        assert_eq!(numbers, [1, 2, 3]);
    }
}
