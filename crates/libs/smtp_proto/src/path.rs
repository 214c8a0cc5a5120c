//! The address in MAIL and RCPT, from the form on the wire to the form that is looked up and queued.
//!
//! Clients send more than RFC 5321 allows: no brackets, comments, display names, source routes. What is meant is
//! taken where it is clear, and refused where it is not. A quoted local part loses its quotes here and gets them back when
//! it is printed, so that every spelling of an address compares equal.

/// How much of RFC 822 is forgiven (`strict_rfc821_envelopes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Comments, display names and missing brackets are forgiven.
    Lenient,
    /// Only what RFC 5321 allows.
    Strict,
}

/// The text is no address, or more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("illegal address syntax")]
pub struct Malformed;

/// The address within `path`, without quotes and without a source route. Empty for `<>`.
///
/// # Errors
/// When brackets or quotes are left open, or there is more than one address.
pub fn internal(path: &[u8], strictness: Strictness) -> Result<Vec<u8>, Malformed> {
    let path = path.trim_ascii();
    if let Some(plain) = plain(path) {
        return Ok(plain.to_vec());
    }
    general(path, strictness)
}

/// What lies between the brackets of an address that stands for itself, as nearly all do: nothing in it has a meaning.
fn plain(path: &[u8]) -> Option<&[u8]> {
    let inner = path.strip_prefix(b"<")?.strip_suffix(b">")?;
    let stands_for_itself = |byte: &u8| byte.is_ascii_alphanumeric() || b".@-_+=".contains(byte);
    (inner.first() != Some(&b'@') && inner.iter().all(stands_for_itself)).then_some(inner)
}

fn general(path: &[u8], strictness: Strictness) -> Result<Vec<u8>, Malformed> {
    if strictness == Strictness::Strict && (path.first() != Some(&b'<') || path.last() != Some(&b'>')) {
        return Err(Malformed);
    }
    let inner = bracketed(if strictness == Strictness::Lenient { without_commas(path) } else { path })?;
    if inner.outside && strictness == Strictness::Strict {
        return Err(Malformed);
    }
    let address = unquote(without_route(inner.text)?, strictness)?;
    if strictness == Strictness::Strict && address.first() == Some(&b'@') {
        return Err(Malformed);
    }
    Ok(address)
}

/// A list of one address may end with commas.
fn without_commas(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b',').map_or(0, |last| last + 1);
    path.split_at_checked(end).map_or(path, |(list, _)| list).trim_ascii_end()
}

/// What lies between the brackets, or the whole text where there are none.
struct Inner<'a> {
    text: &'a [u8],
    /// Something stood outside the brackets.
    outside: bool,
}

fn bracketed(path: &[u8]) -> Result<Inner<'_>, Malformed> {
    let mut scan = Scan::new(path);
    let (mut open, mut close, mut depth, mut nested) = (None, None, 0_usize, false);
    // Without a stray bracket at either end, which means nothing.
    let (mut start, mut end) = (0, path.len());
    loop {
        let at = scan.at;
        let Some(piece) = scan.piece()? else { break };
        let byte = match piece {
            Piece::Plain(byte) => byte,
            Piece::Quoted(_) if close.is_some() => return Err(Malformed),
            Piece::Quoted(_) | Piece::Comment => continue,
        };
        match byte {
            // Brackets within brackets mean no more than one pair.
            b'<' if close.is_none() => {
                nested |= depth > 0;
                depth += 1;
                open = Some(at);
            }
            b'>' if depth > 0 => {
                depth -= 1;
                close = close.or(Some(at));
            }
            b'>' if at == 0 => start = 1,
            b'>' if at + 1 == path.len() && !nested => end = at,
            b'<' | b'>' => return Err(Malformed),
            _ if close.is_some() && !byte.is_ascii_whitespace() => return Err(Malformed),
            _ => {}
        }
    }
    match (open, close) {
        (None, None) => Ok(Inner { text: path.get(start..end).unwrap_or_default(), outside: false }),
        (Some(open), Some(close)) if depth == 0 => {
            let text = path.get(open + 1..close).ok_or(Malformed)?;
            Ok(Inner { text, outside: nested || open > start || close + 1 < end })
        }
        (Some(_), None | Some(_)) | (None, Some(_)) => Err(Malformed),
    }
}

