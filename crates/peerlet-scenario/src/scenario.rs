//! A scenario: everything that a file and the command line say about a run.

use std::ops::Range;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, MILLISECOND, SECOND, Seat, Seed, Time};

use crate::churn::Churn;
use crate::connection::Connection;
use crate::event::{ScenarioEvent, Stage};
use crate::expect::Expect;
use crate::group::{self, Group, StackEntry};
use crate::input_file::InputFile;
use crate::overrides::Override;
use crate::problem::{Problem, Problems};
use crate::property::{PropertyChoice, StopWhen};
use crate::raw::{Part, Raw, RawValue};
use crate::reader::{Fields, Reader};
use crate::run::Run;
use crate::source::{Source, Sources};
use crate::step::ENTRIES_MAX;

/// The most peers of a scenario: 2^24, beyond the ten million that a simulation is built for.
pub const PEERS_MAX: u32 = 1 << 24;

/// The most event lines of a scenario: more come from a mistake, and would take gigabytes.
pub const EVENTS_MAX: usize = 10_000_000;

/// The most epochs of a run: all are kept until its end, and take some 200 bytes a metric. With a
/// dozen metrics this many take a gigabyte; epochs of 10 s last for 46 days.
pub const EPOCHS_MAX: u64 = 400_000;

/// A scenario: all that a file and the command line say about a run.
///
/// Shares of seats are settled here: `"10%"` is a tenth of all peers, chosen at random from the
/// seed among the seats that no stack names as a server (under the parameters `server` and
/// `servers`); `"100%"` is all those.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The texts that it was read from, for problems found later.
    pub sources: Sources,
    /// Its title; may be empty.
    pub title: String,
    /// Where all chance comes from; 1 unless given.
    pub seed: u64,
    /// How many seats there are, at least one.
    pub peers: u32,
    /// How long it runs: over `[0, duration)`. Written `for`.
    pub duration: Duration,
    /// The time that first starts are spread over: 1 ms a peer, at most 60 s and the duration,
    /// unless given.
    pub join: Duration,
    /// The network between the peers; none when the scenario says nothing about it.
    pub network: Option<NetworkTable>,
    /// The peerlets of each peer, in order.
    pub stack: Vec<StackEntry>,
    /// The seats with another stack, each in one group at most.
    pub groups: Vec<Group>,
    /// The seats that the stacks name as servers; seat 0 where they name none.
    pub servers: SeatSet,
    /// The churn.
    pub churn: Option<Churn>,
    /// How reliable delivery behaves.
    pub connection: Connection,
    /// How measures are taken.
    pub measure: Measure,
    /// The expectations that are checked at the end.
    pub expect: Vec<Expect>,
    /// The properties that are checked while it runs.
    pub properties: Vec<PropertyChoice>,
    /// The properties at whose verdicts the run ends.
    pub stop_when: Vec<StopWhen>,
    /// The events, in the order written: the lines first, then those of the file.
    pub events: Vec<ScenarioEvent>,
    /// How many event lines are left out because the command line ends the run before them.
    pub left_out: usize,
    /// The parts that are left out because the command line ends the run before them, in words:
    /// the event lines among them.
    pub warnings: Vec<String>,
    /// The file of event lines, where one is named.
    pub event_file: Option<InputFile>,
    /// How it is run where the command line does not say.
    pub run: Run,
}

/// The network between the peers, as far as it can be read without knowing the models.
#[derive(Clone, PartialEq, Debug)]
pub struct NetworkTable {
    /// The model's name as written.
    pub model: String,
    /// Where the model's name is written.
    pub model_span: Range<usize>,
    /// All other keys: the model's parameters, and the layers around it. A table.
    pub parameters: Raw,
}

/// How measures are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Measure {
    /// The length of an epoch; 10 s unless given.
    pub epoch: Duration,
    /// The warm-up that is left out of the summary; none unless given.
    pub from: Duration,
}

impl Default for Measure {
    fn default() -> Measure {
        Measure { epoch: SECOND * 10, from: Duration::ZERO }
    }
}

