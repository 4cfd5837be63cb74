//! Rows in large pages.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::prefetch::{load, prefetch};

/// The size of a large page nearly everywhere; elsewhere nothing is gained and nothing lost.
const LARGE: usize = 2 << 20;

/// Tables of this size and more begin at different lines of a small page.
const STAGGERED: usize = 64 << 10;
/// So many bytes apart, an odd number of lines.
const STEP: usize = 5 * 64;
/// So many different beginnings, which stay inside a small page.
const STEPS: usize = 12;

/// How many tables were made.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// A vector that never grows beyond the room that it is made with, and never moves.
///
/// Where its room is larger than half a large page, it is in large pages if the system has them:
/// the place of each is found at once, where small ones by the ten thousands are looked up again
/// and again, which costs more than the rows themselves. Room that is not used yet takes no more
/// memory than that of one page.
///
/// Tables are often looked up side by side, at the same row in each. The same row of two large
/// tables with rows of one size would be at addresses that are alike in their low bits, by which
/// processors guess where in the cache something is; so such tables begin a little apart.
///
/// ```
/// use peerlet_memory::Table;
/// let mut table = Table::with_room(1_000);
/// table.resize_with(3, || 7u64);
/// table[2] += 1;
/// assert_eq!(table[..], [7, 7, 8]);
/// ```
pub struct Table<T> {
    start: NonNull<T>,
    len: usize,
    room: usize,
    /// The allocation and its layout; nothing if the layout has no size.
    block: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a table owns its rows, as a vector does; nobody else knows where they are.
unsafe impl<T: Send> Send for Table<T> {}
// SAFETY: as above; a shared table gives out shared rows only.
unsafe impl<T: Sync> Sync for Table<T> {}

impl<T> Table<T> {
    /// Whether no row lies across two lines of the cache.
    const FITS_LINES: bool = size_of::<T>() <= 64 && size_of::<T>().is_power_of_two();

    /// A table with room for this many rows, which is empty.
    ///
    /// # Panics
    /// Panics when there can be no such room.
    pub fn with_room(room: usize) -> Table<T> {
        let (layout, offset) = layout::<T>(room);
        if layout.size() == 0 {
            let start = NonNull::dangling();
            return Table { start, len: 0, room, block: start.cast(), layout };
        }
        // SAFETY: the size is not zero.
        let block = unsafe { alloc(layout) };
        let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
        prefer_large_pages(block, layout);
        // SAFETY: the layout has room for the offset and all rows behind it.
        let start = unsafe { block.byte_add(offset) }.cast();
        Table { start, len: 0, room, block, layout }
    }

    /// Appends rows until there are this many, or drops the last ones.
    ///
    /// # Panics
    /// Panics when there is no room for them.
    pub fn resize_with(&mut self, len: usize, mut make: impl FnMut() -> T) {
        assert!(len <= self.room, "a table has room for {} rows, not for {len}", self.room);
        while self.len > len {
            self.len -= 1;
            // SAFETY: this row was one of the table's, and is not any more.
            unsafe { self.start.add(self.len).drop_in_place() };
        }
        while self.len < len {
            let row = make();
            // SAFETY: the room has this place, and nothing is there.
            unsafe { self.start.add(self.len).write(row) };
            self.len += 1;
        }
    }

