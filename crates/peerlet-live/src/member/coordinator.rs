//! Seat 0's process: when time is zero, what it tells those who take part, and what they report.
//!
//! Strangers get an answer to `Join` and to questions about what the run is made of. Everything
//! else is for those in the [roster](super::roster) only.

use std::net::{IpAddr, SocketAddr};

use peerlet_core::{Duration, Identity, SECOND};

use super::control::{ANSWER_HEAD, Control, SECTIONS_EACH_MAX, Speaker, answer_max, fitting};
use super::fingerprint::{Fingerprint, Section};
use super::report::Inbox;
use super::roster::{Admission, Roster};
use super::waiting::{Reminder, whole};
use crate::process::Process;
use crate::refusal::Refusal;

/// From the moment everybody is there to time zero: enough for everybody to learn of it.
pub(crate) const LEAD: Duration = SECOND;

/// The setup of seat 0's process.
pub(crate) struct CoordinatorSetup {
    pub(crate) own: Process,
    pub(crate) seats: u32,
    pub(crate) start_within: Duration,
    pub(crate) sections: Vec<Section>,
    /// Whether only those take part who know a secret or are on a list.
    pub(crate) is_closed: bool,
}

/// The response to a control message.
#[derive(Default)]
pub(crate) struct Response {
    /// To whom something is to be said.
    pub(crate) said: Vec<(SocketAddr, Control)>,
    /// Whole reports, with who made them.
    pub(crate) reports: Vec<(Identity, Vec<u8>)>,
    /// A process asked to take part: who, and whether it was taken in.
    pub(crate) joined: Option<(Identity, Result<(), Refusal>)>,
    /// Lines for the user of this process.
    pub(crate) notices: Vec<String>,
    /// Processes that have lost their seats: their connections end.
    pub(crate) replaced: Vec<Process>,
}

/// The state of seat 0's process; time is that of its own clock.
pub(crate) struct Coordinator {
    pub(crate) roster: Roster,
    seats: u32,
    zero: Option<Duration>,
    start_within: Duration,
    sections: Vec<Section>,
    run: Fingerprint,
    own_ip: OwnIp,
    inbox: Inbox,
}

/// How the own address is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnIp {
    /// It was given, or is that of the socket.
    Given,
    /// The socket has none: the first process that takes part tells.
    Unknown,
    /// One process has told it.
    Learned,
    /// Processes see it differently, which was told.
    Disputed,
}

impl Coordinator {
    pub(crate) fn new(setup: CoordinatorSetup) -> Coordinator {
        let CoordinatorSetup { own, seats, start_within, sections, is_closed } = setup;
        let own_ip = if own.ip().is_unspecified() { OwnIp::Unknown } else { OwnIp::Given };
        let run = Fingerprint::of(&sections);
        let roster = Roster::new(own, seats, is_closed);
        let (zero, inbox) = Default::default();
        Coordinator { roster, seats, zero, start_within, sections, run, own_ip, inbox }
    }

    /// Time zero by the own clock, once it is set.
    pub(crate) fn zero(&self) -> Option<Duration> {
        self.zero
    }

    /// Whether peers of this process can be reached: the own address is known.
    pub(crate) fn knows_itself(&self) -> bool {
        self.own_ip != OwnIp::Unknown
    }

    /// The seats that no process has, as ranges.
    pub(crate) fn vacant(&self) -> Vec<(u32, u32)> {
        let mut taken: Vec<_> = self.roster.processes().map(Process::seat_range).collect();
        taken.sort_unstable();
        let (mut vacant, mut next) = (Vec::new(), 0);
        for (first, last) in taken {
            if first > next {
                vacant.push((next, first - 1));
            }
            next = next.max(last + 1);
        }
        if next < self.seats {
            vacant.push((next, self.seats - 1));
        }
        vacant
    }

    /// Sets time zero when all seats have a process, or when everybody had time enough; says which
    /// seats have none then.
    pub(crate) fn tick(&mut self, now: Duration) -> Option<String> {
        if self.zero.is_some() {
            return None;
        }
        let vacant = self.vacant();
        if !vacant.is_empty() && now < self.start_within {
            return None;
        }
        self.zero = Some(now + LEAD);
        let count: u32 = vacant.iter().map(|(first, last)| last - first + 1).sum();
        (count > 0).then(|| {
            format!(
                "the run begins without {}: no process came for {} within {}",
                ranges(&vacant),
                if count == 1 { "it" } else { "them" },
                self.start_within
            )
        })
    }

