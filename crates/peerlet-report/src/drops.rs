//! Drops at the sockets, in words.

use peerlet_live::{Counters, SocketDrop};

use crate::digits::grouped;

/// A line for each cause that dropped something. They count frames; where a packet could not be
/// taken apart, it counts as one.
pub fn lines(counters: &Counters) -> String {
    let met = counters.iter().filter(|(_, count)| *count > 0);
    let line = |(cause, count): (SocketDrop, u64)| {
        let s = if count == 1 { "" } else { "s" };
        let (count, name) = (grouped(count), cause.name());
        format!("dropped at the sockets: {count} frame{s}, {} (`{name}`)\n", meaning(cause))
    };
    met.map(line).collect()
}

/// Why frames are dropped for this cause.
fn meaning(cause: SocketDrop) -> &'static str {
    match cause {
        SocketDrop::Decode => "which could not be decoded",
        SocketDrop::Version => "of another protocol version",
        SocketDrop::Experiment => "of another experiment",
        SocketDrop::TooLarge => "larger than allowed",
        SocketDrop::Queue => "because a queue was full",
        SocketDrop::Link => "because there was no connection or it broke",
        SocketDrop::Handshake => {
            "because a handshake failed or was cut short, or too many connections were open"
        }
        SocketDrop::Forged => "with the wrong secret, or for a seat of another process",
        SocketDrop::Stopped => "for a peer that did not run",
        SocketDrop::OldLife => "for another life of the peer, or an unknown connection",
        SocketDrop::Duplicate => "which had arrived before",
        SocketDrop::Unsupported => "which the transport cannot carry",
        SocketDrop::Unfinished => "which did not arrive completely in time",
        SocketDrop::Stranger => "from a process that does not take part",
        SocketDrop::Identity => "because another process was found at the address",
        SocketDrop::Admission => "because one side did not let the other in",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_have_a_unit_and_a_meaning() {
        let mut counters = Counters::default();
        assert_eq!(lines(&counters), "");
        counters.add(SocketDrop::Link, 2_943);
        counters.add(SocketDrop::Duplicate, 1);
        assert_eq!(
            lines(&counters),
            "dropped at the sockets: 2,943 frames, because there was no connection or it broke \
             (`link`)\ndropped at the sockets: 1 frame, which had arrived before (`duplicate`)\n"
        );
    }
}
