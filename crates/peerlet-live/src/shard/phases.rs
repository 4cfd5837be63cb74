//! The phases of a shard: waiting for time zero, the peers' time, the last words.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::pin;
use std::time::Instant;

use peerlet_core::{Duration, Identity, MILLISECOND, SECOND, Time};
use peerlet_measure::{DropCause, EpochMeasurements};
use tokio::sync::watch;

use crate::counters::SocketDrop;
use crate::frame::{Frame, Kind, Tag};
use crate::member::{Heard, OwnEpoch};
use crate::shard::late::HEARTBEAT;
use crate::shard::{Call, DRAIN, DRAIN_BROKEN, MemberHandle, Shard, ShardOutcome, share};
use crate::transport::{BATCH_MAX, Inbound};

/// How long an emulation waits after its end for what is on its way.
const PATIENCE: Duration = Duration::from_nanos(10 * SECOND.as_nanos());
/// How long after the last packet was handed to the operating system it is surely read.
const LINGER: Duration = Duration::from_nanos(50 * MILLISECOND.as_nanos());

/// Messages of the member that are sent in one iteration.
const SAID_MAX: usize = 64;

/// Why a shard that lives goes on.
enum Wake {
    /// There is something to do.
    Work,
    /// All peers are to stop.
    Stop,
    /// The run broke elsewhere.
    Broken,
}