    /// A line about the seats that still have no process, when it is time for one.
    pub(super) fn waits(&self, now: Duration, reminder: &mut Reminder) -> Option<String> {
        let is_over = self.zero.is_some() || now >= self.start_within;
        let is_due = !is_over && reminder.is_due(now, Duration::ZERO, false);
        is_due.then(|| {
            let (vacant, left) = (self.vacant(), self.start_within - now);
            let left = whole(left);
            let s = if vacant.len() == 1 { "" } else { "es" };
            format!("waiting at most {left} for the process{s} of {}", ranges(&vacant))
        })
    }

    /// Handles what a process said in a datagram of this length.
    pub(crate) fn handle(
        &mut self,
        now: Duration,
        speaker: Speaker,
        control: Control,
        len: usize,
    ) -> Response {
        let mut response = Response::default();
        let answer = match control {
            Control::Join { process, run, asked, sent } => {
                let who = speaker.identity.unwrap_or(process.identity());
                let joined = self.join(now, speaker, process, (run, asked), &mut response);
                response.joined = Some((who, joined.clone()));
                match joined {
                    Ok(()) => Some(Control::Welcome {
                        sent,
                        clock: now.as_nanos(),
                        zero: self.zero.map(Duration::as_nanos),
                        version: self.roster.version(),
                        seen: speaker.socket,
                    }),
                    Err(why) => Some(Control::Refused { why }),
                }
            }
            Control::AskSections { from, .. } => {
                let left =
                    self.sections.iter().skip(from as usize).take(SECTIONS_EACH_MAX).cloned();
                let sections = fitting(left, ANSWER_HEAD, answer_max(len));
                Some(Control::Sections { from, sections, total: self.sections.len() as u32 })
            }
            Control::AskMap { from, .. } => {
                self.roster.of(speaker).is_some().then(|| self.map(from, answer_max(len)))
            }
            Control::Piece { incarnation, report, piece, pieces, bytes } => {
                let entry = self.roster.of(speaker);
                let entry = entry.filter(|entry| entry.process.incarnation == incarnation);
                entry.and_then(|entry| {
                    entry.heard = now;
                    let who = entry.process.identity();
                    let whole = self.inbox.take(who, (report, piece, pieces), bytes)?;
                    response.reports.extend(whole.into_iter().map(|report| (who, report)));
                    Some(Control::Taken { report, piece })
                })
            }
            // For those who join.
            Control::Welcome { .. }
            | Control::Refused { .. }
            | Control::Map { .. }
            | Control::Sections { .. }
            | Control::Taken { .. }
            | Control::Probe => None,
        };
        response.said.extend(answer.map(|answer| (speaker.socket, answer)));
        response
    }

    fn join(
        &mut self,
        now: Duration,
        speaker: Speaker,
        process: Process,
        (run, asked): (Fingerprint, SocketAddr),
        response: &mut Response,
    ) -> Result<(), Refusal> {
        if run != self.run {
            return Err(Refusal::Run);
        }
        let mut admission = Admission::default();
        let (who, seats) = (process.identity(), process.seat_range());
        let joined = self.roster.join(now, speaker, process, &mut admission);
        response.said.extend(admission.probes.into_iter().map(|at| (at, Control::Probe)));
        for former in admission.replaced {
            self.inbox.forget(former.identity());
            response.notices.push(match former.identity() == who {
                true => format!("the process of {} was restarted", ranges(&[seats])),
                false => format!(
                    "{who} has taken over {} from {}, which no longer answers",
                    ranges(&[former.seat_range()]),
                    former.identity()
                ),
            });
            response.replaced.push(former);
        }
        joined?;
        self.learn_own_ip(asked.ip(), speaker.socket, &mut response.notices);
        Ok(())
    }

