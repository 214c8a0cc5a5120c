//! `%XX` in addresses and answers.

/// The octets that a text stands for; `None` where two hexadecimal digits are missing behind a `%`.
pub(crate) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            value.push(*byte);
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()));
        value.push(u8::from_str_radix(digits?, 16).ok()?);
        rest = after;
    }
    Some(value)
}
