//! Where generators connect, and where sinks listen.

use std::io;
use std::net::SocketAddr;

use config::endpoint::{Endpoint, Place};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

/// What is on the other side may be read from and written to.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Which address family is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Family {
    /// Either.
    #[default]
    Any,
    /// IPv4 (`-4`).
    V4,
    /// IPv6 (`-6`).
    V6,
}

impl Family {
    fn has(self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }

    /// Where a sink listens that was given a port alone.
    fn every_address(self) -> &'static str {
        match self {
            Self::Any | Self::V4 => "0.0.0.0",
            Self::V6 => "::",
        }
    }
}

/// Where a generator connects: `host`, `host:port` or `unix:path`.
///
/// # Errors
/// Neither of them, or a port that nobody knows.
pub fn server(text: &str, default_service: &str) -> Result<Endpoint, lexopt::Error> {
    read(text, |place| Place::parse(place), default_service)
}

/// Where a sink listens, and how many clients may wait: the words on its command line that are no options.
///
/// # Errors
/// They are not two, or not that.
pub fn listener_and_backlog(words: &[String]) -> Result<(Endpoint, u32), lexopt::Error> {
    match words {
        [endpoint, backlog] => match backlog.parse() {
            Ok(backlog @ 1..) => Ok((listener(endpoint)?, backlog)),
            Ok(0) | Err(_) => Err(format!("bad backlog: {backlog}").into()),
        },
        [_, _, more, ..] => Err(lexopt::Error::UnexpectedArgument(more.into())),
        [] | [_] => Err(lexopt::Error::MissingValue { option: None }),
    }
}

/// `port`, `host:port` or `unix:path`. Without a host it is every address.
fn listener(text: &str) -> Result<Endpoint, lexopt::Error> {
    read(text, |place| Place::listener(place), "")
}

fn read(
    text: &str,
    parse: impl Fn(&str) -> Result<Place<'_>, config::endpoint::Problem>,
    default_service: &str,
) -> Result<Endpoint, lexopt::Error> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(Endpoint::Unix(path.to_owned()));
    }
    let text = text.strip_prefix("inet:").unwrap_or(text);
    let found = parse(text).and_then(|place| Ok((place.host, place.port(default_service, "")?)));
    let (host, port) = found.map_err(|problem| format!("{text}: {problem}"))?;
    Ok(Endpoint::Inet { host: host.to_owned(), port })
}

/// Connects; a refusal counts when it was the last of so many.
///
/// # Errors
/// The host has no such address, or no server.
pub async fn connect(server: &Endpoint, family: Family, attempts: usize) -> io::Result<Box<dyn Stream>> {
    let mut left = attempts;
    loop {
        match connect_once(server, family).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && left > 1 => left -= 1,
            connected => return connected,
        }
    }
}

async fn connect_once(server: &Endpoint, family: Family) -> io::Result<Box<dyn Stream>> {
    let failed = |error| io::Error::new(io::Error::kind(&error), format!("connect: {}", said(&error)));
    let (host, port) = match server {
        Endpoint::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await.map_err(failed)?)),
        Endpoint::Inet { host, port } => (host, *port),
    };
    let mut last = None;
    for address in addresses(host, port, family).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(Box::new(stream));
            }
            Err(error) => last = Some(failed(error)),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

/// The addresses of a host, at least one.
async fn addresses(host: &str, port: u16, family: Family) -> io::Result<Vec<SocketAddr>> {
    let failed = |problem: &str| io::Error::other(format!("{host}: {problem}"));
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| failed(said(&error).as_str()))?;
    let found: Vec<_> = found.filter(|address| family.has(*address)).collect();
    if found.is_empty() { Err(failed("no address of that family")) } else { Ok(found) }
}

/// What the system said, in its own words alone.
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    text.split(" (os error ").next().unwrap_or_default().to_owned()
}

/// A sink's socket.
#[derive(Debug)]
pub enum Listener {
    /// On a port.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener),
}

impl Listener {
    /// Listens; so many clients may wait.
    ///
    /// # Errors
    /// There is no such address here, or it is taken.
    pub async fn open(endpoint: &Endpoint, family: Family, backlog: u32) -> io::Result<Self> {
        let failed = |what: &str, error| io::Error::other(format!("{what} {endpoint}: {}", said(&error)));
        let (host, port) = match endpoint {
            Endpoint::Unix(path) => {
                // The socket of an earlier run.
                let _ = std::fs::remove_file(path);
                return Ok(Self::Unix(UnixListener::bind(path).map_err(|error| failed("bind", error))?));
            }
            Endpoint::Inet { host, port } if host.is_empty() => (family.every_address(), *port),
            Endpoint::Inet { host, port } => (host.as_str(), *port),
        };
        let found = addresses(host, port, family).await?;
        let address = *found.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address).map_err(|error| failed("bind", error))?;
        Ok(Self::Tcp(socket.listen(backlog).map_err(|error| failed("listen", error))?))
    }

    /// The next client.
    ///
    /// # Errors
    /// It is gone, or the system has no room for it.
    pub async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(host: &str, port: u16) -> Option<Endpoint> {
        Some(Endpoint::Inet { host: host.to_owned(), port })
    }

    #[test]
    fn generators_connect_to_hosts() {
        for (text, expected) in [
            ("host", inet("host", 25)),
            ("inet:[::1]", inet("::1", 25)),
            ("127.0.0.1:submission", inet("127.0.0.1", 587)),
            ("unix:/run/x", Some(Endpoint::Unix("/run/x".to_owned()))),
            ("25", None),
            (":25", None),
        ] {
            assert_eq!(server(text, "smtp").ok(), expected, "{text}");
        }
    }

    #[test]
    fn sinks_listen_on_ports() {
        for (text, expected) in [
            ("qmqp", inet("", 628)),
            ("inet::25", inet("", 25)),
            ("[::1]:25", inet("::1", 25)),
            ("unix:x", Some(Endpoint::Unix("x".to_owned()))),
            ("host:", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(listener(text).ok(), expected, "{text}");
        }
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(listener_and_backlog(&words(":25 9")).ok(), inet("", 25).map(|endpoint| (endpoint, 9)));
        for line in [":25", ":25 0", ":25 x", ":25 9 9"] {
            assert!(listener_and_backlog(&words(line)).is_err(), "{line}");
        }
    }

    #[tokio::test]
    async fn a_family_that_a_host_lacks_is_told() {
        let endpoint = listener("127.0.0.1:1").unwrap();
        let said = connect(&endpoint, Family::V6, 1).await.err().unwrap().to_string();
        assert_eq!(said, "127.0.0.1: no address of that family");
        assert!(Listener::open(&endpoint, Family::V6, 1).await.is_err());
    }
}
