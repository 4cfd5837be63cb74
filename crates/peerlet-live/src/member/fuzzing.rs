//! Messages between processes for fuzzing: decoded from any bytes, and heard by both machines from
//! anybody, in any order, at any time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use peerlet_core::{Duration, Identity, MILLISECOND, Metric, SECOND, Time, wire};
use peerlet_measure::{EpochMeasurements, Epochs, Measurements, MetricEntry};

use super::control::{Control, PIECE_MAX, PIECES_MAX, Speaker, answer_max};
use super::coordinator::{Coordinator, CoordinatorSetup};
use super::fingerprint::{Fingerprint, Section};
use super::participant::Participant;
use super::roster::PROCESSES_MAX;
use super::totals::{Closing, NetworkTotals, Report, Reporter};
use crate::fuzzing::{Choices, round_trip};
use crate::process::Process;
use crate::refusal::Refusal;

const STEPS_MAX: usize = 512;
const SEATS: u32 = 16;

/// Decodes bytes as each kind of message.
pub(crate) fn decode(bytes: &[u8], allocated: fn() -> usize) {
    round_trip::<Control>(bytes, allocated);
    round_trip::<Report>(bytes, allocated);
    round_trip::<Process>(bytes, allocated);
    round_trip::<Section>(bytes, allocated);
}

/// Reports of processes that say anything about what they did.
pub(crate) fn reports(choices: &mut Choices<'_>) {
    let metrics = [MetricEntry::new("test", Metric::counter("count"))];
    let at = |secs| Time::ZERO + SECOND * secs;
    let grid = Epochs::new(SECOND * 10, at(0)..at(30)).expect("three epochs");
    let mut totals = NetworkTotals::new(Measurements::new(metrics.into(), grid), Some(SEATS));
    let mut now = Time::ZERO;
    for _ in 0..64 {
        if choices.is_empty() {
            break;
        }
        now += MILLISECOND * 100 * u64::from(choices.byte());
        let (first, last) = (choices.below(8) as u32, 8 + choices.below(8) as u32);
        let from = Reporter {
            identity: Identity([choices.below(4) as u8; 32]),
            incarnation: choices.below(2) as u64,
            seats: (first, last),
            joined: at(choices.below(40) as u64),
            now,
        };
        let report = report(choices);
        let before = (totals.processes, totals.closing.events);
        if totals.add(from, report).is_err() {
            assert_eq!((totals.processes, totals.closing.events), before);
        }
        let coverage = totals.coverage().expect("the seats are known");
        assert!((0.0..=1.0).contains(&coverage), "{coverage}");
    }
}

fn report(choices: &mut Choices<'_>) -> Report {
    match choices.byte() % 4 {
        0 => {
            let words = choices.bytes().iter().map(|word| u64::from(*word)).collect();
            Report::Epoch { lived: choices.number(), words }
        }
        1 => {
            let words = (0..choices.byte()).map(|_| choices.number()).collect();
            Report::Epoch { lived: choices.number(), words }
        }
        2 => {
            // One that a process might make, and some words of it changed.
            let at = |epoch: usize| Time::ZERO + SECOND * 10 * epoch as u64;
            let number = choices.below(4);
            let mut epoch = EpochMeasurements::new(number, at(number)..at(number + 1), 1);
            for _ in 0..choices.below(4) {
                epoch.accumulators[0].record_n(choices.number() as i64, u64::from(choices.byte()));
            }
            let mut words = Vec::new();
            epoch.words(&mut |word| words.push(word));
            for _ in 0..choices.below(3) {
                let at = choices.below(words.len());
                words[at] = choices.number();
            }
            Report::Epoch { lived: choices.number(), words: words.into_iter().collect() }
        }
        _ => {
            let mut closing = Closing { events: choices.number(), ..Closing::default() };
            closing.ledger.datagram.sent = choices.number();
            closing.late_answers = choices.number();
            let mut report = closing.report();
            if let Report::Closing { ledger, counters, .. } = &mut report {
                let numbers = if choices.flag() { ledger } else { counters };
                let mut words = Vec::from_iter(numbers.iter());
                let at = choices.below(words.len() + 1);
                match words.get_mut(at) {
                    Some(word) => *word = choices.number(),
                    None => words.push(0),
                }
                *numbers = words.into_iter().collect();
            }
            report
        }
    }
}

