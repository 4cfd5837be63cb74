//! Lengths of shortest paths, from some nodes to all others.

use std::collections::VecDeque;

use crate::graph::adjacency::Graph;

/// The lengths of the shortest paths from one node to all others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Distances {
    /// How many nodes are this many hops away, from one hop on.
    pub by_hops: Vec<u64>,
    /// How many nodes cannot be reached.
    pub unreachable: u64,
}

impl Graph {
    /// How far all other nodes are from this one, in hops along links of either direction.
    ///
    /// ```
    /// use peerlet_measure::Graph;
    /// let graph = Graph::new(5, [(0, 1), (1, 2), (0, 3)]);
    /// let distances = graph.distances(0);
    /// assert_eq!((distances.by_hops, distances.unreachable), (vec![2, 1], 1));
    /// ```
    ///
    /// # Panics
    /// Panics when there is no such node.
    pub fn distances(&self, from: usize) -> Distances {
        let mut hops = vec![u32::MAX; self.nodes()];
        hops[from] = 0;
        let mut open = VecDeque::from([from]);
        let (mut by_hops, mut reached) = (Vec::new(), 1);
        while let Some(node) = open.pop_front() {
            let index = hops[node] as usize;
            for other in self.neighbors(node) {
                let there = &mut hops[*other as usize];
                if *there != u32::MAX {
                    continue;
                }
                *there = index as u32 + 1;
                if by_hops.len() <= index {
                    by_hops.push(0);
                }
                by_hops[index] += 1;
                reached += 1;
                open.push_back(*other as usize);
            }
        }
        Distances { by_hops, unreachable: self.nodes() as u64 - reached }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_on_a_ring_and_alone() {
        let ring = Graph::new(7, (0..7).map(|i| (i, (i + 1) % 7)));
        for node in 0..7 {
            let distances = ring.distances(node);
            assert_eq!((distances.by_hops, distances.unreachable), (vec![2, 2, 2], 0));
        }
        let alone = Graph::new(2, []).distances(1);
        assert_eq!((alone.by_hops, alone.unreachable), (vec![], 1));
    }
}
