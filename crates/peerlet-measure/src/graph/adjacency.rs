//! The adjacency lists of a graph, with its degrees and clustering.

/// A graph of directed links, without links of a node to itself and without repetitions.
///
/// A triangle with a tail:
/// ```
/// use peerlet_measure::Graph;
/// let graph = Graph::new(5, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 3), (0, 1)]);
/// assert_eq!((graph.nodes(), graph.links()), (5, 4));
/// assert_eq!((graph.out_degree(2), graph.in_degree(2)), (2, 1));
/// assert_eq!(graph.neighbors(2), [0, 1, 3]);
/// assert_eq!(graph.clustering(2), Some(1.0 / 3.0), "one of three pairs is linked");
/// let components = graph.components();
/// assert_eq!((components.count(), components.largest()), (2, 4));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Graph {
    out_degrees: Vec<u32>,
    in_degrees: Vec<u32>,
    links: usize,
    /// Where the neighbors of each node begin, and where those of the last one end.
    starts: Vec<usize>,
    neighbors: Vec<u32>,
}

impl Graph {
    /// The graph of this many nodes with these links.
    ///
    /// # Panics
    /// Panics when a link names a node that there is not.
    pub fn new(nodes: u32, links: impl IntoIterator<Item = (u32, u32)>) -> Graph {
        let mut links: Vec<(u32, u32)> = links.into_iter().filter(|(a, b)| a != b).collect();
        let is_node = |node: u32| node < nodes;
        assert!(links.iter().all(|(a, b)| is_node(*a) && is_node(*b)), "links are between nodes");
        links.sort_unstable();
        links.dedup();
        let (mut out_degrees, mut in_degrees) = (vec![0; nodes as usize], vec![0; nodes as usize]);
        for (from, to) in &links {
            out_degrees[*from as usize] += 1;
            in_degrees[*to as usize] += 1;
        }
        let count = links.len();
        let backwards: Vec<(u32, u32)> = links.iter().map(|(from, to)| (*to, *from)).collect();
        links.extend(backwards);
        links.sort_unstable();
        links.dedup();
        let mut starts = vec![0; nodes as usize + 1];
        links.iter().for_each(|(from, _)| starts[*from as usize + 1] += 1);
        for node in 0..nodes as usize {
            starts[node + 1] += starts[node];
        }
        let neighbors = links.into_iter().map(|(_, to)| to).collect();
        Graph { out_degrees, in_degrees, links: count, starts, neighbors }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.out_degrees.len()
    }

    /// How many directed links there are.
    pub fn links(&self) -> usize {
        self.links
    }

    /// How many links go out from a node.
    pub fn out_degree(&self, node: usize) -> u32 {
        self.out_degrees[node]
    }

    /// How many links come in at a node.
    pub fn in_degree(&self, node: usize) -> u32 {
        self.in_degrees[node]
    }

    /// The nodes that a node has links to or from, ascending.
    pub fn neighbors(&self, node: usize) -> &[u32] {
        &self.neighbors[self.starts[node]..self.starts[node + 1]]
    }

    /// The share of the pairs of a node's neighbors that are linked (Watts and Strogatz: Nature
    /// 393, 1998); `None` where it has fewer than two.
    pub fn clustering(&self, node: usize) -> Option<f64> {
        let mine = self.neighbors(node);
        let pairs = mine.len() * mine.len().checked_sub(1)? / 2;
        let linked: usize = mine
            .iter()
            .map(|one| {
                let theirs = self.neighbors(*one as usize);
                mine.iter().filter(|two| *two > one && theirs.binary_search(two).is_ok()).count()
            })
            .sum();
        (pairs > 0).then(|| linked as f64 / pairs as f64)
    }
}
