//! A process that joins: it finds seat 0's process, learns when time is zero and who takes part.

use std::fmt;
use std::net::SocketAddr;

use peerlet_core::{Duration, Identity, MILLISECOND, SECOND};

use super::control::Control;
use super::coordinator::LEAD;
use super::fingerprint::{Difference, Fingerprint, Section, differences};
use super::report::Outbox;
use super::roster::{PROCESSES_MAX, beat};
use crate::process::Process;
use crate::refusal::Refusal;

/// Round trips of which the shortest says how the clocks differ.
const SAMPLES: usize = 8;
/// After this long a part of the map, or of the sections, is asked for again.
const AGAIN: Duration = Duration::from_millis(250);
/// For this long a refusal that may pass is asked again: the process that had the seats may just
/// have been killed.
const REFUSED_FOR: Duration = Duration::from_secs(8);
/// For this long it is tried to learn in what two runs differ.
const DIFFERS_FOR: Duration = Duration::from_secs(3);
/// How far ahead time zero may lie: it is set [`LEAD`] ahead, and what is beyond twice that and a
/// second is not believed.
const ZERO_AHEAD_MAX: Duration = Duration::from_nanos(2 * LEAD.as_nanos() + SECOND.as_nanos());
/// Sections of another process that are read.
const SECTIONS_MAX: usize = 1_024;

/// Why a process cannot take part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ParticipantError {
    /// Nobody answered in time.
    Unanswered,
    /// Seat 0's process said no.
    Refused(Refusal),
    /// Seat 0's process runs something else: these sections differ; none are known when it did not
    /// say.
    Differs(Vec<Difference>),
    /// Seat 0's process says that the run begins this far ahead.
    Zero(Duration),
}

/// A long answer that is being read in parts.
struct Reading<T> {
    seen: Vec<T>,
    asked: Duration,
}

/// The state of a process that joins; time is that of its own clock.
pub(crate) struct Participant {
    own: Process,
    asked: SocketAddr,
    sections: Vec<Section>,
    run: Fingerprint,
    start_within: Duration,
    began: Duration,
    spoke: Option<Duration>,
    welcomed: bool,
    heard: Option<Duration>,
    refused: Option<(Duration, Refusal)>,
    /// The sections of seat 0's process, while they are read.
    theirs: Option<Reading<Section>>,
    /// Round trips, with what is to be added to the own clock to get that of seat 0's process.
    samples: Vec<(Duration, i128)>,
    zero_there: Option<u64>,
    zero: Option<Duration>,
    /// When time zero became known.
    zero_since: Duration,
    version: u64,
    /// The map that is being read, and its version.
    reading: Option<(u64, Reading<Process>)>,
    map: Vec<Process>,
    failed: Option<ParticipantError>,
    pub(crate) outbox: Outbox,
}

impl Participant {
    pub(crate) fn new(
        own: Process,
        asked: SocketAddr,
        sections: Vec<Section>,
        start_within: Duration,
        now: Duration,
    ) -> Participant {
        Participant {
            own,
            asked,
            run: Fingerprint::of(&sections),
            sections,
            start_within,
            began: now,
            spoke: None,
            welcomed: false,
            heard: None,
            refused: None,
            theirs: None,
            samples: Vec::new(),
            zero_there: None,
            zero: None,
            zero_since: Duration::ZERO,
            version: 0,
            reading: None,
            map: Vec::new(),
            failed: None,
            outbox: Outbox::default(),
        }
    }

    /// From now on seat 0's process is asked at this address.
    pub(crate) fn ask_at(&mut self, asked: SocketAddr) {
        self.asked = asked;
        self.spoke = None;
    }

    /// Time zero by the own clock, once it is known. A process that comes late has a zero before
    /// its own clock began: it starts at once.
    pub(crate) fn zero(&self) -> Option<Duration> {
        self.zero
    }

    /// How far time zero lies before the own clock's beginning, for a process that comes late.
    pub(crate) fn late_by(&self) -> Duration {
        let (Some(zero), Some((_, ahead))) = (self.zero_there, self.best()) else {
            return Duration::ZERO;
        };
        let before = ahead - i128::from(zero);
        Duration::from_nanos(u64::try_from(before).unwrap_or(0))
    }

