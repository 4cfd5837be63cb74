//! Tasks that wait for the answers of siblings, and for other local events.

use peerlet_core::{
    Address, Context, Description, Either, ListenError, Listening, MILLISECOND, Nothing, Peer,
    Peerlet, Response, SECOND, Task, TaskId, TestPeer, join_all, race2,
};

#[derive(Clone, PartialEq, Debug)]
struct Found {
    ticket: u64,
    value: u32,
}

impl Response for Found {
    type Ticket = u64;
    fn ticket(&self) -> u64 {
        self.ticket
    }
}

/// Answers at once what it has, and other requests when a message with the value comes.
#[derive(Default)]
struct Cache {
    tickets: u64,
    open: Vec<u64>,
}

impl Cache {
    fn find(&mut self, ctx: &mut Context<Self>, key: u32) -> u64 {
        self.tickets += 1;
        match key {
            0 => self.open.push(self.tickets),
            _ => ctx.emit(Found { ticket: self.tickets, value: key * 2 }),
        }
        self.tickets
    }
}

impl Peerlet for Cache {
    const NAME: &'static str = "cache";
    type Message = u32;
    type Timer = Nothing;

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, value: u32) {
        let first = self.open.remove(0);
        ctx.emit(Found { ticket: first, value });
    }
}

type Plan =
    Box<dyn FnOnce(Task<Reader>) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Runs a task of a test's making.
struct Reader {
    plan: Option<Plan>,
    id: Option<TaskId>,
    log: Vec<String>,
}

impl Peerlet for Reader {
    const NAME: &'static str = "reader";
    type Message = u32;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.uses::<Cache>();
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let plan = self.plan.take().expect("a plan runs once");
        self.id = Some(ctx.spawn(plan));
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, number: u32) {
        match (number, self.id) {
            (0, Some(id)) => ctx.abort(id),
            _ => ctx.emit(Found { ticket: 0, value: number }),
        }
    }
}

fn begin<F, T>(plan: F) -> TestPeer<Reader>
where
    F: FnOnce(Task<Reader>) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let plan: Plan = Box::new(move |task| Box::pin(plan(task)));
    let reader = Reader { plan: Some(plan), id: None, log: Vec::new() };
    TestPeer::beside(Peer::new().with(Cache::default()), reader)
}

async fn note(task: &Task<Reader>, text: impl ToString) {
    let text = text.to_string();
    task.with(move |me, _| me.log.push(text)).await;
}

fn find(task: &Task<Reader>, key: u32) -> Listening<Reader, Found> {
    task.request(move |_, ctx| {
        let mut cache = ctx.sibling::<Cache>()?;
        Some(cache.find(&mut ctx.of::<Cache>(), key))
    })
}

fn value(result: Result<Found, ListenError>) -> String {
    result.map_or_else(|why| format!("{why:?}"), |found| found.value.to_string())
}

#[test]
fn an_answer_from_a_cache_in_the_same_handler_is_heard() {
    let peer = begin(|task| async move {
        note(&task, value(find(&task, 21).await)).await;
        note(&task, value(find(&task, 4).within(SECOND).await)).await;
    });
    assert_eq!(peer.peerlet().log, ["42", "8"]);
}

#[test]
fn each_request_hears_its_own_answer() {
    let mut peer = begin(|task| async move {
        let found = join_all([find(&task, 0), find(&task, 5), find(&task, 0)]).await;
        let found: Vec<_> = found.into_iter().map(value).collect();
        note(&task, found.join(" ")).await;
    });
    let other = peer.stranger(1);
    peer.deliver_to::<Cache>(other, 71);
    assert!(peer.peerlet().log.is_empty());
    peer.deliver_to::<Cache>(other, 72);
    assert_eq!(peer.peerlet().log, ["71 10 72"]);
}

#[test]
fn a_request_times_out_and_its_late_answer_is_nobodys() {
    let mut peer = begin(|task| async move {
        note(&task, value(find(&task, 0).within(SECOND).await)).await;
        note(&task, task.with(|_, ctx| ctx.now()).await).await;
        note(&task, value(find(&task, 0).within(SECOND * 5).await)).await;
    });
    peer.advance(SECOND);
    assert_eq!(peer.peerlet().log, ["TimedOut", "1s"]);
    let other = peer.stranger(1);
    peer.deliver_to::<Cache>(other, 71);
    assert_eq!(peer.peerlet().log.len(), 2);
    peer.deliver_to::<Cache>(other, 72);
    assert_eq!(peer.peerlet().log[2], "72");
    // A request that was answered in time does not time out.
    peer.advance(SECOND * 9);
    assert_eq!(peer.peerlet().log.len(), 3);
}

#[test]
fn a_request_that_is_not_made_fails() {
    let peer = begin(|task| async move {
        let found = task.request::<Found, _>(|_, _| None);
        note(&task, value(found.await)).await;
    });
    assert_eq!(peer.peerlet().log, ["NotAsked"]);
}

