//! `[measure]`: epochs and the warm-up.

use std::ops::Range;

use peerlet_core::{Duration, SECOND};

use crate::raw::{Part, RawValue};
use crate::reader::Reader;

/// The most epochs of a run: all are kept until its end, and take some 200 bytes a metric. With a
/// dozen metrics this many take a gigabyte; epochs of 10 s last for 46 days.
pub const EPOCHS_MAX: u64 = 400_000;

/// How measures are taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measure {
    /// The length of an epoch; 10 s unless given.
    pub epoch: Duration,
    /// The warm-up that is left out of the summary; none unless given.
    pub from: Duration,
    /// Whether the values and messages of each peer are summed up by themselves as well.
    pub peers: bool,
    /// The parts of the network that are measured by themselves as well.
    pub groups: MeasuredGroups,
    /// Where they are written.
    pub groups_span: Range<usize>,
}

/// The parts of a network that are measured by themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MeasuredGroups {
    /// Those that are named: groups, named seats, or choices of seats such as `17` and `0-9`. Each
    /// with where it is written.
    Named(Vec<(String, Range<usize>)>),
    /// All groups of the scenario.
    All,
}

impl Default for Measure {
    fn default() -> Measure {
        Measure {
            epoch: SECOND * 10,
            from: Duration::ZERO,
            peers: false,
            groups: MeasuredGroups::Named(Vec::new()),
            groups_span: 0..0,
        }
    }
}

impl Measure {
    /// Reads `[measure]`, if there is one, and checks how many epochs the run has.
    pub(crate) fn read_with_epochs(
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
        let groups = fields.take("groups");
        let peers = fields.take("peers").and_then(|part| reader.boolean(&part));
        fields.finish(reader, &[]);
        let mut measure = Measure { peers: peers.unwrap_or(false), ..Measure::default() };
        if let Some(part) = groups {
            measure.groups = groups_of(&part, reader)?;
            measure.groups_span = part.raw.span;
        }
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

/// Reads `true`, or a list of names.
fn groups_of(part: &Part, reader: &mut Reader) -> Option<MeasuredGroups> {
    let items = match &part.raw.value {
        RawValue::List(items) => items,
        RawValue::Bool(true) => return Some(MeasuredGroups::All),
        RawValue::Bool(false) => return Some(MeasuredGroups::Named(Vec::new())),
        _ => {
            let help = "write true for all groups, or a list such as [\"east\", \"0-9\", \"17\"]";
            reader.wrong_kind(part, "a list of peers", help.to_owned());
            return None;
        }
    };
    let mut named = Vec::new();
    for (name, span) in reader.texts(part, items) {
        if name.is_empty() || name.contains(['{', '}', ',', '=', '"', '\\']) {
            let message = format!("`{name}` cannot stand in the name of a measure");
            let help = "give these peers a name in [seats], and write that here";
            reader.refuse(&span, message, help);
            return None;
        }
        named.push((name, span));
    }
    Some(MeasuredGroups::Named(named))
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
