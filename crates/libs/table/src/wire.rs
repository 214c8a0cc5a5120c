//! Connections to table servers: question, answer, and the connection is kept for the next question.
//!
//! Each look-up takes an idle connection or makes one, so that look-ups do not wait for each other. A kept
//! connection that breaks is replaced once; questions are harmless.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use crate::blocking::Inside;
use crate::link::{Connection, Endpoint, in_time, malformed};

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Its length comes first, as in `3:abc,`.
    Netstring,
    /// With the line.
    Line,
    /// With the line, or, after a line that announces a value, with the value and a line for its end.
    Memcache {
        /// The longest line.
        line: usize,
    },
}

/// A server, with connections that are idle.
pub(crate) struct Server {
    endpoint: Endpoint,
    framing: Framing,
    limit: usize,
    deadline: Duration,
    idle: Mutex<Vec<Connection>>,
}

const DEADLINE: Duration = Duration::from_secs(100);
const MOST_IDLE: usize = 4;

impl Server {
    pub(crate) fn new(endpoint: Endpoint, framing: Framing, limit: usize) -> Self {
        Self { endpoint, framing, limit, deadline: DEADLINE, idle: Mutex::default() }
    }

    /// The same, with less patience.
    pub(crate) fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
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
        let connection = in_time(self.deadline, self.endpoint.connect()).await?;
        self.exchange(connection, question).await
    }

    async fn exchange(&self, mut connection: Connection, question: &[u8]) -> io::Result<Vec<u8>> {
        let answer = in_time(self.deadline, async {
            connection.write_all(question).await?;
            connection.flush().await?;
            match self.framing {
                Framing::Netstring => self.netstring(&mut connection).await,
                Framing::Line => line(&mut connection, self.limit).await,
                Framing::Memcache { line } => self.memcache(&mut connection, line).await,
            }
        });
        let answer = answer.await?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE && connection.buffer().is_empty() {
            idle.push(connection);
        }
        Ok(answer)
    }

    /// The line, and below it the value.
    async fn memcache(&self, connection: &mut Connection, longest: usize) -> io::Result<Vec<u8>> {
        let mut answer = line(connection, longest).await?;
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
        if !line(connection, longest).await?.is_empty() || line(connection, longest).await? != b"END" {
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

/// A line, without its end.
async fn line(connection: &mut Connection, longest: usize) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let most = u64::try_from(longest).unwrap_or(u64::MAX);
    connection.take(most).read_until(b'\n', &mut line).await?;
    if line.pop() != Some(b'\n') {
        return Err(malformed("incomplete answer"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}
