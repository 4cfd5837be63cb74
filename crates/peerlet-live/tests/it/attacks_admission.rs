//! Attacks on networks with a secret or a list of identities, over QUIC.

use std::net::SocketAddr;
use std::time::Duration;

use peerlet_live::{
    Admission, Guard, Inbound, Join, JoinError, LinkError, LiveError, ProcessKey, Secret,
    SocketDrop, Transport,
};
use quinn::{Connection, ConnectionError, Endpoint, VarInt};
use tokio::sync::watch;

use crate::honest::{Honest, dropped};
use crate::hostile::{Control, Credentials, Stranger};
use crate::runs::{PATIENCE, run_until_stopped, runtime};

/// The code by which a process says that it does not let the other one in.
const NOT_ADMITTED: VarInt = VarInt::from_u32(3);
/// Handshakes of one network that go on at once.
const HANDSHAKES_PER_NETWORK: usize = 64;

fn secret(byte: u8) -> Admission {
    let secret = Secret::from_bytes(&[byte; 32]).expect("it is long enough");
    Admission { secret: Some(secret), ..Admission::default() }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

async fn dial(endpoint: &Endpoint, to: SocketAddr) -> Connection {
    let connecting = endpoint.connect(to, "peerlet").expect("it can be dialled");
    soon(connecting).await.expect("the handshake itself is open to everybody")
}

async fn say(connection: &Connection, proof: &[u8]) {
    let mut stream = soon(connection.open_uni()).await.expect("a stream for the proof");
    // The other side may have closed by then.
    drop(stream.write_all(proof).await);
    drop(stream.finish());
}

async fn hear(connection: &Connection) -> Vec<u8> {
    let mut stream = soon(connection.accept_uni()).await.expect("the proof");
    soon(stream.read_to_end(64)).await.expect("it is short")
}

/// Waits until the other side has closed the connection because it does not let us in; it has said
/// nothing before.
async fn refused(connection: &Connection) {
    match soon(connection.closed()).await {
        ConnectionError::ApplicationClosed(close) => assert_eq!(close.error_code, NOT_ADMITTED),
        other => panic!("{other}"),
    }
    assert!(connection.accept_uni().await.is_err(), "no proof of its own");
    assert!(connection.read_datagram().await.is_err(), "and no other word");
}

/// Asks to be let in until the link fails, and gives the reason.
async fn why_refused(mut stranger: Stranger) -> LinkError {
    let asked = Control::AskSections { from: 0, padding: vec![0; 360] };
    let failing = async {
        let mut came = Vec::new();
        loop {
            stranger.say(&asked).await;
            stranger.transport.receive(&mut came).await;
            for inbound in came.drain(..) {
                match inbound {
                    Inbound::LinkLost { why, .. } => return why,
                    Inbound::LinkUp { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    };
    soon(failing).await
}

#[test]
fn without_the_secret_nobody_is_heard() {
    runtime().block_on(async {
        let honest = Honest::pair(secret(1)).await;
        // None; another one; and one more that is almost the same.
        let mut almost = [1; 32];
        almost[31] = 0;
        let almost = Secret::from_bytes(&almost).expect("it is long enough");
        let guards = [
            Guard::default(),
            Guard { admission: secret(2), ..Guard::default() },
            Guard {
                admission: Admission { secret: Some(almost), ..Admission::default() },
                ..Guard::default()
            },
        ];
        let places = honest.processes.iter().map(|process| process.at);
        let strangers = places.flat_map(|at| guards.iter().cloned().map(move |it| (at, it)));
        let asking: Vec<_> = strangers
            .map(|(at, guard)| tokio::spawn(why_refused(Stranger::with(at, guard))))
            .collect();
        for stranger in asking {
            assert_eq!(stranger.await.expect("nothing panics"), LinkError::Admission);
        }
        let outcome = honest.finish().await;
        assert!(dropped(&outcome, &[SocketDrop::Admission]) >= 6, "{:?}", outcome.counters);
        let kept_out = |line: &&String| line.contains("did not prove that it has the secret");
        assert_eq!(outcome.kept_out.iter().filter(kept_out).count(), 3, "{:?}", outcome.kept_out);
    });
}

#[test]
fn what_comes_before_the_proof_is_not_heard() {
    runtime().block_on(async {
        let honest = Honest::pair(secret(1)).await;
        let endpoint = Credentials::generate().endpoint();
        let connection = dial(&endpoint, honest.at()).await;
        honest.rounds_go_on().await;
        assert!(connection.close_reason().is_none(), "it has time for its proof");
        // A process that has the secret says nothing before: one that does is sent away at once.
        let ask = Control::AskSections { from: 0, padding: vec![0; 360] };
        for _ in 0..2_000 {
            // The other side may have closed by then.
            connection.send_datagram(ask.frame()).ok();
        }
        refused(&connection).await;
        // All sorts of proofs that are none.
        let all: [&[u8]; 5] = [b"", &[0; 31], &[0; 32], &[0; 33], &[7; 9_000]];
        for proof in all {
            let connection = dial(&endpoint, honest.at()).await;
            say(&connection, proof).await;
            refused(&connection).await;
        }
        honest.finish().await;
    });
}

#[test]
fn proofs_of_others_are_of_no_use() {
    runtime().block_on(async {
        let honest = Honest::pair(secret(1)).await;
        // In the place of seat 0's process: the honest one dials, and proves itself first.
        let credentials = Credentials::generate();
        let endpoint = credentials.endpoint();
        let at = endpoint.local_addr().expect("it is bound");
        let mut setup = honest.setup(1);
        (setup.join, setup.start_within) = (Some(Join::at(at)), peerlet_core::SECOND * 20);
        let (_keep, stopped) = watch::channel(false);
        let victim = tokio::spawn(run_until_stopped(setup, Vec::new(), stopped));
        let accept = || async {
            let incoming = soon(endpoint.accept()).await.expect("it listens");
            soon(incoming.into_future()).await.expect("the handshake itself works")
        };
        let first = accept().await;
        let proof = hear(&first).await;
        assert_eq!(proof.len(), 32);
        // Reflected to its maker, on the same connection.
        say(&first, &proof).await;
        refused(&first).await;
        // Repeated to its maker on the next one.
        let second = accept().await;
        let other = hear(&second).await;
        assert_ne!(other, proof, "each connection has a proof of its own");
        say(&second, &proof).await;
        refused(&second).await;
        // Passed on to seat 0's process and to the participant, in time and late.
        let third = accept().await;
        let fresh = hear(&third).await;
        for process in &honest.processes {
            for stolen in [&fresh, &other, &proof] {
                let connection = dial(&endpoint, process.at).await;
                say(&connection, stolen).await;
                refused(&connection).await;
            }
        }
        assert!(third.close_reason().is_none(), "the attacker was in time");
        victim.abort();
        honest.finish().await;
    });
}

#[test]
fn who_never_proves_anything_is_one_of_a_few_and_not_for_long() {
    runtime().block_on(async {
        let mut honest = Honest::first(4, secret(1)).await;
        let endpoint = Credentials::generate().endpoint();
        let mut connections = Vec::new();
        for _ in 0..300 {
            connections.push(dial(&endpoint, honest.at()).await);
        }
        let open = || connections.iter().filter(|it| it.close_reason().is_none()).count();
        let until = |most: usize| async move {
            while open() > most {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon(until(HANDSHAKES_PER_NETWORK)).await;
        honest.join(1).await;
        honest.rounds_go_on().await;
        soon(until(0)).await;
        let outcome = honest.finish().await;
        // They may as well have ended: nothing says that they have another secret.
        assert!(dropped(&outcome, &[SocketDrop::Handshake]) >= 300, "{:?}", outcome.counters);
        assert_eq!(dropped(&outcome, &[SocketDrop::Admission]), 0, "{:?}", outcome.counters);
    });
}

#[test]
fn who_is_not_on_the_list_is_not_heard() {
    runtime().block_on(async {
        let keys = [ProcessKey::generate(), ProcessKey::generate()];
        let list: Vec<_> = keys.iter().map(|key| key.identity().to_string()).collect();
        let admission = Admission::of_list(&list.join("\n")).expect("a list");
        let [first, second] = keys;
        let mut honest = Honest::first_as(4, admission, |setup| setup.key = Some(first)).await;
        let join = Join::at(honest.at());
        honest
            .join_as(1, |setup| (setup.key, setup.join) = (Some(second), Some(join.clone())))
            .await;
        honest.rounds_go_on().await;
        let endpoint = Credentials::generate().endpoint();
        for process in &honest.processes {
            refused(&dial(&endpoint, process.at).await).await;
            let why = why_refused(Stranger::new(process.at)).await;
            assert_eq!(why, LinkError::Admission);
        }
        // An honest process with another key does not come in, and says why.
        let mut setup = honest.setup(1);
        (setup.join, setup.admission) = (Some(join), Admission::default());
        let key = ProcessKey::generate();
        let identity = key.identity();
        (setup.start_within, setup.key) = (peerlet_core::SECOND * 20, Some(key));
        let (_keep, stop) = watch::channel(false);
        let error = run_until_stopped(setup, Vec::new(), stop).await.err();
        let is_out = |own| match error {
            Some(LiveError::Join(JoinError::NotAdmitted {
                has_secret: false, own: told, ..
            })) => told == own,
            _ => false,
        };
        assert!(is_out(identity), "{error:?}");
        let outcome = honest.finish().await;
        let named = format!(", {identity}, was not let in: its identity is not on the list");
        assert!(
            outcome.kept_out.iter().any(|line| line.contains(&named)),
            "{:?}",
            outcome.kept_out
        );
    });
}