/// Waits until the condition holds; for ever when nobody is left to make it so.
async fn until<T>(watched: &mut watch::Receiver<T>, condition: impl FnMut(&T) -> bool) {
    if watched.wait_for(condition).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits until nobody needs the sockets any more, which is so as well when the run was dropped.
async fn finished(finish: &mut watch::Receiver<bool>) {
    finish.wait_for(|finish| *finish).await.ok();
}

/// The next message of the member; waits for ever without a member.
async fn said(member: &mut Option<MemberHandle>) -> (SocketAddr, Vec<u8>) {
    let said = match member {
        Some(handle) => handle.said.recv().await,
        None => None,
    };
    match said {
        Some(said) => said,
        None => std::future::pending().await,
    }
}

impl Shard {
    /// Runs three phases: control messages only, until time is zero; the peers, until their time is
    /// over or the run stops; and control messages again, until nobody needs the sockets.
    pub(crate) async fn run(mut self) {
        let mut inbox = Vec::new();
        if self.wait_for_zero(&mut inbox).await {
            self.live(&mut inbox).await;
            if !self.is_broken {
                self.count_in_flight(&mut inbox).await;
            }
            self.let_go();
        }
        // Who still waits for a call hears that the run is over; who is just about to put one into
        // the channel has done so before this ends.
        self.channels.calls.close();
        while self.channels.calls.recv().await.is_some() {}
        self.hand_over();
        loop {
            if self.has_stopped && !self.is_broken {
                self.caught(|shard| shard.wind_up(&mut inbox));
            }
            inbox.drain(..).for_each(|inbound| self.overhear(&inbound));
            self.send().await;
            tokio::select! {
                biased;
                () = finished(&mut self.channels.finish) => break,
                () = self.transport.receive(&mut inbox) => {}
                (to, frame) = said(&mut self.channels.member) => self.say(to, frame),
            }
            self.say_more();
            // What arrives without end leaves the thread to others as well.
            tokio::task::yield_now().await;
        }
        // What was sent reliably has had its time; a moment is left for the ends of links.
        let left = DRAIN.saturating_sub(self.drained).max(DRAIN_BROKEN);
        self.transport.close(if self.is_broken { DRAIN_BROKEN } else { left }).await;
    }

    /// Waits for time zero; false when the run is over before.
    async fn wait_for_zero(&mut self, inbox: &mut Vec<Inbound>) -> bool {
        loop {
            inbox.drain(..).for_each(|inbound| self.overhear(&inbound));
            self.send().await;
            let zero = *self.channels.zero.borrow_and_update();
            if let Some(zero) = zero {
                self.zero = zero;
                if self.late.due.is_none() && Instant::now() < zero {
                    self.late.due = Some(Time::ZERO);
                }
            }
            let near = zero.unwrap_or_else(|| Instant::now() + std::time::Duration::from(DRAIN));
            tokio::select! {
                biased;
                () = until(&mut self.channels.stop, |stop| *stop) => return false,
                () = finished(&mut self.channels.finish) => return false,
                () = self.alarm_clock.wait_until(near) => {
                    if zero.is_some() {
                        break;
                    }
                }
                changed = self.channels.zero.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                }
                () = self.transport.receive(inbox) => {}
                (to, frame) = said(&mut self.channels.member) => self.say(to, frame),
            }
            self.say_more();
            tokio::task::yield_now().await;
        }
        if let Some(socket) = self.seats.first().and_then(|seat| self.state.seats.socket(*seat)) {
            // Others may know this process by another address than its socket's.
            self.state.socket = socket;
        }
        true
    }

    /// Lets the peers live.
    async fn live(&mut self, inbox: &mut Vec<Inbound>) {
        self.since = Instant::now();
        let mut call = None;
        loop {
            self.caught(|shard| shard.iterate(inbox, &mut call));
            if self.is_broken {
                return;
            }
            self.send().await;
            self.report_epochs();
            self.say_more();
            if self.state.now >= self.end {
                return;
            }
            match self.wait(inbox, &mut call).await {
                Wake::Work => {}
                Wake::Stop => {
                    self.caught(Shard::stop_all);
                    self.send().await;
                    return self.drain(inbox).await;
                }
                Wake::Broken => {
                    self.is_broken = true;
                    return;
                }
            }
        }
    }

    /// Waits for something to do. Where there is something already, only looks at the sockets; and
    /// when that has gone on for a while, leaves the thread to others first: the sockets' own tasks
    /// may be among them.
    async fn wait(&mut self, inbox: &mut Vec<Inbound>, call: &mut Option<Call>) -> Wake {
        let mut has_waited = false;
        let wake = {
            let mut next = pin!(self.next(inbox, call));
            poll_fn(|cx| {
                let polled = next.as_mut().poll(cx);
                has_waited |= polled.is_pending();
                polled
            })
            .await
        };
        if !has_waited && self.since.elapsed() >= share::TIME {
            tokio::task::yield_now().await;
            has_waited = true;
        }
        if has_waited {
            self.since = Instant::now();
        }
        wake
    }

    async fn next(&mut self, inbox: &mut Vec<Inbound>, call: &mut Option<Call>) -> Wake {
        let due = self.wake_at().min(self.state.now + HEARTBEAT);
        self.late.due = Some(due);
        let is_busy = !inbox.is_empty() || call.is_some() || due <= self.state.now;
        let at = self.zero + std::time::Duration::from(due - Time::ZERO);
        let (alarm_clock, has_room) = (&mut self.alarm_clock, inbox.len() < BATCH_MAX);
        let due = async move {
            if !is_busy {
                alarm_clock.wait_until(at).await;
            }
        };
        tokio::select! {
            biased;
            () = finished(&mut self.channels.finish) => return Wake::Broken,
            () = until(&mut self.channels.stop, |stop| *stop) => return Wake::Stop,
            () = self.transport.receive(inbox), if has_room => {}
            // Calls are looked for in each iteration; this wakes up the shard.
            Some(called) = self.channels.calls.recv(), if call.is_none() => *call = Some(called),
            (to, frame) = said(&mut self.channels.member) => self.say(to, frame),
            () = due => {}
        }
        Wake::Work
    }

    /// Lets reliable messages that the peers sent before they stopped arrive, for a while. From
    /// then on a sender to them gets a reset.
    async fn drain(&mut self, inbox: &mut Vec<Inbound>) {
        let (stopped, until) =
            (self.state.now, self.zero.elapsed() + std::time::Duration::from(DRAIN));
        let after_zero = |at: Time| std::time::Duration::from(at - Time::ZERO);
        while !self.is_broken && self.state.connections.is_sending() && self.zero.elapsed() < until
        {
            let due = self.state.connections.deadline().map_or(until, after_zero);
            let wake = self.zero + due.min(until);
            tokio::select! {
                biased;
                () = finished(&mut self.channels.finish) => self.is_broken = true,
                () = self.transport.receive(inbox) => {}
                (to, frame) = said(&mut self.channels.member) => self.say(to, frame),
                () = self.alarm_clock.wait_until(wake) => {}
            }
            self.caught(|shard| shard.wind_up(inbox));
            self.send().await;
            self.say_more();
            tokio::task::yield_now().await;
        }
        self.drained = Time::ZERO + Duration::from(self.zero.elapsed()) - stopped;
        // The peers' time ended when they stopped.
        self.state.now = stopped;
        self.has_stopped = true;
    }

    /// In an emulation: counts what arrives after the peers' time, until nothing is on its way that
    /// departed before, or the run is stopped.
    async fn count_in_flight(&mut self, inbox: &mut Vec<Inbound>) {
        let Some(mut quiet) = self.channels.quiet.clone().filter(|_| !*self.channels.stop.borrow())
        else {
            return;
        };
        let all = async {
            until(&mut quiet, |quiet| *quiet).await;
            // What is due is handed to the operating system, which needs a moment.
            tokio::time::sleep(LINGER.into()).await;
        };
        self.state.ledger.datagram.in_flight += self.pauses.datagrams();
        let mut all = std::pin::pin!(tokio::time::timeout(PATIENCE.into(), all));
        loop {
            inbox.drain(..).for_each(|inbound| {
                if let Inbound::Datagram { frame, .. } = &inbound
                    && let Ok(Frame { kind: Kind::Datagram(_), .. }) = Frame::parse(frame)
                {
                    self.state.ledger.datagram.in_flight += 1;
                }
            });
            tokio::select! {
                biased;
                () = finished(&mut self.channels.finish) => {
                    self.is_broken = true;
                    return;
                }
                () = until(&mut self.channels.stop, |stop| *stop) => return,
                _ = &mut all => return,
                () = self.transport.receive(inbox) => {}
            }
            tokio::task::yield_now().await;
        }
    }

    async fn send(&mut self) {
        let (version, pins) = self.state.seats.pins_since(self.pins);
        self.pins = version;
        for (socket, identity) in pins {
            if socket != self.transport.local_addr() {
                self.transport.expect(socket, identity);
            }
        }
        self.transport.send(&mut self.state.outbox).await;
    }

    /// Sends what the member wants to say besides: what arrives without end does not keep it.
    fn say_more(&mut self) {
        for _ in 0..SAID_MAX {
            let Some(handle) = &mut self.channels.member else { return };
            let Ok((to, frame)) = handle.said.try_recv() else { return };
            self.say(to, frame);
        }
    }

    fn say(&mut self, to: SocketAddr, frame: Vec<u8>) {
        self.state.outbox.push(crate::Outbound::Datagram { to, frame: frame.into() });
    }

    /// Looks through what arrives while no peer lives: only what processes tell each other counts.
    fn overhear(&mut self, inbound: &Inbound) {
        match inbound {
            Inbound::Datagram { from, identity, frame } => match Frame::parse(frame) {
                Ok(Frame { tag, kind: Kind::Control(bytes), .. }) if tag == Tag::CONTROL => {
                    self.heard(*from, *identity, frame.slice_ref(bytes));
                }
                Ok(frame) if frame.tag != self.state.tag => {
                    self.counters.add(SocketDrop::Experiment, 1);
                }
                Ok(_) => self.counters.add(SocketDrop::Stopped, 1),
                Err(error) => self.counters.add(error.into(), 1),
            },
            Inbound::Stream { .. } => self.counters.add(SocketDrop::Stopped, 1),
            other => self.link_news(other),
        }
    }

    pub(super) fn heard(
        &mut self,
        from: SocketAddr,
        identity: Option<Identity>,
        bytes: bytes::Bytes,
    ) {
        let is_stranger = !self.state.seats.is_process(from, identity);
        // A short message must not keep a long packet.
        let bytes = bytes::Bytes::copy_from_slice(&bytes);
        match &self.channels.member {
            Some(handle) => handle.hear(Heard::Control { from, identity, bytes }, is_stranger),
            None => self.counters.add(SocketDrop::Unsupported, 1),
        }
    }

    pub(super) fn link_news(&self, inbound: &Inbound) {
        let Some(handle) = &self.channels.member else { return };
        match inbound {
            Inbound::LinkUp { with, identity } => {
                let is_stranger = !self.state.seats.is_process(*with, Some(*identity));
                handle.hear(Heard::LinkUp { with: *with, identity: *identity }, is_stranger);
            }
            Inbound::LinkLost { with, why } => {
                let is_stranger = !self.state.seats.is_process(*with, None);
                handle.hear(Heard::LinkLost { with: *with, why: *why }, is_stranger);
            }
            _ => {}
        }
    }

    /// Hands on the epochs that were closed since the last time.
    fn report_epochs(&mut self) {
        let Some(epochs) = &self.channels.epochs else { return };
        if self.is_free {
            // Nobody needs them at the end.
            if self.state.recorder.finished().epochs().next().is_some() {
                for epoch in self.state.recorder.take_finished().epochs() {
                    epochs.send(self.own_epoch(epoch)).ok();
                }
            }
            return;
        }
        let finished = self.state.recorder.finished();
        for epoch in finished.epochs().skip(self.reported) {
            self.reported += 1;
            // The member may have ended with an error, which is told elsewhere.
            epochs.send(self.own_epoch(epoch)).ok();
        }
    }

    /// An epoch that this shard has closed, with what it lost of it.
    fn own_epoch(&self, epoch: &EpochMeasurements) -> OwnEpoch {
        let lost = self.lost_in(epoch.from..epoch.to);
        OwnEpoch { measures: epoch.clone(), lost }
    }

    /// The seat-nanoseconds of a span in which this shard did not run.
    fn lost_in(&self, span: Range<Time>) -> u64 {
        self.late.lost_in(span).as_nanos().saturating_mul(self.seats.len() as u64)
    }

    /// Gives away what came out, now that the peers' time is over.
    fn hand_over(&mut self) {
        let end = self.state.now.min(self.end);
        let measures = self.state.recorder.clone().finish(end);
        if let Some(epochs) = &self.channels.epochs {
            for epoch in measures.epochs().skip(self.reported) {
                epochs.send(self.own_epoch(epoch)).ok();
            }
        }
        let mut counters = self.counters;
        counters.merge(&self.transport.counters());
        counters.merge(self.state.connections.counters());
        let refused = counters.get(SocketDrop::Identity);
        self.state.ledger.datagram.add_dropped(DropCause::Identity, refused);
        let outcome = ShardOutcome {
            ledger: self.state.ledger,
            measures,
            counters,
            late_answers: self.host.late_answers(),
            idle_directives: self.idle_directives,
            events: self.events,
            delays: self.late.delays.clone(),
            lost: self.lost_in(Time::ZERO..end),
            end,
        };
        if let Some(channel) = self.channels.outcome.take() {
            channel.send(outcome).ok();
        }
    }
}
