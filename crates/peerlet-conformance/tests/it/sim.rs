//! The simulator, over several networks, with and without encoding every message and handshakes.

use peerlet_conformance::{Candidate, Experiment, Refusal, Report, run};
use peerlet_core::{Duration, MILLISECOND, Need};
use peerlet_measure::Summary;
use peerlet_network::{Constant, Model, Uniform};
use peerlet_sim::{Setup, Simulation};

struct Simulator {
    name: String,
    model: fn() -> Box<dyn Model>,
    wire: bool,
    handshakes: bool,
}

impl Candidate for Simulator {
    fn name(&self) -> &str {
        &self.name
    }

    fn gives(&self) -> &[Need] {
        Setup::gives()
    }

    fn run(&mut self, experiment: Experiment) -> Result<Report, Refusal> {
        let Experiment { seats, duration, build, directives, connection_timeout } = experiment;
        let mut setup = Setup::new(seats, duration, move |seat| build(seat));
        setup.model = (self.model)();
        (setup.wire, setup.handshakes) = (self.wire, self.handshakes);
        setup.connection_timeout = connection_timeout;
        let refuse = |error: peerlet_sim::SetupError| Refusal(error.to_string());
        let simulation = Simulation::new(setup, directives).map_err(refuse)?;
        let outcome = simulation.run().expect("no case is endless");
        Ok(Report {
            ledger: outcome.ledger,
            summary: Summary::of(&outcome.measures),
            late_answers: outcome.late_answers,
            idle_directives: outcome.idle_directives,
        })
    }
}

#[test]
fn the_simulator_conforms() {
    type Make = fn() -> Box<dyn Model>;
    let models: [(&str, Make); 3] = [
        ("constant", || Box::new(Constant { delay: MILLISECOND * 20 })),
        ("uniform", || Box::new(Uniform { min: MILLISECOND, max: MILLISECOND * 9 })),
        ("no delay", || Box::new(Constant { delay: Duration::ZERO })),
    ];
    for (network, model) in models {
        for (how, wire, handshakes) in
            [("", false, false), (", --wire", true, false), (", --transport quic", false, true)]
        {
            // Datagrams that overtake the end of a handshake are lost, and cases tolerate no loss.
            if handshakes && network == "uniform" {
                continue;
            }
            let name = format!("sim, {network}{how}");
            let score = run(&mut Simulator { name, model, wire, handshakes });
            println!("{score}");
            assert!(score.conforms(), "{score}");
            assert_eq!(score.refused(), 0);
        }
    }
}
