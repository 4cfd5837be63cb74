//! Holds a log to what the contract says about lives and delivery, message by message.

use std::collections::BTreeMap;

use peerlet_core::{Seat, Time};
use peerlet_sim::{EventKind, Handled};

use crate::actor::{Happened, LogEntry};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Waiting,
    Delivered,
    Reported,
}

/// All that one life sent reliably to one seat, in order.
#[derive(Default)]
struct Channel {
    fates: Vec<Fate>,
    last_delivered: Option<usize>,
    last_reported: Option<usize>,
    /// Whether it met a full queue and was not told since that there is room.
    full: bool,
}

impl Channel {
    fn all_settled_before(&self, index: usize) -> bool {
        self.fates[..index].iter().all(|fate| *fate != Fate::Waiting)
    }
}

/// The sender of a number, its life and destination; and the number's index among reliable ones.
#[derive(Clone, Copy)]
struct Sender {
    seat: Seat,
    life: u32,
    to: Seat,
    index: Option<usize>,
}

#[derive(Default)]
struct Living {
    life: u32,
    running: bool,
    last: Option<(Time, u32, u32, u64)>,
}

/// How much happened in a log that stood the test.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Score {
    pub sent: [u64; 2],
    pub delivered: [u64; 2],
    pub reported: u64,
    /// Reliable messages of lives that still run whose fate is open.
    pub waiting: u64,
    /// Lives that still run and wait to be told that a queue has room.
    pub full: u64,
}

#[derive(Default)]
pub struct Verifier {
    living: Vec<Living>,
    channels: BTreeMap<(Seat, u32, Seat), Channel>,
    senders: BTreeMap<u64, Sender>,
    copies: BTreeMap<u64, u32>,
    copies_max: u32,
    score: Score,
}

impl Verifier {
    /// Goes through a log with the engine's lines in it. A datagram may come this often.
    ///
    /// # Panics
    /// Panics at the first entry that breaks the contract.
    pub fn verify(seats: u32, copies_max: u32, log: &[LogEntry]) -> Score {
        let living = (0..seats).map(|_| Living::default()).collect();
        let mut verifier = Verifier { living, copies_max, ..Verifier::default() };
        for entry in log {
            verifier.entry(entry);
        }
        for ((seat, life, _), channel) in &verifier.channels {
            let living = &verifier.living[seat.index()];
            if living.running && living.life == *life {
                let waiting = channel.fates.iter().filter(|fate| **fate == Fate::Waiting);
                verifier.score.waiting += waiting.count() as u64;
                verifier.score.full += u64::from(channel.full);
            }
        }
        verifier.score
    }

    fn entry(&mut self, entry: &LogEntry) {
        let (_, seat, what) = entry;
        if let Happened::Handled(event) = what {
            return self.handled(event);
        }
        let living = &mut self.living[seat.index()];
        match what {
            Happened::Start => {
                assert!(!living.running, "started while it lives: {entry:?}");
                (living.life, living.running) = (living.life + 1, true);
            }
            _ => assert!(living.running, "no life: {entry:?}"),
        }
        let life = living.life;
        match *what {
            Happened::Sent(to, number) => {
                self.sent(number, Sender { seat: *seat, life, to, index: None })
            }
            Happened::SentReliably(to, number) => {
                let channel = self.channels.entry((*seat, life, to)).or_default();
                let index = Some(channel.fates.len());
                channel.fates.push(Fate::Waiting);
                self.sent(number, Sender { seat: *seat, life, to, index });
            }
            Happened::Message(from, number) => self.delivered(*seat, from, number, entry),
            Happened::Undelivered(to, number, _) => self.reported(*seat, life, to, number, entry),
            Happened::Full(to) => self.channels.entry((*seat, life, to)).or_default().full = true,
            Happened::Writable(to) => {
                let channel = self.channels.entry((*seat, life, to)).or_default();
                assert!(channel.full, "told of room that nobody missed: {entry:?}");
                channel.full = false;
            }
            _ => {}
        }
    }

    fn sent(&mut self, number: u64, sender: Sender) {
        self.score.sent[usize::from(sender.index.is_some())] += 1;
        assert!(self.senders.insert(number, sender).is_none(), "numbers differ");
    }

    fn delivered(&mut self, seat: Seat, from: Seat, number: u64, entry: &LogEntry) {
        let sender = self.senders[&number];
        assert_eq!((sender.seat, sender.to), (from, seat), "strayed: {entry:?}");
        self.score.delivered[usize::from(sender.index.is_some())] += 1;
        let Some(index) = sender.index else {
            let copies = self.copies.entry(number).or_default();
            *copies += 1;
            assert!(*copies <= self.copies_max, "copied: {entry:?}");
            return;
        };
        let living = &self.living[from.index()];
        let alive = living.running && living.life == sender.life;
        let channel = self.channels.get_mut(&(from, sender.life, seat)).expect("it was sent");
        assert_eq!(channel.fates[index], Fate::Waiting, "delivered again or late: {entry:?}");
        assert!(channel.last_delivered < Some(index), "delivered out of order: {entry:?}");
        // A life that is over is told nothing, so its losses show nowhere.
        assert!(!alive || channel.all_settled_before(index), "delivered past a gap: {entry:?}");
        channel.fates[index] = Fate::Delivered;
        channel.last_delivered = Some(index);
    }

    fn reported(&mut self, seat: Seat, life: u32, to: Seat, number: u64, entry: &LogEntry) {
        let sender = self.senders[&number];
        assert_eq!((sender.seat, sender.life, sender.to), (seat, life, to), "{entry:?}");
        let index = sender.index.expect("only reliable messages are reported");
        let channel = self.channels.get_mut(&(seat, life, to)).expect("it was sent");
        assert_eq!(channel.fates[index], Fate::Waiting, "reported again or wrongly: {entry:?}");
        assert!(channel.last_reported < Some(index), "reported out of order: {entry:?}");
        assert!(channel.all_settled_before(index), "reported past a gap: {entry:?}");
        channel.fates[index] = Fate::Reported;
        channel.last_reported = Some(index);
        self.score.reported += 1;
    }

    /// The engine's line: in the contract's order, and of the present life.
    fn handled(&mut self, event: &Handled) {
        let living = &mut self.living[event.seat.index()];
        let index = (event.time, event.round, event.source, event.seq);
        // A copy that the network made has its original's number.
        let ascends = match event.kind {
            EventKind::Deliver => living.last <= Some(index),
            _ => living.last < Some(index),
        };
        assert!(ascends, "out of order: {event:?} after {:?}", living.last);
        living.last = Some(index);
        assert_eq!(event.life, living.life, "of another life: {event:?}");
        match event.kind {
            EventKind::Stop => assert!(std::mem::replace(&mut living.running, false)),
            EventKind::Crash => living.running = false,
            _ => assert!(living.running, "no life: {event:?}"),
        }
    }
}
