//! Random choice of a kind in proportion to its share.

use peerlet_core::Rng;

/// The index of a share, chosen at random in proportion; `None` when all are zero.
pub(crate) fn sample(shares: impl Iterator<Item = u32> + Clone, rng: &mut Rng) -> Option<usize> {
    let all = shares.clone().map(u64::from).sum();
    let mut point = if all > 0 { rng.below(all) } else { return None };
    shares.map(u64::from).position(|share| {
        let is_here = point < share;
        point = point.saturating_sub(share);
        is_here
    })
}

#[cfg(test)]
mod tests {
    use peerlet_core::Seed;

    use super::*;

    #[test]
    fn each_is_chosen_as_often_as_its_share_says() {
        let mut rng = Seed::new(1).rng();
        let mut counts = [0; 4];
        for _ in 0..10_000 {
            counts[sample([1, 0, 2, 1].into_iter(), &mut rng).unwrap()] += 1;
        }
        // Five standard deviations of a binomial around 2,500 and 5,000 of 10,000.
        for (count, expected, bound) in [(0, 2_500, 217), (2, 5_000, 250), (3, 2_500, 217)] {
            let count: i32 = counts[count];
            assert!((count - expected).abs() < bound, "{counts:?}");
        }
        assert_eq!(counts[1], 0);
        assert_eq!(sample([0, 0].into_iter(), &mut rng), None);
    }
}
