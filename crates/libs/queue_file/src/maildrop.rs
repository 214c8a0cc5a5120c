//! What programs of users hand in: a message in records, checked before a byte of it counts.
//!
//! Only what sendmail(1) writes is let through, in its order: envelope, `M`, content, `X`, recipients found in headers, `E`.
//! The time is ours, attributes are from a list, and the size is limited.

use crate::record::{self, Pointers, Record, Records, Type};
use crate::{Error, Sizes, Source, Time};
use std::io::{self, Read, Write};

/// Attributes that a user may set.
const ATTRIBUTES: [&[u8]; 8] = [
    b"encoding",
    b"envelope_id",
    b"ret_flags",
    b"notify_flags",
    b"dsn_orig_rcpt",
    b"trace_flags",
    b"rewrite_context",
    SEND_OPTIONS.as_bytes(),
];

/// The attribute with flags of [`crate::Sizes::send_flags`] that a user asks for.
pub const SEND_OPTIONS: &str = "sendopts";

/// The attribute that says who has submitted a message whose file belongs to the mail system. In a file of anybody else it
/// means nothing.
const SUBMISSION_UID: &str = "submission_uid";

/// What the sender asked for in a file's envelope, as flags of [`crate::Sizes::send_flags`]: a user by an attribute, and whoever
/// sent a message that was in the queue before by its `C` record. `None` for other records.
pub fn send_options(record: &Record<'_>) -> Option<u32> {
    if record.kind == Type::Size {
        return Sizes::parse(record.data).map(|sizes| sizes.send_flags);
    }
    let value = record.data.strip_prefix(SEND_OPTIONS.as_bytes())?.strip_prefix(b"=")?;
    (record.kind == Type::Attribute)
        .then(|| std::str::from_utf8(value).ok()?.parse().ok())
        .map(Option::unwrap_or_default)
}

/// Begins a file: when it came, and from whom where its owner does not tell.
pub fn put_origin(out: &mut Vec<u8>, time: Time, submitter: Option<u32>) {
    record::put_time(out, time);
    if let Some(uid) = submitter {
        record::put_attribute(out, SUBMISSION_UID, uid.to_string().as_bytes());
    }
}

/// Who has submitted the message, where a record says so.
#[must_use]
pub fn submitter(record: &Record<'_>) -> Option<u32> {
    let value = record.data.strip_prefix(SUBMISSION_UID.as_bytes())?.strip_prefix(b"=")?;
    (record.kind == Type::Attribute).then(|| std::str::from_utf8(value).ok()?.parse().ok())?
}

/// How much larger the envelope makes a file than its content.
const ENVELOPE_ALLOWANCE: u64 = 1024 * 1024;

/// The longest record of an envelope: no address, name or attribute is that long, and what follows passes on whole what it is given.
const LONGEST: usize = 2048;

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not what sendmail(1) writes.
    #[error("malformed input: {0}")]
    Malformed(Error),
    /// A record that has no business there.
    #[error("malformed input: unexpected record type {0:?}")]
    Unexpected(Type),
    /// A record of the envelope that is longer than any address.
    #[error("malformed input: illegal length {length}, record type {kind:?}")]
    TooLong {
        /// Its bytes.
        length: usize,
        /// Which record.
        kind: Type,
    },
    /// The input ended before the message did.
    #[error("malformed input: no end record")]
    Incomplete,
    /// It is from nobody, or for nobody.
    #[error("malformed input: no {0} record")]
    Lacks(&'static str),
    /// It is too large.
    #[error("message file too big")]
    TooLarge,
    /// The file could not be written.
    #[error("write maildrop file: {0}")]
    Write(#[source] io::Error),
}

/// The part of a message that a record is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Envelope,
    Content,
    Extracted,
    Done,
}

/// How far a message has been read.
#[derive(Debug)]
struct Progress {
    segment: Segment,
    has_sender: bool,
    has_recipient: bool,
}

impl Progress {
    const fn new() -> Self {
        Self { segment: Segment::Envelope, has_sender: false, has_recipient: false }
    }

    fn take(&mut self, record: &Record<'_>) -> Result<(), Refusal> {
        self.segment = step(self.segment, record)?;
        self.has_sender |= record.kind == Type::Sender;
        self.has_recipient |= record.kind == Type::Recipient;
        match (self.segment, self.has_sender, self.has_recipient) {
            (Segment::Done, false, _) => Err(Refusal::Lacks("sender")),
            (Segment::Done, true, false) => Err(Refusal::Lacks("recipient")),
            (Segment::Envelope | Segment::Content | Segment::Extracted | Segment::Done, ..) => Ok(()),
        }
    }
}

