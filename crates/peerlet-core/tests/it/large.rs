//! Messages that are too large: what their senders, and those who call, hear.

use peerlet_core::{
    Address, CallError, Context, DATAGRAM_MAX, MESSAGE_MAX, Nothing, Peerlet, Refusal, Refused,
    SECOND, TestPeer,
};

/// Answers a question of n with n bytes, and asks who sends no byte for an answer.
#[derive(Default)]
struct Echo {
    handed_back: Vec<(usize, Refusal)>,
    failed: Option<CallError>,
}

impl Peerlet for Echo {
    const NAME: &'static str = "echo";
    type Message = Vec<u8>;
    type Timer = Nothing;

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, message: Vec<u8>) {
        let size = message.iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
        if ctx.caller().is_some() {
            let Err(Refused { message, why }) = ctx.try_reply(vec![7; size]) else { return };
            self.handed_back.push((message.len(), why));
            ctx.reply(message);
        } else if size > 0 {
            let Err(Refused { message, why }) = ctx.try_send_reliably(from, vec![7; size]) else {
                return;
            };
            self.handed_back.push((message.len(), why));
        } else {
            ctx.spawn(move |task| async move {
                let answer = task.call(from, vec![1]).within(SECOND * 60).await;
                task.with(move |me, _| me.failed = answer.err()).await;
            });
        }
    }
}

fn number(size: usize) -> Vec<u8> {
    (size as u64).to_be_bytes().to_vec()
}

#[test]
fn what_is_too_large_is_handed_back_with_the_bound() {
    let mut peer = TestPeer::new(Echo::default());
    let other = peer.stranger(5);
    peer.deliver(other, number(MESSAGE_MAX));
    let too_large = Refusal::TooLarge { size: MESSAGE_MAX + 4, max: MESSAGE_MAX };
    assert_eq!(peer.peerlet().handed_back, [(MESSAGE_MAX, too_large)]);
    peer.set_message_max(100);
    peer.deliver(other, number(100));
    let too_large = Refusal::TooLarge { size: 101, max: 100 };
    assert_eq!(peer.peerlet().handed_back[1], (100, too_large));
    peer.deliver(other, number(99));
    peer.set_full(true);
    peer.deliver(other, number(99));
    assert_eq!(peer.peerlet().handed_back[2], (99, Refusal::QueueFull));
    assert_eq!(peer.sent().len(), 1);
}

#[test]
fn an_answer_that_is_too_large_fails_its_call() {
    let mut peer = TestPeer::new(Echo::default());
    let other = peer.stranger(5);
    peer.ask(other, number(DATAGRAM_MAX));
    let too_large = Refusal::TooLarge { size: DATAGRAM_MAX + 2, max: DATAGRAM_MAX };
    assert_eq!(peer.peerlet().handed_back, [(DATAGRAM_MAX, too_large)]);
    assert!(peer.sent().is_empty(), "the caller hears of it, and gets no message");
    peer.deliver(other, Vec::new());
    assert_eq!(peer.sent().len(), 1, "a question");
    peer.answer_too_large(other);
    assert_eq!(peer.peerlet().failed, Some(CallError::AnswerTooLarge));
}
