//! Attacks of a process that takes part in the run with seats of its own, over QUIC.

use std::time::Duration;

use bytes::Bytes;
use peerlet_core::runtime::{Call, FRAME_MAX};
use peerlet_live::{ConnectionPosition, Kind, Message, Part};

use super::scene::Scene;
use super::speaker::Speaker;
use crate::honest::{self, forged, forged_datagram};
use crate::hostile::{Control, Process, Report};

/// Pieces of a message of 16 MiB.
const PIECES: u32 = 64;
/// How long a piece is waited for that the process does not read.
const SECOND: Duration = Duration::from_secs(1);

/// Says all this again and again.
async fn say(mut scene: Scene, mut speaker: Speaker, frames: Vec<Bytes>) {
    scene.begin().await;
    for frame in frames.iter().cycle() {
        scene.tick().await;
        speaker.datagram(frame.clone()).await;
    }
}

fn frames(controls: &[Control]) -> Vec<Bytes> {
    controls.iter().map(Control::frame).collect()
}

/// Asks for the map and the sections.
pub async fn questions(scene: Scene) {
    let (speaker, ..) = Speaker::member(&scene).await;
    let sections = |from| Control::AskSections { from, padding: vec![0; 360] };
    let all = frames(&[Control::ask_map(), sections(0), Control::ask_map(), Control::Probe]);
    say(scene, speaker, all).await;
}

/// Asks for other seats, for sockets of others and for its own again, in every incarnation.
pub async fn seats_of_others(mut scene: Scene) {
    let (mut speaker, own, run) = Speaker::member(&scene).await;
    let second = scene.begin().await;
    let mut processes = Vec::new();
    for seats in
        [(0, 1), (2, 3), (own.first, own.first), (own.first - 1, own.last), (own.first, own.last)]
    {
        for incarnation in [0, own.incarnation, u64::MAX] {
            let process = Process { first: seats.0, last: seats.1, incarnation, ..own.clone() };
            if seats != (own.first, own.last) {
                processes.push(process.clone());
            }
            for at in [scene.first, second] {
                processes.push(Process { ports: vec![at.port()], ..process.clone() });
            }
        }
    }
    let asked = scene.first;
    let joins = processes.into_iter().map(|process| Control::Join { process, run, asked, sent: 1 });
    let frames: Vec<_> = joins.map(|join| join.frame()).collect();
    for frame in frames.iter().cycle() {
        scene.tick().await;
        speaker.datagram(frame.clone()).await;
    }
}

/// Reports what cannot be, over and over.
pub async fn reports(scene: Scene) {
    let (speaker, own, _) = Speaker::member(&scene).await;
    let lies =
        [Report::epoch(5_000, 1), Report::epoch(0, u64::MAX / 2), Report::epoch(6_000, u64::MAX)];
    let closings = [Report::closing(u64::MAX), Report::closing(1 << 50)];
    let mut pieces = Vec::new();
    for number in 0..200 {
        pieces.push(lies[number as usize % lies.len()].piece(own.incarnation, number));
        pieces.push(lies[0].piece(own.incarnation + 1, number));
    }
    for number in 200..400 {
        pieces.push(closings[number as usize % 2].piece(own.incarnation, number));
    }
    let frames = frames(&pieces);
    say(scene, speaker, frames).await;
}

/// Reports of which a piece is missing.
pub async fn unfinished_reports(scene: Scene) {
    let (speaker, own, _) = Speaker::member(&scene).await;
    let piece = |number: u32| Control::Piece {
        incarnation: own.incarnation,
        report: number % 64,
        piece: 1 + number / 64,
        pieces: 4_096,
        bytes: vec![7; 900],
    };
    let frames = frames(&(0..6_400).map(piece).collect::<Vec<_>>());
    say(scene, speaker, frames).await;
}