    /// Half of the shortest round trip: how wrong the offset may be.
    pub(crate) fn offset_error(&self) -> Duration {
        self.best().map_or(Duration::ZERO, |(round_trip, _)| round_trip / 2)
    }

    /// All processes, once the map was read; and its version.
    pub(crate) fn map(&self) -> (u64, &[Process]) {
        (self.version, &self.map)
    }

    pub(crate) fn own_identity(&self) -> Identity {
        self.own.identity()
    }

    /// Whether seat 0's process has taken this one in.
    pub(crate) fn is_welcomed(&self) -> bool {
        self.welcomed
    }

    /// When seat 0's process was heard last.
    pub(crate) fn heard(&self) -> Option<Duration> {
        self.heard
    }

    fn best(&self) -> Option<(Duration, i128)> {
        self.samples.iter().copied().min_by_key(|(round_trip, _)| *round_trip)
    }

    /// The control messages that are due now.
    ///
    /// # Errors
    /// When there is no hope of taking part any more.
    pub(crate) fn tick(&mut self, now: Duration) -> Result<Vec<Control>, ParticipantError> {
        self.check(now)?;
        let mut said = Vec::new();
        let due = self.spoke.is_none_or(|at| now.saturating_sub(at) >= beat(self.zero.is_some()));
        if due {
            said.push(self.join(now));
        }
        let again = |asked: &mut Duration| {
            let due = now.saturating_sub(*asked) >= AGAIN;
            if due {
                *asked = now;
            }
            due
        };
        if let Some((_, Reading { seen, asked })) = &mut self.reading
            && again(asked)
        {
            said.push(Control::ask_map(seen.len() as u32));
        }
        if let Some(Reading { seen, asked }) = &mut self.theirs
            && again(asked)
        {
            said.push(Control::ask_sections(seen.len() as u32));
        }
        if self.welcomed {
            said.extend(self.outbox.due(now, self.own.incarnation));
        }
        Ok(said)
    }

