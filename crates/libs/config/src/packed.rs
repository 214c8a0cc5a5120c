//! Rows as programs carry them: without pointers. A loader has to write every pointer of a program when it starts, and
//! each page that it writes to is copied; a thousand rows with four texts each were most of what a command cost.

use crate::row::{Kind, Row, Standing};

/// The rows of a topic: their texts in one, and the rows in the order of their texts.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    pub text: &'static str,
    pub rows: &'static [PackedRow],
}

/// A row whose name, field, default, words and documentation follow each other in the text of the topic.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct PackedRow {
    /// Where its texts begin; [`place`] finds out.
    pub at: usize,
    pub name: u8,
    pub field: u8,
    pub default: u16,
    pub words: u8,
    pub doc: u16,
    pub kind: Kind,
    pub standing: Standing,
    pub min: Option<i64>,
    pub max: Option<i64>,
}

impl PackedRow {
    const fn length(&self) -> usize {
        self.name as usize + self.field as usize + self.default as usize + self.words as usize + self.doc as usize
    }
}

impl Packed {
    /// The rows.
    pub fn rows(self) -> impl ExactSizeIterator<Item = Row> {
        self.rows.iter().map(move |packed| self.unpack(packed))
    }

    fn unpack(self, packed: &PackedRow) -> Row {
        let text = self.text.get(packed.at..).unwrap_or_default();
        let (name, text) = split(text, packed.name.into());
        let (field, text) = split(text, packed.field.into());
        let (default, text) = split(text, packed.default.into());
        let (words, text) = split(text, packed.words.into());
        let (doc, _) = split(text, packed.doc.into());
        let PackedRow { kind, standing, min, max, .. } = *packed;
        Row { name, field, kind, default, words, min, max, standing, doc }
    }

    /// The row at a place, if it has this name.
    pub(crate) fn named(self, at: usize, name: &str) -> Option<Row> {
        let packed = self.rows.get(at)?;
        let text = self.text.get(packed.at..)?;
        (text.get(..packed.name.into())? == name).then(|| self.unpack(packed))
    }
}

fn split(text: &'static str, length: usize) -> (&'static str, &'static str) {
    text.split_at_checked(length).unwrap_or_default()
}

/// Says for each row where its texts begin.
#[doc(hidden)]
#[must_use]
pub const fn place<const N: usize>(mut rows: [PackedRow; N]) -> [PackedRow; N] {
    let mut at = 0;
    let mut rest: &mut [PackedRow] = &mut rows;
    while let Some((row, others)) = rest.split_first_mut() {
        row.at = at;
        at += row.length();
        rest = others;
    }
    rows
}

/// The length of a name, checked when the program is compiled.
#[doc(hidden)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "it is checked")]
pub const fn short(text: &str) -> u8 {
    assert!(text.len() <= u8::MAX as usize, "a name is too long");
    text.len() as u8
}

/// The length of a default or a documentation, checked when the program is compiled.
#[doc(hidden)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "it is checked")]
pub const fn long(text: &str) -> u16 {
    assert!(text.len() <= u16::MAX as usize, "a text is too long");
    text.len() as u16
}
