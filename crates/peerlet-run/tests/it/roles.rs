//! Peerlets composed by role from a scenario: which sampler a gossip uses is a parameter.

use peerlet_core::{
    Address, Context, Description, Metric, Nothing, Peerlet, Picks, Rng, RoleContext, SECOND, Seat,
};
use peerlet_overlay::{Configured, Parameters, PeerSampler};
use peerlet_run::{Experiment, Results};

/// One of two samplers: the first samples the even seats, the second the odd ones.
#[derive(Clone, Default)]
struct View<const N: u64> {
    seats: Vec<Address>,
}

impl<const N: u64> Peerlet for View<N> {
    const NAME: &'static str = ["cyclon", "newscast"][N as usize];
    type Message = Nothing;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.plays::<dyn PeerSampler>(|me| me);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let seats = (0..ctx.seats().count()).filter(|seat| u64::from(*seat) % 2 == N);
        self.seats = seats.filter_map(|seat| ctx.seats().address(Seat(seat))).collect();
        self.seats.retain(|peer| *peer != ctx.address());
    }
}

impl<const N: u64> PeerSampler for View<N> {
    fn sample(&self, rng: &mut Rng, count: usize, into: &mut Vec<Address>) {
        into.extend(&self.seats);
        rng.shuffle(into);
        into.truncate(count);
    }

    fn known(&self) -> usize {
        self.seats.len()
    }

    fn suspect(&mut self, _: &mut RoleContext, _: Address) {}
}

#[derive(Clone, Default)]
struct Gossip {
    config: GossipConfig,
}

#[derive(Clone, Parameters)]
struct GossipConfig {
    /// The peer sampler; by default the nearest below.
    sampler: Option<String>,
}

const EVEN: Metric = Metric::counter("even").help("rumors that came to even seats");
const ODD: Metric = Metric::counter("odd").help("rumors that came to odd seats");

impl Peerlet for Gossip {
    const NAME: &'static str = "gossip";
    type Message = u8;
    type Timer = ();

    fn describe(about: &mut Description<Self>) {
        about.wants::<dyn PeerSampler>().measures(&EVEN).measures(&ODD);
    }
    fn picks(&self, picks: &mut Picks) {
        picks.role::<dyn PeerSampler>("sampler", self.config.sampler.as_deref());
    }
    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(SECOND, ());
    }
    fn timer(&mut self, ctx: &mut Context<Self>, (): ()) {
        let sampler = self.config.sampler.as_deref();
        let Some(near) = ctx.role::<dyn PeerSampler>(sampler) else { return };
        let mut to = Vec::new();
        near.sample(ctx.rng(), 2, &mut to);
        to.into_iter().for_each(|peer| ctx.send(peer, 1));
    }
    fn message(&mut self, ctx: &mut Context<Self>, _: Address, _: u8) {
        let metric = if ctx.seat().0.is_multiple_of(2) { EVEN } else { ODD };
        ctx.measure(metric, 1.0);
    }
}

impl Configured for Gossip {
    type Config = GossipConfig;

    fn with_config(config: GossipConfig) -> Gossip {
        Gossip { config }
    }
}

impl<const N: u64> Configured for View<N> {
    type Config = ViewConfig;

    fn with_config(_: ViewConfig) -> View<N> {
        View::default()
    }
}

#[derive(Parameters)]
struct ViewConfig {}

fn experiment() -> Experiment {
    Experiment::new("roles").peerlet::<View<0>>().peerlet::<View<1>>().peerlet::<Gossip>()
}

const SCENARIO: &str = r#"
peers = 40
for = "20s"
join = "0s"
[network]
model = "uniform"
min = "20ms"
max = "80ms"
[stack]
cyclon = {}
newscast = {}
gossip = {}
[[group]]
name = "others"
peers = "0-9"
stack = { gossip = { sampler = "cyclon" } }
"#;

fn run(scenario: &str, threads: u32) -> Results {
    experiment().sim(scenario).threads(threads).run().expect("these stacks can run")
}

fn sums(results: &Results) -> [f64; 2] {
    let rows = results.summary().rows;
    ["gossip/even", "gossip/odd"].map(|name| rows.get(name).map_or(0.0, |row| row.sum))
}

#[test]
fn groups_use_two_samplers_side_by_side() {
    let both = run(SCENARIO, 1);
    let [even, odd] = sums(&both);
    // Ten peers use the first sampler, thirty the second.
    assert!((360.0..=400.0).contains(&even), "{even}");
    assert!((1_100.0..=1_200.0).contains(&odd), "{odd}");
    for threads in 2..=4 {
        assert_eq!(run(SCENARIO, threads).digest, both.digest, "{threads} threads");
    }
    let all_even = run(&SCENARIO.replace("gossip = {}", "gossip = { sampler = \"cyclon\" }"), 1);
    assert_eq!(sums(&all_even)[1], 0.0);
}

/// The problems of this scenario, in words.
fn refusal(scenario: &str) -> String {
    let problems = experiment().sim(scenario).plan().expect_err("this stack cannot run");
    let lines: Vec<_> = problems.0.iter().map(|problem| problem.render(false)).collect();
    lines.join("\n")
}

#[test]
fn a_wrong_name_is_refused_where_it_is_written() {
    let said = refusal(&SCENARIO.replace("\"cyclon\"", "\"cyclone\""));
    let expected = ":16:32: the parameter `sampler` of `gossip` names `cyclone`, which is not on \
                    the stack; did you mean `cyclon`?";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_stack_without_a_player_is_refused_with_those_there_are() {
    let (stack, _) = SCENARIO.split_once("[[group]]").expect("there is a group");
    let said = refusal(&stack.replace("cyclon = {}\nnewscast = {}\n", ""));
    let expected = "`gossip` wants a sibling in the role `peer sampler`, and none on the stack \
                    plays it; put one below `gossip`";
    assert!(said.contains(expected), "{said}");
    let help = "help: the role `peer sampler` is played by `neighbors`, `cyclon`, `newscast`";
    assert!(said.contains(help), "{said}");
}
