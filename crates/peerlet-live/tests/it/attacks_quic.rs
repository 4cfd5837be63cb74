//! Attacks on a run over QUIC by strangers with a key of their own: on seats, addresses, reports
//! and frames.

use peerlet_core::{Identity, SECOND};
use peerlet_live::{
    Admission, ConnectionPosition, Kind, Refusal, STREAM_FRAME_MAX, SocketDrop, Transport,
};

use crate::honest::{Honest, dropped, forged, forged_datagram};
use crate::hostile::{Control, Process, Report, Stranger, fingerprint};
use crate::runs::runtime;

/// Says all this and makes sure that nothing but the last question is answered.
async fn unanswered(stranger: &mut Stranger, controls: &[Control]) {
    for control in controls {
        stranger.say(control).await;
    }
    let question = Control::AskSections { from: 0, padding: vec![0; 360] };
    stranger
        .ask(&question, |control| match control {
            Control::Sections { .. } => Some(()),
            other => panic!("a stranger got {other:?}"),
        })
        .await;
}

/// The identity that a process printed at its start.
fn identity_of(honest: &Honest, number: usize) -> Identity {
    let line = honest.processes[number].lines.find("reached as ").expect("it is printed");
    let identity = line.trim_start_matches("reached as ").split('@').next().expect("the first");
    identity.parse().expect("an identity")
}

#[test]
fn a_stranger_gets_no_seats_and_no_map() {
    runtime().block_on(async {
        let honest = Honest::pair(Admission::default()).await;
        let mut mallory = Stranger::new(honest.at());
        let run = fingerprint(&mallory.sections().await);
        let taken = |first, last| Err(Refusal::Taken { first, last, can_change: false });
        assert_eq!(mallory.join(&mallory.process((2, 3)), run).await, taken(2, 3));
        assert_eq!(mallory.join(&mallory.process((3, 3)), run).await, taken(2, 3));
        assert_eq!(mallory.join(&mallory.process((0, 1)), run).await, taken(0, 1));
        assert_eq!(mallory.join(&mallory.process((0, 3)), run).await, taken(0, 1));
        let beyond = mallory.join(&mallory.process((4, 5)), run).await;
        assert_eq!(beyond, Err(Refusal::Seats { count: 4 }));
        let none = Process { ports: Vec::new(), ..mallory.process((2, 3)) };
        assert_eq!(mallory.join(&none, run).await, Err(Refusal::Seats { count: 4 }));
        // As somebody else, at that one's address, or elsewhere: for the incarnation and the seats
        // that it has, or for others.
        for number in [0, 1] {
            let (identity, at) = (identity_of(&honest, number), honest.processes[number].at);
            for (seats, at) in [((2, 3), at), ((2, 2), mallory.transport.local_addr())] {
                for incarnation in [0, 7, u64::MAX] {
                    let process = Process { incarnation, ..Process::new(seats, at, identity) };
                    let answer = mallory.join(&process, run).await;
                    assert_eq!(answer, Err(Refusal::Identity), "{process:?}");
                }
            }
        }
        assert_eq!(mallory.join(&mallory.process((2, 3)), [7; 32]).await, Err(Refusal::Run));
        unanswered(&mut mallory, &[Control::ask_map(), Control::ask_map(), Control::Probe]).await;
        honest.finish().await;
    });
}

#[test]
fn a_stranger_reports_nothing() {
    runtime().block_on(async {
        let honest = Honest::pair(Admission::default()).await;
        for closing in [Report::closing(u64::MAX), Report::closing(1)] {
            let mut mallory = Stranger::new(honest.at());
            for report in 0..5 {
                let pieces: Vec<_> = (0..10).map(|i| closing.piece(i % 2 * 7, report)).collect();
                unanswered(&mut mallory, &pieces).await;
            }
        }
        honest.finish().await;
    });
}

#[test]
fn a_stranger_speaks_for_no_seat() {
    runtime().block_on(async {
        let honest = Honest::pair(Admission::default()).await;
        let position = ConnectionPosition { life: 1, seq: 1 };
        let mut strangers = Vec::new();
        for process in &honest.processes {
            let mut mallory = Stranger::new(process.at);
            for (from, to) in [(0, 2), (2, 0), (1, 1), (9, 0), (3, 3)] {
                mallory.send_datagram(forged_datagram(from, to)).await;
                mallory.send_stream(forged(from, to, |_| Kind::Open(position))).await;
                mallory
                    .send_stream(forged(from, to, |message| Kind::Data(position, message)))
                    .await;
            }
            strangers.push(mallory);
        }
        // The first process says that it has heard all, the second one says nothing.
        strangers[0].until_heard().await;
        let silent = strangers[1].hear(std::time::Duration::from_millis(500)).await;
        assert_eq!(silent, None);
        let outcome = honest.finish().await;
        // Those to the first process were heard, by the answer.
        assert!(dropped(&outcome, &[SocketDrop::Stranger]) >= 5, "{:?}", outcome.counters);
    });
}

