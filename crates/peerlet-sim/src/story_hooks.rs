//! What the engine tells a story: events, where they come about.

use peerlet_core::Seat;
use peerlet_core::runtime::{Body, Class, Header, Parcel};
use peerlet_measure::DropCause;

use crate::books::Booked;
use crate::digest::EventKind;
use crate::event::{AddressedMessage, Event, Key, RareEvent};
use crate::sim_world::SimWorld;
use crate::story::{StoryEvent, StoryEventKind};
use crate::worker::Worker;

impl SimWorld<'_> {
    /// Tells that the peer sent a message, under this number where it has one.
    #[inline]
    pub(crate) fn tell_sent(
        &mut self,
        to: Option<Seat>,
        (header, class): (Header, Class),
        parcel: &Parcel,
        number: Option<u64>,
    ) {
        if self.worker.story.is_some() {
            self.tell_of(StoryEventKind::Sent, to, (header, class), parcel, number);
        }
    }

    /// Tells that a message which the peer sent was dropped at once.
    #[inline]
    pub(crate) fn tell_dropped(
        &mut self,
        to: Option<Seat>,
        (header, class): (Header, Class),
        (parcel, cause): (&Parcel, DropCause),
        number: Option<u64>,
    ) {
        if self.worker.story.is_some() {
            self.tell_of(StoryEventKind::Dropped(cause), to, (header, class), parcel, number);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_of(
        &mut self,
        kind: StoryEventKind,
        to: Option<Seat>,
        (header, class): (Header, Class),
        parcel: &Parcel,
        number: Option<u64>,
    ) {
        let Some(story) = &mut self.worker.story else { return };
        let event = StoryEvent {
            other: to,
            port: Some(header.port),
            call: header.call,
            class: Some(class),
            size: u32::try_from(parcel.encoded_len()).ok(),
            number,
            ..StoryEvent::new(self.now.time, self.seat, kind)
        };
        story.tell(event, || parcel.json());
    }

    /// Tells that the peer handles an event. Of messages their own paths tell.
    #[inline]
    pub(crate) fn tell_booked(&mut self, booked: &Booked) {
        let Some(story) = &mut self.worker.story else { return };
        if !matches!(booked.kind, EventKind::Deliver | EventKind::Undelivered) {
            let kind = StoryEventKind::Handled(booked.kind);
            let event = StoryEvent::new(self.now.time, self.seat, kind);
            story.tell_first(StoryEvent { port: booked.port, call: booked.call, ..event });
        }
    }

    /// Takes back what was told last: nobody handled the event. A message was dropped then.
    pub(crate) fn untell(&mut self) {
        if let Some(story) = &mut self.worker.story {
            story.take_back();
        }
    }
}

impl Worker {
    /// Tells that a message is delivered or was reported, with its size where it is known.
    pub(crate) fn tell_message(
        &mut self,
        key: Key,
        (kind, other): (EventKind, Seat),
        (header, class, size): (Header, Class, Option<u32>),
        body: &Body,
    ) {
        let Some(story) = &mut self.state.story else { return };
        let event = StoryEvent {
            other: Some(other),
            port: Some(header.port),
            call: header.call,
            class: Some(class),
            size,
            // That of its sender, unless it is reported: then it is the peer's own.
            number: (kind == EventKind::Deliver).then_some(key.seq),
            ..StoryEvent::new(key.time, key.seat, StoryEventKind::Handled(kind))
        };
        let host = &self.host;
        story.tell(event, || host.json(header.port, body));
    }

    /// Tells that there was no room for a message at a paused receiver.
    pub(crate) fn tell_refused(&mut self, key: Key, source: Seat, refused: Event) {
        if let Event::Rare(rare) = refused
            && let RareEvent::Message(message) = *rare
        {
            self.tell_turned_away(key, source, &message, DropCause::Queue);
        }
    }

    /// Tells that a message was dropped at its receiver.
    pub(crate) fn tell_turned_away(
        &mut self,
        key: Key,
        source: Seat,
        message: &AddressedMessage,
        cause: DropCause,
    ) {
        let Some(story) = &mut self.state.story else { return };
        let AddressedMessage { header, body, size, delivery, .. } = message;
        let event = StoryEvent {
            other: Some(key.seat),
            port: Some(header.port),
            call: header.call,
            class: Some(delivery.class()),
            size: Some(*size),
            number: Some(key.seq),
            ..StoryEvent::new(key.time, source, StoryEventKind::Dropped(cause))
        };
        let host = &self.host;
        story.tell(event, || host.json(header.port, body));
    }
}
