//! The address in MAIL and RCPT, for the log.
//!
//! Nothing is delivered here, so every text is an address: what stands between the brackets, or up to a space, without quotes
//! and backslashes.

/// The address in `text`, which is what follows the colon.
pub(super) fn address(text: &[u8]) -> Vec<u8> {
    let start = text.iter().position(|byte| *byte != b' ').unwrap_or(text.len());
    let text = text.get(start..).unwrap_or_default();
    let (text, end) = match text.strip_prefix(b"<") {
        Some(text) => (text, b'>'),
        None => (text, b' '),
    };
    let address = unquoted(text, end);
    match address.iter().position(|byte| *byte == b':') {
        // A source route means nothing any more.
        Some(colon) if address.first() == Some(&b'@') => address.get(colon + 1..).unwrap_or_default().to_vec(),
        Some(_) | None => address,
    }
}

/// The text up to `end`, which counts outside quotes only.
fn unquoted(text: &[u8], end: u8) -> Vec<u8> {
    let (mut address, mut quoted) = (Vec::with_capacity(text.len()), false);
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            _ if byte == end && !quoted => break,
            b'"' => quoted = !quoted,
            b'\\' => address.extend(bytes.next()),
            _ => address.push(byte),
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_an_address() {
        for (text, expected) in [
            ("<a@b>", "a@b"),
            ("<>", ""),
            ("", ""),
            ("  <a@b> X=Y", "a@b"),
            ("a@b> x", "a@b>"),
            ("<a@b", "a@b"),
            ("<a b@c>", "a b@c"),
            ("<\"a>b\"@c> z", "a>b@c"),
            ("\"a b\"@c x", "a b@c"),
            ("<\"a\\\"b\"@c>", "a\"b@c"),
            ("<a\\", "a"),
            ("<<a@b>>", "<a@b"),
            ("A B <c@d>", "A"),
            ("<@x,@y:a@b>", "a@b"),
            ("<@x:>", ""),
            ("<@x>", "@x"),
            ("<a:b@c>", "a:b@c"),
        ] {
            assert_eq!(String::from_utf8(address(text.as_bytes())).unwrap(), expected, "{text}");
        }
    }
}
