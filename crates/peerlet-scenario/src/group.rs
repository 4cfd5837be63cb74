//! Stacks, and the groups of seats that have one of their own.

use std::ops::Range;

use peerlet_core::runtime::SeatSet;
use peerlet_core::{Seat, Seed};

use crate::call::normalize;
use crate::raw::{Part, Raw, RawValue};
use crate::reader::{Fields, Reader};
use crate::seats::{CHOICE_HELP, KnownSeats, NamedSeats, SEATS_HELP, Selection};

/// A peerlet on a stack.
#[derive(Clone, PartialEq, Debug)]
pub struct StackEntry {
    /// The peerlet's name as written.
    pub name: String,
    /// Where the name is written.
    pub span: Range<usize>,
    /// Its parameters: a table.
    pub params: Raw,
}

/// Seats whose stack differs from that of the others.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// The group's name.
    pub name: String,
    /// Where the name is written.
    pub span: Range<usize>,
    /// Its seats; no other group has them.
    pub seats: SeatSet,
    /// Its whole stack: the scenario's, with the group's parameters put over it key by key and the
    /// group's other peerlets behind it.
    pub stack: Vec<StackEntry>,
}

/// Which seats are what.
pub(crate) struct Seating {
    /// The seats that the stacks name as servers; seat 0 where they name none.
    pub(crate) servers: SeatSet,
    /// All others, among which seats are chosen at random.
    pub(crate) eligible: SeatSet,
    pub(crate) groups: Vec<Group>,
    /// The seats that have a name: groups, then those of `[seats]`.
    pub(crate) named: Vec<NamedSeats>,
}

impl Seating {
    /// Reads `[[group]]` and `[seats]`.
    pub(crate) fn read(
        (groups, seats): (Option<&Part>, Option<&Part>),
        stack: &[StackEntry],
        (peers, seed): (u32, Seed),
        reader: &mut Reader,
    ) -> Seating {
        let drafts = groups.map(|part| read_groups(part, peers, reader)).unwrap_or_default();
        let over = drafts.iter().map(|draft| draft.over.as_slice());
        let of_stacks = over.chain([stack]).map(|stack| servers(stack, peers));
        let servers = of_stacks.fold(SeatSet::default(), |all, some| all.union(&some));
        // Some seat is what others begin with: where none is named, the first one.
        let servers = if servers.is_empty() { SeatSet::from_ranges([0..=0]) } else { servers };
        let eligible = SeatSet::all(peers).without(&servers);
        let groups = form_groups(drafts, stack, &eligible, seed, reader);
        let named = name_seats(seats, &groups, (peers, &eligible), seed, reader);
        Seating { servers, eligible, groups, named }
    }
}

/// Reads the peerlets of a stack, in order.
pub(crate) fn read_stack(part: &Part, reader: &mut Reader) -> Vec<StackEntry> {
    let Some(mut fields) = reader.table(part, "a stack") else { return Vec::new() };
    let mut stack: Vec<StackEntry> = Vec::new();
    for Part { name, name_span, raw } in fields.rest() {
        if stack.iter().any(|entry| normalize(&entry.name) == normalize(&name)) {
            let help = "give each peerlet one entry; case and underscores make no other name";
            reader.refuse(&name_span, format!("`{name}` is on the stack twice"), help);
        } else if let RawValue::Table(_) = raw.value {
            stack.push(StackEntry { name, span: name_span, params: raw });
        } else {
            let message = format!("the parameters of `{name}` are {}, not a table", raw.kind());
            reader.refuse(&raw.span, message, format!("write {name} = {{ parameter = value }}"));
        }
    }
    stack
}

/// The stack with the entries of `over` put over it.
fn put_over(stack: &[StackEntry], over: Vec<StackEntry>) -> Vec<StackEntry> {
    let mut stack = stack.to_vec();
    for entry in over {
        let name = normalize(&entry.name);
        let Some(old) = stack.iter_mut().find(|old| normalize(&old.name) == name) else {
            stack.push(entry);
            continue;
        };
        if let RawValue::Table(parts) = &mut old.params.value {
            entry.params.parts().iter().for_each(|part| Raw::put(parts, part.clone()));
        }
        (old.span, old.params.span) = (entry.span, entry.params.span);
    }
    stack
}

/// The seats that the stack names as servers, under the parameters `server` and `servers`.
///
/// A number too large for a seat is no concern of ours: it may be a parameter of another meaning.
fn servers(stack: &[StackEntry], peers: u32) -> SeatSet {
    let (mut seats, known) = (Vec::new(), KnownSeats { peers, named: &[] });
    for entry in stack {
        for name in ["server", "servers"] {
            let Some(part) = entry.params.get(name) else { continue };
            match &part.raw.value {
                RawValue::List(items) => seats.extend(items.iter().flat_map(seat)),
                RawValue::Text(text) => {
                    if let Ok(Selection::Seats(set)) = Selection::parse(text, known) {
                        seats.extend(set.iter());
                    }
                }
                _ => seats.extend(seat(&part.raw)),
            }
        }
    }
    seats.into_iter().filter(|seat| seat.0 < peers).collect()
}

fn seat(raw: &Raw) -> Option<Seat> {
    raw.read::<u32>().ok().map(Seat)
}

/// A group before its seats are chosen.
struct Draft {
    name: String,
    span: Range<usize>,
    seats_span: Range<usize>,
    selection: Selection,
    over: Vec<StackEntry>,
}

