//! Requests to LDAP servers, and their answers. See RFC 4511.

use std::io;

use tokio::io::{AsyncBufRead, AsyncReadExt};

use super::super::octets::Octets;
use super::ber::{self, ENUMERATED, INTEGER, SEQUENCE, TEXT, element, number};
use crate::link::malformed;

/// The longest message that is read.
const LONGEST: usize = 16 * 1024 * 1024;

pub(super) const BIND_RESPONSE: u8 = 0x61;
pub(super) const ENTRY: u8 = 0x64;
pub(super) const DONE: u8 = 0x65;
pub(super) const REFERENCE: u8 = 0x73;
pub(super) const EXTENDED_RESPONSE: u8 = 0x78;

pub(super) const SUCCESS: u32 = 0;
pub(super) const NO_SUCH_OBJECT: u32 = 32;

/// An answer, or part of one.
pub(super) struct Message {
    pub(super) number: u32,
    pub(super) kind: u8,
    pub(super) content: Vec<u8>,
}

/// How a request ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: u32,
    pub(super) text: String,
}

/// An attribute of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) values: Vec<Vec<u8>>,
}

/// How far below its base a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Base,
    One,
    Subtree,
}

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) base: String,
    pub(super) scope: Scope,
    /// As it is sent.
    pub(super) filter: Vec<u8>,
    pub(super) attributes: Vec<String>,
}

/// What goes with every search of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) dereference: u32,
    pub(super) size_limit: u32,
    pub(super) seconds: u32,
}

/// How we say who we are.
#[derive(Debug)]
pub(super) enum Credentials<'a> {
    Simple(&'a str),
    Sasl(&'static str, Vec<u8>),
}

pub(super) fn bind(version: u32, name: &str, credentials: &Credentials<'_>) -> Vec<u8> {
    let proof = match credentials {
        Credentials::Simple(password) => element(0x80, password.as_bytes()),
        Credentials::Sasl(mechanism, proof) => {
            element(0xa3, &[element(TEXT, mechanism.as_bytes()), element(TEXT, proof)].concat())
        }
    };
    element(0x60, &[number(INTEGER, version), element(TEXT, name.as_bytes()), proof].concat())
}

pub(super) fn start_tls() -> Vec<u8> {
    element(0x77, &element(0x80, b"1.3.6.1.4.1.1466.20037"))
}

pub(super) fn search(search: &Search, bounds: Bounds) -> Vec<u8> {
    let scope = match search.scope {
        Scope::Base => 0,
        Scope::One => 1,
        Scope::Subtree => 2,
    };
    let attributes: Vec<u8> = search.attributes.iter().flat_map(|name| element(TEXT, name.as_bytes())).collect();
    let parts = [
        element(TEXT, search.base.as_bytes()),
        number(ENUMERATED, scope),
        number(ENUMERATED, bounds.dereference),
        number(INTEGER, bounds.size_limit),
        number(INTEGER, bounds.seconds),
        // Values, too.
        element(0x01, &[0]),
        search.filter.clone(),
        element(SEQUENCE, &attributes),
    ];
    element(0x63, &parts.concat())
}

/// A request with its number.
pub(super) fn numbered(number_of: u32, request: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&number(INTEGER, number_of), request].concat())
}

pub(super) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Message> {
    if stream.read_u8().await? != SEQUENCE {
        return Err(malformed("not an LDAP message"));
    }
    let mut length = usize::from(stream.read_u8().await?);
    if length > 0x80 {
        let bytes = length & 0x7f;
        length = 0;
        for _ in 0..bytes {
            length = length << 8 | usize::from(stream.read_u8().await?);
            if length > LONGEST {
                break;
            }
        }
    } else if length == 0x80 {
        return Err(malformed("message without length"));
    }
    if length > LONGEST {
        return Err(malformed("message is too long"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let mut rest = Octets(&body);
    let number = ber::value(ber::expect(&mut rest, INTEGER)?)?;
    let (kind, content) = ber::next(&mut rest)?;
    Ok(Message { number, kind, content: content.to_vec() })
}

impl Message {
    pub(super) fn outcome(&self) -> io::Result<Outcome> {
        let mut rest = Octets(&self.content);
        let code = ber::value(ber::expect(&mut rest, ENUMERATED)?)?;
        ber::expect(&mut rest, TEXT)?;
        let text = ber::expect(&mut rest, TEXT)?;
        Ok(Outcome { code, text: String::from_utf8_lossy(text).into_owned() })
    }

    pub(super) fn attributes(&self) -> io::Result<Vec<Attribute>> {
        let mut rest = Octets(&self.content);
        ber::expect(&mut rest, TEXT)?;
        let mut list = Octets(ber::expect(&mut rest, SEQUENCE)?);
        let mut attributes = Vec::new();
        while !list.0.is_empty() {
            let mut attribute = Octets(ber::expect(&mut list, SEQUENCE)?);
            let name = String::from_utf8_lossy(ber::expect(&mut attribute, TEXT)?).into_owned();
            let mut set = Octets(ber::expect(&mut attribute, 0x31)?);
            let mut values = Vec::new();
            while !set.0.is_empty() {
                values.push(ber::expect(&mut set, TEXT)?.to_vec());
            }
            attributes.push(Attribute { name, values });
        }
        Ok(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(mut bytes: &[u8]) -> io::Result<Message> {
        crate::block_on(read(&mut bytes))
    }

    #[test]
    fn answers_are_taken_apart() {
        let done = parse(b"\x30\x0e\x02\x01\x02\x65\x09\x0a\x01\x20\x04\x00\x04\x02no").unwrap();
        assert_eq!((done.number, done.kind), (2, DONE));
        assert_eq!(done.outcome().unwrap(), Outcome { code: NO_SUCH_OBJECT, text: "no".to_owned() });
        let values = element(0x31, &[element(TEXT, b"x"), element(TEXT, b"")].concat());
        let attribute = element(SEQUENCE, &[element(TEXT, b"cn"), values].concat());
        let entry = element(ENTRY, &[element(TEXT, b"cn=x"), element(SEQUENCE, &attribute)].concat());
        let attributes = parse(&numbered(300, &entry)).unwrap().attributes().unwrap();
        assert_eq!(attributes, [Attribute { name: "cn".to_owned(), values: vec![b"x".to_vec(), Vec::new()] }]);
        for bad in [&b"\x31\x00"[..], b"\x30\x80", b"\x30\x85\xff\xff\xff\xff\xff", b"\x30\x02\x02\x01", b""] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&numbered(1, &bytes)).map(|message| (message.outcome().is_ok(), message.attributes().is_ok()));
            let _ = parse(&bytes).is_ok();
        }
    }
}
