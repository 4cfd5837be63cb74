//! Sessions as recorded, from a file of comma-separated values.

use std::collections::BTreeMap;

use peerlet_core::{Duration, Seat, Time};

use crate::input_file::InputFile;
use crate::instant::instant;
use crate::problem::PROBLEMS_MAX;
use crate::raw::Part;
use crate::reader::Reader;

/// Sessions of peers, as recorded.
#[derive(Clone, PartialEq, Debug)]
pub struct SessionTrace {
    /// The file that they were read from.
    pub file: InputFile,
    sessions: Vec<Session>,
}

/// One session of the peer in a seat.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Session {
    /// The seat.
    pub seat: Seat,
    /// When it starts.
    pub start: Time,
    /// When it ends; `None` where it outlasts the trace.
    pub stop: Option<Time>,
}

/// The first line of a trace.
const HEADER: &str = "peer,start,stop";

impl SessionTrace {
    /// The sessions by seat and time.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// The sessions of each seat that has any, in order.
    pub(crate) fn by_seat(&self) -> BTreeMap<Seat, &[Session]> {
        self.sessions.chunk_by(|a, b| a.seat == b.seat).map(|all| (all[0].seat, all)).collect()
    }

    /// Reads the file that a key names.
    pub(super) fn read(
        part: &Part,
        peers: u32,
        duration: Duration,
        reader: &mut Reader,
    ) -> Option<SessionTrace> {
        let (file, start) = InputFile::read(part, reader)?;
        let text = file.text.clone();
        let (mut sessions, mut at, mut wrong) = (Vec::new(), start, 0);
        for (number, line) in (0_u64..).zip(text.split_inclusive('\n')) {
            let span = at..at + line.trim_end().len();
            at += line.len();
            let row = line.trim();
            if row.is_empty() || row.starts_with('#') || number == 0 && is_header(row) {
                continue;
            }
            match session(row, peers) {
                Ok(session) => sessions.push((session, span)),
                Err((message, help)) => {
                    wrong += 1;
                    reader.refuse(&span, message, help);
                }
            }
            if wrong > PROBLEMS_MAX {
                return None;
            }
        }
        sessions.sort_by_key(|(session, _)| *session);
        for pair in sessions.windows(2) {
            let ((one, _), (next, span)) = (&pair[0], &pair[1]);
            let is_over = one.stop.is_some_and(|stop| stop < next.start);
            if one.seat == next.seat && !is_over && wrong <= PROBLEMS_MAX {
                wrong += 1;
                let message = format!("peer {} is still up at {}", next.seat, next.start);
                let until = one.stop.map_or("the end".to_owned(), |stop| stop.to_string());
                let help = format!("its session before lasts from {} to {until}", one.start);
                reader.refuse(span, message, help);
            }
        }
        let end = Time::ZERO + duration;
        let beyond = sessions.iter().filter(|(session, _)| session.start >= end).count();
        if beyond > 0 {
            let message =
                format!("{beyond} sessions of the trace begin after the end at {duration}");
            reader.warnings.push(message);
        }
        let sessions = sessions.into_iter().map(|(session, _)| session).collect();
        (wrong == 0).then_some(SessionTrace { file, sessions })
    }
}

fn is_header(row: &str) -> bool {
    row.split(',').map(str::trim).eq(HEADER.split(','))
}

/// Reads a row; an error has a remedy.
fn session(row: &str, peers: u32) -> Result<Session, (String, String)> {
    let fields: Vec<&str> = row.split(',').map(str::trim).collect();
    let &[peer, start, stop] = fields.as_slice() else {
        let message = format!("this row has {} fields", fields.len());
        return Err((message, format!("write {HEADER}, such as 17,0.5,1200")));
    };
    let seat = match peer.parse() {
        Ok(seat) if seat < peers => Seat(seat),
        Ok(seat) => {
            let message = format!("there is no peer {seat}");
            return Err((message, format!("the scenario has the peers 0 to {}", peers - 1)));
        }
        Err(_) => {
            let message = format!("`{peer}` is no peer");
            return Err((message, "write the number of its seat, from 0 on".to_owned()));
        }
    };
    let start = read_instant(start)?;
    let stop = if stop.is_empty() { None } else { Some(read_instant(stop)?) };
    if stop.is_some_and(|stop| stop <= start) {
        let message = "this session ends before it begins".to_owned();
        return Err((message, "write a `stop` after `start`, or leave it empty".to_owned()));
    }
    Ok(Session { seat, start, stop })
}

fn read_instant(text: &str) -> Result<Time, (String, String)> {
    instant(text).map_err(|_| {
        let message = format!("`{text}` is no instant");
        (message, "write seconds from the start of the run, such as 12.5".to_owned())
    })
}
