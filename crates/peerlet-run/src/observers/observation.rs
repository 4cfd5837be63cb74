//! The links between the peers of a network at an instant.

use peerlet_core::property::WorldView;
use peerlet_core::runtime::LinkSource;
use peerlet_core::{Links, Seat, Time};
use peerlet_measure::Graph;

/// The links of one peerlet type at an instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Observation {
    /// The name of the peerlet.
    pub peerlet: &'static str,
    /// The instant: all events before it have been handled.
    pub time: Time,
    /// The seats whose peers run and have such a peerlet, ascending.
    pub nodes: Vec<Seat>,
    /// The positions on a ring of those that have one, from 0 to 1.
    pub positions: Vec<(Seat, f64)>,
    /// The kinds of links, by their index.
    pub kinds: Vec<&'static str>,
    /// The links between nodes, ascending, without repetitions.
    pub links: Vec<ObservedLink>,
    /// How many links lead to peers that are no nodes.
    pub dangling: u64,
}

/// Takes the links of peers as observers see them, in order of time.
pub type LinkSink = Box<dyn FnMut(&Observation)>;

/// A link: from whom, to whom, and the index of its kind.
pub type ObservedLink = (Seat, Seat, u8);

impl Observation {
    /// Looks at all running peers. Kinds keep the indices that they have in `links`.
    pub(crate) fn of(
        (peerlet, source): (&'static str, &LinkSource),
        world: &WorldView<'_>,
        links: &mut Links,
    ) -> Observation {
        let (mut nodes, mut positions, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for peer in world.peers() {
            links.clear();
            if !source.read(&peer, links) {
                continue;
            }
            let seat = peer.seat();
            nodes.push(seat);
            positions.extend(links.position().map(|position| (seat, position)));
            all.extend(links.all().iter().map(|(kind, to)| (seat, world.seat_of(*to), *kind)));
        }
        let total = all.len();
        let is_node = |seat: &Seat| nodes.binary_search(seat).is_ok();
        let mut between: Vec<ObservedLink> = all
            .into_iter()
            .filter_map(|(from, to, kind)| Some((from, to.filter(is_node)?, kind)))
            .collect();
        let dangling = (total - between.len()) as u64;
        between.sort_unstable();
        between.dedup();
        Observation {
            peerlet,
            time: world.now(),
            nodes,
            positions,
            kinds: links.kinds().to_vec(),
            links: between,
            dangling,
        }
    }

    /// The links as a graph, in which a node is the place of its seat among the nodes.
    pub fn graph(&self) -> Graph {
        let place = |seat: &Seat| self.nodes.binary_search(seat).ok().map(|place| place as u32);
        let links = self.links.iter().filter_map(|(from, to, _)| Some((place(from)?, place(to)?)));
        Graph::new(self.nodes.len() as u32, links)
    }
}
