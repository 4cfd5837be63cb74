//! The example `embedded`: a service in three processes, of which one is killed and comes back.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the processes are real, and so is the time that they take"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The built example, beside this test.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this program has a path");
    let target = test.parent().and_then(|deps| deps.parent()).expect("it is in deps");
    target.join("examples").join(format!("embedded{}", std::env::consts::EXE_SUFFIX))
}

/// One process of the service, which ends with its value.
struct Service {
    process: Child,
    /// Where the overlay reaches it: `IDENTITY@IP:PORT`.
    contact: String,
    /// Where it answers HTTP.
    http: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Service {
    fn start(bind: &str, key: &PathBuf, known: &[String]) -> Service {
        let mut command = Command::new(program());
        command.args(["--bind", bind, "--key"]).arg(key).args(known).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the example was built with the tests");
        let said = process.stderr.take().expect("it is piped");
        let (mut contact, mut http) = (None, None);
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        for line in lines.by_ref() {
            if let Some(reached) = line.strip_prefix("reached as ") {
                contact = Some(reached.to_owned());
            }
            if let Some(at) = line.strip_prefix("http://") {
                http = at.split_once('/').map(|(at, _)| at.to_owned());
                break;
            }
        }
        // Somebody has to read the rest.
        std::thread::spawn(move || lines.for_each(drop));
        let (contact, http) = (contact.expect("it says so"), http.expect("it says so"));
        Service { process, contact, http }
    }

    /// The answer to a GET; `None` where there is none.
    fn get(&self, path: &str) -> Option<(u16, Value)> {
        let mut stream = TcpStream::connect(&self.http).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let status = text.split(' ').nth(1)?.parse().ok()?;
        let body = text.split_once("\r\n\r\n")?.1;
        Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    /// Which of the processes is nearest to a key.
    fn nearest(&self, key: &str) -> String {
        let (status, answer) = self.get(&format!("/nearest/{key}")).expect("it answers");
        assert_eq!(status, 200, "{answer}");
        answer["address"].as_str().expect("an address").to_owned()
    }

    fn neighbors(&self) -> usize {
        self.get("/neighbors").and_then(|(_, all)| all.as_array().map(Vec::len)).unwrap_or(0)
    }
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} took more than a minute");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn answers_go_on_when_a_process_is_killed_and_comes_back() {
    const KEYS: [&str; 8] = ["apple", "pear", "fig", "plum", "quince", "lime", "date", "sloe"];
    let folder = std::env::temp_dir().join(format!("peerlet-embedded-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("tests may write there");
    let key = |n: u32| folder.join(format!("{n}.key"));
    let first = Service::start("127.0.0.1:0", &key(0), &[]);
    let known = vec![first.contact.clone()];
    let second = Service::start("127.0.0.1:0", &key(1), &known);
    let third = Service::start("127.0.0.1:0", &key(2), &known);
    let agree = |services: &[&Service]| {
        KEYS.iter().all(|key| {
            let answers: Vec<_> = services.iter().map(|service| service.nearest(key)).collect();
            answers.iter().all(|answer| *answer == answers[0])
        })
    };
    let all = [&first, &second, &third];
    until("joining", || all.iter().all(|service| service.neighbors() == 2));
    assert!(agree(&all));

    // The one through which the others joined is killed.
    let (bind, contact) = (first.contact.split_once('@').expect("it has a key"), &first.contact);
    let bind = bind.1.to_owned();
    let contact = contact.clone();
    drop(first);
    for _ in 0..10 {
        KEYS.iter().for_each(|key| assert_ne!(second.nearest(key), format!("{bind}/0")));
    }
    until("agreement", || agree(&[&second, &third]));

    // It comes back through another one, as who it was.
    let again = Service::start(&bind, &key(0), std::slice::from_ref(&second.contact));
    assert_eq!(again.contact, contact);
    until("coming back", || [&again, &second, &third].iter().all(|s| s.neighbors() == 2));
    until("agreement", || agree(&[&again, &second, &third]));
    assert!(again.get("/nowhere").is_some_and(|(status, _)| status == 404));
    drop((again, second, third));
    std::fs::remove_dir_all(&folder).expect("it can be removed");
}
