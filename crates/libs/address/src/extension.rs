//! `user+extension`: the recipient delimiter.

/// Whether `-` leaves `owner-list` and `list-request` whole (the `owner_request_special` parameter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerRequest {
    /// They stay whole; the default.
    Special,
    /// They are split like any other.
    Plain,
}

/// Splits a local part at the first of the delimiters, with `owner-x` and `x-request` kept whole.
///
/// The user is never empty, and the delimiter belongs to neither part. `MAILER-DAEMON` and `double-bounce` are never split.
#[must_use]
pub fn split_extension<'a>(local: &'a [u8], delimiters: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    split_extension_with(local, delimiters, OwnerRequest::Special)
}

/// [`split_extension`] where `owner_request_special` may be off.
#[must_use]
pub fn split_extension_with<'a>(
    local: &'a [u8],
    delimiters: &[u8],
    owner_request: OwnerRequest,
) -> (&'a [u8], Option<&'a [u8]>) {
    if delimiters.is_empty() || is_kept_whole(local, delimiters, owner_request) {
        return (local, None);
    }
    match local.iter().position(|b| delimiters.contains(b)) {
        Some(at) if at > 0 => match local.split_at_checked(at) {
            Some((user, rest)) => (user, rest.get(1..)),
            None => (local, None),
        },
        Some(_) | None => (local, None),
    }
}

/// The names that no delimiter divides.
fn is_kept_whole(local: &[u8], delimiters: &[u8], owner_request: OwnerRequest) -> bool {
    if local.eq_ignore_ascii_case(b"double-bounce") || local.eq_ignore_ascii_case(b"mailer-daemon") {
        return true;
    }
    if owner_request == OwnerRequest::Plain || !delimiters.contains(&b'-') {
        return false;
    }
    let is_owner = local.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"owner-"));
    let request = local.len().checked_sub(8).filter(|&at| at > 0).and_then(|at| local.get(at..));
    is_owner || request.is_some_and(|end| end.eq_ignore_ascii_case(b"-request"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_delimiter_divides_with_exceptions() {
        for (local, delimiters, user, extension) in [
            ("user+ext", "+", "user", Some("ext")),
            ("user+a+b", "+", "user", Some("a+b")),
            ("user_a+b", "+_", "user", Some("a+b")),
            ("user+", "+", "user", Some("")),
            ("+ext", "+", "+ext", None),
            ("user", "+", "user", None),
            ("user+ext", "", "user+ext", None),
            ("owner-list", "-", "owner-list", None),
            ("list-REQUEST", "-", "list-REQUEST", None),
            ("-request", "-", "-request", None),
            ("owner-list+x", "+", "owner-list", Some("x")),
            ("Mailer-Daemon", "-", "Mailer-Daemon", None),
            ("double-bounce", "-", "double-bounce", None),
        ] {
            let split = split_extension(local.as_bytes(), delimiters.as_bytes());
            assert_eq!(split, (user.as_bytes(), extension.map(str::as_bytes)), "{local}");
        }
        assert_eq!(split_extension_with(b"owner-list", b"-", OwnerRequest::Plain), (&b"owner"[..], Some(&b"list"[..])));
    }
}
