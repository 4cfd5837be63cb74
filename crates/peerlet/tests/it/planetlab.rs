//! Real input: an all-pairs ping over measured latencies.

use std::path::Path;

use peerlet::network::{MatrixConfig, Model, Site};
use peerlet::prelude::*;
use peerlet::sim::{Setup, Simulation};
use peerlet_core::runtime::{Act, Directive};

const RTT: Metric = Metric::histogram("rtt").unit("s").quantum(1e-9);

/// Pings every other peer once, a millisecond apart, and measures the round trips.
#[derive(Default)]
struct AllPairs {
    next: u32,
}

#[derive(Serialize, Deserialize)]
enum Message {
    Ping(Time),
    Pong(Time),
}

impl Peerlet for AllPairs {
    const NAME: &'static str = "all_pairs";
    type Message = Message;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.measures(&RTT);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.after(MILLISECOND, ());
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let other = Seat(self.next);
        self.next += 1;
        if let Some(address) = ctx.seats().address(other) {
            ctx.after(MILLISECOND, ());
            if other != ctx.seat() {
                let now = ctx.now();
                ctx.send(address, Message::Ping(now));
            }
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Message) {
        match message {
            Message::Ping(sent) => ctx.send(from, Message::Pong(sent)),
            Message::Pong(sent) => {
                let rtt = ctx.now() - sent;
                ctx.measure(RTT, rtt.as_secs_f64());
            }
        }
    }
}

const PEERS: u32 = 490;

#[test]
fn an_all_pairs_ping_finds_the_matrix_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let file = "planetlab490_median_rtt_50us.u16le.zst";
    if !folder.join(file).exists() {
        println!("passed over: {file} is not beside the checkout (1 case)");
        return;
    }
    let config: MatrixConfig =
        serde_json::from_str(&format!(r#"{{"file":"{file}","unit":"50us"}}"#)).unwrap();
    let model: Box<dyn Model> = config.build(&Site::new(Seed::new(1), PEERS, &folder)).unwrap();
    let mut expected: Vec<u64> = (0..PEERS)
        .flat_map(|a| (0..PEERS).filter(move |b| *b != a).map(move |b| (Seat(a), Seat(b))))
        .map(|(a, b)| model.round_trip(a, b).as_nanos())
        .collect();
    expected.sort_unstable();

    let mut setup = Setup::new(PEERS, SECOND * 10, |_| Peer::new().with(AllPairs::default()));
    setup.model = model;
    let starts: Vec<_> = (0..PEERS)
        .map(|seat| Directive { at: Time::ZERO, seat: Seat(seat), act: Act::Start })
        .collect();
    let outcome = Simulation::new(setup, starts).unwrap().run().unwrap();
    let summary = peerlet::measure::Summary::of(&outcome.measures);
    let row = &summary.rows["all_pairs/rtt"];
    assert_eq!(row.count, u64::from(PEERS * (PEERS - 1)));
    let measured = [
        (5, row.p5),
        (10, row.p10),
        (25, row.p25),
        (50, row.p50),
        (75, row.p75),
        (90, row.p90),
        (95, row.p95),
    ];
    for (percent, measured) in measured {
        let rank = (expected.len() * percent).div_ceil(100) - 1;
        let matrix = expected[rank] as f64 / 1e9;
        let measured = measured.expect("there are round trips");
        let error = (measured / matrix - 1.0).abs();
        println!("p{percent}: matrix {matrix:.6} s, measured {measured:.6} s");
        assert!(error < 0.005, "p{percent}: {measured} s instead of {matrix} s");
    }
}
