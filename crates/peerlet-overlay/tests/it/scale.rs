//! A thousand peers that join within a second.

use peerlet_core::{SECOND, Time};

use crate::overlay_fixture::{OverlayFixture, measured, misplaced, reached, seed};

#[test]
fn a_thousand_peers_find_their_places_and_their_keys() {
    let fixture = OverlayFixture {
        rate: 0.5,
        span: SECOND * 30,
        from: SECOND * 10,
        ..OverlayFixture::new(1_000, seed())
    };
    let mut simulation = fixture.simulation(fixture.joins(SECOND));
    simulation.run_until(Time::ZERO + SECOND * 10).unwrap();
    assert_eq!(misplaced(&simulation, fixture.peers, 2), 0, "every ring neighbor is right");
    assert_eq!(reached(&simulation, fixture.peers), 1_000);
    simulation.run_until(Time::ZERO + fixture.span).unwrap();
    let outcome = simulation.finish();
    assert!(outcome.ledger.is_balanced());
    let (count, success) = measured(&outcome, "lookups/success");
    assert!(count > 6_000 && success >= 0.99, "{success} of {count}");
    // Five to ten random links and four on the ring: a heartbeat each a second.
    let (_, degree) = measured(&outcome, "neighbors/degree");
    assert!((9.0..14.0).contains(&degree), "{degree}");
}
