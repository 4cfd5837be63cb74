//! The search for seat 0's process: `[IDENTITY@]HOST:PORT`, and the addresses that a host has.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use peerlet_core::{Duration, Identity, IdentityError, SECOND};

/// How long one of several addresses has to answer before the next one is tried.
const TRIED_FOR: Duration = Duration::from_secs(2);
/// After this long a name is looked up again.
const LOOK_UP_AGAIN: Duration = SECOND;
/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 16;

/// Seat 0's process, as another process is given it: `[IDENTITY@]HOST:PORT`.
///
/// ```
/// use peerlet_live::Join;
/// let join: Join = "example.org:7000".parse()?;
/// assert_eq!((join.host(), join.port(), join.identity()), ("example.org", 7000, None));
/// let join: Join = "[2001:db8::1]:7000".parse()?;
/// assert_eq!(join.host(), "2001:db8::1");
/// assert!("example.org".parse::<Join>().is_err());
/// assert!("example.org:0".parse::<Join>().is_err());
/// # Ok::<(), peerlet_live::JoinTextError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Join {
    host: String,
    port: u16,
    identity: Option<Identity>,
}

/// The text names no process that can be joined.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JoinTextError {
    /// It is not `HOST:PORT`.
    Form,
    /// Port 0 is nobody's.
    Port,
    /// The part before the `@` is no identity.
    Identity(IdentityError),
    /// A link-local address means something on one machine only.
    LinkLocal,
}

impl fmt::Display for JoinTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinTextError::Form => f.write_str(
                "write HOST:PORT, such as `example.org:7000`, `192.0.2.1:7000` or \
                 `[2001:db8::1]:7000`",
            ),
            JoinTextError::Port => f.write_str(
                "nobody is reached at port 0; write the port that seat 0's process prints",
            ),
            JoinTextError::Identity(error) => error.fmt(f),
            JoinTextError::LinkLocal => f.write_str(
                "a link-local address has a zone that other machines do not know; use a global or \
                 a unique local address, or IPv4",
            ),
        }
    }
}

impl std::error::Error for JoinTextError {}

impl Join {
    /// The process at this socket, whoever answers there.
    pub fn at(socket: SocketAddr) -> Join {
        Join { host: socket.ip().to_string(), port: socket.port(), identity: None }
    }

    /// The same, and nobody but the process with this identity.
    pub fn of(self, identity: Identity) -> Join {
        Join { identity: Some(identity), ..self }
    }

    /// The name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of the process's first shard.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The identity it must have. Without one, the first process that answers is accepted, and its
    /// identity is printed and kept for the run.
    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }
}

impl fmt::Display for Join {
    /// Writes `HOST:PORT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Join {
    type Err = JoinTextError;

    fn from_str(text: &str) -> Result<Join, JoinTextError> {
        let (identity, at) = match text.split_once('@') {
            Some((identity, at)) => (Some(identity.parse().map_err(JoinTextError::Identity)?), at),
            None => (None, text),
        };
        let (host, port) = at.rsplit_once(':').ok_or(JoinTextError::Form)?;
        let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match in_brackets {
            Some(address) => {
                if address.contains('%') {
                    return Err(JoinTextError::LinkLocal);
                }
                let address: Ipv6Addr = address.parse().map_err(|_| JoinTextError::Form)?;
                if address.is_unicast_link_local() {
                    return Err(JoinTextError::LinkLocal);
                }
                address.to_string()
            }
            None => host.to_owned(),
        };
        let is_name = !host.is_empty()
            && host.len() <= 253
            && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c));
        if in_brackets.is_none() && !is_name {
            return Err(JoinTextError::Form);
        }
        match port.parse() {
            Ok(0) => Err(JoinTextError::Port),
            Ok(port) => Ok(Join { host, port, identity }),
            Err(_) => Err(JoinTextError::Form),
        }
    }
}