#[test]
fn a_task_hears_from_the_call_on_and_not_only_when_it_awaits() {
    let mut peer = begin(|task| async move {
        let large = task.hear(|found: &Found| found.value > 5);
        let first = task.hear(|_: &Found| true).within(SECOND * 9);
        task.sleep(SECOND).await;
        note(&task, value(first.await)).await;
        note(&task, value(large.await)).await;
    });
    let other = peer.stranger(1);
    [3, 8, 9].into_iter().for_each(|number| peer.deliver(other, number));
    assert!(peer.peerlet().log.is_empty());
    peer.advance(SECOND);
    assert_eq!(peer.peerlet().log, ["3", "8"]);
}

#[test]
fn limits_count_from_the_beginning() {
    let mut peer = begin(|task| async move {
        let never = task.hear(|found: &Found| found.value == 1).within(SECOND);
        task.sleep(MILLISECOND * 700).await;
        note(&task, value(never.await)).await;
        note(&task, task.with(|_, ctx| ctx.now()).await).await;
    });
    peer.advance(SECOND * 3);
    assert_eq!(peer.peerlet().log, ["TimedOut", "1s"]);
}

#[test]
fn a_wait_that_is_dropped_takes_its_listener_away() {
    let mut peer = begin(|task| async move {
        // More, one after another, than may listen at once.
        for round in 0..10_000 {
            drop(task.hear(|_: &Found| true));
            let both = race2(find(&task, 0), task.sleep(MILLISECOND)).await;
            assert!(matches!(both, Either::B(())), "{round}");
        }
        note(&task, value(find(&task, 1).await)).await;
    });
    peer.advance(SECOND * 10);
    assert_eq!(peer.peerlet().log, ["2"]);
}

#[test]
fn no_more_listen_than_there_is_room_for() {
    let mut peer = begin(|task| async move {
        let many: Vec<_> = (0..4_096).map(|_| task.hear(|_: &Found| true)).collect();
        let refused = value(find(&task, 1).await);
        note(&task, refused).await;
        let heard = join_all(many).await;
        note(&task, heard.iter().flatten().count()).await;
        note(&task, value(find(&task, 1).await)).await;
    });
    assert_eq!(peer.peerlet().log, ["TooMany"]);
    let other = peer.stranger(1);
    peer.deliver(other, 3);
    assert_eq!(peer.peerlet().log, ["TooMany", "4096", "2"]);
}

#[test]
fn a_task_that_ends_or_is_aborted_hears_nothing_more() {
    let mut peer = begin(|task| async move {
        note(&task, value(task.hear(|_: &Found| true).await)).await;
    });
    let other = peer.stranger(1);
    peer.deliver(other, 0);
    peer.deliver(other, 3);
    assert!(peer.peerlet().log.is_empty());
    // Its own request ends it.
    let mut peer = begin(|task| async move {
        let ended = task.request::<Found, _>(|me: &mut Reader, ctx| {
            ctx.abort(me.id.expect("it was spawned"));
            7
        });
        note(&task, value(ended.await)).await;
    });
    peer.deliver(other, 3);
    assert!(peer.peerlet().log.is_empty());
}

/// Two tasks hear one event: in the order in which they began to, after their peerlet's handler.
struct Choir {
    log: Vec<u32>,
    ids: Vec<TaskId>,
    ends_others: bool,
}

impl Peerlet for Choir {
    const NAME: &'static str = "choir";
    type Message = u32;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.hears(|me: &mut Choir, _, _: &Found| me.log.push(0));
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        for number in 1..=3 {
            let id = ctx.spawn(move |task| async move {
                if task.hear(|_: &Found| true).await.is_ok() {
                    let sing = move |me: &mut Choir, ctx: &mut Context<Choir>| {
                        me.log.push(number);
                        if me.ends_others {
                            me.ids.iter().skip(1).for_each(|other| ctx.abort(*other));
                        }
                    };
                    task.with(sing).await;
                }
            });
            self.ids.push(id);
        }
    }

    fn message(&mut self, ctx: &mut Context<Self>, _: Address, value: u32) {
        let (port, found) = (ctx.port(), Found { ticket: 0, value });
        match value {
            0 => ctx.emit(found),
            _ => ctx.emit_to(port, found),
        }
    }
}

#[test]
fn handlers_hear_before_tasks_and_tasks_in_their_order() {
    for (value, ends_others, expected) in
        [(0, false, vec![0, 1, 2, 3]), (1, false, vec![0, 1, 2, 3]), (1, true, vec![0, 1])]
    {
        let mut peer = TestPeer::new(Choir { log: Vec::new(), ids: Vec::new(), ends_others });
        let other = peer.stranger(1);
        peer.deliver(other, value);
        assert_eq!(peer.peerlet().log, expected);
        peer.deliver(other, value);
        assert_eq!(peer.peerlet().log.len(), expected.len() + 1, "each task hears once");
    }
}

#[test]
fn a_stop_ends_what_tasks_wait_for() {
    let mut peer = TestPeer::new(Choir { log: Vec::new(), ids: Vec::new(), ends_others: false });
    let other = peer.stranger(1);
    peer.stop();
    peer.start();
    peer.deliver(other, 0);
    // Three tasks of the second life, none of the first.
    assert_eq!(peer.peerlet().log, [0, 1, 2, 3]);
}
