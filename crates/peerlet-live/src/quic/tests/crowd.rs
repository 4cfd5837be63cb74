//! Many connections from one network, where there is no roster.

use super::*;

/// The third that dials from a network of which two are kept is refused, and can still be dialed.
#[tokio::test]
async fn one_network_does_not_take_all_connections() {
    let guard = Guard { links_per_network: Some(2), ..Guard::default() };
    let at = "127.0.0.1:0".parse().unwrap();
    let mut host = QuicTransport::bind_guarded(ProcessKey::generate(), at, guard).unwrap();
    let home = host.local_addr();
    let mut dialers = [bind(), bind(), bind()];
    for (number, dialer) in (0..).zip(&mut dialers[..2]) {
        send_datagram(dialer, home, &[number]).await;
        let frame = beside(dialer, until(&mut host, frame_of)).await.1;
        assert_eq!(frame, [number].as_slice());
    }
    let [_, _, third] = &mut dialers;
    send_datagram(third, home, b"too many").await;
    let refused = soon(beside(&mut host, until(third, lost))).await;
    assert!(!refused.0.iter().any(|inbound| frame_of(inbound).is_some()));
    assert_eq!(host.links.len(), 2);
    let to = third.local_addr();
    send_datagram(&mut host, to, b"welcome").await;
    let frame = beside(&mut host, until(third, frame_of)).await.1;
    assert_eq!(frame, b"welcome".as_slice());
}
