use crate::town::*;
use peerlet_core::SECOND;
#[test]
fn measure() {
    for n in [1000, 10_000] {
        let town = Town { rate: 0.2, span: SECOND * 30, from: SECOND * 10, ..Town::new(n, 1) };
        let out = town.simulation(town.joins(SECOND)).run().unwrap();
        println!(
            "{n} {:?} hops {:?} time {:?}",
            measured(&out, "lookups/success"),
            measured(&out, "lookups/hops"),
            measured(&out, "lookups/time")
        );
    }
}
