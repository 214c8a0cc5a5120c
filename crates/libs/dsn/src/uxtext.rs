//! UTF-8 within ASCII, RFC 6533 §3: characters outside `!`–`~`, and `+`, `=` and `\`, become `\x{HEX}`.

use std::fmt::Write as _;

use crate::Error;

/// Encodes text; bytes that are no UTF-8 become the replacement character.
#[must_use]
pub fn encode(text: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in String::from_utf8_lossy(text).chars() {
        if character.is_ascii_graphic() && !matches!(character, '+' | '=' | '\\') {
            encoded.push(character);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "\\x{{{:X}}}", u32::from(character));
        }
    }
    encoded
}

/// Decodes `\x{…}`; hexadecimal digits may be in either case, other bytes stand for themselves.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Error> {
    let mut pieces = text.split(|&byte| byte == b'\\');
    let mut decoded = pieces.next().unwrap_or_default().to_vec();
    for piece in pieces {
        let digits = piece.strip_prefix(b"x{").ok_or(Error::Uxtext)?;
        let end = digits.iter().position(|&byte| byte == b'}').ok_or(Error::Uxtext)?;
        let (digits, rest) = digits.split_at(end);
        let character = number(digits).and_then(char::from_u32).ok_or(Error::Uxtext)?;
        decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        decoded.extend(rest.iter().skip(1));
    }
    Ok(decoded)
}

/// The value of up to eight hexadecimal digits.
fn number(digits: &[u8]) -> Option<u32> {
    let is_number = digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_must_be_is_encoded() {
        assert_eq!(encode("ü+a =\\~".as_bytes()), r"\x{FC}\x{2B}a\x{20}\x{3D}\x{5C}~");
        assert_eq!(decode(br"\x{fc}a+\x{1F600}b"), Ok("üa+😀b".as_bytes().to_vec()));
        for text in
            [&br"\"[..], br"a\x", br"\x{", br"\x{}", br"\x{zz}", br"\x{+1}", br"\x{110000}", br"\x{D800}", br"\y"]
        {
            assert_eq!(decode(text), Err(Error::Uxtext), "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_again(text: String) {
            prop_assert_eq!(decode(encode(text.as_bytes()).as_bytes()), Ok(text.into_bytes()));
        }

        #[test]
        fn decoding_never_panics(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
