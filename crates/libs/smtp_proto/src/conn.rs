//! A connection: lines and content in, groups of replies or commands out, over any stream.
//!
//! What is to be sent is collected and written when the peer must be waited for, so a group of pipelined commands is
//! answered by one write. A connection that waits for a line owns no buffers: bytes arrive on the stack and only what came is
//! kept, which is what makes idle sessions cheap. Every wait has a deadline.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::reply::{Answer, Assembler, Reply};

/// Why reading or writing ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer was silent, or too slow, for too long.
    #[error("timeout")]
    Timeout,
    /// The peer closed the connection, or it broke.
    #[error("lost connection")]
    Lost,
    /// The peer sent a line far beyond any limit.
    #[error("line far too long")]
    Flood,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// With CR LF.
    CrLf,
    /// With a bare LF.
    BareLf,
    /// Beyond the limit: what is left is its start, the rest was skipped.
    TooLong,
}

/// How long the peer may take.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each read or write may take so long.
    Each(Duration),
    /// All together until this instant, which moves on by a second for every so many bytes (0: never), but no further than this
    /// from now: what went fast in the beginning is no excuse for falling silent later.
    Until(Instant, u64, Duration),
}

impl Pace {
    fn deadline(self) -> Instant {
        match self {
            Pace::Each(time) => Instant::now() + time,
            Pace::Until(deadline, _, _) => deadline,
        }
    }

    fn moved(&mut self, bytes: usize) {
        if let Pace::Until(deadline, rate, most) = self
            && let Some(milliseconds) = (bytes as u64 * 1000).checked_div(*rate)
        {
            *deadline = (*deadline + Duration::from_millis(milliseconds)).min(Instant::now() + *most);
        }
    }
}

/// Proof that nothing that the peer sent before TLS was left in a buffer. Only [`Conn::into_drained`] makes it.
#[derive(Debug)]
pub struct Drained(());

/// Bytes from before TLS are still there: somebody injected commands, or the peer does not wait for the reply.
#[derive(Debug, thiserror::Error)]
#[error("plaintext left in the buffer")]
pub struct Buffered;

/// A stream with what was read ahead and what is to be sent.
#[derive(Debug)]
pub struct Conn<S> {
    stream: S,
    input: BytesMut,
    output: Vec<u8>,
    pace: Pace,
}

