//! The peers that a runtime holds together: their peerlets, their lives, and the path of every
//! event to its handler.
//!
//! A runtime brings the events in the contract's order and a [`World`] for each; the host does the
//! rest: stacks, lives, siblings, local events, calls and tasks. All worlds share it, so a peerlet
//! cannot tell them apart by its handlers.

mod locals;
mod typed;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use peerlet_memory::{Hint, Table, prefetch};

use crate::address::{Address, Seat};
use crate::column::Column;
use crate::command::Command;
use crate::context::{Caller, Env, HostShared};
use crate::life::{Depth, Life, Operated, Standing, State};
use crate::location::{Handler, Location, RowGuard, Unwound};
use crate::packed_event::{AHEAD, PackedEvent, PackedEvents, RowOf};
use crate::parcel::{Body, Call, Class, Header, Parcel, Port, Undelivered};
use crate::peer::Peer;
use crate::registry::{Entry, Registry};
use crate::task::{Answer, CallError, ListenError, Outcome, Progress, TaskListener};
use crate::time::Time;
use crate::wire::{Codec, DecodeError};
use crate::world::{Alarm, World};

/// A number of peers with all their parts. A row is a peer's index in it.
pub struct Host {
    house: HostShared,
    lives: Table<Life>,
}

impl Host {
    /// A host with this many rows, all empty.
    pub fn new(registry: Arc<Registry>, rows: usize) -> Host {
        let columns = registry.new_columns();
        let mut lives = Table::with_room(rows);
        lives.resize_with(rows, Life::new);
        Host {
            house: HostShared {
                registry,
                codec: Codec::default(),
                hints: vec![Hint::default(); columns.len()],
                columns,
                standings: vec![Standing::NONE; rows],
                stacks: Vec::new(),
                locals: RefCell::default(),
                has_locals: Cell::default(),
                anchor: RefCell::default(),
                late_answers: Cell::default(),
                unwound: Cell::default(),
                taps: RefCell::default(),
            },
            lives,
        }
    }

    /// Sets how messages are encoded. Default: [`Codec::Postcard`].
    #[must_use]
    pub fn with_codec(mut self, codec: Codec) -> Host {
        self.house.codec = codec;
        self
    }

