//! `NAME=value` attributes of XCLIENT and XFORWARD, with values in xtext.

use std::borrow::Cow;

use crate::command;

/// The value that says: not known, and will not be.
pub const UNAVAILABLE: &[u8] = b"[UNAVAILABLE]";
/// The value that says: not known for the moment.
pub const TEMPORARILY_UNAVAILABLE: &[u8] = b"[TEMPUNAVAIL]";

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name in upper case.
    pub name: String,
    /// Its value, decoded; as it was sent where it is no xtext.
    pub value: Vec<u8>,
}

/// A word of a list has no `=`, or nothing behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("attribute=value expected")]
pub struct NoValue;

/// The attributes of a list.
///
/// # Errors
/// For the first that has no value.
pub fn parse(arguments: &[u8]) -> Result<Vec<Attribute>, NoValue> {
    command::words(arguments)
        .map(|word| {
            let at = memchr::memchr(b'=', word).ok_or(NoValue)?;
            let (name, value) = word.split_at(at);
            let value = value.get(1..).filter(|value| !value.is_empty()).ok_or(NoValue)?;
            Ok(Attribute {
                name: String::from_utf8_lossy(name).to_ascii_uppercase(),
                value: decode(value).unwrap_or_else(|| value.to_vec()),
            })
        })
        .collect()
}

/// Undoes xtext: `+` and two hexadecimal digits.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b'+' {
            let (high, low) = (digit(*bytes.next()?)?, digit(*bytes.next()?)?);
            decoded.push(high << 4 | low);
        } else {
            decoded.push(*byte);
        }
    }
    Some(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Appends ` NAME=value`, encoded.
pub fn print(name: &str, value: &[u8], output: &mut Vec<u8>) {
    output.push(b' ');
    output.extend_from_slice(name.as_bytes());
    output.push(b'=');
    for byte in value {
        if byte.is_ascii_graphic() && !matches!(byte, b'+' | b'=') {
            output.push(*byte);
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            output.push(b'+');
            output.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| HEX.get(usize::from(digit))));
        }
    }
}

/// An address as these commands tell it: IPv6 has a prefix.
#[must_use]
pub fn address(text: &str) -> Cow<'_, str> {
    if text.contains(':') { Cow::Owned(["IPv6:", text].concat()) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn attributes() {
        let list = parse(b"name=mx.test ADDR=1.2.3.4 HELO=a+20b").unwrap();
        assert_eq!(list[0], Attribute { name: "NAME".into(), value: b"mx.test".to_vec() });
        assert_eq!(list[2].value, b"a b");
        assert_eq!((parse(b"NAME"), parse(b"NAME=")), (Err(NoValue), Err(NoValue)));
        assert_eq!(parse(b"NAME=a+2").unwrap()[0].value, b"a+2");
    }

    proptest! {
        #[test]
        fn print_then_parse(value in prop::collection::vec(any::<u8>(), 1..40)) {
            let mut output = Vec::new();
            print("HELO", &value, &mut output);
            prop_assert_eq!(parse(&output).unwrap(), [Attribute { name: "HELO".into(), value }]);
        }

        #[test]
        fn any_text_is_taken(text: Vec<u8>) {
            let _ = parse(&text);
        }
    }
}