/// Copies a message from `input` to `out`, behind its origin; `limit` is the largest content (0 for none).
///
/// # Errors
/// [`Refusal`]; what was written then is no message.
pub fn receive(input: impl Read, out: &mut impl Write, origin: Vec<u8>, limit: u64) -> Result<(), Refusal> {
    let mut records = Records::new(Stream::new(input), 0, Pointers::Show);
    let mut buffer = origin;
    let mut progress = Progress::new();
    let mut size = 0_u64;
    let limit = if limit == 0 { u64::MAX } else { limit.saturating_add(ENVELOPE_ALLOWANCE) };
    while progress.segment != Segment::Done {
        let record = records.next().map_err(Refusal::Malformed)?.ok_or(Refusal::Incomplete)?;
        size = size.saturating_add(record.data.len() as u64 + 2);
        if size > limit {
            return Err(Refusal::TooLarge);
        }
        progress.take(&record)?;
        if passes(&record) {
            record::put(&mut buffer, record.kind, record.data);
        }
        if buffer.len() >= 64 * 1024 || progress.segment == Segment::Done {
            out.write_all(&buffer).map_err(Refusal::Write)?;
            buffer.clear();
        }
    }
    Ok(())
}

/// Checks a file that was written as it came: from `offset` on it must be a whole message, without a time and with none
/// but the attributes that users may set.
///
/// # Errors
/// [`Refusal`].
pub fn inspect(source: impl Source, offset: u64) -> Result<(), Refusal> {
    let mut records = Records::new(source, offset, Pointers::Show);
    let mut progress = Progress::new();
    while progress.segment != Segment::Done {
        let record = records.next().map_err(Refusal::Malformed)?.ok_or(Refusal::Incomplete)?;
        progress.take(&record)?;
        if !passes(&record) {
            return Err(Refusal::Unexpected(record.kind));
        }
    }
    match records.next().map_err(Refusal::Malformed)? {
        None => Ok(()),
        Some(record) => Err(Refusal::Unexpected(record.kind)),
    }
}

fn step(segment: Segment, record: &Record<'_>) -> Result<Segment, Refusal> {
    if segment != Segment::Content && record.data.len() > LONGEST {
        return Err(Refusal::TooLong { length: record.data.len(), kind: record.kind });
    }
    match (segment, record.kind) {
        (
            Segment::Envelope,
            Type::Time | Type::FullName | Type::Sender | Type::Verp | Type::Recipient | Type::Attribute,
        ) => Ok(segment),
        (Segment::Envelope, Type::Message) => Ok(Segment::Content),
        (Segment::Content, Type::Line | Type::Filter) => Ok(segment),
        (Segment::Content, Type::Extracted) => Ok(Segment::Extracted),
        (Segment::Extracted, Type::Recipient | Type::Attribute) => Ok(segment),
        (Segment::Extracted, Type::End) => Ok(Segment::Done),
        (_, kind) => Err(Refusal::Unexpected(kind)),
    }
}

fn passes(record: &Record<'_>) -> bool {
    if record.kind == Type::Attribute {
        let name = record.data.split(|&b| b == b'=').next().unwrap_or_default();
        return ATTRIBUTES.contains(&name);
    }
    record.kind != Type::Time
}

/// A stream as a source: it only moves on.
struct Stream<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where in the stream the buffer begins.
    start: u64,
}

impl<R: Read> Stream<R> {
    fn new(input: R) -> Self {
        Self { input, buffer: Vec::with_capacity(64 * 1024), start: 0 }
    }
}

