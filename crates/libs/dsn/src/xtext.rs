//! xtext, RFC 3461 §4: bytes outside `!`–`~`, and `+` and `=`, become `+XX`.

use std::fmt::Write as _;

use crate::Error;

/// Encodes bytes as xtext.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_graphic() && byte != b'+' && byte != b'=' {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "+{byte:02X}");
        }
    }
    text
}

/// Decodes xtext; hexadecimal digits may be in either case, other bytes stand for themselves.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'+' {
            let high = hex(rest.next()).ok_or(Error::Xtext)?;
            let low = hex(rest.next()).ok_or(Error::Xtext)?;
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    Ok(bytes)
}

/// The value of a hexadecimal digit.
fn hex(digit: Option<u8>) -> Option<u8> {
    match digit? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
        digit @ b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_must_be_is_encoded() {
        assert_eq!(encode(b"a b+c=d~"), "a+20b+2Bc+3Dd~");
        assert_eq!(decode(b"a+20b+2bc"), Ok(b"a b+c".to_vec()));
        assert_eq!(decode(b"a+2"), Err(Error::Xtext));
        assert_eq!(decode(b"a+G0"), Err(Error::Xtext));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_again(bytes: Vec<u8>) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Ok(bytes));
        }

        #[test]
        fn decoding_never_panics(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
