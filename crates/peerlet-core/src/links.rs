//! The links of a peer: the overlay as its peerlets see it, for graphs and pictures.

use std::fmt;
use std::sync::Arc;

use crate::address::Address;
use crate::peerlet::Peerlet;
use crate::property::PeerView;

/// The most kinds of links that are told apart in one list; further ones count as the last.
pub const KINDS_MAX: usize = 16;

/// The links of one peerlet, as it tells them to an observer.
///
/// ```
/// use peerlet_core::{Address, Description, Links, Nothing, Peerlet};
///
/// /// Keeps a successor on a ring, and shortcuts.
/// struct Ring { position: f64, successor: Option<Address>, fingers: Vec<Address> }
///
/// impl Peerlet for Ring {
///     const NAME: &'static str = "ring";
///     type Message = Nothing;
///     type Timer = Nothing;
///
///     fn describe(about: &mut Description<Self>) {
///         about.links(|ring, links| {
///             links.at(ring.position);
///             links.add("successor", ring.successor);
///             links.add("finger", ring.fingers.iter().copied());
///         });
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Links {
    kinds: Vec<&'static str>,
    all: Vec<(u8, Address)>,
    position: Option<f64>,
}

impl Links {
    /// An empty list.
    pub fn new() -> Links {
        Links::default()
    }

    /// Adds links of a kind to these peers.
    pub fn add(&mut self, kind: &'static str, peers: impl IntoIterator<Item = Address>) {
        let known = self.kinds.iter().position(|known| *known == kind);
        let index = known.unwrap_or_else(|| {
            if self.kinds.len() < KINDS_MAX {
                self.kinds.push(kind);
            }
            self.kinds.len() - 1
        });
        self.all.extend(peers.into_iter().map(|peer| (index as u8, peer)));
    }

    /// Sets the peer's position on a ring, from 0 to 1; others wrap around. A picture places it
    /// there.
    pub fn at(&mut self, position: f64) {
        self.position = position.is_finite().then(|| position.rem_euclid(1.0));
    }

    /// The links so far: the index of their kind, and the peer.
    pub fn all(&self) -> &[(u8, Address)] {
        &self.all
    }

    /// The names of the kinds, in the order in which they were first named.
    pub fn kinds(&self) -> &[&'static str] {
        &self.kinds
    }

    /// The position on a ring, from 0 to 1, where one was set.
    pub fn position(&self) -> Option<f64> {
        self.position
    }

    /// Forgets the links and the position of one peer, and keeps the kinds for the next one.
    pub fn clear(&mut self) {
        self.all.clear();
        self.position = None;
    }
}

type Tell = dyn Fn(&PeerView<'_>, &mut Links) -> bool + Send + Sync;

/// How the links of a peerlet type are read. For runtimes.
#[derive(Clone)]
pub struct LinkSource(Arc<Tell>);

impl LinkSource {
    pub(crate) fn of<P: Peerlet>(tell: fn(&P, &mut Links)) -> LinkSource {
        LinkSource(Arc::new(move |peer, links| match peer.peerlet::<P>() {
            Some(peerlet) => {
                tell(&peerlet, links);
                true
            }
            None => false,
        }))
    }

    /// Adds the links of this peer; false where it has no such peerlet.
    pub fn read(&self, peer: &PeerView<'_>, links: &mut Links) -> bool {
        (self.0)(peer, links)
    }
}

impl fmt::Debug for LinkSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkSource").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Seat;

    #[test]
    fn kinds_stay_when_the_links_of_a_peer_go() {
        let mut links = Links::new();
        let peers = [0, 1].map(|seat| Address::simulated(Seat(seat)));
        links.add("near", peers);
        links.add("far", Some(peers[0]));
        links.at(-0.25);
        assert_eq!(links.position(), Some(0.75));
        links.clear();
        links.add("far", Some(peers[1]));
        assert_eq!((links.kinds(), links.all()), (&["near", "far"][..], &[(1, peers[1])][..]));
        assert_eq!(links.position(), None);
        links.at(f64::NAN);
        assert_eq!(links.position(), None);
    }

    #[test]
    fn kinds_beyond_the_most_count_as_the_last() {
        let mut links = Links::new();
        let peer = Address::simulated(Seat(0));
        let names: [&'static str; 18] = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q",
            "r",
        ];
        names.iter().for_each(|name| links.add(name, Some(peer)));
        assert_eq!(links.kinds().len(), KINDS_MAX);
        assert_eq!(links.all().last(), Some(&(15, peer)));
    }
}
