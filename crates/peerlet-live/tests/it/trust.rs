//! Contacts that peers trust, in two processes, and where there are no identities.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use peerlet_core::{
    Address, Contact, Context, Description, Identity, MILLISECOND, Need, Peer, Peerlet, SECOND,
    Seat, TrustError, Undelivered,
};
use peerlet_live::{Join, LiveError, LiveSetup, ProcessKey, Sockets};
use peerlet_measure::DropCause;
use tokio::sync::watch;

use crate::runs::{LONG, Lines, PATIENCE, run, run_until_stopped, runtime, starts};

/// Messages of each class that each peer sends.
const COUNT: u64 = 50;
/// Numbers from here on are sent by datagram.
const DATAGRAMS: u64 = 1_000;

/// What happened, by the seat of the sender.
#[derive(Default)]
struct Seen {
    came: BTreeMap<Seat, Vec<u64>>,
    told: BTreeMap<Seat, Vec<(u64, Undelivered)>>,
}

/// Sends numbers to seat 2, which its seat may trust as somebody.
#[derive(Clone)]
struct Truster {
    by_seat: BTreeMap<u32, Identity>,
    seen: Arc<Mutex<Seen>>,
}

impl Truster {
    fn seen<R>(&self, look: impl FnOnce(&mut Seen) -> R) -> R {
        look(&mut self.seen.lock().expect("nobody panics"))
    }
}

impl Peerlet for Truster {
    const NAME: &'static str = "truster";
    type Message = (Seat, u64);
    type Timer = u64;

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Identity);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        if ctx.seat() == Seat(2) {
            return;
        }
        let address = ctx.seats().address(Seat(2)).expect("all seats are known");
        if let Some(identity) = self.by_seat.get(&ctx.seat().0) {
            let contact = Contact { address, identity: *identity };
            ctx.trust(contact).expect("it is the only one");
        }
        for number in 0..COUNT {
            // Some before the handshake is over, and some when the link stands.
            ctx.after(MILLISECOND * (number / 10 * 50), number);
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, number: u64) {
        let (seat, to) = (ctx.seat(), ctx.seats().address(Seat(2)).expect("it is known"));
        ctx.send(to, (seat, DATAGRAMS + number));
        ctx.send_reliably(to, (seat, number)).expect("there is room");
    }

    fn message(&mut self, _: &mut Context<Self>, _: Address, (seat, number): (Seat, u64)) {
        self.seen(|seen| seen.came.entry(seat).or_default().push(number));
    }

    fn undelivered(
        &mut self,
        _: &mut Context<Self>,
        _: Address,
        (seat, number): (Seat, u64),
        why: Undelivered,
    ) {
        self.seen(|seen| seen.told.entry(seat).or_default().push((number, why)));
    }
}

/// Two peers of one process and one of another send to a peer of that other: seat 0 trusts somebody
/// who is not there, seat 1 who is, and seat 3 nobody.
#[test]
fn each_peer_reaches_only_whom_it_trusts() {
    let (first_key, second_key) = (ProcessKey::generate(), ProcessKey::generate());
    let (first, second) = (first_key.identity(), second_key.identity());
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let by_seat = BTreeMap::from([(0, first), (1, second)]);
    let truster = Truster { by_seat, seen: seen.clone() };
    let setup = |index, key| {
        let truster = truster.clone();
        let setup = LiveSetup::new("trust", 4, LONG, move |_| Peer::new().with(truster.clone()));
        LiveSetup { index: Some(index), key: Some(key), ..setup }
    };
    let lines = Lines::default();
    let outcome = runtime().block_on(async {
        let (stop_first, first_stops) = watch::channel(false);
        let (stop_second, second_stops) = watch::channel(false);
        // Seats 2 and 3 are the second process's.
        let one = LiveSetup { notice: lines.notice(), ..setup((0, 1), first_key) };
        let one = tokio::spawn(run_until_stopped(one, starts(0..4), first_stops));
        let told = lines.wait_for("reached as ").await;
        let at = told.rsplit_once('@').expect("an identity and an address").1;
        let join = Some(Join::at(at.parse().expect("an address")).of(first));
        let two = LiveSetup { join, ..setup((2, 3), second_key) };
        let two = tokio::spawn(run_until_stopped(two, starts(0..4), second_stops));
        let all = |seen: &Seen| {
            let came = |seat| {
                let numbers = seen.came.get(&Seat(seat)).into_iter().flatten();
                numbers.filter(|number| **number < DATAGRAMS).count() as u64
            };
            let told = seen.told.get(&Seat(0)).map_or(0, Vec::len) as u64;
            told >= COUNT && came(1) >= COUNT && came(3) >= COUNT
        };
        let waiting = async {
            while !all(&seen.lock().expect("nobody panics")) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("all come or come back");
        stop_first.send_replace(true);
        stop_second.send_replace(true);
        two.await.expect("no panic").expect("it comes to its end");
        one.await.expect("no panic").expect("it comes to its end")
    });
    let seen = seen.lock().expect("nobody panics");
    let reliable = |seat| {
        let numbers = seen.came.get(&Seat(seat)).into_iter().flatten().copied();
        numbers.filter(|number| *number < DATAGRAMS).collect::<Vec<_>>()
    };
    let numbers: Vec<u64> = (0..COUNT).collect();
    assert!(!seen.came.contains_key(&Seat(0)), "somebody else got it");
    let told: Vec<_> = numbers.iter().map(|number| (*number, Undelivered::Identity)).collect();
    assert_eq!(seen.told, BTreeMap::from([(Seat(0), told)]));
    assert_eq!((reliable(1), reliable(3)), (numbers.clone(), numbers));
    let dropped = outcome.ledger.datagram.dropped(DropCause::Identity);
    assert_eq!(dropped, COUNT, "every datagram of seat 0 is accounted for");
}

/// Trusts without having said so.
#[derive(Clone, Default)]
struct Careless(Arc<Mutex<Vec<Result<(), TrustError>>>>);

impl Peerlet for Careless {
    const NAME: &'static str = "careless";
    type Message = ();
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        let address = ctx.seats().address(Seat(1)).expect("all seats are known");
        let contact = Contact { address, identity: Identity([7; 32]) };
        self.0.lock().expect("nobody panics").push(ctx.trust(contact));
        if ctx.seat() == Seat(0) {
            ctx.untrust(address);
            ctx.send(address, ());
        }
    }
}

#[test]
fn udp_has_no_identities_and_says_so() {
    let sockets = Sockets::Udp { closed_network: false };
    let truster = Truster { by_seat: BTreeMap::new(), seen: Arc::default() };
    let setup = LiveSetup::new("trust", 2, SECOND, move |_| Peer::new().with(truster.clone()));
    let refused = run(LiveSetup { sockets, ..setup }, starts(0..2)).map(drop);
    let Err(LiveError::Stack(error)) = refused else { panic!("{refused:?}") };
    let said = error.to_string();
    assert!(said.contains("`truster`") && said.contains("verified identities"), "{said}");

    let careless = Careless::default();
    let told = careless.0.clone();
    let setup =
        LiveSetup::new("trust", 2, MILLISECOND * 300, move |_| Peer::new().with(careless.clone()));
    let outcome = run(LiveSetup { sockets, ..setup }, starts(0..2)).expect("it runs");
    assert_eq!(*told.lock().expect("nobody panics"), [Err(TrustError::NoIdentities); 2]);
    assert_eq!(outcome.ledger.datagram.delivered, 1, "whoever is there is reached");
}
