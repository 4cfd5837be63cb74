//! The memory that others can make a process hold, by its constants, as docs/SECURITY.md has it.

use bytes::Bytes;
use peerlet_core::runtime::MESSAGE_MAX_LIMIT;

use super::soon;
use crate::connection::RECEIVING_MAX;
use crate::frame::{DATAGRAM_FRAME_MAX, Frame, Kind, Tag};
use crate::key::ProcessKey;
use crate::member::{
    GRANTED_EACH, PROCESSES_MAX, RESERVED_MAX, STRANGERS_WAITING_MAX, WAITING_MAX,
};
use crate::quic::config::{
    INCOMING_BYTES_TOTAL_MAX, INCOMING_MAX, STRANGER_WINDOW, WINDOW_MIN, WINDOWS_MAX,
};
use crate::quic::gate::{
    HANDSHAKES_MAX, HANDSHAKES_PER_NETWORK_MAX, STRANGER_CONNECTIONS_MAX, STRANGERS_MAX,
    UNFINISHED_MAX,
};
use crate::quic::link::{DATAGRAMS_MAX, STRANGER_BURST, STRANGER_DATAGRAMS_MAX};
use crate::quic::{EVENTS_MAX, Guard, LINKS_MAX, QuicTransport, STRANGER_HELD_MAX, config};
use crate::tls;
use crate::transport::{Inbound, Transport};

const MIB: usize = 1024 * 1024;
/// One end of a connection, without what waits on it: both ends in one process take 31 kB
/// (measured).
const LINK: usize = 24 * 1024;
/// A reliable connection between two peers, on the receiving side.
const CONNECTION: usize = 100;
/// A packet that begins a handshake.
const PACKET: usize = 1_500;

/// A page of the documentation.
fn page() -> String {
    let at = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/SECURITY.md");
    std::fs::read_to_string(at).unwrap()
}

/// Checks a sum against its limit and against the page, which gives each part and the sum in MiB,
/// rounded up.
fn check(parts: &[(&str, usize)], limit: usize) {
    let page = page();
    let row = |name: &str, bytes: usize| format!("| {name} | {} |", bytes.div_ceil(MIB));
    for (name, bytes) in parts {
        let row = row(name, *bytes);
        assert!(page.contains(&row), "docs/SECURITY.md lacks `{row}`");
    }
    let sum: usize = parts.iter().map(|(_, bytes)| bytes).sum();
    assert!(sum < limit, "{} MiB", sum.div_ceil(MIB));
    let total = format!("**{} MiB**", sum.div_ceil(MIB));
    assert!(page.contains(&total), "docs/SECURITY.md lacks `{total}`");
}

#[test]
fn strangers_have_a_budget() {
    let window = STRANGER_WINDOW as usize;
    let begun = window + STRANGER_DATAGRAMS_MAX * DATAGRAM_FRAME_MAX;
    let up = window + STRANGER_HELD_MAX + DATAGRAM_FRAME_MAX;
    let batches = EVENTS_MAX / 2 * STRANGER_BURST as usize;
    let parts = [
        ("connections, with those that close", STRANGER_CONNECTIONS_MAX * LINK),
        ("what waits on handshakes", HANDSHAKES_MAX * begun),
        ("what waits on connections", STRANGERS_MAX * up),
        (
            "packets that begin handshakes",
            INCOMING_BYTES_TOTAL_MAX as usize + INCOMING_MAX * PACKET,
        ),
        ("words that wait for the shard", batches * DATAGRAM_FRAME_MAX),
        ("words that wait for the member", STRANGERS_WAITING_MAX * DATAGRAM_FRAME_MAX),
    ];
    check(&parts, 64 * MIB);
}

#[test]
fn members_have_a_budget() {
    let parts = [
        ("connections", LINKS_MAX * LINK),
        ("windows of connections", WINDOWS_MAX as usize + LINKS_MAX * WINDOW_MIN as usize),
        ("frames that have not ended", UNFINISHED_MAX),
        ("large messages", MESSAGE_MAX_LIMIT),
        ("reliable connections between peers", RECEIVING_MAX * CONNECTION),
        ("batches that wait for the shard", EVENTS_MAX * DATAGRAMS_MAX * DATAGRAM_FRAME_MAX),
        ("unfinished reports", RESERVED_MAX + PROCESSES_MAX * GRANTED_EACH),
        ("words that wait for seat 0's member", WAITING_MAX * DATAGRAM_FRAME_MAX),
    ];
    check(&parts, 512 * MIB);
}

/// Connections of strangers that wait for a busy shard have the room of handshakes.
#[tokio::test]
async fn a_busy_shard_does_not_let_strangers_pile_up() {
    let at = "127.0.0.1:0".parse().unwrap();
    let guard = Guard { has_roster: true, ..Guard::default() };
    let mut server = QuicTransport::bind_guarded(ProcessKey::generate(), at, guard).unwrap();
    let key = ProcessKey::generate();
    let client = config::endpoint(&key, at).unwrap();
    let word = Frame { tag: Tag::CONTROL, from: 0, to: 0, life: 0, kind: Kind::Control(&[7; 99]) };
    let word = Bytes::from(word.to_vec());
    let mut connections = Vec::new();
    // The server's transport looks at nothing.
    for _ in 0..150 {
        let config = config::client(&key, None);
        let dialling = client.connect_with(config, server.local, tls::SERVER_NAME).unwrap();
        let connection = soon(dialling).await.unwrap();
        for _ in 0..100 {
            connection.send_datagram(word.clone()).unwrap();
        }
        connections.push(connection);
    }
    let open = || connections.iter().filter(|it| it.close_reason().is_none()).count();
    soon(async {
        while open() > HANDSHAKES_PER_NETWORK_MAX {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    // Those that have waited are heard, with few words each.
    let mut came = Vec::new();
    soon(async {
        while !came.iter().any(|it| matches!(it, Inbound::Datagram { .. })) {
            server.receive(&mut came).await;
        }
    })
    .await;
    assert!(open() <= HANDSHAKES_PER_NETWORK_MAX);
    let ups = came.iter().filter(|it| matches!(it, Inbound::LinkUp { .. })).count();
    let words = came.len() - ups;
    assert!(ups <= HANDSHAKES_PER_NETWORK_MAX, "{ups} links");
    assert!(words <= ups * STRANGER_BURST as usize, "{words} words over {ups} links");
}
