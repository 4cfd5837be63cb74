//! A peerlet that runs one task of a test's making.

use std::pin::Pin;

use peerlet_core::{Address, Context, Nothing, Peerlet, Task, TaskId, TestPeer};

type Plan =
    Box<dyn FnOnce(Task<Runner>, Address) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Runs its plan when a message comes, and keeps what the plan notes.
pub struct Runner {
    plan: Option<Plan>,
    pub id: Option<TaskId>,
    pub log: Vec<String>,
}

impl Peerlet for Runner {
    const NAME: &'static str = "runner";
    type Message = u64;
    type Timer = Nothing;

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, _: u64) {
        let plan = self.plan.take().expect("a plan runs once");
        self.id = Some(ctx.spawn(move |task| plan(task, from)));
    }
}

/// A peer whose task has begun, and the peer that it was told of.
pub fn begin<F, T>(plan: F) -> (TestPeer<Runner>, Address)
where
    F: FnOnce(Task<Runner>, Address) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let plan: Plan = Box::new(move |task, peer| Box::pin(plan(task, peer)));
    let mut peer = TestPeer::new(Runner { plan: Some(plan), id: None, log: Vec::new() });
    let other = peer.stranger(1);
    peer.deliver(other, 0);
    (peer, other)
}

/// Notes something.
pub async fn note(task: &Task<Runner>, text: impl ToString) {
    let text = text.to_string();
    task.with(move |me, _| me.log.push(text)).await;
}
