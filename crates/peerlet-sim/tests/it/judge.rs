//! Holds a log to what the contract says about lives and delivery, message by message.

use std::collections::BTreeMap;

use peerlet_core::{Seat, Time};
use peerlet_sim::{EventKind, Handled};

use crate::actor::{Entry, Happened};

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
    fn all_settled_before(&self, place: usize) -> bool {
        self.fates[..place].iter().all(|fate| *fate != Fate::Waiting)
    }
}

/// Who sent a number, in which life, to whom; and its place among the reliable ones.
#[derive(Clone, Copy)]
struct Sender {
    seat: Seat,
    life: u32,
    to: Seat,
    place: Option<usize>,
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
pub struct Judge {
    living: Vec<Living>,
    channels: BTreeMap<(Seat, u32, Seat), Channel>,
    senders: BTreeMap<u64, Sender>,
    copies: BTreeMap<u64, u32>,
    copies_max: u32,
    score: Score,
}

impl Judge {
    /// Goes through a log with the engine's lines in it. A datagram may come this often.
    ///
    /// # Panics
    /// Panics at the first entry that breaks the contract.
    pub fn hear(seats: u32, copies_max: u32, log: &[Entry]) -> Score {
        let living = (0..seats).map(|_| Living::default()).collect();
        let mut judge = Judge { living, copies_max, ..Judge::default() };
        for entry in log {
            judge.entry(entry);
        }
        for ((seat, life, _), channel) in &judge.channels {
            let living = &judge.living[seat.index()];
            if living.running && living.life == *life {
                let waiting = channel.fates.iter().filter(|fate| **fate == Fate::Waiting);
                judge.score.waiting += waiting.count() as u64;
                judge.score.full += u64::from(channel.full);
            }
        }
        judge.score
    }

    fn entry(&mut self, entry: &Entry) {
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
                self.sent(number, Sender { seat: *seat, life, to, place: None })
            }
            Happened::SentReliably(to, number) => {
                let channel = self.channels.entry((*seat, life, to)).or_default();
                let place = Some(channel.fates.len());
                channel.fates.push(Fate::Waiting);
                self.sent(number, Sender { seat: *seat, life, to, place });
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
        self.score.sent[usize::from(sender.place.is_some())] += 1;
        assert!(self.senders.insert(number, sender).is_none(), "numbers differ");
    }

    fn delivered(&mut self, seat: Seat, from: Seat, number: u64, entry: &Entry) {
        let sender = self.senders[&number];
        assert_eq!((sender.seat, sender.to), (from, seat), "strayed: {entry:?}");
        self.score.delivered[usize::from(sender.place.is_some())] += 1;
        let Some(place) = sender.place else {
            let copies = self.copies.entry(number).or_default();
            *copies += 1;
            assert!(*copies <= self.copies_max, "copied: {entry:?}");
            return;
        };
        let living = &self.living[from.index()];
        let alive = living.running && living.life == sender.life;
        let channel = self.channels.get_mut(&(from, sender.life, seat)).expect("it was sent");
        assert_eq!(channel.fates[place], Fate::Waiting, "delivered again or late: {entry:?}");
        assert!(channel.last_delivered < Some(place), "delivered out of order: {entry:?}");
        // Who does not live any more is told nothing, so what it lost shows nowhere.
        assert!(!alive || channel.all_settled_before(place), "delivered past a gap: {entry:?}");
        channel.fates[place] = Fate::Delivered;
        channel.last_delivered = Some(place);
    }

    fn reported(&mut self, seat: Seat, life: u32, to: Seat, number: u64, entry: &Entry) {
        let sender = self.senders[&number];
        assert_eq!((sender.seat, sender.life, sender.to), (seat, life, to), "{entry:?}");
        let place = sender.place.expect("only reliable messages are reported");
        let channel = self.channels.get_mut(&(seat, life, to)).expect("it was sent");
        assert_eq!(channel.fates[place], Fate::Waiting, "reported again or wrongly: {entry:?}");
        assert!(channel.last_reported < Some(place), "reported out of order: {entry:?}");
        assert!(channel.all_settled_before(place), "reported past a gap: {entry:?}");
        channel.fates[place] = Fate::Reported;
        channel.last_reported = Some(place);
        self.score.reported += 1;
    }

    /// The engine's line: in the contract's order, and of the present life.
    fn handled(&mut self, event: &Handled) {
        let living = &mut self.living[event.seat.index()];
        let place = (event.time, event.round, event.source, event.seq);
        // A copy that the network made has its original's number.
        let ascends = match event.kind {
            EventKind::Deliver => living.last <= Some(place),
            _ => living.last < Some(place),
        };
        assert!(ascends, "out of order: {event:?} after {:?}", living.last);
        living.last = Some(place);
        assert_eq!(event.life, living.life, "of another life: {event:?}");
        match event.kind {
            EventKind::Stop => assert!(std::mem::replace(&mut living.running, false)),
            EventKind::Crash => living.running = false,
            _ => assert!(living.running, "no life: {event:?}"),
        }
    }
}
