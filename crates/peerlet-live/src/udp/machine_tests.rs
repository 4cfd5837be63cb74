//! Sessions without sockets: whole networks in one thread, with time as a field.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use peerlet_core::{Duration, MILLISECOND, SECOND, Seed};

use super::frames::frames;
use super::sessions::{Out, Sessions};
use super::table::{SESSIONS_MAX, SESSIONS_PER_NETWORK_MAX};
use crate::counters::SocketDrop;
use crate::secret::Secret;

const A: &str = "192.0.2.1:1000";
const B: &str = "198.51.100.7:2000";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Sockets and the packets between them; each takes 1 ms.
#[derive(Default)]
struct Net {
    now: Duration,
    sockets: BTreeMap<SocketAddr, Sessions>,
    /// Frames that came: by receiver, in order.
    came: Vec<(SocketAddr, Bytes)>,
    /// All packets that were sent: from, to, bytes.
    log: Vec<(SocketAddr, SocketAddr, Bytes)>,
    /// The numbers of packets that get lost.
    lost: BTreeSet<usize>,
}

impl Net {
    fn new(secret: &Secret, sockets: &[&str]) -> Net {
        let socket = |text: &&str| (at(text), Sessions::new(secret.clone()));
        Net { sockets: sockets.iter().map(socket).collect(), ..Net::default() }
    }

    fn two() -> Net {
        Net::new(&Secret::generate(), &[A, B])
    }

    fn socket(&mut self, text: &str) -> &mut Sessions {
        self.sockets.get_mut(&at(text)).unwrap()
    }

    fn send(&mut self, from: &str, to: &str, frame: &'static [u8]) {
        let now = self.now;
        let (socket, to) = (self.socket(from), at(to));
        if socket.has(to) {
            let frames = [&(frame.len() as u16).to_be_bytes()[..], frame].concat();
            let packet = socket.seal(now, to, &frames).unwrap().into();
            socket.out.push_back(Out { to, packet, frames: 1 });
        } else {
            socket.hold(now, to, Bytes::from_static(frame));
        }
    }

    /// Hands a packet to a socket; whether it brought frames.
    fn give(&mut self, from: SocketAddr, to: SocketAddr, packet: &[u8]) -> bool {
        let now = self.now;
        let Some(socket) = self.sockets.get_mut(&to) else { return false };
        let Some(opened) = socket.receive(now, from, packet) else { return false };
        let opened = Bytes::copy_from_slice(opened);
        self.came.extend(frames(&opened).unwrap().map(|frame| (to, frame)));
        true
    }

    /// Takes what a socket wants sent.
    fn take(&mut self, from: SocketAddr) -> VecDeque<Out> {
        std::mem::take(&mut self.sockets.get_mut(&from).unwrap().out)
    }

    /// Lets time pass, with all packets on their way.
    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now = self.now + MILLISECOND;
            let all: Vec<_> = self.sockets.keys().copied().collect();
            let now = self.now;
            self.sockets.values_mut().for_each(|socket| socket.tick(now));
            for from in all {
                for Out { to, packet, .. } in self.take(from) {
                    let number = self.log.len();
                    self.log.push((from, to, packet.clone()));
                    if !self.lost.contains(&number) {
                        self.give(from, to, &packet);
                    }
                }
            }
        }
    }

    fn bodies(&self, to: &str) -> Vec<&[u8]> {
        let own = self.came.iter().filter(|(at_, _)| *at_ == at(to));
        own.map(|(_, frame)| &frame[..]).collect()
    }
}

#[test]
fn what_waits_for_a_session_comes_after_four_packets() {
    let mut net = Net::two();
    net.send(A, B, b"one");
    net.send(A, B, b"two");
    net.run(SECOND);
    net.send(B, A, b"three");
    net.run(SECOND);
    assert_eq!((net.bodies(A), net.bodies(B)), (vec![&b"three"[..]], vec![&b"one"[..], b"two"]));
    assert_eq!(net.log.len(), 4 + 2, "a handshake, and a packet each way");
    assert_eq!((net.socket(A).len(), net.socket(B).len()), (1, 1));
    let handshake = net.log[..4].iter().map(|(.., packet)| packet.len());
    assert!(handshake.eq([49; 4]), "no answer is larger than its question");
}

#[test]
fn any_lost_packet_of_a_handshake_is_made_up_for() {
    for lost in 0..4 {
        let mut net = Net::two();
        net.lost.insert(lost);
        net.send(A, B, b"one");
        net.run(SECOND);
        assert_eq!(net.bodies(B), [b"one"], "packet {lost} was lost");
        assert_eq!(net.socket(B).len(), 1);
    }
}

