//! A task between its polls, and how the peer carries out what it asks.

use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use peerlet_memory::{Value, prefetch_line};

use super::board::{Listen, ListenFor, Request};
use super::listeners::TaskListener;
use super::listening::ListenError;
use super::operation::Task;
use super::question::CallError;
use super::wake::Anchor;
use crate::address::Address;
use crate::column::Rows;
use crate::context::{Context, Env};
use crate::life::{OpenCall, Operated, Resting};
use crate::parcel::{Call, Class};
use crate::peerlet::Peerlet;
use crate::time::Duration;
use crate::world::Alarm;

/// How often a task may be polled within one event: more is a loop that never waits.
const POLLS_MAX: u32 = 100_000;

/// So many lines of a future are asked for before it is polled.
const FUTURE_LINES: usize = 4;

/// The answer to an operation of a task.
pub(crate) struct Answer {
    /// The task's own number of the operation.
    pub(crate) own: u32,
    pub(crate) result: Outcome,
    /// Whether it was counted as late.
    pub(crate) is_late: bool,
}

pub(crate) enum Outcome {
    /// The time is over that it wanted to sleep.
    Slept,
    /// The call is answered: `Ok` of a message of the peerlet's type.
    Answered(Value),
    /// The call failed.
    Failed(CallError),
    /// The result of waiting for a local event.
    Heard(Value),
}

/// Whether a task goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Waits,
    Over,
}

/// A spawned task: its future and its hold on the peer.
pub(crate) struct Running<P: Peerlet> {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    task: Task<P>,
    /// Room for requests, to be used again.
    requests: Vec<(u32, Request<P>)>,
    /// The operations that were answered as soon as they were asked for, in one round of requests.
    answered: Vec<u32>,
}

impl<P: Peerlet> Resting for Running<P> {
    fn prefetch(&self) {
        (0..FUTURE_LINES).for_each(|line| prefetch_line(&*self.future, line));
        self.task.prefetch();
    }
}

impl<P: Peerlet> Running<P> {
    pub(crate) fn new<T>(task: impl FnOnce(Task<P>) -> T) -> Running<P>
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let hold = Task::new();
        let future = Box::pin(task(hold.clone()));
        Running { future, task: hold, requests: Vec::with_capacity(1), answered: Vec::new() }
    }

    /// Takes in the answer, if there is one, then polls until the task waits or ends.
    pub(crate) fn run(
        &mut self,
        rows: &Rows<P>,
        env: &mut Env<'_>,
        id: u32,
        answer: Option<Answer>,
    ) -> Progress {
        if let Some(Answer { own, result, is_late }) = answer {
            self.post(own, result, is_late);
        }
        for _ in 0..POLLS_MAX {
            let progress = self.poll(&env.house.anchor);
            let mut requests = mem::take(&mut self.requests);
            let timely = {
                let mut board = self.task.board();
                board.swap_requests(&mut requests);
                mem::take(&mut board.timely)
            };
            env.house.late_answers.update(|late| late - timely);
            if progress == Progress::Over {
                return Progress::Over;
            }
            self.answered.clear();
            for (own, request) in requests.drain(..) {
                let acts = matches!(request, Request::With(_) | Request::Listen(_));
                self.carry_out(rows, env, id, own, request);
                if acts && !env.life().has_task(id) {
                    // It was its own end.
                    return Progress::Over;
                }
            }
            self.requests = requests;
            let is_answered = |own: &u32| self.task.board().is_answered(*own);
            if !self.answered.iter().any(is_answered) {
                assert!(env.life().waits(id), "{}", foreign::<P>());
                return Progress::Waits;
            }
        }
        panic!("a task of `{}` was polled {POLLS_MAX} times in one event; let it sleep", P::NAME);
    }

    /// Polls with a waker of the anchor, clones of which are kept by the task's own combinators
    /// only.
    fn poll(&mut self, anchor: &RefCell<Arc<Anchor>>) -> Progress {
        let waker = Waker::from(anchor.borrow().clone());
        self.task.board().anchor = waker.data().addr();
        let poll = self.future.as_mut().poll(&mut std::task::Context::from_waker(&waker));
        drop(waker);
        let is_misused = anchor.borrow().is_misused();
        match poll {
            Poll::Ready(()) => {
                // What a task left behind that is over is nobody's concern, nor other tasks' fault.
                if is_misused {
                    anchor.replace(Arc::default());
                }
                Progress::Over
            }
            Poll::Pending => {
                assert!(!is_misused, "{}", foreign::<P>());
                Progress::Waits
            }
        }
    }

    fn post(&mut self, own: u32, result: Outcome, is_late: bool) {
        let answer = match result {
            Outcome::Slept => Value::new(()),
            Outcome::Answered(answer) | Outcome::Heard(answer) => answer,
            Outcome::Failed(why) => Value::new(Err::<P::Message, CallError>(why)),
        };
        self.task.board().post(own, answer, is_late);
    }

    fn carry_out(
        &mut self,
        rows: &Rows<P>,
        env: &mut Env<'_>,
        id: u32,
        own: u32,
        request: Request<P>,
    ) {
        match request {
            Request::Sleep(duration) => {
                env.life().open(id, own, None);
                let at = env.world.now() + duration;
                env.world.set_alarm(at, Alarm::Wake { task: id, operation: own });
            }
            Request::With(act) => {
                let mut me = rows.borrow_mut(env.row()).expect("a task runs beside its peerlet");
                let answer = act(&mut me, &mut Context::new(env));
                self.task.board().post(own, answer, false);
                self.answered.push(own);
            }
            Request::Call { to, message, within, tries, class } => {
                let call = Asked { by: Operated { task: id, own }, to, within, tries, class };
                if let Err(why) = call.ask::<P>(env, message) {
                    self.post(own, Outcome::Failed(why), false);
                    self.answered.push(own);
                }
            }
            Request::Again { before, within } => {
                env.life().open_again(id, before, own, within);
                let at = env.world.now() + within;
                env.world.set_alarm(at, Alarm::Wake { task: id, operation: own });
            }
            Request::Listen(listen) => {
                if let Err(failed) = listen.begin(rows, env, Operated { task: id, own }) {
                    self.task.board().post(own, failed, false);
                    self.answered.push(own);
                }
            }
            Request::Limit(within) => limit(env, Operated { task: id, own }, within),
            Request::Forget => {
                env.life().forget(id, own);
                let removed = self.task.board().remove(own);
                drop(removed);
            }
        }
    }
}

