//! Connected components, and what is left of the largest one when nodes are removed.

use crate::graph::adjacency::Graph;

/// The connected components of a graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Components {
    sizes: Vec<usize>,
}

impl Components {
    /// How many there are; a node without links is one.
    pub fn count(&self) -> usize {
        self.sizes.len()
    }

    /// The number of nodes of the largest one; 0 where there are no nodes.
    pub fn largest(&self) -> usize {
        self.sizes.first().copied().unwrap_or(0)
    }

    /// The number of nodes of each, the largest first.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }
}

/// Disjoint sets of nodes, each known by one of them.
struct Sets {
    parents: Vec<u32>,
    sizes: Vec<usize>,
}

impl Sets {
    fn new(nodes: usize) -> Sets {
        Sets { parents: (0..nodes as u32).collect(), sizes: vec![1; nodes] }
    }

    fn root(&mut self, node: u32) -> u32 {
        let mut node = node;
        while self.parents[node as usize] != node {
            let above = self.parents[self.parents[node as usize] as usize];
            self.parents[node as usize] = above;
            node = above;
        }
        node
    }

    /// Joins the sets of two nodes; the size of the set that they are in.
    fn join(&mut self, one: u32, two: u32) -> usize {
        let (one, two) = (self.root(one), self.root(two));
        let is_larger = self.sizes[one as usize] >= self.sizes[two as usize];
        let (large, small) = if is_larger { (one, two) } else { (two, one) };
        if large != small {
            self.parents[small as usize] = large;
            self.sizes[large as usize] += self.sizes[small as usize];
        }
        self.sizes[large as usize]
    }
}

impl Graph {
    /// Its connected components.
    pub fn components(&self) -> Components {
        let mut sets = Sets::new(self.nodes());
        for node in 0..self.nodes() {
            for other in self.neighbors(node).iter().filter(|other| **other > node as u32) {
                sets.join(node as u32, *other);
            }
        }
        let is_root = |node: &usize| sets.parents[*node] == *node as u32;
        let mut sizes: Vec<usize> =
            (0..self.nodes()).filter(is_root).map(|node| sets.sizes[node]).collect();
        sizes.sort_unstable_by(|one, two| two.cmp(one));
        Components { sizes }
    }

    /// The size of the largest component after the first of these nodes are removed: of none, of
    /// one, and so on up to all of them.
    ///
    /// ```
    /// use peerlet_measure::Graph;
    /// let line = Graph::new(5, [(0, 1), (1, 2), (2, 3), (3, 4)]);
    /// assert_eq!(line.largest_without(&[2, 0, 4]), [5, 2, 2, 1]);
    /// ```
    ///
    /// # Panics
    /// Panics when a node is named twice, or is none of the graph's.
    pub fn largest_without(&self, removed: &[u32]) -> Vec<usize> {
        // Backwards: nodes are added again, and components only grow.
        let mut is_there = vec![true; self.nodes()];
        for node in removed {
            assert!(is_there[*node as usize], "a node is removed once");
            is_there[*node as usize] = false;
        }
        let mut sets = Sets::new(self.nodes());
        let mut largest = 0;
        let kept: Vec<u32> =
            (0..self.nodes() as u32).filter(|node| is_there[*node as usize]).collect();
        is_there.fill(false);
        let mut add = |node: u32, largest: &mut usize| {
            is_there[node as usize] = true;
            *largest = (*largest).max(1);
            for other in self.neighbors(node as usize).iter().filter(|at| is_there[**at as usize]) {
                *largest = (*largest).max(sets.join(node, *other));
            }
        };
        kept.into_iter().for_each(|node| add(node, &mut largest));
        let mut sizes = vec![largest];
        for node in removed.iter().rev() {
            add(*node, &mut largest);
            sizes.push(largest);
        }
        sizes.reverse();
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_of_small_graphs() {
        let check = |nodes: u32, links: &[(u32, u32)], sizes: &[usize]| {
            assert_eq!(Graph::new(nodes, links.iter().copied()).components().sizes(), sizes);
        };
        check(0, &[], &[]);
        check(1, &[(0, 0)], &[1]);
        check(4, &[(3, 1), (1, 3)], &[2, 1, 1]);
        check(6, &[(5, 4), (4, 3), (0, 1), (1, 2), (2, 0), (0, 3)], &[6]);
    }

    /// The largest component by flooding, for comparison.
    fn largest_by_flooding(graph: &Graph, gone: &[u32]) -> usize {
        let mut seen = vec![false; graph.nodes()];
        gone.iter().for_each(|node| seen[*node as usize] = true);
        let mut largest = 0;
        for start in 0..graph.nodes() {
            let mut open = vec![start];
            let mut size = 0;
            while let Some(node) = open.pop() {
                if !std::mem::replace(&mut seen[node], true) {
                    size += 1;
                    open.extend(graph.neighbors(node).iter().map(|other| *other as usize));
                }
            }
            largest = largest.max(size);
        }
        largest
    }

    #[test]
    fn removals_are_as_counted_one_by_one() {
        for seed in 0..50_u64 {
            let mut state = seed;
            let mut draw = |below: u64| {
                state = peerlet_core::runtime::mix(state.wrapping_add(1));
                (state % below) as u32
            };
            let links: Vec<_> = (0..60).map(|_| (draw(40), draw(40))).collect();
            let graph = Graph::new(40, links);
            let mut order: Vec<u32> = (0..40).collect();
            (1..40).rev().for_each(|i| order.swap(i, draw(i as u64 + 1) as usize));
            let sizes = graph.largest_without(&order);
            assert_eq!(sizes[0], graph.components().largest(), "seed {seed}");
            for (removed, size) in sizes.iter().enumerate() {
                assert_eq!(*size, largest_by_flooding(&graph, &order[..removed]), "seed {seed}");
            }
        }
    }
}
