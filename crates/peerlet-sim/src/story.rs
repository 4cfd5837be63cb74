//! The story of peers: what they handled and sent, with the content of messages, and what was lost.
//!
//! A run that tells a story handles events one by one and decides the fate of each datagram at
//! once. What happens is the same.

use std::fmt;

use peerlet_core::runtime::{Call, Class, Port, SeatSet};
use peerlet_core::{Seat, Time};
use peerlet_measure::DropCause;

use crate::digest::EventKind;

/// What a story is about. Default: all peers at all times.
#[derive(Clone, PartialEq, Debug)]
pub struct StoryFilter {
    /// The peers: what they handled, and messages from and to them; all where none are named.
    pub peers: Option<SeatSet>,
    /// Only what is about this peerlet.
    pub port: Option<Port>,
    /// From this instant on.
    pub from: Time,
    /// Before this instant.
    pub to: Time,
}

impl Default for StoryFilter {
    fn default() -> StoryFilter {
        StoryFilter { peers: None, port: None, from: Time::ZERO, to: Time::MAX }
    }
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoryEventKind {
    /// The peer sent a message.
    Sent,
    /// A message was dropped: on its way, by its sender or by its receiver.
    Dropped(DropCause),
    /// The peer handled an event.
    Handled(EventKind),
}

impl StoryEventKind {
    /// The kind in one word.
    pub fn name(self) -> &'static str {
        match self {
            StoryEventKind::Sent => "send",
            StoryEventKind::Dropped(_) => "drop",
            StoryEventKind::Handled(kind) => kind.name(),
        }
    }
}

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoryEvent {
    /// When.
    pub time: Time,
    /// The peer: that which sent or handled it; of a message that was dropped its sender.
    pub seat: Seat,
    /// What happened.
    pub kind: StoryEventKind,
    /// The other peer of a message: that to which it was sent, or from which it came.
    pub other: Option<Seat>,
    /// The peerlet that it is about.
    pub port: Option<Port>,
    /// The call that it is part of.
    pub call: Call,
    /// The class of a message.
    pub class: Option<Class>,
    /// The encoded size of a message, in bytes.
    pub size: Option<u32>,
    /// The number of the message among the events of its sender. A datagram is delivered or dropped
    /// under the number under which it was sent.
    pub number: Option<u64>,
    /// The message as JSON.
    pub message: Option<String>,
}

impl StoryEvent {
    pub(crate) fn new(time: Time, seat: Seat, kind: StoryEventKind) -> StoryEvent {
        StoryEvent {
            time,
            seat,
            kind,
            other: None,
            port: None,
            call: Call::None,
            class: None,
            size: None,
            number: None,
            message: None,
        }
    }
}

/// A story, to be told while a simulation runs on one thread.
pub struct Story {
    /// What it is about.
    filter: StoryFilter,
    /// Takes each event that is told.
    listener: Box<dyn FnMut(&StoryEvent) + Send>,
    /// The events of the current event, which are told when it is over.
    current: Vec<StoryEvent>,
}

impl Story {
    /// A story about this, for a listener.
    pub fn new(filter: StoryFilter, listener: impl FnMut(&StoryEvent) + Send + 'static) -> Story {
        Story { filter, listener: Box::new(listener), current: Vec::new() }
    }

    /// Whether an event about these peers and this peerlet is told.
    fn tells(&self, at: Time, peers: [Option<Seat>; 2], port: Option<Port>) -> bool {
        let StoryFilter { peers: named, port: only, from, to } = &self.filter;
        let is_named = |seat: &Seat| named.as_ref().is_none_or(|named| named.contains(*seat));
        at >= *from
            && at < *to
            && only.is_none_or(|only| port == Some(only))
            && peers.iter().flatten().any(is_named)
    }

    /// Tells what the event says, if the story is about it.
    pub(crate) fn tell(&mut self, mut event: StoryEvent, message: impl FnOnce() -> Option<String>) {
        if self.tells(event.time, [Some(event.seat), event.other], event.port) {
            event.message = message();
            self.current.push(event);
        }
    }

    /// Tells of the event that is being handled, ahead of what it led to.
    pub(crate) fn tell_first(&mut self, event: StoryEvent) {
        if self.tells(event.time, [Some(event.seat), event.other], event.port) {
            self.current.insert(0, event);
        }
    }

    /// Nobody handled the event that was told: a message was dropped, and of anything else nothing
    /// is told.
    pub(crate) fn take_back(&mut self) {
        for mut event in std::mem::take(&mut self.current) {
            if let (Some(from), StoryEventKind::Handled(EventKind::Deliver)) =
                (event.other, event.kind)
            {
                (event.other, event.seat) = (Some(event.seat), from);
                event.kind = StoryEventKind::Dropped(DropCause::Decode);
                self.current.push(event);
            }
        }
    }

    /// The current event is over.
    pub(crate) fn flush(&mut self) {
        for event in self.current.drain(..) {
            (self.listener)(&event);
        }
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").field("filter", &self.filter).finish_non_exhaustive()
    }
}