impl<P: Peerlet> Listen<P> {
    /// Has the peer listen, then makes the request.
    fn begin(self, rows: &Rows<P>, env: &mut Env<'_>, by: Operated) -> Result<(), Value> {
        let Listen { event, listen_for, fail, within } = self;
        let (filter, ask) = match listen_for {
            ListenFor::Accepted(filter) => (Some(filter), None),
            ListenFor::AnswerTo(ask) => (None, Some(ask)),
        };
        let port = env.port;
        if !env.life().listen(event, TaskListener { by, port, filter, fail }) {
            return Err(fail(ListenError::TooMany));
        }
        if let Some(ask) = ask {
            let mut me = rows.borrow_mut(env.row()).expect("a task runs beside its peerlet");
            let Some(filter) = ask(&mut me, &mut Context::new(env)) else {
                env.life().forget(by.task, by.own);
                return Err(fail(ListenError::NotAsked));
            };
            env.life().set_filter(event, by, filter);
        }
        if let Some(within) = within {
            limit(env, by, within);
        }
        Ok(())
    }
}

/// Ends an operation after this long, unless it ended before.
fn limit(env: &mut Env<'_>, Operated { task, own: operation }: Operated, within: Duration) {
    if env.life().is_open(task, operation) {
        let at = env.world.now() + within;
        env.world.set_alarm(at, Alarm::Wake { task, operation });
    }
}

/// A call as the task asks for it.
struct Asked {
    by: Operated,
    to: Address,
    within: Duration,
    tries: u32,
    class: Class,
}

impl Asked {
    /// Sends the question and opens the call.
    fn ask<P: Peerlet>(self, env: &mut Env<'_>, message: P::Message) -> Result<(), CallError> {
        let Asked { by, to, within, tries, class } = self;
        let mut again = None;
        if tries > 1 {
            let mut bytes = Vec::new();
            let encoded = env.house.codec.encode(&message, &mut bytes);
            encoded.unwrap_or_else(|e| panic!("`{}`: {e}", P::NAME));
            again = Some(bytes);
        }
        let mut ctx = Context::<P>::new(env);
        let id = loop {
            let id = ctx.secret().bits() as u32;
            if ctx.env().life().rare().calls.get(id).is_none() {
                break id;
            }
        };
        if let Err(refused) = ctx.transmit(to, Call::Question(id), class, message) {
            return Err(refused.why.into());
        }
        env.life().open(by.task, by.own, Some(id));
        let at = env.world.now() + within;
        env.world.set_alarm(at, Alarm::Wake { task: by.task, operation: by.own });
        let (port, tries_left) = (env.port, tries - 1);
        let call = OpenCall { by, port, to, class, within, tries_left, again };
        env.life().rare().calls.insert(id, call);
        Ok(())
    }
}

fn foreign<P: Peerlet>() -> String {
    format!(
        "a task of `{}` awaits something that is not its peer's; await only what its `Task` gives: \
         `call`, `sleep`, `with`, `request`, `hear`, and `join_all`, `race`, `race2` and `WaitSet` \
         of these",
        P::NAME
    )
}
