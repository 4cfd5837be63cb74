//! The quantities of a graph, as metrics.

use peerlet_core::{Metric, Rng};
use peerlet_measure::{Graph, MetricEntry};

use crate::observers::observation::Observation;

const NODES: Metric = Metric::histogram("links.nodes").quantum(1.0);
const COUNT: Metric = Metric::histogram("links.count").quantum(1.0);
const DANGLING: Metric = Metric::histogram("links.dangling").quantum(1.0);
const COMPONENTS: Metric = Metric::histogram("links.components").quantum(1.0);
const LARGEST: Metric = Metric::histogram("links.largest");
const OUT_DEGREE: Metric = Metric::histogram("links.out_degree").quantum(1.0);
const IN_DEGREE: Metric = Metric::histogram("links.in_degree").quantum(1.0);
const CLUSTERING: Metric = Metric::histogram("links.clustering");
const HOPS: Metric = Metric::histogram("links.hops").quantum(1.0);
const UNREACHABLE: Metric = Metric::histogram("links.unreachable");
const ROBUSTNESS: Metric = Metric::histogram("links.robustness");

/// The shares of nodes that are removed to see what is left, in percent.
const REMOVED: [usize; 5] = [10, 30, 50, 70, 90];

/// The ways in which nodes are chosen for removal.
const ORDERS: [&str; 2] = ["random", "degree"];

/// The metrics of an observer, in the order in which [`measure`] gives their values.
pub(super) fn metrics(peerlet: &str, measures: &[&str]) -> Vec<MetricEntry> {
    let mut entries = Vec::new();
    let mut add = |name: String, metric: Metric| {
        entries.push(MetricEntry::observed(format!("{peerlet}/{name}"), metric));
    };
    for measure in measures {
        match *measure {
            "robustness" => {
                for order in ORDERS {
                    for removed in REMOVED {
                        let name = ROBUSTNESS.name();
                        let tags = format!("{{removed={removed}%,by={order}}}");
                        add(format!("{name}{tags}"), ROBUSTNESS);
                    }
                }
            }
            measure => of(measure).iter().for_each(|metric| add(metric.name().to_owned(), *metric)),
        }
    }
    entries
}

/// The metrics of a quantity.
fn of(measure: &str) -> &'static [Metric] {
    match measure {
        "nodes" => &[NODES],
        "count" => &[COUNT],
        "dangling" => &[DANGLING],
        "components" => &[COMPONENTS],
        "largest" => &[LARGEST],
        "degree" => &[OUT_DEGREE, IN_DEGREE],
        "clustering" => &[CLUSTERING],
        "hops" => &[HOPS],
        "unreachable" => &[UNREACHABLE],
        _ => &[],
    }
}

/// Takes the values of an observation, each with the index of its metric and how often it occurs.
pub(super) fn measure(
    observation: &Observation,
    (measures, samples): (&[&str], u32),
    rng: &mut Rng,
    take: &mut dyn FnMut(usize, Metric, f64, u64),
) {
    let graph = observation.graph();
    let sampled = sample(graph.nodes(), samples as usize, rng);
    let needs_paths = |measure: &&&str| matches!(**measure, "hops" | "unreachable");
    let paths: Vec<_> = match measures.iter().any(|measure| needs_paths(&measure)) {
        true => sampled.iter().map(|node| graph.distances(*node)).collect(),
        false => Vec::new(),
    };
    let mut index = 0;
    for measure in measures {
        let mut one = |offset: usize, metric: Metric, value: f64, n: u64| {
            take(index + offset, metric, value, n);
        };
        match *measure {
            "nodes" => one(0, NODES, graph.nodes() as f64, 1),
            "count" => one(0, COUNT, graph.links() as f64, 1),
            "dangling" => one(0, DANGLING, observation.dangling as f64, 1),
            "components" => one(0, COMPONENTS, graph.components().count() as f64, 1),
            "largest" if graph.nodes() > 0 => {
                let share = graph.components().largest() as f64 / graph.nodes() as f64;
                one(0, LARGEST, share, 1);
            }
            "degree" => (0..graph.nodes()).for_each(|node| {
                one(0, OUT_DEGREE, graph.out_degree(node).into(), 1);
                one(1, IN_DEGREE, graph.in_degree(node).into(), 1);
            }),
            "clustering" => sampled
                .iter()
                .filter_map(|node| graph.clustering(*node))
                .for_each(|share| one(0, CLUSTERING, share, 1)),
            "hops" => paths.iter().for_each(|distances| {
                for (hops, count) in (1_u32..).zip(&distances.by_hops) {
                    one(0, HOPS, hops.into(), *count);
                }
            }),
            "unreachable" if graph.nodes() > 1 => paths.iter().for_each(|distances| {
                let share = distances.unreachable as f64 / (graph.nodes() - 1) as f64;
                one(0, UNREACHABLE, share, 1);
            }),
            "robustness" => robustness(&graph, rng, &mut one),
            _ => {}
        }
        index += of(measure).len();
        index += if *measure == "robustness" { ORDERS.len() * REMOVED.len() } else { 0 };
    }
}

/// The share of the remaining nodes that is in the largest component when some are removed: at
/// random, or those with most neighbors first.
fn robustness(graph: &Graph, rng: &mut Rng, one: &mut dyn FnMut(usize, Metric, f64, u64)) {
    let nodes = graph.nodes();
    let mut order: Vec<u32> = (0..nodes as u32).collect();
    rng.shuffle(&mut order);
    let by_chance = graph.largest_without(&order);
    // Those of one degree stay in random order.
    order.sort_by_key(|node| std::cmp::Reverse(graph.neighbors(*node as usize).len()));
    let by_degree = graph.largest_without(&order);
    for (i, sizes) in [by_chance, by_degree].iter().enumerate() {
        for (j, percent) in REMOVED.iter().enumerate() {
            let removed = nodes * percent / 100;
            if removed < nodes {
                let share = sizes[removed] as f64 / (nodes - removed) as f64;
                one(i * REMOVED.len() + j, ROBUSTNESS, share, 1);
            }
        }
    }
}

/// Some nodes at random, each once; all where there are no more.
fn sample(nodes: usize, count: usize, rng: &mut Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..nodes).collect();
    if count < nodes {
        rng.shuffle(&mut all);
        all.truncate(count);
    }
    all
}
