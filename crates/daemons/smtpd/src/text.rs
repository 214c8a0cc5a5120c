//! Bytes of strangers as text for logs and replies.

use std::borrow::Cow;

/// Control characters, and what is no UTF-8, become question marks.
pub(crate) fn printable(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.iter().all(|byte| (b' '..0x7f).contains(byte)) {
        return String::from_utf8_lossy(bytes);
    }
    let text = String::from_utf8_lossy(bytes);
    Cow::Owned(text.chars().map(|c| if c.is_control() || c == char::REPLACEMENT_CHARACTER { '?' } else { c }).collect())
}

/// An address in its external form, with quotes where they are needed.
pub(crate) fn external(address: &[u8]) -> Cow<'_, str> {
    match address::quote::quote(address) {
        quoted if quoted == address => printable(address),
        quoted => Cow::Owned(printable(&quoted).into_owned()),
    }
}

/// Bytes with C escapes, as they stand in a log line on improper pipelining.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text
}

/// Whether a line looks like a header field: what browsers send, for one, that are made to talk to port 25.
pub(crate) fn is_header(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return false };
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// A time with an optional unit, in the words of main.cf; seconds without one.
pub(crate) fn duration(text: &str) -> Option<std::time::Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let scale = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(scale).map(|seconds| std::time::Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_from_commands() {
        for (line, expected) in
            [("Host: x", true), ("X-Y :", true), ("MAIL FROM:<a>", false), (": x", false), ("", false)]
        {
            assert_eq!(is_header(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn nothing_unprintable_is_shown() {
        assert_eq!(printable(b"a\r\nb\xff"), "a??b?");
        assert_eq!(printable("grün".as_bytes()), "grün");
        assert_eq!(external(b"a b@c"), "\"a b\"@c");
        assert_eq!(escaped(b"MAIL\r\n\x01\\"), "MAIL\\r\\n\\001\\\\");
    }
}