    fn check(&mut self, now: Duration) -> Result<(), ParticipantError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let Some((since, why)) = &self.refused {
            let patience = match why {
                Refusal::Run => DIFFERS_FOR,
                why if why.may_pass() => REFUSED_FOR,
                _ => Duration::ZERO,
            };
            if now.saturating_sub(*since) >= patience {
                return Err(match why {
                    Refusal::Run => ParticipantError::Differs(Vec::new()),
                    why => ParticipantError::Refused(why.clone()),
                });
            }
        }
        // Once it was welcomed it waits for the others, as long as seat 0's process lives.
        let waits_since = if self.welcomed { self.heard } else { Some(self.began) };
        let has_begun = self.welcomed && self.zero.is_some() && self.version > 0;
        let is_silent = |since| now.saturating_sub(since) >= self.start_within;
        // The map is asked for until it is there; a process that sets time zero and has no map is
        // not waited for.
        let has_no_map = self.zero.is_some() && is_silent(self.zero_since);
        if !has_begun && (waits_since.is_some_and(is_silent) || has_no_map) {
            return Err(match self.refused.take() {
                Some((_, why)) => ParticipantError::Refused(why),
                None => ParticipantError::Unanswered,
            });
        }
        Ok(())
    }

    fn join(&mut self, now: Duration) -> Control {
        self.spoke = Some(now);
        let (process, run, asked) = (self.own.clone(), self.run, self.asked);
        Control::Join { process, run, asked, sent: now.as_nanos() }
    }

    /// Takes what seat 0's process said; gives what to say next.
    pub(crate) fn handle(&mut self, now: Duration, control: Control) -> Option<Control> {
        self.heard = Some(now);
        match control {
            Control::Welcome { sent, clock, zero, version, seen } => {
                self.welcomed = true;
                self.refused = None;
                if self.own.ip().is_unspecified() {
                    self.own.set_ip(seen.ip());
                }
                self.sample(now, sent, clock, zero);
                if version != self.version && self.reading.is_none() {
                    self.reading = Some((version, Reading { seen: Vec::new(), asked: now }));
                    return Some(Control::ask_map(0));
                }
            }
            Control::Refused { why } => {
                let differs = why == Refusal::Run && self.theirs.is_none();
                let since = self.refused.take().map_or(now, |(since, _)| since);
                self.refused = Some((since, why));
                if differs {
                    self.theirs = Some(Reading { seen: Vec::new(), asked: now });
                    return Some(Control::ask_sections(0));
                }
            }
            Control::Map { version, from, processes, total } => {
                return self.read_map(now, version, (from, total), processes);
            }
            Control::Sections { from, sections, total } => {
                return self.read_sections(now, (from, total), sections);
            }
            Control::Taken { report, piece } => self.outbox.taken(report, piece),
            // The question is short and its answer long: not more often than by the clock.
            Control::Probe => {
                let is_due = self.spoke.is_none_or(|at| now.saturating_sub(at) >= AGAIN);
                return is_due.then(|| self.join(now));
            }
            // For seat 0's process.
            Control::Join { .. }
            | Control::AskMap { .. }
            | Control::AskSections { .. }
            | Control::Piece { .. } => {}
        }
        None
    }

    fn sample(&mut self, now: Duration, sent: u64, clock: u64, zero: Option<u64>) {
        let round_trip = now.saturating_sub(Duration::from_nanos(sent));
        let there = i128::from(clock) + i128::from(round_trip.as_nanos() / 2);
        let ahead = there - i128::from(now.as_nanos());
        if self.samples.len() < SAMPLES {
            self.samples.push((round_trip, ahead));
        }
        self.zero_there = zero.or(self.zero_there);
        let Some(zero) = self.zero_there.filter(|_| self.zero.is_none()) else { return };
        let Some((_, ahead)) = self.best() else { return };
        let here = i128::from(zero) - ahead;
        let until = here - i128::from(now.as_nanos());
        if until > i128::from(ZERO_AHEAD_MAX.as_nanos()) {
            let until = u64::try_from(until).unwrap_or(u64::MAX);
            self.failed = Some(ParticipantError::Zero(Duration::from_nanos(until)));
            return;
        }
        let soon = until < i128::from((MILLISECOND * 400).as_nanos());
        if self.samples.len() == SAMPLES || soon {
            let here = u64::try_from(here).unwrap_or(0);
            (self.zero, self.zero_since) = (Some(Duration::from_nanos(here)), now);
        }
    }

    fn read_map(
        &mut self,
        now: Duration,
        version: u64,
        (from, total): (u32, u32),
        processes: Vec<Process>,
    ) -> Option<Control> {
        let (reading, Reading { seen, asked }) = self.reading.as_mut()?;
        if version != *reading {
            // It changed while it was read: begin again.
            (*reading, *asked) = (version, now);
            seen.clear();
            return Some(Control::ask_map(0));
        }
        if from as usize != seen.len() || total as usize > PROCESSES_MAX + 1 {
            return None;
        }
        seen.extend(processes);
        *asked = now;
        if seen.len() < total as usize {
            return Some(Control::ask_map(seen.len() as u32));
        }
        let (version, Reading { seen, .. }) = self.reading.take()?;
        (self.version, self.map) = (version, seen);
        None
    }

    fn read_sections(
        &mut self,
        now: Duration,
        (from, total): (u32, u32),
        sections: Vec<Section>,
    ) -> Option<Control> {
        let Reading { seen, asked } = self.theirs.as_mut()?;
        let fits = from as usize == seen.len() && total as usize <= SECTIONS_MAX;
        if !fits || !sections.iter().all(Section::is_sound) {
            return None;
        }
        seen.extend(sections);
        *asked = now;
        if seen.len() < total as usize {
            return Some(Control::ask_sections(seen.len() as u32));
        }
        self.failed = Some(ParticipantError::Differs(differences(&self.sections, seen)));
        None
    }
}

