//! The checks across records at the end of a run: whether lives were as expected, and the fate of
//! each reliable message.

use std::collections::BTreeMap;

use peerlet_core::{Seat, Time};

use super::history::{Begun, Breach, History, Received, Reported, SeatRecord};

/// The fate of one reliable message.
#[derive(Clone, Copy, Default)]
struct Fate {
    /// When it was delivered, and to which life.
    delivered: Option<(Time, u32)>,
    reported: Option<Time>,
}

/// All reliable messages from one life of a seat to another seat.
type Channels = BTreeMap<(Seat, u32, Seat), Vec<Fate>>;

impl History {
    /// All breaches of a run that ended at `end`, the earliest first; and how many statements were
    /// seen to hold.
    pub(crate) fn verify(&self, end: Time) -> (Vec<Breach>, u64) {
        let (mut breaches, mut checked) = (Vec::new(), 0);
        for seat in self.seats() {
            let mut record = self.record(seat);
            self.verify_lives(&mut record, seat, end);
            breaches.append(&mut record.breaches);
            checked += record.checked;
        }
        for (channel, fates) in self.channels(&mut breaches) {
            checked += fates.len() as u64;
            breaches.extend(self.verify_channel(channel, &fates));
        }
        // Of equal instants, the order is stable.
        breaches.sort_by_key(|breach| (breach.at, breach.seat));
        (breaches, checked)
    }

    fn verify_lives(&self, record: &mut SeatRecord, seat: Seat, end: Time) {
        let lifecycle = self.lifecycle(seat);
        let lives = lifecycle.lives.iter().filter(|life| life.begin < end);
        let begun: Vec<_> =
            lives.clone().map(|life| Begun { at: life.begin, is_new: life.is_new }).collect();
        let same = record.begun == begun;
        let seen = record.begun.clone();
        record
            .check(same, (end, seat), || format!("lives began: {seen:?}; they should: {begun:?}"));
        let ends = lives.filter(|life| life.is_stopped).filter_map(|life| life.end);
        let stops: Vec<_> = ends.filter(|stop| *stop < end).collect();
        let (same, seen) = (record.stops == stops, record.stops.clone());
        record.check(same, (end, seat), || format!("lives were stopped: {seen:?}, not {stops:?}"));
        let last = lifecycle.end_of(record.life).filter(|last| *last < end);
        record.check_overdue(last.unwrap_or(end), seat);
    }

    /// All reliable messages and their fates.
    fn channels(&self, breaches: &mut Vec<Breach>) -> Channels {
        let mut channels = Channels::new();
        for from in self.seats() {
            let record = self.record(from);
            for ((life, to), count) in &record.sent {
                channels.insert((from, *life, *to), vec![Fate::default(); *count as usize]);
            }
            for &Reported { at, to, life, number } in &record.reported {
                let fates = channels.get_mut(&(from, life, to));
                if let Some(fate) = fates.and_then(|fates| fates.get_mut(number as usize)) {
                    fate.reported = Some(at);
                }
            }
        }
        for seat in self.seats() {
            for &Received { at, from, from_life, number, life } in &self.record(seat).received {
                let fates = channels.get_mut(&(from, from_life, seat));
                match fates.and_then(|fates| fates.get_mut(number as usize)) {
                    Some(fate) => fate.delivered = Some((at, life)),
                    None => {
                        let what = format!(
                            "message {number} came, which life {from_life} of seat {from} never \
                             sent"
                        );
                        breaches.push(Breach { at, seat, what });
                    }
                }
            }
        }
        channels
    }

    fn verify_channel(&self, channel: (Seat, u32, Seat), fates: &[Fate]) -> Option<Breach> {
        let (from, from_life, seat) = channel;
        let end = self.lifecycle(from).end_of(from_life).unwrap_or(Time::MAX);
        let others = &self.record(from).others;
        let mut before: Option<(Time, u32)> = None;
        // When all earlier messages had been delivered or returned; never, if one was neither.
        let mut settled = Time::ZERO;
        for (number, fate) in fates.iter().enumerate() {
            let who = || format!("reliable message {number} of life {from_life} of seat {from}");
            if let Some((at, life)) = fate.delivered {
                let breach = |what| Some(Breach { at, seat, what });
                if let Some(reported) = fate.reported {
                    return breach(format!("{} came, and came back at {reported}", who()));
                }
                // A life that is over is told nothing, so its losses show nowhere.
                if settled > at && end > at {
                    return breach(format!("{} came before what was sent earlier", who()));
                }
                // A connection to another life begins when a message comes back.
                let is_next = !others.contains(&(from_life, seat, number as u64));
                if let Some((_, life_before)) = before.filter(|(_, other)| *other != life)
                    && is_next
                {
                    return breach(format!(
                        "{} came to life {life}, by the connection of life {life_before}",
                        who()
                    ));
                }
            }
            before = fate.delivered;
            let own = fate.delivered.map(|(at, _)| at).or(fate.reported).unwrap_or(Time::MAX);
            settled = settled.max(own);
        }
        None
    }
}