impl Scenario {
    /// Reads a scenario, with these values put over those in the text; later ones win.
    ///
    /// # Errors
    /// Tells everything that is wrong with it, each with its location.
    ///
    /// ```
    /// use peerlet_scenario::{Override, Scenario, Source};
    /// let source = Source::new("short.toml", "peers = 100\nfor = \"60s\"\n");
    /// let scenario = Scenario::parse(source, &[Override::set("peers=20")?])?;
    /// assert_eq!((scenario.peers, scenario.join.to_string().as_str()), (20, "20ms"));
    ///
    /// let source = Source::new("wrong.toml", "pears = 100\nfor = \"60s\"\n");
    /// let problems = Scenario::parse(source, &[]).unwrap_err();
    /// assert_eq!(problems.0[1].to_string(), "wrong.toml:1:1: unknown key `pears` in a scenario");
    /// assert_eq!(problems.0[1].remedy(), Some("did you mean `peers`?"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse(source: Source, overrides: &[Override]) -> Result<Scenario, Problems> {
        let mut root = Raw::parse_file(&source.text).map_err(|error| {
            let end = source.text.len();
            let help = "write keys as `key = value`, and texts, durations and shares in quotes";
            Problem::new(&source, error.span().unwrap_or(end..end), error.message(), help)
        })?;
        let mut sources = Sources::new(source);
        for assignment in overrides {
            assignment.apply(&mut root, &mut sources)?;
        }
        let mut reader = Reader::new(sources);
        let scenario = Scenario::read(&root, &mut reader);
        reader.finish()?;
        Ok(scenario.expect("a scenario that cannot be read has problems"))
    }

    /// A scenario without a file.
    ///
    /// # Errors
    /// As [`Scenario::parse`].
    pub fn from_overrides(overrides: &[Override]) -> Result<Scenario, Problems> {
        Scenario::parse(Source::new("command line", ""), overrides)
    }

    /// Reads an event line without its time, `PEERS CALL`, as one of this instant.
    ///
    /// # Errors
    /// Tells what is wrong with it.
    ///
    /// ```
    /// use peerlet_core::{SECOND, Time};
    /// use peerlet_scenario::{Scenario, Source};
    /// let scenario = Scenario::parse(Source::new("short", "peers = 10\nfor = \"60s\""), &[])?;
    /// let events = scenario.events_at(Time::ZERO + SECOND, "0-4 Peer.crash()")?;
    /// assert_eq!((events[0].seats.len(), events[0].at), (5, Time::ZERO + SECOND));
    /// let error = scenario.events_at(Time::ZERO, "0-4 Peer.crush()").unwrap_err();
    /// assert!(error.to_string().contains("did you mean"), "{error}");
    /// # Ok::<(), peerlet_scenario::Problems>(())
    /// ```
    pub fn events_at(&self, at: Time, line: &str) -> Result<Vec<ScenarioEvent>, Problems> {
        let source = Source::new("event line", line);
        if at >= Time::ZERO + self.duration {
            let message = format!("the run is over at {}", self.duration);
            let help = "act earlier, or give the run a longer `for`";
            return Err(Problem::new(&source, 0..line.len(), message, help).into());
        }
        if line.trim().is_empty() {
            let help = "write PEERS CALL, such as `0-9 Peer.stop()`";
            return Err(Problem::new(&source, 0..line.len(), "the line is empty", help).into());
        }
        let eligible = SeatSet::all(self.peers).without(&self.servers);
        let stage = Stage { at: Some(at), ..self.stage(&eligible) };
        let (mut reader, mut events) = (Reader::new(Sources::new(source)), Vec::new());
        stage.read(line, &(0..line.len()), &mut reader, &mut events);
        reader.finish()?;
        Ok(events)
    }

    /// Reads peers as event lines name them: seats, a share of them or a group. A share is chosen
    /// at random, from the seed.
    ///
    /// # Errors
    /// Tells what is wrong with it.
    ///
    /// ```
    /// use peerlet_scenario::{Scenario, Source};
    /// let scenario = Scenario::parse(Source::new("short", "peers = 10\nfor = \"60s\""), &[])?;
    /// assert_eq!(scenario.seats("0,4-6")?.len(), 4);
    /// assert!(scenario.seats("10").unwrap_err().to_string().contains("10"));
    /// # Ok::<(), peerlet_scenario::Problems>(())
    /// ```
    pub fn seats(&self, text: &str) -> Result<SeatSet, Problems> {
        let eligible = SeatSet::all(self.peers).without(&self.servers);
        self.stage(&eligible).seats(text).map_err(|refusal| {
            let source = Source::new("peers", text);
            Problem::new(&source, refusal.at, refusal.message, refusal.help).into()
        })
    }

    /// What peers and times are checked against.
    fn stage<'a>(&'a self, eligible: &'a SeatSet) -> Stage<'a> {
        Stage {
            peers: self.peers,
            duration: self.duration,
            at: None,
            cut_short: false,
            seed: Seed::new(self.seed),
            eligible,
            groups: &self.groups,
        }
    }

    /// The group of this seat, if it has one.
    pub fn group_of(&self, seat: Seat) -> Option<&Group> {
        self.groups.iter().find(|group| group.seats.contains(seat))
    }

    /// The stack of this seat.
    pub fn stack_of(&self, seat: Seat) -> &[StackEntry] {
        self.group_of(seat).map_or(&self.stack, |group| &group.stack)
    }
}

