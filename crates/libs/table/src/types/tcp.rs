//! `tcp:host:port`: a server that answers `get key` lines, with `%XX` for unusual bytes.

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use crate::environment::Trust;
use crate::error::system_text;
use crate::link::Endpoint;
use crate::percent::decoded;
use crate::wire::{Framing, Server};
use crate::{Answer, Environment, Error, Keys, Lookup, Owner, Table};

struct Tcp {
    spec: String,
    server: Arc<Server>,
}

/// The longest answer that the protocol allows.
const LIMIT: usize = 4096;
/// How often a server is asked that cannot be reached or hangs up: it may be on its way up again.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("tcp:{name}");
    if environment.trust == Trust::Paranoid {
        let reason = format!("{spec} map is not allowed for security-sensitive data");
        return Err(Error::config(spec, reason));
    }
    let endpoint =
        Endpoint::inet(name, &environment.settings).map_err(|error| Error::config(&spec, error.to_string()))?;
    let server = Arc::new(Server::new(endpoint, Framing::Line, LIMIT));
    Ok(Box::new(Tcp { spec, server }))
}

impl Tcp {
    async fn ask(&self, key: &[u8]) -> Answer {
        let question = format!("get {}\n", encoded(key));
        if question.len() > LIMIT {
            return Ok(None);
        }
        let answer = persist(|| self.server.ask(question.as_bytes()), |error| self.warn(error)).await;
        let answer = answer.map_err(|error| self.trouble(&system_text(&error)))?;
        match reply(&answer) {
            Some((b'2', value)) => Ok(Some(value)),
            Some((b'5', _)) => Ok(None),
            Some((b'4', text)) => Err(self.trouble(&format!("server reply: {}", String::from_utf8_lossy(&text)))),
            _ => {
                Err(self.trouble(&format!("read TCP map reply: malformed reply: {}", String::from_utf8_lossy(&answer))))
            }
        }
    }

    fn warn(&self, error: &io::Error) {
        let has_spoken =
            matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        let doing = if has_spoken { "read TCP map reply from" } else { "connect to TCP map" };
        let name = self.spec.strip_prefix("tcp:").unwrap_or(&self.spec);
        tracing::warn!("{doing} {name}: {}", system_text(error));
    }

    fn trouble(&self, reason: &str) -> Error {
        Error::temporary(&self.spec, reason)
    }
}

/// Tries again, after a pause, what fails. What takes too long is not waited for a second time.
async fn persist<T, F>(attempt: impl Fn() -> F, warn: impl Fn(&io::Error)) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if error.kind() != ErrorKind::TimedOut => warn(&error),
            ended => return ended,
        }
        tokio::time::sleep(PAUSE).await;
    }
    attempt().await.inspect_err(warn)
}

/// The first of the three digits, which tells what is meant, and the text behind them.
fn reply(answer: &[u8]) -> Option<(u8, Vec<u8>)> {
    let (code, rest) = answer.split_at_checked(4)?;
    let [class, digits @ .., blank] = code else { return None };
    let is_code = class.is_ascii_digit() && digits.iter().all(u8::is_ascii_digit) && blank.is_ascii_whitespace();
    is_code.then(|| decoded(rest)).flatten().map(|text| (*class, text))
}

fn encoded(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key {
        if byte.is_ascii_graphic() && *byte != b'%' {
            text.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text
}

impl Table for Tcp {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        let key = key.to_vec();
        Lookup::Later(Box::pin(async move { self.ask(&key).await }))
    }

    /// The server is asked once for each address, for it may know patterns.
    fn keys(&self) -> Keys {
        Keys::Pattern
    }

    fn owner(&self) -> Owner {
        Owner::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;
    use tokio::time::Instant;

    #[test]
    fn unusual_bytes_are_encoded() {
        assert_eq!(encoded(b"a b%\xff"), "a%20b%25%ff");
        assert_eq!(decoded(b"a%20b%"), None);
        assert_eq!(decoded(b"%+1"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_down_is_asked_again_for_a_while() {
        for (why, errors, kind, expected, seconds, warnings) in [
            ("up", 0, ErrorKind::ConnectionRefused, Some(0), 0, 0),
            ("restarted", 3, ErrorKind::ConnectionRefused, Some(3), 3, 3),
            ("down", 99, ErrorKind::ConnectionRefused, None, 9, 10),
            ("slow", 99, ErrorKind::TimedOut, None, 0, 0),
        ] {
            let (start, tried, warned) = (Instant::now(), Cell::new(0), Cell::new(0));
            let attempt = async || {
                let before = tried.replace(tried.get() + 1);
                (before >= errors).then_some(before).ok_or(io::Error::from(kind))
            };
            let ended = persist(&attempt, |_| warned.set(warned.get() + 1)).await;
            assert_eq!((ended.ok(), start.elapsed().as_secs(), warned.get()), (expected, seconds, warnings), "{why}");
        }
    }

    #[test]
    fn the_first_digit_tells_what_a_reply_means() {
        for (answer, expected) in [
            ("200 a%20b", Some((b'2', "a b"))),
            ("250 x", Some((b'2', "x"))),
            ("200\tx", Some((b'2', "x"))),
            ("200 ", Some((b'2', ""))),
            ("599 x", Some((b'5', "x"))),
            ("200", None),
            ("200x", None),
            ("2x0 x", None),
            ("200 %z", None),
            (" 200 x", None),
            ("", None),
        ] {
            let expected = expected.map(|(class, text)| (class, text.as_bytes().to_vec()));
            assert_eq!(reply(answer.as_bytes()), expected, "{answer}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(key in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decoded(encoded(&key).as_bytes()), Some(key));
        }
    }
}
