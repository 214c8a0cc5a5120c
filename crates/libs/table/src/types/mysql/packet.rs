//! Packets of MySQL's protocol: the greeting, results, errors.

use std::io;

use tokio::io::{AsyncBufRead, AsyncReadExt};

use super::super::octets::Octets;
use crate::link::malformed;

/// The longest packet is one byte shorter; what is longer comes in pieces, which nobody needs here.
const LONGEST: usize = 0xff_ff_ff;

/// The server has `NO_BACKSLASH_ESCAPES` in its `sql_mode`.
pub(super) const NO_BACKSLASH_ESCAPES: u16 = 0x200;
/// Another result follows.
const MORE_RESULTS: u16 = 0x8;

/// A packet and its place in the exchange.
pub(super) struct Packet {
    pub(super) number: u8,
    pub(super) body: Vec<u8>,
}

/// What a server says first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) capabilities: u32,
    pub(super) status: u16,
    /// The challenge, and the method that it is for.
    pub(super) challenge: Vec<u8>,
    pub(super) method: Vec<u8>,
}

/// How an answer goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heading {
    /// There is no result set.
    Done(Status),
    /// So many columns follow.
    Columns(u64),
    Refused(String),
}

/// The end of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status(pub(super) u16);

impl Status {
    pub(super) fn has_more(self) -> bool {
        self.0 & MORE_RESULTS != 0
    }
}

pub(super) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Packet> {
    let head = stream.read_u32_le().await?;
    let [low, middle, high, number] = head.to_le_bytes();
    let length = usize::try_from(u32::from_le_bytes([low, middle, high, 0])).unwrap_or(LONGEST);
    if length >= LONGEST {
        return Err(malformed("packet is too long"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Packet { number, body })
}

pub(super) fn write(number: u8, body: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() < LONGEST);
    let length = length.ok_or_else(|| malformed("query is too long"))?;
    let [low, middle, high, _] = length.to_le_bytes();
    Ok([&[low, middle, high, number][..], body].concat())
}

/// A number in one to nine bytes; none stands for null.
fn number(fields: &mut Octets<'_>) -> io::Result<Option<u64>> {
    Ok(Some(match fields.byte()? {
        0xfb => return Ok(None),
        0xfc => u64::from(u16::from_le_bytes(fields.array()?)),
        0xfd => {
            let [low, middle, high] = fields.array()?;
            u64::from(u32::from_le_bytes([low, middle, high, 0]))
        }
        0xfe => u64::from_le_bytes(fields.array()?),
        0xff => return Err(malformed("bad number in a packet")),
        small => u64::from(small),
    }))
}

impl Packet {
    pub(super) fn greeting(&self) -> io::Result<Greeting> {
        let mut fields = Octets(&self.body);
        if fields.byte()? != 10 {
            return Err(malformed("unknown protocol version"));
        }
        fields.text()?;
        fields.take(4)?;
        let mut challenge = fields.take(8)?.to_vec();
        fields.take(1)?;
        let low = u16::from_le_bytes(fields.array()?);
        fields.take(1)?;
        let status = u16::from_le_bytes(fields.array()?);
        let high = u16::from_le_bytes(fields.array()?);
        let length = usize::from(fields.byte()?);
        fields.take(10)?;
        let more = fields.take(length.saturating_sub(8).max(13))?;
        challenge.extend(more.strip_suffix(b"\0").unwrap_or(more));
        let method = fields.text().unwrap_or(fields.0).to_vec();
        Ok(Greeting { capabilities: u32::from(low) | u32::from(high) << 16, status, challenge, method })
    }

    /// The text of an error, if this is one.
    pub(super) fn refusal(&self) -> Option<String> {
        let rest = self.body.strip_prefix(b"\xff")?;
        let text = rest.get(2..).unwrap_or_default();
        let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// The first packet of an answer, or of a further result.
    pub(super) fn heading(&self) -> io::Result<Heading> {
        if let Some(text) = self.refusal() {
            return Ok(Heading::Refused(text));
        }
        let mut fields = Octets(&self.body);
        match number(&mut fields)? {
            Some(0) => {
                number(&mut fields)?;
                number(&mut fields)?;
                Ok(Heading::Done(Status(u16::from_le_bytes(fields.array()?))))
            }
            Some(columns) => Ok(Heading::Columns(columns)),
            None => Err(malformed("server asks for a file")),
        }
    }

    /// The end of columns or rows, if this is one.
    pub(super) fn end(&self) -> io::Result<Option<Status>> {
        match self.body.split_first() {
            Some((0xfe, rest)) if rest.len() < 8 => {
                let mut fields = Octets(rest);
                fields.take(2)?;
                Ok(Some(Status(u16::from_le_bytes(fields.array()?))))
            }
            _ => Ok(None),
        }
    }

    /// The columns of a row that are not null.
    pub(super) fn row(&self) -> io::Result<Vec<&[u8]>> {
        let mut fields = Octets(&self.body);
        let mut columns = Vec::new();
        while !fields.0.is_empty() {
            if let Some(length) = number(&mut fields)? {
                columns.push(fields.take(usize::try_from(length).unwrap_or(usize::MAX))?);
            }
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(body: &[u8]) -> Packet {
        Packet { number: 0, body: body.to_vec() }
    }

    #[test]
    fn fields_are_taken_apart() {
        let greeting = b"\x0a8.0.1\0\x01\0\0\0abcdefgh\0\xff\xf7\x2d\x02\0\xff\x81\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0";
        let greeting = packet(greeting).greeting().unwrap();
        assert_eq!((greeting.capabilities, greeting.status), (0x81ff_f7ff, 2));
        assert_eq!(greeting.challenge, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.method, b"mysql_native_password");
        assert_eq!(packet(b"\xff\x15\x04#28000Access denied").refusal().as_deref(), Some("Access denied"));
        assert_eq!(packet(b"\xff\x10\x04Too many").refusal().as_deref(), Some("Too many"));
        assert_eq!(packet(b"\0\0\0\x0a\0\0\0").heading().unwrap(), Heading::Done(Status(10)));
        assert_eq!(packet(b"\x02").heading().unwrap(), Heading::Columns(2));
        assert!(packet(b"\xfb/etc/passwd").heading().is_err());
        assert_eq!(packet(b"\xfe\0\0\x08\0").end().unwrap(), Some(Status(8)));
        assert_eq!(packet(b"\xfe123456789").end().unwrap(), None);
        assert_eq!(packet(b"\x02ab\xfb\0\xfc\x01\0c").row().unwrap(), [&b"ab"[..], b"", b"c"]);
        assert!(packet(b"\x09ab").row().is_err());
        assert!(packet(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xffab").row().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let packet = packet(&body);
            let _ = (packet.greeting().is_ok(), packet.refusal(), packet.heading().is_ok(), packet.row().is_ok());
            let _ = (packet.end().is_ok(), crate::block_on(read(&mut body.as_slice())).is_ok());
        }
    }
}
