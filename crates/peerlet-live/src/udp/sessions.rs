//! All sessions of a socket, as a machine without sockets and clocks: packets and time in, packets
//! out. The file of the transport describes the protocol.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use peerlet_core::{Duration, MILLISECOND, SECOND};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::frames::pack;
use super::packet::{Codes, Endpoint, Handshake, Packet, SessionId, Step, code_under};
use super::session::{Session, Side};
use super::table::SessionTable;
use super::{PACKET_MAX, SEAL_LEN, SESSIONS_MAX};
use crate::counters::{Counters, SocketDrop};
use crate::secret::Secret;

/// Addresses that are dialled at once, as many as have a session.
const DIALS_MAX: usize = SESSIONS_MAX;
/// Datagrams that wait for one session, as over QUIC.
const HELD_MAX: usize = 64;
/// Bytes of all datagrams that wait for sessions.
const HELD_BYTES_MAX: usize = 16 << 20;
/// After this long a handshake begins again, then after twice as long, and so on.
const AGAIN: Duration = Duration::from_nanos(250 * MILLISECOND.as_nanos());
/// After this long a handshake is given up, with all that waits for it; as over QUIC.
const GIVE_UP: Duration = Duration::from_nanos(4 * SECOND.as_nanos());
/// Cookies hold for this long at least, and twice as long at most.
const COOKIE_LIFE: Duration = Duration::from_nanos(5 * SECOND.as_nanos());
/// A session that the other side says it has lost is replaced at most this often.
const REPLACE_GAP: Duration = SECOND;
/// How often old sessions are looked for.
const SWEEP: Duration = SECOND;

/// A packet that is to go.
#[derive(Clone)]
pub(super) struct Out {
    pub(super) to: SocketAddr,
    pub(super) packet: Bytes,
    /// How many frames are in it.
    pub(super) frames: u64,
}

/// A handshake that this side has begun.
struct Dial {
    session: SessionId,
    began: Duration,
    again: Duration,
    wait: Duration,
    /// The endpoint that sent the cookie.
    other: Option<Endpoint>,
    held: Vec<Bytes>,
}

/// The sessions of one socket.
pub(super) struct Sessions {
    codes: Codes,
    own: Endpoint,
    /// Known to this socket alone, for as long as it lives.
    cookies: hmac::Key,
    random: SystemRandom,
    table: SessionTable,
    dials: BTreeMap<SocketAddr, Dial>,
    held_bytes: usize,
    replaced: BTreeMap<SocketAddr, Duration>,
    swept: Duration,
    pub(super) out: VecDeque<Out>,
    pub(super) counters: Counters,
    /// Whether the last packet that came was of somebody who does not prove the secret.
    pub(super) is_kept_out: bool,
}

