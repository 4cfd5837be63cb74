//! Attacks on a run over QUIC by processes that take part: on the seats and the reports of others,
//! and by somebody in the place of seat 0's process.

use std::time::Duration;

use peerlet_core::{Codec, SECOND};
use peerlet_live::{
    Admission, ConnectionPosition, Inbound, JoinError, Kind, LiveError, Outbound, Refusal, Section,
    SocketDrop, Transport,
};

use crate::honest::{Honest, dropped, forged, forged_datagram};
use crate::hostile::{Control, LOOPBACK, Report, Stranger, control_in, fingerprint};
use crate::runs::{PATIENCE, run_until_stopped, runtime};

/// Sends a piece until it is taken.
async fn report(mallory: &mut Stranger, report: &Report, incarnation: u64, number: u32) {
    let piece = report.piece(incarnation, number);
    mallory
        .ask(&piece, |control| {
            (control == Control::Taken { report: number, piece: 0 }).then_some(())
        })
        .await;
}

/// Two honest processes, and one that takes the last two of six seats.
async fn with_member() -> (Honest, Stranger, [u8; 32]) {
    let mut honest = Honest::first(6, Admission::default()).await;
    let mut mallory = Stranger::new(honest.at());
    let run = fingerprint(&mallory.sections().await);
    let process = mallory.process((4, 5));
    mallory.join(&process, run).await.expect("the seats are free");
    honest.join(1).await;
    honest.rounds_go_on().await;
    (honest, mallory, run)
}

#[test]
fn a_member_reports_once_and_no_more_than_can_be() {
    runtime().block_on(async {
        let (honest, mut mallory, _) = with_member().await;
        report(&mut mallory, &Report::epoch(0, 1_000), 7, 0).await;
        // Again, of times to come, as somebody who can count more than is possible.
        let lies = [
            Report::epoch(0, 1_000),
            Report::epoch(5_000, 1),
            Report::epoch(1, u64::MAX / 2),
            Report::epoch(0, 77),
        ];
        for (number, lie) in (1..).zip(&lies) {
            report(&mut mallory, lie, 7, number).await;
        }
        report(&mut mallory, &Report::closing(u64::MAX), 7, 5).await;
        report(&mut mallory, &Report::closing(1 << 50), 7, 6).await;
        for number in 7..40 {
            report(&mut mallory, &Report::closing(1), 7, number).await;
        }
        report(&mut mallory, &Report::epoch(2, 1_000), 7, 40).await;
        let outcome = honest.finish_with(1, 1_000).await;
        assert!(outcome.late_answers < 1_000, "{}", outcome.late_answers);
    });
}

#[test]
fn a_member_that_begins_again_is_one_process_and_tells_nothing_twice() {
    runtime().block_on(async {
        let (honest, mut mallory, run) = with_member().await;
        report(&mut mallory, &Report::epoch(0, 1_000), 7, 0).await;
        report(&mut mallory, &Report::closing(1), 7, 1).await;
        // Epoch 0 is over when the others begin.
        tokio::time::sleep(Duration::from_millis(600)).await;
        for incarnation in 8..12 {
            let mut process = mallory.process((4, 5));
            process.incarnation = incarnation;
            mallory.join(&process, run).await.expect("the same key has its seats");
            report(&mut mallory, &Report::epoch(0, 1_000), incarnation, 0).await;
            report(&mut mallory, &Report::closing(1), incarnation, 1).await;
        }
        honest.finish_with(1, 1_000).await;
    });
}

#[test]
fn a_member_has_its_own_seats_only() {
    runtime().block_on(async {
        let (honest, mut mallory, run) = with_member().await;
        let mut process = mallory.process((4, 4));
        assert_eq!(mallory.join(&process, run).await, Err(Refusal::Changed));
        for (seats, taken) in [((2, 3), (2, 3)), ((0, 5), (0, 1)), ((3, 5), (2, 3))] {
            process = mallory.process(seats);
            assert_eq!(mallory.join(&process, run).await, Err(Refusal::Changed));
            process.incarnation += 1;
            let (first, last) = taken;
            let refused = Err(Refusal::Taken { first, last, can_change: false });
            assert_eq!(mallory.join(&process, run).await, refused);
        }
        // The sockets of others are not to be had, with those seats or any.
        for other in &honest.processes {
            process = mallory.process((4, 5));
            process.ports = vec![other.at.port()];
            let refused = mallory.join(&process, run).await;
            assert_eq!(refused, Err(Refusal::SameSocket { at: other.at }));
        }
        // Another incarnation's pieces are not taken.
        mallory.say(&Report::closing(1).piece(8, 0)).await;
        let ask = Control::AskSections { from: 0, padding: vec![0; 360] };
        mallory
            .ask(&ask, |control| {
                assert!(!matches!(control, Control::Taken { .. }), "{control:?}");
                matches!(control, Control::Sections { .. }).then_some(())
            })
            .await;
        drop(mallory);
        honest.finish().await;
    });
}

#[test]
fn a_member_speaks_for_its_own_seats_only() {
    runtime().block_on(async {
        let (honest, mut mallory, _) = with_member().await;
        let position = ConnectionPosition { life: 1, seq: 1 };
        for (from, to) in [(0, 1), (1, 0), (2, 0), (3, 1), (9, 0)] {
            mallory.send_datagram(forged_datagram(from, to)).await;
            mallory.send_stream(forged(from, to, |_| Kind::Open(position))).await;
            mallory.send_stream(forged(from, to, |message| Kind::Data(position, message))).await;
        }
        // A report's worth of control in a stream, where none belongs.
        mallory.send_stream(Report::closing(9).piece(7, 0).frame().to_vec()).await;
        mallory.until_heard().await;
        drop(mallory);
        let outcome = honest.finish().await;
        assert!(dropped(&outcome, &[SocketDrop::Forged]) >= 5, "{:?}", outcome.counters);
    });
}