/// Messages in the name of peers of others, and of its own to peers that nobody has.
pub async fn forged_frames(scene: Scene) {
    let (speaker, own, _) = Speaker::member(&scene).await;
    let position = ConnectionPosition { life: 1, seq: 1 };
    let each = |(from, to)| {
        [
            forged_datagram(from, to),
            forged(from, to, |_| Kind::Open(position)),
            forged(from, to, |message| Kind::Data(position, message)),
            forged(from, to, |_| Kind::Reset(position)),
        ]
    };
    let pairs = [(0, 1), (1, 0), (2, 0), (3, 1), (9, 0), (own.first, 900)];
    let frames = pairs.into_iter().flat_map(each).map(Bytes::from).collect();
    say(scene, speaker, frames).await;
}

/// Real questions of its own peers, many times as often as honest ones ask.
pub async fn messages(scene: Scene) {
    let (mut speaker, own, _) = Speaker::member(&scene).await;
    let mut scene = scene;
    scene.begin().await;
    for id in 0.. {
        scene.tick().await;
        let call = Call::Question(id);
        speaker.datagram(honest::called(own.first, id % 2, call).into()).await;
    }
}

/// Answers to questions that nobody asked.
pub async fn answers(scene: Scene) {
    let (mut speaker, own, _) = Speaker::member(&scene).await;
    let mut scene = scene;
    scene.begin().await;
    for id in 0.. {
        scene.tick().await;
        let call = if id % 2 == 0 { Call::Answer(id) } else { Call::NoAnswer(id) };
        speaker.datagram(honest::called(own.first, id / 2 % 2, call).into()).await;
    }
}

/// Begins reliable connections in the name of new lives of its own peers.
pub async fn reliable_connections(scene: Scene) {
    let (mut speaker, own, _) = Speaker::member(&scene).await;
    let mut scene = scene;
    scene.begin().await;
    for life in 1.. {
        scene.tick().await;
        let open = Kind::Open(ConnectionPosition { life: 0, seq: 1 });
        speaker.datagram(honest::frame((own.first, life), life % 2, open).into()).await;
    }
}

/// Frames on streams that never end.
pub async fn unfinished_frames(scene: Scene) {
    let (mut speaker, ..) = Speaker::member(&scene).await;
    let mut scene = scene;
    scene.begin().await;
    let bytes = [&(256u32 * 1024).to_be_bytes()[..], &[7; 250_000]].concat();
    let mut open = std::collections::VecDeque::new();
    for number in 0.. {
        scene.tick().await;
        open.push_back(speaker.stream(&bytes).await);
        // Streams that are given up are reset, and make room for the next.
        if open.len() > 32 {
            open.pop_front();
        }
        if number % 500 == 499 {
            speaker.hang_up();
        }
    }
}

/// Large messages of which all comes but the last piece; each tick sends a piece.
pub async fn unfinished_messages(scene: Scene) {
    let (mut speaker, own, _) = Speaker::member(&scene).await;
    let mut scene = scene;
    scene.begin().await;
    let total = PIECES * FRAME_MAX as u32;
    let (position, body) = (ConnectionPosition { life: 1, seq: 1 }, vec![7; FRAME_MAX]);
    let mut open = Vec::new();
    for life in 1.. {
        let write = |kind: Kind| {
            let frame = honest::frame((own.first, life), life % 2, kind);
            [&(frame.len() as u32).to_be_bytes()[..], &frame].concat()
        };
        let asks = Kind::Ask(position, total);
        let begin =
            [write(Kind::Open(ConnectionPosition { life: 0, seq: 1 })), write(asks)].concat();
        let Some(mut stream) = speaker.stream(&begin).await else {
            scene.tick().await;
            continue;
        };
        for piece in 0..PIECES - 1 {
            scene.tick().await;
            let position = ConnectionPosition { life: 1, seq: u64::from(piece) + 1 };
            let part = Part { offset: piece * FRAME_MAX as u32, total };
            let message = Message { port: 0, call: Call::None, body: &body[..] };
            let piece = write(Kind::Piece(position, part, message));
            let written = tokio::time::timeout(SECOND, stream.write_all(&piece)).await;
            if !matches!(written, Ok(Ok(()))) {
                break;
            }
        }
        open.push(stream);
    }
}
