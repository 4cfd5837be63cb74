//! The thread that carries packets from one peer's socket to another's.

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Instant;

use peerlet_core::{Duration, MILLISECOND, Map, SECOND, Seat, Seed, Time};
use peerlet_measure::Flow;
use peerlet_network::Model;
use rustix::net::{SendFlags, sendto};
use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::Carried;
use super::lateness::Lateness;
use super::machine::{Lost, WarmUp};
use super::packets::Packets;
use super::road::{Damage, Due, Given, Road};
use super::wire::{Emulated, Part, STAMP_LEN, Wire, shown, stamp};
use crate::buffers;
use crate::panics::{Failures, PanicPlace, caught_now};
use crate::seats::SeatMap;

/// Packets that the carrier was given and has not looked at yet.
const GIVEN_MAX: usize = 1 << 16;
/// How often the carrier looks around when nothing is due.
const LOOK: Duration = Duration::from_nanos(20 * MILLISECOND.as_nanos());
/// How long the carrier of a broken run may take to end, and how often that is looked at.
const GIVING_UP: Duration = SECOND;
const GIVING_UP_LOOK: std::time::Duration = std::time::Duration::from_millis(1);
/// Packets that are taken in before those that are due are looked at again.
const TAKEN_MAX: usize = 256;

/// What the carrier is told.
pub(super) enum Order {
    Carry(Load),
    Finish,
}

/// A packet that a wire was given.
pub(super) struct Load {
    pub(super) at: Instant,
    pub(super) from: Seat,
    pub(super) to: SocketAddr,
    /// With room for the stamp in front.
    pub(super) bytes: Vec<u8>,
    pub(super) datagrams: u32,
}

/// What an emulated network is made of.
pub(crate) struct CarrierSetup {
    pub(crate) model: Box<dyn Model>,
    /// Where the network's dice begin.
    pub(crate) seed: Seed,
    pub(crate) seats: Arc<SeatMap>,
    /// From when on what happens counts, and when the run ends, counted from time zero.
    pub(crate) measured: Range<Time>,
    pub(crate) damage: Damage,
}

/// What stands between the sockets: makes wires, then carries what they are given.
pub(crate) struct Carrier {
    orders: SyncSender<Order>,
    given: Option<Receiver<Order>>,
    wires: Map<Seat, Arc<UdpSocket>>,
    /// The sockets on loopback of an emulation.
    real: Map<Seat, SocketAddr>,
    epoch: Instant,
    emulated: Option<Emulated>,
    /// Packets that did not fit the queue of orders.
    overflow: Arc<AtomicU64>,
    thread: Option<Thread>,
}

/// The carrier's thread, with what became of packets and datagrams.
type Thread = JoinHandle<Came>;

/// The results of a carrier's thread.
#[derive(Default)]
struct Came {
    packets: Packets,
    datagrams: Flow,
    lateness: Lateness,
    /// How late it was before the measured part.
    warm_up: Lateness,
    stalled: Duration,
    /// Packets that the operating system refused to take.
    refused: u64,
    /// Packets that it took while the run lasted.
    taken: u64,
}

impl Carrier {
    /// A carrier of an emulated network, or of faults on the real one.
    pub(crate) fn new(is_emulated: bool) -> Carrier {
        let (orders, given) = mpsc::sync_channel(GIVEN_MAX);
        let (epoch, emulated) = (Instant::now(), is_emulated.then(Emulated::default));
        let (given, (wires, real)) = (Some(given), Default::default());
        let overflow = Arc::default();
        Carrier { orders, given, wires, real, epoch, emulated, overflow, thread: None }
    }

    /// A seat's socket. Needs a tokio runtime.
    pub(crate) fn wire(&mut self, seat: Seat, at: SocketAddr) -> io::Result<Arc<Wire>> {
        let socket = buffers::bind(at)?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let io = Arc::new(UdpSocket::from_std(socket)?);
        self.wires.insert(seat, io.clone());
        let (carrier, emulated) = (self.orders.clone(), self.emulated.clone());
        let overflow = self.overflow.clone();
        let local = match emulated {
            Some(_) => {
                self.real.insert(seat, local);
                shown(seat)
            }
            None => local,
        };
        Ok(Arc::new(Wire { io, local, seat, carrier, overflow, epoch: self.epoch, emulated }))
    }

