//! The account of packets: how many were carried, and why others were dropped.

use peerlet_measure::DropCause;
use peerlet_network::PacketDrop;

/// The account of all packets that peers' sockets were given.
///
/// `sent + duplicated = carried + dropped + waiting`, always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Packets {
    /// Packets that sockets were given to send.
    pub sent: u64,
    /// Copies that the network made.
    pub duplicated: u64,
    /// Packets of which the network flipped some bits; carried all the same.
    pub damaged: u64,
    /// Packets that were handed to the operating system when they were due.
    pub carried: u64,
    /// Packets that were still on their way at the end.
    pub waiting: u64,
    dropped: [u64; PacketDrop::ALL.len()],
}

impl Packets {
    /// How many the network dropped for this cause.
    pub fn dropped(&self, cause: PacketDrop) -> u64 {
        self.dropped[cause as usize]
    }

    /// How many it dropped in all.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Whether every packet is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.sent + self.duplicated == self.carried + self.dropped_total() + self.waiting
    }

    pub(crate) fn drop_for(&mut self, cause: PacketDrop) {
        self.dropped[cause as usize] += 1;
    }

    /// Splits a number of datagrams among the causes, as the sealed packets that each of them took;
    /// `None` when they took none. A sealed packet that was damaged is taken for none (`decode`).
    pub(crate) fn split(
        &self,
        count: u64,
    ) -> Option<[(DropCause, u64); PacketDrop::ALL.len() + 1]> {
        let [loss, queue, partition, nat] =
            PacketDrop::ALL.map(|cause| (cause.into(), self.dropped(cause)));
        let parts = [loss, queue, partition, nat, (DropCause::Decode, self.damaged)];
        let all: u64 = parts.iter().map(|(_, packets)| packets).sum();
        if all == 0 {
            return None;
        }
        // What is left at each cause is split among those that come after it: nothing is lost.
        let (mut left, mut rest) = (count, all);
        Some(parts.map(|(cause, packets)| {
            let share = u128::from(left) * u128::from(packets) + u128::from(rest / 2);
            let part = share.checked_div(rest.into()).unwrap_or(0) as u64;
            (left, rest) = (left - part, rest - packets);
            (cause, part)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_adds_up() {
        let mut packets = Packets::default();
        assert_eq!(packets.split(5), None);
        (0..3).for_each(|_| packets.drop_for(PacketDrop::Loss));
        packets.drop_for(PacketDrop::Partition);
        let parts = |count| packets.split(count).unwrap().map(|(_, part)| part);
        assert_eq!(parts(8), [6, 0, 2, 0, 0]);
        assert_eq!(parts(0), [0; 5]);
        packets.damaged = 4;
        let parts = |count| packets.split(count).unwrap().map(|(_, part)| part);
        assert_eq!(parts(8), [3, 0, 1, 0, 4]);
        for count in 1..100 {
            assert_eq!(parts(count).iter().sum::<u64>(), count);
        }
    }
}
