//! Drops at the sockets, in words.

use peerlet_live::{Cause, Counters};

use crate::digits::grouped;

/// A line for each cause that dropped something. They count frames; where a packet could not be
/// taken apart, it counts as one.
pub fn lines(counters: &Counters) -> String {
    let met = counters.iter().filter(|(_, count)| *count > 0);
    let line = |(cause, count): (Cause, u64)| {
        let s = if count == 1 { "" } else { "s" };
        let (count, name) = (grouped(count), cause.name());
        format!("dropped at the sockets: {count} frame{s}, {} (`{name}`)\n", meaning(cause))
    };
    met.map(line).collect()
}

/// Why frames are dropped for this cause.
fn meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::Decode => "which could not be decoded",
        Cause::Version => "of another protocol version",
        Cause::Experiment => "of another experiment",
        Cause::TooLarge => "larger than allowed",
        Cause::Queue => "because a queue was full",
        Cause::Link => "because there was no connection or it broke",
        Cause::Handshake => {
            "because a handshake failed or was cut short, or too many connections were open"
        }
        Cause::Forged => "with the wrong secret, or for a seat of another process",
        Cause::Stopped => "for a peer that did not run",
        Cause::OldLife => "for another life of the peer, or an unknown connection",
        Cause::Duplicate => "which had arrived before",
        Cause::Unsupported => "which the transport cannot carry",
        Cause::Unfinished => "which did not arrive completely in time",
        Cause::Stranger => "from a process that does not take part",
        Cause::Identity => "because another process was found at the address",
        Cause::Admission => "because one side did not let the other in",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_have_a_unit_and_a_meaning() {
        let mut counters = Counters::default();
        assert_eq!(lines(&counters), "");
        counters.add(Cause::Link, 2_943);
        counters.add(Cause::Duplicate, 1);
        assert_eq!(
            lines(&counters),
            "dropped at the sockets: 2,943 frames, because there was no connection or it broke \
             (`link`)\ndropped at the sockets: 1 frame, which had arrived before (`duplicate`)\n"
        );
    }
}