#[test]
fn both_may_begin_at_once() {
    let mut net = Net::two();
    for (number, text) in [&b"one"[..], b"two", b"three"].into_iter().enumerate() {
        net.send(A, B, text);
        net.send(B, A, text);
        net.run(MILLISECOND * (number as u64 + 1));
    }
    net.run(SECOND);
    assert_eq!(net.bodies(A), [&b"one"[..], b"two", b"three"]);
    assert_eq!(net.bodies(B), net.bodies(A));
    net.run(SECOND * 12);
    assert!(net.socket(A).len() <= 2 && net.socket(B).len() <= 2);
}

#[test]
fn a_restarted_socket_is_found_again() {
    let secret = Secret::generate();
    let mut net = Net::new(&secret, &[A, B]);
    net.send(A, B, b"one");
    net.run(SECOND);
    net.sockets.insert(at(B), Sessions::new(secret));
    net.send(A, B, b"lost");
    net.run(MILLISECOND * 10);
    net.send(A, B, b"two");
    net.run(SECOND);
    assert_eq!(net.bodies(B), [&b"one"[..], b"two"]);
    // The other way round: the side that was restarted speaks first.
    let before = net.socket(A).len();
    net.send(B, A, b"three");
    net.run(SECOND);
    assert_eq!(net.bodies(A), [b"three"]);
    assert!(net.socket(A).len() <= before + 1);
    // Nothing that was said, the loss included, means anything a second time.
    let sessions = (net.socket(A).len(), net.socket(B).len());
    for (from, to, packet) in net.log.clone() {
        assert!(!net.give(from, to, &packet));
        net.take(to);
        assert!(net.socket(A).deadline().is_none() && net.socket(B).deadline().is_none());
    }
    assert_eq!((net.socket(A).len(), net.socket(B).len()), sessions);
}

#[test]
fn nobody_there_is_given_up_with_what_waits() {
    let secret = Secret::generate();
    let mut net = Net::new(&secret, &[A]);
    for _ in 0..70 {
        net.send(A, B, b"frame");
    }
    assert_eq!(net.socket(A).counters.get(SocketDrop::Queue), 6, "64 wait");
    net.run(SECOND * 5);
    assert_eq!(net.socket(A).counters.get(SocketDrop::Link), 64);
    assert_eq!(net.log.len(), 5, "at once, and after 250, 750, 1,750 and 3,750 ms");
    assert!(net.socket(A).deadline().is_none());
}

#[test]
fn another_secret_is_not_answered() {
    let mut net = Net::two();
    net.sockets.insert(at(A), Sessions::new(Secret::generate()));
    net.send(A, B, b"one");
    net.run(SECOND * 5);
    assert!(net.log.iter().all(|(from, ..)| *from == at(A)), "not a word");
    assert_eq!(net.socket(B).counters.get(SocketDrop::Handshake), net.log.len() as u64);
    assert_eq!((net.socket(B).len(), net.came.len()), (0, 0));
}

/// All that was ever said is said again, by whoever listened: to the same sockets, and to a new one
/// in the same place.
#[test]
fn repeated_packets_change_nothing() {
    let secret = Secret::generate();
    let mut net = Net::new(&secret, &[A, B]);
    net.send(A, B, b"one");
    net.run(MILLISECOND * 20);
    net.send(B, A, b"two");
    net.run(MILLISECOND * 20);
    let log = net.log.clone();
    for (round, is_restarted) in [(0, false), (1, false), (2, true)] {
        if is_restarted {
            net.sockets.insert(at(B), Sessions::new(secret.clone()));
        }
        let sessions = (net.socket(A).len(), net.socket(B).len());
        for (from, to, packet) in &log {
            assert!(!net.give(*from, *to, packet), "round {round}");
            // What is said in answer gets lost: it was not for the one who listened.
            net.take(*to);
        }
        assert_eq!((net.socket(A).len(), net.socket(B).len()), sessions, "round {round}");
        net.run(SECOND);
    }
    assert_eq!(net.came.len(), 2);
}

/// A session that was given up is made again by a repeated proof while its cookie holds, but under
/// other keys.
#[test]
fn a_session_that_is_made_again_takes_no_old_packets() {
    let secret = Secret::generate();
    let mut net = Net::new(&secret, &[A, B]);
    net.send(A, B, b"one");
    net.run(MILLISECOND * 20);
    let log = net.log.clone();
    for _ in 0..4 {
        net.sockets.insert(at(A), Sessions::new(secret.clone()));
        net.send(A, B, b"again");
        net.run(MILLISECOND * 20);
    }
    assert_eq!((net.socket(B).len(), net.bodies(B).len()), (4, 5));
    for (from, to, packet) in log.iter().filter(|(from, ..)| *from == at(A)) {
        assert!(!net.give(*from, *to, packet));
    }
    let answers = net.take(at(B));
    assert!(answers.iter().any(|out| out.packet[0] == 0x93), "it was accepted again");
    assert_eq!((net.socket(B).len(), net.bodies(B).len()), (4, 5));
}

