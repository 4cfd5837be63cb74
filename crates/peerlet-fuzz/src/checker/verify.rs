//! What takes several pages to see, looked at when the run is over: whether lives were those of the
//! almanac, and what became of each reliable message.

use std::collections::BTreeMap;

use peerlet_core::{Seat, Time};

use super::history::{Begun, Book, Breach, Page, Received, Reported};

/// What became of one reliable message.
#[derive(Clone, Copy, Default)]
struct Fate {
    /// When it came, and in which life.
    delivered: Option<(Time, u32)>,
    reported: Option<Time>,
}

/// All that one life of a seat sent reliably to a seat.
type Channels = BTreeMap<(Seat, u32, Seat), Vec<Fate>>;

impl Book {
    /// All breaches of a run that went on until `end`, the earliest first; and how many statements
    /// were seen to hold.
    pub(crate) fn judge(&self, end: Time) -> (Vec<Breach>, u64) {
        let (mut breaches, mut checked) = (Vec::new(), 0);
        for seat in self.seats() {
            let mut page = self.page(seat);
            self.judge_lives(&mut page, seat, end);
            breaches.append(&mut page.breaches);
            checked += page.checked;
        }
        for (channel, fates) in self.channels(&mut breaches) {
            checked += fates.len() as u64;
            breaches.extend(self.judge_channel(channel, &fates));
        }
        // What was noted first stays first.
        breaches.sort_by_key(|breach| (breach.at, breach.seat));
        (breaches, checked)
    }

    fn judge_lives(&self, page: &mut Page, seat: Seat, end: Time) {
        let course = self.course(seat);
        let lives = course.lives.iter().filter(|life| life.begin < end);
        let begun: Vec<_> =
            lives.clone().map(|life| Begun { at: life.begin, is_new: life.is_new }).collect();
        let same = page.begun == begun;
        let seen = page.begun.clone();
        page.check(same, (end, seat), || format!("lives began: {seen:?}; they should: {begun:?}"));
        let ends = lives.filter(|life| life.is_stopped).filter_map(|life| life.end);
        let stops: Vec<_> = ends.filter(|stop| *stop < end).collect();
        let (same, seen) = (page.stops == stops, page.stops.clone());
        page.check(same, (end, seat), || format!("lives were stopped: {seen:?}, not {stops:?}"));
        let last = course.end_of(page.life).filter(|last| *last < end);
        page.check_overdue(last.unwrap_or(end), seat);
    }

    /// Who sent what to whom, and what became of it.
    fn channels(&self, breaches: &mut Vec<Breach>) -> Channels {
        let mut channels = Channels::new();
        for from in self.seats() {
            let page = self.page(from);
            for ((life, to), count) in &page.sent {
                channels.insert((from, *life, *to), vec![Fate::default(); *count as usize]);
            }
            for &Reported { at, to, life, number } in &page.reported {
                let fates = channels.get_mut(&(from, life, to));
                if let Some(fate) = fates.and_then(|fates| fates.get_mut(number as usize)) {
                    fate.reported = Some(at);
                }
            }
        }
        for seat in self.seats() {
            for &Received { at, from, from_life, number, life } in &self.page(seat).received {
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

    fn judge_channel(&self, channel: (Seat, u32, Seat), fates: &[Fate]) -> Option<Breach> {
        let (from, from_life, seat) = channel;
        let end = self.course(from).end_of(from_life).unwrap_or(Time::MAX);
        let others = &self.page(from).others;
        let mut before: Option<(Time, u32)> = None;
        // When all that was sent before had come or come back; never, where something did neither.
        let mut settled = Time::ZERO;
        for (number, fate) in fates.iter().enumerate() {
            let who = || format!("reliable message {number} of life {from_life} of seat {from}");
            if let Some((at, life)) = fate.delivered {
                let breach = |what| Some(Breach { at, seat, what });
                if let Some(reported) = fate.reported {
                    return breach(format!("{} came, and came back at {reported}", who()));
                }
                // Who does not live any more is told nothing, so what it lost shows nowhere.
                if settled > at && end > at {
                    return breach(format!("{} came before what was sent earlier", who()));
                }
                // A connection to another life begins when something comes back.
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
