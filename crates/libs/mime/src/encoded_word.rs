//! Encoded words, RFC 2047: how a header says what ASCII cannot.

use crate::quoted_printable::hex;

/// Longest encoded word, RFC 2047 §2.
const WORD_LENGTH: usize = 75;

/// Encodes a phrase, such as a display name, as words of the `Q` encoding separated by spaces.
///
/// A character of UTF-8 is never cut between two words.
#[must_use]
pub fn encode_phrase(text: &str, charset: &str) -> String {
    let room = WORD_LENGTH.saturating_sub(charset.len() + "=??Q??=".len()).max(12);
    let mut words = Vec::new();
    let mut word = String::new();
    for character in text.chars() {
        let encoded = encode_character(character);
        if word.len() + encoded.len() > room {
            words.push(std::mem::take(&mut word));
        }
        word += &encoded;
    }
    words.push(word);
    let words: Vec<String> = words.iter().map(|word| format!("=?{charset}?Q?{word}?=")).collect();
    words.join(" ")
}

/// One character in the form that may stand in a phrase, RFC 2047 §5 (3).
fn encode_character(character: char) -> String {
    match character {
        ' ' => "_".to_owned(),
        'a'..='z' | 'A'..='Z' | '0'..='9' | '!' | '*' | '+' | '-' | '/' => character.to_string(),
        _ => {
            let mut buffer = [0; 4];
            let bytes = character.encode_utf8(&mut buffer).bytes();
            bytes.flat_map(|b| ['=', char::from(hex(b >> 4)), char::from(hex(b & 15))]).collect()
        }
    }
}

/// Decodes the encoded words of a header's value whose charset is UTF-8 or ASCII; all else stays as it is.
#[must_use]
pub fn decode(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    let mut after_word = false;
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, b""));
        match decode_word(from) {
            Some((text, length)) => {
                // White space between two encoded words is not part of the text, RFC 2047 §6.2.
                if !(after_word && before.iter().all(u8::is_ascii_whitespace)) {
                    out.extend_from_slice(before);
                }
                out.extend(text);
                rest = from.get(length..).unwrap_or_default();
                after_word = true;
            }
            None => {
                out.extend_from_slice(before);
                out.extend_from_slice(b"=?");
                rest = from.get(2..).unwrap_or_default();
                after_word = false;
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

/// The text of the encoded word at the start of `from`, and the word's length.
fn decode_word(from: &[u8]) -> Option<(Vec<u8>, usize)> {
    // Words are short by the RFC; some senders make them as long as a line.
    let window = from.get(2..from.len().min(1000))?;
    let charset_end = memchr::memchr(b'?', window)?;
    let charset = window.get(..charset_end)?.to_ascii_lowercase();
    if !matches!(charset.as_slice(), b"utf-8" | b"us-ascii") {
        return None;
    }
    let encoding = window.get(charset_end + 1)?.to_ascii_lowercase();
    let text = window.get(charset_end + 2..)?.strip_prefix(b"?")?;
    let end = memchr::memmem::find(text, b"?=")?;
    let encoded = text.get(..end)?;
    let decoded = match encoding {
        b'q' => decode_q(encoded)?,
        b'b' => decode_base64(encoded)?,
        _ => return None,
    };
    Some((decoded, charset_end + end + 7))
}

fn decode_q(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'_' => out.push(b' '),
            b'=' => {
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                out.push(digit(bytes.next()?)? << 4 | digit(bytes.next()?)?);
            }
            _ if byte.is_ascii_whitespace() => return None,
            _ => out.push(byte),
        }
    }
    Some(out)
}

fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0u32, 0u32);
    for &byte in text.iter().filter(|&&b| b != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_decoded() {
        for (value, text) in [
            ("=?UTF-8?Q?Gr=C3=BC=C3=9Fe_x?= y", "Gr\u{fc}\u{df}e x y"),
            ("=?utf-8?B?R3LDvMOfZQ==?=", "Gr\u{fc}\u{df}e"),
            ("=?utf-8?Q?a?= \n =?utf-8?Q?b?= c", "ab c"),
            ("=?koi8-r?Q?a?=", "=?koi8-r?Q?a?="),
            ("=?x =?utf-8?Q?=ZZ?=", "=?x =?utf-8?Q?=ZZ?="),
            ("plain", "plain"),
        ] {
            assert_eq!(String::from_utf8(decode(value.as_bytes())).unwrap(), text, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_again(text in "\\PC{1,100}") {
            let encoded = encode_phrase(&text, "utf-8");
            prop_assert!(encoded.split(' ').all(|word| word.len() <= WORD_LENGTH));
            prop_assert_eq!(String::from_utf8(decode(encoded.as_bytes())).unwrap(), text);
        }

        #[test]
        fn decoding_never_panics(value in "(=\\?|\\?=|utf-8|\\?|[QB]|=|.){0,20}") {
            let _ = decode(value.as_bytes());
        }
    }
}
