//! Streams to the servers of tables.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use crate::environment::Settings;
use config::endpoint::Malformed;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `host:port`.
    Inet(String),
    /// A socket in the file system, behind the jail if there is one.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to a server.
pub(crate) type Connection = BufReader<Box<dyn Stream>>;

impl Endpoint {
    /// Reads `host:port`, `[address]:port`, or a port of this host; ports may have names, as `known_tcp_ports` too has them.
    pub(crate) fn inet(text: &str, settings: &Settings) -> Result<Self, Malformed> {
        let known_tcp_ports = settings.expanded("known_tcp_ports").unwrap_or_default();
        config::endpoint::Endpoint::inet(text, &known_tcp_ports).map(|endpoint| Self::Inet(endpoint.to_string()))
    }

    pub(crate) async fn connect(&self) -> io::Result<Connection> {
        let stream: Box<dyn Stream> = match self {
            Self::Inet(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
        };
        Ok(BufReader::new(stream))
    }
}

/// A peer that does not keep to the protocol.
pub(crate) fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

pub(crate) async fn in_time<T>(deadline: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(deadline, work).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Environment;

    fn settings() -> Settings {
        let source = config::Source::parse(std::path::Path::new("/nonexistent"), "known_tcp_ports = maps=2526");
        Environment::of(&source.unwrap()).settings
    }

    #[test]
    fn addresses_may_have_brackets_and_hosts_may_be_left_out() {
        for (text, expected) in [
            ("host.example:25", "host.example:25"),
            ("192.0.2.1:25", "192.0.2.1:25"),
            ("[192.0.2.1]:25", "192.0.2.1:25"),
            ("[2001:db8::1]:25", "[2001:db8::1]:25"),
            ("[host.example]:25", "host.example:25"),
            ("host.example:smtp", "host.example:25"),
            ("[IPv6:2001:db8::1]:25", "[2001:db8::1]:25"),
            ("host.example:maps", "host.example:2526"),
            ("25", "localhost:25"),
            (":25", "localhost:25"),
        ] {
            assert_eq!(Endpoint::inet(text, &settings()), Ok(Endpoint::Inet(expected.to_owned())), "{text}");
        }
    }
}