    /// A process that takes part asks for this one at this address: where the own one is not known,
    /// it is this. An address that others can reach replaces one that only this machine can.
    fn learn_own_ip(&mut self, asked: IpAddr, from: SocketAddr, notices: &mut Vec<String>) {
        let asked = asked.to_canonical();
        let own = self.roster.own().ip();
        let is_better = match self.own_ip {
            OwnIp::Given | OwnIp::Disputed => return,
            OwnIp::Unknown => true,
            OwnIp::Learned => self.zero.is_none() && own.is_loopback() && !asked.is_loopback(),
        };
        if asked.is_unspecified() || asked.is_multicast() || asked == own {
            return;
        }
        let mut there = self.roster.own().clone();
        there.set_ip(asked);
        if self.roster.entries().any(|entry| entry.process.shares_socket(&there)) {
            // Another process is reached there: the one that asks is mistaken.
            return;
        }
        if is_better {
            self.own_ip = OwnIp::Learned;
            self.roster.set_own_ip(asked);
            notices.push(format!("others reach this process at {asked}, as {from} says"));
        } else if !asked.is_loopback() {
            self.own_ip = OwnIp::Disputed;
            notices.push(format!(
                "the process at {from} reaches this one at {asked}, and all are told {own}: \
                 advertise the address that everybody can reach"
            ));
        }
    }

    fn map(&self, from: u32, room: usize) -> Control {
        let total = self.roster.processes().count() as u32;
        let left = self.roster.processes().skip(from as usize).cloned();
        let processes = fitting(left, ANSWER_HEAD, room);
        Control::Map { version: self.roster.version(), from, processes, total }
    }
}