    /// Asks the cache for a row, as [`prefetch`] does for an element of any slice.
    #[inline(always)]
    pub fn prefetch(&self, row: usize) {
        match Table::<T>::FITS_LINES {
            true => {
                load((self.start.as_ptr() as usize).wrapping_add(size_of::<T>().wrapping_mul(row)))
            }
            false => prefetch(self, row),
        }
    }
}

/// How the room is laid out, and how far from the beginning the first row is: whole lines. A large
/// one begins and ends with a page.
fn layout<T>(room: usize) -> (Layout, usize) {
    const FIT: &str = "rows fit the memory";
    let rows = Layout::array::<T>(room).expect(FIT);
    if rows.size() < STAGGERED || rows.align() > 64 {
        return (rows.align_to(64).expect(FIT), 0);
    }
    let offset = MADE.fetch_add(1, Ordering::Relaxed) % STEPS * STEP;
    let size = rows.size().checked_add(STEPS * STEP).expect(FIT);
    let align = if size > LARGE / 2 { LARGE } else { 64 };
    (Layout::from_size_align(size, align).expect(FIT).pad_to_align(), offset)
}

#[cfg(all(target_os = "linux", not(miri)))]
fn prefer_large_pages(start: NonNull<u8>, layout: Layout) {
    if layout.align() >= LARGE {
        // SAFETY: the range was just allocated, is a number of whole pages, and the advice changes
        // nothing of what is in there, only how it is kept.
        let _refused =
            unsafe { libc::madvise(start.as_ptr().cast(), layout.size(), libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn prefer_large_pages(_: NonNull<u8>, _: Layout) {}

/// An allocation, which is given back in any case.
struct Block(NonNull<u8>, Layout);

impl Drop for Block {
    fn drop(&mut self) {
        if self.1.size() > 0 {
            // SAFETY: it was allocated with this layout, and whoever drops it needs it no more.
            unsafe { dealloc(self.0.as_ptr(), self.1) };
        }
    }
}

impl<T> Drop for Table<T> {
    fn drop(&mut self) {
        let _block = Block(self.block, self.layout);
        let rows = std::ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.len);
        // SAFETY: these rows are the table's, which ends here. When one panics, the others are
        // dropped all the same, and then the block.
        unsafe { rows.drop_in_place() };
    }
}

impl<T> Deref for Table<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: this many rows are there, and the borrow of the table keeps them.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Table<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: this many rows are there, and the borrow of the table keeps them for this one.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use super::Table;

    #[test]
    fn it_keeps_and_drops_what_is_put_in() {
        let count = Arc::new(());
        let mut table = Table::with_room(40);
        table.resize_with(7, || (count.clone(), 5u8));
        let place = table.as_ptr();
        table.resize_with(40, || (count.clone(), 6));
        assert_eq!((table.len(), table.as_ptr(), Arc::strong_count(&count)), (40, place, 41));
        assert_eq!([table[6].1, table[7].1, table[39].1], [5, 6, 6]);
        table[39].1 = 9;
        assert_eq!(table.last().map(|row| row.1), Some(9));
        table.resize_with(3, || unreachable!());
        assert_eq!(Arc::strong_count(&count), 4);
        let more = AssertUnwindSafe(|| table.resize_with(41, || unreachable!()));
        assert!(catch_unwind(more).is_err());
        drop(table);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    fn what_is_made_so_far_is_kept_when_making_panics() {
        let (count, mut made) = (Arc::new(()), 0);
        let mut table = Table::with_room(9);
        let make = AssertUnwindSafe(|| {
            table.resize_with(9, || {
                made += 1;
                assert!(made < 5, "on purpose");
                count.clone()
            });
        });
        assert!(catch_unwind(make).is_err());
        assert_eq!((table.len(), Arc::strong_count(&count)), (4, 5));
        drop(table);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    fn large_ones_begin_in_a_page_of_their_own_apart_from_each_other() {
        let mut begins = Vec::new();
        for _ in 0..3 {
            let mut table = Table::<u64>::with_room(200_000);
            table.resize_with(1_000, || 3);
            assert!(table.iter().all(|row| *row == 3));
            begins.push(table.as_ptr() as usize % (2 << 20));
        }
        assert!(begins.iter().all(|begin| begin % 64 == 0 && *begin < 4_096), "{begins:?}");
        assert!(begins[0] != begins[1] && begins[1] != begins[2], "{begins:?}");
        assert!(Table::<[u8; 0]>::with_room(usize::MAX).is_empty());
        let mut units = Table::with_room(usize::MAX);
        units.resize_with(3, || ());
        assert_eq!(units.len(), 3);
        assert!(Table::<String>::with_room(0).is_empty());
    }
}
