//! Floods of handshakes that go further than their first packet, and of connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, Endpoint};
use tokio::task::JoinSet;

use super::meter::MeteredSocket;
use super::scene::Scene;
use super::sockets::source;
use super::speaker::{dial, endpoint};
use crate::hostile::{Control, Credentials};

/// Endpoints, each with a key and an address of its own.
const ENDPOINTS: usize = 64;
/// Handshakes that go on at once; further ticks wait.
const AT_ONCE: usize = 256;

fn endpoints(scene: &Scene) -> Vec<Endpoint> {
    (0..ENDPOINTS).map(|number| endpoint(number, &scene.counts).0).collect()
}

/// Makes a connection at each tick, and does this with it.
async fn connect<T>(mut scene: Scene, endpoints: Vec<Endpoint>, and: fn(Connection) -> T)
where
    T: Future<Output = ()> + Send + 'static,
{
    scene.begin().await;
    let mut going = JoinSet::new();
    for endpoint in endpoints.iter().cycle() {
        scene.tick().await;
        let (endpoint, to) = (endpoint.clone(), scene.first);
        going.spawn(async move {
            if let Some(connection) = dial(&endpoint, to).await {
                and(connection).await;
            }
        });
        while going.len() > AT_ONCE {
            going.join_next().await;
        }
    }
}

/// Handshakes of proved addresses that never end.
pub async fn handshakes_proved(mut scene: Scene) {
    // Only the demand to prove the own address (Retry) is read.
    let retry_only = |first: u8| first & 0xf0 == 0xf0;
    let endpoints: Vec<_> = (0..16)
        .map(|number| {
            let socket = MeteredSocket::bind(source(number), scene.counts.clone(), retry_only);
            Credentials::generate().endpoint_over(Arc::new(socket))
        })
        .collect();
    scene.begin().await;
    let mut dialling = std::collections::VecDeque::new();
    for endpoint in endpoints.iter().cycle() {
        scene.tick().await;
        dialling.push_back(endpoint.connect(scene.first, "peerlet").expect("it can be dialled"));
        if dialling.len() > 1_000 {
            dialling.pop_front();
        }
    }
}

/// Connections that stay as long as they may.
pub async fn connections_kept(scene: Scene) {
    let endpoints = endpoints(&scene);
    connect(scene, endpoints, |connection| async move {
        let stays = connection.closed();
        drop(tokio::time::timeout(Duration::from_secs(60), stays).await);
    })
    .await;
}

/// Connections that are closed at once.
pub async fn connections_closed(scene: Scene) {
    let endpoints = endpoints(&scene);
    connect(scene, endpoints, |connection| async move {
        connection.close(0u32.into(), b"");
    })
    .await;
}

/// Connections that are just let go: the process finds out by itself.
pub async fn proofs_false(scene: Scene) {
    let endpoints = endpoints(&scene);
    connect(scene, endpoints, |connection| async move {
        if let Ok(mut stream) = connection.open_uni().await {
            drop(stream.write_all(&[7; 32]).await);
            drop(stream.finish());
            drop(tokio::time::timeout(Duration::from_secs(5), connection.closed()).await);
        }
    })
    .await;
}

/// Words that come instead of the proof of the secret.
pub async fn words_before_the_proof(scene: Scene) {
    let endpoints = endpoints(&scene);
    connect(scene, endpoints, |connection| async move {
        let word: Bytes = Control::AskSections { from: 0, padding: vec![0; 360] }.frame();
        for _ in 0..30 {
            drop(connection.send_datagram(word.clone()));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A certificate of somebody else, with another key.
pub async fn certificates_copied(scene: Scene) {
    let endpoints = (0..ENDPOINTS)
        .map(|number| {
            let socket = MeteredSocket::bind(source(number), scene.counts.clone(), |_| true);
            let (own, other) = (Credentials::generate(), Credentials::generate());
            own.in_the_name_of(&other).endpoint_over(Arc::new(socket))
        })
        .collect();
    connect(scene, endpoints, |_| async {}).await;
}