/// The search for seat 0's process among the addresses of its host; time is the own clock's.
pub(crate) struct Search {
    join: Join,
    /// The address that the own socket is bound to: it decides what can be reached.
    bound: IpAddr,
    addresses: Vec<SocketAddr>,
    current: usize,
    since: Duration,
    looked_up: Option<Duration>,
    /// Whether the name is being looked up: a resolver may take as long as it likes.
    is_looking: bool,
    /// Why there is no address to try.
    why: Option<String>,
    /// Whether that is because of where the own socket is bound.
    needs_bind: bool,
}

impl Search {
    pub(crate) fn new(join: Join, bound: IpAddr) -> Search {
        let (addresses, looked_up, is_looking, why, needs_bind) = Default::default();
        let literal = join.host.parse::<IpAddr>();
        let (current, since) = (0, Duration::ZERO);
        let mut search = Search {
            join,
            bound,
            addresses,
            current,
            since,
            looked_up,
            is_looking,
            why,
            needs_bind,
        };
        // An address is not looked up.
        if let Ok(ip) = literal {
            let found = vec![SocketAddr::new(ip, search.join.port)];
            search.looked_up = Some(Duration::ZERO);
            search.found(Duration::ZERO, Ok(found));
        }
        search
    }

    pub(crate) fn join(&self) -> &Join {
        &self.join
    }

    /// The address that is tried now.
    pub(crate) fn current(&self) -> Option<SocketAddr> {
        self.addresses.get(self.current).copied()
    }

    /// The name to look up now, if it is time to.
    pub(crate) fn look_up(&mut self, now: Duration) -> Option<(String, u16)> {
        let is_due = self.looked_up.is_none_or(|at| now.saturating_sub(at) >= LOOK_UP_AGAIN);
        if !self.addresses.is_empty() || !is_due || self.is_looking {
            return None;
        }
        (self.looked_up, self.is_looking) = (Some(now), true);
        Some((self.join.host.clone(), self.join.port))
    }

    /// The addresses of the name came, or an error.
    pub(crate) fn found(&mut self, now: Duration, result: Result<Vec<SocketAddr>, String>) {
        self.is_looking = false;
        if !self.addresses.is_empty() {
            return;
        }
        let found = match result {
            Ok(found) => found,
            Err(why) => {
                self.why = Some(why);
                return;
            }
        };
        let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
        let mut usable: Vec<SocketAddr> = Vec::new();
        for at in found.iter().copied().map(canonical) {
            if is_reachable(self.bound, at.ip()) && !usable.contains(&at) {
                usable.push(at);
            }
        }
        usable.truncate(ADDRESSES_MAX);
        self.needs_bind = usable.is_empty();
        self.why = usable.is_empty().then(|| unusable(self.bound, &found));
        (self.addresses, self.current, self.since) = (usable, 0, now);
    }

    /// Goes on to the next address when the current one had its time; true when it changed.
    pub(crate) fn next(&mut self, now: Duration, is_refused: bool) -> bool {
        let is_over = is_refused || now.saturating_sub(self.since) >= TRIED_FOR;
        if self.addresses.len() < 2 || !is_over {
            return false;
        }
        self.current = (self.current + 1) % self.addresses.len();
        self.since = now;
        true
    }

    /// Whether all addresses have been tried once.
    pub(crate) fn has_others(&self) -> bool {
        self.current + 1 < self.addresses.len()
    }

    /// Whether the own socket, bound as it is, reaches none of the addresses.
    pub(crate) fn needs_bind(&self) -> bool {
        self.needs_bind
    }

    /// The addresses that were tried, in words, for the error that nobody answered.
    pub(crate) fn tried(&self) -> String {
        match (&self.why, self.addresses.as_slice()) {
            (Some(why), _) => why.clone(),
            (None, []) => "its name was not found in time".to_owned(),
            (None, [one]) if one.to_string() == self.join.to_string() => String::new(),
            (None, all) => {
                let all: Vec<_> = all.iter().map(SocketAddr::to_string).collect();
                format!("tried {}", all.join(", "))
            }
        }
    }
}

/// Whether a socket bound there can send to this address.
fn is_reachable(bound: IpAddr, to: IpAddr) -> bool {
    let same_family = match bound {
        IpAddr::V4(_) => to.is_ipv4(),
        // A socket bound to `::` takes both.
        IpAddr::V6(v6) => to.is_ipv6() || v6.is_unspecified(),
    };
    same_family && (!bound.is_loopback() || to.is_loopback())
}

