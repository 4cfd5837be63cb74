//! The numbers of packets that have come in a session, so that none counts twice.

/// How far a packet may be behind the newest one.
pub(super) const WINDOW: u64 = 1_024;

const WORDS: usize = WINDOW as usize / 64;

/// The newest [`WINDOW`] numbers of a session, with a bit each. Numbers begin at 1.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ReplayWindow {
    newest: u64,
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// Whether a packet with this number is new; then it has come.
    pub(super) fn take(&mut self, number: u64) -> bool {
        if number > self.newest {
            // The bits of the numbers between are those of numbers too old by now.
            let skipped = (number - self.newest - 1).min(WINDOW);
            (1..=skipped).for_each(|ahead| self.set(self.newest + ahead, false));
            self.newest = number;
        } else if self.newest - number >= WINDOW || self.has(number) {
            return false;
        }
        self.set(number, true);
        number > 0
    }

    fn has(&self, number: u64) -> bool {
        let bit = number % WINDOW;
        self.seen[(bit / 64) as usize] >> (bit % 64) & 1 == 1
    }

    fn set(&mut self, number: u64, has: bool) {
        let bit = number % WINDOW;
        let word = &mut self.seen[(bit / 64) as usize];
        *word = *word & !(1 << (bit % 64)) | u64::from(has) << (bit % 64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use peerlet_core::Seed;

    use super::*;

    #[test]
    fn each_number_counts_once() {
        let mut window = ReplayWindow::default();
        assert!(!window.take(0), "numbers begin at 1");
        assert!(window.take(1) && !window.take(1));
        assert!(window.take(1_024) && window.take(2) && !window.take(2));
        assert!(window.take(1_025) && !window.take(1), "1,024 behind is too old");
        assert!(window.take(3) && window.take(1_024 - 1));
        let mut window = ReplayWindow::default();
        assert!(window.take(u64::MAX) && !window.take(u64::MAX));
        assert!(window.take(u64::MAX - 1_023) && !window.take(u64::MAX - 1_024));
        assert!(!window.take(5) && !window.take(0));
    }

    /// Numbers that jump about, against a set of all that have come.
    #[test]
    fn it_agrees_with_a_set() {
        let seed = std::env::var("PEERLET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
        let mut rng = Seed::new(seed).named("window").rng();
        for start in [1, u64::MAX - 60_000] {
            let (mut window, mut came) = (ReplayWindow::default(), BTreeSet::new());
            let mut at = start;
            for round in 0..50_000 {
                if rng.chance(0.002) {
                    at = at.saturating_add(rng.below(3_000));
                }
                at = at.saturating_add(rng.below(2));
                let number = at.saturating_sub(rng.below(1_500)).max(1);
                let newest = came.last().copied().unwrap_or(0);
                let is_recent = newest < WINDOW || number > newest - WINDOW;
                let is_new = is_recent && !came.contains(&number);
                assert_eq!(window.take(number), is_new, "seed {seed}, {start}, round {round}");
                if is_new {
                    came.insert(number);
                }
            }
        }
    }
}
