//! Messages that cannot be decoded: the processes of a run have different programs, and nobody
//! counted up a version. MonitorReport once for each peerlet of a process.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use peerlet_core::runtime::{Port, Registry};
use peerlet_core::wire::DecodeError;
use peerlet_core::{Address, Seat};

use crate::notice::Notice;

/// The peerlets that it was told of; all shards of a process share it.
#[derive(Clone)]
pub(crate) struct Undecoded {
    told: Arc<Mutex<BTreeSet<u16>>>,
    notice: Notice,
}

impl Undecoded {
    pub(crate) fn new(notice: Notice) -> Undecoded {
        Undecoded { told: Arc::default(), notice }
    }

    /// A message for this peerlet of a seat came from there and is none.
    pub(super) fn tell(
        &self,
        registry: &Registry,
        port: Port,
        (seat, from): (Seat, Address),
        error: DecodeError,
    ) {
        let entry = registry.entries().get(usize::from(port.0));
        let (Some(entry), true) = (entry, error != DecodeError::NoPeerlet) else { return };
        let is_news = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(port.0);
        if is_news {
            let name = entry.name();
            (self.notice)(&format!(
                "warning: peer {seat} cannot decode a message for `{name}` from peer {} at {}: \
                 {error}; if the processes have different releases of the program, count up \
                 `VERSION` of `{name}` where its messages change (told once for each peerlet)",
                from.slot(),
                from.socket()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use peerlet_core::{Nothing, Peer, Peerlet};

    use super::*;

    struct Quiet;

    impl Peerlet for Quiet {
        const NAME: &'static str = "quiet";
        type Message = Nothing;
        type Timer = ();
    }

    #[test]
    fn it_is_told_once_for_each_peerlet_with_both_peers() {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = told.clone();
        let undecoded = Undecoded::new(Arc::new(move |line: &str| {
            lines.lock().unwrap().push(line.to_owned());
        }));
        let registry = Registry::of([Peer::new().with(Quiet)]).unwrap();
        let from = Address::new("192.0.2.1:7000".parse().unwrap(), 5);
        let tell = |port, error| undecoded.tell(&registry, Port(port), (Seat(3), from), error);
        tell(0, DecodeError::NoPeerlet);
        assert!(told.lock().unwrap().is_empty(), "another stack is no other version");
        tell(0, DecodeError::Malformed);
        tell(0, DecodeError::Trailing);
        tell(9, DecodeError::Malformed);
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(
                "warning: peer 3 cannot decode a message for `quiet` from peer 5 at 192.0.2.1:7000"
            ),
            "{told:?}"
        );
    }
}
