//! Frames over a Unix-domain stream, for daemons: buffered both ways, every wait with a deadline.

use crate::frame::{self, Frame, Hello};
use crate::wire::Wire;
use crate::{Error, Protocol};
use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// A larger buffer is given back once its bytes are written.
const KEPT: usize = 64 * 1024;

/// One end of a connection: says `Out`, hears `In`.
///
/// `send` only buffers; `flush` writes everything in one go. `receive` and `flush` may be cancelled
/// (in a `select!`) and called again without loss.
#[derive(Debug)]
pub struct Channel<Out, In> {
    wire: Wire,
    incoming: BytesMut,
    outgoing: BytesBuffer,
    limit: usize,
    deadline: Duration,
    words: PhantomData<fn(Out) -> In>,
}

/// Messages as frames, made where there is no channel: on another thread.
#[derive(Debug)]
pub struct Frames<Out> {
    bytes: Vec<u8>,
    limit: usize,
    words: PhantomData<fn(Out)>,
}

impl<Out: Serialize> Frames<Out> {
    /// None yet, of what this protocol answers.
    #[must_use]
    pub fn of<P: Protocol<Reply = Out>>() -> Self {
        Self { bytes: Vec::new(), limit: P::LIMIT, words: PhantomData }
    }

    /// Adds a message.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn add(&mut self, message: &Out) -> Result<(), Error> {
        frame::write_message(&mut self.bytes, message, self.limit)
    }
}

/// Bytes on their way out, and how many of them have been written.
#[derive(Debug, Default)]
struct BytesBuffer {
    bytes: Vec<u8>,
    written: usize,
}

impl<Out: Serialize, In: DeserializeOwned> Channel<Out, In> {
    /// Connects to a service, such as `private/rewrite` below the queue directory. The hello goes out with
    /// the first flush. `deadline` (`ipc_timeout`) bounds every later wait.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Timeout`].
    pub async fn connect<P>(path: &Path, deadline: Duration) -> Result<Self, Error>
    where
        P: Protocol<Request = Out, Reply = In>,
    {
        let wire = match timeout(deadline, Wire::connect(path)).await {
            Ok(Ok(wire)) => wire,
            Ok(Err(source)) => {
                return Err(Error::Connect { service: path.display().to_string(), source });
            }
            Err(_) => return Err(Error::Timeout),
        };
        let mut channel = Self::on(wire, P::LIMIT, deadline);
        frame::write_message(&mut channel.outgoing.bytes, &Hello::of::<P>(), P::LIMIT)?;
        Ok(channel)
    }

    /// Takes a connection that a caller has made, and reads its hello.
    ///
    /// # Errors
    /// [`Error::Version`] if the caller speaks something else, or the connection fails.
    pub async fn accept<P>(stream: UnixStream, deadline: Duration) -> Result<Self, Error>
    where
        P: Protocol<Request = In, Reply = Out>,
    {
        let mut channel = Channel::<Out, Hello>::over(stream, P::LIMIT, deadline)?;
        let Some(hello) = channel.receive().await? else {
            return Err(Error::Closed);
        };
        hello.agree::<P>()?;
        let Channel { wire, incoming, outgoing, limit, deadline, .. } = channel;
        Ok(Self { wire, incoming, outgoing, limit, deadline, words: PhantomData })
    }

    /// An inherited or paired stream whose other end is known: no hello.
    ///
    /// # Errors
    /// The stream cannot be watched.
    pub fn over(stream: UnixStream, limit: usize, deadline: Duration) -> std::io::Result<Self> {
        Ok(Self::on(Wire::over(stream)?, limit, deadline))
    }

    fn on(wire: Wire, limit: usize, deadline: Duration) -> Self {
        Self { wire, incoming: BytesMut::new(), outgoing: BytesBuffer::default(), limit, deadline, words: PhantomData }
    }

