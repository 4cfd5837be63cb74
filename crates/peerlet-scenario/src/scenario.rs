//! A scenario: everything that a file and the command line say about a run.

use std::ops::Range;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, MILLISECOND, SECOND, Seat, Seed, Time};

use crate::churn::Churn;
use crate::connection::Connection;
use crate::event::{EVENTS_MAX, ScenarioEvent, Stage};
use crate::expect::{Expect, ExpectOver};
use crate::group::{self, Group, Seating, StackEntry};
use crate::include;
use crate::input_file::InputFile;
use crate::measure::Measure;
use crate::observe::Observe;
use crate::overrides::Override;
use crate::problem::{Problem, Problems};
use crate::property::{PropertyChoice, StopWhen};
use crate::raw::{Part, Raw, RawValue};
use crate::reader::{Fields, Reader};
use crate::refusal::Refusal;
use crate::run::Run;
use crate::seats::KnownSeats;
use crate::source::{Source, Sources};
use crate::step::ENTRIES_MAX;
use crate::stopwatch::StopwatchChoice;
use crate::variables::Variables;

/// The most peers of a scenario: 2^24, beyond the ten million that a simulation is built for.
pub const PEERS_MAX: u32 = 1 << 24;

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
    /// The seats that have a name, in the order written: those of groups, then those of `[seats]`.
    pub named: Vec<(String, SeatSet)>,
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
    /// Times from its events until peers notice.
    pub stopwatches: Vec<StopwatchChoice>,
    /// The links that are looked at while it runs.
    pub observe: Vec<Observe>,
    /// The properties at whose verdicts the run ends.
    pub stop_when: Vec<StopWhen>,
    /// The events, in the order written: the lines first, then those of files, then the tables.
    pub events: Vec<ScenarioEvent>,
    /// How many event lines are left out because the command line ends the run before them.
    pub left_out: usize,
    /// The parts that are left out because the command line ends the run before them, in words:
    /// the event lines among them.
    pub warnings: Vec<String>,
    /// The files of event lines that it names, each with its key, such as `events.file`.
    pub event_files: Vec<(String, InputFile)>,
    /// The scenario as one tree, where it includes other files; without the values put over it.
    pub(crate) merged: Option<Raw>,
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
        let mut root = include::parse(&source, 0)?;
        let mut sources = Sources::new(source);
        let includes = include::include(&mut root, &mut sources)?;
        let merged = includes.then(|| root.clone());
        for assignment in overrides {
            assignment.apply(&mut root, &mut sources)?;
        }
        let mut reader = Reader::new(sources);
        let variables = Variables::take(&mut root, &mut reader);
        let scenario = Scenario::read(&root, &variables, &mut reader);
        variables.finish(&mut reader);
        reader.finish()?;
        let scenario = scenario.expect("a scenario that cannot be read has problems");
        Ok(Scenario { merged, ..scenario })
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
        let variables = Variables::default();
        let stage = Stage { at: Some(at), ..self.stage(&eligible, &variables) };
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
        self.chosen(text).map_err(|refusal| {
            let source = Source::new("peers", text);
            Problem::new(&source, refusal.at, refusal.message, refusal.help).into()
        })
    }

    /// The seats of peers that a text of the scenario names, which is written there.
    ///
    /// # Errors
    /// As [`seats`](Scenario::seats), at this place.
    pub fn seats_at(&self, text: &str, span: &Range<usize>) -> Result<SeatSet, Problems> {
        self.chosen(text)
            .map_err(|refusal| self.sources.problem(span, refusal.message, refusal.help).into())
    }

    fn chosen(&self, text: &str) -> Result<SeatSet, Refusal> {
        let eligible = SeatSet::all(self.peers).without(&self.servers);
        self.stage(&eligible, &Variables::default()).seats(text)
    }

    /// What peers and times are checked against.
    fn stage<'a>(&'a self, eligible: &'a SeatSet, variables: &'a Variables) -> Stage<'a> {
        let seats = (self.peers, &*self.named, eligible);
        Stage::of(seats, (self.duration, false), Seed::new(self.seed), variables)
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
    fn read(root: &Raw, variables: &Variables, reader: &mut Reader) -> Option<Scenario> {
        let mut fields = Fields::new("a scenario", root);
        let run = fields.take("run").and_then(|part| Run::read(&part, reader));
        let run = run.unwrap_or_default();
        let head = Head::read(&mut fields, run.cut, reader);
        let stack = fields.take("stack").map(|part| group::read_stack(&part, reader));
        let network = fields.take("network").and_then(|part| NetworkTable::read(&part, reader));
        let expect = tables(&mut fields, "expect", reader, Expect::read);
        let [connection, groups, seats, churn, measure, events, event_tables] =
            ["connection", "group", "seats", "churn", "measure", "events", "event"]
                .map(|name| fields.take(name));
        let properties = tables(&mut fields, "property", reader, PropertyChoice::read);
        let stopwatches = tables(&mut fields, "stopwatch", reader, StopwatchChoice::read);
        let observe = tables(&mut fields, "observe", reader, Observe::read);
        let stop_when = fields.take("stop_when").map(|part| StopWhen::read(&part, reader));
        fields.finish(reader, &[]);

        // Groups, churn and events are checked against the peers and the time there is.
        let Head { title, seed, peers, duration, duration_span, cut_short, join } = head?;
        let expect = judged(expect, (duration, cut_short), reader);
        let stack = stack.unwrap_or_default();
        let root = Seed::new(seed);
        let parts = (groups.as_ref(), seats.as_ref());
        let Seating { servers, eligible, groups, named } =
            Seating::read(parts, &stack, (peers, root), reader);
        let known = KnownSeats { peers, named: &named };
        let churn =
            churn.and_then(|part| read_churn(&part, (known, duration), (&eligible, root), reader));
        let time = (duration, cut_short);
        let stage = Stage::of((peers, &named, &eligible), time, root, variables);
        let (events, event_files) = read_events(events, event_tables, &stage, reader);
        warn_of_lines(reader, duration);
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
            named,
            servers,
            churn,
            measure,
            expect,
            properties,
            observe,
            stopwatches,
            stop_when: stop_when.unwrap_or_default(),
            events,
            left_out: reader.left_out,
            warnings: std::mem::take(&mut reader.warnings),
            event_files,
            merged: None,
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

/// The expectations over epochs that the run has. Others are refused, or left out with a warning
/// where the command line ends the run before them.
fn judged(
    expect: Vec<Expect>,
    (duration, cut_short): (Duration, bool),
    reader: &mut Reader,
) -> Vec<Expect> {
    let mut is_judged = |expect: &Expect| {
        let ExpectOver::After(after, span) = &expect.over else { return true };
        let Expect { measure, .. } = expect;
        match (*after < duration, cut_short) {
            (true, _) => return true,
            (false, true) => reader.warnings.push(format!(
                "`{measure}` is not judged after {after}: the run is over at {duration}"
            )),
            (false, false) => {
                let message = format!("nothing is judged: the run is over at {duration}");
                reader.refuse(span, message, "give an earlier `after` or a longer `for`");
            }
        }
        false
    };
    expect.into_iter().filter(|expect| is_judged(expect)).collect()
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
        let duration_span = duration.as_ref().map_or(0..0, |part| part.raw.span.clone());
        let is_typed =
            duration.as_ref().is_some_and(|part| !reader.sources.is_in_file(&part.raw.span));
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

/// Reads churn, and refuses one that would not fit into memory.
fn read_churn(
    part: &Part,
    (known, duration): (KnownSeats<'_>, Duration),
    (eligible, seed): (&SeatSet, Seed),
    reader: &mut Reader,
) -> Option<Churn> {
    let churn = Churn::read(part, (known, duration), eligible, seed, reader)?;
    let transitions = churn.transitions(known.peers, duration);
    if transitions > ENTRIES_MAX as f64 {
        let message = format!("peers would come and go about {transitions:.0} times");
        let help = format!("more than {ENTRIES_MAX} do not fit; lengthen `session` or `absence`");
        reader.refuse(&part.name_span, message, help);
    }
    Some(churn)
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

/// Reads `[events]` and `[[event]]`, and the files that they name, each with its key.
fn read_events(
    part: Option<Part>,
    tables: Option<Part>,
    stage: &Stage,
    reader: &mut Reader,
) -> (Vec<ScenarioEvent>, Vec<(String, InputFile)>) {
    let (mut events, mut files) = (Vec::new(), Vec::new());
    if let Some(mut fields) = part.as_ref().and_then(|part| reader.table(part, "[events]")) {
        let (lines, file) = (fields.take("lines"), fields.take("file"));
        fields.finish(reader, &[]);
        for (_, lines) in items(lines, "events.lines") {
            if let Some(text) = reader.text(&lines) {
                stage.read(&text, &lines.raw.span, reader, &mut events);
            }
        }
        for (key, file) in items(file, "events.file") {
            if let Some((file, start)) = InputFile::read(&file, reader) {
                let text = file.text.clone();
                stage.read(&text, &(start..start + text.len()), reader, &mut events);
                files.push((key, file));
            }
        }
    }
    for table in tables.map(|part| reader.tables(&part)).unwrap_or_default() {
        stage.read_table(&table, reader, &mut events);
    }
    if let Some(part) = part.filter(|_| events.len() > EVENTS_MAX) {
        let message = format!("there are {} event lines", events.len());
        reader.refuse(&part.name_span, message, format!("leave it at {EVENTS_MAX}"));
    }
    (events, files)
}

/// The items of a list, or the one value that is no list, each with the key that leads to it.
fn items(part: Option<Part>, key: &str) -> Vec<(String, Part)> {
    let Some(part) = part else { return Vec::new() };
    match &part.raw.value {
        RawValue::List(items) => {
            let one = |(i, raw): (usize, &Raw)| {
                (format!("{key}.{i}"), Part { raw: raw.clone(), ..part.clone() })
            };
            items.iter().enumerate().map(one).collect()
        }
        _ => vec![(key.to_owned(), part)],
    }
}
