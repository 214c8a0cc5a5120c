//! Records: a type byte, a length in groups of seven bits (least significant first), the data.

use crate::{Error, Source};
use std::fmt::{self, Write as _};

/// Records longer than this do not exist; the length of a damaged one is not believed.
pub const LONGEST: usize = 16 * 1024 * 1024;
/// Jumps backwards that one walk through a file may make: more means a loop.
const BACKWARD_JUMPS: u32 = 10_000;

macro_rules! types {
    ($($(#[$doc:meta])* $name:ident = $byte:literal,)*) => {
        /// The types of record that Postfix 3.7 knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Type { $($(#[$doc])* $name = $byte,)* }

        impl Type {
            /// The type of a byte.
            #[must_use]
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($byte => Some(Self::$name),)* _ => None }
            }
        }
    };
}

types! {
    /// Sizes and offsets: first in the file ([`crate::Sizes`]).
    Size = b'C',
    /// Arrival time, seconds and microseconds.
    Time = b'T',
    /// Creation time, in files of old releases.
    CreateTime = b'c',
    /// Full name of the sender.
    FullName = b'F',
    /// Content inspection transport.
    Inspect = b'I',
    /// In the extracted segment: content filter transport. In content: a piece of a line that goes on.
    Filter = b'L',
    /// Envelope sender.
    Sender = b'S',
    /// A recipient that is done.
    Done = b'D',
    /// A recipient.
    Recipient = b'R',
    /// The original form of the recipient that follows.
    Original = b'O',
    /// A recipient that was cancelled.
    Cancelled = b'/',
    /// When the sender is to be warned.
    Warn = b'W',
    /// A named attribute.
    Attribute = b'A',
    /// An attribute that holds no more.
    Kill = b'K',
    /// Return-Receipt-To, from headers.
    ReturnReceipt = b'r',
    /// Errors-To, from headers.
    ErrorsTo = b'e',
    /// Priority, of old releases.
    Priority = b'P',
    /// VERP delimiters.
    Verp = b'V',
    /// All mail goes to this address instead.
    Redirect = b'>',
    /// Flags of cleanup.
    Flags = b'f',
    /// Between daemons only: how long cleanup waits before it queues.
    Delay = b'd',
    /// Content begins.
    Message = b'M',
    /// A whole line, or the end of one.
    Line = b'N',
    /// Deleted text.
    Deleted = b'w',
    /// Content ends, the extracted segment begins.
    Extracted = b'X',
    /// Go on elsewhere in the file.
    Pointer = b'p',
    /// Between daemons only: recipients added by milters.
    MilterCount = b'm',
    /// DSN envelope id, short for an attribute.
    EnvelopeId = b'i',
    /// DSN RET, short for an attribute.
    DsnReturn = b'<',
    /// DSN original recipient, short for an attribute.
    DsnOriginal = b'o',
    /// DSN NOTIFY, short for an attribute.
    DsnNotify = b'n',
    /// The end of the file.
    End = b'E',
}

impl Type {
    /// The byte in the file.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// A type byte that no record has.
    Type(u8),
    /// A length that cannot be.
    Length,
    /// The file ends within a record.
    Truncated,
    /// The file ends without an end record.
    NoEnd,
    /// A record that has no business where it is.
    Misplaced(Type),
    /// Data that does not parse.
    Data(Type),
    /// A pointer to nowhere, or round and round.
    Pointer,
    /// A record that must be there is not.
    Missing(Type),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(byte) => write!(f, "unknown record type {byte}"),
            Self::Length => f.write_str("bad record length"),
            Self::Truncated => f.write_str("record ends with the file"),
            Self::NoEnd => f.write_str("no end record"),
            Self::Misplaced(kind) => write!(f, "misplaced record {kind:?}"),
            Self::Data(kind) => write!(f, "bad data in record {kind:?}"),
            Self::Pointer => f.write_str("bad pointer"),
            Self::Missing(kind) => write!(f, "no record {kind:?}"),
        }
    }
}

/// Appends a record.
#[inline]
pub fn put(out: &mut Vec<u8>, kind: Type, data: &[u8]) {
    put_header(out, kind, data.len());
    out.extend_from_slice(data);
}

