//! What the envelope of a queue file says: one parser, for files on disk and for what cleanup hands to qmgr.
//!
//! The envelope is in two segments, before the content and behind it. Recipients may be very many: at most as many
//! as the caller wants are kept, and a [`Position`] tells where the others begin.

use crate::record::{Pointers, Problem, Record, Records, Type};
use crate::{Error, Sizes, Source};
use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time as queue files have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since the epoch.
    pub seconds: i64,
    /// And microseconds.
    pub microseconds: u32,
}

impl Time {
    /// The time by this host's clock.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), microseconds: since.subsec_micros() }
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub fn as_microseconds(self) -> i64 {
        self.seconds.saturating_mul(1_000_000).saturating_add(i64::from(self.microseconds))
    }

    /// Parses a `T` record: seconds, and in files of newer releases microseconds.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(data).ok()?.split_ascii_whitespace();
        let seconds = words.next()?.parse().ok()?;
        let microseconds = words.next().map_or(Some(0), |word| word.parse().ok())?;
        Some(Self { seconds, microseconds })
    }
}

/// A recipient that is not done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipient {
    /// Where its `R` record is.
    pub offset: u64,
    /// The address, in internal form.
    pub address: Vec<u8>,
    /// The address before aliases; may be empty.
    pub original: Vec<u8>,
    /// DSN ORCPT; may be empty.
    pub dsn_original: Vec<u8>,
    /// DSN NOTIFY bits; 0 if not asked for.
    pub notify: u8,
}

/// Where the recipients begin that have not been read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    offset: u64,
    extracted_at: u64,
}

/// Named attributes, in the order of the file, in one piece of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    bytes: Vec<u8>,
    /// Where each name begins, its value begins, and its value ends.
    places: Vec<(usize, usize, usize)>,
}

impl Attributes {
    /// The last value of a name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        let is_name = |start, middle| self.bytes.get(start..middle) == Some(name.as_bytes());
        let mut latest = self.places.iter().rev();
        // Most names differ in length already.
        let found = latest.find(|(start, middle, _)| middle - start == name.len() && is_name(*start, *middle));
        found.and_then(|&(_, middle, end)| self.bytes.get(middle..end))
    }

    /// The last value of a name as text, empty if there is none or it is not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.value(name).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
    }

    /// Names and values in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let piece = |start, end| self.bytes.get(start..end).unwrap_or_default();
        self.places.iter().map(move |&(start, middle, end)| (piece(start, middle), piece(middle, end)))
    }

    /// Adds an attribute.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        if self.places.is_empty() {
            // As much as most messages need.
            self.bytes.reserve(512);
            self.places.reserve(20);
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.places.push((start, middle, self.bytes.len()));
    }
}

/// An envelope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The `C` record; maildrop files have none.
    pub sizes: Option<Sizes>,
    /// When the message arrived.
    pub arrived: Time,
    /// The envelope sender in internal form; empty is the null sender.
    pub sender: Vec<u8>,
    /// The sender's full name; may be empty.
    pub full_name: Vec<u8>,
    /// Named attributes, but for those of recipients.
    pub attributes: Attributes,
    /// Recipients that are not done, as many as were wanted.
    pub recipients: Vec<Recipient>,
    /// Where the others begin, and how many they are.
    pub more: Option<(Position, usize)>,
    /// When the sender is to be warned, and the offset of the record that says so. 0 means never.
    pub warn: Option<(i64, u64)>,
    /// Content filter, as `transport:nexthop`.
    pub filter: Option<Vec<u8>>,
    /// Content inspection transport.
    pub inspect: Option<Vec<u8>>,
    /// Everything goes here instead.
    pub redirect: Option<Vec<u8>>,
    /// VERP delimiters.
    pub verp: Option<Vec<u8>>,
    /// Where the content begins.
    pub data_offset: u64,
    /// The offset of the record that asks for a report on the first attempt.
    pub trace: Option<u64>,
}

impl Message {
    /// Parses both segments; at most `most` recipients are kept.
    ///
    /// # Errors
    /// Reading fails, or this is no complete queue file.
    pub fn parse<S: Source>(source: S, most: usize) -> Result<Self, Error> {
        Walk::new(source, most).all()
    }

