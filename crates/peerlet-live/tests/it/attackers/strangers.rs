//! Attacks of strangers with connections of their own over QUIC.

use std::net::SocketAddr;

use bytes::Bytes;
use peerlet_live::{ConnectionPosition, Kind, Refusal, Section};

use super::bytes_alone::malformed;
use super::scene::Scene;
use super::speaker::Speaker;
use crate::honest::{forged, forged_datagram};
use crate::hostile::{Control, Process, Report};

/// Connections that speak in turn.
const SPEAKERS: usize = 8;

fn speakers(scene: &Scene, to: SocketAddr) -> Vec<Speaker> {
    (0..SPEAKERS).map(|number| Speaker::new(number, to, &scene.counts)).collect()
}

/// Says all this again and again.
async fn say(mut scene: Scene, frames: impl Fn(&Speaker, &Scene) -> Vec<Bytes>) {
    scene.begin().await;
    let to = scene.first;
    say_to(scene, to, frames).await;
}

async fn say_to(mut scene: Scene, to: SocketAddr, frames: impl Fn(&Speaker, &Scene) -> Vec<Bytes>) {
    let mut speakers = speakers(&scene, to);
    let frames: Vec<_> = speakers.iter().map(|it| frames(it, &scene)).collect();
    for number in 0.. {
        scene.tick().await;
        let (speaker, frames) = (number % SPEAKERS, &frames[number % SPEAKERS]);
        let frame = frames[number / SPEAKERS % frames.len()].clone();
        speakers[speaker].datagram(frame).await;
    }
}

fn frames(controls: &[Control]) -> Vec<Bytes> {
    controls.iter().map(Control::frame).collect()
}

/// Asks for the map, which is for members, and for the sections, which are for everybody.
pub async fn questions(scene: Scene) {
    say(scene, |_, _| {
        let sections = |from| Control::AskSections { from, padding: vec![0; 360] };
        frames(&[Control::ask_map(), sections(0), Control::Probe, sections(2)])
    })
    .await;
}

/// Asks for seats of others, as itself and in the name of others.
pub async fn seats_of_others(mut scene: Scene) {
    let run = Speaker::new(0, scene.first, &scene.counts).run().await;
    let second = scene.begin().await;
    let to = scene.first;
    say_to(scene, to, move |speaker, scene| {
        let mut joins = Vec::new();
        for seats in [(0, 1), (2, 3), (0, 3), (3, 3)] {
            for (incarnation, at) in [(0, scene.first), (7, second), (u64::MAX, second)] {
                let own = speaker.process(seats);
                let ports = vec![at.port()];
                joins.push(Process { incarnation, ports, ..own.clone() });
                joins.push(Process { incarnation, ..own });
            }
        }
        let asked = scene.first;
        let join = |process| Control::Join { process, run, asked, sent: 1 };
        frames(&joins.into_iter().map(join).collect::<Vec<_>>())
    })
    .await;
}

/// Tells a process a false address of its own.
pub async fn false_addresses(mut scene: Scene) {
    let run = Speaker::new(0, scene.first, &scene.counts).run().await;
    scene.begin().await;
    let to = scene.first;
    say_to(scene, to, move |speaker, _| {
        let asked = ([198, 51, 100, 66], 9).into();
        let join = |seats| Control::Join { process: speaker.process(seats), run, asked, sent: 1 };
        frames(&[join((0, 1)), join((2, 3)), join((0, 0))])
    })
    .await;
}

/// Reports of somebody who takes no part.
pub async fn reports(scene: Scene) {
    say(scene, |_, _| {
        let pieces = [u64::MAX, 1].into_iter().flat_map(|count| {
            let closing = Report::closing(count);
            (0..20).map(move |number| closing.piece(number % 2 * 7, number as u32 / 2))
        });
        pieces.map(|piece| piece.frame()).collect()
    })
    .await;
}

/// Messages in the name of peers of others.
pub async fn forged_frames(scene: Scene) {
    say(scene, |_, _| {
        let position = ConnectionPosition { life: 1, seq: 1 };
        let each = |(from, to)| {
            [
                forged_datagram(from, to),
                forged(from, to, |_| Kind::Open(position)),
                forged(from, to, |message| Kind::Data(position, message)),
            ]
        };
        let all = [(0, 2), (2, 0), (3, 1), (1, 1), (9, 0)].into_iter().flat_map(each);
        all.map(Bytes::from).collect()
    })
    .await;
}

/// Frames that nobody can read.
pub async fn malformed_frames(scene: Scene) {
    say(scene, |_, _| malformed().into_iter().map(Bytes::from).collect()).await;
}

/// Frames on streams that never end; at each tick one begins.
pub async fn unfinished_frames(mut scene: Scene) {
    scene.begin().await;
    let mut speakers = speakers(&scene, scene.first);
    let bytes = [&(256u32 * 1024).to_be_bytes()[..], &[7; 20_000]].concat();
    let mut open = std::collections::VecDeque::new();
    for number in 0.. {
        scene.tick().await;
        // Two streams a connection; then another one.
        let speaker = &mut speakers[number % SPEAKERS];
        open.push_back(speaker.stream(&bytes).await);
        if number / SPEAKERS % 2 == 1 {
            speaker.hang_up();
        }
        if open.len() > 1_000 {
            open.pop_front();
        }
    }
}

/// Lies to a process that takes part, as if seat 0's process told them.
pub async fn lies(mut scene: Scene) {
    let second = scene.begin().await;
    say_to(scene, second, |speaker, scene| {
        let (seen, sent, clock) = (scene.first, 0, 0);
        let processes = vec![speaker.process((0, 1))];
        let evil = "a\u{1b}[2J\u{1b}]0;title\u{7}\r\n\u{202e}b";
        let sections = vec![Section::new(evil, evil)];
        frames(&[
            Control::Welcome { sent, clock, zero: Some(u64::MAX), version: 99, seen },
            Control::Map { version: 99, from: 0, processes, total: 1 },
            Control::Refused { why: Refusal::SameKey },
            Control::Refused { why: Refusal::Run },
            Control::Refused { why: Refusal::Full },
            Control::Sections { from: 0, sections, total: 1 },
            Control::Taken { report: 0, piece: 0 },
            Control::Taken { report: 1, piece: 0 },
            Control::Probe,
        ])
    })
    .await;
}
