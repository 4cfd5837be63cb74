//! A live peer inside a program.

use peerlet::prelude::*;

/// Greets whoever greets it.
#[derive(Clone, Default)]
struct Hello {
    greeted: u64,
}

/// Somebody was greeted.
#[derive(Clone)]
struct Greeted(Address);

impl Peerlet for Hello {
    const NAME: &'static str = "hello";
    type Message = u64;
    type Timer = Nothing;

    fn message(&mut self, ctx: &mut Context<Self>, from: Address, number: u64) {
        self.greeted += 1;
        ctx.emit(Greeted(from));
        ctx.reply(number + 1);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let known: Vec<Introducer> =
        std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let stack = move |_seat| {
        let bootstrap = Bootstrap::through(known.clone());
        Peer::new().with(bootstrap).with(Neighbors::default()).with(Hello::default())
    };
    let node = Experiment::new("hello").node(stack).start().await?;
    println!("reached at {}", Introducer::from(node.contact()));

    // A closure runs between two events of the peer, and returns a value.
    let greeted = node.with(|hello: &mut Hello, _ctx| hello.greeted).await?;
    println!("greeted {greeted} times");

    // A task of the peer is awaited outside.
    let own = node.contact().address;
    let answer = node.run(move |task: Task<Hello>| async move { task.call(own, 41).await });
    println!("answered: {:?}", answer.await?);

    // Local events are a stream.
    let mut events = node.events::<Greeted>().await?;
    node.with(move |_: &mut Hello, ctx| ctx.send(own, 7)).await?;
    if let Some((_seat, Greeted(from))) = events.next().await {
        println!("greeted {from}");
    }
    node.stop().await?;
    Ok(())
}