/// Seats in words: `seat 3`, `seats 0 to 4 and 9`.
pub(crate) fn ranges(ranges: &[(u32, u32)]) -> String {
    const SHOWN: usize = 8;
    let is_one = matches!(ranges, [(first, last)] if first == last);
    let one = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first} to {last}"),
    };
    let mut parts: Vec<_> = ranges.iter().take(SHOWN).map(one).collect();
    if ranges.len() > SHOWN {
        parts.push(format!("{} more ranges", ranges.len() - SHOWN));
    }
    let noun = if is_one { "seat" } else { "seats" };
    match parts.split_last() {
        Some((last, [])) => format!("{noun} {last}"),
        Some((last, before)) => format!("{noun} {} and {last}", before.join(", ")),
        None => "no seat".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerlet_core::wire;

    fn process(who: u8, seats: (u32, u32)) -> Process {
        let ip = "127.0.0.1".parse().unwrap();
        Process::new(7, seats, ip, vec![u16::from(who)], Identity([who; 32]))
    }

    fn coordinator(own: Process, seats: u32, start_within: Duration) -> Coordinator {
        let sections = (0..40).map(|i| Section::new(format!("section {i}"), "x".repeat(90)));
        let sections = sections.collect();
        Coordinator::new(CoordinatorSetup { own, seats, start_within, sections, is_closed: false })
    }

    fn speaker(who: u8) -> Speaker {
        let socket = SocketAddr::from(([127, 0, 0, 1], u16::from(who)));
        Speaker { socket, identity: Some(Identity([who; 32])) }
    }

    fn ask(coordinator: &mut Coordinator, who: u8, control: Control) -> Option<Control> {
        let len = wire::encoded_len(&control).unwrap();
        let mut said = coordinator.handle(SECOND, speaker(who), control, len).said;
        assert!(said.len() <= 1);
        said.pop().map(|(to, answer)| {
            assert_eq!(to, speaker(who).socket);
            assert!(wire::encoded_len(&answer).unwrap() <= answer_max(len), "{answer:?}");
            answer
        })
    }

    fn join_at(
        coordinator: &mut Coordinator,
        process: Process,
        asked: &str,
    ) -> (Option<Control>, Vec<String>) {
        let run = coordinator.run;
        let who = process.identity().0[0];
        let asked = asked.parse().unwrap();
        let control = Control::Join { process, run, asked, sent: 7 };
        let mut response = coordinator.handle(SECOND, speaker(who), control, 200);
        (response.said.pop().map(|(_, answer)| answer), response.notices)
    }

    fn join(coordinator: &mut Coordinator, process: Process) {
        let (answer, _) = join_at(coordinator, process, "127.0.0.1:1");
        assert!(matches!(answer, Some(Control::Welcome { .. })), "{answer:?}");
    }

    #[test]
    fn time_is_zero_a_second_after_all_are_there() {
        let mut coordinator = coordinator(process(1, (0, 9)), 30, SECOND * 30);
        assert_eq!(coordinator.tick(SECOND), None);
        join(&mut coordinator, process(2, (10, 19)));
        assert_eq!(coordinator.tick(SECOND), None);
        assert_eq!(coordinator.zero(), None);
        join(&mut coordinator, process(3, (20, 29)));
        assert_eq!(coordinator.tick(SECOND * 2), None, "nobody is missing");
        assert_eq!(coordinator.zero(), Some(SECOND * 3));
        assert_eq!(coordinator.tick(SECOND * 99), None);
        assert_eq!(coordinator.zero(), Some(SECOND * 3), "it is set once");
    }

    #[test]
    fn seats_that_never_came_are_named() {
        let mut coordinator = coordinator(process(1, (0, 9)), 30, SECOND * 30);
        join(&mut coordinator, process(2, (15, 19)));
        let said = coordinator.tick(SECOND * 30).expect("some are missing");
        assert_eq!(
            said,
            "the run begins without seats 10 to 14 and 20 to 29: no process came for them within \
             30s"
        );
        assert_eq!(coordinator.zero(), Some(SECOND * 31));
        assert_eq!(coordinator.tick(SECOND * 40), None, "told once");
    }

    #[test]
    fn strangers_learn_nothing_of_who_takes_part() {
        let mut coordinator = coordinator(process(1, (0, 9)), 30, SECOND * 30);
        join(&mut coordinator, process(2, (10, 19)));
        assert_eq!(ask(&mut coordinator, 9, Control::ask_map(0)), None);
        assert!(ask(&mut coordinator, 2, Control::ask_map(0)).is_some());
        let (report, piece, pieces) = (0, 0, 1);
        for (who, incarnation, taken) in [(9, 7, false), (2, 6, false), (2, 7, true)] {
            let bytes = vec![1];
            let piece = Control::Piece { incarnation, report, piece, pieces, bytes };
            assert_eq!(ask(&mut coordinator, who, piece).is_some(), taken, "{who} {incarnation}");
        }
    }

    /// More short sections fit a datagram than a message may have.
    #[test]
    fn short_sections_travel_in_messages_that_can_be_read() {
        let mut coordinator = coordinator(process(1, (0, 9)), 30, SECOND * 30);
        coordinator.sections = (0..150u8).map(|i| Section::new(char::from(i), "")).collect();
        let mut seen = Vec::new();
        while seen.len() < 150 {
            let question = Control::ask_sections(seen.len() as u32);
            let answer = ask(&mut coordinator, 2, question).expect("each question has an answer");
            let mut bytes = Vec::new();
            wire::encode(&answer, &mut bytes).unwrap();
            let Ok(Control::Sections { sections, .. }) = wire::decode(&bytes) else { panic!() };
            assert!(!sections.is_empty());
            seen.extend(sections);
        }
        assert_eq!(seen, coordinator.sections);
    }

    #[test]
    fn another_run_is_refused_and_learns_in_what_it_differs() {
        let mut coordinator = coordinator(process(1, (0, 9)), 30, SECOND * 30);
        let run = Fingerprint::of(&[Section::new("peers", 20)]);
        let asked = "127.0.0.1:1".parse().unwrap();
        let join = Control::Join { process: process(2, (10, 19)), run, asked, sent: 7 };
        let refused = ask(&mut coordinator, 2, join);
        assert_eq!(refused, Some(Control::Refused { why: Refusal::Run }));
        let mut seen = Vec::new();
        while seen.len() < 40 {
            let question = Control::ask_sections(seen.len() as u32);
            let Some(Control::Sections { sections, total: 40, .. }) =
                ask(&mut coordinator, 2, question)
            else {
                panic!("no sections after {}", seen.len())
            };
            assert!(!sections.is_empty());
            seen.extend(sections);
        }
        assert_eq!(seen, coordinator.sections);
        let cheap = Control::AskSections { from: 0, padding: vec![] };
        let Some(Control::Sections { sections, .. }) = ask(&mut coordinator, 2, cheap) else {
            panic!()
        };
        assert_eq!(sections, [], "an empty question gets an empty answer");
    }

    #[test]
    fn the_map_comes_in_parts() {
        let mut coordinator = coordinator(process(1, (0, 0)), 200, SECOND);
        for who in 2..60 {
            join(&mut coordinator, process(who, (u32::from(who), u32::from(who))));
        }
        let mut seen = Vec::new();
        loop {
            let part = ask(&mut coordinator, 2, Control::ask_map(seen.len() as u32));
            let Some(Control::Map { processes, total, .. }) = part else { panic!("{part:?}") };
            seen.extend(processes.iter().map(|p| p.identity().0[0]));
            if seen.len() >= total as usize {
                break;
            }
            assert!(!processes.is_empty());
        }
        assert_eq!(seen, (1..60).collect::<Vec<_>>());
        let beyond = ask(&mut coordinator, 2, Control::ask_map(u32::MAX));
        let Some(Control::Map { processes, .. }) = beyond else { panic!() };
        assert_eq!(processes, []);
    }

    #[test]
    fn the_own_address_is_learned_from_those_who_take_part() {
        let nowhere =
            |who| Process::new(7, (0, 9), "0.0.0.0".parse().unwrap(), vec![who], Identity([1; 32]));
        let mut coordinator = coordinator(nowhere(1), 40, SECOND * 30);
        assert!(!coordinator.knows_itself());
        // A process that is refused says nothing of it.
        let (answer, notices) = join_at(&mut coordinator, process(2, (5, 9)), "6.6.6.6:1");
        assert!(matches!(answer, Some(Control::Refused { .. })) && notices.is_empty());
        assert!(!coordinator.knows_itself());
        join_at(&mut coordinator, process(2, (10, 19)), "127.0.0.1:1");
        assert_eq!(coordinator.roster.own().ip(), "127.0.0.1".parse::<IpAddr>().unwrap());
        // What only this machine can reach gives way to what others can.
        join_at(&mut coordinator, process(3, (20, 29)), "192.0.2.1:1");
        assert_eq!(coordinator.roster.own().ip(), "192.0.2.1".parse::<IpAddr>().unwrap());
        let (_, notices) = join_at(&mut coordinator, process(4, (30, 39)), "198.51.100.1:1");
        assert_eq!(coordinator.roster.own().ip(), "192.0.2.1".parse::<IpAddr>().unwrap());
        assert!(notices[0].contains(": advertise the address"), "{notices:?}");
        let (_, notices) = join_at(&mut coordinator, process(4, (30, 39)), "198.51.100.1:1");
        assert!(notices.is_empty(), "told once");
    }

    /// A process that asks for this one where another one is reached is not believed.
    #[test]
    fn the_own_address_is_never_that_of_another_process() {
        let own = Process::new(7, (0, 9), "0.0.0.0".parse().unwrap(), vec![2], Identity([1; 32]));
        let mut coordinator = coordinator(own, 40, SECOND * 30);
        join_at(&mut coordinator, process(2, (10, 19)), "127.0.0.1:2");
        assert!(!coordinator.knows_itself(), "127.0.0.1:2 is that of the process itself");
        join_at(&mut coordinator, process(3, (20, 29)), "192.0.2.1:2");
        assert_eq!(coordinator.roster.own().ip(), "192.0.2.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn who_is_refused_is_told_of() {
        let mut coordinator = coordinator(process(1, (0, 9)), 40, SECOND);
        let mut joined = |run, seats| {
            let (process, asked) = (process(2, seats), speaker(1).socket);
            let control = Control::Join { process, run, asked, sent: 7 };
            coordinator.handle(SECOND, speaker(2), control, 200).joined
        };
        let who = Identity([2; 32]);
        let other = Fingerprint::of(&[]);
        assert_eq!(joined(other, (10, 19)), Some((who, Err(Refusal::Run))));
        let run = Fingerprint::of(
            &(0..40)
                .map(|i| Section::new(format!("section {i}"), "x".repeat(90)))
                .collect::<Vec<_>>(),
        );
        let taken = Refusal::Taken { first: 0, last: 9, can_change: false };
        assert_eq!(joined(run, (5, 19)), Some((who, Err(taken))));
        assert_eq!(joined(run, (10, 19)), Some((who, Ok(()))));
    }

    #[test]
    fn seats_are_put_into_words() {
        assert_eq!(ranges(&[(3, 3)]), "seat 3");
        assert_eq!(ranges(&[(0, 4)]), "seats 0 to 4");
        assert_eq!(ranges(&[(0, 4), (9, 9), (11, 12)]), "seats 0 to 4, 9 and 11 to 12");
        let many: Vec<_> = (0..20).map(|i| (i * 2, i * 2)).collect();
        assert!(ranges(&many).ends_with("14 and 12 more ranges"), "{}", ranges(&many));
    }
}