/// An attacker in the place of seat 0's process: answers what it is asked by this.
async fn answer(
    mallory: &mut Stranger,
    mut answer: impl FnMut(&Control) -> Vec<Control>,
) -> std::convert::Infallible {
    let mut came = Vec::new();
    loop {
        mallory.transport.receive(&mut came).await;
        let mut said = Vec::new();
        for inbound in came.drain(..) {
            if let Inbound::Datagram { from, frame, .. } = inbound
                && let Some(question) = control_in(&frame)
            {
                let answers = answer(&question).into_iter();
                said.extend(answers.map(|it| Outbound::Datagram { to: from, frame: it.frame() }));
            }
        }
        mallory.transport.send(&mut said).await;
    }
}

/// An honest process joins an attacker who answers like this; gives why it does not take part.
fn refused_by(reply: impl FnMut(&Control) -> Vec<Control>) -> JoinError {
    runtime().block_on(async {
        let honest = Honest::first(4, Admission::default()).await;
        let mut setup = honest.setup(1);
        let mut mallory = Stranger::new(LOOPBACK);
        setup.join = Some(peerlet_live::Join::at(mallory.transport.local_addr()));
        let (_keep, stop) = tokio::sync::watch::channel(false);
        let joined = tokio::select! {
            joined = run_until_stopped(setup, Vec::new(), stop) => joined,
            never = answer(&mut mallory, reply) => match never {},
        };
        match joined {
            Err(LiveError::Join(error)) => error,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it took part"),
        }
    })
}

#[test]
fn text_from_others_drives_no_terminal() {
    let evil = "a\u{1b}[2J\u{1b}]0;title\u{7}\r\n\u{202e}b\u{9b}31m";
    let error = refused_by(|question| match question {
        Control::Join { .. } => vec![Control::Refused { why: Refusal::Run }],
        Control::AskSections { .. } => {
            let sections = vec![Section::new(evil, evil), Section::new("peers", evil)];
            vec![Control::Sections { from: 0, sections, total: 2 }]
        }
        _ => Vec::new(),
    });
    let said = format!("{error} {error:#}");
    assert!(matches!(error, JoinError::Differs(..)), "{error:?}");
    assert!(said.contains("peers: 4 here, a\\u{1b}[2J"), "{said}");
    let is_bad = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!said.contains(is_bad), "{said:?}");
}

#[test]
fn a_beginning_far_ahead_is_refused() {
    for ahead in [60_000_000_000, u64::MAX / 2, u64::MAX] {
        let error = refused_by(move |question| match question {
            Control::Join { sent, process, .. } => {
                let seen = (process.ip(), process.ports[0]).into();
                let (sent, clock, zero) = (*sent, 1_000, Some(ahead));
                vec![Control::Welcome { sent, clock, zero, version: 1, seen }]
            }
            _ => Vec::new(),
        });
        assert!(matches!(error, JoinError::Zero(..)), "{error:?}");
    }
}

/// An honest process that is set up differently is refused with these words.
async fn refused_with(
    honest: &Honest,
    words: &str,
    change: impl FnOnce(&mut peerlet_live::LiveSetup),
) {
    let mut setup = honest.setup(1);
    change(&mut setup);
    let (_keep, stop) = tokio::sync::watch::channel(false);
    let joined = tokio::time::timeout(PATIENCE, run_until_stopped(setup, Vec::new(), stop)).await;
    let Ok(Err(LiveError::Join(error))) = joined else { panic!("{words}: it took part") };
    assert!(matches!(error, JoinError::Differs(..)), "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
}

/// The same peerlet by name, of another version.
struct Newer;

impl peerlet_core::Peerlet for Newer {
    const NAME: &'static str = "asks";
    const VERSION: u16 = 2;
    type Message = u8;
    type Timer = ();
}

#[test]
fn who_runs_something_else_is_refused_with_both_values() {
    runtime().block_on(async {
        let own = |value: &str| vec![Section::new("stack", value)];
        let mut honest =
            Honest::first_as(4, Admission::default(), |setup| setup.sections = own("three")).await;
        refused_with(&honest, "stack: four here, three there", |setup| {
            setup.sections = own("four");
        })
        .await;
        refused_with(&honest, "stack: nothing here, three there", |_| {}).await;
        refused_with(&honest, "program: other here, attacked there", |setup| {
            (setup.name, setup.sections) = ("other".into(), own("three"));
        })
        .await;
        refused_with(&honest, "for: 9s here, ", |setup| {
            (setup.duration, setup.sections) = (SECOND * 9, own("three"));
        })
        .await;
        refused_with(&honest, "peerlet `asks`: version 2 here, version 1 there", |setup| {
            setup.sections = own("three");
            setup.build = std::sync::Arc::new(|_| peerlet_core::Peer::new().with(Newer));
        })
        .await;
        refused_with(&honest, "codec: bincode here, postcard there", |setup| {
            (setup.codec, setup.sections) = (Codec::Bincode, own("three"));
        })
        .await;
        honest.join_as(1, |setup| setup.sections = own("three")).await;
        honest.rounds_go_on().await;
        honest.finish().await;
    });
}