fn sections() -> Vec<Section> {
    let fillers = (0..30).map(|i| Section::new(format!("section {i}"), "x".repeat(90)));
    fillers.chain([Section::new("peers", SEATS)]).collect()
}

fn own(who: u8, seats: (u32, u32)) -> Process {
    Process::new(7, seats, Ipv4Addr::LOCALHOST.into(), vec![1], Identity([who; 32]))
}

fn ip(choices: &mut Choices<'_>) -> IpAddr {
    match choices.below(8) {
        0 => Ipv4Addr::UNSPECIFIED.into(),
        1 => Ipv6Addr::UNSPECIFIED.into(),
        2 => Ipv4Addr::new(224, 0, 0, 1).into(),
        3 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(choices.byte())).into(),
        4 => Ipv4Addr::LOCALHOST.into(),
        _ => Ipv4Addr::new(192, 0, 2, choices.byte()).into(),
    }
}

fn speaker(choices: &mut Choices<'_>, have_identities: bool) -> Speaker {
    let socket = SocketAddr::new(ip(choices), u16::from(choices.byte() % 8));
    let identity = have_identities.then(|| Identity([choices.below(8) as u8; 32]));
    Speaker { socket, identity }
}

fn process(choices: &mut Choices<'_>, speaker: Speaker) -> Process {
    let incarnation = choices.number();
    let (first, last) = (choices.short(), choices.short());
    let is_honest = choices.flag();
    let ip = if is_honest { speaker.socket.ip() } else { ip(choices) };
    let count = if is_honest { 1 } else { usize::from(choices.byte()) };
    let ports = (0..count).map(|port| speaker.socket.port().wrapping_add(port as u16)).collect();
    let identity = match speaker.identity {
        Some(identity) if is_honest => identity,
        _ => Identity([choices.below(8) as u8; 32]),
    };
    Process::new(incarnation, (first, last), ip, ports, identity)
}

/// Anything that a process may say, as it would say it or not.
fn said(choices: &mut Choices<'_>, speaker: Speaker) -> Option<Control> {
    let padding = |choices: &mut Choices<'_>| vec![0; 4 * usize::from(choices.byte())];
    Some(match choices.byte() % 12 {
        0..=2 => {
            let all = sections();
            let run = Fingerprint::of(if choices.below(8) == 7 { &[] } else { &all });
            let asked = SocketAddr::new(ip(choices), 1);
            let process = process(choices, speaker);
            Control::Join { process, run, asked, sent: choices.number() }
        }
        3 => Control::AskMap { from: choices.short(), padding: padding(choices) },
        4 => Control::AskSections { from: choices.short(), padding: padding(choices) },
        5 | 6 => Control::Piece {
            incarnation: choices.number(),
            report: choices.short(),
            piece: choices.short(),
            pieces: choices.short(),
            bytes: vec![1; 8 * usize::from(choices.byte())],
        },
        7 => Control::Welcome {
            sent: choices.number(),
            clock: choices.number(),
            zero: choices.flag().then(|| choices.number()),
            version: choices.number(),
            seen: speaker.socket,
        },
        8 => Control::Refused {
            why: match choices.below(4) {
                0 => Refusal::Run,
                1 => Refusal::SameKey,
                2 => Refusal::Full,
                _ => Refusal::Seats { count: choices.short() },
            },
        },
        9 => {
            let processes = (0..choices.below(8)).map(|_| process(choices, speaker)).collect();
            let (version, from) = (choices.number(), choices.short());
            Control::Map { version, from, processes, total: choices.short() }
        }
        10 => {
            let text = |choices: &mut Choices<'_>| "n".repeat(usize::from(choices.byte()));
            let section = |_| Section { name: text(choices), value: text(choices) };
            let sections = (0..4).map(section).collect();
            Control::Sections { from: choices.short(), sections, total: choices.short() }
        }
        _ => wire::decode(choices.bytes()).ok()?,
    })
}

