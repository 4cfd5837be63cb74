//! Siblings by role, events for one sibling, and tasks that wait for local events.

use peerlet_core::{
    Context, Description, Duration, ListenError, Listening, MILLISECOND, Nothing, Peer, Peerlet,
    Response, Role, RoleContext, Task, join_all,
};

use crate::candidate::Experiment;
use crate::journal::{Journal, Observation, Observed};
use crate::probe::{Changed, LooseProbe};
use crate::suite::{Case, Failure, Harness, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a_role_is_played_by_the_nearest_below_or_by_the_named_sibling",
        sentence: "The sibling in a role is the named one, or else the nearest below on this \
                   peer's own stack.",
        test: a_role_is_played_by_the_nearest_below_or_by_the_named_sibling,
    },
    Case {
        name: "an_event_for_one_sibling_is_for_no_other",
        sentence: "`emit_to` tells one sibling only, in order with other events.",
        test: an_event_for_one_sibling_is_for_no_other,
    },
    Case {
        name: "a_task_hears_the_answer_to_its_request",
        sentence: "A request listens before it is made, and ends by its answer or when its time is \
                   over.",
        test: a_task_hears_the_answer_to_its_request,
    },
];

/// Keeps numbers for siblings, and tells them.
trait Keeper {
    /// The seat-wide number of this keeper.
    fn number(&self) -> u64;
    /// Keeps a value and answers after this long; at once after none.
    fn keep(&mut self, ctx: &mut RoleContext, value: u64, after: Duration) -> u64;
}

impl Role for dyn Keeper {
    const NAME: &'static str = "keeper";
}

#[derive(Clone)]
struct Kept {
    ticket: u64,
    value: u64,
}

impl Response for Kept {
    type Ticket = u64;
    fn ticket(&self) -> u64 {
        self.ticket
    }
}

/// One of two peerlet types that play the role.
struct Shelf<const N: u64> {
    journal: Journal,
    tickets: u64,
}

impl<const N: u64> Shelf<N> {
    fn new(journal: &Journal) -> Shelf<N> {
        Shelf { journal: journal.clone(), tickets: 0 }
    }
}

impl<const N: u64> Peerlet for Shelf<N> {
    const NAME: &'static str = ["upper_shelf", "lower_shelf"][N as usize];
    type Message = Nothing;
    type Timer = (peerlet_core::Port, u64, u64);

    fn describe(about: &mut Description<Self>) {
        about.plays::<dyn Keeper>(|me| me).hears(|me: &mut Self, ctx, changed: &Changed| {
            note(&me.journal, ctx, format!("{N} heard {}", changed.0));
        });
    }

    fn timer(&mut self, ctx: &mut Context<Self>, timer: Self::Timer) {
        let (user, ticket, value) = timer;
        ctx.emit_to(user, Kept { ticket, value });
    }
}

impl<const N: u64> Keeper for Shelf<N> {
    fn number(&self) -> u64 {
        N
    }

    fn keep(&mut self, ctx: &mut RoleContext, value: u64, after: Duration) -> u64 {
        self.tickets += 1;
        let (user, ticket) = (ctx.caller(), self.tickets);
        let ctx = &mut ctx.typed::<Self>();
        match after {
            Duration::ZERO => ctx.emit_to(user, Kept { ticket, value }),
            _ => _ = ctx.after(after, (user, ticket, value)),
        }
        ctx.emit_to(user, Changed(value));
        ticket
    }
}

fn note<P: Peerlet>(journal: &Journal, ctx: &Context<P>, text: String) {
    let observed = Observed::Note(text);
    journal.write(Observation { seat: ctx.seat(), at: ctx.now(), observed });
}

fn shelves(journal: &Journal, upper_last: bool) -> Peer {
    let (upper, lower) = (Shelf::<0>::new(journal), Shelf::<1>::new(journal));
    match upper_last {
        true => Peer::new().with(lower).with(upper),
        false => Peer::new().with(upper).with(lower),
    }
}

