//! Events: lines as ProtoPeer has them, `PEERS WHEN CALL` with `#` comments, and `[[event]]`
//! tables.

use std::ops::Range;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, Seat, Seed, Time, Value};

use crate::call::{self, Action, normalize};
use crate::raw::{Part, Raw, RawValue};
use crate::reader::{Fields, Reader};
use crate::refusal::Refusal;
use crate::seats::{CHOICE_HELP, KnownSeats, NamedSeats, Selection};
use crate::variables::Variables;
use crate::when::When;

/// The most events of a scenario: more come from a mistake, and would take gigabytes.
pub const EVENTS_MAX: usize = 10_000_000;

/// Something that the scenario does to peers at an instant.
#[derive(Clone, PartialEq, Debug)]
pub struct ScenarioEvent {
    /// When.
    pub at: Time,
    /// To whom.
    pub seats: SeatSet,
    /// The action.
    pub action: Action,
    /// Where the call is written, for [`Sources::problem`](crate::Sources::problem).
    pub span: Range<usize>,
}

/// The calls on the network that a scenario resolves, since they need its seats or its seed. All
/// others pass through, and `peerlet-network` reads them as changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NetworkCall {
    /// A cut or its end, whose first argument may name others.
    Cut,
    /// A change of pairs, whose first argument names others.
    Pairs,
    /// A swizzle, which stands for many clogs and releases.
    Swizzle,
    /// All others, which the network reads.
    Other,
}

impl NetworkCall {
    fn of(name: &str) -> NetworkCall {
        match normalize(name).as_str() {
            "cut" | "cutin" | "cutout" | "heal" => NetworkCall::Cut,
            "pairdelay" | "pairloss" => NetworkCall::Pairs,
            "swizzle" => NetworkCall::Swizzle,
            _ => NetworkCall::Other,
        }
    }
}

/// The parts of a scenario that event lines are checked against.
pub(crate) struct Stage<'a> {
    pub(crate) peers: u32,
    pub(crate) duration: Duration,
    /// The time of all lines, where they are written without one.
    pub(crate) at: Option<Time>,
    /// Whether the command line gave the duration: events beyond it are then left out and counted,
    /// where a scenario that contradicts itself is refused.
    pub(crate) cut_short: bool,
    pub(crate) seed: Seed,
    /// The seats that shares are chosen from.
    pub(crate) eligible: &'a SeatSet,
    /// The seats that lines can name: groups, and those of `[seats]`.
    pub(crate) named: &'a [NamedSeats],
    /// The values that lines can name.
    pub(crate) variables: &'a Variables,
}

/// The parts of an event as written.
struct Written<'a> {
    peers: &'a str,
    /// Empty where the stage has the time of all lines.
    when: &'a str,
    call: &'a str,
}

