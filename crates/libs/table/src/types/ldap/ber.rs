//! The encoding of LDAP: elements of a tag, a length and content. See RFC 4511, section 5.1.

use std::io;

use super::super::octets::Octets;
use crate::link::malformed;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const TEXT: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;

/// An element.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            bytes.push(0x84);
            bytes.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// A number, as short as it may be.
pub(super) fn number(tag: u8, number: u32) -> Vec<u8> {
    let bytes = u64::from(number).to_be_bytes();
    // A leading bit would make it negative.
    let first = bytes.windows(2).take_while(|pair| matches!(pair, [0, next] if *next < 0x80)).count();
    element(tag, bytes.get(first..).unwrap_or_default())
}

/// The next element: its tag and its content.
pub(super) fn next<'a>(rest: &mut Octets<'a>) -> io::Result<(u8, &'a [u8])> {
    let tag = rest.byte()?;
    let length = match rest.byte()? {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => {
            rest.take(usize::from(long & 0x7f))?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        }
        _ => return Err(malformed("bad length of an element")),
    };
    Ok((tag, rest.take(length)?))
}

/// The content of the next element, which has to have this tag.
pub(super) fn expect<'a>(rest: &mut Octets<'a>, wanted: u8) -> io::Result<&'a [u8]> {
    match next(rest)? {
        (tag, content) if tag == wanted => Ok(content),
        _ => Err(malformed("unexpected element")),
    }
}

/// The number in an element's content.
pub(super) fn value(content: &[u8]) -> io::Result<u32> {
    if content.is_empty() || content.len() > 4 {
        return Err(malformed("bad number in an element"));
    }
    Ok(content.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(tag: u8, size in 0_usize..400, wanted in 0_u32..0x7fff_ffff) {
            let content = vec![7; size];
            let bytes = element(tag, &content);
            prop_assert_eq!(next(&mut Octets(&bytes)).unwrap(), (tag, content.as_slice()));
            let bytes = number(INTEGER, wanted);
            prop_assert_eq!(value(expect(&mut Octets(&bytes), INTEGER).unwrap()).unwrap(), wanted);
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = next(&mut Octets(&bytes)).is_ok();
        }
    }
}
