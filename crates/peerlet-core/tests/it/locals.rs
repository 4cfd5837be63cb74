//! Siblings and local events.

use peerlet_core::runtime::{Registry, StackError};
use peerlet_core::{Address, Context, Description, Nothing, Peer, Peerlet, TestPeer};

struct Changed(u32);

/// Keeps a number and tells of its changes.
#[derive(Default)]
struct Store {
    value: u32,
}

impl Store {
    fn set(&mut self, ctx: &mut Context<Self>, value: u32) {
        self.value = value;
        ctx.emit(Changed(value));
    }
}

impl Peerlet for Store {
    const NAME: &'static str = "store";
    type Message = u32;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.hears(|me: &mut Store, ctx, _: &Nested| {
            // The one who made the event is done by now, so both are free.
            let sibling = ctx.sibling::<Reader>().expect("the reader is not on the stack");
            me.value = sibling.heard.len() as u32 * 100;
        });
    }
}

struct Nested;

/// Writes to its sibling what it gets, and hears of the changes.
#[derive(Default)]
struct Reader {
    heard: Vec<u32>,
    during: Vec<bool>,
}

impl Peerlet for Reader {
    const NAME: &'static str = "reader";
    type Message = u32;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.uses::<Store>().hears(Reader::changed);
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, value: u32) {
        let mut store = ctx.sibling::<Store>().expect("the store is on the stack");
        store.set(&mut ctx.of::<Store>(), value);
        self.during.push(ctx.sibling::<Store>().is_none());
        self.during.push(ctx.sibling::<Reader>().is_none());
        assert_eq!(self.heard, Vec::<u32>::new(), "events are handled after the handler");
        if value == 9 {
            ctx.emit(Nested);
        }
    }
}

impl Reader {
    fn changed(&mut self, _: &mut Context<Self>, changed: &Changed) {
        self.heard.push(changed.0);
    }
}

fn bench() -> TestPeer<Reader> {
    TestPeer::beside(Peer::new().with(Store::default()), Reader::default())
}

#[test]
fn siblings_are_lent_once_and_events_come_after() {
    let mut peer = bench();
    let other = peer.stranger(1);
    peer.deliver(other, 7);
    assert_eq!(peer.peerlet().heard, [7]);
    assert_eq!(peer.peerlet().during, [true, true]);
}

#[test]
fn events_are_heard_in_the_order_they_were_made() {
    let mut peer = bench();
    let other = peer.stranger(1);
    // `Changed` before `Nested`: the store sees the reader's list with the change in it.
    peer.deliver(other, 9);
    assert_eq!(peer.peerlet().heard, [9]);
}

#[test]
fn stacks_are_checked_before_anything_runs() {
    let alone = Peer::new().with(Reader::default());
    let missing = StackError::Sibling { peerlet: "reader", sibling: "store" };
    assert_eq!(Registry::new().add(&alone), Err(missing.clone()));
    assert_eq!(
        missing.to_string(),
        "`reader` uses `store`, which is not on the stack; add `store`"
    );
    let twice = Peer::new().with(Store::default()).with(Store::default());
    assert_eq!(Registry::new().add(&twice), Err(StackError::Name("store")));
}

/// Answers each event with another one.
struct Echo;

struct Again;

impl Peerlet for Echo {
    const NAME: &'static str = "echo";
    type Message = ();
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.hears(Echo::again);
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, (): ()) {
        ctx.emit(Again);
    }
}

impl Echo {
    fn again(&mut self, ctx: &mut Context<Self>, _: &Again) {
        ctx.emit(Again);
    }
}

#[test]
#[should_panic(expected = "no end is in sight: the last is heard by `echo`")]
fn an_echo_without_end_is_named() {
    let mut peer = TestPeer::new(Echo);
    let other = peer.stranger(1);
    peer.deliver(other, ());
}

/// Acts for a sibling that it does not declare.
#[derive(Default)]
struct Hopeful {
    seen: u32,
}

impl Peerlet for Hopeful {
    const NAME: &'static str = "hopeful";
    type Message = u32;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.hears(|me: &mut Hopeful, _, changed: &Changed| me.seen = changed.0);
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, value: u32) {
        assert!(ctx.has::<Hopeful>(), "a peerlet on the call stack is there");
        if value == 0 || ctx.has::<Store>() {
            // Held or not, it is the same sibling.
            let held = ctx.sibling::<Store>();
            ctx.of::<Store>().spawn(move |task| async move {
                task.with(move |store, ctx| store.set(ctx, value)).await;
            });
            drop(held);
        }
    }
}

#[test]
fn a_sibling_that_is_there_acts_as_itself() {
    let mut peer = TestPeer::beside(Peer::new().with(Store::default()), Hopeful::default());
    let other = peer.stranger(1);
    peer.deliver(other, 5);
    assert_eq!(peer.peerlet().seen, 5);
    let mut alone = TestPeer::new(Hopeful::default());
    alone.deliver(other, 5);
    assert_eq!(alone.peerlet().seen, 0);
}

#[test]
#[should_panic(
    expected = "peer 0 (life 1) has no `store`, and its `hopeful` acts as `store` at 0s; \
                           put `store` on the stack of this seat and say `about.uses`, or ask \
                           `ctx.has` before `ctx.of`"
)]
fn nobody_acts_for_a_sibling_that_is_not_there() {
    let mut alone = TestPeer::new(Hopeful::default());
    let other = alone.stranger(1);
    alone.deliver(other, 0);
}
