//! One filter's connection: negotiation, events, verdicts.

use crate::packet::{self, Command, Options, Response};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Why a filter cannot be asked any more; its default action applies.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// No answer in time.
    #[error("timeout")]
    Timeout,
    /// Not the protocol.
    #[error("malformed packet")]
    Malformed,
    /// More than all answers to one message may be.
    #[error("too much at the end of a message")]
    TooMuch,
}

impl From<packet::Malformed> for Error {
    fn from(_: packet::Malformed) -> Self {
        Self::Malformed
    }
}

/// A packet of the content: its letter, and all its bytes with the length.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'p> {
    /// The event.
    pub letter: u8,
    /// What goes over the wire.
    pub bytes: &'p [u8],
}

/// A negotiated connection.
#[derive(Debug)]
pub struct Filter<S> {
    stream: S,
    options: Options,
    requested: Vec<(u8, Vec<String>)>,
    outgoing: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Filter<S> {
    /// Negotiates over a fresh connection, within `deadline`.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn negotiate(stream: S, version: u32, deadline: Duration) -> Result<Self, Error> {
        let offer = Options { version, actions: packet::ACTIONS, protocol: packet::offered(version) };
        let mut filter = Self { stream, options: offer, requested: Vec::new(), outgoing: Vec::new() };
        offer.write(&mut filter.outgoing);
        let answer = filter.raw_answer(deadline).await?;
        let Response::Options(options) = packet::parse(&answer)? else { return Err(Error::Malformed) };
        filter.requested = packet::requested_macros(&answer);
        if !(2..=version).contains(&options.version) {
            return Err(Error::Malformed);
        }
        let wished = options.protocol & offer.protocol;
        filter.options = Options { protocol: wished | packet::unknown_to(options.version), ..options };
        Ok(filter)
    }

    /// What the filter has asked for.
    #[must_use]
    pub fn options(&self) -> Options {
        self.options
    }

    /// The macros that the filter has asked for with an event, if it has.
    #[must_use]
    pub fn requested(&self, letter: u8) -> Option<&[String]> {
        self.requested.iter().find(|(event, _)| *event == letter).map(|(_, names)| names.as_slice())
    }

    /// Whether the filter wants this event.
    #[must_use]
    pub fn wants(&self, command: &Command) -> bool {
        self.options.protocol & command.flags().0 == 0
    }

