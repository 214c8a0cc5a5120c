//! Messages of PostgreSQL's protocol, version 3.

use std::io;

use tokio::io::{AsyncBufRead, AsyncReadExt};

use super::super::octets::Octets;
use crate::link::malformed;

/// The longest message that is read.
const LONGEST: usize = 16 * 1024 * 1024;

/// A message: its letter, and what follows its length.
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
}

/// What a server says when it refuses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// It closes the connection, too.
    pub(super) is_fatal: bool,
    pub(super) text: String,
}

/// How we are to prove who we are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    Done,
    Password,
    Md5([u8; 4]),
    /// Names of mechanisms.
    Sasl(Vec<String>),
    Challenge(Vec<u8>),
    Last(Vec<u8>),
}

pub(super) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Message> {
    let kind = stream.read_u8().await?;
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    let length = length.checked_sub(4).filter(|length| *length <= LONGEST);
    let mut body = vec![0; length.ok_or_else(|| malformed("bad length of a message"))?];
    stream.read_exact(&mut body).await?;
    Ok(Message { kind, body })
}

/// A message with its letter, or the first ones, which have none.
pub(super) fn write(kind: Option<u8>, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    kind.into_iter().chain(length.to_be_bytes()).chain(body.iter().copied()).collect()
}

/// The first message: who wants to speak with which database.
pub(super) fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for (name, value) in parameters {
        for text in [name, value] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
    }
    body.push(0);
    write(None, &body)
}

/// The question whether the server can do TLS.
pub(super) fn tls_request() -> Vec<u8> {
    write(None, &80_877_103_u32.to_be_bytes())
}

/// A text that ends with NUL.
pub(super) fn text(kind: u8, text: &[u8]) -> Vec<u8> {
    write(Some(kind), &[text, b"\0"].concat())
}

impl Message {
    pub(super) fn refusal(&self) -> io::Result<Refusal> {
        let mut fields = Octets(&self.body);
        let (mut severity, mut text) = (&b""[..], &b""[..]);
        loop {
            match fields.byte()? {
                0 => break,
                // The one that is not translated.
                b'V' => severity = fields.text()?,
                b'M' => text = fields.text()?,
                _ => {
                    fields.text()?;
                }
            }
        }
        let is_fatal = matches!(severity, b"FATAL" | b"PANIC");
        Ok(Refusal { is_fatal, text: String::from_utf8_lossy(text).into_owned() })
    }

    pub(super) fn authentication(&self) -> io::Result<Authentication> {
        let mut fields = Octets(&self.body);
        Ok(match u32::from_be_bytes(fields.array()?) {
            0 => Authentication::Done,
            3 => Authentication::Password,
            5 => Authentication::Md5(fields.array()?),
            10 => {
                let mut names = Vec::new();
                loop {
                    match fields.text()? {
                        b"" => break Authentication::Sasl(names),
                        name => names.push(String::from_utf8_lossy(name).into_owned()),
                    }
                }
            }
            11 => Authentication::Challenge(fields.0.to_vec()),
            12 => Authentication::Last(fields.0.to_vec()),
            _ => return Err(malformed("an authentication method that is not supported")),
        })
    }

    /// A name and its value.
    pub(super) fn status(&self) -> io::Result<(&[u8], &[u8])> {
        let mut fields = Octets(&self.body);
        Ok((fields.text()?, fields.text()?))
    }

    /// The columns of a row that are not null.
    pub(super) fn row(&self) -> io::Result<Vec<&[u8]>> {
        let mut fields = Octets(&self.body);
        let mut columns = Vec::new();
        for _ in 0..u16::from_be_bytes(fields.array()?) {
            match i32::from_be_bytes(fields.array()?) {
                -1 => {}
                length => {
                    let length = usize::try_from(length).map_err(|_| malformed("bad length of a column"))?;
                    columns.push(fields.take(length)?);
                }
            }
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(body: &[u8]) -> Message {
        Message { kind: b'x', body: body.to_vec() }
    }

    #[test]
    fn fields_are_taken_apart() {
        let refusal = message(b"SFEHLER\0VFATAL\0C28P01\0Mno way\0\0").refusal().unwrap();
        assert_eq!(refusal, Refusal { is_fatal: true, text: "no way".to_owned() });
        let row = message(b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0");
        assert_eq!(row.row().unwrap(), [&b"ab"[..], b""]);
        assert_eq!(message(b"TimeZone\0UTC\0").status().unwrap(), (&b"TimeZone"[..], &b"UTC"[..]));
        let mechanisms = message(b"\0\0\0\x0aSCRAM-SHA-256\0\0").authentication().unwrap();
        assert_eq!(mechanisms, Authentication::Sasl(vec!["SCRAM-SHA-256".to_owned()]));
        assert!(message(b"\0\0\0\x07").authentication().is_err());
        assert!(message(b"\0\x01\0\0\0\x09ab").row().is_err());
        assert!(crate::block_on(read(&mut &b"D\0\0\0\x03"[..])).is_err());
        assert!(crate::block_on(read(&mut &b"D\xff\0\0\x03"[..])).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let message = message(&body);
            let _ = (message.refusal(), message.authentication().is_ok(), message.status().is_ok(), message.row().is_ok());
            let _ = crate::block_on(read(&mut body.as_slice()));
        }
    }
}
