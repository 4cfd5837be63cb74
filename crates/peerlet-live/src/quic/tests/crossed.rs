//! Two processes that dialled each other at once, with reliable delivery over both connections, of
//! which one breaks. The connections' time is in the test's hands.

use peerlet_core::runtime::Call;
use peerlet_core::{Address, Time};

use super::*;
use crate::connection::{ConnectionConfig, Connections, Effect};
use crate::frame::{Frame, Message, Tag};

/// A process with one peer, in slot 1.
struct Side {
    transport: QuicTransport,
    connections: Connections,
    came: Vec<u8>,
    lost: u32,
}

impl Side {
    fn new() -> Side {
        let mut connections = Connections::new(ConnectionConfig::new(Tag(7), 1));
        connections.started(1, 1);
        Side { transport: bind(), connections, came: Vec::new(), lost: 0 }
    }

    fn socket(&self) -> SocketAddr {
        self.transport.local_addr()
    }

    fn say(&mut self, now: Time, to: SocketAddr, number: u8) {
        let message = Message { port: 0, call: Call::None, body: vec![number].into() };
        self.connections.send(now, 1, Address::new(to, 1), message).unwrap();
    }

    /// Takes in what came, and sends what is to go.
    async fn work(&mut self, now: Time, inbox: Vec<Inbound>) {
        for inbound in inbox {
            match inbound {
                Inbound::Stream { from, frame, .. } => {
                    let frame = Frame::parse(&frame).unwrap();
                    let message = self.connections.receive(now, from, &frame);
                    self.came.extend(message.map(|message| message.body[0]));
                }
                Inbound::LinkUp { with, .. } => self.connections.link_up(with),
                Inbound::LinkLost { with, .. } => {
                    self.lost += 1;
                    self.connections.link_lost(now, with);
                }
                Inbound::Datagram { .. }
                | Inbound::Mistaken { .. }
                | Inbound::Blocked { .. }
                | Inbound::Unblocked { .. } => {}
            }
        }
        self.connections.timer(now);
        self.connections.flush(now);
        let mut batch = Vec::new();
        while let Some(effect) = self.connections.poll() {
            let Effect::Transmit { to, pair, frame, .. } = effect else { panic!("{effect:?}") };
            batch.push(Outbound::Stream { to, pair, frame: frame.into() });
        }
        self.transport.send(&mut batch).await;
    }

    fn up(&self, to: SocketAddr) -> Option<&EstablishedLink> {
        match self.transport.links.get(&to) {
            Some(QuicLink::Up(up)) => Some(up),
            _ => None,
        }
    }
}

/// Works on both sides until the condition holds.
async fn until_both(now: Time, sides: &mut [Side; 2], holds: impl Fn(&[Side; 2]) -> bool) {
    let work = async {
        loop {
            let (mut of_alice, mut of_bob) = (Vec::new(), Vec::new());
            let [alice, bob] = &mut *sides;
            alice.work(now, Vec::new()).await;
            bob.work(now, Vec::new()).await;
            if holds(sides) {
                return;
            }
            let [alice, bob] = &mut *sides;
            tokio::select! {
                () = alice.transport.receive(&mut of_alice) => {}
                () = bob.transport.receive(&mut of_bob) => {}
            }
            alice.work(now, of_alice).await;
            bob.work(now, of_bob).await;
        }
    };
    soon(work).await;
}

/// Two sides that have dialled each other at once, and each sends on a connection of its own.
async fn crossed(now: Time) -> [Side; 2] {
    loop {
        let sides = dial_each_other(now).await;
        let to = [sides[1].socket(), sides[0].socket()];
        let dialled = [0, 1].map(|side| sides[side].up(to[side]).unwrap().dialled);
        // Where one handshake was over much sooner, both send on that connection.
        if dialled[0] == dialled[1] {
            return sides;
        }
    }
}

async fn dial_each_other(now: Time) -> [Side; 2] {
    let mut sides = [Side::new(), Side::new()];
    let (a, b) = (sides[0].socket(), sides[1].socket());
    sides[0].say(now, b, 0);
    sides[1].say(now, a, 0);
    until_both(now, &mut sides, |[alice, bob]| {
        let two = |side: &Side, to| side.up(to).is_some_and(|up| up.extra.is_some());
        let is_settled = [alice, bob].iter().all(|side| side.connections.is_settled());
        two(alice, b) && two(bob, a) && is_settled && alice.came == [0] && bob.came == [0]
    })
    .await;
    sides
}

#[tokio::test]
async fn a_steady_flow_survives_the_end_of_either_connection() {
    for breaks in [0, 1] {
        let mut now = Time::ZERO;
        let mut sides = crossed(now).await;
        let sockets = [sides[1].socket(), sides[0].socket()];
        // The connection that this side sends on: the other one only reads from it.
        sides[breaks].up(sockets[breaks]).unwrap().connection.close(UNWANTED, b"broken");
        until_both(now, &mut sides, |sides| sides[breaks].lost == 1).await;
        for number in 1..=30 {
            now += SECOND;
            (0..2).for_each(|side| sides[side].say(now, sockets[side], number));
            until_both(now, &mut sides, |sides| {
                let came = |side: &Side| side.came.last() == Some(&number);
                sides.iter().all(|side| came(side) && side.connections.is_settled())
            })
            .await;
        }
        assert!(sides.iter().all(|side| side.came == Vec::from_iter(0..=30)));
    }
}

/// A flow that rests when one connection breaks goes on later, on the other one.
#[tokio::test]
async fn a_flow_that_rests_survives_it_too() {
    for breaks in [0, 1] {
        let now = Time::ZERO;
        let mut sides = crossed(now).await;
        let sockets = [sides[1].socket(), sides[0].socket()];
        sides[breaks].up(sockets[breaks]).unwrap().connection.close(UNWANTED, b"broken");
        until_both(now, &mut sides, |sides| sides[breaks].lost == 1).await;
        let now = now + SECOND * 20;
        until_both(now, &mut sides, |_| true).await;
        (0..2).for_each(|side| sides[side].say(now, sockets[side], 1));
        until_both(now, &mut sides, |sides| sides.iter().all(|side| side.came == [0, 1])).await;
    }
}

/// A large message goes on over the other connection where the broken one left it.
#[tokio::test]
async fn a_large_message_survives_it_too() {
    let now = Time::ZERO;
    let mut sides = crossed(now).await;
    let [a, b] = [sides[0].socket(), sides[1].socket()];
    let body = vec![9; 8 << 20].into();
    let message = Message { port: 0, call: Call::None, body };
    sides[0].connections.send(now, 1, Address::new(b, 1), message).unwrap();
    // Some of it is under way; both connections break, one after the other.
    until_both(now, &mut sides, |_| true).await;
    sides[0].up(b).unwrap().connection.close(UNWANTED, b"broken");
    until_both(now, &mut sides, |sides| sides[0].lost == 1 && sides[1].came.len() < 3).await;
    until_both(now + SECOND, &mut sides, |sides| sides[1].came == [0, 9]).await;
    assert!(sides[1].up(a).is_some());
}
