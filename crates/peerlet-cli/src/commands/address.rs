//! The addresses that the command line names for live runs.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use peerlet_live::Join;

use crate::failure::Failure;

/// Reads `[IDENTITY@]HOST:PORT`; the host is looked up when it is needed.
pub(crate) fn join(text: &str) -> Result<Join, Failure> {
    text.parse().map_err(|error| Failure::Usage(format!("--join {text}: {error}")))
}

/// Reads `ADDR:PORT`, or a name of this machine with a port.
pub(crate) fn bind(text: &str) -> Result<SocketAddr, Failure> {
    let at = resolve("--bind", text)?;
    match at.ip().is_multicast() {
        true => Err(wrong("--bind", text, "nobody can be bound to a multicast address")),
        false => Ok(at),
    }
}

/// Reads `HOST[:PORT]`; port 0 stands for the bound one.
pub(crate) fn advertise(text: &str) -> Result<SocketAddr, Failure> {
    let bare: Result<IpAddr, _> = text.trim_matches(['[', ']']).parse();
    let at = match bare {
        Ok(ip) => SocketAddr::new(ip, 0),
        Err(_) if text.rsplit_once(':').is_some() => resolve("--advertise", text)?,
        Err(_) => resolve("--advertise", &format!("{text}:0"))?,
    };
    if at.ip().is_unspecified() || at.ip().is_multicast() {
        return Err(wrong("--advertise", text, "nobody is reached at this address"));
    }
    refuse_link_local("--advertise", text, at)
}

fn resolve(option: &str, text: &str) -> Result<SocketAddr, Failure> {
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| wrong(option, text, &format!("{error}; write HOST:PORT")))?;
    let at = found.next().ok_or_else(|| wrong(option, text, "the host has no address"))?;
    refuse_link_local(option, text, at)
}

/// Refuses an address whose zone other machines do not know.
fn refuse_link_local(option: &str, text: &str, at: SocketAddr) -> Result<SocketAddr, Failure> {
    match at.ip() {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            let why = "a link-local address has a zone that other machines do not know; use a \
                       global or a unique local address, or IPv4";
            Err(wrong(option, text, why))
        }
        _ => Ok(at),
    }
}

fn wrong(option: &str, text: &str, why: &str) -> Failure {
    Failure::Usage(format!("{option} {text}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_with_the_reason() {
        let read = |at: Result<SocketAddr, Failure>| match at {
            Ok(at) => at.to_string(),
            Err(Failure::Usage(said)) => said,
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(read(bind("127.0.0.1:7")), "127.0.0.1:7");
        assert_eq!(read(bind("[::1]:0")), "[::1]:0");
        assert!(read(bind("localhost:7")).ends_with(":7"), "names are looked up");
        assert_eq!(read(advertise("192.0.2.1")), "192.0.2.1:0");
        assert_eq!(read(advertise("192.0.2.1:9")), "192.0.2.1:9");
        assert_eq!(read(advertise("2001:db8::1")), "[2001:db8::1]:0");
        assert_eq!(read(advertise("[2001:db8::1]")), "[2001:db8::1]:0");
        assert_eq!(read(advertise("[2001:db8::1]:9")), "[2001:db8::1]:9");
        for (said, part) in [
            (read(bind("nonsense")), "write HOST:PORT"),
            (read(bind("[fe80::1]:7")), "link-local"),
            (read(bind("224.0.0.1:7")), "multicast"),
            (read(advertise("0.0.0.0")), "nobody is reached"),
            (read(advertise("fe80::1")), "link-local"),
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
}