    /// Begins to carry, now that every peer has its wire. Tells when nothing is on its way any more
    /// that departed before the run's end.
    pub(crate) fn begin(
        &mut self,
        setup: CarrierSetup,
        zero: watch::Receiver<Option<Instant>>,
        failures: Failures,
    ) -> io::Result<watch::Receiver<bool>> {
        let given = self.given.take().expect("a carrier begins once");
        let wires = std::mem::take(&mut self.wires);
        let CarrierSetup { model, seed, seats, measured, damage } = setup;
        let (is_emulated, real) = (self.emulated.is_some(), std::mem::take(&mut self.real));
        if let Some(emulated) = &self.emulated {
            let seats = real.iter().map(|(seat, socket)| (*socket, *seat)).collect();
            emulated.seats.set(seats).expect("a carrier begins once");
        }
        let (quiet, hears) = watch::channel(false);
        let (by_socket, epoch) = (Map::default(), self.epoch);
        let carry = move || {
            let road = Road::new(model, seed, seats.count(), measured.end, damage, !is_emulated);
            let round = Round {
                road,
                is_emulated,
                measured,
                wires,
                real,
                seats,
                by_socket,
                epoch,
                zero,
                quiet,
                came: Came::default(),
            };
            round.run(&given)
        };
        let thread = std::thread::Builder::new().name("network".into());
        self.thread = Some(thread.spawn(move || {
            caught_now(carry).unwrap_or_else(|payload| {
                failures.tell(PanicPlace::Network, &payload);
                Default::default()
            })
        })?);
        Ok(hears)
    }

    /// Ends it: what became of packets, and of the datagrams that could be seen in them.
    pub(crate) fn finish(self) -> (Carried, Flow) {
        self.orders.send(Order::Finish).ok();
        self.joined()
    }

    /// Ends it, and leaves a thread behind that does not end in time.
    pub(crate) fn give_up(mut self) -> (Carried, Flow) {
        self.orders.try_send(Order::Finish).ok();
        let until = Instant::now() + std::time::Duration::from(GIVING_UP);
        let runs = |thread: &Option<Thread>| thread.as_ref().is_some_and(|t| !t.is_finished());
        while runs(&self.thread) && Instant::now() < until {
            std::thread::sleep(GIVING_UP_LOOK);
        }
        self.thread = self.thread.filter(JoinHandle::is_finished);
        self.joined()
    }

    fn joined(self) -> (Carried, Flow) {
        // Its own panics were told elsewhere.
        let came = self.thread.and_then(|thread| thread.join().ok());
        let Came { packets, datagrams, lateness, warm_up, stalled, refused, taken } =
            came.unwrap_or_default();
        let read = self.emulated.map(|emulated| emulated.readings.get()).unwrap_or_default();
        let queue = self.overflow.load(Ordering::Relaxed);
        let lost = Lost { queue, refused, unread: taken.saturating_sub(read.count) };
        let warm_up = WarmUp { lateness: warm_up, read: read.warm_up };
        let read = read.measured;
        (
            Carried { packets, lateness, read, warm_up, lost, stalled, ..Carried::default() },
            datagrams,
        )
    }
}

/// How much of what was given was taken in.
enum Taken {
    Some,
    All,
    /// All, and nothing more will come.
    Over,
}

/// What the carrier's thread goes round with.
struct Round {
    road: Road,
    is_emulated: bool,
    measured: Range<Time>,
    wires: Map<Seat, Arc<UdpSocket>>,
    real: Map<Seat, SocketAddr>,
    seats: Arc<SeatMap>,
    /// What is known of the seats' sockets.
    by_socket: Map<SocketAddr, Seat>,
    epoch: Instant,
    zero: watch::Receiver<Option<Instant>>,
    quiet: watch::Sender<bool>,
    came: Came,
}

impl Round {
    fn run(mut self, given: &Receiver<Order>) -> Came {
        // Without this the kernel may wake a thread 50 us late, to save power. Where it does not
        // know the call, lateness shows what that costs.
        rustix::thread::set_current_timer_slack(NonZero::new(1)).ok();
        // What departed by then is known, but for what a thread is just giving.
        let (mut known_until, mut back) = (Time::ZERO, None);
        loop {
            let (now, zero) = (self.now(), *self.zero.borrow());
            if let Some(zero) = zero {
                self.road.set_zero(self.counted(zero));
                if let Some(back) = back.filter(|_| self.is_within(now)) {
                    self.came.stalled = self.came.stalled.max(now.since(back));
                }
            }
            while let Some(due) = self.road.next(now) {
                self.hand_over(due);
            }
            if self.road.is_quiet(known_until) {
                self.quiet.send_replace(true);
            }
            let wait = self.road.next_due().map_or(LOOK, |due| due.since(self.now()).min(LOOK));
            back = Some(self.now() + wait);
            match self.take_in(given, wait) {
                Taken::All => known_until = now,
                Taken::Some => {}
                Taken::Over => return self.finish(),
            }
        }
    }

    /// Takes in what it was given, and waits so long for it if there is nothing yet.
    fn take_in(&mut self, given: &Receiver<Order>, wait: Duration) -> Taken {
        for i in 0..TAKEN_MAX {
            let patience = if i == 0 { wait } else { Duration::ZERO };
            match given.recv_timeout(patience.into()) {
                Ok(Order::Finish) | Err(RecvTimeoutError::Disconnected) => return Taken::Over,
                Ok(Order::Carry(given)) => self.carry(given),
                Err(RecvTimeoutError::Timeout) => return Taken::All,
            }
        }
        Taken::Some
    }

