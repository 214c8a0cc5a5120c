//! `BDAT size [LAST]` (RFC 3030).

use crate::command;

/// A chunk that is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Its bytes on the wire.
    pub size: u64,
    /// Whether the message ends with it.
    pub place: Place,
}

/// Where in the message a chunk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// More follow.
    Middle,
    /// The message ends with it.
    Last,
}

impl Chunk {
    /// Parses what follows the verb. `None`: malformed; the stream has lost its framing.
    #[must_use]
    pub fn parse(arguments: &[u8]) -> Option<Chunk> {
        let mut words = command::words(arguments);
        let size = words.next()?;
        if size.len() > 18 || !size.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let size = std::str::from_utf8(size).ok()?.parse().ok()?;
        let place = match words.next() {
            None => Place::Middle,
            Some(word) if word.eq_ignore_ascii_case(b"LAST") => Place::Last,
            Some(_) => return None,
        };
        words.next().is_none().then_some(Chunk { size, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks() {
        for (text, expected) in [
            ("10", Some((10, Place::Middle))),
            ("0 last", Some((0, Place::Last))),
            ("", None),
            ("x", None),
            ("-1", None),
            ("1 FIRST", None),
            ("1 LAST x", None),
            ("9999999999999999999", None),
        ] {
            assert_eq!(Chunk::parse(text.as_bytes()), expected.map(|(size, place)| Chunk { size, place }), "{text}");
        }
    }
}
