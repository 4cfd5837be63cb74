//! The names by which configurations pick siblings for roles, checked before anything runs.

use std::fmt;

use crate::peer::{Boxed, Peer};
use crate::registry::{Entry, Registry, StackError};
use crate::role::{Role, RoleName};

/// The siblings that a peerlet's configuration picks for roles, filled in by
/// [`Peerlet::picks`](crate::Peerlet::picks).
#[derive(Default)]
pub struct Picks(Vec<Pick>);

struct Pick {
    role: RoleName,
    parameter: &'static str,
    sibling: Option<String>,
}

impl Picks {
    /// Names the parameter that picks a sibling for a role, and its value: the sibling's name, or
    /// `None` for the nearest one below that plays the role.
    pub fn role<R: Role + ?Sized>(
        &mut self,
        parameter: &'static str,
        sibling: Option<&str>,
    ) -> &mut Self {
        let (role, sibling) = (RoleName::of::<R>(), sibling.map(str::to_owned));
        self.0.push(Pick { role, parameter, sibling });
        self
    }

    /// Whether the role's player is named, by each parameter that picks one.
    fn name(&self, role: &RoleName) -> bool {
        let mut own = self.0.iter().filter(|pick| pick.role.id == role.id).peekable();
        own.peek().is_some() && own.all(|pick| pick.sibling.is_some())
    }
}

/// A name by which a peerlet picks a sibling for a role, and which is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrongPick {
    /// The peerlet.
    pub peerlet: &'static str,
    /// Its parameter.
    pub parameter: &'static str,
    /// The role.
    pub role: &'static str,
    /// The name.
    pub picked: String,
    /// Whether a peerlet of this name is on the stack.
    pub is_on_stack: bool,
    /// The siblings on the stack that play the role.
    pub players: Vec<&'static str>,
}

impl fmt::Display for WrongPick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WrongPick { peerlet, parameter, role, picked, is_on_stack, players } = self;
        let why = match is_on_stack {
            true if picked == peerlet => "which is that peerlet itself".to_owned(),
            true => format!("which does not play the role `{role}`"),
            false => "which is not on the stack".to_owned(),
        };
        write!(f, "the parameter `{parameter}` of `{peerlet}` names `{picked}`, {why}; ")?;
        let meant = players.iter().find(|player| !is_on_stack && is_near(picked, player));
        match (meant, players.as_slice()) {
            (Some(meant), _) => write!(f, "did you mean `{meant}`?"),
            (None, []) => write!(f, "put a sibling on the stack that plays the role `{role}`"),
            (None, players) => write!(f, "name one of `{}`", players.join("`, `")),
        }
    }
}

/// Whether a name may be a misspelling of another: one edit for each three letters.
fn is_near(written: &str, known: &str) -> bool {
    let known: Vec<char> = known.chars().collect();
    let mut row: Vec<usize> = (0..=known.len()).collect();
    let mut len = 0;
    for letter in written.chars() {
        let mut diagonal = row[0];
        row[0] += 1;
        for (place, other) in known.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(diagonal + 1).min(row[place] + 1);
        }
        len += 1;
    }
    row[known.len()] <= (len / 3).max(1)
}

impl Registry {
    /// Checks that the roles that the peerlets of this stack want are played.
    pub(crate) fn check_roles(&self, peer: &Peer) -> Result<(), StackError> {
        let is_plain = |peerlet: &dyn Boxed| {
            let wants = self.entry_of(peerlet.type_id()).is_some_and(|e| !e.wanted().is_empty());
            !wants && peerlet.picked().0.is_empty()
        };
        if peer.peerlets.iter().all(|peerlet| is_plain(&**peerlet)) {
            return Ok(());
        }
        let entry = |index: usize| self.entry_of((*peer.peerlets[index]).type_id());
        let stack: Vec<&Entry> = (0..peer.peerlets.len()).filter_map(entry).collect();
        for (index, (entry, peerlet)) in stack.iter().zip(&peer.peerlets).enumerate() {
            let picks = peerlet.picked();
            let below = &stack[..index];
            for pick in &picks.0 {
                check_pick(&stack, entry, pick)?;
            }
            let is_open = |role: &&RoleName| !picks.name(role);
            for role in entry.wanted().iter().filter(is_open) {
                if !below.iter().any(|player| plays(player, role)) {
                    let above = stack[index + 1..].iter().find(|player| plays(player, role));
                    let above = above.map(|player| player.name());
                    let (peerlet, role) = (entry.name(), role.name);
                    return Err(StackError::Role { peerlet, role, above });
                }
            }
        }
        Ok(())
    }
}

fn plays(player: &Entry, role: &RoleName) -> bool {
    player.played().iter().any(|played| played.id == role.id)
}

fn check_pick(stack: &[&Entry], entry: &Entry, pick: &Pick) -> Result<(), StackError> {
    let Some(picked) = &pick.sibling else { return Ok(()) };
    let siblings = || stack.iter().filter(|other| other.name() != entry.name());
    let named = siblings().find(|other| other.name() == picked);
    if named.is_some_and(|named| plays(named, &pick.role)) {
        return Ok(());
    }
    let players = siblings().filter(|other| plays(other, &pick.role));
    Err(StackError::Pick(WrongPick {
        peerlet: entry.name(),
        parameter: pick.parameter,
        role: pick.role.name,
        picked: picked.clone(),
        is_on_stack: named.is_some() || picked == entry.name(),
        players: players.map(|player| player.name()).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_names_are_near() {
        for written in ["cyclone", "cyclo", "cyclom", "ciclon", "cyclonn"] {
            assert!(is_near(written, "cyclon"), "{written}");
        }
        for written in ["", "c", "newscast", "clone", "router"] {
            assert!(!is_near(written, "cyclon"), "{written}");
        }
        assert!(is_near("ring", "rang") && !is_near("ring", "rune"));
    }
}
