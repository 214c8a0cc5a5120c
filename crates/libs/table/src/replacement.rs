//! The text that a pattern's match is replaced with: `$1`, `${1}`, `$(1)`, and `$$` for a dollar sign.

use crate::fold::shown;

/// Text with places for what groups matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replacement {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Group(usize),
}

/// Why a text is no replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// What Postfix's macro parser says by itself, before the rule's own warning.
    Syntax(String),
    /// A name that is no number.
    NonNumeric(String),
    /// The number of no group.
    Zero,
}

impl Replacement {
    /// Reads a text. The last mistake may hide others.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut rest = text;
        while let Some(dollar) = memchr::memchr(b'$', rest) {
            let (before, reference) = rest.split_at_checked(dollar).unwrap_or_default();
            plain.extend_from_slice(before);
            let after = reference.get(1..).unwrap_or_default();
            if let Some(after) = after.strip_prefix(b"$") {
                plain.push(b'$');
                rest = after;
                continue;
            }
            let is_bracketed = matches!(after.first(), Some(b'{' | b'('));
            let (name, after) = match name(text, after) {
                // Behind a mistake, names in brackets are not looked at.
                Ok(_) if is_bracketed && !mistakes.is_empty() => return Err(mistakes),
                Ok(found) => found,
                Err(mistake) => {
                    mistakes.push(mistake);
                    return Err(mistakes);
                }
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            match number(name) {
                Ok(group) => pieces.push(Piece::Group(group)),
                Err(mistake) => mistakes.push(mistake),
            }
            rest = after;
        }
        plain.extend_from_slice(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        if mistakes.is_empty() { Ok(Self { pieces }) } else { Err(mistakes) }
    }

    /// The groups that are referred to.
    pub(crate) fn groups(&self) -> impl Iterator<Item = usize> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Group(number) => Some(*number),
            Piece::Text(_) => None,
        })
    }

    /// The text for one match; a group that took no part is empty.
    pub(crate) fn expand(&self, subject: &[u8], spans: &[Option<(usize, usize)>]) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.extend_from_slice(piece),
                Piece::Group(number) => {
                    let span = spans.get(*number).copied().flatten();
                    let group = span.and_then(|(start, end)| subject.get(start..end));
                    text.extend_from_slice(group.unwrap_or_default());
                }
            }
        }
        text
    }
}

/// The name that follows a dollar sign, and what follows the name; mistakes show the whole text.
fn name<'a>(text: &[u8], after: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Mistake> {
    let shown = || shown(text);
    let (opening, closing) = match after.first() {
        Some(b'{') => (b'{', b'}'),
        Some(b'(') => (b'(', b')'),
        _ => {
            let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let end = after.iter().position(|byte| !of_name(byte)).unwrap_or(after.len());
            return match after.split_at_checked(end) {
                Some((name, rest)) if !name.is_empty() => Ok((name, rest)),
                _ => Err(Mistake::Syntax(format!("empty macro name: \"{}\"", shown()))),
            };
        }
    };
    let inner = after.get(1..).unwrap_or_default();
    match end_of_brackets(inner, opening, closing).and_then(|end| inner.split_at_checked(end)) {
        Some(([], _)) => Err(Mistake::Syntax(format!("empty macro name: \"{}\"", shown()))),
        Some((name, rest)) => Ok((name, rest.get(1..).unwrap_or_default())),
        None => Err(Mistake::Syntax(format!("truncated macro reference: \"{}\"", shown()))),
    }
}

/// Where brackets end that are open already.
fn end_of_brackets(text: &[u8], opening: u8, closing: u8) -> Option<usize> {
    let mut level = 1_usize;
    text.iter().position(|byte| {
        if *byte == opening {
            level += 1;
        } else if *byte == closing {
            level -= 1;
        }
        level == 0
    })
}

fn number(name: &[u8]) -> Result<usize, Mistake> {
    let text = String::from_utf8_lossy(name);
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Mistake::NonNumeric(text.into_owned()));
    }
    if text.bytes().all(|byte| byte == b'0') {
        return Err(Mistake::Zero);
    }
    // A number too large to say is out of range like any other.
    Ok(text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_expand() {
        let spans = [Some((0, 4)), Some((1, 2)), None, Some((3, 4))];
        for (text, expected) in [("plain", "plain"), ("$1-$(3)${1}", "b-db"), ("$$1$2.", "$1."), ("", "")] {
            let replacement = Replacement::parse(text.as_bytes()).unwrap();
            assert_eq!(replacement.expand(b"abcd", &spans), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("x$", Mistake::Syntax("empty macro name: \"x$\"".to_owned())),
            ("$0", Mistake::Zero),
            ("${1", Mistake::Syntax("truncated macro reference: \"${1\"".to_owned())),
            ("$(x)", Mistake::NonNumeric("x".to_owned())),
            ("${$1${1}", Mistake::Syntax("truncated macro reference: \"${$1${1}\"".to_owned())),
            ("$0$(x)$y", Mistake::Zero),
        ] {
            assert_eq!(Replacement::parse(text.as_bytes()), Err(vec![expected]));
        }
    }

    #[test]
    fn all_mistakes_are_named() {
        let truncated = Mistake::Syntax("truncated macro reference: \"$0${\"".to_owned());
        assert_eq!(Replacement::parse(b"$0${"), Err(vec![Mistake::Zero, truncated]));
        let expected = vec![
            Mistake::NonNumeric("x".to_owned()),
            Mistake::Zero,
            Mistake::Syntax("empty macro name: \"$x$0$-$0\"".to_owned()),
        ];
        assert_eq!(Replacement::parse(b"$x$0$-$0"), Err(expected));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(replacement) = Replacement::parse(&text) {
                let _ = replacement.expand(b"abc", &[Some((0, 9)), None]);
            }
        }
    }
}
