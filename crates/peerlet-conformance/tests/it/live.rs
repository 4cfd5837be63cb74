//! The live runtime over QUIC and over plain UDP, on loopback; and the same with a network emulated
//! between the peers.

use peerlet_conformance::{Candidate, Experiment, Refusal, Report, run_at_once};
use peerlet_core::{Duration, MILLISECOND, Need, SECOND};
use peerlet_live::{Admission, LiveSetup, Medium, Secret, Sockets};
use peerlet_measure::Summary;
use peerlet_network::Constant;

struct Live {
    sockets: Sockets,
    shards: u32,
    secret: Option<Secret>,
    /// How long messages take, where a network is emulated.
    delay: Option<Duration>,
}

impl Candidate for Live {
    fn name(&self) -> &str {
        match (self.sockets, self.delay) {
            (Sockets::Quic, None) => "live, QUIC",
            (Sockets::Udp { .. }, None) => "live, UDP",
            (Sockets::Quic, Some(_)) => "emulated, QUIC",
            (Sockets::Udp { .. }, Some(_)) => "emulated, UDP",
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
            admission: Admission { secret: self.secret.clone(), ..Admission::default() },
            medium: self
                .delay
                .map_or(Medium::Real, |delay| Medium::Emulated(Box::new(Constant { delay }))),
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
        let score =
            run_at_once(12, || Live { sockets: Sockets::Quic, shards, secret: None, delay: None });
        println!("{shards} shards: {score}");
        assert!(score.conforms(), "{score}");
        assert_eq!(score.refused(), 0);
    }
}

#[test]
fn udp_conforms_and_refuses_what_it_cannot_do() {
    let sockets = Sockets::Udp { closed_network: false };
    for secret in [None, Some(Secret::generate())] {
        let udp = || Live { sockets, shards: 2, secret: secret.clone(), delay: None };
        let score = run_at_once(12, udp);
        println!("{score}");
        assert!(score.conforms(), "{score}");
        assert_eq!((score.kept(), score.refused()), (30, 26), "{score}");
    }
}

#[test]
fn emulation_over_quic_conforms() {
    for delay in [Duration::ZERO, MILLISECOND * 2] {
        let sockets = Sockets::Quic;
        let quic = || Live { sockets, shards: 1, secret: None, delay: Some(delay) };
        let score = run_at_once(6, quic);
        println!("{score}");
        assert!(score.conforms() && score.refused() == 0, "{score}");
    }
}

#[test]
fn emulation_over_udp_conforms_as_its_sockets_do() {
    let (sockets, delay) = (Sockets::Udp { closed_network: false }, Some(MILLISECOND * 2));
    for secret in [None, Some(Secret::generate())] {
        let score = run_at_once(6, || Live { sockets, shards: 1, secret: secret.clone(), delay });
        println!("{score}");
        assert!(score.conforms(), "{score}");
        assert_eq!((score.kept(), score.refused()), (30, 26), "{score}");
    }
}
