//! One experiment with each codec, in every world: messages arrive, and sizes follow the codec.

use std::sync::{Arc, Mutex};

use peerlet_core::{
    Address, Codec, Context, Description, MILLISECOND, Need, Peer, Peerlet, SECOND, Seat,
};
use peerlet_run::{
    Experiment, LiveOptions, Plan, Results, SimOptions, World, emulate, live, run_live, simulate,
};
use peerlet_scenario::Source;

const SCENARIO: &str = "peers = 2\nfor = \"1s\"\njoin = \"0s\"\nseed = 4\n[network]\n\
                        model = \"constant\"\ndelay = \"5ms\"";

/// Seat 1 asks seat 0, again if need be, and tells it the answer reliably.
#[derive(Clone, Default)]
struct Asker {
    told: Arc<Mutex<Vec<u16>>>,
}

impl Peerlet for Asker {
    const NAME: &'static str = "asker";
    type Message = u16;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Reliable);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        if ctx.seat() == Seat(1) {
            ctx.after(MILLISECOND * 50, ());
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let to = ctx.seats().address(Seat(0)).expect("it is known");
        ctx.spawn(move |task| async move {
            if let Ok(answer) = task.call(to, 300).tries(3).await {
                task.with(move |_, ctx| ctx.send_reliably(to, answer + 1).expect("there is room"))
                    .await;
            }
        });
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, word: u16) {
        match ctx.caller() {
            Some(_) => ctx.reply(word + 1),
            None => self.told.lock().expect("nobody panics").push(word),
        }
    }
}

fn check(codec: Codec, world: World, run: impl FnOnce(&Experiment, Plan) -> Results) {
    let asker = Asker::default();
    let told = asker.told.clone();
    let experiment =
        Experiment::new("codecs").codec(codec).peer(move |_seat| Peer::new().with(asker.clone()));
    let plan = Plan::new(&experiment, Source::new("test", SCENARIO), &[], world);
    let results = run(&experiment, plan.expect("it is in order"));
    let (flow, told) = (results.ledger.total(), told.lock().expect("nobody panics"));
    assert_eq!((*told).clone(), [302], "{codec} {world:?}");
    assert_eq!((flow.sent, flow.delivered), (3, 3), "{codec} {world:?}");
    let each = codec.encoded_len(&300u16).expect("it is plain") as u64;
    assert_eq!(flow.bytes, 3 * each, "{codec} {world:?}");
}

#[test]
fn every_codec_carries_messages_in_simulation() {
    let sizes = Codec::ALL.iter().map(|codec| codec.encoded_len(&300u16).expect("it is plain"));
    assert_eq!(sizes.collect::<Vec<_>>(), [2, 3], "postcard and bincode");
    for &codec in Codec::ALL {
        for wire in [false, true] {
            check(codec, World::Sim, |experiment, plan| {
                let options = SimOptions { wire, ..SimOptions::default() };
                simulate(experiment, plan, options).expect("it runs")
            });
        }
    }
}

#[test]
fn every_codec_carries_messages_on_real_sockets() {
    for &codec in Codec::ALL {
        check(codec, World::Emulate, |experiment, plan| {
            let (_keep, stop) = tokio::sync::watch::channel(false);
            emulate(experiment, plan, SECOND * 60, stop).expect("it runs")
        });
        check(codec, World::Live, |experiment, plan| {
            let options = LiveOptions { closed_network: false, is_seeded: true, is_share: false };
            let setup = live(experiment, &plan, options).expect("it is in order");
            let (_keep, stop) = tokio::sync::watch::channel(false);
            run_live(plan, setup, stop).expect("it runs")
        });
    }
}
