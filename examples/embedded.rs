//! An overlay inside a service: any process answers which of them is nearest to a key.
//!
//! ```sh
//! cargo build --release -p peerlet --example embedded
//! cd target/release/examples
//! PEERS="127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003"
//! for n in 1 2 3; do
//!     ./embedded --bind 127.0.0.1:700$n --http 127.0.0.1:800$n --key node$n.key $PEERS &
//! done
//! curl http://127.0.0.1:8001/nearest/apple
//! ```
//!
//! Kill one of them with `kill -9`: the others go on answering, without it after 3 s. Started
//! again, it has the same identity, and its share of the keys.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router as Routes};
use clap::Parser;
use peerlet::live::{PeerError, ProcessKey, Secret};
use peerlet::prelude::*;

/// Finds the peer nearest to a key, by asking from neighbor to neighbor.
#[derive(Clone, Default)]
struct Finder;

#[derive(Serialize, Deserialize)]
enum Message {
    /// Whom do you know that is nearer to this key than you are?
    Nearer(RingId),
    /// This peer; nobody.
    Know(Option<Address>),
}

/// Hops that a search takes at most: more than a network of millions needs.
const HOPS_MAX: u32 = 64;

impl Peerlet for Finder {
    const NAME: &'static str = "finder";
    type Message = Message;
    type Timer = Nothing;

    fn describe(about: &mut Description<Self>) {
        about.help("finds the peer nearest to a key").uses::<Neighbors>();
    }

    fn message(&mut self, ctx: &mut Context<Self>, _from: Address, message: Message) {
        if let Message::Nearer(key) = message {
            let nearer = nearer(ctx, key);
            ctx.reply(Message::Know(nearer));
        }
    }
}

/// The neighbor nearest to a key; `None` where this peer is nearer.
fn nearer(ctx: &mut Context<Finder>, key: RingId) -> Option<Address> {
    ctx.sibling::<Neighbors>()?.nearest(key)
}

/// Goes from peer to peer as long as one knows a nearer one. A peer that does not answer is
/// suspected, so that neighbors prefer another one, and the search begins anew.
async fn find(task: Task<Finder>, key: RingId) -> Option<(Address, u32)> {
    let mut hops = 0;
    'anew: loop {
        let first =
            move |_: &mut Finder, ctx: &mut Context<Finder>| (ctx.address(), nearer(ctx, key));
        let (mut here, mut next) = task.with(first).await;
        while let Some(peer) = next {
            hops += 1;
            if hops > HOPS_MAX {
                return None;
            }
            let question = Message::Nearer(key);
            match task.call(peer, question).within(MILLISECOND * 300).tries(2).await {
                Ok(Message::Know(nearer)) => (here, next) = (peer, nearer),
                _ => {
                    task.with(move |_, ctx| {
                        if let Some(mut neighbors) = ctx.sibling::<Neighbors>() {
                            neighbors.forget(&mut ctx.of::<Neighbors>(), peer);
                        }
                    })
                    .await;
                    continue 'anew;
                }
            }
        }
        return Some((here, hops));
    }
}

/// One process of the service.
#[derive(Parser)]
struct Arguments {
    /// Where other processes of the overlay reach this one
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// Where the service listens
    #[arg(long, default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// The file of the process's key, made where there is none
    #[arg(long)]
    key: Option<PathBuf>,
    /// The file of the secret that all processes share
    #[arg(long)]
    secret: Option<PathBuf>,
    /// Processes to join through; the first of the list founds the overlay
    peers: Vec<Introducer>,
}

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let peers = arguments.peers;
    let stack = move |_seat| {
        let bootstrap = Bootstrap::through(peers.clone());
        Peer::new().with(bootstrap).with(Neighbors::default()).with(Finder)
    };
    let mut node = Experiment::new("embedded").node(stack).bind(arguments.bind);
    if let Some(path) = arguments.key {
        node = node.key(ProcessKey::load_or_create(&path)?);
    }
    if let Some(path) = arguments.secret {
        node = node.secret(Secret::load(&path)?);
    }
    let node = Arc::new(node.notice(|line| eprintln!("{line}")).start().await?);
    let routes = Routes::new()
        .route("/nearest/{key}", get(nearest))
        .route("/neighbors", get(neighbors))
        .with_state(node.clone());
    let listener = tokio::net::TcpListener::bind(arguments.http).await?;
    eprintln!("http://{}/nearest/KEY", listener.local_addr()?);
    let stop = async {
        tokio::signal::ctrl_c().await.ok();
    };
    axum::serve(listener, routes).with_graceful_shutdown(stop).await?;
    if let Some(node) = Arc::into_inner(node) {
        node.stop().await?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Nearest {
    key: String,
    address: Address,
    hops: u32,
}

async fn nearest(
    State(node): State<Arc<Node>>,
    Path(key): Path<String>,
) -> Result<Json<Nearest>, (StatusCode, String)> {
    let position = RingId::of_key(&key);
    let found = node.run(move |task| find(task, position)).await.map_err(unavailable)?;
    let nobody = || (StatusCode::SERVICE_UNAVAILABLE, "the search led nowhere".to_owned());
    let (address, hops) = found.ok_or_else(nobody)?;
    Ok(Json(Nearest { key, address, hops }))
}

async fn neighbors(
    State(node): State<Arc<Node>>,
) -> Result<Json<Vec<Address>>, (StatusCode, String)> {
    let all = |neighbors: &mut Neighbors, _: &mut Context<Neighbors>| {
        neighbors.all().map(|neighbor| neighbor.address).collect()
    };
    Ok(Json(node.with(all).await.map_err(unavailable)?))
}

fn unavailable(error: PeerError) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}