impl fmt::Debug for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Participant").field("own", &self.own).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::control::Speaker;
    use crate::member::coordinator::{Coordinator, CoordinatorSetup};
    use peerlet_core::wire;

    fn process(who: u8, seats: (u32, u32)) -> Process {
        let ip = "127.0.0.1".parse().unwrap();
        Process::new(7, seats, ip, vec![u16::from(who)], Identity([who; 32]))
    }

    fn sections(peers: u32) -> Vec<Section> {
        let fillers = (0..30).map(|i| Section::new(format!("section {i}"), "x".repeat(90)));
        fillers.chain([Section::new("peers", peers)]).collect()
    }

    fn coordinator(seats: u32, start_within: Duration) -> Coordinator {
        let own = process(1, (0, 9));
        let sections = sections(seats);
        Coordinator::new(CoordinatorSetup { own, seats, start_within, sections, is_closed: false })
    }

    fn participant(who: u8, seats: (u32, u32), peers: u32, within: Duration) -> Participant {
        let asked = "127.0.0.1:1".parse().unwrap();
        Participant::new(process(who, seats), asked, sections(peers), within, Duration::ZERO)
    }

    /// Lets a coordinator and participants, whose clocks began at different times, talk over a line
    /// with this delay that loses every third datagram.
    fn meet(
        participants: &mut [(Participant, Duration)],
        coordinator: &mut Coordinator,
        delay: Duration,
        until: Duration,
    ) -> Result<(), ParticipantError> {
        let mut now = Duration::ZERO;
        let mut count = 0;
        while now < until {
            coordinator.tick(now);
            for (one, behind) in participants.iter_mut().filter(|(_, behind)| *behind <= now) {
                let clock = |now: Duration| now.saturating_sub(*behind);
                let identity = Some(one.own.identity());
                let socket = one.own.sockets().next().unwrap();
                let speaker = Speaker { socket, identity };
                let mut said = one.tick(clock(now))?;
                while let Some(control) = said.pop() {
                    count += 1;
                    if count % 3 == 0 {
                        continue;
                    }
                    let len = wire::encoded_len(&control).unwrap();
                    let response = coordinator.handle(now + delay, speaker, control, len);
                    let answers = response.said.into_iter();
                    said.extend(answers.filter_map(|(_, a)| one.handle(clock(now + delay * 2), a)));
                }
            }
            now = now + MILLISECOND * 50;
        }
        Ok(())
    }

    #[test]
    fn all_agree_on_time_zero_and_on_the_map() {
        let mut coordinator = coordinator(30, SECOND * 30);
        let behind = [SECOND * 2, SECOND * 3];
        let mut participants = [
            (participant(2, (10, 19), 30, SECOND * 30), behind[0]),
            (participant(3, (20, 29), 30, SECOND * 30), behind[1]),
        ];
        meet(&mut participants, &mut coordinator, MILLISECOND * 7, SECOND * 10).unwrap();
        let zero = coordinator.zero().expect("all are there");
        for ((participant, _), behind) in participants.iter().zip(behind) {
            let here = participant.zero().expect("it knows") + behind;
            let error = here.saturating_sub(zero) + zero.saturating_sub(here);
            assert!(error <= participant.offset_error(), "{error}");
            assert_eq!(participant.late_by(), Duration::ZERO);
            let (_, map) = participant.map();
            assert_eq!(map.iter().map(|p| p.identity().0[0]).collect::<Vec<_>>(), [1, 2, 3]);
        }
    }

    #[test]
    fn a_late_process_knows_how_late_it_is() {
        let mut coordinator = coordinator(20, SECOND);
        let mut participants = [(participant(2, (10, 19), 20, SECOND * 30), SECOND * 20)];
        meet(&mut participants, &mut coordinator, MILLISECOND * 7, SECOND * 25).unwrap();
        let late = participants[0].0.late_by();
        // Time zero was at 2 s, and the participant's clock began at 20 s.
        let error = late.saturating_sub(SECOND * 18) + (SECOND * 18).saturating_sub(late);
        assert!(error < MILLISECOND * 20, "{late}");
        assert_eq!(participants[0].0.zero(), Some(Duration::ZERO));
    }

    #[test]
    fn another_scenario_is_named_section_by_section() {
        let mut coordinator = coordinator(30, SECOND * 30);
        let mut participants = [(participant(2, (10, 19), 20, SECOND * 30), Duration::ZERO)];
        let met = meet(&mut participants, &mut coordinator, MILLISECOND * 7, SECOND * 10);
        let (here, there) = (Some("20".to_owned()), Some("30".to_owned()));
        let difference = Difference { name: "peers".to_owned(), here, there };
        assert_eq!(met, Err(ParticipantError::Differs(vec![difference])));
    }

    #[test]
    fn nobody_there_and_a_no_are_told_apart() {
        let mut unheard = participant(2, (1, 1), 30, SECOND * 5);
        assert_eq!(unheard.tick(SECOND * 4).map(|said| said.len()), Ok(1));
        assert_eq!(unheard.tick(SECOND * 5), Err(ParticipantError::Unanswered));
        let refused = |why: Refusal| {
            let mut refused = participant(2, (1, 1), 30, SECOND * 60);
            refused.handle(SECOND, Control::Refused { why });
            refused
        };
        let mut passing = refused(Refusal::SameKey);
        assert!(passing.tick(SECOND * 8).is_ok(), "the one who had the seats may be gone soon");
        assert_eq!(passing.tick(SECOND * 9), Err(ParticipantError::Refused(Refusal::SameKey)));
        let mut lasting = refused(Refusal::Full);
        assert_eq!(lasting.tick(SECOND), Err(ParticipantError::Refused(Refusal::Full)), "at once");
        let mut other = refused(Refusal::Run);
        assert_eq!(other.tick(SECOND * 9), Err(ParticipantError::Differs(vec![])), "it never said");
    }

    #[test]
    fn a_time_zero_far_ahead_is_not_believed() {
        let welcome = |zero| {
            let seen = "127.0.0.1:2".parse().unwrap();
            let zero = Some(zero);
            let (sent, clock, version) = (SECOND.as_nanos(), SECOND.as_nanos(), 1);
            Control::Welcome { sent, clock, zero, version, seen }
        };
        for zero in [u64::MAX, (SECOND * 9).as_nanos()] {
            let mut participant = participant(2, (1, 1), 30, SECOND * 60);
            participant.handle(SECOND, welcome(zero));
            let failed = participant.tick(SECOND);
            assert!(matches!(failed, Err(ParticipantError::Zero(_))), "{failed:?}");
        }
        let mut participant = participant(2, (1, 1), 30, SECOND * 60);
        participant.handle(SECOND, welcome((SECOND * 2).as_nanos()));
        assert!(participant.tick(SECOND).is_ok());
    }

    #[test]
    fn a_welcome_without_a_beginning_is_not_waited_for_without_end() {
        let mut one = participant(2, (10, 19), 30, SECOND * 10);
        one.tick(SECOND).unwrap();
        let seen = "127.0.0.1:2".parse().unwrap();
        let welcome = Control::Welcome { sent: 0, clock: 0, zero: None, version: 0, seen };
        one.handle(SECOND * 5, welcome.clone());
        assert!(one.tick(SECOND * 14).is_ok(), "others may still come");
        one.handle(SECOND * 14, welcome);
        assert!(one.tick(SECOND * 23).is_ok(), "it lives");
        assert_eq!(one.tick(SECOND * 24), Err(ParticipantError::Unanswered));
    }

    /// Nor is a beginning without a map: peers could not find each other.
    #[test]
    fn a_beginning_without_a_map_is_not_waited_for_without_end() {
        let mut one = participant(2, (10, 19), 30, SECOND * 10);
        let seen = "127.0.0.1:2".parse().unwrap();
        let zero = Some(SECOND.as_nanos());
        let welcome = Control::Welcome { sent: 0, clock: 0, zero, version: 1, seen };
        for second in 1..11 {
            one.handle(SECOND * second, welcome.clone());
            assert!(one.tick(SECOND * second).is_ok(), "the map may come");
        }
        assert!(one.zero().is_some());
        one.handle(SECOND * 20, welcome.clone());
        assert_eq!(one.tick(SECOND * 20), Err(ParticipantError::Unanswered), "it says no more");
        // With the map it goes on, however long seat 0's process is silent.
        let mut one = participant(2, (10, 19), 30, SECOND * 10);
        (0..8).for_each(|_| drop(one.handle(SECOND, welcome.clone())));
        let (version, from, total) = (1, 0, 1);
        let processes = vec![process(1, (0, 9))];
        one.handle(SECOND, Control::Map { version, from, processes, total });
        assert!(one.tick(SECOND * 99).is_ok());
    }

    #[test]
    fn who_is_asked_whether_it_is_there_answers_at_once() {
        let mut participant = participant(2, (1, 1), 30, SECOND * 60);
        let answer = participant.handle(SECOND, Control::Probe);
        assert!(matches!(answer, Some(Control::Join { .. })), "{answer:?}");
    }
}