const STACK: usize = 4096;
const CHUNK: usize = 32 * 1024;
/// Output beyond this is written at once, whatever the peer is up to.
const OUTPUT_LIMIT: usize = 32 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin> Conn<S> {
    /// A connection at its start.
    pub fn new(stream: S, pace: Pace) -> Conn<S> {
        Conn { stream, input: BytesMut::new(), output: Vec::new(), pace }
    }

    /// A connection of which another process has read the first bytes.
    pub fn with_input(stream: S, pace: Pace, input: &[u8]) -> Conn<S> {
        Conn { input: BytesMut::from(input), ..Conn::new(stream, pace) }
    }

    /// Sets how long the peer may take from now on.
    pub const fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// The stream.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// What was read ahead.
    #[must_use]
    pub fn buffered(&self) -> &[u8] {
        &self.input
    }

    /// Drops the first bytes of what was read ahead.
    pub fn consume(&mut self, bytes: usize) {
        self.input.advance(bytes.min(self.input.len()));
    }

    /// Takes in what has already arrived, without waiting.
    pub fn look_ahead(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Ok(1..)) = self.poll_small(&mut context) {
            if self.input.len() >= STACK {
                break;
            }
        }
    }

    /// Drops what has arrived so far. A server does this before it invites the peer to a handshake; what comes after the
    /// invitation belongs to that.
    pub fn discard(&mut self) {
        self.look_ahead();
        self.input.clear();
    }

    /// Gives the stream away where nothing was read ahead and nothing is left to send.
    ///
    /// # Errors
    /// When bytes were left.
    pub fn into_drained(self) -> Result<(S, Drained), Buffered> {
        if self.input.is_empty() && self.output.is_empty() { Ok((self.stream, Drained(()))) } else { Err(Buffered) }
    }

    /// Gives the stream away, and drops what was read ahead.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// Collects a reply.
    pub fn reply(&mut self, reply: &Reply) {
        reply.print(&mut self.output);
    }

    /// Collects bytes.
    pub fn queue(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Collects a command line; the line end is added.
    pub fn command(&mut self, line: &[u8]) {
        self.output.extend_from_slice(line);
        self.output.extend_from_slice(b"\r\n");
    }

    /// The collected output, for encoders that append to it. [`Conn::flush_large`] keeps it from growing.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Writes the output if there is much of it.
    ///
    /// # Errors
    /// As for writing.
    pub async fn flush_large(&mut self) -> Result<(), Error> {
        if self.output.len() >= OUTPUT_LIMIT { self.flush().await } else { Ok(()) }
    }

    /// Drops what was collected and not written: the peer takes no more.
    pub fn drop_output(&mut self) {
        self.output = Vec::new();
    }

    /// Writes what was collected.
    ///
    /// # Errors
    /// When the peer takes nothing in time, or is gone.
    pub async fn flush(&mut self) -> Result<(), Error> {
        if self.output.is_empty() {
            return Ok(());
        }
        let mut written = 0;
        while written < self.output.len() {
            let (stream, rest) = (&mut self.stream, self.output.get(written..).unwrap_or_default());
            let write = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, rest));
            let bytes = at_once_or_within(self.pace, write).await?;
            if bytes == 0 {
                return Err(Error::Lost);
            }
            self.pace.moved(bytes);
            written += bytes;
        }
        let stream = &mut self.stream;
        at_once_or_within(self.pace, poll_fn(|context| Pin::new(&mut *stream).poll_flush(context))).await?;
        if self.output.capacity() > STACK {
            self.output = Vec::new();
        } else {
            self.output.clear();
        }
        Ok(())
    }

    /// Reads a line into `line`, without its line end. Output is written first if the line is not already here.
    ///
    /// # Errors
    /// As for [`Conn::fill`]; a line that does not end within twice the limit is a flood.
    pub async fn read_line(&mut self, line: &mut Vec<u8>, limit: usize) -> Result<LineEnd, Error> {
        line.clear();
        let mut skipped = 0;
        loop {
            let (part, found) = match memchr::memchr(b'\n', &self.input) {
                Some(at) => (at + 1, true),
                None => (self.input.len(), false),
            };
            let room = limit.saturating_sub(line.len()).min(part);
            line.extend_from_slice(self.input.get(..room).unwrap_or_default());
            skipped += part - room;
            self.input.advance(part);
            if skipped > limit {
                return Err(Error::Flood);
            }
            if found {
                return Ok(trim_end(line, skipped));
            }
            self.flush().await?;
            self.fill_small().await?;
        }
    }

    /// Reads the rest of a reply, of which `limit` bytes are kept.
    ///
    /// # Errors
    /// As for [`Conn::fill`]; a line beyond the limit is cut, and a flood if it is far beyond what any server has to say.
    pub async fn read_answer(&mut self, limit: usize) -> Result<Answer, Error> {
        let (mut assembler, mut line) = (Assembler::new(limit), Vec::new());
        loop {
            self.read_line(&mut line, limit.max(LONGEST_REPLY)).await?;
            if let Some(answer) = assembler.add(&line) {
                return Ok(answer);
            }
            if assembler.lines() > MOST_LINES {
                return Err(Error::Flood);
            }
        }
    }

    /// Reads more content into the buffer, in large pieces. Output is written first.
    ///
    /// # Errors
    /// When the peer sends nothing in time, or is gone.
    pub async fn fill(&mut self) -> Result<(), Error> {
        self.flush().await?;
        let deadline = self.pace.deadline();
        self.input.reserve(CHUNK);
        let (stream, input) = (&mut self.stream, &mut self.input);
        let mut stream = Pin::new(stream);
        let read = tokio::io::AsyncReadExt::read_buf(&mut stream, input);
        let bytes =
            tokio::time::timeout_at(deadline, read).await.map_err(|_| Error::Timeout)?.map_err(|_| Error::Lost)?;
        self.received(bytes)
    }

    /// Gives the memory of the input back, if nothing is in it.
    pub fn release(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    async fn fill_small(&mut self) -> Result<(), Error> {
        self.release();
        let deadline = self.pace.deadline();
        let bytes = within(deadline, poll_fn(|context| self.poll_small(context))).await?;
        self.received(bytes)
    }

    fn received(&mut self, bytes: usize) -> Result<(), Error> {
        self.pace.moved(bytes);
        if bytes == 0 { Err(Error::Lost) } else { Ok(()) }
    }

    /// Reads by way of the stack, so that nothing is allocated while there is nothing to read.
    fn poll_small(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); STACK];
        let mut buffer = ReadBuf::uninit(&mut space);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                self.input.extend_from_slice(buffer.filled());
                Poll::Ready(Ok(buffer.filled().len()))
            }
        }
    }
}

/// A reply with more lines than this is an attack.
const MOST_LINES: usize = 1000;
/// A line of a reply that is twice as long is a flood.
const LONGEST_REPLY: usize = 16 * 1024;

