//! The driver: the thread that carries packets from one peer's socket to another's.

use std::io;
use std::net::SocketAddr;
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

use super::link::{Damage, DepartingPacket, DuePacket, EmulatedLinks};
use super::packet::{Load, Order, RunPart, STAMP_LEN, stamp};
use super::socket::{EmulatedSocket, Emulation, shown};
use crate::buffers;
use crate::medium::{Carried, Lateness, Lost, Packets, WarmUp};
use crate::panics::{Failures, PanicPlace, caught_now};
use crate::seats::SeatMap;

/// Packets that the driver was given and has not looked at yet.
const GIVEN_MAX: usize = 1 << 16;
/// How often the driver looks around when nothing is due.
const LOOK: Duration = Duration::from_nanos(20 * MILLISECOND.as_nanos());
/// How long the driver of a broken run may take to end, and how often that is looked at.
const GIVING_UP: Duration = SECOND;
const GIVING_UP_LOOK: std::time::Duration = std::time::Duration::from_millis(1);
/// Packets that are taken in before those that are due are looked at again.
const TAKEN_MAX: usize = 256;

/// Sends without waiting for room. Windows has no flag for that; sockets of tokio's never wait
/// there.
#[cfg(unix)]
const AT_ONCE: SendFlags = SendFlags::DONTWAIT;
#[cfg(not(unix))]
const AT_ONCE: SendFlags = SendFlags::empty();

/// The setup of an emulated network.
pub(crate) struct DriverSetup {
    pub(crate) model: Box<dyn Model>,
    /// The seed of the network's random streams.
    pub(crate) seed: Seed,
    pub(crate) seats: Arc<SeatMap>,
    /// The measured part of the run, from time zero; its end is the end of the run.
    pub(crate) measured: Range<Time>,
    pub(crate) damage: Damage,
}

/// Makes the emulated sockets, then carries the packets that they are given.
pub(crate) struct Driver {
    orders: SyncSender<Order>,
    given: Option<Receiver<Order>>,
    sockets: Map<Seat, Arc<UdpSocket>>,
    /// The sockets on loopback of an emulation.
    real: Map<Seat, SocketAddr>,
    epoch: Instant,
    emulation: Option<Emulation>,
    /// Packets that did not fit the queue of orders.
    overflow: Arc<AtomicU64>,
    thread: Option<Thread>,
}

/// The driver's thread, which gives its results.
type Thread = JoinHandle<DriverResults>;

/// The results of a driver's thread.
#[derive(Default)]
struct DriverResults {
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

impl Driver {
    /// A driver of an emulated network, or of faults on the real one.
    pub(crate) fn new(is_emulated: bool) -> Driver {
        let (orders, given) = mpsc::sync_channel(GIVEN_MAX);
        let (epoch, emulation) = (Instant::now(), is_emulated.then(Emulation::default));
        let (given, (sockets, real)) = (Some(given), Default::default());
        let overflow = Arc::default();
        Driver { orders, given, sockets, real, epoch, emulation, overflow, thread: None }
    }

    /// A seat's socket. Needs a tokio runtime.
    pub(crate) fn socket(&mut self, seat: Seat, at: SocketAddr) -> io::Result<Arc<EmulatedSocket>> {
        let socket = buffers::bind(at)?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let io = Arc::new(UdpSocket::from_std(socket)?);
        self.sockets.insert(seat, io.clone());
        let (driver, emulation) = (self.orders.clone(), self.emulation.clone());
        let overflow = self.overflow.clone();
        let local = match emulation {
            Some(_) => {
                self.real.insert(seat, local);
                shown(seat)
            }
            None => local,
        };
        Ok(Arc::new(EmulatedSocket {
            io,
            local,
            seat,
            driver,
            overflow,
            epoch: self.epoch,
            emulation,
        }))
    }

