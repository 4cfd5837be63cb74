//! Churn as it was measured in networks, under names.

use peerlet_core::Duration;

use crate::churn::distribution::SessionDistribution;
use crate::problem::suggest;

/// Churn as it was measured in a network.
#[derive(Clone, Copy, Debug)]
pub struct NamedChurn {
    /// Its name in scenarios.
    pub name: &'static str,
    /// What it is, and where the numbers are from.
    pub help: &'static str,
    /// How long a peer stays.
    pub session: SessionDistribution,
    /// How long a peer stays away.
    pub absence: SessionDistribution,
}

const fn weibull(shape: f64, scale_ms: u64) -> SessionDistribution {
    SessionDistribution::Weibull { shape, scale: Duration::from_millis(scale_ms) }
}

/// An absence that nobody has measured: exponential, so long that half of the seats are up.
const fn half_up(mean_s: u64) -> SessionDistribution {
    SessionDistribution::Exponential { mean: Duration::from_secs(mean_s) }
}

/// All churn that has a name.
pub const NAMED_CHURN: &[NamedChurn] = &[
    NamedChurn {
        name: "bittorrent-2006",
        help: "the BitTorrent swarm FlatOut (Stutzbach and Rejaie, IMC 2006): median 22.5 min; \
               absences were not measured, half of the seats are up",
        session: weibull(0.59, 2_514_000),
        absence: half_up(3_869),
    },
    NamedChurn {
        name: "bittorrent-2006-debian",
        help: "the BitTorrent swarm Debian (Stutzbach and Rejaie, IMC 2006): median 16.2 min; \
               absences were not measured, half of the seats are up",
        session: weibull(0.38, 2_544_000),
        absence: half_up(9_796),
    },
    NamedChurn {
        name: "bittorrent-2006-redhat",
        help: "the BitTorrent swarm Red Hat (Stutzbach and Rejaie, IMC 2006): median 7.3 min; \
               absences were not measured, half of the seats are up",
        session: weibull(0.34, 1_278_000),
        absence: half_up(7_110),
    },
    NamedChurn {
        name: "kad-2007",
        help: "KAD, later crawls (Eurecom RR-07-205): sessions with a median of 93 min, absences \
               with one of 192 min",
        session: weibull(0.615_11, 10_172_310),
        absence: weibull(0.476_48, 24_820_590),
    },
    NamedChurn {
        name: "kad-2007-first",
        help: "KAD, sessions of the first crawl (Eurecom RR-07-205): median 183 min; absences as \
               in the later crawls",
        session: weibull(0.545_12, 21_462_912),
        absence: weibull(0.476_48, 24_820_590),
    },
    NamedChurn {
        name: "oversim-2010",
        help: "KAD-like churn as OverSim's studies have it (Heep 2010): sessions and absences \
               with a median of 40 min",
        session: weibull(0.5, 5_000_000),
        absence: weibull(0.5, 5_000_000),
    },
];

/// The churn of this name.
///
/// # Errors
/// With a remedy, where there is none.
pub(super) fn named(name: &str) -> Result<&'static NamedChurn, String> {
    let names: Vec<&str> = NAMED_CHURN.iter().map(|named| named.name).collect();
    NAMED_CHURN.iter().find(|named| named.name == name).ok_or_else(|| match suggest(name, &names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are: {}", names.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use peerlet_core::SECOND;

    use super::*;

    /// Mean and median in minutes, as published with the parameters.
    #[test]
    fn numbers_are_the_published_ones() {
        let published = [
            ("bittorrent-2006", 64.5, 22.5),
            ("bittorrent-2006-debian", 163.0, 16.2),
            ("bittorrent-2006-redhat", 119.0, 7.3),
            ("kad-2007", 247.0, 93.0),
            ("kad-2007-first", 618.0, 183.0),
            ("oversim-2010", 10_000.0 / 60.0, 2_402.0 / 60.0),
        ];
        assert_eq!(published.len(), NAMED_CHURN.len());
        for (name, mean, median) in published {
            let NamedChurn { session, .. } = named(name).expect("it is there");
            let minutes = session.mean().as_secs_f64() / 60.0;
            assert!((minutes / mean - 1.0).abs() < 0.015, "{name}: {minutes}");
            let longer = session.survival(SECOND * ((median * 60.0) as u64));
            assert!((longer - 0.5).abs() < 0.005, "{name}: {longer}");
        }
        let kad = named("kad-2007").expect("it is there").absence;
        assert!((kad.mean().as_secs_f64() / 60.0 / 908.0 - 1.0).abs() < 0.01);
        for name in ["bittorrent-2006", "bittorrent-2006-debian", "bittorrent-2006-redhat"] {
            let NamedChurn { session, absence, .. } = named(name).expect("it is there");
            let ratio = session.mean().as_secs_f64() / absence.mean().as_secs_f64();
            assert!((ratio - 1.0).abs() < 0.01, "{name}: {ratio}");
        }
    }
}