/// `@a,@b:user@c` means `user@c` (RFC 5321, appendix C).
fn without_route(text: &[u8]) -> Result<&[u8], Malformed> {
    let text = text.trim_ascii();
    if text.first() != Some(&b'@') {
        return Ok(text);
    }
    let mut scan = Scan::new(text);
    while let Some(piece) = scan.piece()? {
        if let Piece::Plain(b':') = piece {
            return Ok(text.get(scan.at..).unwrap_or_default().trim_ascii());
        }
    }
    Ok(text)
}

/// Drops quotes, escapes, comments, and white space between tokens.
fn unquote(text: &[u8], strictness: Strictness) -> Result<Vec<u8>, Malformed> {
    let mut address = Vec::with_capacity(text.len());
    let mut scan = Scan::new(text);
    let mut joint = Joint::Open;
    loop {
        let inside = scan.inside();
        let Some(piece) = scan.piece()? else { return Ok(address) };
        joint.pass(&piece, inside, scan.inside())?;
        match piece {
            Piece::Quoted(byte) => address.push(byte),
            Piece::Plain(b'"') => {}
            Piece::Plain(byte) if byte.is_ascii_whitespace() => {
                // A space between two words means two addresses, unless it stands beside a dot or an at-sign.
                let before = address.last().copied();
                scan.skip_space();
                let joined = matches!(before, None | Some(b'.' | b'@'))
                    || matches!(scan.peek(), None | Some(b'.' | b'@' | b'('));
                if strictness == Strictness::Strict || !joined {
                    return Err(Malformed);
                }
            }
            Piece::Plain(b',' | b';') => return Err(Malformed),
            Piece::Plain(byte) => address.push(byte),
            Piece::Comment if strictness == Strictness::Strict => return Err(Malformed),
            Piece::Comment => {}
        }
    }
}

/// What may follow: words, quoted ones and literals need a dot or an at-sign between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// Anything.
    Open,
    /// More of the same word.
    Word,
    /// A dot or an at-sign.
    Closed,
}

impl Joint {
    /// Takes a piece; `before` and `after` say whether the scan was, and is, within quotes or a literal.
    fn pass(&mut self, piece: &Piece, before: bool, after: bool) -> Result<(), Malformed> {
        *self = match (piece, before, after) {
            (_, false, true) if *self == Joint::Open => Joint::Word,
            (_, false, true) => return Err(Malformed),
            (_, true, true) => *self,
            (_, true, false) => Joint::Closed,
            (Piece::Plain(b'.' | b'@'), ..) => Joint::Open,
            (Piece::Comment, ..) if *self == Joint::Open => Joint::Open,
            (Piece::Comment, ..) => Joint::Closed,
            (Piece::Plain(byte), ..) if byte.is_ascii_whitespace() => *self,
            (Piece::Plain(_) | Piece::Quoted(_), ..) if *self == Joint::Closed => return Err(Malformed),
            (Piece::Plain(_) | Piece::Quoted(_), ..) => Joint::Word,
        };
        Ok(())
    }
}

/// One step through RFC 822 text.
enum Piece {
    /// A byte inside quotes, in a literal, or after a backslash.
    Quoted(u8),
    /// A byte outside; the quotes themselves too.
    Plain(u8),
    /// A whole comment.
    Comment,
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    quoted: bool,
    literal: bool,
}