/// Reads the groups, whose names differ.
fn read_groups(part: &Part, peers: u32, reader: &mut Reader) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for table in reader.tables(part) {
        let Some(draft) = read_group(&table, peers, reader) else { continue };
        if drafts.iter().any(|other| other.name == draft.name) {
            let message = format!("two groups are named `{}`", draft.name);
            reader.refuse(&draft.span, message, "give each its own name");
        }
        drafts.push(draft);
    }
    drafts
}

fn read_group(table: &Raw, peers: u32, reader: &mut Reader) -> Option<Draft> {
    let mut fields = Fields::new("[[group]]", table);
    let (name, seats) = (fields.take("name"), fields.take("peers"));
    let over = fields.take("stack").map(|part| read_stack(&part, reader)).unwrap_or_default();
    fields.finish(reader, &[]);
    if name.is_none() {
        reader.missing(&table.span, "name", "[[group]]", "name = \"slow\"");
    }
    if seats.is_none() {
        reader.missing(&table.span, "peers", "[[group]]", "peers = \"10%\"");
    }
    let (name, seats) = (name?, seats?);
    let selection = read_seats(&seats, KnownSeats { peers, named: &[] }, reader);
    let span = name.raw.span.clone();
    let name = reader.text(&name)?;
    Some(Draft { name, span, seats_span: seats.raw.span, selection: selection?, over })
}

/// Reads which seats: a text, or a number of them to choose at random.
pub(crate) fn read_seats(
    part: &Part,
    known: KnownSeats<'_>,
    reader: &mut Reader,
) -> Option<Selection> {
    if let RawValue::Integer(_) = part.raw.value {
        let count = reader.integer(part, 1..=u64::from(known.peers))? as u32;
        return Some(Selection::Count { count, of: None, is_share: false });
    }
    let RawValue::Text(text) = &part.raw.value else {
        reader.wrong_kind(part, "a choice of seats", SEATS_HELP.to_owned());
        return None;
    };
    match Selection::parse(text, known) {
        Ok(selection) => Some(selection),
        Err(refusal) => {
            let span = reader.inside(&part.raw.span, text, &refusal.at);
            reader.refuse(&span, refusal.message, refusal.help);
            None
        }
    }
}

/// Gives the groups their seats: first those that are named, then shares and counts in the order of
/// the file, chosen at random among the `eligible` seats that are in no group yet. The choice
/// depends on the group's name.
fn form_groups(
    drafts: Vec<Draft>,
    stack: &[StackEntry],
    eligible: &SeatSet,
    seed: Seed,
    reader: &mut Reader,
) -> Vec<Group> {
    let mut taken = SeatSet::default();
    let mut seats = vec![SeatSet::default(); drafts.len()];
    let is_named = |draft: &&Draft| matches!(draft.selection, Selection::Seats(_));
    for named_first in [true, false] {
        for (draft, seats) in drafts.iter().zip(&mut seats) {
            if is_named(&draft) != named_first {
                continue;
            }
            let free = eligible.without(&taken);
            let random = || seed.named("group").named(&draft.name);
            *seats = draft.selection.clone().resolve(&free, random);
            check_seats(draft, seats, &taken, reader);
            taken = taken.union(seats);
        }
    }
    let form = |(draft, seats): (Draft, SeatSet)| Group {
        name: draft.name,
        span: draft.span,
        seats,
        stack: put_over(stack, draft.over),
    };
    drafts.into_iter().zip(seats).map(form).collect()
}

fn check_seats(draft: &Draft, seats: &SeatSet, taken: &SeatSet, reader: &mut Reader) {
    if let Selection::Count { count, .. } = draft.selection {
        if seats.len() < count as usize {
            let message = format!("only {} seats are left for this group of {count}", seats.len());
            let help = "make it smaller: seats of other groups and of servers are not chosen";
            reader.refuse(&draft.seats_span, message, help);
        }
        return;
    }
    let twice = seats.without(&seats.without(taken));
    if !twice.is_empty() {
        let message = format!("seats {twice} are in another group already");
        reader.refuse(
            &draft.seats_span,
            message,
            "a seat has one group at most: leave them out of one",
        );
    }
}

/// Reads `[seats]`: seats with a name that are no group. They are chosen in the order of the file,
/// each depending on its name; one may be a part of those before it, and of a group.
fn name_seats(
    part: Option<&Part>,
    groups: &[Group],
    (peers, eligible): (u32, &SeatSet),
    seed: Seed,
    reader: &mut Reader,
) -> Vec<NamedSeats> {
    let name = |group: &Group| (group.name.clone(), group.seats.clone());
    let mut named: Vec<NamedSeats> = groups.iter().map(name).collect();
    let Some(mut fields) = part.and_then(|part| reader.table(part, "[seats]")) else {
        return named;
    };
    for part in fields.rest() {
        let name = &part.name;
        let is_known = named.iter().any(|(known, _)| normalize(known) == normalize(name));
        let is_word = name.starts_with(char::is_alphabetic)
            && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c))
            && !["of", "every"].contains(&normalize(name).as_str());
        if is_known || !is_word {
            let message = match is_known {
                true => format!("seats named `{name}` are there already"),
                false => format!("`{name}` is no name for seats"),
            };
            let help = "give them a name of their own: a letter, then letters, digits, `_` and `-`";
            reader.refuse(&part.name_span, message, help);
            continue;
        }
        let known = KnownSeats { peers, named: &named };
        let Some(selection) = read_seats(&part, known, reader) else { continue };
        match selection.choose(eligible, || seed.named("seats").named(name)) {
            Ok(seats) => named.push((name.clone(), seats)),
            Err(message) => reader.refuse(&part.raw.span, message, CHOICE_HELP),
        }
    }
    named
}