    /// Begins to carry, once every peer has its socket. Tells when nothing is on its way any more
    /// that departed before the run's end.
    pub(crate) fn begin(
        &mut self,
        setup: DriverSetup,
        zero: watch::Receiver<Option<Instant>>,
        failures: Failures,
    ) -> io::Result<watch::Receiver<bool>> {
        let given = self.given.take().expect("a driver begins once");
        let sockets = std::mem::take(&mut self.sockets);
        let DriverSetup { model, seed, seats, measured, damage } = setup;
        let (is_emulated, real) = (self.emulation.is_some(), std::mem::take(&mut self.real));
        if let Some(emulation) = &self.emulation {
            let seats = real.iter().map(|(seat, socket)| (*socket, *seat)).collect();
            emulation.seats.set(seats).expect("a driver begins once");
        }
        let (quiet, hears) = watch::channel(false);
        let (by_socket, epoch) = (Map::default(), self.epoch);
        let carry = move || {
            let links =
                EmulatedLinks::new(model, seed, seats.count(), measured.end, damage, !is_emulated);
            let driver_loop = DriverLoop {
                links,
                is_emulated,
                measured,
                sockets,
                real,
                seats,
                by_socket,
                epoch,
                zero,
                quiet,
                results: DriverResults::default(),
            };
            driver_loop.run(&given)
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

    /// Ends it, and gives the accounts of packets and of the datagrams that could be seen in them.
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
        let results = self.thread.and_then(|thread| thread.join().ok());
        let DriverResults { packets, datagrams, lateness, warm_up, stalled, refused, taken } =
            results.unwrap_or_default();
        let read = self.emulation.map(|emulation| emulation.readings.get()).unwrap_or_default();
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

/// How many of the waiting orders were taken in.
enum Intake {
    Some,
    All,
    /// All, and nothing more will come.
    Over,
}

/// The state of the driver's thread.
struct DriverLoop {
    links: EmulatedLinks,
    is_emulated: bool,
    measured: Range<Time>,
    sockets: Map<Seat, Arc<UdpSocket>>,
    real: Map<Seat, SocketAddr>,
    seats: Arc<SeatMap>,
    /// The seats by their sockets, as far as they are known.
    by_socket: Map<SocketAddr, Seat>,
    epoch: Instant,
    zero: watch::Receiver<Option<Instant>>,
    quiet: watch::Sender<bool>,
    results: DriverResults,
}

impl DriverLoop {
    fn run(mut self, given: &Receiver<Order>) -> DriverResults {
        // Without this the kernel may wake a thread 50 us late, to save power. Where it does not
        // know the call, lateness shows what that costs.
        #[cfg(target_os = "linux")]
        rustix::thread::set_current_timer_slack(std::num::NonZero::new(1)).ok();
        // What departed by then is known, but for what a thread is just giving.
        let (mut known_until, mut back) = (Time::ZERO, None);
        loop {
            let (now, zero) = (self.now(), *self.zero.borrow());
            if let Some(zero) = zero {
                self.links.set_zero(self.counted(zero));
                if let Some(back) = back.filter(|_| self.is_within(now)) {
                    self.results.stalled = self.results.stalled.max(now.since(back));
                }
            }
            while let Some(due) = self.links.next(now) {
                self.hand_over(due);
            }
            if self.links.is_quiet(known_until) {
                self.quiet.send_replace(true);
            }
            let wait = self.links.next_due().map_or(LOOK, |due| due.since(self.now()).min(LOOK));
            back = Some(self.now() + wait);
            match self.take_in(given, wait) {
                Intake::All => known_until = now,
                Intake::Some => {}
                Intake::Over => return self.finish(),
            }
        }
    }

    /// Takes in what it was given, and waits so long for it if there is nothing yet.
    fn take_in(&mut self, given: &Receiver<Order>, wait: Duration) -> Intake {
        for i in 0..TAKEN_MAX {
            let patience = if i == 0 { wait } else { Duration::ZERO };
            match given.recv_timeout(patience.into()) {
                Ok(Order::Finish) | Err(RecvTimeoutError::Disconnected) => return Intake::Over,
                Ok(Order::Carry(given)) => self.carry(given),
                Err(RecvTimeoutError::Timeout) => return Intake::All,
            }
        }
        Intake::Some
    }

    fn finish(self) -> DriverResults {
        let (packets, datagrams) = self.links.finish();
        DriverResults { packets, datagrams, ..self.results }
    }

    /// Whether the run lasts at this instant, its warm-up included.
    fn is_within(&self, at: Time) -> bool {
        self.links.has_begun(at) && self.links.time(at) < self.measured.end
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
                self.links.depart(DepartingPacket { at, from, to, bytes, datagrams });
            }
            // No seat's: processes that get to know each other.
            None => self.hand_over(DuePacket { at, from, to, bytes }),
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
    fn hand_over(&mut self, mut due: DuePacket) {
        let Some(socket) = self.sockets.get(&due.from) else { return };
        // A full buffer loses it.
        if !self.is_emulated {
            let to = mapped(socket, due.to);
            let sent = sendto(&**socket, &due.bytes[STAMP_LEN..], AT_ONCE, &to);
            self.results.refused += u64::from(sent.is_err());
            return;
        }
        let part = self.part(due.at);
        let late = self.now().since(due.at);
        match part {
            Some(RunPart::WarmUp) => self.results.warm_up.note(late),
            Some(RunPart::Measured) => self.results.lateness.note(late),
            None => {}
        }
        due.bytes[..STAMP_LEN].copy_from_slice(&stamp(due.at, part));
        let sent = sendto(&**socket, &due.bytes, AT_ONCE, &due.to);
        if part.is_some() {
            self.results.refused += u64::from(sent.is_err());
            self.results.taken += u64::from(sent.is_ok());
        }
    }

    /// The part of the run that an instant lies in.
    fn part(&self, at: Time) -> Option<RunPart> {
        let is_measured = self.measured.contains(&self.links.time(at));
        self.is_within(at).then_some(if is_measured { RunPart::Measured } else { RunPart::WarmUp })
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

    /// Packets that the operating system accepted and no peer read count as lost by the machine.
    #[tokio::test]
    async fn packets_that_nobody_reads_are_counted() {
        let seats = Arc::new(SeatMap::new(2, &[]));
        (0..2).map(Seat).for_each(|seat| seats.set(seat, shown(seat)));
        let mut driver = Driver::new(true);
        let loopback = "127.0.0.1:0".parse().unwrap();
        let [reader, other] = [0, 1].map(|seat| driver.socket(Seat(seat), loopback).unwrap());
        let setup = DriverSetup {
            model: Box::new(Constant { delay: Duration::ZERO }),
            seed: Seed::new(1),
            seats,
            measured: Time::ZERO..Time::ZERO + SECOND * 3_600,
            damage: peerlet_network::damage,
        };
        let (zero, begun) = watch::channel(Some(Instant::now()));
        let (failures, _heard) = Failures::new();
        driver.begin(setup, begun, failures).unwrap();
        for _ in 0..3 {
            reader.give(shown(Seat(1)), b"unread", 1).unwrap();
        }
        // Packets are handed over in order: once this one is here, those are there.
        reader.give(shown(Seat(0)), b"read", 1).unwrap();
        let mut buffer = [0; 64];
        let (len, from) = reader.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..len], from), (&b"read"[..], shown(Seat(0))));
        let (carried, _) = driver.finish();
        drop((zero, other));
        assert_eq!(carried.packets.carried, 4);
        assert_eq!(carried.lost, Lost { queue: 0, refused: 0, unread: 3 });
        assert_eq!((carried.read.count(), carried.lateness.count()), (1, 4));
        assert!(!carried.is_valid());
    }
}
