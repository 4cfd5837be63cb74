//! Tasks: calls with tries and time-outs, over the world's own network.

use peerlet_core::runtime::Act;
use peerlet_core::{
    CallError, Context, Either, MILLISECOND, SECOND, Task, Undelivered, WaitSet, join_all, race,
    race2,
};

use super::{address, duo, pair};
use crate::journal::{Journal, Observation, Observed};
use crate::probe::{LooseProbe, Message, Probe, Prober};
use crate::suite::{Case, Failure, Harness, ensure_eq};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a_call_is_answered",
        sentence: "`ctx.reply(message)` answers a `call`.",
        test: a_call_is_answered,
    },
    Case {
        name: "a_call_without_an_answer_times_out_after_its_tries",
        sentence: "`call(..).within(..).tries(..)` asks that often, then fails.",
        test: a_call_without_an_answer_times_out_after_its_tries,
    },
    Case {
        name: "several_operations_can_be_open",
        sentence: "`join_all` and `race` can have several operations open.",
        test: several_operations_can_be_open,
    },
    Case {
        name: "late_answers_are_counted_and_no_messages",
        sentence: "One id over all tries; late answers counted.",
        test: late_answers_are_counted_and_no_messages,
    },
    Case {
        name: "a_call_can_be_awaited_again",
        sentence: "An answer that comes after `within` is had by awaiting the call again.",
        test: a_call_can_be_awaited_again,
    },
    Case {
        name: "the_first_of_several_is_taken_and_the_others_go_on",
        sentence: "`race2` and `WaitSet` take what is ready first; the others can go on.",
        test: the_first_of_several_is_taken_and_the_others_go_on,
    },
    Case {
        name: "a_reliable_call_to_a_stopped_peer_fails_at_once",
        sentence: "A call by reliable delivery fails as its question is reported.",
        test: a_reliable_call_to_a_stopped_peer_fails_at_once,
    },
];

/// A probe that runs this task 200 ms after it started and notes the result.
pub(super) fn tasked<const R: bool, F>(
    journal: &Journal,
    task: fn(Task<Prober<R>>, peerlet_core::Address) -> F,
) -> Prober<R>
where
    F: Future<Output = String> + Send + 'static,
{
    let written = journal.clone();
    Prober::new(journal)
        .on_start(|ctx, ()| {
            ctx.after(MILLISECOND * 200, 0);
        })
        .on_timer(move |ctx, _| {
            let (other, written) = (address(ctx, 1), written.clone());
            ctx.spawn(move |hold| async move {
                let note = task(hold.clone(), other).await;
                let write = move |_: &mut Prober<R>, ctx: &mut Context<Prober<R>>| {
                    let observed = Observed::Note(note);
                    written.write(Observation { seat: ctx.seat(), at: ctx.now(), observed });
                };
                hold.with(write).await;
            });
        })
}

/// A probe that answers every question with its double.
fn doubler<const R: bool>(journal: &Journal) -> Prober<R> {
    Prober::new(journal).on_message(|ctx, (_, number)| ctx.reply((number * 2).into()))
}

/// A probe that answers every question with its double, after a while that is longer for larger
/// numbers: 800 ms for 5.
fn slow_doubler(journal: &Journal) -> LooseProbe {
    LooseProbe::new(journal).on_message(|ctx, (_, number)| {
        let caller = ctx.caller().expect("the message is a question");
        ctx.spawn(move |task| async move {
            task.sleep(MILLISECOND * 160 * number).await;
            task.with(move |_, ctx| ctx.reply_to(caller, (number * 2).into())).await;
        });
    })
}

pub(super) fn number(answer: Result<Message, CallError>) -> String {
    answer.map_or_else(|why| format!("{why:?}"), |message| message.number.to_string())
}

fn a_call_is_answered(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe: Probe = tasked(&journal, |task, other| async move {
        let first = number(task.call(other, 21.into()).await);
        let second = number(task.call(other, 4.into()).reliably().await);
        format!("{first} {second}")
    });
    harness.run(duo(&journal, probe, doubler(&journal)))?;
    ensure_eq!(journal.notes(0), ["42 8"], "answers");
    ensure_eq!(journal.messages(0), [0_u64; 0], "plain messages");
    Ok(())
}