fn trim_end(line: &mut Vec<u8>, skipped: usize) -> LineEnd {
    if skipped > 0 {
        return LineEnd::TooLong;
    }
    line.pop();
    let length = line.len();
    while line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.len() < length { LineEnd::CrLf } else { LineEnd::BareLf }
}

/// For what seldom has to wait: there is a timer only when it does.
async fn at_once_or_within<T>(pace: Pace, what: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
    let mut what = pin!(what);
    match poll_fn(|context| Poll::Ready(what.as_mut().poll(context))).await {
        Poll::Ready(done) => done.map_err(|_| Error::Lost),
        Poll::Pending => within(pace.deadline(), what).await,
    }
}

async fn within<T>(deadline: Instant, what: impl Future<Output = io::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout_at(deadline, what).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(Error::Lost),
        Err(_) => Err(Error::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Enhanced;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const PACE: Pace = Pace::Each(Duration::from_secs(10));

    fn pair() -> (Conn<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(1 << 16);
        (Conn::new(near, PACE), far)
    }

    #[tokio::test]
    async fn pipelined_replies_are_one_write() {
        let (mut conn, mut far) = pair();
        far.write_all(b"MAIL\r\nRCPT\nNO").await.unwrap();
        let mut line = Vec::new();
        assert_eq!(conn.read_line(&mut line, 100).await.unwrap(), LineEnd::CrLf);
        assert_eq!(line, b"MAIL");
        conn.reply(&Reply::fixed(250, Enhanced(2, 1, 0), "Ok"));
        assert_eq!(conn.read_line(&mut line, 100).await.unwrap(), LineEnd::BareLf);
        conn.reply(&Reply::plain(250, "Ok"));
        assert_eq!(conn.buffered(), b"NO");
        far.write_all(b"OP\r\n").await.unwrap();
        conn.read_line(&mut line, 100).await.unwrap();
        assert_eq!(line, b"NOOP");
        let mut got = vec![0; 100];
        let length = far.read(&mut got).await.unwrap();
        assert_eq!(&got[..length], b"250 2.1.0 Ok\r\n250 Ok\r\n");
    }

    #[tokio::test]
    async fn long_lines_are_refused_once_then_dropped() {
        let (mut conn, mut far) = pair();
        far.write_all(&[&[b'x'; 150][..], b"\r\nNOOP\r\n", &[b'y'; 300][..]].concat()).await.unwrap();
        let mut line = Vec::new();
        assert_eq!(conn.read_line(&mut line, 100).await.unwrap(), LineEnd::TooLong);
        assert_eq!(conn.read_line(&mut line, 100).await.unwrap(), LineEnd::CrLf);
        assert_eq!(line, b"NOOP");
        assert!(matches!(conn.read_line(&mut line, 100).await, Err(Error::Flood)));
    }

    #[tokio::test]
    async fn answers_are_read() {
        let (mut conn, mut far) = pair();
        far.write_all(b"250-mx\r\n250 DSN\r\n550 5.1.1 no\r\n").await.unwrap();
        assert_eq!(conn.read_answer(1000).await.unwrap().text, b"250-mx\n250 DSN");
        assert_eq!(conn.read_answer(1000).await.unwrap().status, Some(Enhanced(5, 1, 1)));
        far.write_all(format!("250 {}\r\n", "x".repeat(500)).as_bytes()).await.unwrap();
        assert_eq!(conn.read_answer(5).await.unwrap().text, b"250 x", "a long line is cut, and no flood");
        drop(far);
        assert!(matches!(conn.read_answer(1000).await, Err(Error::Lost)));
    }

    #[tokio::test]
    async fn what_was_injected_is_not_drained() {
        let (mut conn, mut far) = pair();
        far.write_all(b"STARTTLS\r\nMAIL").await.unwrap();
        conn.read_line(&mut Vec::new(), 100).await.unwrap();
        assert!(conn.into_drained().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_and_bytes_buy_time() {
        let (mut conn, _far) = pair();
        assert!(matches!(conn.read_line(&mut Vec::new(), 100).await, Err(Error::Timeout)));
        for (bytes, seconds) in [(0, 1), (20, 3), (40, 5), (90, 5)] {
            let (mut conn, mut far) = pair();
            let start = Instant::now();
            conn.set_pace(Pace::Until(start + Duration::from_secs(1), 10, Duration::from_secs(5)));
            far.write_all(&vec![b'x'; bytes]).await.unwrap();
            assert!(matches!(conn.read_line(&mut Vec::new(), 100).await, Err(Error::Timeout)));
            assert_eq!(start.elapsed().as_secs(), seconds, "{bytes}");
        }
    }
}