impl<'a> Scan<'a> {
    fn new(text: &'a [u8]) -> Scan<'a> {
        Scan { text, at: 0, quoted: false, literal: false }
    }

    /// Whether the next byte is quoted, or part of a literal.
    fn inside(&self) -> bool {
        self.quoted || self.literal
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn piece(&mut self) -> Result<Option<Piece>, Malformed> {
        let Some(byte) = self.take() else {
            return if self.quoted || self.literal { Err(Malformed) } else { Ok(None) };
        };
        Ok(Some(match byte {
            b'\\' => Piece::Quoted(self.take().ok_or(Malformed)?),
            b'"' if !self.literal => {
                self.quoted = !self.quoted;
                Piece::Plain(byte)
            }
            _ if self.quoted => Piece::Quoted(byte),
            b'[' if !self.literal => {
                self.literal = true;
                Piece::Quoted(byte)
            }
            b']' if self.literal => {
                self.literal = false;
                Piece::Quoted(byte)
            }
            _ if self.literal => Piece::Quoted(byte),
            b'(' => {
                self.comment()?;
                Piece::Comment
            }
            _ => Piece::Plain(byte),
        }))
    }

    fn comment(&mut self) -> Result<(), Malformed> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.take().ok_or(Malformed)? {
                b'\\' => {
                    self.take().ok_or(Malformed)?;
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_of_addresses() {
        for (text, lenient, strict, why) in [
            ("<a@b.c>", Some("a@b.c"), Some("a@b.c"), "the plain case"),
            ("<>", Some(""), Some(""), "the null sender"),
            ("a@b.c", Some("a@b.c"), None, "no brackets"),
            ("<\"a b\"@c>", Some("a b@c"), Some("a b@c"), "quotes go"),
            ("<\"a\\\"b\"@c>", Some("a\"b@c"), Some("a\"b@c"), "escapes go"),
            ("<@x,@y:a@b>", Some("a@b"), Some("a@b"), "a route goes"),
            ("<a@[1.2.3.4]>", Some("a@[1.2.3.4]"), Some("a@[1.2.3.4]"), "a literal stays"),
            ("<a@b", None, None, "an open bracket"),
            ("a@b>", Some("a@b"), None, "a stray bracket"),
            (">a@b>", Some("a@b"), None, "one at each end"),
            ("<a@b>>", Some("a@b"), Some("a@b"), "one behind a pair"),
            ("<>>", Some(""), Some(""), "one behind nothing"),
            ("><a@b>", Some("a@b"), None, "one before a pair"),
            (">", Some(""), None, "one alone"),
            ("<a@b>>>", None, None, "two of them"),
            ("a>b@c", None, None, "one in the middle"),
            ("<<a@b>>>", None, None, "one behind nested brackets"),
            ("<\"a@b>", None, None, "an open quote"),
            ("<a@[b>", None, None, "an open literal"),
            ("<a@b><c@d>", None, None, "two addresses"),
            ("<A. User <a@b>>", Some("a@b"), None, "nested brackets"),
            ("<<a@b>>", Some("a@b"), None, "doubled brackets"),
            ("<a@b>X", None, None, "something behind"),
            ("<a@b>\\>", None, None, "an escape behind"),
            ("<a@b>[c]", None, None, "a literal behind"),
            ("A <a@b>", Some("a@b"), None, "a display name"),
            ("<a(x)@b>", Some("a@b"), None, "a comment"),
            ("<a @ b . c>", Some("a@b.c"), None, "white space between tokens"),
            ("<a b@c>", None, None, "two words"),
            ("<a,b@c>", None, None, "a list"),
            ("<a@b>,", Some("a@b"), None, "a list of one"),
            ("a@b,", Some("a@b"), None, "a list of one without brackets"),
            ("<a@b>\\,", None, None, "an escaped comma behind"),
            ("<a@b>,<c@d>", None, None, "a list of two"),
            ("<\"a\"b@c>", None, None, "a word joined to a quoted one"),
            ("<a\"b\"@c>", None, None, "the other way round"),
            ("<\"a\"\"b\"@c>", None, None, "two quoted words joined"),
            ("<\"a\".b.\"c\"@d>", Some("a.b.c@d"), Some("a.b.c@d"), "dots between"),
            ("<\"\"@c>", Some("@c"), None, "nobody"),
            ("<@c>", Some("@c"), None, "nobody without quotes"),
            ("<a\\b@c>", Some("ab@c"), Some("ab@c"), "an escape within a word"),
            ("<a(x)b@c>", None, None, "a comment within a word"),
            ("<a[b]@c>", None, None, "a literal within a word"),
            ("<a@b[1.2.3.4]>", None, None, "a literal behind a word"),
            ("<lab-alice>", Some("lab-alice"), Some("lab-alice"), "a bare name"),
        ] {
            let text = text.as_bytes();
            let shown = String::from_utf8_lossy(text);
            assert_eq!(
                internal(text, Strictness::Lenient).ok().as_deref(),
                lenient.map(str::as_bytes),
                "{why}: {shown}"
            );
            assert_eq!(
                internal(text, Strictness::Strict).ok().as_deref(),
                strict.map(str::as_bytes),
                "strict, {why}: {shown}"
            );
        }
    }

    proptest! {
        #[test]
        fn plain_addresses_are_as_the_general_way_has_them(text in "<?[a-z@.+<(:, \"\\\\-]{0,6}>?") {
            if let Some(plain) = plain(text.as_bytes()) {
                for strictness in [Strictness::Lenient, Strictness::Strict] {
                    prop_assert_eq!(general(text.as_bytes(), strictness), Ok(plain.to_vec()));
                }
            }
        }

        #[test]
        fn any_text_is_taken(text: Vec<u8>) {
            let lenient = internal(&text, Strictness::Lenient);
            if let Ok(strict) = internal(&text, Strictness::Strict) {
                prop_assert_eq!(lenient, Ok(strict));
            }
        }
    }
}