    fn finish(self) -> Came {
        let (packets, datagrams) = self.road.finish();
        Came { packets, datagrams, ..self.came }
    }

    /// Whether the run lasts at this instant, its warm-up included.
    fn is_within(&self, at: Time) -> bool {
        self.road.has_begun(at) && self.road.time(at) < self.measured.end
    }

    fn now(&self) -> Time {
        self.counted(Instant::now())
    }

    /// An instant as time since the epoch.
    fn counted(&self, at: Instant) -> Time {
        Time::ZERO + Duration::from(at.saturating_duration_since(self.epoch))
    }

    /// Lets a packet depart.
    fn carry(&mut self, load: Load) {
        let Load { at, from, to, bytes, datagrams } = load;
        let at = self.counted(at);
        match self.seat_at(to) {
            Some(seat) => {
                let to = (seat, self.real.get(&seat).copied().unwrap_or(to));
                self.road.depart(Given { at, from, to, bytes, datagrams });
            }
            // No seat's: processes that get to know each other.
            None => self.hand_over(Due { at, from, to, bytes }),
        }
    }

    fn seat_at(&mut self, socket: SocketAddr) -> Option<Seat> {
        if !self.by_socket.contains_key(&socket) {
            // Others may have become known since.
            self.by_socket = self.seats.by_socket();
        }
        self.by_socket.get(&socket).copied()
    }

    /// Hands a packet to the operating system, in the name of its sender's socket.
    fn hand_over(&mut self, mut due: Due) {
        let Some(socket) = self.wires.get(&due.from) else { return };
        // A full buffer loses it.
        if !self.is_emulated {
            let to = mapped(socket, due.to);
            let sent = sendto(&**socket, &due.bytes[STAMP_LEN..], SendFlags::DONTWAIT, &to);
            self.came.refused += u64::from(sent.is_err());
            return;
        }
        let part = self.part(due.at);
        let late = self.now().since(due.at);
        match part {
            Some(Part::WarmUp) => self.came.warm_up.note(late),
            Some(Part::Measured) => self.came.lateness.note(late),
            None => {}
        }
        due.bytes[..STAMP_LEN].copy_from_slice(&stamp(due.at, part));
        let sent = sendto(&**socket, &due.bytes, SendFlags::DONTWAIT, &due.to);
        if part.is_some() {
            self.came.refused += u64::from(sent.is_err());
            self.came.taken += u64::from(sent.is_ok());
        }
    }

    /// The part of the run that an instant lies in.
    fn part(&self, at: Time) -> Option<Part> {
        let is_measured = self.measured.contains(&self.road.time(at));
        self.is_within(at).then_some(if is_measured { Part::Measured } else { Part::WarmUp })
    }
}

/// An address as this socket takes it: one of IPv6 reaches IPv4 by addresses of its own.
fn mapped(socket: &UdpSocket, to: SocketAddr) -> SocketAddr {
    match (socket.local_addr(), to) {
        (Ok(SocketAddr::V6(_)), SocketAddr::V4(v4)) => {
            SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
        }
        _ => to,
    }
}

#[cfg(test)]
mod tests {
    use peerlet_network::Constant;

    use super::*;
    use crate::medium::machine::Lost;

    /// Packets that the operating system accepted and no peer read count as lost by the machine.
    #[tokio::test]
    async fn packets_that_nobody_reads_are_counted() {
        let seats = Arc::new(SeatMap::new(2, &[]));
        (0..2).map(Seat).for_each(|seat| seats.set(seat, shown(seat)));
        let mut carrier = Carrier::new(true);
        let loopback = "127.0.0.1:0".parse().unwrap();
        let [reader, other] = [0, 1].map(|seat| carrier.wire(Seat(seat), loopback).unwrap());
        let setup = CarrierSetup {
            model: Box::new(Constant { delay: Duration::ZERO }),
            seed: Seed::new(1),
            seats,
            measured: Time::ZERO..Time::ZERO + SECOND * 3_600,
            damage: peerlet_network::damage,
        };
        let (zero, begun) = watch::channel(Some(Instant::now()));
        let (failures, _heard) = Failures::new();
        carrier.begin(setup, begun, failures).unwrap();
        for _ in 0..3 {
            reader.give(shown(Seat(1)), b"unread", 1).unwrap();
        }
        // Packets are handed over in order: once this one is here, those are there.
        reader.give(shown(Seat(0)), b"read", 1).unwrap();
        let mut buffer = [0; 64];
        let (len, from) = reader.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..len], from), (&b"read"[..], shown(Seat(0))));
        let (carried, _) = carrier.finish();
        drop((zero, other));
        assert_eq!(carried.packets.carried, 4);
        assert_eq!(carried.lost, Lost { queue: 0, refused: 0, unread: 3 });
        assert_eq!((carried.read.count(), carried.lateness.count()), (1, 4));
        assert!(!carried.is_valid());
    }
}
