//! A scenario, resolved and checked: everything a world needs to run it.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "live")]
use peerlet_core::Time;
use peerlet_core::runtime::{Act, Directive, Port, Registry, StackError};
use peerlet_core::{Codec, Command, Duration, Need, Peer, Seat, Seed, Value};
use peerlet_measure::{Details, MetricEntry};
use peerlet_network::{Constant, Fault, Faults, Layers, Model, PairDelays};
use peerlet_overlay::LayoutConfig;
use peerlet_scenario::{
    Action, Override, Problem, Problems, Scenario, ScenarioEvent, Source, StackEntry, Step,
    Timeline, normalize,
};

use crate::catalog::Prototype;
use crate::details::details;
use crate::expectations::unknown_measure;
use crate::experiment::{Build, Experiment, Stacks};
use crate::models::Around;
use crate::observers::{self, ObserverPlan, PlannedObserver};
#[cfg(feature = "live")]
use crate::properties::LiveChecker;
use crate::properties::{self, PlannedProperty, SkippedProperty};
use crate::transport::{self, Transport};
use crate::world::World;
use crate::{faults, inputs};

/// A command with the peerlet that it is for; events that are none have none.
type Resolved = Option<(Port, Arc<Command>)>;

/// One thing that an event does.
pub(crate) enum Deed {
    /// An act on a peer.
    Peer(Seat, Act),
    /// A change of the network.
    Network(Fault),
}