    /// Parses both segments, but for the attributes, which a list of the queue does not need.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_without_attributes<S: Source>(source: S, most: usize) -> Result<Self, Error> {
        let mut walk = Walk::new(source, most);
        walk.unwanted = Some(Type::Attribute);
        walk.all()
    }

    /// Parses what stands before the content only.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_leading<S: Source>(source: S, most: usize) -> Result<Self, Error> {
        let mut walk = Walk::new(source, most);
        walk.leading()?;
        Ok(walk.message)
    }

    /// At most `most` of the recipients from `position` on, and where the rest of them begins.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn more_recipients<S: Source>(
        source: S,
        position: Position,
        most: usize,
    ) -> Result<(Vec<Recipient>, Option<Position>), Error> {
        let mut walk = Walk::new(source, most);
        walk.stop_when_full = true;
        walk.extracted_at = position.extracted_at;
        walk.records.seek(position.offset);
        walk.group = position.offset;
        walk.seen = (true, true);
        loop {
            match walk.step()? {
                Step::Next => {}
                Step::Full | Step::End => break,
                Step::Content => {
                    walk.records.seek(position.extracted_at);
                    walk.group = position.extracted_at;
                }
            }
        }
        Ok((walk.message.recipients, walk.message.more.map(|(position, _)| position)))
    }

    /// The size that logs and delivery agents see.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.sizes.map_or(0, |sizes| sizes.data_size)
    }
}

enum Step {
    Next,
    Content,
    Full,
    End,
}

struct Walk<S> {
    records: Records<S>,
    message: Message,
    most: usize,
    stop_when_full: bool,
    /// Records that are passed over.
    unwanted: Option<Type>,
    /// What precedes the next recipient.
    pending: Recipient,
    /// Where that begins.
    group: u64,
    extracted_at: u64,
    /// Whether sender and time were there.
    seen: (bool, bool),
    in_extracted: bool,
}

impl<S: Source> Walk<S> {
    fn new(source: S, most: usize) -> Self {
        Self {
            records: Records::new(source, 0, Pointers::Follow),
            message: Message::default(),
            most,
            stop_when_full: false,
            unwanted: None,
            pending: Recipient::default(),
            group: 0,
            extracted_at: 0,
            seen: (false, false),
            in_extracted: false,
        }
    }

    fn all(mut self) -> Result<Message, Error> {
        self.leading()?;
        let extracted_at = self.extracted_at()?;
        self.extracted(extracted_at)?;
        Ok(self.message)
    }

    fn leading(&mut self) -> Result<(), Error> {
        loop {
            match self.step()? {
                Step::Next | Step::Full => {}
                Step::Content => break,
                Step::End => return Err(self.missing(Type::Message)),
            }
        }
        self.message.data_offset = self.records.offset();
        match self.seen {
            (true, true) => Ok(()),
            (false, _) => Err(self.missing(Type::Sender)),
            (true, false) => Err(self.missing(Type::Time)),
        }
    }

    /// Where the extracted segment begins: known from `C`, else found by walking through the content.
    fn extracted_at(&mut self) -> Result<u64, Error> {
        if let Some(sizes) = self.message.sizes {
            self.message.data_offset = sizes.data_offset;
            return sizes.data_offset.checked_add(sizes.data_size).ok_or(self.missing(Type::Extracted));
        }
        loop {
            let before = self.records.offset();
            match self.records.next()? {
                None => return Err(self.missing(Type::Extracted)),
                Some(record) if record.kind == Type::Extracted => return Ok(before),
                Some(_) => {}
            }
        }
    }

    fn extracted(&mut self, at: u64) -> Result<(), Error> {
        self.extracted_at = at;
        if let Some((position, _)) = &mut self.message.more {
            position.extracted_at = at;
        }
        self.records.seek(at);
        self.group = at;
        match self.records.next()? {
            Some(record) if record.kind == Type::Extracted => {}
            Some(record) => return Err(record.misplaced()),
            None => return Err(self.missing(Type::Extracted)),
        }
        self.in_extracted = true;
        loop {
            match self.step()? {
                Step::Next | Step::Full => {}
                Step::End => return Ok(()),
                Step::Content => return Err(self.missing(Type::End)),
            }
        }
    }

