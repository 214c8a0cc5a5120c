//! qmqp-sink(1): a QMQP server for tests, which takes messages over many sessions and throws them away.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use config::endpoint::Endpoint;
use lexopt::prelude::*;
use netstring::Length;
use smtp_proto::conn::{Conn, Pace};
use trial::load::{self, Counter};
use trial::place::{self, Family, Listener, Stream};
use trial::program;

const PATIENCE: Pace = Pace::Each(Duration::from_secs(300));

/// Everything that was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    endpoint: Endpoint,
    backlog: u32,
    family: Family,
    counter: Counter,
    lifetime: Option<Duration>,
}

impl Options {
    /// Parses the command line.
    ///
    /// # Errors
    /// An unknown option, a bad number, or no endpoint.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let (mut family, mut counter, mut lifetime) = (Family::Any, Counter::Hidden, None);
        let mut words = Vec::new();
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Short('4') => family = Family::V4,
                Short('6') => family = Family::V6,
                Short('c') => counter = Counter::Shown,
                // Chatter changes nothing that is received.
                Short('v') => {}
                Short('x') => lifetime = Some(load::seconds(&mut parser, "time")?),
                Value(value) => words.push(value.string()?),
                Short(_) | Long(_) => return Err(argument.unexpected()),
            }
        }
        let (endpoint, backlog) = place::listener_and_backlog(&words)?;
        Ok(Self { endpoint, backlog, family, counter, lifetime })
    }
}

/// Serves until its time is over.
///
/// # Errors
/// The endpoint cannot be listened on.
pub async fn run(options: Options) -> io::Result<()> {
    let listener = Listener::open(&options.endpoint, options.family, options.backlog).await?;
    let serving = serve(&listener, options.counter);
    match options.lifetime {
        // The end of its time is no failure.
        Some(lifetime) => drop(tokio::time::timeout(lifetime, serving).await),
        None => serving.await,
    }
    Ok(())
}

async fn serve(listener: &Listener, counter: Counter) {
    let taken = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok(stream) = listener.accept().await else { continue };
        let taken = Arc::clone(&taken);
        tokio::spawn(async move {
            match take(stream).await {
                Ok(()) => {
                    let taken = taken.fetch_add(1, Ordering::Relaxed) + 1;
                    if counter == Counter::Shown {
                        program::show(&taken);
                    }
                }
                Err(error) => program::say("qmqp-sink", &format_args!("warning: {error}")),
            }
        });
    }
}

/// Takes a message.
///
/// # Errors
/// It does not come, or is none.
pub async fn take(stream: Box<dyn Stream>) -> io::Result<()> {
    let mut conn = Conn::new(stream, PATIENCE);
    // Behind the bytes of a netstring there is a comma.
    let mut left = length(&mut conn).await?.saturating_add(1);
    while left > 0 {
        if conn.buffered().is_empty() {
            conn.fill().await.map_err(io::Error::other)?;
        }
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(conn.buffered().len());
        conn.consume(here);
        left = left.saturating_sub(here as u64);
    }
    let mut answer = Vec::new();
    netstring::append(b"KOk", &mut answer);
    conn.queue(&answer);
    conn.flush().await.map_err(io::Error::other)
}

/// The length of all that comes; what follows it is left in the buffer.
async fn length(conn: &mut Conn<Box<dyn Stream>>) -> io::Result<u64> {
    let mut length = Length::default();
    loop {
        conn.fill().await.map_err(io::Error::other)?;
        while let Some(byte) = conn.buffered().first().copied() {
            conn.consume(1);
            if let Some(length) = length.push(byte).map_err(io::Error::other)? {
                return Ok(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn options_as_postfix_has_them() {
        let parse = |line: &str| Options::parse(line.split(' ').map(Into::into));
        let options = parse("-6 -c -v -v -x 3 :628 10").unwrap();
        assert_eq!((options.family, options.counter, options.backlog), (Family::V6, Counter::Shown, 10));
        assert_eq!(options.lifetime, Some(Duration::from_secs(3)));
        for bad in ["-x 0 :628 10", "-z :628 10", "--help :628 10", ":628", "host 1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    async fn answered(sent: &[u8]) -> (String, Option<String>) {
        let (mut near, far) = tokio::io::duplex(1024);
        near.write_all(sent).await.unwrap();
        near.shutdown().await.unwrap();
        let taken = take(Box::new(far)).await;
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        (answer, taken.err().map(|error| error.to_string()))
    }

    #[tokio::test]
    async fn whatever_is_inside_is_taken() {
        for sent in [&b"19:3:abc,3:a@b,3:c@d,,,"[..], b"3:abc,", b"0:,", b"3:abc,more"] {
            let shown = String::from_utf8_lossy(sent).into_owned();
            assert_eq!(answered(sent).await, ("3:KOk,".to_owned(), None), "{shown}");
        }
    }

    #[tokio::test]
    async fn what_is_none_is_told() {
        for (sent, expected) in [
            (&b"abc"[..], "netstring format error"),
            (b"99999999999999999999:", "netstring length exceeds storage limit"),
            (b"30:abc", "lost connection"),
            (b"", "lost connection"),
        ] {
            let shown = String::from_utf8_lossy(sent).into_owned();
            assert_eq!(answered(sent).await, (String::new(), Some(expected.to_owned())), "{shown}");
        }
    }
}