#[test]
fn own_packets_that_come_back_change_nothing() {
    let mut net = Net::new(&Secret::generate(), &[A]);
    net.send(A, B, b"one");
    // Somebody on the way gives everything back, as if it came from where it went.
    for _ in 0..6_000 {
        net.now = net.now + MILLISECOND;
        let now = net.now;
        net.socket(A).tick(now);
        for Out { to, packet, .. } in net.take(at(A)) {
            assert!(!net.give(to, at(A), &packet));
        }
    }
    assert_eq!((net.socket(A).len(), net.came.len()), (0, 0));
    assert!(net.socket(A).counters.get(SocketDrop::Forged) > 0);
}

#[test]
fn old_sessions_go() {
    let mut net = Net::two();
    net.send(A, B, b"one");
    net.run(SECOND * 25);
    net.send(A, B, b"two");
    net.run(SECOND * 25);
    assert_eq!((net.socket(A).len(), net.socket(B).len()), (1, 1));
    net.run(SECOND * 10);
    assert_eq!((net.socket(A).len(), net.socket(B).len()), (0, 0));
    net.send(B, A, b"three");
    net.run(SECOND);
    assert_eq!((net.bodies(A), net.bodies(B).len()), (vec![&b"three"[..]], 2));
}

/// Holders of the secret begin sessions from many addresses, with or without ever using them.
#[test]
fn sessions_are_bounded_and_those_in_use_stay() {
    let secret = Secret::generate();
    for (uses, networks) in [(false, 1), (true, 1), (true, 9)] {
        let mut net = Net::new(&secret, &[A, B]);
        net.send(A, B, b"one");
        net.run(MILLISECOND * 20);
        net.send(B, A, b"two");
        net.run(MILLISECOND * 20);
        let bound = if networks == 1 { SESSIONS_PER_NETWORK_MAX } else { SESSIONS_MAX };
        for number in 0..bound as u32 + 300 {
            let ip = std::net::Ipv4Addr::from(0xC000_0201 + ((number % networks) << 8));
            let from = SocketAddr::from((ip, 10_000 + number as u16));
            net.sockets.insert(from, Sessions::new(secret.clone()));
            let (now, socket) = (net.now, net.sockets.get_mut(&from).unwrap());
            socket.hold(now, at(B), Bytes::from_static(b"flood"));
            let steps = if uses { 3 } else { 2 };
            for _ in 0..steps {
                for Out { packet, .. } in net.take(from) {
                    net.give(from, at(B), &packet);
                }
                for Out { to, packet, .. } in net.take(at(B)) {
                    net.give(at(B), to, &packet);
                }
            }
            net.sockets.remove(&from);
        }
        assert_eq!(net.socket(B).len(), bound, "{uses} {networks}");
        net.came.clear();
        net.log.clear();
        net.send(A, B, b"three");
        net.send(B, A, b"four");
        net.run(MILLISECOND * 5);
        assert_eq!((net.bodies(B), net.bodies(A)), (vec![&b"three"[..]], vec![&b"four"[..]]));
        assert_eq!(net.log.len(), 2, "the same session goes on");
    }
}

#[test]
fn strange_packets_never_panic_and_are_never_answered_at_length() {
    let seed = std::env::var("PEERLET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut rng = Seed::new(seed).named("strange").rng();
    let mut net = Net::two();
    net.send(A, B, b"one");
    net.run(MILLISECOND * 20);
    let log = net.log.clone();
    let sessions = net.socket(B).len();
    for round in 0..50_000 {
        let (_, _, packet) = rng.choose(&log).unwrap();
        let mut packet = packet.to_vec();
        packet.resize(1 + rng.index(packet.len() + 8), 0x55);
        for _ in 0..=rng.below(4) {
            let byte = rng.index(packet.len());
            packet[byte] ^= 1 << rng.below(8);
        }
        if log.iter().any(|(.., whole)| *whole == packet) {
            continue;
        }
        let from = if rng.chance(0.5) { at(A) } else { at("203.0.113.5:5") };
        assert!(!net.give(from, at(B), &packet), "seed {seed}, round {round}");
        let answers: usize = net.take(at(B)).iter().map(|out| out.packet.len()).sum();
        assert!(answers <= packet.len(), "seed {seed}, round {round}: {answers}");
    }
    assert_eq!(net.socket(B).len(), sessions);
}