fn a_role_is_played_by_the_nearest_below_or_by_the_named_sibling(
    harness: &mut Harness<'_>,
) -> Result<(), Failure> {
    let journal = Journal::default();
    let written = journal.clone();
    let probe = LooseProbe::new(&journal).on_start(move |ctx, ()| {
        let number = |name| ctx.role::<dyn Keeper>(name).map(|keeper| keeper.number());
        let found = [None, Some("upper_shelf"), Some("lower_shelf"), Some("shelf")].map(number);
        let held = ctx.role::<dyn Keeper>(None);
        let is_lent_once = ctx.role::<dyn Keeper>(None).is_none();
        drop(held);
        note(&written, ctx, format!("{found:?} {is_lent_once}"));
    });
    let stack = journal.clone();
    let experiment = Experiment::new(2, move |seat| {
        shelves(&stack, seat == peerlet_core::Seat(0)).with(probe.clone())
    });
    harness.run(experiment.lasting(MILLISECOND * 300))?;
    ensure_eq!(journal.notes(0), ["[Some(0), Some(0), Some(1), None] true"], "upper is nearest");
    ensure_eq!(journal.notes(1), ["[Some(1), Some(0), Some(1), None] true"], "lower is nearest");
    Ok(())
}

fn an_event_for_one_sibling_is_for_no_other(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe = LooseProbe::new(&journal)
        .on_start(|ctx, ()| _ = ctx.after(MILLISECOND * 100, 1))
        .on_timer(|ctx, _| {
            let Some(mut keeper) = ctx.role::<dyn Keeper>(None) else { return };
            let port = keeper.port();
            keeper.keep(&mut ctx.acting(port), 5, Duration::ZERO);
            ctx.emit_to(port, Changed(6));
            ctx.emit(Changed(7));
        });
    let stack = journal.clone();
    harness.run(Experiment::new(1, move |_| shelves(&stack, true).with(probe.clone())))?;
    let mut seen = journal.of(0);
    seen.retain(|observed| matches!(observed, Observed::Heard(_) | Observed::Note(_)));
    let said = |text: &str| Observed::Note(text.into());
    let expected = [
        Observed::Heard(5),
        said("0 heard 6"),
        said("1 heard 7"),
        said("0 heard 7"),
        Observed::Heard(7),
    ];
    ensure_eq!(seen, expected, "who heard what");
    Ok(())
}

/// Asks the nearest keeper.
fn ask(task: &Task<LooseProbe>, value: u64, after: Duration) -> Listening<LooseProbe, Kept> {
    task.request(move |_, ctx| {
        let mut keeper = ctx.role::<dyn Keeper>(None)?;
        let port = keeper.port();
        Some(keeper.keep(&mut ctx.acting(port), value, after))
    })
}

fn a_task_hears_the_answer_to_its_request(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let text = |result: Result<Kept, ListenError>| match result {
        Ok(kept) => kept.value.to_string(),
        Err(why) => format!("{why:?}"),
    };
    let journal = Journal::default();
    let written = journal.clone();
    let probe = LooseProbe::new(&journal).on_start(move |ctx, ()| {
        let written = written.clone();
        ctx.spawn(move |task| async move {
            let both = [ask(&task, 1, MILLISECOND * 60), ask(&task, 2, Duration::ZERO)];
            let mut values: Vec<_> = join_all(both).await.into_iter().map(text).collect();
            let late = ask(&task, 3, MILLISECOND * 400).within(MILLISECOND * 50);
            values.push(text(late.await));
            let next = task.hear(|kept: &Kept| kept.value == 5);
            values.push(text(ask(&task, 5, Duration::ZERO).await));
            values.push(text(next.await));
            let note = move |_: &mut LooseProbe, ctx: &mut Context<LooseProbe>| {
                note(&written, ctx, values.join(" "));
            };
            task.with(note).await;
        });
    });
    let stack = journal.clone();
    harness.run(Experiment::new(1, move |_| shelves(&stack, true).with(probe.clone())))?;
    ensure_eq!(journal.notes(0), ["1 2 TimedOut 5 5"], "answers");
    Ok(())
}