impl Scenario {
    fn read(root: &Raw, reader: &mut Reader) -> Option<Scenario> {
        let mut fields = Fields::new("a scenario", root);
        let run = fields.take("run").and_then(|part| Run::read(&part, reader));
        let run = run.unwrap_or_default();
        let head = Head::read(&mut fields, run.cut, reader);
        let stack = fields.take("stack").map(|part| group::read_stack(&part, reader));
        let network = fields.take("network").and_then(|part| NetworkTable::read(&part, reader));
        let expect = tables(&mut fields, "expect", reader, Expect::read);
        let [connection, groups, churn, measure, events] =
            ["connection", "group", "churn", "measure", "events"].map(|name| fields.take(name));
        let properties = tables(&mut fields, "property", reader, PropertyChoice::read);
        let stop_when = fields.take("stop_when").map(|part| StopWhen::read(&part, reader));
        fields.finish(reader, &["fault", "faults"]);

        // Groups, churn and events are checked against the peers and the time there is.
        let Head { title, seed, peers, duration, duration_span, cut_short, join } = head?;
        let stack = stack.unwrap_or_default();
        let drafts = groups.map(|part| group::read_groups(&part, peers, reader));
        let drafts = drafts.unwrap_or_default();
        let over = drafts.iter().map(|draft| draft.over.as_slice());
        let servers: Vec<_> =
            over.chain([stack.as_slice()]).map(|stack| group::servers(stack, peers)).collect();
        let servers = servers.iter().fold(SeatSet::default(), |all, some| all.union(some));
        // Some seat is what others begin with: where none is named, the first one.
        let first = || SeatSet::from_ranges([0..=0]);
        let servers = if servers.is_empty() { first() } else { servers };
        let (eligible, root) = (SeatSet::all(peers).without(&servers), Seed::new(seed));
        let groups = group::form_groups(drafts, &stack, &eligible, root, reader);
        let churn = churn.and_then(|part| {
            let churn = Churn::read(&part, (peers, duration), &eligible, root, reader)?;
            check_churn(&churn, &part, peers, duration, reader);
            Some(churn)
        });
        let (eligible, groups, at) = (&eligible, groups, None);
        let stage = Stage { peers, duration, at, cut_short, seed: root, eligible, groups: &groups };
        let events = events.map(|part| read_events(&part, &stage, reader));
        let (events, event_file) = events.unwrap_or_default();
        warn_of_lines(reader, duration);
        let time = (duration, cut_short);
        let measure = Measure::read_with_epochs(measure, time, &duration_span, reader);
        let connection = connection.and_then(|part| Connection::read(&part, reader));
        Some(Scenario {
            connection: connection.unwrap_or_default(),
            sources: reader.sources.clone(),
            title,
            seed,
            peers,
            duration,
            join,
            network,
            stack,
            groups,
            servers,
            churn,
            measure,
            expect,
            properties,
            stop_when: stop_when.unwrap_or_default(),
            events,
            left_out: reader.left_out,
            warnings: std::mem::take(&mut reader.warnings),
            event_file,
            run,
        })
    }
}

