//! From internal to external form and back.
//!
//! RFC 5321 and RFC 5322 differ in what must be quoted only where nobody goes; one rule serves both.

use std::borrow::Cow;

use crate::mailbox::split_domain;

/// The external form of an address in internal form: its local part is quoted where it must be, what stands behind a route
/// (`@a,@b:`) with such. Borrowed means: as it stands.
#[must_use]
pub fn quote(internal: &[u8]) -> Cow<'_, [u8]> {
    let (local, domain) = split_domain(internal);
    let (route, local) = if domain.is_some() { split_route(local) } else { (&b""[..], local) };
    if internal.is_empty() || is_dot_string(local) {
        return Cow::Borrowed(internal);
    }
    let mut external = [route, &quoted_string(local)].concat();
    if let Some(domain) = domain {
        external.push(b'@');
        external.extend_from_slice(domain);
    }
    Cow::Owned(external)
}

/// Splits behind the source route that a local part begins with (RFC 5321 appendix C).
fn split_route(local: &[u8]) -> (&[u8], &[u8]) {
    let is_end = |byte: &u8| matches!(byte, b':' | b'"' | b'\\');
    let end = if local.starts_with(b"@") { local.iter().position(is_end) } else { None };
    let colon = end.filter(|at| local.get(*at) == Some(&b':'));
    local.split_at(colon.map_or(0, |at| at + 1))
}

/// A local part in external form: in quotes where it must be, as the empty one must.
#[must_use]
pub fn quote_local(local: &[u8]) -> Cow<'_, [u8]> {
    if is_dot_string(local) { Cow::Borrowed(local) } else { Cow::Owned(quoted_string(local)) }
}

/// `"…"` with the backslashes that it takes.
#[must_use]
pub fn quoted_string(text: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    quoted.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\' | b'\r' | b'\n') {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    quoted
}

/// Whether a local part is a sequence of atoms with single dots between. Octets above 127 count as letters.
#[must_use]
pub fn is_dot_string(local: &[u8]) -> bool {
    local.split(|&b| b == b'.').all(|atom| !atom.is_empty() && atom.iter().all(|&b| is_atom_byte(b)))
}

/// Whether a byte may stand in an atom.
#[must_use]
pub fn is_atom_byte(byte: u8) -> bool {
    let special =
        matches!(byte, b'(' | b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'\\' | b'"' | b'.' | b'[' | b']');
    byte > b' ' && byte != 127 && !special
}

/// The internal form of an address in external form. What cannot be right is taken as it stands.
#[must_use]
pub fn unquote(external: &[u8]) -> Vec<u8> {
    let mut internal = Vec::with_capacity(external.len());
    let (local, domain) = split_quoted(external);
    let mut bytes = local.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {}
            b'\\' => internal.extend(bytes.next()),
            _ => internal.push(byte),
        }
    }
    internal.extend_from_slice(domain);
    internal
}

/// Splits before the last `@` that is neither quoted nor escaped; the second part begins with it.
fn split_quoted(external: &[u8]) -> (&[u8], &[u8]) {
    let (mut quoted, mut escaped, mut last) = (false, false, external.len());
    for (at, &byte) in external.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'@' if !quoted => last = at,
            _ => {}
        }
    }
    external.split_at_checked(last).unwrap_or((external, b""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn local_parts_are_quoted_where_they_must_be() {
        for (internal, external) in [
            ("user@x", "user@x"),
            ("two words@x", "\"two words\"@x"),
            ("a.b@x", "a.b@x"),
            ("a..b@x", "\"a..b\"@x"),
            (".a@x", "\".a\"@x"),
            ("a.@x", "\"a.\"@x"),
            ("@x", "\"\"@x"),
            ("a@b@x", "\"a@b\"@x"),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("user+ext", "user+ext"),
            ("a!b%c@x", "a!b%c@x"),
            ("j\u{f6}rg@x", "j\u{f6}rg@x"),
            ("", ""),
            ("@a,@b:c@x", "@a,@b:c@x"),
            ("@a:c d@x", "@a:\"c d\"@x"),
            ("@a:c", "\"\"@a:c"),
        ] {
            assert_eq!(quote(internal.as_bytes()), external.as_bytes(), "{internal}");
            assert_eq!(unquote(external.as_bytes()), internal.as_bytes(), "{external}");
        }
    }

    #[test]
    fn needless_quotes_go() {
        for (external, internal) in [("\"six\"@x", "six@x"), ("\"ei\\ght\"@x", "eight@x"), ("\"a@b\"@c", "a@b@c")] {
            assert_eq!(unquote(external.as_bytes()), internal.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn unquote_undoes_quote(internal: Vec<u8>) {
            prop_assert_eq!(unquote(&quote(&internal)), internal);
        }

        #[test]
        fn unquote_never_panics(external: Vec<u8>) {
            let _ = unquote(&external);
        }
    }
}