    /// Buffers a message.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn send(&mut self, message: &Out) -> Result<(), Error> {
        frame::write_message(&mut self.outgoing.bytes, message, self.limit)
    }

    /// Buffers messages that were made frames before.
    pub fn send_frames(&mut self, frames: &Frames<Out>) {
        self.outgoing.bytes.extend_from_slice(&frames.bytes);
    }

    /// Buffers raw content, cut into frames of at most [`frame::RAW_LIMIT`].
    ///
    /// # Errors
    /// None in practice; the header's check is passed on.
    pub fn send_raw(&mut self, content: &[u8]) -> Result<(), Error> {
        for chunk in content.chunks(frame::RAW_LIMIT) {
            self.outgoing.bytes.extend_from_slice(&frame::raw_header(chunk.len())?);
            self.outgoing.bytes.extend_from_slice(chunk);
        }
        Ok(())
    }

    /// Bytes buffered and not yet written.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.outgoing.bytes.len() - self.outgoing.written
    }

    /// Writes what is buffered; waits for a peer that does not read, at most the deadline.
    ///
    /// # Errors
    /// [`Error::Timeout`] or [`Error::Io`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        if self.outgoing.bytes.len() > self.outgoing.written {
            // What was logged before comes first (maillog's barrier), since the peer may log what it does now.
            tracing::info!(target: "maillog::barrier", "");
        }
        while let Some(rest @ [_, ..]) = self.outgoing.bytes.get(self.outgoing.written..) {
            match timeout(self.deadline, self.wire.write(rest)).await {
                Ok(Ok(0)) => return Err(Error::Closed),
                Ok(Ok(count)) => self.outgoing.written += count,
                Ok(Err(source)) => return Err(source.into()),
                Err(_) => return Err(Error::Timeout),
            }
        }
        self.outgoing.written = 0;
        self.outgoing.bytes.clear();
        if self.outgoing.bytes.capacity() > KEPT {
            self.outgoing.bytes = Vec::new();
        }
        Ok(())
    }

    /// The next message, waited for as long as it takes; `None` when the peer has closed between frames.
    ///
    /// # Errors
    /// A raw or malformed frame, or a connection that broke.
    pub async fn receive(&mut self) -> Result<Option<In>, Error> {
        match self.receive_frame().await? {
            Some(Frame::Message(message)) => Ok(Some(message)),
            Some(Frame::Raw(_)) => Err(Error::Malformed("unexpected raw frame")),
            None => Ok(None),
        }
    }

    /// The answer to what was sent: flushes, then waits at most the deadline.
    ///
    /// # Errors
    /// As [`Self::receive`], and [`Error::Closed`], [`Error::Timeout`].
    pub async fn expect(&mut self) -> Result<In, Error> {
        self.flush().await?;
        match timeout(self.deadline, self.receive()).await {
            Ok(found) => found?.ok_or(Error::Closed),
            Err(_) => Err(Error::Timeout),
        }
    }

    /// The next frame, message or raw; waited for as long as it takes.
    ///
    /// # Errors
    /// A malformed or oversized frame, or a connection that broke.
    pub async fn receive_frame(&mut self) -> Result<Option<Frame<In>>, Error> {
        loop {
            if let Some(found) = frame::take(&mut self.incoming, self.limit)? {
                return Ok(Some(found));
            }
            if self.wire.read(&mut self.incoming).await? == 0 {
                return if self.incoming.is_empty() { Ok(None) } else { Err(Error::Closed) };
            }
        }
    }

    /// Whether a frame is here already, so that the next `receive` does not wait.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        frame::is_complete(&self.incoming)
    }

    /// Gives the read buffer back while the connection idles; call when nothing is ready.
    pub fn shrink(&mut self) {
        if self.incoming.is_empty() {
            self.incoming = BytesMut::new();
        }
    }

    /// Whether an idle connection is of no more use: the peer has closed it, or spoke out of turn.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        !self.incoming.is_empty() || self.wire.has_news()
    }
}