    /// The numbering of peerlet types and metrics.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.house.registry
    }

    /// Whether the peer in this row lives.
    #[inline]
    pub fn state(&self, row: usize) -> State {
        self.house.standings[row].state
    }

    /// The number of the peer's present or last life; 0 before the first.
    #[inline]
    pub fn life(&self, row: usize) -> u32 {
        self.lives[row].number
    }

    /// Prefetches the data of the first events, which run soon; `own` is called with their rows.
    #[inline]
    pub fn look_ahead(&self, events: &[PackedEvent], rows: RowOf, own: impl Fn(u32)) {
        for event in events.iter().take(AHEAD) {
            let row = rows.of(event);
            own(row);
            prefetch(&self.lives, row as usize);
            self.house.prefetch(row, event.port());
        }
    }

    /// Prefetches the data of an event that is handled soon, to this depth.
    #[inline]
    pub fn prefetch(&self, row: u32, depth: Depth) {
        if depth == Depth::Life {
            return prefetch(&self.lives, row as usize);
        }
        let life = self.lives.get(row as usize);
        if let Some(port) = life.and_then(|life| life.prefetch(depth)) {
            self.house.prefetch(row, port);
        }
    }

    /// The number of answers that came when nobody waited for them any more. One that came after
    /// its call's time was over counts until the call is awaited again.
    pub fn late_answers(&self) -> u64 {
        self.house.late_answers.get()
    }

    /// The origin of the panic that unwound through this host, if it came from a peer's handler:
    /// reported once. A runtime that catches panics calls this, with its knowledge of the row and
    /// the time; the host and its peers are unusable then.
    pub fn unwound(&self, seat: impl FnOnce(usize) -> Seat, time: Time) -> Option<Location> {
        let Unwound { row, peerlet, handler } = self.house.unwound.take()?;
        Some(Location { seat: seat(row), life: self.life(row), peerlet, handler, time })
    }

    /// Begins a life. Where no state is left, the peer is built and initialized first. False when
    /// it lives already.
    ///
    /// # Panics
    /// Panics when the peer that is built has a peerlet that the registry does not know.
    pub fn start(
        &mut self,
        row: usize,
        world: &mut dyn World,
        build: impl FnOnce() -> Peer,
    ) -> bool {
        let before = self.house.standings[row].state;
        if before == State::Running {
            return false;
        }
        if before == State::Absent {
            let guard = RowGuard::new(&self.house, row, None, Handler::Build);
            let peer = build();
            guard.done();
            self.insert(row, peer);
        }
        self.house.standings[row].state = State::Running;
        let life = &mut self.lives[row];
        life.begin();
        life.rng = world.seed(life.number).named("behavior").rng();
        if before == State::Absent {
            self.each_up(row, world, |column, env| column.init(env));
        }
        self.each_up(row, world, |column, env| column.start(env));
        true
    }

    fn insert(&mut self, row: usize, peer: Peer) {
        let mut ports = Vec::with_capacity(peer.peerlets.len());
        for peerlet in peer.peerlets {
            let Some(port) = self.house.registry.port_of((*peerlet).type_id()) else {
                panic!("`{}` is not in the run's registry; add every stack to it", peerlet.name())
            };
            let rows = self.lives.len();
            let column = self.house.column(port);
            column.insert(row, rows, peerlet.into_any());
            let hint = column.hint();
            self.house.hints[usize::from(port.0)] = hint;
            ports.push(port);
        }
        let known = self.house.stacks.iter().position(|stack| **stack == *ports);
        let stack = known.unwrap_or_else(|| {
            self.house.stacks.push(ports.into());
            self.house.stacks.len() - 1
        });
        self.house.standings[row].stack = stack as u16;
    }

    fn each_up(
        &mut self,
        row: usize,
        world: &mut dyn World,
        handler: fn(&dyn Column, &mut Env<'_>),
    ) {
        for place in 0..self.stack(row).len() {
            self.run_one(row, world, self.stack(row)[place], handler);
        }
    }

    /// Ends the life in order: `stop` in reverse stack order. State is kept. False when it does not
    /// live.
    pub fn stop(&mut self, row: usize, world: &mut dyn World) -> bool {
        if self.house.standings[row].state != State::Running {
            return false;
        }
        for place in (0..self.stack(row).len()).rev() {
            self.run_one(row, world, self.stack(row)[place], |column, env| column.stop(env));
        }
        self.end(row, State::Stopped);
        true
    }

    /// Ends the life at once, if there is one, and drops all state. False when there was none.
    pub fn crash(&mut self, row: usize) -> bool {
        if self.house.standings[row].state == State::Absent {
            return false;
        }
        for place in 0..self.stack(row).len() {
            let port = self.stack(row)[place];
            let name = self.house.registry.entry(port).map(Entry::name);
            let guard = RowGuard::new(&self.house, row, name, Handler::Drop);
            self.house.column(port).remove(row);
            guard.done();
        }
        self.end(row, State::Absent);
        true
    }

    /// Hands a message that arrived to its peerlet, or to the task that waits for it.
    ///
    /// # Errors
    /// When it cannot be decoded or the peer has no such peerlet; nothing was handled then.
    #[inline(always)]
    pub fn message(
        &mut self,
        row: usize,
        world: &mut dyn World,
        from: Address,
        header: Header,
        class: Class,
        body: &mut Body,
    ) -> Result<(), DecodeError> {
        if let Call::Answer(_) | Call::NoAnswer(_) = header.call {
            return self.answer(row, world, from, header, body);
        }
        let caller = Caller::of(from, header.call, class);
        let env = &mut self.env(row, world, header.port);
        env.caller = caller.as_ref();
        env.house.column(header.port).message(env, from, body)?;
        self.settle(row, world);
        Ok(())
    }

    #[cold]
    fn answer(
        &mut self,
        row: usize,
        world: &mut dyn World,
        from: Address,
        Header { port, call }: Header,
        body: &mut Body,
    ) -> Result<(), DecodeError> {
        if !self.stack(row).contains(&port) {
            return Err(DecodeError::NoPeerlet);
        }
        let (id, answer) = match call {
            Call::Answer(id) => {
                (id, Outcome::Answered(self.house.column(port).answer(body, self.house.codec)?))
            }
            Call::NoAnswer(id) => (id, Outcome::Failed(CallError::AnswerTooLarge)),
            Call::None | Call::Question(_) => return Err(DecodeError::Malformed),
        };
        let calls = self.lives[row].rare.as_mut().map(|rare| &mut rare.calls);
        let call = calls.and_then(|calls| {
            let fits = calls.get(id).is_some_and(|call| call.to == from && call.port == port);
            if fits { calls.remove(id) } else { None }
        });
        match call {
            Some(call) => self.resume(row, world, call.by, answer),
            None => self.count_late(),
        }
        Ok(())
    }

    fn count_late(&self) {
        self.house.late_answers.update(|late| late + 1);
    }

    /// Whether this timer, which still waits, was set in the peer's present life and canceled;
    /// forgets that it was.
    pub fn is_cancelled(&mut self, row: usize, handle: u32) -> bool {
        self.lives[row].take_cancelled(handle)
    }

    /// The number of timers of this peer noted as canceled: few in every case, except for those
    /// that still wait.
    pub fn cancelled(&self, row: usize) -> usize {
        self.lives[row].cancelled()
    }

    /// Whether this operation of a task still waits for its time.
    pub fn is_open(&self, row: usize, task: u32, operation: u32) -> bool {
        self.lives[row].is_open(task, operation)
    }

    /// Whether this alarm of this life is still valid; asking about a canceled timer forgets it.
    pub fn expects(&mut self, row: usize, life: u32, alarm: &Alarm) -> bool {
        let present = &mut self.lives[row];
        if self.house.standings[row].state != State::Running || present.number != life {
            return false;
        }
        match alarm {
            Alarm::Timer { handle, .. } => !present.take_cancelled(*handle),
            Alarm::Wake { task, operation } => present.is_open(*task, *operation),
        }
    }

    /// Hands a timer to its peerlet, if it is still valid. False when nothing was handled.
    #[inline(always)]
    pub fn timer(
        &mut self,
        row: usize,
        world: &mut dyn World,
        port: Port,
        handle: u32,
        body: &mut Body,
    ) -> bool {
        if self.house.standings[row].state != State::Running {
            return false;
        }
        let env = &mut self.env(row, world, port);
        let is_handled = env.house.column(port).timer(env, handle, body);
        self.settle(row, world);
        is_handled
    }

    /// Runs events of many peers, in order: the path to a handler costs its full price once, and
    /// little more for each further event of the same peerlet type. Moves `next` to the first event
    /// that must wait, or to the end.
    ///
    /// The world is asked for each event ([`World::take_event`]), and notified when one was not
    /// handled after all ([`World::pass_event`]). It may take only datagrams and timers, of running
    /// peers, and timers of their present lives only. Afterwards the bodies of all events that were
    /// taken are empty.
    pub fn run(&mut self, world: &mut dyn World, events: &mut PackedEvents<'_>) {
        while let Some(event) = events.all.get(events.next) {
            let (port, before) = (event.port(), events.next);
            let env = &mut self.env(0, world, port);
            env.house.column(port).run(env, events);
            let row = env.row();
            if events.next == before {
                return;
            }
            self.settle(row, world);
        }
    }

    /// Hands an alarm that is [expected](Host::expects) to its peerlet or task; returns the peerlet
    /// type, and the question whose answer the task awaits. `None` when nothing was handled.
    pub fn alarm(&mut self, row: usize, world: &mut dyn World, alarm: Alarm) -> Option<Header> {
        match alarm {
            Alarm::Timer { port, handle, mut body } => {
                let is_handled = self.timer(row, world, port, handle, &mut body);
                is_handled.then_some(Header { port, call: Call::None })
            }
            Alarm::Wake { task, operation } => {
                let life = &self.lives[row];
                let port = life.port_of(task)?;
                let call = life.call_of(task, operation);
                self.wake(row, world, (task, operation), call);
                Some(Header { port, call: call.map_or(Call::None, Call::Question) })
            }
        }
    }

    /// An operation of a task has waited long enough, on the call with this number or on none.
    fn wake(
        &mut self,
        row: usize,
        world: &mut dyn World,
        (task, operation): (u32, u32),
        id: Option<u32>,
    ) {
        let (life, by) = (&mut self.lives[row], Operated { task, own: operation });
        let call = id.and_then(|id| Some((id, life.rare.as_mut()?.calls.get_mut(id)?)));
        let Some((id, call)) = call else {
            let listener = life.take_listener(by);
            let unheard = |listener: TaskListener| (listener.fail)(ListenError::TimedOut);
            let result = listener.map(unheard).map_or(Outcome::Slept, Outcome::Heard);
            return self.resume(row, world, by, result);
        };
        if call.tries_left == 0 {
            life.set_idle(by);
            let result = Outcome::Failed(CallError::TimedOut);
            let answer = Answer { own: operation, result, is_late: false };
            self.step(row, world, task, Some(answer));
            return self.settle(row, world);
        }
        call.tries_left -= 1;
        let bytes = if call.tries_left == 0 { call.again.take() } else { call.again.clone() };
        let mut parcel = Parcel::encoded(bytes.expect("a call with tries left keeps its question"));
        let (to, class, within) = (call.to, call.class, call.within);
        let header = Header { port: call.port, call: Call::Question(id) };
        let taken = match class {
            Class::Datagram => {
                world.send(to, header, parcel);
                Ok(())
            }
            Class::Reliable => world.send_reliably(to, header, &mut parcel),
        };
        if let Err(why) = taken {
            self.lives[row].rare().calls.remove(id);
            return self.resume(row, world, by, Outcome::Failed(why.into()));
        }
        world.set_alarm(world.now() + within, Alarm::Wake { task, operation });
    }

    /// Tells the sender that a reliable message is not known to be delivered.
    ///
    /// # Errors
    /// When an encoded message cannot be decoded.
    pub fn undelivered(
        &mut self,
        row: usize,
        world: &mut dyn World,
        to: Address,
        header: Header,
        body: Body,
        why: Undelivered,
    ) -> Result<(), DecodeError> {
        match header.call {
            Call::None => {
                let env = &mut self.env(row, world, header.port);
                let column = env.house.column(header.port);
                column.undelivered(env, to, body, why)?;
                self.settle(row, world);
            }
            Call::Question(id) => {
                let calls = self.lives[row].rare.as_mut().map(|rare| &mut rare.calls);
                if let Some(call) = calls.and_then(|calls| calls.remove(id)) {
                    let failed = Outcome::Failed(CallError::Undelivered(why));
                    self.resume(row, world, call.by, failed);
                }
            }
            // Who gave an answer does not wait for anything: the asker's time-out tells the asker.
            Call::Answer(_) | Call::NoAnswer(_) => {}
        }
        Ok(())
    }

    /// Tells a peerlet that half of its queue to `to` is free again.
    pub fn writable(&mut self, row: usize, world: &mut dyn World, port: Port, to: Address) {
        let env = &mut self.env(row, world, port);
        let column = env.house.column(port);
        column.writable(env, to);
        self.settle(row, world);
    }

    /// Hands a command to a peerlet of a peer that lives or is stopped. False when there is no such
    /// peerlet.
    pub fn command(
        &mut self,
        row: usize,
        world: &mut dyn World,
        port: Port,
        command: &Command,
    ) -> bool {
        let state = self.house.standings[row].state;
        if state == State::Absent || !self.stack(row).contains(&port) {
            return false;
        }
        let env = &mut self.env(row, world, port);
        let column = env.house.column(port);
        column.command(env, command);
        self.settle(row, world);
        if state == State::Stopped {
            // What is not living has no timers and tasks.
            self.end(row, State::Stopped);
        }
        true
    }

    /// Ends the life in this row.
    fn end(&mut self, row: usize, state: State) {
        self.house.standings[row].state = state;
        let guard = RowGuard::new(&self.house, row, None, Handler::Drop);
        self.lives[row].end();
        guard.done();
    }

    fn stack(&self, row: usize) -> &[Port] {
        self.house.stack(row)
    }

    #[inline(always)]
    fn env<'a>(&'a mut self, row: usize, world: &'a mut dyn World, port: Port) -> Env<'a> {
        Env {
            house: &self.house,
            lives: &mut self.lives,
            world,
            caller: None,
            row: row as u32,
            port,
        }
    }

    fn run_one(
        &mut self,
        row: usize,
        world: &mut dyn World,
        port: Port,
        handler: fn(&dyn Column, &mut Env<'_>),
    ) {
        let env = &mut self.env(row, world, port);
        handler(env.house.column(port), env);
        self.settle(row, world);
    }

    /// Gives the operation's task its answer and lets it go on.
    fn resume(&mut self, row: usize, world: &mut dyn World, by: Operated, result: Outcome) {
        let Some(is_timely) = self.lives[row].close_answered(by) else { return };
        let is_late = !is_timely && matches!(result, Outcome::Answered(_));
        if is_late {
            self.count_late();
        }
        self.step(row, world, by.task, Some(Answer { own: by.own, result, is_late }));
        self.settle(row, world);
    }

    /// Lets a task run until it waits or is over.
    fn step(&mut self, row: usize, world: &mut dyn World, id: u32, answer: Option<Answer>) {
        let Some((port, mut task)) = self.lives[row].take_task(id) else { return };
        let env = &mut self.env(row, world, port);
        let column = env.house.column(port);
        match column.run_task(env, id, &mut *task, answer) {
            Progress::Waits => self.lives[row].put_task(id, task),
            Progress::Over => self.lives[row].remove_task(id),
        }
    }
}
