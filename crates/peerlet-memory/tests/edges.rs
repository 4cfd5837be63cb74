//! The edges of what is unsafe within: threads, panics of destructors, rows of odd sizes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use peerlet_memory::{Table, Value};

/// A table of this many rows, numbered.
fn numbered(rows: usize) -> Table<usize> {
    let mut table = Table::with_room(rows);
    let mut next = 0..;
    table.resize_with(rows, || next.next().expect("there is always another one"));
    table
}

#[test]
fn tables_and_values_move_to_threads_and_tables_are_shared() {
    let mut table = numbered(100);
    thread::scope(|scope| {
        for part in 0..4 {
            let table = &table;
            scope.spawn(move || {
                table.prefetch(part);
                assert_eq!(table.iter().skip(part * 25).take(25).sum::<usize>(), {
                    (part * 25..part * 25 + 25).sum()
                });
            });
        }
    });
    let (small, large) = (Value::new(7_u32), Value::new([7_u64; 9]));
    let moved = thread::scope(|scope| {
        let moved = scope.spawn(move || {
            table[3] = 70;
            (table, small.take::<u32>().expect("it is one"), large)
        });
        moved.join().expect("nobody panics")
    });
    assert_eq!((moved.0[3], moved.1), (70, 7));
    assert_eq!(moved.2.get::<[u64; 9]>(), Some(&[7; 9]));
}

#[test]
fn prefetches_of_any_row_are_harmless_and_a_table_shows_its_rows() {
    let table = numbered(3);
    for row in [0, 2, 3, 1_000_000, usize::MAX] {
        table.prefetch(row);
    }
    assert_eq!(format!("{table:?}"), "[0, 1, 2]");
    let none: Table<u8> = Table::with_room(0);
    none.prefetch(0);
    assert_eq!(format!("{none:?}"), "[]");
}

#[test]
fn rows_without_a_size_and_with_a_wide_alignment_have_their_places() {
    #[derive(PartialEq, Debug)]
    struct Nothing;
    let mut nothing = Table::with_room(5);
    nothing.resize_with(5, || Nothing);
    nothing.prefetch(4);
    assert_eq!((nothing.len(), &nothing[4]), (5, &Nothing));
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(128))]
    struct Wide(u8);
    let mut wide = Table::with_room(9);
    wide.resize_with(9, || Wide(3));
    assert!(wide.iter().all(|row| std::ptr::from_ref(row).addr().is_multiple_of(128)));
    let value = Value::new(Wide(4));
    assert_eq!(value.get::<Wide>(), Some(&Wide(4)));
    assert!(std::ptr::from_ref(value.get::<Wide>().expect("it is one")).addr().is_multiple_of(128));
}

/// Counts its drops, and panics at one of them.
struct Fragile<'a>(&'a AtomicU32, u32);

impl Drop for Fragile<'_> {
    fn drop(&mut self) {
        let drops = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(drops != self.1, "a destructor panics");
    }
}

#[test]
fn a_destructor_that_panics_drops_nothing_twice() {
    for at in 0..4 {
        let drops = AtomicU32::new(0);
        let mut table = Table::with_room(4);
        table.resize_with(4, || Fragile(&drops, at));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(table))).is_err());
        assert_eq!(drops.into_inner(), 4, "the others are dropped all the same");
    }
    static DROPS: AtomicU32 = AtomicU32::new(0);
    let value = Value::new(Fragile(&DROPS, 0));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(value))).is_err());
    assert_eq!(DROPS.load(Ordering::Relaxed), 1);
}
