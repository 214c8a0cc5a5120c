//! Frames: the only file that knows how messages are encoded.
//!
//! A frame is a 32-bit little-endian header and a body. The header's top bit tells raw bytes (message
//! content in large chunks, which never pass through the codec) from an encoded message; the other 31
//! bits are the body's length. Decoding is total: it refuses bodies over the limit and trailing bytes.

use crate::{Error, Protocol};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bytes::{Buf, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Bytes of a frame's header.
pub const HEADER: usize = 4;

/// The largest body of a raw frame.
pub const RAW_LIMIT: usize = 256 * 1024;

/// The largest message any service may have; per-service limits are at most this.
pub const MESSAGE_LIMIT: usize = 16 * 1024 * 1024;

const RAW: u32 = 1 << 31;

/// What one end receives: a message, or raw content.
#[derive(Debug)]
pub enum Frame<T> {
    /// An encoded message.
    Message(T),
    /// Raw bytes, as sent.
    Raw(Bytes),
}

/// The first frame of each connection, sent by its caller.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`Protocol::NAME`].
    pub name: String,
    /// [`Protocol::VERSION`].
    pub version: u16,
}

impl Hello {
    /// The hello of a protocol.
    #[must_use]
    pub fn of<P: Protocol>() -> Self {
        Self { name: P::NAME.to_owned(), version: P::VERSION }
    }

    /// Whether the peer speaks `P`.
    ///
    /// # Errors
    /// [`Error::Version`] if it does not.
    pub fn agree<P: Protocol>(&self) -> Result<(), Error> {
        if *self == Self::of::<P>() {
            return Ok(());
        }
        Err(Error::Version {
            found: format!("{:.40} {}", self.name, self.version),
            expected: format!("{} {}", P::NAME, P::VERSION),
        })
    }
}

/// Appends one encoded message to `out`.
///
/// # Errors
/// [`Error::TooLarge`] if its body is over `limit`; `out` is then as it was.
pub fn write_message<T: Serialize>(out: &mut Vec<u8>, message: &T, limit: usize) -> Result<(), Error> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    let encoded = bincode::serde::encode_into_std_write(message, out, codec());
    let size = out.len() - start - HEADER;
    let header = u32::try_from(size).ok().filter(|_| size <= limit);
    match (encoded, header) {
        (Ok(_), Some(header)) => {
            patch(out, start, header);
            Ok(())
        }
        (Ok(_), None) => {
            out.truncate(start);
            Err(Error::TooLarge { size, limit })
        }
        (Err(_), _) => {
            out.truncate(start);
            Err(Error::Malformed("message does not encode"))
        }
    }
}

/// The header of a raw frame of `size` bytes.
///
/// # Errors
/// [`Error::TooLarge`] over [`RAW_LIMIT`].
pub fn raw_header(size: usize) -> Result<[u8; HEADER], Error> {
    match u32::try_from(size) {
        Ok(header) if size <= RAW_LIMIT => Ok((header | RAW).to_le_bytes()),
        Ok(_) | Err(_) => Err(Error::TooLarge { size, limit: RAW_LIMIT }),
    }
}

/// Takes one complete frame off the front of `input`, or nothing if more bytes are needed.
///
/// # Errors
/// A body over the limit, or one that is not a `T`.
pub fn take<T: DeserializeOwned>(input: &mut BytesMut, limit: usize) -> Result<Option<Frame<T>>, Error> {
    let Some(header) = input.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let (raw, size) = split(*header, limit)?;
    if input.len() < HEADER + size {
        input.reserve(HEADER + size - input.len());
        return Ok(None);
    }
    if raw {
        input.advance(HEADER);
        return Ok(Some(Frame::Raw(input.split_to(size).freeze())));
    }
    let message = decode(input.get(HEADER..HEADER + size).unwrap_or_default());
    input.advance(HEADER + size);
    message.map(|message| Some(Frame::Message(message)))
}

/// Whether [`take`] would find a complete frame.
#[must_use]
pub fn is_complete(input: &[u8]) -> bool {
    input.first_chunk::<HEADER>().is_some_and(|header| {
        let size = (u32::from_le_bytes(*header) & !RAW) as usize;
        input.len() - HEADER >= size
    })
}

/// Splits a header into kind (true: raw) and size of the body.
///
/// # Errors
/// A size over `limit`, or over [`RAW_LIMIT`] for raw frames.
pub fn split(header: [u8; HEADER], limit: usize) -> Result<(bool, usize), Error> {
    let header = u32::from_le_bytes(header);
    let raw = header & RAW != 0;
    let size = (header & !RAW) as usize;
    let limit = if raw { RAW_LIMIT } else { limit };
    if size > limit {
        return Err(Error::TooLarge { size, limit });
    }
    Ok((raw, size))
}

/// Decodes a message that fills `body` exactly.
///
/// # Errors
/// [`Error::Malformed`] if it does not.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    match bincode::serde::decode_from_slice(body, codec()) {
        Ok((message, used)) if used == body.len() => Ok(message),
        Ok(_) => Err(Error::Malformed("trailing bytes")),
        Err(_) => Err(Error::Malformed("message does not decode")),
    }
}

fn codec() -> Configuration<LittleEndian, Varint, Limit<MESSAGE_LIMIT>> {
    bincode::config::standard().with_limit::<MESSAGE_LIMIT>()
}

fn patch(out: &mut [u8], start: usize, header: u32) {
    if let Some(place) = out.get_mut(start..start + HEADER) {
        place.copy_from_slice(&header.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut input = BytesMut::from(&bytes[..]);
            let _ = take::<(u32, Hello)>(&mut input, 1000);
        }

        #[test]
        fn a_message_comes_back(name in ".{0,40}", version: u16) {
            let hello = Hello { name, version };
            let mut out = Vec::new();
            write_message(&mut out, &hello, 1000).unwrap();
            let mut input = BytesMut::from(&out[..]);
            let Ok(Some(Frame::Message(found))) = take::<Hello>(&mut input, 1000) else { panic!() };
            prop_assert_eq!(found, hello);
            prop_assert!(input.is_empty());
        }
    }

    #[test]
    fn half_a_frame_is_waited_for() {
        let mut out = Vec::new();
        write_message(&mut out, &"abc", 100).unwrap();
        for end in 0..out.len() {
            let mut input = BytesMut::from(&out[..end]);
            assert!(take::<String>(&mut input, 100).unwrap().is_none());
            assert!(!is_complete(&out[..end]));
        }
        assert!(is_complete(&out));
    }

    #[test]
    fn an_oversized_frame_is_refused_by_both_ends() {
        let mut out = vec![9];
        assert!(matches!(write_message(&mut out, &"abcdef", 3), Err(Error::TooLarge { .. })));
        assert_eq!(out, [9]);
        let mut input = BytesMut::from(&1000u32.to_le_bytes()[..]);
        assert!(matches!(take::<String>(&mut input, 999), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        assert!(matches!(decode::<u8>(&[1, 2]), Err(Error::Malformed(_))));
    }
}
