//! The server side: asks an authentication server in Dovecot's protocol, version 1.
//!
//! Lines of words between tabs over a Unix-domain or TCP stream. The server introduces itself with its mechanisms; each
//! request has a number, and ends with `OK` or `FAIL`, with any number of `CONT` challenges before.

use crate::mechanism::{Mechanism, Property};
use data_encoding::BASE64;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Longest line that is read, in bytes.
const LINE: u64 = 16 * 1024;
/// Most lines of an introduction.
const LINES: usize = 200;

/// Where the authentication server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix-domain socket's path.
    Unix(String),
    /// A port of a host.
    Inet {
        /// Name or address.
        host: String,
        /// Its number.
        port: u16,
    },
}

/// What the authentication server is told about a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// `smtp` or another service name.
    pub service: String,
    /// Address of the server end.
    pub local_address: String,
    /// Port of the server end.
    pub local_port: String,
    /// Address of the client.
    pub client_address: String,
    /// Port of the client.
    pub client_port: String,
    /// The session is encrypted.
    pub secured: Secured,
}

/// Whether a session is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secured {
    /// In clear.
    #[default]
    No,
    /// By TLS.
    Yes,
}

/// Where an exchange stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The client must answer this.
    Challenge(Vec<u8>),
    /// Authenticated.
    Success {
        /// As whom.
        user: String,
    },
    /// Not authenticated.
    Failure {
        /// The server's words, if any.
        reason: String,
        /// The server had a problem of its own.
        temporary: bool,
    },
}

/// Trouble with the authentication server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached.
    #[error("connect to {0}: {1}")]
    Connect(String, io::Error),
    /// It broke off.
    #[error("authentication server: {0}")]
    Io(#[from] io::Error),
    /// It does not answer.
    #[error("authentication server does not answer in time")]
    Timeout,
    /// It says what the protocol has not.
    #[error("authentication server: malformed line")]
    Malformed,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to an authentication server, past its introduction.
pub struct Server {
    stream: BufReader<Box<dyn Stream>>,
    mechanisms: Vec<Mechanism>,
    deadline: Duration,
    number: u32,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server {{ mechanisms: {:?} }}", self.mechanisms)
    }
}

impl Server {
    /// Connects and hears the introduction. `deadline` bounds each wait.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn connect(endpoint: &Endpoint, deadline: Duration) -> Result<Self, Error> {
        let opened = timeout(deadline, open(endpoint)).await.map_err(|_| Error::Timeout)?;
        let mut server = Self { stream: BufReader::new(opened?), mechanisms: Vec::new(), deadline, number: 0 };
        server.write(&format!("VERSION\t1\t1\nCPID\t{}\n", std::process::id())).await?;
        for _ in 0..LINES {
            let line = server.line().await?;
            let mut words = line.split('\t');
            match words.next() {
                Some("DONE") => return Ok(server),
                Some("VERSION") if words.next() != Some("1") => return Err(Error::Malformed),
                Some("MECH") => server.mechanisms.extend(mechanism(words)),
                _ => {}
            }
        }
        Err(Error::Malformed)
    }

    /// The mechanisms that the server has.
    #[must_use]
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// Begins an exchange; `initial` is the client's initial response, decoded.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn begin(&mut self, name: &str, session: &Session, initial: Option<&[u8]>) -> Result<Step, Error> {
        self.number += 1;
        let mut request = format!("AUTH\t{}\t{}\tservice={}\tnologin", self.number, word(name), word(&session.service));
        for (key, value) in [
            ("lip", &session.local_address),
            ("lport", &session.local_port),
            ("rip", &session.client_address),
            ("rport", &session.client_port),
        ] {
            if !value.is_empty() {
                request.push_str(&format!("\t{key}={}", word(value)));
            }
        }
        if session.secured == Secured::Yes {
            request.push_str("\tsecured");
        }
        if let Some(initial) = initial {
            // The protocol wants it last.
            request.push_str(&format!("\tresp={}", BASE64.encode(initial)));
        }
        request.push('\n');
        self.exchange(&request).await
    }

    /// Goes on with the client's response, decoded.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn respond(&mut self, response: &[u8]) -> Result<Step, Error> {
        let request = format!("CONT\t{}\t{}\n", self.number, BASE64.encode(response));
        self.exchange(&request).await
    }

    async fn exchange(&mut self, request: &str) -> Result<Step, Error> {
        self.write(request).await?;
        // Lines about other requests gain the server no time.
        timeout(self.deadline, self.answer()).await.map_err(|_| Error::Timeout)?
    }

    async fn answer(&mut self) -> Result<Step, Error> {
        loop {
            let line = self.line().await?;
            if let Some(step) = step(&line, self.number)? {
                return Ok(step);
            }
        }
    }

    async fn write(&mut self, text: &str) -> Result<(), Error> {
        let write = self.stream.get_mut().write_all(text.as_bytes());
        Ok(timeout(self.deadline, write).await.map_err(|_| Error::Timeout)??)
    }

    async fn line(&mut self) -> Result<String, Error> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(LINE);
        timeout(self.deadline, bounded.read_until(b'\n', &mut line)).await.map_err(|_| Error::Timeout)??;
        if line.pop() != Some(b'\n') {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        String::from_utf8(line).map_err(|_| Error::Malformed)
    }
}