fn unusable(bound: IpAddr, found: &[SocketAddr]) -> String {
    let all: Vec<_> = found.iter().map(|at| at.ip().to_canonical().to_string()).collect();
    let remedy = match found.iter().any(|at| at.ip().to_canonical().is_ipv4()) {
        true if bound.is_ipv4() => "0.0.0.0:PORT",
        true => "0.0.0.0:PORT or [::]:PORT",
        false => "[::]:PORT",
    };
    format!(
        "its address is {}, which a socket bound to {bound} does not reach; bind {remedy}",
        all.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_or_refused_with_what_to_write() {
        for good in ["a.example:1", "192.0.2.1:7000", "[2001:db8::1]:7000", "localhost:65535"] {
            assert_eq!(good.parse::<Join>().unwrap().to_string(), good);
        }
        let id = "ab".repeat(32);
        let join: Join = format!("{id}@host:7").parse().unwrap();
        assert_eq!(join.identity().unwrap().to_string(), id);
        let error = |text: &str| text.parse::<Join>().unwrap_err();
        for bad in ["", ":7", "host", "host:", "host:x", "host:70000", "2001:db8::1:x", "a b:7"] {
            assert_eq!(error(bad), JoinTextError::Form, "{bad}");
        }
        assert_eq!(error("host:0"), JoinTextError::Port);
        assert_eq!(error("[fe80::1%eth0]:7"), JoinTextError::LinkLocal);
        assert_eq!(error("[fe80::1]:7"), JoinTextError::LinkLocal);
        assert!(matches!(error("abc@host:7"), JoinTextError::Identity(_)));
    }

    #[test]
    fn all_addresses_that_can_be_reached_are_tried_in_turn() {
        let all = ["[2001:db8::1]:7", "192.0.2.1:7", "192.0.2.2:7", "192.0.2.1:7"];
        let all: Vec<SocketAddr> = all.iter().map(|at| at.parse().unwrap()).collect();
        let mut search = Search::new("a.example:7".parse().unwrap(), "0.0.0.0".parse().unwrap());
        assert_eq!(search.look_up(SECOND), Some(("a.example".to_owned(), 7)));
        assert_eq!(search.look_up(SECOND), None, "it is under way");
        assert_eq!(search.look_up(SECOND * 99), None, "and nothing else is begun meanwhile");
        search.found(SECOND, Err("no such name".to_owned()));
        assert_eq!(search.tried(), "no such name");
        assert!(search.look_up(SECOND * 2).is_some(), "it may be there by now");
        search.found(SECOND * 2, Ok(all.clone()));
        assert_eq!(search.current(), Some(all[1]));
        assert!(!search.next(SECOND * 3, false));
        assert!(search.next(SECOND * 4, false));
        assert_eq!(search.current(), Some(all[2]));
        assert!(search.next(SECOND * 4, true), "refused at once");
        assert_eq!(search.current(), Some(all[1]), "and again from the first");
        assert_eq!(search.tried(), "tried 192.0.2.1:7, 192.0.2.2:7");
    }

    #[test]
    fn what_cannot_be_reached_is_said() {
        let tried = |bound: &str, at: &str| {
            let mut search = Search::new("a.example:7".parse().unwrap(), bound.parse().unwrap());
            search.found(SECOND, Ok(vec![at.parse().unwrap()]));
            assert_eq!(search.needs_bind(), search.current().is_none());
            (search.current().is_some(), search.tried())
        };
        assert!(tried("127.0.0.1", "127.0.0.1:7").0 && tried("::", "192.0.2.1:7").0);
        let (_, said) = tried("127.0.0.1", "[::1]:7");
        let expected = "its address is ::1, which a socket bound to 127.0.0.1 does not reach; bind \
                        [::]:PORT";
        assert_eq!(said, expected);
        assert!(tried("127.0.0.1", "192.0.2.1:7").1.ends_with("; bind 0.0.0.0:PORT"));
    }
}
