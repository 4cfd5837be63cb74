//! Stories: everything that a run counts is told, and telling changes nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use peerlet_core::runtime::{Class, SeatSet};
use peerlet_core::{MILLISECOND, Seat, Time};
use peerlet_sim::{Engine, EventKind, Story, StoryEvent, StoryEventKind, StoryFilter};

use crate::random_faults::{Plan, each};

type Told = Arc<Mutex<Vec<StoryEvent>>>;

fn story(filter: StoryFilter) -> (Story, Told) {
    let told = Told::default();
    let into = told.clone();
    (Story::new(filter, move |event| into.lock().expect("nobody panics").push(event.clone())), told)
}

fn count(told: &[StoryEvent], class: Class, is: impl Fn(StoryEventKind) -> bool) -> u64 {
    told.iter().filter(|event| event.class == Some(class) && is(event.kind)).count() as u64
}

#[test]
fn all_that_is_counted_is_told_and_telling_changes_nothing() {
    let (sent, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
    each(12, Plan::stormy, |plan, number| {
        let (expected, _) = plan.run(|stage| stage.setup.engine = Engine::Windowed);
        let (all, told) = story(StoryFilter::default());
        let (outcome, _) = plan.run(move |stage| stage.setup.story = Some(all));
        assert_eq!(outcome.digest, expected.digest, "plan {number}");
        assert_eq!(outcome.ledger, expected.ledger, "plan {number}");
        let told = told.lock().expect("nobody panics");
        let flow = &outcome.ledger.datagram;
        let is_dropped = |kind| matches!(kind, StoryEventKind::Dropped(_));
        let delivered = |kind| kind == StoryEventKind::Handled(EventKind::Deliver);
        assert_eq!(count(&told, Class::Datagram, |kind| kind == StoryEventKind::Sent), flow.sent);
        assert_eq!(count(&told, Class::Datagram, delivered), flow.delivered);
        assert_eq!(count(&told, Class::Datagram, is_dropped), flow.dropped_total());
        let reliable = &outcome.ledger.reliable;
        assert_eq!(count(&told, Class::Reliable, delivered), reliable.delivered);
        assert!(told.is_sorted_by_key(|event| event.time), "plan {number}");
        let handled = told.iter().filter(|event| matches!(event.kind, StoryEventKind::Handled(_)));
        assert_eq!(handled.count() as u64, outcome.events, "plan {number}");
        sent.fetch_add(flow.sent, Relaxed);
        dropped.fetch_add(flow.dropped_total(), Relaxed);
    });
    let (sent, dropped) = (sent.into_inner(), dropped.into_inner());
    assert!(sent > 1_000 && dropped > 100, "{sent} {dropped}");
}

#[test]
fn a_story_is_of_some_peers_for_some_time() {
    each(3, Plan::stormy, |plan, _| {
        let (all, whole) = story(StoryFilter::default());
        plan.run(move |stage| stage.setup.story = Some(all));
        let (from, to) = (Time::ZERO + MILLISECOND * 40, Time::ZERO + MILLISECOND * 250);
        let peers: SeatSet = [Seat(1)].into_iter().collect();
        let (some, part) = story(StoryFilter { peers: Some(peers), port: None, from, to });
        plan.run(move |stage| stage.setup.story = Some(some));
        let whole = whole.lock().expect("nobody panics");
        let expected: Vec<&StoryEvent> = whole
            .iter()
            .filter(|event| (from..to).contains(&event.time))
            .filter(|event| event.seat == Seat(1) || event.other == Some(Seat(1)))
            .collect();
        let part = part.lock().expect("nobody panics");
        assert!(!expected.is_empty() && part.iter().eq(expected));
        // A datagram is delivered or dropped under the number under which it was sent.
        let arrived = whole.iter().filter(|event| {
            event.kind == StoryEventKind::Handled(EventKind::Deliver)
                && event.class == Some(Class::Datagram)
        });
        for event in arrived {
            let is_same = |other: &&StoryEvent| {
                other.kind == StoryEventKind::Sent
                    && Some(other.seat) == event.other
                    && other.number == event.number
            };
            let sent = whole.iter().find(is_same).expect("it was sent");
            assert_eq!((sent.other, sent.port), (Some(event.seat), event.port));
        }
    });
}
