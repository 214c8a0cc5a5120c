//! Frames over a Unix-domain stream, for commands and one-delivery daemons, which have no runtime.

use crate::caller::InAnyOrder;
use crate::frame::{self, Frame, Hello};
use crate::wire::read_now;
use crate::{Error, Protocol};
use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{ErrorKind, Write};
use std::marker::PhantomData;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One end of a connection: says `Out`, hears `In`. `send` buffers; `flush` writes.
#[derive(Debug)]
pub struct Channel<Out, In> {
    stream: UnixStream,
    incoming: BytesMut,
    outgoing: Vec<u8>,
    limit: usize,
    words: PhantomData<fn(Out) -> In>,
}

impl<Out: Serialize, In: DeserializeOwned> Channel<Out, In> {
    /// Connects to a service; every later wait lasts at most `deadline` (`ipc_timeout`).
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub fn connect<P>(path: &Path, deadline: Duration) -> Result<Self, Error>
    where
        P: Protocol<Request = Out, Reply = In>,
    {
        let stream = UnixStream::connect(path)
            .map_err(|source| Error::Connect { service: path.display().to_string(), source })?;
        let mut channel = Self::over(stream, P::LIMIT);
        channel.wait_at_most(Some(deadline))?;
        channel.stream.set_write_timeout(Some(deadline))?;
        frame::write_message(&mut channel.outgoing, &Hello::of::<P>(), P::LIMIT)?;
        Ok(channel)
    }

    /// Takes a connection that a caller has made, and reads its hello within `deadline`.
    ///
    /// # Errors
    /// [`Error::Version`] if the caller speaks something else, or the connection fails.
    pub fn accept<P>(stream: UnixStream, deadline: Duration) -> Result<Self, Error>
    where
        P: Protocol<Request = In, Reply = Out>,
    {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(deadline))?;
        stream.set_write_timeout(Some(deadline))?;
        let mut channel = Channel::<Out, Hello>::over(stream, P::LIMIT);
        let Some(hello) = channel.receive()? else {
            return Err(Error::Closed);
        };
        hello.agree::<P>()?;
        let Channel { stream, incoming, outgoing, limit, .. } = channel;
        Ok(Self { stream, incoming, outgoing, limit, words: PhantomData })
    }

    /// An inherited or paired stream whose other end is known: no hello.
    #[must_use]
    pub fn over(stream: UnixStream, limit: usize) -> Self {
        Self { stream, incoming: BytesMut::new(), outgoing: Vec::new(), limit, words: PhantomData }
    }

    /// Changes how long `receive` waits; `None` waits for ever (a server between requests).
    ///
    /// # Errors
    /// A zero duration.
    pub fn wait_at_most(&self, deadline: Option<Duration>) -> Result<(), Error> {
        Ok(self.stream.set_read_timeout(deadline)?)
    }

    /// Buffers a message.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn send(&mut self, message: &Out) -> Result<(), Error> {
        frame::write_message(&mut self.outgoing, message, self.limit)
    }

    /// Buffers raw content; writes whenever a frame's worth has gathered.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn send_raw(&mut self, content: &[u8]) -> Result<(), Error> {
        for chunk in content.chunks(frame::RAW_LIMIT) {
            self.outgoing.extend_from_slice(&frame::raw_header(chunk.len())?);
            self.outgoing.extend_from_slice(chunk);
            if self.outgoing.len() >= frame::RAW_LIMIT {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// [`Error::Timeout`] or [`Error::Io`].
    pub fn flush(&mut self) -> Result<(), Error> {
        let result = self.stream.write_all(&self.outgoing).map_err(waited);
        self.outgoing.clear();
        result
    }

    /// The answer to what was sent: flushes, then waits.
    ///
    /// # Errors
    /// As [`Self::receive`], and [`Error::Closed`].
    pub fn expect(&mut self) -> Result<In, Error> {
        self.flush()?;
        self.receive()?.ok_or(Error::Closed)
    }

    /// The next message; `None` when the peer has closed between frames.
    ///
    /// # Errors
    /// A raw or malformed frame, a broken connection, or [`Error::Timeout`].
    pub fn receive(&mut self) -> Result<Option<In>, Error> {
        match self.receive_frame()? {
            Some(Frame::Message(message)) => Ok(Some(message)),
            Some(Frame::Raw(_)) => Err(Error::Malformed("unexpected raw frame")),
            None => Ok(None),
        }
    }

    /// The next frame, message or raw.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn receive_frame(&mut self) -> Result<Option<Frame<In>>, Error> {
        loop {
            if let Some(found) = frame::take(&mut self.incoming, self.limit)? {
                return Ok(Some(found));
            }
            match read_now(&self.stream, &mut self.incoming) {
                Ok(0) if self.incoming.is_empty() => return Ok(None),
                Ok(0) => return Err(Error::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(waited(error)),
            }
        }
    }

    /// Whether an idle connection is of no more use: the peer has closed it, or spoke out of turn.
    pub fn is_stale(&mut self) -> bool {
        if !self.incoming.is_empty() || self.stream.set_nonblocking(true).is_err() {
            return true;
        }
        let read = read_now(&self.stream, &mut self.incoming);
        let is_quiet = read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).is_err() || !is_quiet
    }

    /// The stream, for its descriptor and credentials.
    #[must_use]
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }
}

fn waited(error: std::io::Error) -> Error {
    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) { Error::Timeout } else { Error::Io(error) }
}

type Numbered<P> = Channel<(u32, <P as Protocol>::Request), (u32, <P as Protocol>::Reply)>;

/// Asks a service whose requests are numbered, one request at a time, over a kept connection.
pub struct Caller<P: Protocol> {
    path: PathBuf,
    deadline: Duration,
    number: u32,
    channel: Option<Numbered<P>>,
}

impl<P: Protocol> std::fmt::Debug for Caller<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller({})", self.path.display())
    }
}

impl<P: Protocol> Caller<P> {
    /// A caller of the service at `path`, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>, deadline: Duration) -> Self {
        Self { path: path.into(), deadline, number: 0, channel: None }
    }

    /// Asks, and waits for the answer. A request whose kept connection turns out dead is asked once more
    /// on a new one if that is harmless.
    ///
    /// # Errors
    /// Any [`Error`]; the caller treats all as temporary.
    pub fn call(&mut self, request: P::Request) -> Result<P::Reply, Error> {
        let kept = self.channel.is_some();
        self.number = self.number.wrapping_add(1);
        let message = (self.number, request);
        match self.ask(&message) {
            Err(Error::Closed | Error::Io(_)) if kept && P::REPEATABLE => self.ask(&message),
            result => result,
        }
    }

    fn ask(&mut self, message: &(u32, P::Request)) -> Result<P::Reply, Error> {
        let mut channel = match self.channel.take() {
            Some(channel) => channel,
            None => Channel::connect::<InAnyOrder<P>>(&self.path, self.deadline)?,
        };
        channel.send(message)?;
        let (number, reply) = channel.expect()?;
        if number != message.0 {
            return Err(Error::Malformed("answer to another request"));
        }
        self.channel = Some(channel);
        Ok(reply)
    }
}
