//! An attacker's connection to one process, as a stranger or as a member of the run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peerlet_core::Identity;
use quinn::{Connection, Endpoint, SendStream};

use super::meter::{Counts, MeteredSocket};
use super::scene::Scene;
use super::sockets::source;
use crate::hostile::{Control, Credentials, Process, control_in, fingerprint};

/// How long an attacker waits for an answer before it asks again.
const ANSWER: Duration = Duration::from_millis(300);

/// A connection with a key of its own, made anew when it is closed.
pub struct Speaker {
    endpoint: Endpoint,
    identity: Identity,
    to: SocketAddr,
    connection: Option<Connection>,
}

/// An endpoint with a new key, whose packets are counted.
pub fn endpoint(number: usize, counts: &Arc<Counts>) -> (Endpoint, Identity) {
    let credentials = Credentials::generate();
    let socket = MeteredSocket::bind(source(number), counts.clone(), |_| true);
    (credentials.endpoint_over(Arc::new(socket)), credentials.identity)
}

/// A handshake, if the process lets it end soon.
pub async fn dial(endpoint: &Endpoint, to: SocketAddr) -> Option<Connection> {
    let connecting = endpoint.connect(to, "peerlet").expect("it can be dialled");
    tokio::time::timeout(Duration::from_secs(2), connecting).await.ok()?.ok()
}

impl Speaker {
    pub fn new(number: usize, to: SocketAddr, counts: &Arc<Counts>) -> Speaker {
        let (endpoint, identity) = endpoint(number, counts);
        Speaker { endpoint, identity, to, connection: None }
    }

    /// One with seats of its own in the run.
    pub async fn member(scene: &Scene) -> (Speaker, Process, [u8; 32]) {
        let mut speaker = Speaker::new(0, scene.first, &scene.counts);
        let run = speaker.run().await;
        let at = speaker.endpoint.local_addr().expect("it is bound");
        let process = Process::new(scene.seats, at, speaker.identity);
        let join = Control::Join { process: process.clone(), run, asked: scene.first, sent: 1 };
        let welcome = speaker.ask(&join, |answer| match answer {
            Control::Welcome { .. } => Some(()),
            other => panic!("{other:?}"),
        });
        welcome.await;
        (speaker, process, run)
    }

    /// Itself as a process with these seats.
    pub fn process(&self, seats: (u32, u32)) -> Process {
        let at = self.endpoint.local_addr().expect("it is bound");
        Process::new(seats, at, self.identity)
    }

    /// The connection; a new one where there is none.
    async fn connection(&mut self) -> Option<&Connection> {
        if self.connection.as_ref().is_none_or(|it| it.close_reason().is_some()) {
            self.connection = dial(&self.endpoint, self.to).await;
        }
        self.connection.as_ref()
    }

    /// Sends a datagram. Where the path is slower than the attacker, the oldest is dropped.
    pub async fn datagram(&mut self, frame: Bytes) {
        if let Some(connection) = self.connection().await {
            // It may have been closed meanwhile.
            drop(connection.send_datagram(frame));
        }
    }

    /// Writes to a new stream, as far as the other side lets it, and keeps that open.
    pub async fn stream(&mut self, bytes: &[u8]) -> Option<SendStream> {
        let connection = self.connection().await?;
        let moment = Duration::from_millis(5);
        let mut stream = tokio::time::timeout(moment, connection.open_uni()).await.ok()?.ok()?;
        let mut rest = bytes;
        while let Ok(Ok(len)) = tokio::time::timeout(moment, stream.write(rest)).await
            && len < rest.len()
        {
            rest = &rest[len..];
        }
        Some(stream)
    }

    /// Gives up its connection; the next word is said on a new one.
    pub fn hang_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close(0u32.into(), b"");
        }
    }

    /// The next answer, or `None` after a while without.
    async fn hear(&mut self) -> Option<Control> {
        let connection = self.connection().await?;
        let next = async {
            loop {
                let frame = connection.read_datagram().await.ok()?;
                if let Some(control) = control_in(&frame) {
                    return Some(control);
                }
            }
        };
        tokio::time::timeout(ANSWER, next).await.ok()?
    }

    /// Says something until it is answered.
    async fn ask<T>(
        &mut self,
        control: &Control,
        mut is_answer: impl FnMut(Control) -> Option<T>,
    ) -> T {
        loop {
            self.datagram(control.frame()).await;
            while let Some(control) = self.hear().await {
                if let Some(answer) = is_answer(control) {
                    return answer;
                }
            }
        }
    }

    /// The hash of what the run is made of.
    pub async fn run(&mut self) -> [u8; 32] {
        let mut all = Vec::new();
        loop {
            let from = all.len() as u32;
            let question = Control::AskSections { from, padding: vec![0; 360] };
            let answer = self.ask(&question, |control| match control {
                Control::Sections { from: is, sections, total } if is == from => {
                    Some((sections, total))
                }
                _ => None,
            });
            let (sections, total) = answer.await;
            all.extend(sections);
            if all.len() >= total as usize {
                return fingerprint(&all);
            }
        }
    }
}
