//! The content of a message, piece by piece as it lies in the file.
//!
//! Lines are cut at `line_length_limit`, and milters leave pointers and deleted text behind; what comes out is the text.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::record::{Pointers, Problem, Records, Type};
use crate::{Error, Source};

/// Whether the content of a file was found to be damaged, shared by all walks through it.
#[derive(Debug, Clone, Default)]
pub struct Damage(Arc<AtomicBool>);

impl Damage {
    /// Whether it was.
    #[must_use]
    pub fn is_found(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Makes it known.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A piece of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A part of a line that goes on.
    Part(&'a [u8]),
    /// A line, or the rest of one.
    Line(&'a [u8]),
}

impl<'a> Piece<'a> {
    /// What a record holds, if it is one of text.
    fn new(kind: u8, data: &'a [u8]) -> Option<Self> {
        if kind == Type::Line.byte() {
            Some(Self::Line(data))
        } else if kind == Type::Filter.byte() {
            Some(Self::Part(data))
        } else {
            None
        }
    }
}

/// Walks through the content of a message.
#[derive(Debug)]
pub struct Content<S> {
    records: Records<S>,
    ended: bool,
    damage: Damage,
}

impl<S: Source> Content<S> {
    /// From [`crate::Message::data_offset`] on.
    pub fn new(source: S, data_offset: u64) -> Self {
        Self { records: Records::new(source, data_offset, Pointers::Follow), ended: false, damage: Damage::default() }
    }

    /// The same walk, which makes known what damage it finds.
    #[must_use]
    pub fn noting(self, damage: &Damage) -> Self {
        Self { damage: damage.clone(), ..self }
    }

    /// The next piece, `None` at the end of the content.
    ///
    /// # Errors
    /// Reading fails, or the file is damaged.
    #[expect(clippy::should_implement_trait, reason = "lends: a piece borrows from the walk")]
    pub fn next(&mut self) -> Result<Option<Piece<'_>>, Error> {
        let piece = Self::step(&mut self.records, &mut self.ended);
        piece.inspect_err(|error| {
            if error.is_malformed() {
                self.damage.note();
            }
        })
    }

    fn step<'r>(records: &'r mut Records<S>, ended: &mut bool) -> Result<Option<Piece<'r>>, Error> {
        if *ended {
            return Ok(None);
        }
        let offset = records.offset();
        let Some(record) = records.next_past(Some(Type::Deleted))? else {
            return Err(Error::Malformed { offset, problem: Problem::NoEnd });
        };
        if let Some(piece) = Piece::new(record.kind.byte(), record.data) {
            Ok(Some(piece))
        } else if record.kind == Type::Extracted {
            *ended = true;
            Ok(None)
        } else {
            Err(record.misplaced())
        }
    }

    /// Hands on pieces as long as `take` wants more; whether there may be more. It is quicker than [`Self::next`] for many.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn each(&mut self, mut take: impl FnMut(Piece<'_>) -> bool) -> Result<bool, Error> {
        loop {
            // What is at hand and needs no thought; then one record in the usual way, whatever it is.
            if !self.ended && !self.records.each_at_hand(|kind, data| Piece::new(kind, data).map(&mut take))? {
                return Ok(true);
            }
            match self.next()? {
                None => return Ok(false),
                Some(piece) if take(piece) => {}
                Some(_) => return Ok(true),
            }
        }
    }

    /// Appends about `most` bytes of content to `out`, lines ended by `line_end`; whether there is more.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn append_to(&mut self, out: &mut Vec<u8>, line_end: &[u8], most: usize) -> Result<bool, Error> {
        let full = out.len().saturating_add(most);
        self.each(|piece| {
            match piece {
                Piece::Part(part) => out.extend_from_slice(part),
                Piece::Line(line) => {
                    out.extend_from_slice(line);
                    out.extend_from_slice(line_end);
                }
            }
            out.len() < full
        })
    }

    /// Where the next record begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.records.offset()
    }

    /// The source, given back.
    pub fn into_source(self) -> S {
        self.records.into_source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{POINTER, put, put_line, put_pointer};
    use proptest::prelude::*;

    #[test]
    fn edits_of_milters_are_followed() {
        let mut out = Vec::new();
        put(&mut out, Type::Line, b"Subject: x");
        put_pointer(&mut out, 12 + POINTER + 6 + 2);
        put(&mut out, Type::Deleted, b"gone");
        put(&mut out, Type::Extracted, b"");
        put(&mut out, Type::Line, b"X-New: y");
        put_pointer(&mut out, 12 + POINTER);
        let mut text = Vec::new();
        assert!(!Content::new(&out[..], 0).append_to(&mut text, b"\r\n", 1000).unwrap());
        assert_eq!(text, b"Subject: x\r\nX-New: y\r\n");
    }

    #[test]
    fn content_without_end_is_malformed() {
        let mut out = Vec::new();
        put(&mut out, Type::Line, b"a");
        assert!(Content::new(&out[..], 0).append_to(&mut Vec::new(), b"\n", 1000).is_err());
        // The end of a file is not the end of its content.
        put(&mut out, Type::End, b"");
        assert!(Content::new(&out[..], 0).append_to(&mut Vec::new(), b"\n", 1000).is_err());
    }

    #[test]
    fn damage_is_noted_by_whoever_meets_it() {
        let mut out = Vec::new();
        put(&mut out, Type::Line, b"a");
        let damage = Damage::default();
        let mut content = Content::new(&out[..], 0).noting(&damage);
        assert!(matches!(content.next(), Ok(Some(Piece::Line(b"a")))));
        assert!(!damage.is_found());
        assert!(content.next().is_err());
        assert!(damage.is_found());
        // What the system does not give is no damage.
        let (nothing, damage) = (std::fs::File::open("/").unwrap(), Damage::default());
        let mut content = Content::new(crate::Buffered::large(nothing), 0).noting(&damage);
        assert!(content.next().is_err() && !damage.is_found());
    }

    proptest! {
        #[test]
        fn text_comes_back(text in "([a-z]{0,30}\n){0,20}", limit in 1usize..20) {
            let mut out = Vec::new();
            for line in text.split_terminator('\n') {
                put_line(&mut out, line.as_bytes(), limit);
            }
            put(&mut out, Type::Extracted, b"");
            let mut content = Content::new(&out[..], 0);
            let mut found = Vec::new();
            while content.append_to(&mut found, b"\n", 7).unwrap() {}
            prop_assert_eq!(found, text.into_bytes());
        }
    }
}