impl<R: Read> Source for Stream<R> {
    fn window(&mut self, offset: u64, least: usize) -> io::Result<&[u8]> {
        let skip = offset.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        let skip = skip.filter(|skip| *skip <= self.buffer.len()).ok_or(io::ErrorKind::InvalidInput)?;
        if self.buffer.len() - skip < least {
            self.buffer.drain(..skip);
            self.start = offset;
            while self.buffer.len() < least {
                let room = (least - self.buffer.len()).max(32 * 1024) as u64;
                if self.input.by_ref().take(room).read_to_end(&mut self.buffer)? == 0 {
                    break;
                }
            }
            return Ok(&self.buffer);
        }
        Ok(self.buffer.get(skip..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{put, put_attribute};
    use proptest::prelude::*;

    const NOW: Time = Time { seconds: 5, microseconds: 6 };

    fn message(change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, Type::Time, b"1 2");
        put_attribute(&mut bytes, "encoding", b"8bit");
        put_attribute(&mut bytes, "sasl_username", b"root");
        put(&mut bytes, Type::Sender, b"me");
        put(&mut bytes, Type::Recipient, b"you");
        put(&mut bytes, Type::Message, b"");
        put(&mut bytes, Type::Line, &[b'x'; 300]);
        change(&mut bytes);
        put(&mut bytes, Type::Extracted, b"");
        put(&mut bytes, Type::End, b"");
        bytes
    }

    fn taken(bytes: &[u8], limit: u64) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let mut origin = Vec::new();
        put_origin(&mut origin, NOW, None);
        receive(bytes, &mut out, origin, limit).map(|()| out).map_err(|error| error.to_string())
    }

    #[test]
    fn time_and_attributes_of_users_do_not_count() {
        let out = taken(&message(|_| ()), 0).unwrap();
        assert!(out.starts_with(b"T\x035 6A\x0dencoding=8bitS\x02meR\x03youM\x00N"), "{out:?}");
        assert!(out.ends_with(b"xX\x00E\x00"));
    }

    #[test]
    fn what_is_out_of_order_incomplete_or_too_large_is_refused() {
        let odd = message(|bytes| put(bytes, Type::Sender, b"again"));
        assert_eq!(taken(&odd, 0).unwrap_err(), "malformed input: unexpected record type Sender");
        let whole = message(|_| ());
        let half = &whole[..whole.len() - 2];
        assert_eq!(taken(half, 0).unwrap_err(), "malformed input: no end record");
        let large = message(|bytes| put(bytes, Type::Line, &vec![b'x'; 2_000_000]));
        assert_eq!(taken(&large, 1000).unwrap_err(), "message file too big");
        assert!(taken(&large, 0).is_ok());
    }

    #[test]
    fn an_address_that_is_longer_than_any_is_refused() {
        for (length, refused) in [(2048, false), (2049, true), (100_000, true)] {
            let mut bytes = Vec::new();
            put(&mut bytes, Type::Sender, b"me");
            put(&mut bytes, Type::Message, b"");
            put(&mut bytes, Type::Line, &vec![b'x'; 3000]);
            put(&mut bytes, Type::Extracted, b"");
            put(&mut bytes, Type::Recipient, &vec![b'x'; length]);
            put(&mut bytes, Type::End, b"");
            assert_eq!(taken(&bytes, 0).is_err(), refused, "{length}");
            assert_eq!(inspect(&bytes[..], 0).is_err(), refused, "{length}");
        }
    }

    #[test]
    fn a_message_is_from_somebody_for_somebody() {
        let end = |bytes: &mut Vec<u8>, recipient: bool| {
            put(bytes, Type::Message, b"");
            put(bytes, Type::Extracted, b"");
            if recipient {
                put(bytes, Type::Recipient, b"you");
            }
            put(bytes, Type::End, b"");
        };
        let mut nobody = Vec::new();
        put(&mut nobody, Type::Sender, b"");
        let (mut for_nobody, mut from_header) = (nobody.clone(), nobody);
        end(&mut for_nobody, false);
        end(&mut from_header, true);
        assert_eq!(taken(&for_nobody, 0).unwrap_err(), "malformed input: no recipient record");
        assert!(inspect(&for_nobody[..], 0).is_err());
        assert!(taken(&from_header, 0).is_ok());
        let mut from_nobody = Vec::new();
        end(&mut from_nobody, true);
        assert_eq!(taken(&from_nobody, 0).unwrap_err(), "malformed input: no sender record");
    }

    #[test]
    fn what_was_written_as_it_came_is_checked_strictly() {
        let good = taken(&message(|_| ()), 0).unwrap();
        assert!(inspect(&good[..], 5).is_ok());
        for (bytes, offset) in [
            (good.clone(), 0),
            (message(|_| ()), 5),
            (good[..good.len() - 1].to_vec(), 5),
            ([good, vec![b'E', 0]].concat(), 5),
        ] {
            assert!(inspect(&bytes[..], offset).is_err());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_input_never_panics(bytes: Vec<u8>) {
            let _ = taken(&bytes, 100);
        }
    }
}
