//! The live runtime over QUIC and over plain UDP, on loopback.

use peerlet_conformance::{Candidate, Experiment, Refusal, Report, run_at_once};
use peerlet_core::{Need, SECOND};
use peerlet_live::{LiveSetup, Sockets};
use peerlet_measure::Summary;

struct Live {
    sockets: Sockets,
    shards: u32,
}

impl Candidate for Live {
    fn name(&self) -> &str {
        match self.sockets {
            Sockets::Quic => "live, QUIC",
            Sockets::Udp { .. } => "live, UDP",
        }
    }

    fn gives(&self) -> &[Need] {
        self.sockets.gives()
    }

    fn run(&mut self, experiment: Experiment) -> Result<Report, Refusal> {
        let Experiment { seats, duration, build, directives, connection_timeout } = experiment;
        let setup = LiveSetup {
            sockets: self.sockets,
            shards: self.shards,
            connection_timeout,
            epoch: SECOND,
            ..LiveSetup::new("conformance", seats, duration, move |seat| build(seat))
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let (_keep, stop) = tokio::sync::watch::channel(false);
        let outcome = runtime
            .block_on(peerlet_live::run(setup, directives, stop))
            .map_err(|error| Refusal(error.to_string()))?;
        Ok(Report {
            ledger: outcome.ledger,
            summary: Summary::of(&outcome.measures),
            late_answers: outcome.late_answers,
            idle_directives: outcome.idle_directives,
        })
    }
}

#[test]
fn quic_conforms() {
    for shards in [1, 3] {
        let score = run_at_once(12, || Live { sockets: Sockets::Quic, shards });
        println!("{shards} shards: {score}");
        assert!(score.conforms(), "{score}");
        assert_eq!(score.refused(), 0);
    }
}

#[test]
fn udp_conforms_and_refuses_what_it_cannot_do() {
    let udp = || Live { sockets: Sockets::Udp { closed_network: false }, shards: 2 };
    let score = run_at_once(12, udp);
    println!("{score}");
    assert!(score.conforms(), "{score}");
    assert_eq!((score.kept(), score.refused()), (22, 16), "{score}");
}
