//! Records in words.

use command::Fatal;
use queue_file::record::{LONGEST, Type, header};
use queue_file::{Problem, Source};
use std::io::{self, Write};
use tracing::warn;

/// Jumps that pointers may make in one file.
const JUMPS: u32 = 10_000;

/// Which parts of a file are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "three independent options of the command line")]
pub(crate) struct Parts {
    pub(crate) envelope: bool,
    pub(crate) header: bool,
    pub(crate) body: bool,
}

impl Parts {
    pub(crate) const ALL: Self = Self { envelope: true, header: true, body: true };
}

/// How files are shown.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent options of the command line")]
pub(crate) struct Show {
    pub(crate) parts: Parts,
    pub(crate) with_type: bool,
    pub(crate) with_offset: bool,
    pub(crate) is_raw: bool,
    pub(crate) is_verbose: bool,
    pub(crate) start: u64,
    pub(crate) zone: jiff::tz::TimeZone,
}

/// Where in the file we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Envelope,
    Header,
    Body,
    Extracted,
    End,
}

/// How far a file has been shown.
struct At<'a> {
    name: &'a str,
    place: Place,
    within_line: bool,
}

/// A record as it is in the file.
struct Raw<'a> {
    offset: u64,
    byte: u8,
    data: &'a [u8],
}