/// Appends type and length of a record whose data the caller appends.
#[inline]
pub fn put_header(out: &mut Vec<u8>, kind: Type, length: usize) {
    match u8::try_from(length) {
        // Most lines are short.
        Ok(low) if low < 0x80 => out.extend_from_slice(&[kind.byte(), low]),
        Ok(_) | Err(_) => {
            out.push(kind.byte());
            put_length(out, length);
        }
    }
}

/// Appends `name=value`.
pub fn put_attribute(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    put_header(out, Type::Attribute, name.len() + 1 + value.len());
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend_from_slice(value);
}

/// The envelope of a message that the mail system itself makes for one recipient.
#[must_use]
pub fn own_envelope(time: crate::Time, sender: &[u8], recipient: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put_time(&mut out, time);
    put_attribute(&mut out, "rewrite_context", b"local");
    put(&mut out, Type::Sender, sender);
    put_attribute(&mut out, "log_message_origin", b"local");
    put(&mut out, Type::Recipient, recipient);
    out
}

/// Appends a time record.
pub fn put_time(out: &mut Vec<u8>, time: crate::Time) {
    let mut text = String::with_capacity(32);
    // Writing into a string does not fail.
    let _ = write!(text, "{} {}", time.seconds, time.microseconds);
    put(out, Type::Time, text.as_bytes());
}

/// Appends a line of content, cut where it is longer than `line_length_limit`.
pub fn put_line(out: &mut Vec<u8>, line: &[u8], line_length_limit: usize) {
    let limit = line_length_limit.max(1);
    let mut rest = line;
    while let Some((piece, more)) = rest.split_at_checked(limit) {
        put(out, Type::Filter, piece);
        rest = more;
    }
    put(out, Type::Line, rest);
}

/// Appends a pointer: padded, so that it can be written over in place.
pub fn put_pointer(out: &mut Vec<u8>, target: u64) {
    put(out, Type::Pointer, format!("{target:15}").as_bytes());
}

/// Length of a pointer record.
pub const POINTER: u64 = 17;

/// Appends a length in groups of seven bits.
fn put_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        if length == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Parses type and length at the start of `bytes`: type byte, bytes of data, bytes of this header.
/// `None` if the header is cut off.
///
/// # Errors
/// [`Problem::Length`].
#[inline]
pub fn header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Problem> {
    if let &[kind, length @ ..=0x7f, ..] = bytes {
        return Ok(Some((kind, usize::from(length), 2)));
    }
    long_header(bytes)
}

/// As [`header`], of a record with more data than one byte can tell.
fn long_header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Problem> {
    let Some((&kind, rest)) = bytes.split_first() else { return Ok(None) };
    let mut length = 0usize;
    for (index, &byte) in rest.iter().enumerate() {
        if index >= 4 {
            return Err(Problem::Length);
        }
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return if length <= LONGEST { Ok(Some((kind, length, index + 2))) } else { Err(Problem::Length) };
        }
    }
    Ok(None)
}

/// Cuts records, between them, into pieces of at most `most` bytes; a longer record is a piece of its own. What is no record
/// is the last piece.
pub fn pieces(records: &[u8], most: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let mut end = 0;
        while let Ok(Some((_, length, skip))) = header(rest.get(end..).unwrap_or_default()) {
            let next = end + skip + length;
            if end > 0 && next > most {
                break;
            }
            end = next;
        }
        let (piece, after) = rest.split_at_checked(end).filter(|_| end > 0).unwrap_or((rest, b""));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// A record, borrowed from its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where its type byte is.
    pub offset: u64,
    /// Its type.
    pub kind: Type,
    /// Its data.
    pub data: &'a [u8],
}

impl Record<'_> {
    /// The data as a number, as in `p` and `W` records.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        std::str::from_utf8(self.data).ok()?.trim().parse().ok()
    }

    /// An error about this record's data.
    #[must_use]
    pub fn bad_data(&self) -> Error {
        Error::Malformed { offset: self.offset, problem: Problem::Data(self.kind) }
    }

    /// An error about this record's place.
    #[must_use]
    pub fn misplaced(&self) -> Error {
        Error::Malformed { offset: self.offset, problem: Problem::Misplaced(self.kind) }
    }
}