#[test]
fn a_stranger_misleads_no_participant() {
    runtime().block_on(async {
        let honest = Honest::pair(Admission::default()).await;
        let mut mallory = Stranger::new(honest.processes[1].at);
        let (seen, sent, clock) = (mallory.transport.local_addr(), 0, 0);
        let own = mallory.process((0, 1));
        let lies = [
            Control::Welcome { sent, clock, zero: Some(u64::MAX), version: 99, seen },
            Control::Map { version: 99, from: 0, processes: vec![own.clone()], total: 1 },
            Control::Map { version: 99, from: 0, processes: vec![own], total: 1 },
            Control::Refused { why: Refusal::SameKey },
            Control::Refused { why: Refusal::Run },
            Control::Refused { why: Refusal::Full },
            Control::Sections { from: 0, sections: Vec::new(), total: 0 },
            Control::Taken { report: 0, piece: 0 },
            Control::Taken { report: 1, piece: 0 },
            Control::Probe,
        ];
        for lie in &lies {
            mallory.say(lie).await;
        }
        let answer = mallory.hear(std::time::Duration::from_millis(500)).await;
        assert_eq!(answer, None, "nothing is said to strangers");
        honest.finish().await;
    });
}

#[test]
fn streams_of_strangers_are_not_kept() {
    runtime().block_on(async {
        let honest = Honest::pair(Admission::default()).await;
        let mut mallory = Stranger::new(honest.at());
        // The length of the longest frame, and little of it; the rest never comes.
        for _ in 0..64 {
            mallory.send_stream(vec![7; STREAM_FRAME_MAX]).await;
        }
        mallory.until_heard().await;
        // It blocks, and is told so, long before the sixteen megabytes are through.
        honest.rounds_go_on().await;
        honest.finish().await;
        mallory.transport.close(SECOND).await;
    });
}

#[test]
fn the_own_address_is_learned_from_who_takes_part_only() {
    runtime().block_on(async {
        let everywhere = "0.0.0.0:0".parse().expect("an address");
        let mut honest =
            Honest::first_as(4, Admission::default(), |setup| setup.bind = everywhere).await;
        let port = honest.at().port();
        honest.processes[0].at = ([127, 0, 0, 1], port).into();
        let mut mallory = Stranger::new(honest.at());
        let run = fingerprint(&mallory.sections().await);
        let elsewhere = ([198, 51, 100, 66], port).into();
        for seats in [(0, 1), (0, 0)] {
            let process = mallory.process(seats);
            let refused = mallory.join_at(&process, run, elsewhere).await;
            assert!(matches!(refused, Err(Refusal::Taken { .. })), "{refused:?}");
        }
        let wrong = mallory.join_at(&mallory.process((2, 3)), [7; 32], elsewhere).await;
        assert_eq!(wrong, Err(Refusal::Run));
        assert_eq!(honest.processes[0].lines.find("others reach this process"), None);
        honest.join(1).await;
        honest.processes[0].lines.wait_for("others reach this process at 127.0.0.1").await;
        honest.rounds_go_on().await;
        // Later words change nothing either.
        let process = mallory.process((2, 3));
        let late = mallory.join_at(&process, run, elsewhere).await;
        assert!(matches!(late, Err(Refusal::Taken { .. })), "{late:?}");
        assert_eq!(honest.processes[0].lines.find("198.51.100.66"), None);
        honest.finish().await;
    });
}

#[test]
fn frames_are_taken_by_identity_where_the_address_differs() {
    runtime().block_on(async {
        let mut honest = Honest::first(4, Admission::default()).await;
        // It is seen at 127.0.0.1, since it talks to that, and known at 127.0.0.2.
        honest
            .join_as(1, |setup| {
                setup.bind = "0.0.0.0:0".parse().expect("an address");
                setup.advertise = Some("127.0.0.2:0".parse().expect("an address"));
            })
            .await;
        honest.rounds_go_on().await;
        let outcome = honest.finish().await;
        assert_eq!(dropped(&outcome, &[SocketDrop::Forged]), 0);
    });
}