/// Reads the tables of `[[name]]`.
fn tables<T>(
    fields: &mut Fields,
    name: &'static str,
    reader: &mut Reader,
    read: impl Fn(&Raw, &mut Reader) -> Option<T>,
) -> Vec<T> {
    let Some(part) = fields.take(name) else { return Vec::new() };
    let tables = reader.tables(&part);
    tables.iter().filter_map(|table| read(table, reader)).collect()
}

/// The keys above all tables.
struct Head {
    title: String,
    seed: u64,
    peers: u32,
    duration: Duration,
    /// Where that is written.
    duration_span: Range<usize>,
    /// Whether the command line gave the duration.
    cut_short: bool,
    join: Duration,
}

impl Head {
    fn read(fields: &mut Fields, may_cut: bool, reader: &mut Reader) -> Option<Head> {
        let title = fields.take("title").and_then(|part| reader.text(&part));
        let seed = fields.take("seed").and_then(|part| reader.integer(&part, 0..=u64::MAX));
        let peers = fields.take("peers");
        let duration = fields.take("for");
        let file_end = reader.sources.file().text.len();
        let duration_span = duration.as_ref().map_or(0..0, |part| part.raw.span.clone());
        let is_typed = duration.as_ref().is_some_and(|part| part.raw.span.start > file_end);
        let cut_short = is_typed || may_cut;
        let join = fields.take("join");
        if peers.is_none() {
            reader.missing(&(0..0), "peers", "the scenario", "peers = 1000, or --peers 1000");
        }
        if duration.is_none() {
            reader.missing(&(0..0), "for", "the scenario", "for = \"60s\", or --for 60s");
        }
        let peers = peers.and_then(|part| reader.integer(&part, 1..=u64::from(PEERS_MAX)));
        let duration = duration.and_then(|part| reader.period(&part));
        let join = join.and_then(|part| Some((reader.duration(&part)?, part)));
        let (peers, duration) = (peers?, duration?);
        if let Some((join, part)) = &join
            && *join > duration
        {
            let message = format!("peers join over {join}, but the run is over at {duration}");
            match cut_short {
                true => reader.warnings.push(format!("{message}: the last of them never start")),
                false => {
                    let help = "give a shorter `join` or a longer `for`";
                    reader.refuse(&part.raw.span, message, help);
                }
            }
        }
        let default = (MILLISECOND * peers).min(SECOND * 60).min(duration);
        Some(Head {
            title: title.unwrap_or_default(),
            seed: seed.unwrap_or(1),
            peers: peers as u32,
            duration,
            duration_span,
            cut_short,
            join: join.map_or(default, |(join, _)| join),
        })
    }
}

impl NetworkTable {
    fn read(part: &Part, reader: &mut Reader) -> Option<NetworkTable> {
        let mut fields = reader.table(part, "[network]")?;
        let model = fields.take("model");
        let mut parameters = Raw::table(part.raw.span.clone());
        if let RawValue::Table(parts) = &mut parameters.value {
            *parts = fields.rest();
        }
        let Some(model) = model else {
            reader.missing(&part.name_span, "model", "[network]", "model = \"king-like\"");
            return None;
        };
        Some(NetworkTable {
            model_span: model.raw.span.clone(),
            model: reader.text(&model)?,
            parameters,
        })
    }
}

impl Measure {
    /// Reads `[measure]`, if there is one, and checks how many epochs the run has.
    fn read_with_epochs(
        part: Option<Part>,
        (duration, cut_short): (Duration, bool),
        duration_span: &Range<usize>,
        reader: &mut Reader,
    ) -> Measure {
        let epoch = part.as_ref().and_then(|part| part.raw.get("epoch"));
        let epoch_span = epoch.map(|part| part.raw.span.clone());
        let measure = part.and_then(|part| Measure::read(&part, (duration, cut_short), reader));
        let measure = measure.unwrap_or_default();
        check_epochs(measure.epoch, duration, (epoch_span, duration_span), reader);
        measure
    }