async fn open(endpoint: &Endpoint) -> Result<Box<dyn Stream>, Error> {
    match endpoint {
        Endpoint::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(Error::Connect(path.clone(), error)),
        },
        Endpoint::Inet { host, port } => match TcpStream::connect((host.as_str(), *port)).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(Error::Connect(format!("{host}:{port}"), error)),
        },
    }
}

/// What a line of the server says of request `number`; nothing for lines about others.
///
/// # Errors
/// [`Error::Malformed`].
pub fn step(line: &str, number: u32) -> Result<Option<Step>, Error> {
    let mut words = line.split('\t');
    let kind = words.next().unwrap_or_default();
    if !["OK", "FAIL", "CONT"].contains(&kind) {
        return Ok(None);
    }
    if words.next().and_then(|word| word.parse().ok()) != Some(number) {
        return Ok(None);
    }
    if kind == "CONT" {
        let challenge = BASE64.decode(words.next().unwrap_or_default().as_bytes()).map_err(|_| Error::Malformed)?;
        return Ok(Some(Step::Challenge(challenge)));
    }
    let (mut user, mut reason, mut temporary) = (None, String::new(), false);
    for word in words {
        match word.split_once('=') {
            Some(("user", value)) => user = Some(value.to_owned()),
            Some(("reason", value)) => value.clone_into(&mut reason),
            Some(("code", "temp_fail")) | None if word != "nologin" => {
                temporary |= word == "temp" || word == "code=temp_fail"
            }
            _ => {}
        }
    }
    if kind == "FAIL" {
        return Ok(Some(Step::Failure { reason, temporary }));
    }
    user.map(|user| Some(Step::Success { user })).ok_or(Error::Malformed)
}

fn mechanism<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Mechanism> {
    let name = words.next()?.to_ascii_uppercase();
    let mut properties = std::collections::BTreeSet::new();
    for word in words {
        properties.extend(match word {
            "anonymous" => Some(Property::Anonymous),
            "plaintext" => Some(Property::Plaintext),
            "dictionary" => Some(Property::Dictionary),
            "active" => Some(Property::Active),
            "forward-secrecy" => Some(Property::ForwardSecrecy),
            "mutual-auth" => Some(Property::MutualAuth),
            "private" => return None,
            _ => None,
        });
    }
    Some(Mechanism { name, properties })
}

/// A word of a request: a peer's bytes must not become words or lines of their own.
fn word(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn replies_are_told_apart() {
        let cases = [
            ("OK\t3\tuser=tim", Some(Step::Success { user: "tim".to_owned() })),
            ("OK\t2\tuser=old", None),
            ("CONT\t3\tVXNlcm5hbWU6", Some(Step::Challenge(b"Username:".to_vec()))),
            ("FAIL\t3\tuser=tim", Some(Step::Failure { reason: String::new(), temporary: false })),
            ("FAIL\t3\tuser=tim\ttemp", Some(Step::Failure { reason: String::new(), temporary: true })),
            ("FAIL\t3\tcode=temp_fail", Some(Step::Failure { reason: String::new(), temporary: true })),
            ("NEWS\tof\tnobody", None),
        ];
        for (line, expected) in cases {
            assert_eq!(step(line, 3).unwrap(), expected, "{line}");
        }
        assert!(step("OK\t3", 3).is_err(), "success without a user is none");
    }

    #[test]
    fn a_client_cannot_add_words() {
        assert_eq!(word("PLAIN\tuser=root\n"), "PLAINuser=root");
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in "[^\n]{0,80}") {
            let _ = step(&line, 1);
            let _ = mechanism(line.split('\t'));
        }
    }

    #[tokio::test]
    async fn a_dialogue_with_a_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let hello = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tANONYMOUS\tanonymous\nSPID\t1\nDONE\n";
            stream.get_mut().write_all(hello).await.unwrap();
            let mut heard = String::new();
            for reply in ["", "", "CONT\t1\t\n", "OK\t1\tuser=tim\n"] {
                stream.read_line(&mut heard).await.unwrap();
                stream.get_mut().write_all(reply.as_bytes()).await.unwrap();
            }
            heard
        });
        let endpoint = Endpoint::Unix(path.to_str().unwrap().to_owned());
        let mut client = Server::connect(&endpoint, Duration::from_secs(5)).await.unwrap();
        assert_eq!(client.mechanisms().len(), 2);
        let session =
            Session { service: "smtp".to_owned(), client_address: "192.0.2.1".to_owned(), ..Session::default() };
        assert_eq!(client.begin("PLAIN", &session, None).await.unwrap(), Step::Challenge(Vec::new()));
        assert_eq!(client.respond(b"\0tim\0x").await.unwrap(), Step::Success { user: "tim".to_owned() });
        let heard = server.await.unwrap();
        assert!(heard.contains("AUTH\t1\tPLAIN\tservice=smtp\tnologin\trip=192.0.2.1\n"), "{heard}");
        assert!(heard.contains("CONT\t1\tAHRpbQB4\n"), "{heard}");
    }

    #[tokio::test]
    async fn lines_about_others_gain_a_server_no_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"VERSION\t1\t2\nMECH\tPLAIN\nDONE\n").await.unwrap();
            while stream.write_all(b"NEWS\tof\tnobody\n").await.is_ok() {}
        });
        let endpoint = Endpoint::Unix(path.to_str().unwrap().to_owned());
        let mut client = Server::connect(&endpoint, Duration::from_millis(50)).await.unwrap();
        let answer = client.begin("PLAIN", &Session::default(), Some(b"x")).await;
        assert!(matches!(answer, Err(Error::Timeout)), "{answer:?}");
    }
}
