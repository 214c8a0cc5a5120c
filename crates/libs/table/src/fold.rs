//! Folding of keys to lower case, and the layer that does so for every type of table.

use std::borrow::Cow;

use crate::environment::{Environment, Folding, Text};
use crate::{Answer, Error, Keys, Lookup, Owner, Table};

/// Text in lower case. Text beyond ASCII folds as Unicode says; what is not UTF-8 only in its ASCII letters.
pub fn fold(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        if !text.iter().any(u8::is_ascii_uppercase) {
            return Cow::Borrowed(text);
        }
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Cow::Owned(text.to_ascii_lowercase());
    };
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            // Full case folding differs from lower case in these, which names contain.
            'ß' | 'ẞ' => folded.push_str("ss"),
            'ς' => folded.push('σ'),
            _ => folded.extend(letter.to_lowercase()),
        }
    }
    Cow::Owned(folded.into_bytes())
}

/// Text for the log, with a mark in place of each byte that is no text.
pub fn shown(text: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in text.utf8_chunks() {
        shown.push_str(chunk.valid());
        shown.extend(chunk.invalid().iter().map(|_| '?'));
    }
    shown
}

/// A key of fixed strings as tables have it: letters beyond ASCII have two cases only where text is UTF-8.
pub(crate) fn folded(key: &[u8], folding: Folding, text: Text) -> Cow<'_, [u8]> {
    match (folding, text) {
        (Folding::Fixed, Text::Utf8) => fold(key),
        (Folding::Fixed, Text::Bytes) if key.iter().any(u8::is_ascii_uppercase) => Cow::Owned(key.to_ascii_lowercase()),
        (Folding::Fixed, Text::Bytes) | (Folding::None, _) => Cow::Borrowed(key),
    }
}

/// Keys and values of any table as the environment wants them.
pub(crate) struct Folded {
    pub(crate) spec: String,
    pub(crate) inner: Box<dyn Table>,
    pub(crate) folding: Folding,
    pub(crate) text: Text,
}

impl Folded {
    pub(crate) fn wrap(spec: &str, inner: Box<dyn Table>, environment: &Environment) -> Box<dyn Table> {
        let folding = match inner.keys() {
            Keys::Fixed => environment.folding,
            Keys::Pattern => Folding::None,
        };
        Box::new(Self { spec: spec.to_owned(), inner, folding, text: environment.text })
    }

    fn checked(&self, key: &[u8], answer: Answer) -> Answer {
        match answer {
            Ok(Some(value)) if self.text == Text::Utf8 && std::str::from_utf8(&value).is_err() => {
                let (key, value) = (shown(key), shown(&value));
                let what = "malformed UTF-8 or invalid codepoint";
                tracing::warn!("{}: key \"{key}\": non-UTF-8 value \"{value:.100}\": {what}", self.spec);
                Err(Error::config(&self.spec, "malformed UTF-8 or invalid codepoint"))
            }
            answer => answer,
        }
    }
}

impl Table for Folded {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        if self.text == Text::Utf8 && !key.is_ascii() && std::str::from_utf8(key).is_err() {
            let key = shown(key);
            tracing::warn!("{}: non-UTF-8 key \"{key}\": malformed UTF-8 or invalid codepoint", self.spec);
            return Lookup::nothing();
        }
        let folded = folded(key, self.folding, self.text);
        match self.inner.lookup(&folded) {
            Lookup::Now(Ok(None)) => Lookup::nothing(),
            Lookup::Now(Ok(Some(value))) if value.is_ascii() => Lookup::found(value),
            Lookup::Now(answer) => Lookup::Now(self.checked(&folded, answer)),
            Lookup::Later(future) => {
                let key = folded.into_owned();
                Lookup::Later(Box::pin(async move { self.checked(&key, future.await) }))
            }
        }
    }

    fn keys(&self) -> Keys {
        self.inner.keys()
    }

    fn changed(&self) -> bool {
        self.inner.changed()
    }

    fn owner(&self) -> Owner {
        self.inner.owner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_fold() {
        for (text, expected) in [("abc", "abc"), ("ABC", "abc"), ("GRÜẞE", "grüsse"), ("ΣΑΣ", "σασ"), ("", "")]
        {
            assert_eq!(fold(text.as_bytes()), expected.as_bytes(), "{text}");
        }
        assert_eq!(*fold(b"A\xffB"), *b"a\xffb");
        assert_eq!(*folded("AÉ".as_bytes(), Folding::Fixed, Text::Utf8), *"aé".as_bytes());
        assert_eq!(*folded("AÉ".as_bytes(), Folding::Fixed, Text::Bytes), *"aÉ".as_bytes());
        assert_eq!(*folded(b"AB", Folding::None, Text::Utf8), *b"AB");
    }

    #[test]
    fn text_is_shown() {
        for (text, expected) in [(&b"a\xffb"[..], "a?b"), ("é\t".as_bytes(), "é\t"), (b"\xc3", "?"), (b"", "")] {
            assert_eq!(shown(text), expected);
        }
    }
}