    fn read(
        part: &Part,
        (duration, cut_short): (Duration, bool),
        reader: &mut Reader,
    ) -> Option<Measure> {
        let mut fields = reader.table(part, "[measure]")?;
        let epoch = fields.take("epoch").and_then(|part| reader.period(&part));
        let from = fields.take("from");
        fields.finish(reader, &[]);
        let mut measure = Measure::default();
        measure.epoch = epoch.unwrap_or(measure.epoch);
        if let Some(part) = from {
            measure.from = reader.duration(&part)?;
            if measure.from >= duration && cut_short {
                reader.warnings.push(format!(
                    "nothing is judged: the run is over at {duration}, the warm-up at {}",
                    measure.from
                ));
            } else if measure.from >= duration {
                let message = format!("nothing is measured: the run is over at {duration}");
                reader.refuse(&part.raw.span, message, "give an earlier `from` or a longer `for`");
            }
        }
        Some(measure)
    }
}

/// Refuses epochs that would not fit into memory, at their length or else at the run's.
fn check_epochs(
    epoch: Duration,
    duration: Duration,
    (epoch_span, duration_span): (Option<Range<usize>>, &Range<usize>),
    reader: &mut Reader,
) {
    let count = duration.as_nanos() / epoch.as_nanos() + 1;
    if count < EPOCHS_MAX {
        return;
    }
    // The shortest, in a round number.
    let nanos = duration.as_nanos() / (EPOCHS_MAX - 1) + 1;
    let shortest = Duration::from_nanos(nanos.next_multiple_of(round_to(nanos)));
    let message = format!("a run of {duration} would have {count} epochs of {epoch}");
    let set = if epoch_span.is_some() { "give" } else { "set measure.epoch to" };
    let help = format!("at most {EPOCHS_MAX} fit into memory; {set} {shortest} or more");
    reader.refuse(&epoch_span.unwrap_or_else(|| duration_span.clone()), message, help);
}

/// The power of a thousand nanoseconds below a time, such as a second below a minute.
fn round_to(nanos: u64) -> u64 {
    (1..=3).map(|power| 1_000_u64.pow(power)).take_while(|unit| *unit <= nanos).last().unwrap_or(1)
}

/// Refuses churn that would not fit into memory.
fn check_churn(churn: &Churn, part: &Part, peers: u32, duration: Duration, reader: &mut Reader) {
    let transitions = churn.transitions(peers, duration);
    if transitions > ENTRIES_MAX as f64 {
        let message = format!("peers would come and go about {transitions:.0} times");
        let help = format!("more than {ENTRIES_MAX} do not fit; lengthen `session` or `absence`");
        reader.refuse(&part.name_span, message, help);
    }
}

/// Says how many event lines a run that ends early leaves out.
fn warn_of_lines(reader: &mut Reader, end: Duration) {
    let lines = match reader.left_out {
        0 => return,
        1 => "line lies",
        _ => "lines lie",
    };
    let count = reader.left_out;
    reader.warnings.push(format!("{count} event {lines} beyond the end of the run at {end}"));
}

fn read_events(
    part: &Part,
    stage: &Stage,
    reader: &mut Reader,
) -> (Vec<ScenarioEvent>, Option<InputFile>) {
    let (mut events, mut event_file) = (Vec::new(), None);
    let Some(mut fields) = reader.table(part, "[events]") else { return (events, None) };
    let (lines, file) = (fields.take("lines"), fields.take("file"));
    fields.finish(reader, &[]);
    if let Some(lines) = lines
        && let Some(text) = reader.text(&lines)
    {
        stage.read(&text, &lines.raw.span, reader, &mut events);
    }
    if let Some(part) = file
        && let Some((file, start)) = InputFile::read(&part, reader)
    {
        let text = file.text.clone();
        stage.read(&text, &(start..start + text.len()), reader, &mut events);
        event_file = Some(file);
    }
    if events.len() > EVENTS_MAX {
        let message = format!("there are {} event lines", events.len());
        reader.refuse(&part.name_span, message, format!("leave it at {EVENTS_MAX}"));
    }
    (events, event_file)
}