impl<'a> Stage<'a> {
    /// The stage of a scenario, for lines with a time.
    pub(crate) fn of(
        (peers, named, eligible): (u32, &'a [NamedSeats], &'a SeatSet),
        (duration, cut_short): (Duration, bool),
        seed: Seed,
        variables: &'a Variables,
    ) -> Stage<'a> {
        Stage { peers, duration, at: None, cut_short, seed, eligible, named, variables }
    }

    /// Reads the event lines of `text`, which is what the range `span` of the sources means.
    pub(crate) fn read(
        &self,
        text: &str,
        span: &Range<usize>,
        reader: &mut Reader,
        events: &mut Vec<ScenarioEvent>,
    ) {
        let written = reader.sources.text(span).to_owned();
        let mut cursor = 0;
        // Lines end in any way; between the two characters of one end nothing stands.
        for line in text.split(['\n', '\r']).filter(|line| !line.trim().is_empty()) {
            // A line stands in the source as it is, unless it was written with escapes.
            let start = written[cursor..].find(line).map(|at| cursor + at);
            cursor = start.map_or(cursor, |start| start + line.len());
            let location = |at: Range<usize>| match start {
                Some(start) => span.start + start + at.start..span.start + start + at.end,
                None => span.clone(),
            };
            if line.trim_start().starts_with('#') {
                continue;
            }
            let expanded = match self.variables.expand(line, true) {
                Ok(expanded) => expanded,
                Err(refusal) => {
                    reader.refuse(&location(refusal.at), refusal.message, refusal.help);
                    continue;
                }
            };
            // What stands in another place than written is known by its line.
            let whole = line.len() - line.trim_start().len()..line.trim_end().len();
            let location =
                |at: Range<usize>| location(if expanded.is_some() { whole.clone() } else { at });
            let line = expanded.as_deref().unwrap_or(line);
            let read = self.line(line).and_then(|written| {
                let at = |part: &str| part.as_ptr() as usize - line.as_ptr() as usize;
                let place = |part: &str| at(part)..at(part) + part.len();
                let span = location(place(written.call));
                let room = EVENTS_MAX.saturating_sub(events.len());
                self.events(&written, &span, room, |part, refusal| refusal.shift(at(part)))
            });
            match read {
                Ok((read, is_whole)) => {
                    events.extend(read);
                    reader.left_out += usize::from(!is_whole);
                }
                Err(refusal) => {
                    reader.refuse(&location(refusal.at), refusal.message, refusal.help);
                }
            }
        }
    }

    /// Reads a table of `[[event]]`.
    pub(crate) fn read_table(
        &self,
        table: &Raw,
        reader: &mut Reader,
        events: &mut Vec<ScenarioEvent>,
    ) -> Option<()> {
        let mut fields = Fields::new("[[event]]", table);
        let [peers, at, every, calls] =
            ["peers", "at", "every", "call"].map(|name| fields.take(name));
        fields.finish(reader, &[]);
        if at.is_none() && every.is_none() {
            reader.missing(&table.span, "at", "[[event]]", "at = \"60s\" or every = \"10s\"");
        }
        let mut needed = |part: Option<Part>, name, example: &str| {
            if part.is_none() {
                reader.missing(&table.span, name, "[[event]]", example);
            }
            part
        };
        let peers = needed(peers, "peers", "peers = \"10%\"");
        let calls = needed(calls, "call", "call = \"Peer.crash()\"");
        let (peers, calls) = (peers?, calls?);
        let peers_text = reader.text(&peers)?;
        let (when, when_part) = (when_of(&at, &every, reader)?, at.as_ref().or(every.as_ref())?);
        let items = match &calls.raw.value {
            RawValue::List(items) => items.clone(),
            _ => vec![calls.raw.clone()],
        };
        if items.is_empty() {
            reader.refuse(&calls.raw.span, "there is no call", "write call = \"Peer.crash()\"");
        }
        for item in items {
            let call = reader.text(&Part { raw: item.clone(), ..calls.clone() })?;
            let written = Written { peers: &peers_text, when: &when, call: &call };
            // The part that a refusal is about, by where its text is kept.
            let about = std::cell::Cell::new(0);
            let room = EVENTS_MAX.saturating_sub(events.len());
            let read = self.events(&written, &item.span, room, |part, refusal| {
                about.set(part.as_ptr() as usize);
                refusal
            });
            match read {
                Ok((read, is_whole)) => {
                    events.extend(read);
                    reader.left_out += usize::from(!is_whole);
                }
                Err(refusal) => {
                    let (raw, text) = match about.get() {
                        at if at == peers_text.as_ptr() as usize => (&peers.raw, &peers_text),
                        at if at == when.as_ptr() as usize => (&when_part.raw, &when),
                        _ => (&item, &call),
                    };
                    let span = reader.inside(&raw.span, text, &refusal.at);
                    reader.refuse(&span, refusal.message, refusal.help);
                }
            }
        }
        Some(())
    }

    /// Takes a line apart.
    fn line<'t>(&self, line: &'t str) -> Result<Written<'t>, Refusal> {
        let first = word(line, 0);
        let mut at = first.end;
        let mut next = |wanted: &[&str]| {
            let range = word(line, at);
            let is_wanted = wanted.is_empty() || wanted.contains(&&line[range.clone()]);
            at = if is_wanted { range.end } else { at };
            is_wanted.then_some(range)
        };
        // `PEERS` may be `5 of east`, and the time `1m..5m every 10s`.
        let mut peers = first.clone();
        if next(&["of"]).is_some() {
            peers.end = next(&[]).map_or(peers.end, |set| set.end);
        }
        let mut when = peers.end..peers.end;
        if self.at.is_none() {
            let is_period = next(&["every"]);
            when = is_period.clone().or_else(|| next(&[])).unwrap_or(when);
            if is_period.is_some() || next(&["every"]).is_some() {
                when.end = next(&[]).map_or(when.end, |period| period.end);
            }
        }
        let call = word(line, when.end).start..line.trim_end().len();
        if call.is_empty() {
            let message = "the line ends before its call";
            let help = match self.at {
                Some(_) => "write PEERS CALL, such as `0-9 Peer.stop()`",
                None => "write PEERS TIME CALL, such as `0-9 14.3 Peer.stop()`",
            };
            return Refusal::new(line.trim_end().len()..line.len(), message, help);
        }
        Ok(Written { peers: &line[peers], when: &line[when], call: &line[call] })
    }

    /// The events that one as written stands for, at most `room` of them; and whether they are all,
    /// since a shorter run leaves out those after its end. `place` gives a refusal in a part of the
    /// text its place.
    fn events(
        &self,
        written: &Written<'_>,
        span: &Range<usize>,
        room: usize,
        place: impl Fn(&str, Refusal) -> Refusal,
    ) -> Result<(Vec<ScenarioEvent>, bool), Refusal> {
        let Written { peers, when, call } = *written;
        let known = KnownSeats { peers: self.peers, named: self.named };
        let selection = Selection::parse(peers, known).map_err(|refusal| place(peers, refusal))?;
        let (when, times) = match self.at {
            Some(at) => (When::At(at), vec![at]),
            None => self.times(when, room).map_err(|refusal| place(when, refusal))?,
        };
        let action = call::parse(call).map_err(|refusal| place(call, refusal))?;
        let name = action.to_string();
        let mut events = Vec::new();
        for at in &times {
            // The choice depends on the event and its time; another line changes no other choice.
            let random = self.seed.named("event").at(at.as_nanos()).named(&name);
            let seats = selection.clone().choose(self.eligible, || random);
            let seats = seats.map_err(|message| {
                place(peers, Refusal { at: 0..peers.len(), message, help: CHOICE_HELP.into() })
            })?;
            let mut action = action.clone();
            self.name_others(&mut action, call, random).map_err(|refusal| place(call, refusal))?;
            events.push(ScenarioEvent { at: *at, seats, action, span: span.clone() });
        }
        if let When::Within(from, to) = when {
            events = events.into_iter().flat_map(|event| self.spread(&event, from, to)).collect();
        }
        let mut all = Vec::new();
        for event in events {
            match self.swizzle(&event, call) {
                None => all.push(event),
                Some(parts) => all.extend(parts.map_err(|refusal| place(call, refusal))?),
            }
        }
        let end = Time::ZERO + self.duration;
        let (from, to) = when.ends();
        all.retain(|event| event.at < end);
        Ok((all, from < end && to < end))
    }

    /// The same event for each of its seats at an instant of its own.
    fn spread(&self, event: &ScenarioEvent, from: Time, to: Time) -> Vec<ScenarioEvent> {
        let random = self.seed.named("instant").at(from.as_nanos());
        let random = random.named(&event.action.to_string());
        let span = (to - from).as_nanos().saturating_add(1);
        let one = |seat: Seat| {
            let instant = random.at(u64::from(seat.0)).rng().below(span);
            let at = from + Duration::from_nanos(instant);
            ScenarioEvent { at, seats: SeatSet::from_iter([seat]), ..event.clone() }
        };
        let mut all: Vec<_> = event.seats.iter().map(one).collect();
        all.sort_by_key(|event| event.at);
        all
    }

    /// The seats that this text names.
    pub(crate) fn seats(&self, text: &str) -> Result<SeatSet, Refusal> {
        let known = KnownSeats { peers: self.peers, named: self.named };
        let chosen = Selection::parse(text, known)?;
        chosen
            .choose(self.eligible, || self.seed.named("seats"))
            .or_else(|message| Refusal::new(0..text.len(), message, CHOICE_HELP))
    }

    /// Reads the others that a call on the network names, which are its first argument. `call` is
    /// its text.
    fn name_others(&self, action: &mut Action, call: &str, random: Seed) -> Result<(), Refusal> {
        let Action::Network { name, from, arguments } = action else { return Ok(()) };
        let others = match (NetworkCall::of(name), arguments.first()) {
            (NetworkCall::Cut, Some(Value::Text(others))) if others != "in-flight" => {
                others.clone()
            }
            (NetworkCall::Pairs, Some(Value::Text(others))) => others.clone(),
            (NetworkCall::Pairs, Some(Value::Integer(seat))) => seat.to_string(),
            _ => return Ok(()),
        };
        let location = call::argument_range(call, 0).unwrap_or(0..call.len());
        let refused = |refusal| Refusal { at: location.clone(), ..refusal };
        let known = KnownSeats { peers: self.peers, named: self.named };
        let named = Selection::parse(&others, known).map_err(refused)?;
        let chosen = named.choose(self.eligible, || random.named("others"));
        *from = Some(chosen.or_else(|message| Refusal::new(location, message, CHOICE_HELP))?);
        arguments.remove(0);
        Ok(())
    }

    /// The parts of an event that stands for many: a swizzle clogs its seats one by one and
    /// releases them in another order.
    fn swizzle(
        &self,
        event: &ScenarioEvent,
        call: &str,
    ) -> Option<Result<Vec<ScenarioEvent>, Refusal>> {
        let Action::Network { name, arguments, .. } = &event.action else { return None };
        if NetworkCall::of(name) != NetworkCall::Swizzle {
            return None;
        }
        let [Value::Duration(span)] = arguments.as_slice() else {
            let wrong = usize::from(matches!(arguments.first(), Some(Value::Duration(_))));
            let location = call::argument_range(call, wrong).unwrap_or(0..call.len());
            let message = "these are not the arguments of a swizzle";
            return Some(Refusal::new(location, message, "write Network.swizzle(TIME)"));
        };
        let random = self.seed.named("swizzle").at(event.at.as_nanos());
        let half = *span / 2;
        let part = |seat: Seat, name: &str, from: Duration| {
            let instant = random.at(u64::from(seat.0)).named(name).rng().below(half.as_nanos());
            let action =
                Action::Network { name: name.to_owned(), from: None, arguments: Vec::new() };
            let at = event.at + from + Duration::from_nanos(instant);
            let seats = SeatSet::from_iter([seat]);
            ScenarioEvent { at, seats, action, span: event.span.clone() }
        };
        let mut parts: Vec<ScenarioEvent> = event
            .seats
            .iter()
            .flat_map(|seat| [part(seat, "clog", Duration::ZERO), part(seat, "release", half)])
            .filter(|part| part.at < Time::ZERO + self.duration)
            .collect();
        parts.sort_by_key(|part| part.at);
        Some(Ok(parts))
    }

    /// Reads when an event happens, and lists the instants: at most `room` of them.
    fn times(&self, text: &str, room: usize) -> Result<(When, Vec<Time>), Refusal> {
        let when = When::parse(text)?;
        let (from, to) = when.ends();
        let end = Time::ZERO + self.duration;
        if to >= end && !self.cut_short {
            let message = match from < end {
                true => format!("this goes on after the end of the run at {}", self.duration),
                false => format!("this never happens: the run is over at {}", self.duration),
            };
            let help = "give an earlier time, or a longer `for`";
            return Refusal::new(0..text.len(), message, help);
        }
        let When::Every(from, to, period) = when else { return Ok((when, vec![from])) };
        let last = to.unwrap_or(end).min(end);
        let count = match last >= from {
            true => (last - from).as_nanos() / period.as_nanos() + 1,
            false => 0,
        };
        if count > room as u64 {
            let message = format!("this happens {count} times");
            let help = format!("a scenario has at most {EVENTS_MAX} events; give a longer period");
            return Refusal::new(0..text.len(), message, help);
        }
        Ok((when, (0..count).map(|i| from + period * i).filter(|at| *at < end).collect()))
    }
}

/// The time of a table as a line has it: the words of both keys.
fn when_of(at: &Option<Part>, every: &Option<Part>, reader: &mut Reader) -> Option<String> {
    let mut words = Vec::new();
    if let Some(part) = at {
        let at = reader.text(part)?;
        if at.split_whitespace().any(|word| word == "every") {
            let help = "write the period as every = \"10s\"";
            reader.refuse(&part.raw.span, "the period has a key of its own", help);
            return None;
        }
        words.push(at);
    }
    if let Some(part) = every {
        words.extend(["every".to_owned(), reader.text(part)?]);
    }
    Some(words.join(" "))
}

/// The first word at or after `from`; empty at the end.
fn word(line: &str, from: usize) -> Range<usize> {
    let start = line.len() - line[from..].trim_start().len();
    let length = line[start..].find(char::is_whitespace).unwrap_or(line.len() - start);
    start..start + length
}
