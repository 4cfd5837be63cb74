//! Asks a random peer, waits for its answer, sleeps a second, and so on: as a task.

use peerlet_core::{Description, Address, Context, Metric, Nothing, Peerlet, SECOND};
use serde::{Deserialize, Serialize};

use super::seats::{other, phase};

/// Asks and answers.
#[derive(Clone, Default)]
pub struct Tasks {
    answers: u64,
    served: u64,
}

/// What they say.
#[derive(Serialize, Deserialize)]
pub enum Message {
    /// What is it?
    Question,
    /// This.
    Answer(u64),
}

const ANSWERS: Metric = Metric::counter("answers").help("questions that were answered in time");

impl Peerlet for Tasks {
    const NAME: &'static str = "tasks";
    type Message = Message;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.help("asks a random peer, then sleeps a second").measures(&ANSWERS);
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        let phase = phase(ctx);
        ctx.spawn(move |task| async move {
            task.sleep(phase).await;
            loop {
                let Some(peer) = task.with(|_, ctx| other(ctx)).await else { return };
                let answer = task.call(peer, Message::Question).within(SECOND).await;
                if let Ok(Message::Answer(_)) = answer {
                    task.with(|me, ctx| {
                        me.answers += 1;
                        ctx.measure(ANSWERS, 1.0);
                    })
                    .await;
                }
                task.sleep(SECOND).await;
            }
        });
    }

    fn message(&mut self, ctx: &mut Context<Self>, _from: Address, message: Message) {
        if let Message::Question = message {
            self.served += 1;
            ctx.reply(Message::Answer(self.served));
        }
    }
}
