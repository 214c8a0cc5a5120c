//! Search filters: from their text (RFC 4515) to what is sent, and keys as parts of the text.

use std::fmt::Write;

use super::ber::{TEXT, element};

/// How deep filters may be nested.
const DEEPEST: usize = 50;

/// A part of a key, to stand in a filter.
pub(super) fn quoted(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for letter in part.chars() {
        match letter {
            '*' | '(' | ')' | '\\' | '\0' => {
                let _ = write!(text, "\\{:02x}", u32::from(letter));
            }
            _ => text.push(letter),
        }
    }
    text
}

/// A part of a key, to stand in a distinguished name as (part of) a value. See RFC 4514.
pub(super) fn quoted_name(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    let last = part.len().saturating_sub(1);
    for (at, letter) in part.char_indices() {
        let is_edge = letter == ' ' && (at == 0 || at == last);
        if is_edge || "\0#,+\"\\<>;=".contains(letter) {
            let _ = write!(text, "\\{:02x}", u32::from(letter));
        } else {
            text.push(letter);
        }
    }
    text
}

/// The filter as it is sent. None if the text is no filter.
pub(super) fn encode(text: &str) -> Option<Vec<u8>> {
    let mut rest = text.trim().as_bytes();
    if !rest.starts_with(b"(") {
        return item(rest);
    }
    let filter = group(&mut rest, 0)?;
    rest.is_empty().then_some(filter)
}

fn group(rest: &mut &[u8], depth: usize) -> Option<Vec<u8>> {
    *rest = rest.trim_ascii_start().strip_prefix(b"(")?;
    if depth > DEEPEST {
        return None;
    }
    let (first, after) = rest.split_first()?;
    let filter = match first {
        b'&' | b'|' => {
            *rest = after.trim_ascii_start();
            let mut filters = Vec::new();
            while rest.starts_with(b"(") {
                filters.extend(group(rest, depth + 1)?);
                *rest = rest.trim_ascii_start();
            }
            element(if *first == b'&' { 0xa0 } else { 0xa1 }, &filters)
        }
        b'!' => {
            *rest = after;
            element(0xa2, &group(rest, depth + 1)?)
        }
        _ => {
            let end = memchr::memchr(b')', rest)?;
            let (own, after) = rest.split_at_checked(end)?;
            *rest = after;
            item(own)?
        }
    };
    *rest = rest.trim_ascii_start().strip_prefix(b")")?;
    Some(filter)
}

/// `attribute=value` and its kind.
fn item(text: &[u8]) -> Option<Vec<u8>> {
    let (left, right) = text.split_at_checked(memchr::memchr(b'=', text)?)?;
    let value = right.get(1..)?;
    let (kind, attribute) = match left.split_last()? {
        (b'~', attribute) => (0xa8, attribute),
        (b'>', attribute) => (0xa5, attribute),
        (b'<', attribute) => (0xa6, attribute),
        (b':', rule) => return extensible(rule, value),
        _ => (0xa3, left),
    };
    let attribute = name(attribute)?;
    if kind == 0xa3 && value == b"*" {
        return Some(element(0x87, attribute));
    }
    if kind == 0xa3 && value.contains(&b'*') {
        return substrings(attribute, value);
    }
    Some(element(kind, &[element(TEXT, attribute), element(TEXT, &plain(value)?)].concat()))
}

fn substrings(attribute: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let mut parts = Vec::new();
    let count = value.split(|byte| *byte == b'*').count();
    for (at, part) in value.split(|byte| *byte == b'*').enumerate().filter(|(_, part)| !part.is_empty()) {
        let tag = match at {
            0 => 0x80,
            last if last + 1 == count => 0x82,
            _ => 0x81,
        };
        parts.extend(element(tag, &plain(part)?));
    }
    Some(element(0xa4, &[element(TEXT, attribute), element(0x30, &parts)].concat()))
}

