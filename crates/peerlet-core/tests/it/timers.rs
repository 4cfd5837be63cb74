//! Timers: order, periods, cancellation, lives.

use std::collections::VecDeque;

use peerlet_core::{
    Address, Context, HOUR, Nothing, Peer, Peerlet, SECOND, TestPeer, Time, TimerId,
};

/// Notes when its timers fire.
#[derive(Default)]
struct Clockwork {
    fired: Vec<(Time, u32)>,
    kept: Option<TimerId>,
}

impl Peerlet for Clockwork {
    const NAME: &'static str = "clockwork";
    type Message = u32;
    type Timer = u32;

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, message: u32) {
        match message {
            0 => ctx.cancel(self.kept.take().expect("a timer was kept")),
            n if n < 100 => self.kept = Some(ctx.after(SECOND * u64::from(n), n)),
            n => self.kept = Some(ctx.every(SECOND * u64::from(n - 100), n)),
        }
    }

    fn timer(&mut self, ctx: &mut Context<Self>, timer: u32) {
        self.fired.push((ctx.now(), timer));
    }
}

fn at(secs: u64) -> Time {
    Time::ZERO + SECOND * secs
}

fn bench() -> (TestPeer<Clockwork>, Address) {
    let peer = TestPeer::new(Clockwork::default());
    let other = peer.stranger(1);
    (peer, other)
}

#[test]
fn timers_fire_in_order_of_time() {
    let (mut peer, other) = bench();
    for n in [3, 1, 2] {
        peer.deliver(other, n);
    }
    peer.advance(SECOND * 2);
    assert_eq!(peer.peerlet().fired, [(at(1), 1), (at(2), 2)]);
    peer.advance(SECOND);
    assert_eq!(peer.peerlet().fired.len(), 3);
}

#[test]
fn a_cancelled_timer_is_silent() {
    let (mut peer, other) = bench();
    peer.deliver(other, 1);
    peer.deliver(other, 0);
    peer.advance(SECOND * 5);
    assert_eq!(peer.peerlet().fired, []);
}

#[test]
fn a_periodic_timer_comes_until_it_is_cancelled() {
    let (mut peer, other) = bench();
    peer.deliver(other, 102);
    peer.advance(SECOND * 7);
    assert_eq!(peer.peerlet().fired, [(at(2), 102), (at(4), 102), (at(6), 102)]);
    peer.deliver(other, 0);
    peer.advance(SECOND * 7);
    assert_eq!(peer.peerlet().fired.len(), 3);
}

#[test]
fn timers_die_with_their_life_and_old_handles_cancel_nothing() {
    let (mut peer, other) = bench();
    peer.deliver(other, 5);
    peer.stop();
    peer.start();
    let old = peer.peerlet().kept.expect("state survives a stop");
    peer.deliver(other, 4);
    assert_ne!(Some(old), peer.peerlet().kept);
    peer.advance(SECOND * 10);
    assert_eq!(peer.peerlet().fired, [(at(4), 4)]);
}

/// Cancels the handle of its first life in its second.
#[derive(Default)]
struct Stubborn {
    first: Option<TimerId>,
    fired: u32,
}

impl Peerlet for Stubborn {
    const NAME: &'static str = "stubborn";
    type Message = Nothing;
    type Timer = ();

    fn start(&mut self, ctx: &mut Context<Self>) {
        let timer = ctx.after(SECOND, ());
        let first = *self.first.get_or_insert(timer);
        if first != timer {
            ctx.cancel(first);
        }
    }

    fn timer(&mut self, _: &mut Context<Self>, (): ()) {
        self.fired += 1;
    }
}

#[test]
fn a_handle_of_an_older_life_cancels_nothing() {
    let mut peer = TestPeer::new(Stubborn::default());
    peer.stop();
    peer.start();
    peer.advance(SECOND * 2);
    assert_eq!(peer.peerlet().fired, 1);
}

/// Every second: takes periodic and far-away timers back, most of which are gone, in all ways there
/// are.
#[derive(Default)]
struct Restless {
    timers: Vec<TimerId>,
    /// Far away, and taken back long ago.
    old: VecDeque<TimerId>,
    fired: u32,
}

impl Peerlet for Restless {
    const NAME: &'static str = "restless";
    type Message = Nothing;
    type Timer = u32;

    fn start(&mut self, ctx: &mut Context<Self>) {
        ctx.every(SECOND, 0);
    }

    fn timer(&mut self, ctx: &mut Context<Self>, timer: u32) {
        assert!(timer < 3, "it was taken back");
        self.fired += u32::from(timer == 1);
        if timer > 0 {
            return;
        }
        for timer in std::mem::take(&mut self.timers) {
            ctx.cancel(timer);
            ctx.cancel(timer);
        }
        // One that comes once, one that comes twice, one that never comes, one far away.
        let mut of = ctx.of::<Restless>();
        self.timers.push(of.after(SECOND / 2, 1));
        self.timers.push(of.every(SECOND / 3, 2));
        self.timers.push(of.every(SECOND * 30, 3));
        self.timers.push(of.after(HOUR * 24, 4));
        ctx.cancel(self.timers[3]);
        let gone = ctx.every(HOUR * 24, 5);
        ctx.cancel(gone);
        self.old.extend([self.timers[3], gone]);
        self.old.drain(..self.old.len().saturating_sub(4_000)).for_each(|old| ctx.cancel(old));
    }
}

#[test]
fn hours_of_timers_taken_back_leave_nothing_behind() {
    let mut peer = TestPeer::beside(Peer::new(), Restless::default());
    let mut most = (0, 0);
    for _ in 0..3 * 60 {
        peer.advance(SECOND * 60);
        most = (most.0.max(peer.waiting()), most.1.max(peer.cancelled()));
    }
    assert_eq!(peer.peerlet().fired, 3 * 3600 - 1);
    assert!(most.0 <= 2_048 && most.1 <= 4_096, "{most:?} timers and notes were kept");
}
