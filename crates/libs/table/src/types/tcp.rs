//! `tcp:host:port`: a server that answers `get key` lines, with `%XX` for unusual bytes.

use std::fmt::Write;
use std::sync::Arc;

use crate::environment::Trust;
use crate::error::system_text;
use crate::link::Endpoint;
use crate::percent::decoded;
use crate::wire::{Framing, Server};
use crate::{Answer, Environment, Error, Lookup, Owner, Table};

struct Tcp {
    spec: String,
    server: Arc<Server>,
}

/// The longest answer that the protocol allows.
const LIMIT: usize = 4096;

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("tcp:{name}");
    if environment.trust == Trust::Paranoid {
        let reason = format!("{spec} map is not allowed for security-sensitive data");
        return Err(Error::config(spec, reason));
    }
    let server = Arc::new(Server::new(Endpoint::Inet(name.to_owned()), Framing::Line, LIMIT));
    Ok(Box::new(Tcp { spec, server }))
}

impl Tcp {
    async fn ask(&self, key: &[u8]) -> Answer {
        let question = format!("get {}\n", encoded(key));
        if question.len() > LIMIT {
            return Ok(None);
        }
        let answer = self.server.ask(question.as_bytes()).await;
        let answer = answer.map_err(|error| self.trouble(&system_text(&error)))?;
        let (code, rest) = answer.split_at_checked(4).unwrap_or_default();
        let text = decoded(rest);
        match (code, text) {
            (b"200 ", Some(value)) => Ok(Some(value)),
            (b"500 ", Some(_)) => Ok(None),
            (b"400 ", Some(text)) => Err(self.trouble(&format!("server reply: {}", String::from_utf8_lossy(&text)))),
            _ => {
                Err(self.trouble(&format!("read TCP map reply: malformed reply: {}", String::from_utf8_lossy(&answer))))
            }
        }
    }

    fn trouble(&self, reason: &str) -> Error {
        Error::temporary(&self.spec, reason)
    }
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

    fn owner(&self) -> Owner {
        Owner::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unusual_bytes_are_encoded() {
        assert_eq!(encoded(b"a b%\xff"), "a%20b%25%ff");
        assert_eq!(decoded(b"a%20b%"), None);
        assert_eq!(decoded(b"%+1"), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(key in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decoded(encoded(&key).as_bytes()), Some(key));
        }
    }
}
