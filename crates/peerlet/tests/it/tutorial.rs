//! Pieces of code that docs/TUTORIAL.md shows beside its program: they compile, do what the page
//! says, and read there as they read here.

use std::collections::VecDeque;

use peerlet::core::wire;
use peerlet::prelude::*;

const PAGE: &str = include_str!("../../../../docs/TUTORIAL.md");
const OWN: &str = include_str!("tutorial.rs");

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Message {
    Question,
    Answer(u32),
}

#[derive(Default)]
struct Asks {
    sum: u32,
    slow: u32,
}

impl Peerlet for Asks {
    const NAME: &'static str = "asks";
    // begin version
    /// Increment this when `Message` changes: a process with the old program is then refused at
    /// once, with both versions.
    const VERSION: u16 = 2;
    // end
    type Message = Message;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        // begin seat
        if let Some(server) = ctx.seats().address(Seat(0)) {
            ctx.send(server, Message::Question);
        }
        // end
    }

    fn message(&mut self, ctx: &mut Context<Self>, peer: Address, _: Message) {
        // begin race2
        ctx.spawn(move |task| async move {
            let question = task.call(peer, Message::Question).within(SECOND * 5);
            match race2(question, task.sleep(MILLISECOND * 200)).await {
                Either::A(Ok(Message::Answer(n))) => task.with(move |me, _ctx| me.sum += n).await,
                Either::A(_) => {}
                Either::B(()) => task.with(|me, _ctx| me.slow += 1).await,
            }
        });
        // end
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Part(Vec<u8>);

#[derive(Clone, Debug)]
struct Again;

#[derive(Default)]
struct Gives {
    parts: VecDeque<Part>,
}

impl Peerlet for Gives {
    const NAME: &'static str = "gives";
    type Message = Part;
    type Timer = Again;

    fn describe(about: &mut Description<Self>) {
        about.needs(Need::Reliable);
    }

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, _: Part) {
        self.give(ctx, from);
    }

    // begin room
    fn writable(&mut self, ctx: &mut Context<Self>, to: Address) {
        self.give(ctx, to);
    }

    fn undelivered(&mut self, ctx: &mut Context<Self>, _: Address, part: Part, why: Undelivered) {
        // It may have arrived all the same: only its confirmation is missing.
        self.parts.push_back(part);
        if why == Undelivered::Reset {
            ctx.after(SECOND * 5, Again);
        }
    }
    // end
}

impl Gives {
    // begin reliable
    /// Sends what is left to send, until the queue to this peer is full.
    fn give(&mut self, ctx: &mut Context<Self>, to: Address) {
        while let Some(part) = self.parts.pop_front() {
            if let Err(part) = ctx.send_reliably(to, part) {
                // Handed back, and `writable` follows.
                return self.parts.push_front(part);
            }
        }
    }
    // end
}

/// The lines between two marks, without what all of them are indented by.
fn piece(name: &str) -> Vec<&'static str> {
    let begin = format!("// begin {name}");
    let mut lines = OWN.lines().skip_while(|line| line.trim() != begin).skip(1);
    let lines: Vec<_> = lines.by_ref().take_while(|line| line.trim() != "// end").collect();
    let indent = lines[0].len() - lines[0].trim_start().len();
    lines.iter().map(|line| &line[indent.min(line.len())..]).collect()
}

#[test]
fn the_page_shows_what_is_compiled_here() {
    let page: Vec<_> = PAGE.lines().map(str::trim_start).collect();
    for name in ["version", "seat", "reliable", "room", "race2"] {
        let piece: Vec<_> = piece(name).iter().map(|line| line.trim_start()).collect();
        let is_there = page.windows(piece.len()).any(|lines| lines == piece);
        assert!(is_there, "docs/TUTORIAL.md lacks this:\n{}", piece.join("\n"));
    }
}

/// The program of the page with its tests, which run here: [`rumor`](crate::rumor).
const PROGRAM: &str = include_str!("rumor.rs");

#[test]
fn the_program_of_the_page_is_the_one_that_is_tested() {
    let blocks = PAGE.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: Vec<&str> = blocks.take(2).collect();
    let program: Vec<&str> = PROGRAM.lines().filter(|line| !line.starts_with("#[expect")).collect();
    assert_eq!(blocks.join("\n").trim_end(), program.join("\n").trim_end());
    let node = include_str!("../../../../examples/node.rs");
    assert!(PAGE.contains(node), "docs/TUTORIAL.md shows another examples/node.rs");
}

/// A field with `#[serde(with = "serde_bytes")]`: bytes in place of a list of numbers.
struct Bytes(Vec<u8>);

impl serde::Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

#[test]
fn bytes_and_lists_of_numbers_are_the_same_on_the_wire() {
    for len in [0, 1, 200, 70_000] {
        let numbers: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let (mut as_list, mut as_bytes) = (Vec::new(), Vec::new());
        wire::encode(&numbers, &mut as_list).expect("it is plain");
        wire::encode(&Bytes(numbers), &mut as_bytes).expect("it is plain");
        assert!(as_list == as_bytes, "{len} bytes");
    }
}

#[test]
fn the_pieces_do_what_the_page_says() {
    let mut peer = TestPeer::new(Asks::default());
    let other = peer.stranger(1);
    peer.deliver(other, Message::Question);
    peer.answer(other, Message::Answer(5));
    assert_eq!((peer.peerlet().sum, peer.peerlet().slow), (5, 0));
    peer.deliver(other, Message::Question);
    peer.advance(MILLISECOND * 200);
    assert_eq!((peer.peerlet().sum, peer.peerlet().slow), (5, 1));
    assert_eq!(Asks::VERSION, 2);
}

#[test]
fn parts_that_were_not_delivered_are_kept() {
    let parts = [1, 2, 3].map(|byte| Part(vec![byte]));
    let mut peer = TestPeer::new(Gives { parts: parts.clone().into() });
    let other = peer.stranger(1);
    peer.set_full(true);
    peer.deliver(other, Part(Vec::new()));
    assert_eq!(peer.peerlet().parts, parts, "handed back");
    peer.set_full(false);
    peer.deliver(other, Part(Vec::new()));
    assert_eq!(peer.sent(), parts.clone().map(|part| (other, part)));
    peer.undelivered(other, parts[1].clone(), Undelivered::Timeout);
    assert_eq!(peer.peerlet().parts, [parts[1].clone()]);
}
