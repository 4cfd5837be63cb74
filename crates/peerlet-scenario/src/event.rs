//! Event lines, which are ProtoPeer's: `PEERS TIME CALL`, with `#` comments.

use std::ops::Range;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Duration, DurationError, Seat, Seed, Time, Value};

use crate::call::{self, Action, normalize};
use crate::group::Group;
use crate::instant::instant;
use crate::problem::suggest;
use crate::reader::Reader;
use crate::seats::{Refusal, Selection};

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
    /// The groups, which lines can name.
    pub(crate) groups: &'a [Group],
}

impl Stage<'_> {
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
            match self.line(line) {
                Ok((at, ..)) if at >= Time::ZERO + self.duration => reader.left_out += 1,
                Ok((at, seats, action, call)) => {
                    let event = ScenarioEvent { at, seats, action, span: location(call.clone()) };
                    match self.swizzle(&event, &line[call.clone()]) {
                        None => events.push(event),
                        Some(Ok(parts)) => events.extend(parts),
                        Some(Err(refusal)) => {
                            let refusal = refusal.shift(call.start);
                            reader.refuse(&location(refusal.at), refusal.message, refusal.help);
                        }
                    }
                }
                Err(refusal) => {
                    reader.refuse(&location(refusal.at), refusal.message, refusal.help);
                }
            }
        }
    }

    /// Reads one line, and says where its call is.
    fn line(&self, line: &str) -> Result<(Time, SeatSet, Action, Range<usize>), Refusal> {
        let peers = word(line, 0);
        let time = match self.at {
            Some(_) => peers.end..peers.end,
            None => word(line, peers.end),
        };
        let call = word(line, time.end).start..line.trim_end().len();
        if call.is_empty() {
            let message = "the line ends before its call";
            let help = match self.at {
                Some(_) => "write PEERS CALL, such as `0-9 Peer.stop()`",
                None => "write PEERS TIME CALL, such as `0-9 14.3 Peer.stop()`",
            };
            return Refusal::new(line.trim_end().len()..line.len(), message, help);
        }
        let selection =
            self.select(&line[peers.clone()]).map_err(|refusal| refusal.shift(peers.start))?;
        let at = match self.at {
            Some(at) => at,
            None => self.time(&line[time.clone()]).map_err(|refusal| refusal.shift(time.start))?,
        };
        let mut action =
            call::parse(&line[call.clone()]).map_err(|refusal| refusal.shift(call.start))?;
        // The choice depends on the event and its time, so another line changes no other choice.
        let random = self.seed.named("event").at(at.as_nanos()).named(&action.to_string());
        let text = &line[call.clone()];
        self.name_others(&mut action, text, random).map_err(|refusal| refusal.shift(call.start))?;
        Ok((at, selection.resolve(self.eligible, || random), action, call))
    }

    /// The seats that this text names.
    pub(crate) fn seats(&self, text: &str) -> Result<SeatSet, Refusal> {
        Ok(self.select(text)?.resolve(self.eligible, || self.seed.named("seats")))
    }

    /// Reads peers: a group by its name, or seats.
    fn select(&self, text: &str) -> Result<Selection, Refusal> {
        let named = |group: &&Group| normalize(&group.name) == normalize(text);
        if let Some(group) = self.groups.iter().find(named) {
            return Ok(Selection::Seats(group.seats.clone()));
        }
        let is_word = text.starts_with(|c: char| c.is_alphabetic());
        if is_word && !self.groups.is_empty() {
            let names: Vec<&str> = self.groups.iter().map(|group| group.name.as_str()).collect();
            let help = match suggest(text, &names) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the groups are: {}", names.join(", ")),
            };
            return Refusal::new(0..text.len(), format!("no group is named `{text}`"), help);
        }
        Selection::parse(text, self.peers)
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
        let named = self.select(&others).map_err(|refusal| Refusal { at: location, ..refusal })?;
        *from = Some(named.resolve(self.eligible, || random.named("others")));
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

    /// Reads a time: seconds, or a number with a unit.
    fn time(&self, word: &str) -> Result<Time, Refusal> {
        let help = "write seconds such as 14.3, or a number with a unit such as 250ms";
        let at = match instant(word) {
            Ok(at) => at,
            Err(error @ (DurationError::Resolution(_) | DurationError::Range(_))) => {
                return Refusal::new(0..word.len(), error.to_string(), help);
            }
            Err(_) => return Refusal::new(0..word.len(), format!("`{word}` is no time"), help),
        };
        if at >= Time::ZERO + self.duration && !self.cut_short {
            let message = format!("this never happens: the run is over at {}", self.duration);
            let help = "give an earlier time, or a longer `for`";
            return Refusal::new(0..word.len(), message, help);
        }
        Ok(at)
    }
}

/// The first word at or after `from`; empty at the end.
fn word(line: &str, from: usize) -> Range<usize> {
    let start = line.len() - line[from..].trim_start().len();
    let length = line[start..].find(char::is_whitespace).unwrap_or(line.len() - start);
    start..start + length
}
