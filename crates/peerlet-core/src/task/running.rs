//! A task between its polls, and how the peer carries out what it asks.

use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use peerlet_memory::{Value, prefetch_line};

use super::operation::{CallError, Request, Task};
use crate::address::Address;
use crate::column::Rows;
use crate::context::{Context, Env};
use crate::life::{Open, OpenCall, Resting};
use crate::peerlet::Peerlet;
use crate::runtime::{Alarm, Call, Class};
use crate::time::Duration;
use crate::wire;

/// How often a task may be polled within one event: more is a loop that never waits.
const POLLS_MAX: u32 = 100_000;

/// So many lines of a future are asked for before it is polled.
const FUTURE_LINES: usize = 4;

/// What the peer knows now that a task waited for.
pub(crate) struct Answer {
    /// The task's own number of the operation.
    pub(crate) own: u32,
    pub(crate) result: Outcome,
}

pub(crate) enum Outcome {
    /// The time is over that it wanted to sleep.
    Slept,
    /// The call is answered: `Ok` of a message of the peerlet's type.
    Answered(Value),
    /// The call failed.
    Failed(CallError),
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
}

/// A waker that nobody may keep: whoever does waits for something else than the peer.
pub(crate) struct NoWaker;
impl Wake for NoWaker {
    fn wake(self: Arc<Self>) {}
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
        Running { future, task: hold, requests: Vec::with_capacity(1) }
    }

    /// Takes in the answer, if there is one, then polls until the task waits or ends.
    pub(crate) fn run(
        &mut self,
        rows: &Rows<P>,
        env: &mut Env<'_>,
        id: u32,
        answer: Option<Answer>,
    ) -> Progress {
        if let Some(Answer { own, result }) = answer {
            self.post(own, result);
        }
        for _ in 0..POLLS_MAX {
            if self.poll(&env.house.anchor) == Progress::Over {
                return Progress::Over;
            }
            let mut requests = mem::take(&mut self.requests);
            mem::swap(&mut requests, &mut self.task.board().requests);
            for (own, request) in requests.drain(..) {
                self.carry_out(rows, env, id, own, request);
            }
            self.requests = requests;
            let answered = !self.task.board().answers.is_empty();
            assert!(answered || env.life().has_open(id), "{}", foreign::<P>());
            if !answered {
                return Progress::Waits;
            }
        }
        panic!("a task of `{}` was polled {POLLS_MAX} times in one event; let it sleep", P::NAME);
    }

    /// Polls with a waker made of the anchor, which nobody else holds while tasks wait.
    fn poll(&mut self, anchor: &RefCell<Arc<NoWaker>>) -> Progress {
        let waker = Waker::from(anchor.borrow().clone());
        let poll = self.future.as_mut().poll(&mut std::task::Context::from_waker(&waker));
        drop(waker);
        let is_kept = Arc::strong_count(&anchor.borrow()) > 1;
        match poll {
            Poll::Ready(()) => {
                // What a task left behind that is over is nobody's concern, nor other tasks' fault.
                if is_kept {
                    anchor.replace(Arc::new(NoWaker));
                }
                Progress::Over
            }
            Poll::Pending => {
                assert!(!is_kept, "{}", foreign::<P>());
                Progress::Waits
            }
        }
    }

    fn post(&mut self, own: u32, result: Outcome) {
        let answer = match result {
            Outcome::Slept => Value::new(()),
            Outcome::Answered(answer) => answer,
            Outcome::Failed(why) => Value::new(Err::<P::Message, CallError>(why)),
        };
        self.task.board().answers.insert(own, answer);
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
                let operation = env.life().open(Open { task: id, own });
                let at = env.world.now() + duration;
                env.world.set_alarm(at, Alarm::Wake { task: id, operation });
            }
            Request::With(act) => {
                let mut me = rows.borrow_mut(env.row()).expect("a task runs beside its peerlet");
                let answer = act(&mut me, &mut Context::new(env));
                self.task.board().answers.insert(own, answer);
            }
            Request::Call { to, message, within, tries, class } => {
                let call = Asked { open: Open { task: id, own }, to, within, tries, class };
                if let Err(why) = call.ask::<P>(env, message) {
                    self.post(own, Outcome::Failed(why));
                }
            }
            Request::Forget => {
                env.life().forget(Open { task: id, own });
                self.task.board().answers.remove(own);
            }
        }
    }
}

/// A call as the task asks for it.
struct Asked {
    open: Open,
    to: Address,
    within: Duration,
    tries: u32,
    class: Class,
}

impl Asked {
    /// Sends the question and opens the call.
    fn ask<P: Peerlet>(self, env: &mut Env<'_>, message: P::Message) -> Result<(), CallError> {
        let Asked { open, to, within, tries, class } = self;
        let mut again = None;
        if tries > 1 {
            let mut bytes = Vec::new();
            wire::encode(&message, &mut bytes).unwrap_or_else(|e| panic!("`{}`: {e}", P::NAME));
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
            env.life().tidy();
            return Err(refused.why.into());
        }
        let operation = env.life().open(open);
        let at = env.world.now() + within;
        env.world.set_alarm(at, Alarm::Wake { task: open.task, operation });
        let tries_left = tries - 1;
        let port = env.port;
        let call =
            OpenCall { task: open.task, operation, port, to, class, within, tries_left, again };
        env.life().rare().calls.insert(id, call);
        Ok(())
    }
}

fn foreign<P: Peerlet>() -> String {
    format!(
        "a task of `{}` awaits something that is not its peer's; await only what its `Task` gives: \
         `call`, `sleep`, `with`, and `join_all` and `race` of these",
        P::NAME
    )
}