/// Whether pointer records are obeyed or shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pointers {
    /// Reading goes on where they point; they are not returned.
    Follow,
    /// They are returned like any record, as `postcat -r` does.
    Show,
}

/// Walks through the records of a source.
#[derive(Debug)]
pub struct Records<S> {
    source: S,
    offset: u64,
    pointers: Pointers,
    backward: u32,
}

impl<S: Source> Records<S> {
    /// From `offset` on.
    pub fn new(source: S, offset: u64, pointers: Pointers) -> Self {
        Self { source, offset, pointers, backward: 0 }
    }

    /// Where the next record begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes on at another offset.
    pub fn seek(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// The source.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The source, given back.
    pub fn into_source(self) -> S {
        self.source
    }

    /// The next record, or `None` where the source ends between records.
    ///
    /// # Errors
    /// Reading fails, or what is there is not a record.
    #[expect(clippy::should_implement_trait, reason = "lends: a record borrows from the walk")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, Error> {
        self.next_past(None)
    }

    /// Hands on types and data of the records that are in memory, as long as `take` takes them (`None`: not this one) and wants
    /// more (`true`); whether it does.
    pub(crate) fn each_at_hand(&mut self, mut take: impl FnMut(u8, &[u8]) -> Option<bool>) -> Result<bool, Error> {
        let mut rest = self.source.window(self.offset, 6)?;
        let mut wants_more = true;
        while wants_more {
            let Ok(Some((kind, length, skip))) = header(rest) else { break };
            let Some((record, after)) = rest.split_at_checked(skip + length) else { break };
            let Some(wants) = take(kind, record.get(skip..).unwrap_or_default()) else { break };
            self.offset += record.len() as u64;
            rest = after;
            wants_more = wants;
        }
        Ok(wants_more)
    }

    /// As [`Self::next`], past all records of one type.
    pub(crate) fn next_past(&mut self, unwanted: Option<Type>) -> Result<Option<Record<'_>>, Error> {
        let (kind, skip, length) = loop {
            let Some((kind, skip, length)) = self.peek()? else { return Ok(None) };
            if kind == Type::Pointer && self.pointers == Pointers::Follow {
                self.jump(skip, length)?;
            } else if Some(kind) == unwanted {
                self.offset += (skip + length) as u64;
                self.each_at_hand(|next, _| (next == kind.byte()).then_some(true))?;
            } else {
                break (kind, skip, length);
            }
        };
        let offset = self.offset;
        self.offset = offset + (skip + length) as u64;
        let bytes = self.source.window(offset, skip + length)?;
        let Some(data) = bytes.get(skip..skip + length) else {
            return Err(Error::Malformed { offset, problem: Problem::Truncated });
        };
        Ok(Some(Record { offset, kind, data }))
    }

    fn peek(&mut self) -> Result<Option<(Type, usize, usize)>, Error> {
        let offset = self.offset;
        let malformed = |problem| Error::Malformed { offset, problem };
        let bytes = self.source.window(offset, 6)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let (byte, length, skip) = header(bytes).map_err(malformed)?.ok_or(malformed(Problem::Truncated))?;
        let kind = Type::from_byte(byte).ok_or(malformed(Problem::Type(byte)))?;
        Ok(Some((kind, skip, length)))
    }

    fn jump(&mut self, skip: usize, length: usize) -> Result<(), Error> {
        let offset = self.offset;
        let here = offset + (skip + length) as u64;
        let bytes = self.source.window(offset, skip + length)?;
        let target = bytes
            .get(skip..skip + length)
            .and_then(|data| Record { offset, kind: Type::Pointer, data }.number())
            .and_then(|target| u64::try_from(target).ok())
            .ok_or(Error::Malformed { offset, problem: Problem::Pointer })?;
        if target == 0 {
            self.offset = here;
            return Ok(());
        }
        if target <= offset {
            self.backward += 1;
        }
        if self.backward > BACKWARD_JUMPS || target == offset {
            return Err(Error::Malformed { offset, problem: Problem::Pointer });
        }
        self.offset = target;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