/// A scenario whose stacks, network, events and expectations are resolved: it can run.
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// The numbering of its peerlets and metrics.
    pub registry: Arc<Registry>,
    /// The experiment's name.
    pub program: &'static str,
    /// How its messages are encoded.
    pub codec: Codec,
    /// The world that it is for.
    pub world: World,
    /// The transport of messages; none is simulated where none is named.
    pub transport: Option<Transport>,
    build: Build,
    timeline: Arc<Timeline>,
    /// The command of each event, and its peerlet.
    commands: Arc<Vec<Resolved>>,
    /// The changes of the network.
    faults: Vec<Fault>,
    /// The properties that are checked while it runs.
    pub properties: Vec<PlannedProperty>,
    /// Its optional measurements.
    pub details: Details,
    /// The observers of its network.
    pub observers: Vec<PlannedObserver>,
    /// Those that are left out, since its world cannot check them.
    pub skipped: Vec<SkippedProperty>,
    /// Checks them on sockets.
    #[cfg(feature = "live")]
    pub(crate) checker: Arc<LiveChecker>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("title", &self.scenario.title)
            .field("world", &self.world)
            .field("peers", &self.scenario.peers)
            .field("duration", &self.scenario.duration)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// Reads a scenario and resolves it with what the experiment offers, for a world, over the
    /// transport that the scenario names.
    ///
    /// # Errors
    /// All problems of the scenario, each with its place. Nothing runs then.
    pub fn new(
        experiment: &Experiment,
        source: Source,
        overrides: &[Override],
        world: World,
    ) -> Result<Plan, Problems> {
        Plan::resolve(experiment, Scenario::parse(source, overrides)?, world, None)
    }

    /// Resolves a scenario with what the experiment offers, for a world, over this transport or
    /// else the one that the scenario names.
    ///
    /// # Errors
    /// All problems of the scenario, each with its place. Nothing runs then.
    pub fn resolve(
        experiment: &Experiment,
        mut scenario: Scenario,
        world: World,
        transport: Option<Transport>,
    ) -> Result<Plan, Problems> {
        if scenario.title.is_empty() {
            scenario.title = experiment.name.to_owned();
        }
        scenario.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let transport = world.transport(transport, transport::written(&scenario)?);
        let gives = &*world.gives(transport);
        inputs::check(&scenario)?;
        check_servers(&scenario)?;
        let (build, registry) = stacks(experiment, &scenario)?;
        registry.check_needs(gives).map_err(|error| stack_problem(&scenario, &error))?;
        let (commands, faults) = (commands(&scenario, &registry)?, faults::read(&scenario)?);
        let timeline = Timeline::expand(&scenario, &scenario.servers.iter().collect::<Vec<_>>());
        let of = (&scenario, &timeline, &*faults);
        let (properties, mut skipped) = properties::plan(experiment, &registry, of, world)?;
        let details = details(&scenario, &timeline, &registry)?;
        let observed = observers::plan(&scenario, &registry, world)?;
        let ObserverPlan { observers, skipped: unobserved, unmeasured } = observed;
        skipped.extend(unobserved);
        scenario.expect.retain(|expect| !unmeasured.contains(&expect.measure));
        #[cfg(feature = "live")]
        let checker = LiveChecker::new(&properties, Time::ZERO + scenario.duration);
        let plan = Plan {
            #[cfg(feature = "live")]
            checker: Arc::new(checker),
            commands: Arc::new(commands),
            faults,
            timeline: Arc::new(timeline),
            properties,
            details,
            observers,
            skipped,
            scenario,
            registry: Arc::new(registry),
            program: experiment.name,
            codec: experiment.codec,
            world,
            transport,
            build,
        };
        plan.check_expectations()?;
        // A model that cannot be built is found now, not when the run begins.
        let model = plan.model(experiment)?;
        if !model.has_local_networks() {
            let rest = gives.iter().copied().filter(|need| *need != Need::Broadcast);
            plan.registry
                .check_needs(&rest.collect::<Vec<_>>())
                .map_err(|error| plan.no_broadcast(error.peerlet()))?;
        }
        Ok(plan)
    }

    /// The stack of a seat's peer, built anew.
    pub fn stacks(&self) -> Arc<Stacks> {
        self.build.clone()
    }

    /// The network between the peers, with fresh state.
    ///
    /// # Errors
    /// When the scenario's model cannot be built.
    pub fn model(&self, experiment: &Experiment) -> Result<Box<dyn Model>, Problems> {
        let seed = Seed::new(self.scenario.seed).named("model");
        let around: Around = &|model| PairDelays::around(model, &self.faults);
        let model = experiment.models.build(&self.scenario, seed, around)?;
        if self.faults.is_empty() {
            return Ok(model);
        }
        let faults = Faults::new(&self.faults, self.scenario.peers);
        Ok(Box::new(Layers::around(model, vec![Box::new(faults)])))
    }

    /// The same network, which takes more changes while it is in use.
    ///
    /// # Errors
    /// As [`model`](Plan::model).
    pub(crate) fn open_model(&self, experiment: &Experiment) -> Result<Box<dyn Model>, Problems> {
        let seed = Seed::new(self.scenario.seed).named("model");
        let around: Around = &|model| Box::new(PairDelays::open(model, &self.faults));
        let model = experiment.models.build(&self.scenario, seed, around)?;
        let faults = Faults::open(&self.faults, self.scenario.peers);
        Ok(Box::new(Layers::around(model, vec![Box::new(faults)])))
    }

    /// What an event of the scenario does: acts on each of its seats, or changes of the network.
    ///
    /// # Errors
    /// When no peer could ever take a command, or the network has no such call.
    pub(crate) fn resolve_event(
        &self,
        event: &ScenarioEvent,
    ) -> Result<Vec<Deed>, (String, String)> {
        let peers = self.scenario.peers;
        if let Some(fault) = faults::fault(event, peers) {
            let fault = fault.map_err(|error| (error.to_string(), faults::help(&error)))?;
            return Ok(vec![Deed::Network(fault)]);
        }
        let command = match &event.action {
            Action::Command { peerlet, name, arguments } => {
                Some(command(&self.registry, peerlet, name, arguments)?)
            }
            _ => None,
        };
        let acts = acts(&event.action, &command);
        let each = |seat| acts.iter().map(move |act| Deed::Peer(seat, act.clone()));
        Ok(event.seats.iter().flat_map(each).collect())
    }

    /// The scenario's changes of the network, as a model that adds nothing else; `None` when it
    /// does nothing. `is_share` says that some of the peers live in other processes.
    ///
    /// # Errors
    /// When some of it cannot be done to a real network.
    pub fn live_faults(&self, is_share: bool) -> Result<Option<Box<dyn Model>>, Problems> {
        faults::refuse_live(&self.scenario, &self.faults, is_share)?;
        if self.faults.is_empty() {
            return Ok(None);
        }
        let faults = Faults::new(&self.faults, self.scenario.peers);
        let nothing = Box::new(Constant { delay: Duration::ZERO });
        Ok(Some(Box::new(Layers::around(nothing, vec![Box::new(faults)]))))
    }

    /// Refuses a scenario of which one process cannot run its share: a peer of an overlay that is
    /// laid out needs the address of every seat when it starts, and other processes may join later.
    ///
    /// # Errors
    /// Says where the overlay is laid out.
    pub fn check_share(&self) -> Result<(), Problems> {
        let scenario = &self.scenario;
        let groups = scenario.groups.iter().flat_map(|group| &group.stack);
        for entry in groups.chain(&scenario.stack) {
            let Some(layout) = entry.params.get("layout") else { continue };
            let named = scenario.sources.read::<LayoutConfig>(&layout.raw);
            if named.is_ok_and(|layout| layout != LayoutConfig::Grown) {
                let message = "this layout needs the address of every seat when a peer starts, and \
                               those of other processes may not be known then";
                let help = "run all seats in one process, or let the overlay grow";
                return Err(scenario.sources.problem(&layout.raw.span, message, help).into());
            }
        }
        Ok(())
    }

    /// The acts of the environment, in order.
    pub fn directives(&self) -> impl Iterator<Item = Directive> + Send + 'static {
        let (timeline, commands) = (self.timeline.clone(), self.commands.clone());
        (0..timeline.entries().len()).flat_map(move |i| {
            let entry = timeline.entries()[i];
            let act = |seat, act| Directive { at: entry.at, seat, act };
            match entry.step {
                Step::Start(seat) => vec![act(seat, Act::Start)],
                Step::Stop(seat) => vec![act(seat, Act::Stop)],
                Step::Crash(seat) => vec![act(seat, Act::Crash)],
                Step::Event(index) => {
                    let acts = acts(&timeline.event(index).action, &commands[index as usize]);
                    let seats = timeline.event(index).seats.iter();
                    seats.flat_map(|seat| acts.iter().map(move |a| act(seat, a.clone()))).collect()
                }
            }
        })
    }

    /// The expanded timeline.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The expanded timeline, to keep.
    pub fn shared_timeline(&self) -> Arc<Timeline> {
        self.timeline.clone()
    }

    /// Lets every stack have these peerlets on top; whoever runs the plan puts them there.
    ///
    /// # Errors
    /// When a stack cannot have them.
    pub fn admit(&mut self, top: &Peer, gives: &[Need]) -> Result<(), Problems> {
        let registry = Arc::get_mut(&mut self.registry).expect("a plan that was not run yet");
        let admitted = registry.add(top).and_then(|()| registry.check_needs(gives));
        admitted.map_err(|error| stack_problem(&self.scenario, &error).into())
    }

    /// Says that this peerlet needs broadcast, and that the network has none.
    fn no_broadcast(&self, peerlet: &str) -> Problem {
        let network = self.scenario.network.as_ref();
        let model = network.map_or("constant", |network| network.model.as_str());
        let span = network.map_or(0..0, |network| network.model_span.clone());
        let message = format!(
            "`{peerlet}` needs broadcast on a local network, and the model `{model}` has none"
        );
        self.scenario.sources.problem(&span, message, "choose the model `lan`")
    }

    fn check_expectations(&self) -> Result<(), Problems> {
        let observed: Vec<_> = self.observers.iter().flat_map(PlannedObserver::metrics).collect();
        let measured = MetricEntry::table(&self.registry, &self.details);
        let names: Vec<_> =
            measured.iter().chain(&observed).map(|entry| entry.full_name.as_str()).collect();
        let sources = &self.scenario.sources;
        let unknown = self.scenario.expect.iter().filter(|e| !names.contains(&e.measure.as_str()));
        let problems: Vec<Problem> = unknown
            .map(|expect| {
                let (message, help) = unknown_measure(&expect.measure, &names);
                sources.problem(&expect.span, message, help)
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }
}

/// A server is a seat that there is.
fn check_servers(scenario: &Scenario) -> Result<(), Problems> {
    let groups = scenario.groups.iter().flat_map(|group| &group.stack);
    for entry in groups.chain(&scenario.stack) {
        let Some(server) = entry.params.get("server") else { continue };
        let peers = scenario.peers;
        if scenario.sources.read::<u32>(&server.raw).is_ok_and(|seat| seat >= peers) {
            let message = "there is no such seat".to_owned();
            let help = format!("{peers} peers have the seats 0 to {}", peers - 1);
            return Err(scenario.sources.problem(&server.raw.span, message, help).into());
        }
    }
    Ok(())
}

/// The acts of an event on one seat.
fn acts(action: &Action, command: &Resolved) -> Vec<Act> {
    match action {
        Action::Start => vec![Act::Start],
        Action::Stop => vec![Act::Stop],
        Action::Crash => vec![Act::Crash],
        Action::Restart => vec![Act::Crash, Act::Start],
        Action::Pause(time) => vec![Act::Pause(*time)],
        Action::Tamper(tampering) => vec![Act::Tamper(*tampering)],
        Action::Command { .. } => {
            let (port, command) = command.clone().expect("every command was resolved");
            vec![Act::Command(port, command)]
        }
        Action::Network { .. } => Vec::new(),
    }
}

/// Resolves the stacks of all seats: the scenario's, or else the program's own.
fn stacks(experiment: &Experiment, scenario: &Scenario) -> Result<(Build, Registry), Problems> {
    let mut registry = Registry::new();
    let groups = scenario.groups.iter().map(|group| group.stack.as_slice());
    let written: Vec<&[StackEntry]> = groups.chain([scenario.stack.as_slice()]).collect();
    if written.iter().all(|stack| stack.is_empty()) {
        let Some(build) = experiment.build.clone() else {
            let help = "name a scenario file, as in `sim scenarios/first.toml`, that has a [stack] \
                        table with the peerlets of each peer";
            let problem = scenario.sources.problem(&(0..0), "the peers have no peerlets", help);
            return Err(problem.into());
        };
        for seat in 0..scenario.peers {
            registry.add(&build(Seat(seat))).map_err(|e| stack_problem(scenario, &e))?;
        }
        return Ok((build, registry));
    }
    let mut entries = written.iter().copied().flatten().peekable();
    let span = entries.peek().map_or(0..0, |entry| entry.span.clone());
    let is_in_file = entries.any(|entry| scenario.sources.is_in_file(&entry.span));
    if experiment.build.is_some() && !is_in_file {
        let message = "this would be the whole stack, without what the program itself puts into \
                       each peer";
        let help = "write a scenario with a [stack] table that names all peerlets of a peer, or \
                    set the parameter in the program";
        return Err(scenario.sources.problem(&span, message, help).into());
    }
    let (mut stacks, mut problems) = (Vec::new(), Vec::new());
    let seed = Seed::new(scenario.seed).named("stack");
    for stack in written {
        let read = |entry: &StackEntry| {
            let name = (entry.name.as_str(), &entry.span);
            experiment.catalog.read(&scenario.sources, name, &entry.params, seed)
        };
        let mut prototypes: Vec<Prototype> = Vec::new();
        for prototype in stack.iter().map(read) {
            match prototype {
                Ok(prototype) => prototypes.push(prototype),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty()
            && let Err(error) = registry.add(&build_stack(&prototypes))
        {
            let help = missing_players(experiment, &error);
            problems.push(stack_problem_at(scenario, stack, &error, &help));
        }
        stacks.push(prototypes);
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let (base, groups) = (stacks.pop().unwrap_or_default(), stacks);
    let members: Vec<_> = scenario.groups.iter().map(|group| group.seats.clone()).collect();
    let build = move |seat: Seat| {
        let group = members.iter().position(|seats| seats.contains(seat));
        build_stack(group.map_or(&base, |group| &groups[group]))
    };
    Ok((Arc::new(build), registry))
}

fn build_stack(prototypes: &[Prototype]) -> Peer {
    let mut peer = Peer::new();
    prototypes.iter().for_each(|prototype| peer.push(prototype()));
    peer
}

fn stack_problem(scenario: &Scenario, error: &StackError) -> Problem {
    stack_problem_at(scenario, &scenario.stack, error, "")
}

/// A stack's problem, at the peerlet that has it where that is written.
fn stack_problem_at(
    scenario: &Scenario,
    stack: &[StackEntry],
    error: &StackError,
    help: &str,
) -> Problem {
    let name = error.peerlet();
    let entry = stack.iter().find(|entry| normalize(&entry.name) == normalize(name));
    let parameter = match (entry, error) {
        (Some(entry), StackError::Pick(wrong)) => {
            let mut parts = entry.params.parts().iter();
            parts.find(|part| part.name == wrong.parameter).map(|part| part.raw.span.clone())
        }
        _ => None,
    };
    let span = parameter.or(entry.map(|entry| entry.span.clone())).unwrap_or(0..0);
    scenario.sources.problem(&span, error.to_string(), help)
}

/// The peerlets of the program that would play a role which nobody on the stack plays.
fn missing_players(experiment: &Experiment, error: &StackError) -> String {
    let Some(role) = error.unplayed_role() else { return String::new() };
    match experiment.catalog.players(role) {
        players if players.is_empty() => String::new(),
        players => format!("the role `{role}` is played by `{}`", players.join("`, `")),
    }
}

/// Resolves the commands of all events: a call that no peer could ever take is an error.
fn commands(scenario: &Scenario, registry: &Registry) -> Result<Vec<Resolved>, Problems> {
    let mut problems = Vec::new();
    let resolve = |event: &ScenarioEvent| match &event.action {
        Action::Command { peerlet, name, arguments } => {
            match command(registry, peerlet, name, arguments) {
                Ok(command) => Some(command),
                Err((message, help)) => {
                    problems.push(scenario.sources.problem(&event.span, message, help));
                    None
                }
            }
        }
        _ => None,
    };
    let commands = scenario.events.iter().map(resolve).collect();
    if problems.is_empty() { Ok(commands) } else { Err(Problems(problems)) }
}

fn command(
    registry: &Registry,
    peerlet: &str,
    name: &str,
    arguments: &[Value],
) -> Result<(Port, Arc<Command>), (String, String)> {
    let entries = registry.entries();
    let Some(entry) = entries.iter().find(|e| normalize(e.name()) == normalize(peerlet)) else {
        let known: Vec<_> = entries.iter().map(|e| e.name()).collect();
        let message = format!("no peer has a peerlet named `{peerlet}`");
        return Err((message, format!("the peerlets of this scenario are: {}", known.join(", "))));
    };
    let signatures = entry.commands();
    let Some(signature) = signatures.iter().find(|s| normalize(s.name()) == normalize(name)) else {
        let message = format!("`{}` has no command `{name}`", entry.name());
        let calls: Vec<_> = signatures.iter().map(|s| format!("`{s}`")).collect();
        let help = if calls.is_empty() {
            format!("`{}` has no commands at all", entry.name())
        } else {
            format!("its commands are: {}", calls.join(", "))
        };
        return Err((message, help));
    };
    let port = registry.port_named(entry.name()).expect("the entry is registered");
    match signature.call(arguments) {
        Ok(command) => Ok((port, Arc::new(command))),
        Err(error) => Err((error.to_string(), error.remedy())),
    }
}
