//! Connections to table servers: question, answer, and the connection is kept for the next question.
//!
//! Each look-up takes an idle connection or makes one, so that look-ups do not wait for each other. A kept
//! connection that breaks is replaced once; questions are harmless.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::blocking::Inside;

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `host:port`.
    Inet(String),
    /// A socket in the file system, behind the jail if there is one.
    Unix(PathBuf),
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Its length comes first, as in `3:abc,`.
    Netstring,
    /// With the line.
    Line,
    /// With the line, or, after a line that announces a value, with the value and a line for its end.
    Memcache,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Connection = BufReader<Box<dyn Stream>>;

/// A server, with connections that are idle.
pub(crate) struct Server {
    endpoint: Endpoint,
    framing: Framing,
    limit: usize,
    idle: Mutex<Vec<Connection>>,
}

const DEADLINE: Duration = Duration::from_secs(100);
const MOST_IDLE: usize = 4;

impl Server {
    pub(crate) fn new(endpoint: Endpoint, framing: Framing, limit: usize) -> Self {
        Self { endpoint, framing, limit, idle: Mutex::default() }
    }

    /// Sends a question, which is complete with its framing, and waits for the answer.
    pub(crate) async fn ask(&self, question: &[u8]) -> io::Result<Vec<u8>> {
        Inside.await;
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = kept
            && let Ok(answer) = self.exchange(connection, question).await
        {
            return Ok(answer);
        }
        let connection = in_time(self.connect()).await?;
        self.exchange(connection, question).await
    }

    async fn connect(&self) -> io::Result<Connection> {
        let stream: Box<dyn Stream> = match &self.endpoint {
            Endpoint::Inet(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await?),
        };
        Ok(BufReader::new(stream))
    }

    async fn exchange(&self, mut connection: Connection, question: &[u8]) -> io::Result<Vec<u8>> {
        let answer = in_time(async {
            connection.write_all(question).await?;
            connection.flush().await?;
            match self.framing {
                Framing::Netstring => self.netstring(&mut connection).await,
                Framing::Line => self.line(&mut connection).await,
                Framing::Memcache => self.memcache(&mut connection).await,
            }
        });
        let answer = answer.await?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE && connection.buffer().is_empty() {
            idle.push(connection);
        }
        Ok(answer)
    }

    async fn line(&self, connection: &mut Connection) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let most = u64::try_from(self.limit).unwrap_or(u64::MAX);
        connection.take(most).read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Err(malformed("incomplete answer"));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    /// The line, and below it the value.
    async fn memcache(&self, connection: &mut Connection) -> io::Result<Vec<u8>> {
        let mut answer = self.line(connection).await?;
        if !answer.starts_with(b"VALUE ") {
            return Ok(answer);
        }
        let length = answer.rsplit(|byte| *byte == b' ').next().and_then(|text| std::str::from_utf8(text).ok());
        let length: usize = length.and_then(|text| text.parse().ok()).ok_or_else(|| malformed("bad length"))?;
        if length > self.limit {
            return Err(malformed("answer is too long"));
        }
        let mut value = vec![0; length];
        connection.read_exact(&mut value).await?;
        if !self.line(connection).await?.is_empty() || self.line(connection).await? != b"END" {
            return Err(malformed("value without end"));
        }
        answer.push(b'\n');
        answer.extend_from_slice(&value);
        Ok(answer)
    }

    async fn netstring(&self, connection: &mut Connection) -> io::Result<Vec<u8>> {
        let mut length = 0_usize;
        loop {
            match connection.read_u8().await? {
                b':' => break,
                digit @ b'0'..=b'9' => length = length * 10 + usize::from(digit - b'0'),
                _ => return Err(malformed("netstring without length")),
            }
            if length > self.limit {
                return Err(malformed("answer is too long"));
            }
        }
        let mut answer = vec![0; length];
        connection.read_exact(&mut answer).await?;
        match connection.read_u8().await? {
            b',' => Ok(answer),
            _ => Err(malformed("netstring without terminator")),
        }
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(DEADLINE, work).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}