    /// Tells an event, with its macros, and gives the filter's answer. An event that the filter does not want or does not
    /// answer gives [`Response::Continue`] at once; what is to be sent waits for the next that is answered.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn tell(
        &mut self,
        command: &Command,
        macros: &[(String, String)],
        deadline: Duration,
    ) -> Result<Response, Error> {
        if !self.wants(command) {
            return Ok(Response::Continue);
        }
        if !macros.is_empty() {
            packet::write_macros(&mut self.outgoing, command.letter(), macros);
        }
        command.write(&mut self.outgoing);
        let (_, silent) = command.flags();
        if matches!(command, Command::Abort | Command::Quit) {
            self.flush(deadline).await?;
            return Ok(Response::Continue);
        }
        if self.options.protocol & silent != 0 {
            if self.outgoing.len() > packet::LIMIT {
                self.flush(deadline).await?;
            }
            return Ok(Response::Continue);
        }
        self.answer(deadline).await
    }

    /// Passes a packet of the content on, with the macros of its event, and gives the answer as it came: `None` where
    /// none is awaited.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn pass(
        &mut self,
        packet: Raw<'_>,
        macros: &[(String, String)],
        deadline: Duration,
    ) -> Result<Option<Vec<u8>>, Error> {
        let (unwanted, silent) = packet::content_flags(packet.letter);
        if self.options.protocol & unwanted != 0 {
            return Ok(None);
        }
        if !macros.is_empty() {
            packet::write_macros(&mut self.outgoing, packet.letter, macros);
        }
        self.outgoing.extend_from_slice(packet.bytes);
        if self.options.protocol & silent != 0 {
            if self.outgoing.len() > packet::LIMIT {
                self.flush(deadline).await?;
            }
            return Ok(None);
        }
        self.raw_answer(deadline).await.map(Some)
    }

    /// As [`Self::answer`], as it came.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn raw_answer(&mut self, deadline: Duration) -> Result<Vec<u8>, Error> {
        loop {
            self.flush(deadline).await?;
            let packet = timeout(deadline, read(&mut self.stream)).await.map_err(|_| Error::Timeout)??;
            if packet != b"p" {
                return Ok(packet);
            }
        }
    }

    /// The message is given up. The filter hears of it before whatever comes next.
    pub fn forget(&mut self) {
        Command::Abort.write(&mut self.outgoing);
    }

    /// The next response that is more than a sign of life; at the end of a message there are several.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn answer(&mut self, deadline: Duration) -> Result<Response, Error> {
        loop {
            let response = self.receive(deadline).await?;
            if response != Response::Progress {
                return Ok(response);
            }
        }
    }

    async fn receive(&mut self, deadline: Duration) -> Result<Response, Error> {
        self.flush(deadline).await?;
        let packet = timeout(deadline, read(&mut self.stream)).await.map_err(|_| Error::Timeout)??;
        Ok(packet::parse(&packet)?)
    }

    async fn flush(&mut self, deadline: Duration) -> Result<(), Error> {
        if !self.outgoing.is_empty() {
            timeout(deadline, self.stream.write_all(&self.outgoing)).await.map_err(|_| Error::Timeout)??;
            timeout(deadline, self.stream.flush()).await.map_err(|_| Error::Timeout)??;
            self.outgoing.clear();
        }
        Ok(())
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, Error> {
    let size = stream.read_u32().await?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size == 0 || size > packet::LIMIT {
        return Err(Error::Malformed);
    }
    let mut packet = vec![0; size];
    stream.read_exact(&mut packet).await?;
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::protocol;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A filter that says these packets, each after the number of bytes that it waits for.
    async fn scripted(
        flags: u32,
        answers: Vec<&'static [u8]>,
    ) -> (Filter<tokio::io::DuplexStream>, tokio::task::JoinHandle<Vec<u8>>) {
        let (near, mut far) = tokio::io::duplex(4096);
        let serving = tokio::spawn(async move {
            let mut hello = [0; 17];
            far.read_exact(&mut hello).await.unwrap();
            let mut reply = Vec::new();
            Options { version: 6, actions: 0x1ff, protocol: flags }.write(&mut reply);
            far.write_all(&reply).await.unwrap();
            let mut heard = Vec::new();
            for answer in answers {
                let size = far.read_u32().await.unwrap();
                let mut packet = vec![0; size as usize];
                far.read_exact(&mut packet).await.unwrap();
                heard.extend_from_slice(&packet[..1]);
                far.write_all(answer).await.unwrap();
            }
            heard
        });
        (Filter::negotiate(near, packet::VERSION, PATIENCE).await.unwrap(), serving)
    }

    #[tokio::test]
    async fn unwanted_events_are_not_told_and_silent_ones_not_awaited() {
        let flags = protocol::NO_HELO | protocol::SILENT_MAIL;
        let (mut filter, serving) = scripted(flags, vec![b"", b"\0\0\0\x01p\0\0\0\x01r"]).await;
        assert_eq!(filter.tell(&Command::Helo(b"x".to_vec()), &[], PATIENCE).await.unwrap(), Response::Continue);
        assert_eq!(filter.tell(&Command::Mail(vec![]), &[], PATIENCE).await.unwrap(), Response::Continue);
        assert_eq!(filter.tell(&Command::Rcpt(vec![]), &[], PATIENCE).await.unwrap(), Response::Reject);
        assert_eq!(serving.await.unwrap(), b"MR");
    }

    #[tokio::test]
    async fn old_filters_hear_only_of_what_they_know() {
        for (version, unknown, data) in [(2, false, false), (3, true, false), (4, true, true), (6, true, true)] {
            let (near, mut far) = tokio::io::duplex(4096);
            let mut reply = Vec::new();
            Options { version, actions: 0x3f, protocol: 0 }.write(&mut reply);
            far.write_all(&reply).await.unwrap();
            let filter = Filter::negotiate(near, packet::VERSION, PATIENCE).await.unwrap();
            let told = (filter.wants(&Command::Unknown(b"x".to_vec())), filter.wants(&Command::Data));
            assert_eq!(told, (unknown, data), "version {version}");
        }
    }

    #[tokio::test]
    async fn an_oversized_packet_is_an_error() {
        let (mut filter, _serving) = scripted(0, vec![b"\xff\xff\xff\xff"]).await;
        assert!(matches!(filter.tell(&Command::Data, &[], PATIENCE).await, Err(Error::Malformed)));
    }
}
