//! A process that dials many others at once.

use super::super::farewell;
use super::*;
use crate::buffers;

/// How many are dialled: more where the operating system gives the buffers that are asked for.
fn partners() -> usize {
    let socket = buffers::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let has = rustix::net::sockopt::socket_recv_buffer_size(&socket).unwrap();
    if has >= buffers::BUFFER_WANTED { 128 } else { 64 }
}

/// Packets that a socket of this machine lost, since its buffer was full.
#[cfg(target_os = "linux")]
fn lost_in_buffer(socket: SocketAddr) -> u64 {
    let port = format!(":{:04X}", socket.port());
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row[1].ends_with(&port)).expect("the socket is in the table");
    row.last().unwrap().parse().unwrap()
}

/// All partners answer within one round trip, and that fits the buffers.
#[tokio::test]
async fn partners_that_are_dialled_at_once_answer_without_a_loss() {
    let (count, mut center) = (partners(), bind());
    let mut partners: Vec<QuicTransport> = (0..count).map(|_| bind()).collect();
    let said = |to| Outbound::Datagram { to, frame: Bytes::from_static(b"first") };
    let mut batch = partners.iter().map(|partner| said(partner.local_addr())).collect();
    center.send(&mut batch).await;
    let mut up = 0;
    until(&mut center, |inbound| {
        up += usize::from(matches!(inbound, Inbound::LinkUp { .. }));
        (up == count).then_some(())
    })
    .await;
    for partner in &mut partners {
        assert_eq!(beside(&mut center, frames(partner, 1)).await, ["first"]);
    }
    #[cfg(target_os = "linux")]
    for socket in partners.iter().chain([&center]).map(QuicTransport::local_addr) {
        assert_eq!(lost_in_buffer(socket), 0, "{socket}");
    }
}

/// A process that found nobody does not wait for the ends of handshakes.
#[test]
fn without_links_there_is_nobody_to_say_farewell_to() {
    let now = tokio::time::Instant::now();
    let until = now + std::time::Duration::from_secs(2);
    assert_eq!(farewell(true, until, now), until);
    assert!(farewell(false, until, now) < until);
    assert_eq!(farewell(false, now, now), now, "nor longer than it may");
}