fn a_call_without_an_answer_times_out_after_its_tries(
    harness: &mut Harness<'_>,
) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe: LooseProbe = tasked(&journal, |task, other| async move {
        number(task.call(other, 5.into()).within(MILLISECOND * 200).tries(3).await)
    });
    harness.run(pair(&journal, probe))?;
    ensure_eq!(journal.notes(0), ["TimedOut"], "what the call came to");
    ensure_eq!(journal.messages(1), [5, 5, 5], "questions");
    Ok(())
}

fn several_operations_can_be_open(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe: LooseProbe = tasked(&journal, |task, other| async move {
        let ask = |n: u64| task.call(other, n.into());
        let joined: Vec<_> = join_all([ask(1), ask(2), ask(3)]).await;
        let joined: Vec<_> = joined.into_iter().map(number).collect();
        let naps = [task.sleep(SECOND), task.sleep(MILLISECOND * 50)];
        let (first, ()) = race(naps).await;
        format!("{} {first}", joined.join("+"))
    });
    harness.run(duo(&journal, probe, doubler(&journal)))?;
    ensure_eq!(journal.notes(0), ["2+4+6 1"], "answers and the winner");
    Ok(())
}

fn late_answers_are_counted_and_no_messages(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe: LooseProbe = tasked(&journal, |task, other| async move {
        number(task.call(other, 5.into()).within(MILLISECOND * 300).await)
    });
    // The answer is kept back for longer than the caller waits.
    let report = harness.run(duo(&journal, probe, slow_doubler(&journal)))?;
    ensure_eq!(journal.notes(0), ["TimedOut"], "what the call came to");
    ensure_eq!(journal.messages(0), [0_u64; 0], "plain messages");
    ensure_eq!(report.late_answers, 1, "late answers");
    Ok(())
}

fn a_call_can_be_awaited_again(harness: &mut Harness<'_>) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe: LooseProbe = tasked(&journal, |task, other| async move {
        // One answer comes while nobody awaits it, one while it is awaited again, one never in
        // time.
        let mut early = task.call(other, 2.into()).within(MILLISECOND * 100);
        let mut late = task.call(other, 5.into()).within(MILLISECOND * 100);
        let mut never = task.call(other, 9.into()).within(MILLISECOND * 100);
        let first = join_all([&mut early, &mut late, &mut never]).await;
        let mut notes: Vec<_> = first.into_iter().map(number).collect();
        task.sleep(MILLISECOND * 400).await;
        notes.push(number(early.await));
        notes.push(number(late.within(SECOND).await));
        notes.push(number(never.await));
        notes.join(" ")
    });
    let experiment = duo(&journal, probe, slow_doubler(&journal)).lasting(SECOND * 3);
    let report = harness.run(experiment)?;
    ensure_eq!(journal.notes(0), ["TimedOut TimedOut TimedOut 4 10 TimedOut"], "answers");
    let mut questions = journal.messages(1);
    questions.sort_unstable();
    ensure_eq!(questions, [2, 5, 9], "questions");
    ensure_eq!(report.late_answers, 1, "late answers");
    Ok(())
}

fn the_first_of_several_is_taken_and_the_others_go_on(
    harness: &mut Harness<'_>,
) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe: LooseProbe = tasked(&journal, |task, other| async move {
        let ask = |n: u64| task.call(other, n.into()).within(SECOND * 2);
        let mut calls: WaitSet<_> = [ask(5), ask(1)].into_iter().collect();
        let mut notes = Vec::new();
        match race2(calls.next(), task.sleep(MILLISECOND * 20)).await {
            Either::A(_) => notes.push("at once".to_owned()),
            Either::B(()) => notes.push(calls.push(ask(3)).to_string()),
        }
        while let Some((place, answer)) = calls.next().await {
            notes.push(format!("{place}:{}", number(answer)));
        }
        notes.join(" ")
    });
    harness.run(duo(&journal, probe, slow_doubler(&journal)))?;
    ensure_eq!(journal.notes(0), ["2 1:2 2:6 0:10"], "what came first");
    Ok(())
}

fn a_reliable_call_to_a_stopped_peer_fails_at_once(
    harness: &mut Harness<'_>,
) -> Result<(), Failure> {
    let journal = Journal::default();
    let probe: Probe = tasked(&journal, |task, other| async move {
        number(task.call(other, 5.into()).reliably().within(SECOND * 60).await)
    });
    harness.run(pair(&journal, probe).then(MILLISECOND * 100, 1, Act::Stop))?;
    let expected = format!("{:?}", CallError::Undelivered(Undelivered::Reset));
    ensure_eq!(journal.notes(0), [expected], "what the call came to");
    Ok(())
}
