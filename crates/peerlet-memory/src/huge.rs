//! Memory in large pages.

/// Tells the system that the whole room of this vector is going to be used all over, so that it had
/// better be in large pages: each of them is found at once, where small ones by the ten thousands
/// are looked up again and again. Nothing else changes, and where the system knows no large pages,
/// or the room is smaller than one, nothing at all.
///
/// Call it before the room is first touched.
///
/// ```
/// let mut numbers: Vec<u64> = Vec::with_capacity(1 << 20);
/// peerlet_memory::prefer_large_pages(&numbers);
/// numbers.extend(0..1 << 20);
/// assert_eq!(numbers[77], 77);
/// ```
pub fn prefer_large_pages<T>(vec: &Vec<T>) {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        /// The size of a large page nearly everywhere; elsewhere the advice is merely finer.
        const LARGE: usize = 2 << 20;
        let size = vec.capacity().saturating_mul(size_of::<T>());
        let from = (vec.as_ptr() as usize).next_multiple_of(LARGE);
        let to = (vec.as_ptr() as usize + size) / LARGE * LARGE;
        if from < to {
            let (place, size) = (vec.as_ptr().cast_mut().with_addr(from), to - from);
            // SAFETY: the range is inside the vector's own room, and the advice changes nothing of
            // what is in there, only how it is kept.
            let _refused = unsafe { libc::madvise(place.cast(), size, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = vec;
}