impl Sessions {
    /// # Panics
    /// Panics when the operating system has no randomness to give.
    pub(super) fn new(secret: Secret) -> Sessions {
        let random = SystemRandom::new();
        let cookies = hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>(&random));
        let comparison = hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>(&random));
        Sessions {
            codes: Codes::new(secret, comparison),
            own: Endpoint(random_bytes(&random)),
            cookies,
            random,
            table: SessionTable::default(),
            dials: BTreeMap::new(),
            held_bytes: 0,
            replaced: BTreeMap::new(),
            swept: Duration::ZERO,
            out: VecDeque::new(),
            counters: Counters::default(),
            is_kept_out: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Seals frames for an address with a session; `None` when it has none.
    pub(super) fn seal(&mut self, now: Duration, to: SocketAddr, frames: &[u8]) -> Option<Vec<u8>> {
        let id = self.table.current(to)?;
        let sealed = self.table.get_mut(to, id)?.seal(now, frames);
        if sealed.is_none() {
            self.table.remove(to, id);
        }
        sealed
    }

    /// Whether frames for this address can go at once.
    pub(super) fn has(&self, to: SocketAddr) -> bool {
        self.table.current(to).is_some()
    }

    /// Keeps a frame until there is a session with this address, which is dialled.
    pub(super) fn hold(&mut self, now: Duration, to: SocketAddr, frame: Bytes) {
        if !self.dials.contains_key(&to) && !self.dial(now, to) {
            return self.counters.add(SocketDrop::Link, 1);
        }
        let Some(dial) = self.dials.get_mut(&to) else { return };
        if dial.held.len() >= HELD_MAX || self.held_bytes + frame.len() > HELD_BYTES_MAX {
            return self.counters.add(SocketDrop::Queue, 1);
        }
        self.held_bytes += frame.len();
        dial.held.push(frame);
    }

    /// When there is something to do if nothing comes before.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.dials.values().map(|dial| dial.again.min(dial.began + GIVE_UP)).min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Duration) {
        let due: Vec<SocketAddr> = self
            .dials
            .iter()
            .filter(|(_, dial)| dial.again.min(dial.began + GIVE_UP) <= now)
            .map(|(to, _)| *to)
            .collect();
        for to in due {
            let Some(dial) = self.dials.get_mut(&to) else { continue };
            if now >= dial.began + GIVE_UP {
                let held = self.end_dial(to);
                self.counters.add(SocketDrop::Link, held.len() as u64);
                continue;
            }
            dial.wait = dial.wait * 2;
            dial.again = now + dial.wait;
            let session = dial.session;
            self.say(to, Step::Hello, session, [0; 16], None);
        }
        if now >= self.swept + SWEEP {
            self.swept = now;
            self.table.sweep(now);
            self.replaced.retain(|_, at| now < *at + REPLACE_GAP);
        }
    }

    /// Takes a packet; gives the frames in it when it is data of a session, and new.
    pub(super) fn receive<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Option<&'a [u8]> {
        match self.take(now, from, bytes) {
            Ok(frames) => frames,
            Err(cause) => {
                self.counters.add(cause, 1);
                None
            }
        }
    }

    fn take<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Result<Option<&'a [u8]>, SocketDrop> {
        if bytes.len() > PACKET_MAX {
            return Err(SocketDrop::TooLarge);
        }
        let parsed = Packet::parse(bytes);
        // A plain packet, as a process without a secret sends it.
        self.is_kept_out = parsed == Err(SocketDrop::Forged);
        match parsed? {
            Packet::Data { session, counter, frames } => {
                self.data(now, from, session, counter, bytes)?;
                return Ok(Some(frames));
            }
            Packet::Lost { session, endpoint } => {
                self.check(bytes, endpoint, None)?;
                self.lost(now, from, session)?;
            }
            Packet::Handshake(packet) => {
                let to = (packet.step != Step::Hello).then_some(self.own);
                self.check(bytes, packet.endpoint, to)?;
                match packet.step {
                    Step::Hello => self.hello(now, from, &packet),
                    Step::Cookie => self.cookie(from, &packet)?,
                    Step::Proof => self.proof(now, from, &packet)?,
                    Step::Accept => self.accept(now, from, &packet)?,
                }
            }
        }
        Ok(None)
    }

    /// Refuses packets of a handshake that do not prove the secret, and own ones that come back.
    fn check(
        &mut self,
        bytes: &[u8],
        from: Endpoint,
        to: Option<Endpoint>,
    ) -> Result<(), SocketDrop> {
        match self.codes.are_right(bytes, to) {
            false => {
                self.is_kept_out = true;
                Err(SocketDrop::Handshake)
            }
            true if from == self.own => Err(SocketDrop::Forged),
            true => Ok(()),
        }
    }

    /// Answers a greeting with a cookie; keeps nothing.
    fn hello(&mut self, now: Duration, from: SocketAddr, packet: &Handshake) {
        let cookie = self.cookie_for(from, packet, bucket(now));
        self.say(from, Step::Cookie, packet.session, cookie, Some(packet.endpoint));
    }

    /// Brings a cookie back, which proves the own address, with a proof of the secret.
    fn cookie(&mut self, from: SocketAddr, packet: &Handshake) -> Result<(), SocketDrop> {
        match self.dials.get_mut(&from) {
            Some(dial) if dial.session == packet.session => dial.other = Some(packet.endpoint),
            _ => return Err(SocketDrop::Handshake),
        }
        self.say(from, Step::Proof, packet.session, packet.value, Some(packet.endpoint));
        Ok(())
    }

    /// Makes a session for an address that has proved itself, or says again that there is one.
    fn proof(
        &mut self,
        now: Duration,
        from: SocketAddr,
        packet: &Handshake,
    ) -> Result<(), SocketDrop> {
        let buckets = [bucket(now), bucket(now).wrapping_sub(1)];
        let is_own = buckets.iter().any(|bucket| {
            self.codes.are_same(&self.cookie_for(from, packet, *bucket), &packet.value)
        });
        if !is_own {
            return Err(SocketDrop::Handshake);
        }
        let is_waiting = |known: &Session| {
            known.side == Side::Accepted && !known.is_confirmed && known.other == packet.endpoint
        };
        let nonce = match self.table.get_mut(from, packet.session) {
            Some(known) if is_waiting(known) => known.nonce,
            Some(_) => return Err(SocketDrop::Duplicate),
            None => {
                let nonce = random_bytes(&self.random);
                let (ends, id) = ((self.own, packet.endpoint), packet.session);
                let session = Session::new(&self.codes, id, Side::Accepted, ends, nonce, now);
                if !self.table.insert(now, from, session) {
                    return Err(SocketDrop::Handshake);
                }
                nonce
            }
        };
        self.say(from, Step::Accept, packet.session, nonce, Some(packet.endpoint));
        Ok(())
    }

    /// The session stands: what waits for it goes.
    fn accept(
        &mut self,
        now: Duration,
        from: SocketAddr,
        packet: &Handshake,
    ) -> Result<(), SocketDrop> {
        let is_ours = self.dials.get(&from).is_some_and(|dial| {
            dial.session == packet.session && dial.other == Some(packet.endpoint)
        });
        if !is_ours {
            return Err(SocketDrop::Handshake);
        }
        let (ends, id) = ((self.own, packet.endpoint), packet.session);
        let session = Session::new(&self.codes, id, Side::Began, ends, packet.value, now);
        self.table.insert(now, from, session);
        self.release(now, from);
        Ok(())
    }

    /// The other side does not know a session any more: it is replaced. It stays until then, since
    /// whoever repeats such a packet should change nothing.
    fn lost(
        &mut self,
        now: Duration,
        from: SocketAddr,
        session: SessionId,
    ) -> Result<(), SocketDrop> {
        let is_current = self.table.current(from) == Some(session);
        if !is_current || self.dials.contains_key(&from) || self.replaced.contains_key(&from) {
            return Err(SocketDrop::Duplicate);
        }
        if self.dial(now, from) {
            self.replaced.insert(from, now);
        }
        Ok(())
    }

    fn data(
        &mut self,
        now: Duration,
        from: SocketAddr,
        id: SessionId,
        number: u64,
        packet: &[u8],
    ) -> Result<(), SocketDrop> {
        let Some(session) = self.table.get_mut(from, id) else {
            // Smaller than what it answers, and no state is made for it.
            let packet = self.codes.lost(id, self.own);
            self.push(from, packet, 0);
            return Err(SocketDrop::Link);
        };
        session.open(now, &self.codes, number, packet)?;
        if !std::mem::replace(&mut session.is_confirmed, true) {
            self.table.set_current(from, id);
            self.release(now, from);
        }
        Ok(())
    }

    /// Begins a handshake; false when there are too many.
    fn dial(&mut self, now: Duration, to: SocketAddr) -> bool {
        if self.dials.len() >= DIALS_MAX {
            return false;
        }
        let session = SessionId(random_bytes(&self.random));
        let (began, again, wait) = (now, now + AGAIN, AGAIN);
        let dial = Dial { session, began, again, wait, other: None, held: Vec::new() };
        self.dials.insert(to, dial);
        self.say(to, Step::Hello, session, [0; 16], None);
        true
    }

    /// Ends a handshake; gives the frames that waited for it.
    fn end_dial(&mut self, to: SocketAddr) -> Vec<Bytes> {
        let held = self.dials.remove(&to).map(|dial| dial.held).unwrap_or_default();
        self.held_bytes -= held.iter().map(Bytes::len).sum::<usize>();
        held
    }

    /// Sends the frames that waited for a session with this address.
    fn release(&mut self, now: Duration, to: SocketAddr) {
        for (frames, count) in pack(self.end_dial(to), PACKET_MAX - SEAL_LEN) {
            match self.seal(now, to, &frames) {
                Some(packet) => self.push(to, packet, count),
                None => self.counters.add(SocketDrop::Link, count),
            }
        }
    }

    fn say(
        &mut self,
        to: SocketAddr,
        step: Step,
        session: SessionId,
        value: [u8; 16],
        other: Option<Endpoint>,
    ) {
        let packet = Handshake { step, session, endpoint: self.own, value };
        let packet = self.codes.handshake(&packet, other);
        self.push(to, packet, 0);
    }

    fn push(&mut self, to: SocketAddr, packet: Vec<u8>, frames: u64) {
        self.out.push_back(Out { to, packet: packet.into(), frames });
    }

    /// The cookie of a socket that begins a session from this address in this stretch of time.
    fn cookie_for(&self, from: SocketAddr, packet: &Handshake, bucket: u64) -> [u8; 16] {
        let ip = match from.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let (port, bucket) = (from.port().to_be_bytes(), bucket.to_be_bytes());
        let all = [&ip[..], &port, &bucket, &packet.session.0, &packet.endpoint.0].concat();
        code_under(&self.cookies, &all)
    }
}

fn bucket(now: Duration) -> u64 {
    now.as_nanos() / COOKIE_LIFE.as_nanos()
}

fn random_bytes<const N: usize>(random: &SystemRandom) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}