    fn missing(&self, kind: Type) -> Error {
        let problem = if kind == Type::End { Problem::NoEnd } else { Problem::Missing(kind) };
        Error::Malformed { offset: self.records.offset(), problem }
    }

    fn step(&mut self) -> Result<Step, Error> {
        let end = self.records.offset();
        let Some(record) = self.records.next_past(self.unwanted)? else {
            return Err(Error::Malformed { offset: end, problem: Problem::NoEnd });
        };
        let message = &mut self.message;
        match record.kind {
            Type::Recipient => {
                let taken = (message.recipients.len() < self.most).then(|| (record.offset, record.data.to_vec()));
                return Ok(self.recipient(taken));
            }
            Type::Done | Type::Cancelled => {
                self.pending = Recipient::default();
                self.group = self.records.offset();
            }
            Type::Original => self.pending.original = record.data.to_vec(),
            Type::DsnOriginal => self.pending.dsn_original = record.data.to_vec(),
            Type::DsnNotify => self.pending.notify = notify(&record)?,
            Type::Attribute => attribute(&record, message, &mut self.pending)?,
            Type::EnvelopeId => message.attributes.push(b"envelope_id", record.data),
            Type::DsnReturn => message.attributes.push(b"ret_flags", record.data),
            Type::Size => message.sizes = Some(Sizes::parse(record.data).ok_or_else(|| record.bad_data())?),
            Type::Time => {
                message.arrived = Time::parse(record.data).ok_or_else(|| record.bad_data())?;
                self.seen.1 = true;
            }
            Type::Sender => {
                message.sender = record.data.to_vec();
                self.seen.0 = true;
            }
            Type::FullName => message.full_name = record.data.to_vec(),
            Type::Filter => message.filter = Some(record.data.to_vec()),
            Type::Inspect => message.inspect = Some(record.data.to_vec()),
            Type::Redirect => message.redirect = Some(record.data.to_vec()),
            Type::Verp => message.verp = Some(record.data.to_vec()),
            Type::Warn => message.warn = Some((record.number().ok_or_else(|| record.bad_data())?, record.offset)),
            Type::Message if !self.in_extracted => return Ok(Step::Content),
            Type::Extracted if self.stop_when_full => {}
            Type::End => return Ok(Step::End),
            Type::CreateTime
            | Type::ReturnReceipt
            | Type::ErrorsTo
            | Type::Priority
            | Type::Flags
            | Type::Delay
            | Type::MilterCount
            | Type::Kill
            | Type::Deleted
            | Type::Pointer => {}
            Type::Message | Type::Line | Type::Extracted => return Err(record.misplaced()),
        }
        Ok(Step::Next)
    }

    /// Takes a recipient, or notes where it is.
    fn recipient(&mut self, taken: Option<(u64, Vec<u8>)>) -> Step {
        let group = std::mem::replace(&mut self.group, self.records.offset());
        let pending = std::mem::take(&mut self.pending);
        if let Some((offset, address)) = taken {
            self.message.recipients.push(Recipient { offset, address, ..pending });
            return Step::Next;
        }
        match &mut self.message.more {
            Some((_, count)) => *count += 1,
            None => {
                let position = Position { offset: group, extracted_at: self.extracted_at };
                self.message.more = Some((position, 1));
            }
        }
        Step::Full
    }
}

fn notify(record: &Record<'_>) -> Result<u8, Error> {
    record.number().and_then(|bits| u8::try_from(bits).ok()).ok_or_else(|| record.bad_data())
}

fn attribute(record: &Record<'_>, message: &mut Message, pending: &mut Recipient) -> Result<(), Error> {
    let middle = memchr::memchr(b'=', record.data).ok_or_else(|| record.bad_data())?;
    let (name, value) = record.data.split_at(middle);
    let value = value.get(1..).unwrap_or_default();
    match name {
        b"dsn_orig_rcpt" => pending.dsn_original = value.to_vec(),
        b"notify_flags" => {
            pending.notify = notify(&Record { data: value, ..*record })?;
        }
        _ => {
            if name == b"trace_flags" {
                message.trace = Some(record.offset);
            }
            message.attributes.push(name, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