impl Show {
    /// Shows one file.
    pub(crate) fn file(&self, name: &str, mut source: impl Source, out: &mut impl Write) -> Result<(), Fatal> {
        let first = source.window(self.start, 1)?.first().copied();
        if self.start == 0 && !first.is_some_and(begins_file) {
            if first.is_some() {
                warn!("{name}: input is not a valid queue file");
            }
            return Ok(());
        }
        if self.parts.envelope && self.start == 0 {
            writeln!(out, "*** ENVELOPE RECORDS {name} ***")?;
        }
        let mut walk = Walk { offset: self.start, jumps: 0 };
        let mut at = At { name, place: Place::Envelope, within_line: false };
        while let Some(raw) = walk.next(&mut source, name)? {
            match Type::from_byte(raw.byte) {
                Some(Type::Pointer) if !self.is_raw => {
                    if let Some(target) = number(raw.data).filter(|target| *target > 0) {
                        walk.jump(name, target)?;
                    }
                }
                Some(Type::Deleted) if !self.is_raw => {}
                kind => {
                    self.one(kind, &mut at, &raw, out)?;
                    if at.place == Place::End {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Shows one record, if it is in a part that is shown.
    fn one(&self, kind: Option<Type>, at: &mut At<'_>, raw: &Raw<'_>, out: &mut impl Write) -> Result<(), Fatal> {
        match kind {
            Some(Type::Message) => {
                let is_in_order = at.place == Place::Envelope;
                self.mark(("MESSAGE CONTENTS", "message content", is_in_order), at, raw, out)?;
                at.place = Place::Header;
            }
            Some(Type::Extracted) => {
                let is_in_order = matches!(at.place, Place::Header | Place::Body);
                self.mark(("HEADER EXTRACTED", "extracted segment", is_in_order), at, raw, out)?;
                at.place = if self.parts.envelope { Place::Extracted } else { Place::End };
            }
            Some(Type::End) => {
                let is_in_order = at.place == Place::Extracted;
                self.mark(("MESSAGE FILE END", "message end", is_in_order), at, raw, out)?;
                at.place = Place::End;
            }
            Some(Type::Line | Type::Filter) if matches!(at.place, Place::Header | Place::Body) => {
                self.text(at, raw, out)?;
            }
            _ if self.parts.envelope => self.record(kind, at.place, raw, out)?,
            _ => {}
        }
        Ok(())
    }

    /// A line between parts.
    fn mark(
        &self,
        (text, problem, is_in_order): (&str, &str, bool),
        at: &At<'_>,
        raw: &Raw<'_>,
        out: &mut impl Write,
    ) -> Result<(), Fatal> {
        if !is_in_order {
            warn!("{}: out-of-order {problem} marker", at.name);
        }
        if self.parts.envelope {
            self.prefix(raw, out)?;
            writeln!(out, "*** {text} {} ***", at.name)?;
        }
        Ok(())
    }

    fn text(&self, at: &mut At<'_>, raw: &Raw<'_>, out: &mut impl Write) -> Result<(), Fatal> {
        if at.place == Place::Header && !at.within_line && !is_header(raw.data) {
            at.place = Place::Body;
        }
        if at.place == Place::Body && !self.parts.body && !self.parts.envelope {
            at.place = Place::End;
            return Ok(());
        }
        let was_within_line = std::mem::replace(&mut at.within_line, raw.byte == Type::Filter.byte());
        if !(if at.place == Place::Header { self.parts.header } else { self.parts.body }) {
            return Ok(());
        }
        let is_by_piece = self.is_verbose || self.with_offset;
        if !was_within_line || is_by_piece || self.with_type {
            self.prefix(raw, out)?;
        }
        if self.is_verbose {
            let label = if at.within_line { "unterminated_text" } else { "regular_text" };
            write!(out, "{label}: ")?;
        }
        out.write_all(raw.data)?;
        if !at.within_line || is_by_piece {
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn prefix(&self, raw: &Raw<'_>, out: &mut impl Write) -> io::Result<()> {
        if self.with_offset {
            write!(out, "{:9} ", raw.offset)?;
        }
        if self.with_type {
            write!(out, "{:3} ", raw.byte)?;
        }
        Ok(())
    }

    /// A record of the envelope.
    fn record(&self, kind: Option<Type>, place: Place, raw: &Raw<'_>, out: &mut impl Write) -> Result<(), Fatal> {
        self.prefix(raw, out)?;
        let label = kind.map_or("unknown_record_type", |kind| label(kind, place));
        match kind {
            Some(Type::Time | Type::Warn) => {
                let seconds = String::from_utf8_lossy(raw.data);
                let seconds = seconds.split_ascii_whitespace().next().unwrap_or_default();
                writeln!(out, "{label}: {}", self.date(seconds))?;
            }
            Some(Type::Attribute) if raw.data.starts_with(b"create_time=") => {
                let seconds = String::from_utf8_lossy(raw.data.get(12..).unwrap_or_default());
                writeln!(out, "create_time: {}", self.date(&seconds))?;
            }
            _ => {
                write!(out, "{label}: ")?;
                out.write_all(raw.data)?;
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    fn date(&self, seconds: &str) -> String {
        let time = jiff::Timestamp::from_second(seconds.trim().parse().unwrap_or(0)).unwrap_or_default();
        time.to_zoned(self.zone.clone()).strftime("%a %b %e %H:%M:%S %Y").to_string()
    }
}

/// Goes from record to record.
struct Walk {
    offset: u64,
    jumps: u32,
}

impl Walk {
    fn next<'a>(&mut self, source: &'a mut impl Source, name: &str) -> Result<Option<Raw<'a>>, Fatal> {
        let offset = self.offset;
        let read = || Fatal::new("record read error");
        let start = source.window(offset, 6)?;
        if start.is_empty() {
            return Ok(None);
        }
        let (byte, length, skip) = match header(start) {
            Ok(Some(found)) => found,
            Ok(None) => {
                warn!("{name}: unexpected EOF in length, record type {}", start.first().copied().unwrap_or(0));
                return Err(read());
            }
            Err(Problem::Length) => {
                warn!("{name}: record length over {LONGEST}");
                return Err(read());
            }
            Err(problem) => return Err(Fatal::new(problem.to_string())),
        };
        let end = skip + length;
        let Some(data) = source.window(offset, end)?.get(skip..end) else {
            warn!("{name}: unexpected EOF in data, record type {byte} length {length}");
            return Err(read());
        };
        self.offset = offset + u64::try_from(end).unwrap_or(u64::MAX);
        Ok(Some(Raw { offset, byte, data }))
    }

    fn jump(&mut self, name: &str, target: u64) -> Result<(), Fatal> {
        self.jumps += 1;
        if self.jumps > JUMPS {
            warn!("{name}: too many pointer records");
            return Err(Fatal::new("record read error"));
        }
        self.offset = target;
        Ok(())
    }
}

fn number(data: &[u8]) -> Option<u64> {
    std::str::from_utf8(data).ok()?.trim().parse().ok()
}

/// Whether a queue file may begin with a record of this type.
fn begins_file(byte: u8) -> bool {
    b"ACDFIKLMORSTVWcino<>/".contains(&byte)
}

/// Whether a line belongs to the header: a name and a colon, or the continuation of a field.
fn is_header(line: &[u8]) -> bool {
    if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        return true;
    }
    let name = line.iter().take_while(|byte| byte.is_ascii_graphic() && **byte != b':').count();
    let rest = line.get(name..).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    name > 0 && rest.get(blank) == Some(&b':')
}

fn label(kind: Type, place: Place) -> &'static str {
    match kind {
        Type::Size => "message_size",
        Type::Time => "message_arrival_time",
        Type::CreateTime => "queue_file_create_time",
        Type::FullName => "sender_fullname",
        Type::Inspect => "content_inspector",
        Type::Filter if matches!(place, Place::Header | Place::Body) => "unterminated_text",
        Type::Filter => "content_filter",
        Type::Sender => "sender",
        Type::Done => "done_recipient",
        Type::Recipient => "recipient",
        Type::Original => "original_recipient",
        Type::Cancelled => "canceled_recipient",
        Type::Warn => "warning_message_time",
        Type::Attribute => "named_attribute",
        Type::Kill => "killed_record",
        Type::ReturnReceipt => "return_receipt",
        Type::ErrorsTo => "errors_to",
        Type::Priority => "priority",
        Type::Verp => "verp_delimiters",
        Type::Redirect => "redirect_to",
        Type::Flags => "flags",
        Type::Message => "message_content",
        Type::Line => "regular_text",
        Type::Deleted => "padding",
        Type::Extracted => "extracted_info",
        Type::Pointer => "pointer_record",
        Type::EnvelopeId => "dsn_envelope_id",
        Type::DsnReturn => "dsn_return_flags",
        Type::DsnOriginal => "dsn_original_recipient",
        Type::DsnNotify => "dsn_notify_flags",
        Type::End => "message_end",
        Type::Delay | Type::MilterCount => "unknown_record_type",
    }
}

#[cfg(test)]
mod tests;
