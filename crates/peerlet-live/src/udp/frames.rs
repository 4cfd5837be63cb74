//! Frames in packets: each after its length (2 bytes, big-endian).

use std::iter;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use peerlet_core::Seed;

use super::PACKET_MAX;
use crate::counters::SocketDrop;
use crate::frame::{Frame, Kind};

/// Puts frames into packets with this much room, each with the number of frames in it.
pub(super) fn pack(frames: Vec<Bytes>, room: usize) -> Vec<(BytesMut, u64)> {
    let mut packets: Vec<(BytesMut, u64)> = Vec::new();
    for frame in frames {
        match packets.last_mut() {
            Some((packet, count)) if packet.len() + 2 + frame.len() <= room => {
                append(packet, &frame);
                *count += 1;
            }
            _ => {
                let mut packet = BytesMut::new();
                append(&mut packet, &frame);
                packets.push((packet, 1));
            }
        }
    }
    packets
}

pub(super) fn append(packet: &mut BytesMut, frame: &[u8]) {
    packet.extend_from_slice(&(frame.len() as u16).to_be_bytes());
    packet.extend_from_slice(frame);
}

/// Flips this many bits of the messages in a packet, as a model does to a message: bits of their
/// bodies only, so that sender and receiver stay known.
pub(crate) fn damage(packet: &mut [u8], bits: u32, seed: Seed) {
    let whole = Bytes::copy_from_slice(packet);
    let Ok(frames) = frames(&whole) else { return };
    let (mut bodies, mut end) = (Vec::new(), 0);
    for bytes in frames {
        end += 2 + bytes.len();
        if let Ok(Frame { kind: Kind::Datagram(message), .. }) = Frame::parse(&bytes) {
            bodies.push(end - message.body.len()..end);
        }
    }
    let mut body: Vec<u8> = bodies.iter().cloned().flat_map(|at| packet[at].to_vec()).collect();
    peerlet_network::damage(&mut body, bits, seed);
    let mut rest = body.as_slice();
    for at in bodies {
        let (own, others) = rest.split_at(at.len());
        packet[at].copy_from_slice(own);
        rest = others;
    }
}

/// The frames in a packet; all or none. Nothing is allocated for them: the packet is read once to
/// see that it is whole, and again as its frames are taken.
pub(super) fn frames(packet: &Bytes) -> Result<impl Iterator<Item = Bytes>, SocketDrop> {
    if packet.len() > PACKET_MAX {
        return Err(SocketDrop::TooLarge);
    }
    let mut whole = 0;
    while let Some(frame) = frame_at(packet, whole) {
        whole = frame.end;
    }
    if whole == 0 || whole < packet.len() {
        return Err(SocketDrop::Decode);
    }
    let mut at = 0;
    Ok(iter::from_fn(move || {
        let frame = frame_at(packet, at)?;
        at = frame.end;
        Some(packet.slice(frame))
    }))
}

/// The frame whose length stands here. An empty frame is none; allowing it would make 616 frames of
/// one packet.
fn frame_at(packet: &[u8], at: usize) -> Option<Range<usize>> {
    let (len, rest) = packet.get(at..)?.split_first_chunk()?;
    let len = usize::from(u16::from_be_bytes(*len));
    (1..=rest.len()).contains(&len).then(|| at + 2..at + 2 + len)
}

#[cfg(test)]
mod tests {
    use peerlet_core::runtime::Call;

    use super::*;
    use crate::frame::{Message, Tag};

    #[test]
    fn damage_hits_bodies_only() {
        let message = |body: &'static [u8]| {
            let kind = Kind::Datagram(Message { port: 1, call: Call::None, body });
            Frame { tag: Tag(7), from: 2, to: 3, life: 1, kind }.to_vec()
        };
        let mut packet = Vec::new();
        for frame in [message(b"one"), message(b"another")] {
            packet.extend_from_slice(&(frame.len() as u16).to_be_bytes());
            packet.extend(frame);
        }
        let whole = packet.clone();
        for seed in 0..200 {
            let mut damaged = whole.clone();
            damage(&mut damaged, 3, Seed::new(seed));
            let flipped: u32 = damaged.iter().zip(&whole).map(|(a, b)| (a ^ b).count_ones()).sum();
            assert!(flipped == 3 || flipped == 1, "a bit hit twice is as it was: {flipped}");
            for (at, (a, b)) in damaged.iter().zip(&whole).enumerate() {
                let is_body = (26..29).contains(&at) || at >= whole.len() - 7;
                assert!(a == b || is_body, "byte {at}");
            }
        }
        let mut noise = vec![9; 30];
        damage(&mut noise, 3, Seed::new(1));
        assert_eq!(noise, vec![9; 30], "what is no packet has no bodies");
    }

    #[test]
    fn packets_are_taken_whole_or_not_at_all() {
        let check = |packet: &'static [u8]| frames(&Bytes::from_static(packet)).map(Vec::from_iter);
        assert_eq!(check(b"\0\x01a\0\x02bc"), Ok(vec!["a".into(), "bc".into()]));
        for bad in
            [&b""[..], b"\0", b"\0\0", b"\0\x01a\0\0", b"\0\x02a", b"\0\x01a\0", b"\xff\xffa"]
        {
            assert_eq!(check(bad), Err(SocketDrop::Decode), "{bad:?}");
        }
        assert_eq!(check(&[1; PACKET_MAX + 1]), Err(SocketDrop::TooLarge));
    }

    #[test]
    fn frames_are_packed_into_as_few_packets_as_their_order_allows() {
        let frame = |len: usize| Bytes::from(vec![7; len]);
        let packets = pack([10, 20, 70, 1, 98, 98].map(frame).to_vec(), 100);
        let lens = Vec::from_iter(packets.iter().map(|(packet, count)| (packet.len(), *count)));
        assert_eq!(lens, [(34, 2), (75, 2), (100, 1), (100, 1)]);
        assert_eq!(pack(Vec::new(), 100), []);
    }
}
