//! Samples of the values that random scenarios consist of.

use peerlet_core::{Duration, Rng};

/// One of these.
pub(super) fn one_of<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.index(from.len())]
}

/// A number from `low` to `high`, both included.
pub(super) fn between(rng: &mut Rng, low: u64, high: u64) -> u64 {
    low + rng.below(high - low + 1)
}

/// A time from `low` to `high`, as often in one order of magnitude as in another, in whole steps.
pub(super) fn time(rng: &mut Rng, low: Duration, high: Duration, step: Duration) -> Duration {
    let (low, high) = (low.as_nanos().max(1), high.as_nanos().max(1));
    let nanos = low as f64 * (high as f64 / low as f64).powf(rng.unit());
    let steps = (nanos as u64).clamp(low, high.max(low)).div_ceil(step.as_nanos());
    step * steps
}

/// A probability: rarely large.
pub(super) fn probability(rng: &mut Rng) -> f64 {
    one_of(rng, &[0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 1.0])
}

/// A set of seats, as a scenario writes it.
pub(super) fn seats(rng: &mut Rng, peers: u32) -> String {
    let last = u64::from(peers) - 1;
    match rng.below(6) {
        0 => "*".to_owned(),
        1 => {
            let first = between(rng, 0, last);
            format!("{first}-{}", between(rng, first, last))
        }
        2 => format!("{}-*", between(rng, 0, last)),
        3 if last >= 3 => {
            let first = between(rng, 0, last - 2);
            format!("{first},{}", first + 2)
        }
        4 => share(rng, peers),
        _ => one_seat(rng, peers),
    }
}

/// One seat.
pub(super) fn one_seat(rng: &mut Rng, peers: u32) -> String {
    rng.below(u64::from(peers)).to_string()
}

/// A share of the peers that is at least one of them.
pub(super) fn share(rng: &mut Rng, peers: u32) -> String {
    let least = 100u64.div_ceil(u64::from(peers));
    format!("{}%", between(rng, least, 100.max(least)))
}

#[cfg(test)]
mod tests {
    use peerlet_core::{MILLISECOND, SECOND, Seed};

    use super::*;

    #[test]
    fn times_are_within_their_bounds() {
        let rng = &mut Seed::new(1).rng();
        for _ in 0..1_000 {
            let time = time(rng, MILLISECOND * 10, SECOND, MILLISECOND);
            assert!(time >= MILLISECOND * 10 && time <= SECOND, "{time}");
            assert_eq!(time.as_nanos() % MILLISECOND.as_nanos(), 0);
        }
    }
}
