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
        let mut place = Place::Envelope;
        let mut within_line = false;
        while let Some(raw) = walk.next(&mut source, name)? {
            let kind = Type::from_byte(raw.byte);
            match kind {
                Some(Type::Pointer) if !self.is_raw => {
                    if let Some(target) = number(raw.data).filter(|target| *target > 0) {
                        walk.jump(name, target)?;
                    }
                    continue;
                }
                Some(Type::Deleted) if !self.is_raw => continue,
                Some(kind @ (Type::Message | Type::Extracted | Type::End)) => {
                    place = self.mark(name, kind, place, &raw, out)?;
                    if place == Place::End {
                        return Ok(());
                    }
                }
                Some(kind @ (Type::Line | Type::Filter)) if matches!(place, Place::Header | Place::Body) => {
                    if place == Place::Header && !within_line && !is_header(raw.data) {
                        place = Place::Body;
                    }
                    if place == Place::Body && !self.parts.body && !self.parts.envelope {
                        return Ok(());
                    }
                    self.text(kind, place, within_line, &raw, out)?;
                    within_line = kind == Type::Filter;
                }
                _ if self.parts.envelope => self.record(kind, place, &raw, out)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// A line between parts; says in which part the next record is.
    fn mark(&self, name: &str, kind: Type, place: Place, raw: &Raw<'_>, out: &mut impl Write) -> Result<Place, Fatal> {
        let (text, problem, is_in_order, next) = match kind {
            Type::Message => ("MESSAGE CONTENTS", "message content", place == Place::Envelope, Place::Header),
            Type::Extracted => {
                let in_order = matches!(place, Place::Header | Place::Body);
                ("HEADER EXTRACTED", "extracted segment", in_order, Place::Extracted)
            }
            _ => ("MESSAGE FILE END", "message end", place == Place::Extracted, Place::End),
        };
        if !is_in_order {
            warn!("{name}: out-of-order {problem} marker");
        }
        if self.parts.envelope {
            self.prefix(raw, out)?;
            writeln!(out, "*** {text} {name} ***")?;
        } else if matches!(kind, Type::Extracted) {
            return Ok(Place::End);
        }
        Ok(next)
    }

    fn text(
        &self,
        kind: Type,
        place: Place,
        within_line: bool,
        raw: &Raw<'_>,
        out: &mut impl Write,
    ) -> Result<(), Fatal> {
        if !(if place == Place::Header { self.parts.header } else { self.parts.body }) {
            return Ok(());
        }
        if !within_line || self.is_verbose || self.is_raw {
            self.prefix(raw, out)?;
        }
        if self.is_verbose {
            let label = if kind == Type::Line { "regular_text" } else { "unterminated_text" };
            write!(out, "{label}: ")?;
        }
        out.write_all(raw.data)?;
        if kind == Type::Line || self.is_verbose || self.is_raw {
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
    Type::from_byte(byte)
        .is_some_and(|kind| !matches!(kind, Type::Line | Type::Deleted | Type::Extracted | Type::End | Type::Pointer))
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
