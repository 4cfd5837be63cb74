//! The last value of one gauge at each seat.

use peerlet_core::Seat;

/// Seats share a page of 512 bytes: an owner's seats lie in blocks, and the rest costs 8 bytes a
/// page.
const PAGE: usize = 64;

/// Stands for a seat without a level. Recorded quanta never come near it.
const NONE: i64 = i64::MIN;

/// The last value of each seat; a new one replaces the one before.
#[derive(Clone, Default, Debug)]
pub(crate) struct Levels {
    pages: Vec<Option<Box<[i64; PAGE]>>>,
}

impl Levels {
    pub(crate) fn set(&mut self, seat: Seat, quanta: i64) {
        let (page, offset) = (seat.index() / PAGE, seat.index() % PAGE);
        if page >= self.pages.len() {
            self.pages.resize(page + 1, None);
        }
        // Only `NONE` itself must not be kept as a level.
        self.pages[page].get_or_insert_with(|| Box::new([NONE; PAGE]))[offset] =
            quanta.max(NONE + 1);
    }

    pub(crate) fn forget(&mut self, seat: Seat) {
        if let Some(Some(page)) = self.pages.get_mut(seat.index() / PAGE) {
            page[seat.index() % PAGE] = NONE;
        }
    }

    /// The levels that are known, seats ascending.
    pub(crate) fn values(&self) -> impl Iterator<Item = i64> + '_ {
        let levels = self.pages.iter().flatten().flat_map(|page| page.iter().copied());
        levels.filter(|quanta| *quanta != NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_level_of_each_seat_is_kept() {
        let mut levels = Levels::default();
        levels.forget(Seat(1_000));
        for (seat, quanta) in [(1_000_000, 3), (0, 1), (63, 2), (0, -4), (64, i64::MIN)] {
            levels.set(Seat(seat), quanta);
        }
        assert_eq!(levels.values().collect::<Vec<_>>(), [-4, 2, i64::MIN + 1, 3]);
        assert_eq!(levels.pages.iter().flatten().count(), 3, "pages in between are not made");
        levels.forget(Seat(63));
        levels.forget(Seat(64));
        assert_eq!(levels.values().collect::<Vec<_>>(), [-4, 3]);
    }
}