/// Lets anybody say anything to seat 0's process.
pub(crate) fn coordinator(choices: &mut Choices<'_>) {
    let (is_closed, have_identities) = (choices.flag(), choices.flag());
    let mut own = own(9, (0, 1));
    if choices.flag() {
        own.set_ip(Ipv4Addr::UNSPECIFIED.into());
    }
    let (seats, sections, start_within) = (SEATS, sections(), SECOND * 30);
    let setup = CoordinatorSetup { own, seats, start_within, sections, is_closed };
    let (mut coordinator, mut now) = (Coordinator::new(setup), Duration::ZERO);
    for _ in 0..STEPS_MAX {
        if choices.is_empty() {
            return;
        }
        now = now + MILLISECOND * 20 * u64::from(choices.byte());
        let speaker = speaker(choices, have_identities);
        match choices.byte() % 8 {
            0 => drop(coordinator.tick(now)),
            1 => drop(coordinator.roster.left(now, speaker.socket)),
            2 => drop(coordinator.roster.gone(now)),
            _ => {
                let Some(control) = said(choices, speaker) else { continue };
                hear(&mut coordinator, now, speaker, control);
            }
        }
        check_map(&coordinator);
    }
}

fn hear(coordinator: &mut Coordinator, now: Duration, speaker: Speaker, control: Control) {
    let len = wire::encoded_len(&control).expect("control messages are plain");
    let is_join = matches!(control, Control::Join { .. });
    let response = coordinator.handle(now, speaker, control, len);
    for (to, answer) in &response.said {
        let answer_len = wire::encoded_len(answer).expect("control messages are plain");
        match answer {
            Control::Probe => assert!(is_join && answer_len == 1),
            _ => {
                assert_eq!(*to, speaker.socket, "only who asked is answered");
                assert!(answer_len <= answer_max(len), "{answer_len} bytes answer {len}");
            }
        }
        if let (Control::Welcome { .. }, Some(identity)) = (answer, speaker.identity) {
            let entry = coordinator.roster.of(speaker).expect("who is welcome takes part");
            assert_eq!(entry.process.identity(), identity);
        }
    }
    for (identity, report) in &response.reports {
        assert!(speaker.identity.is_none_or(|speaker| speaker == *identity));
        assert!(report.len() <= PIECES_MAX as usize * PIECE_MAX);
    }
}

/// No two processes have the same seat or socket, whoever said what.
fn check_map(coordinator: &Coordinator) {
    let processes: Vec<&Process> = coordinator.roster.processes().collect();
    assert!(processes.len() <= PROCESSES_MAX + 1);
    for (i, one) in processes.iter().enumerate() {
        assert!(one.is_sound(SEATS));
        for other in &processes[..i] {
            assert!(!one.overlaps(other) && !one.shares_socket(other), "{one:?}, {other:?}");
            assert_ne!(one.identity(), other.identity());
        }
    }
    let vacant: u32 = coordinator.vacant().iter().map(|(first, last)| last - first + 1).sum();
    let taken: u32 = processes.iter().map(|process| process.len()).sum();
    assert_eq!(vacant + taken, SEATS);
}

/// Lets seat 0's process, or whoever says to be it, say anything to one that joins.
pub(crate) fn participant(choices: &mut Choices<'_>) {
    let asked = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 1);
    let mut own = own(2, (2, 3));
    if choices.flag() {
        own.set_ip(Ipv4Addr::UNSPECIFIED.into());
    }
    let mut now = MILLISECOND * 100 * u64::from(choices.byte());
    let mut participant = Participant::new(own, asked, sections(), SECOND * 60, now);
    for _ in 0..STEPS_MAX {
        if choices.is_empty() {
            return;
        }
        now = now + MILLISECOND * 20 * u64::from(choices.byte());
        let said = match choices.byte() % 8 {
            0 | 1 => match participant.tick(now) {
                Ok(said) => said,
                Err(error) => return assert!(!format!("{error:?}").is_empty()),
            },
            2 => {
                participant.outbox.push(&vec![1; 16 * usize::from(choices.byte())], false);
                continue;
            }
            _ => {
                let speaker = speaker(choices, true);
                let Some(control) = self::said(choices, speaker) else { continue };
                participant.handle(now, control).into_iter().collect()
            }
        };
        for control in &said {
            let len = wire::encoded_len(control).expect("control messages are plain");
            assert!(len <= peerlet_core::DATAGRAM_MAX, "{len} bytes");
        }
        let (_, map) = participant.map();
        assert!(map.len() <= PROCESSES_MAX + 64, "a map of {}", map.len());
        participant.late_by();
        participant.offset_error();
    }
}