/// `attribute:dn:rule:=value`, of which the attribute or the rule may be missing.
fn extensible(left: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let mut parts = left.split(|byte| *byte == b':');
    let attribute = parts.next()?;
    let (mut rule, mut with_names) = (None, false);
    for part in parts {
        match part {
            b"dn" | b"DN" if rule.is_none() && !with_names => with_names = true,
            _ if rule.is_none() => rule = Some(name(part)?),
            _ => return None,
        }
    }
    let mut content = Vec::new();
    content.extend(rule.map(|rule| element(0x81, rule)).unwrap_or_default());
    if !attribute.is_empty() {
        content.extend(element(0x82, name(attribute)?));
    } else if rule.is_none() {
        return None;
    }
    content.extend(element(0x83, &plain(value)?));
    if with_names {
        content.extend(element(0x84, &[0xff]));
    }
    Some(element(0xa9, &content))
}

fn name(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii();
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.;".contains(byte);
    (!text.is_empty() && text.iter().all(fits)).then_some(text)
}

/// The value behind `\XX`.
fn plain(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'\\', [letter @ (b'*' | b'(' | b'\\'), after @ ..]) => {
                bytes.push(*letter);
                rest = after;
            }
            (b'\\', [high, low, after @ ..]) => {
                bytes.extend(data_encoding::HEXLOWER_PERMISSIVE.decode(&[*high, *low]).ok()?);
                rest = after;
            }
            (b'\\' | b'(' | b')' | b'*', _) => return None,
            _ => bytes.push(*first),
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn filters_are_encoded() {
        for (text, expected) in [
            ("(cn=a)", &b"\xa3\x07\x04\x02cn\x04\x01a"[..]),
            ("cn=a", b"\xa3\x07\x04\x02cn\x04\x01a"),
            ("(cn=*)", b"\x87\x02cn"),
            ("(cn=)", b"\xa3\x06\x04\x02cn\x04\x00"),
            ("(cn>=1)", b"\xa5\x07\x04\x02cn\x04\x011"),
            ("(cn=a*b*c)", b"\xa4\x0f\x04\x02cn\x30\x09\x80\x01a\x81\x01b\x82\x01c"),
            ("(cn=*b)", b"\xa4\x09\x04\x02cn\x30\x03\x82\x01b"),
            ("(&(a=1)(!(b=2)))", b"\xa0\x12\xa3\x06\x04\x01a\x04\x011\xa2\x08\xa3\x06\x04\x01b\x04\x012"),
            ("(&)", b"\xa0\x00"),
            ("(cn:dn:2.4:=x)", b"\xa9\x0f\x81\x032.4\x82\x02cn\x83\x01x\x84\x01\xff"),
            ("(cn=\\28\\2A)", b"\xa3\x08\x04\x02cn\x04\x02(*"),
        ] {
            assert_eq!(encode(text).as_deref(), Some(expected), "{text}");
        }
        for text in
            ["", "(", "()", "(cn)", "(cn=a", "(cn=a))", "(=a)", "(cn=\\4)", "(cn=(a)", "(&(a=1)x)", "(c n=a)", "(:=a)"]
        {
            assert_eq!(encode(text), None, "{text}");
        }
        assert_eq!(encode(&"(!".repeat(100_000)), None);
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted_name(" a,b=c #"), "\\20a\\2cb\\3dc \\23");
        assert_eq!(quoted_name("plain name"), "plain name");
    }

    proptest! {
        /// Whatever the key is, it is the value, and nothing but the value.
        #[test]
        fn keys_stay_values(key in "\\PC{0,20}|[*()\\\\&|!=\\x00a-c]{0,20}") {
            let expected = element(0xa3, &[element(TEXT, b"cn"), element(TEXT, key.as_bytes())].concat());
            let group = element(0xa0, &expected);
            prop_assert_eq!(encode(&format!("(&(cn={}))", quoted(&key))), Some(group));
        }

        #[test]
        fn any_text_is_read(text in "[()&|!=*:~<>a-d \\\\0-9]{0,30}") {
            let _ = encode(&text);
        }
    }
}
