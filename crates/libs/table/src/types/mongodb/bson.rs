//! BSON: documents that are written, and what is read of answers.

use std::io;

use crate::link::malformed;
use crate::types::octets::Octets;

/// A document in the making: its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Document(Vec<u8>);

impl Document {
    fn field(&mut self, kind: u8, name: &str) {
        self.0.push(kind);
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.field(2, name);
        self.0.extend_from_slice(&length(value.len() + 1));
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
    }

    pub(super) fn integer(&mut self, name: &str, value: i32) {
        self.field(16, name);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn long(&mut self, name: &str, value: i64) {
        self.field(18, name);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn double(&mut self, name: &str, value: f64) {
        self.field(1, name);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn boolean(&mut self, name: &str, value: bool) {
        self.field(8, name);
        self.0.push(u8::from(value));
    }

    pub(super) fn null(&mut self, name: &str) {
        self.field(10, name);
    }

    pub(super) fn binary(&mut self, name: &str, value: &[u8]) {
        self.field(5, name);
        self.0.extend_from_slice(&length(value.len()));
        self.0.push(0);
        self.0.extend_from_slice(value);
    }

    pub(super) fn document(&mut self, name: &str, value: &Self) {
        self.field(3, name);
        self.0.extend_from_slice(&value.bytes());
    }

    pub(super) fn list(&mut self, name: &str, value: &Self) {
        self.field(4, name);
        self.0.extend_from_slice(&value.bytes());
    }

    /// The whole document.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [&length(self.0.len() + 5)[..], &self.0, &[0]].concat()
    }
}

/// A length that is too large fits no message; the server says so.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Text(&'a [u8]),
    Number(i64),
    Double(f64),
    Boolean(bool),
    Binary(&'a [u8]),
    Document(&'a [u8]),
    List(&'a [u8]),
    Other,
}

/// A field: its name, the number of its type, and its value.
pub(super) type Field<'a> = (&'a [u8], u8, Value<'a>);

/// The fields of a document.
pub(super) fn fields(document: &[u8]) -> io::Result<Vec<Field<'_>>> {
    let inner = document.get(4..document.len().saturating_sub(1)).ok_or_else(|| malformed("document is too short"))?;
    let mut octets = Octets(inner);
    let mut fields = Vec::new();
    while !octets.0.is_empty() {
        let kind = octets.byte()?;
        let name = octets.text()?;
        fields.push((name, kind, value(&mut octets, kind)?));
    }
    Ok(fields)
}

/// The value of the field with that name.
pub(super) fn find<'a>(document: &'a [u8], name: &str) -> io::Result<Option<Value<'a>>> {
    let found = fields(document)?.into_iter().find(|(known, ..)| *known == name.as_bytes());
    Ok(found.map(|(.., value)| value))
}

fn value<'a>(octets: &mut Octets<'a>, kind: u8) -> io::Result<Value<'a>> {
    Ok(match kind {
        1 => Value::Double(f64::from_le_bytes(octets.array()?)),
        2 => Value::Text(text(octets)?),
        3 => Value::Document(document(octets)?),
        4 => Value::List(document(octets)?),
        5 => {
            let size = size(octets.array()?)?;
            octets.byte()?;
            Value::Binary(octets.take(size)?)
        }
        8 => Value::Boolean(octets.byte()? != 0),
        16 => Value::Number(i32::from_le_bytes(octets.array()?).into()),
        18 => Value::Number(i64::from_le_bytes(octets.array()?)),
        _ => {
            skip(octets, kind)?;
            Value::Other
        }
    })
}

fn skip(octets: &mut Octets<'_>, kind: u8) -> io::Result<()> {
    match kind {
        6 | 10 | 127 | 255 => {}
        7 => drop(octets.take(12)?),
        9 | 17 => drop(octets.take(8)?),
        11 => drop((octets.text()?, octets.text()?)),
        12 => drop((text(octets)?, octets.take(12)?)),
        13 | 14 => drop(text(octets)?),
        15 => drop(document(octets)?),
        19 => drop(octets.take(16)?),
        _ => return Err(malformed("unknown type of field")),
    }
    Ok(())
}

fn size(bytes: [u8; 4]) -> io::Result<usize> {
    usize::try_from(i32::from_le_bytes(bytes)).map_err(|_| malformed("negative length"))
}

fn text<'a>(octets: &mut Octets<'a>) -> io::Result<&'a [u8]> {
    let size = size(octets.array()?)?;
    octets.take(size)?.strip_suffix(&[0]).ok_or_else(|| malformed("text without end"))
}

/// A document inside another, its length included.
pub(super) fn document<'a>(octets: &mut Octets<'a>) -> io::Result<&'a [u8]> {
    let start = octets.0.first_chunk().ok_or_else(|| malformed("message is too short"))?;
    let document = octets.take(size(*start)?)?;
    if document.len() >= 5 && document.last() == Some(&0) {
        Ok(document)
    } else {
        Err(malformed("document without end"))
    }
}

/// How deep lists may be in lists.
const DEEPEST: usize = 100;

/// Adds what the fields of a document hold: texts, whole numbers, and lists of them.
pub(super) fn values(document: &[u8], spec: &str, values: &mut Vec<Vec<u8>>) -> io::Result<()> {
    add(document, spec, values, 0)
}

fn add(document: &[u8], spec: &str, values: &mut Vec<Vec<u8>>, depth: usize) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(malformed("lists are too deep"));
    }
    for (name, kind, value) in fields(document)? {
        match value {
            Value::Text(text) if std::str::from_utf8(text).is_err() => {
                return Err(malformed("invalid UTF-8 in lookup result"));
            }
            Value::Text(text) => values.push(text.to_vec()),
            Value::Number(number) => values.push(number.to_string().into_bytes()),
            Value::List(list) => add(list, spec, values, depth + 1)?,
            Value::Double(_) | Value::Boolean(_) | Value::Binary(_) | Value::Document(_) | Value::Other => {
                let name = String::from_utf8_lossy(name);
                tracing::warn!("{spec}: failed to retrieve value of '{name}', Unknown result type {kind}.");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_numbers_and_lists_are_results() {
        let mut inner = Document::default();
        inner.text("0", "c");
        inner.integer("1", -4);
        let mut outer = Document::default();
        outer.text("a", "b");
        outer.list("l", &inner);
        outer.double("d", 1.5);
        outer.document("o", &inner);
        outer.null("n");
        outer.boolean("t", true);
        outer.binary("x", b"y");
        outer.long("z", 1 << 40);
        let bytes = outer.bytes();
        let mut found = Vec::new();
        values(&bytes, "mongodb:x", &mut found).unwrap();
        assert_eq!(found, [&b"b"[..], b"c", b"-4", b"1099511627776"]);
        assert_eq!(find(&bytes, "x").unwrap(), Some(Value::Binary(b"y")));
        assert_eq!(find(&bytes, "nothing").unwrap(), None);
        for cut in 5..bytes.len() - 1 {
            let start = bytes.get(..cut).unwrap();
            assert!(document(&mut Octets(start)).is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(prop_oneof![Just(0), 1..20_u8, any::<u8>()], 0..60)) {
            let _ = values(&bytes, "mongodb:x", &mut Vec::new());
            let _ = document(&mut Octets(&bytes));
        }
    }
}
