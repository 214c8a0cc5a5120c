//! The content of a message on its way from the queue file to the server.
//!
//! Most mail goes as it lies in the file, record by record into wire form. Mail for a server without 8BITMIME is made
//! 7-bit first, and `smtp_generic_maps` and `smtp_header_checks` look at headers, both line by line; nothing holds
//! a message in memory.

use std::fs::File;
use std::sync::Arc;

use delivery::QueueFile;
use dsn::{Detail, Status};
use ipc::deliver::Request;
use mime::{Addresses, Downgrade, End, Event, Field, Limits, Parts, Place, Walker};
use queue_file::{Buffered, Content, Piece};
use table::checks::{Action, Checks, Part};

use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::generic::Generic;
use crate::transaction::Body;
use crate::wire_form::{Encoder, Lines};

/// Content that is converted before any of it is written; what comes with the piece that exceeds this goes along.
const SOME: usize = 16 * 1024;

/// Content that is read at once; a short message needs no such room.
const MOST_READ: usize = 64 * 1024;
/// What is read past the content, to see that it ends, and written besides it: dots, and breaks of long lines.
const SLACK: usize = 64;

/// What is done to content, whatever the message.
#[derive(Debug)]
pub struct Treatment {
    /// `smtp_line_length_limit`; 0 for none.
    pub line_length_limit: usize,
    /// Bounds of the MIME walk.
    pub limits: Limits,
    /// `smtp_generic_maps`.
    pub generic: Generic,
    /// `smtp_header_checks` and its kind.
    pub checks: Checks,
}

impl Treatment {
    /// Whether a table has changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.checks.changed() || self.generic.maps.changed()
    }

    /// Whether headers have to be looked at.
    fn reads(&self) -> bool {
        let parts = [Part::Header, Part::MimeHeader, Part::NestedHeader, Part::Body];
        !self.generic.is_off() || parts.into_iter().any(|part| self.checks.cover(part))
    }
}

/// Whether the content must become 7-bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// It goes as it is.
    None,
    /// 8-bit parts become quoted-printable.
    SevenBit,
}

/// A message's content, to be sent once.
pub struct Message<'a> {
    queue_id: &'a str,
    pieces: Content<Buffered<Arc<File>>>,
    /// Bytes that the content has in the file.
    size: usize,
    treatment: &'a Treatment,
    encoder: Encoder,
    downgrade: Option<Downgrade>,
    reader: Option<Walker>,
    /// What goes before the content, with LF line ends.
    head: Vec<u8>,
}

impl<'a> Message<'a> {
    /// The content of the message that a request is about, whose queue file this is.
    #[must_use]
    pub fn new(request: &'a Request, file: &QueueFile, conversion: Conversion, treatment: &'a Treatment) -> Self {
        let walk = || Walker::new(Parts::All, treatment.limits);
        let size = usize::try_from(request.message.data_size).unwrap_or(usize::MAX);
        Self {
            queue_id: &request.queue_id,
            pieces: Content::new(
                Buffered::with_chunk(Arc::clone(file.file()), size.saturating_add(SLACK).min(MOST_READ)),
                request.message.data_offset,
            )
            .noting(file.damage()),
            size,
            treatment,
            encoder: Encoder::new(treatment.line_length_limit),
            downgrade: (conversion == Conversion::SevenBit).then(|| Downgrade::new(treatment.limits)),
            reader: treatment.reads().then(walk),
            head: Vec::new(),
        }
    }

    /// The same behind other headers.
    #[must_use]
    pub fn headed_by(self, head: Vec<u8>) -> Self {
        Self { head, ..self }
    }

    async fn plain(&mut self, dialogue: &mut Dialogue) -> Result<(), Failure> {
        self.encoder.text(&self.head, dialogue.output());
        while self.encode(dialogue.output())? {
            dialogue.drain().await?;
        }
        Ok(())
    }

    /// Appends some of the content in wire form; whether there is more.
    fn encode(&mut self, out: &mut Vec<u8>) -> Result<bool, Failure> {
        let full = out.len() + SOME;
        // A line takes as much room on the wire as in the file, but for dots and line breaks.
        out.reserve(self.size.min(SOME) + SLACK);
        let encoder = &mut self.encoder;
        let more = self.pieces.each(|piece| {
            match piece {
                Piece::Part(part) => encoder.part(part, out),
                Piece::Line(line) => encoder.line(line, out),
            }
            out.len() < full
        });
        more.map_err(|error| self.unreadable(&error))
    }

    /// By way of text: through the conversion, then through the reader, into wire form.
    async fn treated(&mut self, dialogue: &mut Dialogue) -> Result<(), Failure> {
        let mut text = std::mem::take(&mut self.head);
        loop {
            let more = self.convert(&mut text)?;
            let whole = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
            let now = if more { whole } else { text.len() };
            let rest = text.split_off(now);
            self.read(&text, dialogue).await?;
            text = rest;
            dialogue.drain().await?;
            if !more {
                return self.end_reading(dialogue).await;
            }
        }
    }

    /// Appends some of the content, converted; whether there is more.
    fn convert(&mut self, text: &mut Vec<u8>) -> Result<bool, Failure> {
        let full = text.len() + SOME;
        let downgrade = &mut self.downgrade;
        let more = self.pieces.each(|piece| {
            let (piece, end) = match piece {
                Piece::Part(part) => (part, End::Cut),
                Piece::Line(line) => (line, End::Line),
            };
            match downgrade {
                Some(downgrade) => downgrade.line(piece, end, text),
                None => {
                    text.extend_from_slice(piece);
                    if end == End::Line {
                        text.push(b'\n');
                    }
                }
            }
            text.len() < full
        });
        let more = more.map_err(|error| self.unreadable(&error))?;
        if let (Some(downgrade), false) = (&mut self.downgrade, more) {
            downgrade.finish(text);
        }
        Ok(more)
    }

    async fn read(&mut self, text: &[u8], dialogue: &mut Dialogue) -> Result<(), Failure> {
        let Some(mut walker) = self.reader.take() else {
            self.encoder.text(text, dialogue.output());
            return Ok(());
        };
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let (line, end) = match line.strip_suffix(b"\n") {
                Some(line) => (line, End::Line),
                None => (line, End::Cut),
            };
            for event in walker.line(line, end) {
                self.event(event, dialogue).await?;
            }
        }
        self.reader = Some(walker);
        Ok(())
    }

    async fn end_reading(&mut self, dialogue: &mut Dialogue) -> Result<(), Failure> {
        let Some(mut walker) = self.reader.take() else { return Ok(()) };
        for event in walker.finish() {
            self.event(event, dialogue).await?;
        }
        Ok(())
    }

    async fn event(&mut self, event: Event<'_>, dialogue: &mut Dialogue) -> Result<(), Failure> {
        match event {
            Event::Header(place, text) => self.header(place, text, dialogue).await,
            Event::Separator => {
                self.encoder.end_line(dialogue.output());
                Ok(())
            }
            Event::Body(line, end) => self.body(line, end, dialogue).await,
            Event::HeaderEnd(_) | Event::Fault(..) => Ok(()),
        }
    }

    async fn header(&mut self, place: Place, mut text: Vec<u8>, dialogue: &mut Dialogue) -> Result<(), Failure> {
        if place == Place::Primary && !self.treatment.generic.is_off() {
            text = self.outside(text).await.map_err(|_| {
                dialogue.data_error(&format!("{} lookup error", self.treatment.generic.maps.parameter()))
            })?;
        }
        let part = Part::of_header(place, &text);
        self.checked(part, &text, dialogue).await
    }

    /// A header with `smtp_generic_maps` applied to its addresses.
    async fn outside(&self, text: Vec<u8>) -> Result<Vec<u8>, table::Error> {
        let Some(field) = Field::new(&text) else { return Ok(text) };
        match field.kind().addresses() {
            Some(Addresses::Sender | Addresses::Recipient | Addresses::Mentioned) => {}
            None => return Ok(text),
        }
        let value = self.treatment.generic.header(field.value(), field.name().len() + 2).await?;
        let replaced = value.map(|value| [field.name(), b": ", &value].concat());
        Ok(replaced.unwrap_or(text))
    }

    async fn body(&mut self, line: &[u8], end: End, dialogue: &mut Dialogue) -> Result<(), Failure> {
        if end == End::Line && self.treatment.checks.cover(Part::Body) {
            return self.checked(Part::Body, line, dialogue).await;
        }
        let out = dialogue.output();
        self.encoder.part(line, out);
        if end == End::Line {
            self.encoder.end_line(out);
        }
        Ok(())
    }

    /// A header or line after its checks. Checks here can only change what goes out; what would decide about the message
    /// is for cleanup(8).
    async fn checked(&mut self, part: Part, text: &[u8], dialogue: &mut Dialogue) -> Result<(), Failure> {
        let checks = &self.treatment.checks;
        let action = if checks.cover(part) {
            let what = if part == Part::Body { "body" } else { "header" };
            let failed = |_| dialogue.data_error(&format!("smtp {what} checks lookup error"));
            checks.check(part, text).await.map_err(failed)?
        } else {
            Action::Keep
        };
        for line in self.replacement(action, part, text) {
            let out = dialogue.output();
            self.encoder.text(&line, out);
            self.encoder.end_line(out);
        }
        Ok(())
    }

    /// What goes out for a header or line. What was done is logged.
    fn replacement(&self, action: Action, part: Part, text: &[u8]) -> Vec<Vec<u8>> {
        let unsupported = |command: &str, rest: &str| {
            let command = format!("{command} {rest}");
            let parameter = self.treatment.checks.parameter(part);
            tracing::warn!("unsupported command in {parameter} map: {}", command.trim_end());
            vec![text.to_vec()]
        };
        let (word, note, lines) = match action {
            Action::Keep => return vec![text.to_vec()],
            Action::Ignore => return Vec::new(),
            Action::Warn(note) => ("warning", note, vec![text.to_vec()]),
            Action::Info(note) => ("info", note, vec![text.to_vec()]),
            Action::Strip(note) => ("strip", note, Vec::new()),
            Action::Prepend(line) => ("prepend", table::shown(&line), vec![line, text.to_vec()]),
            Action::Replace(line) => ("replace", table::shown(&line), vec![line]),
            Action::Pass(rest) => return unsupported("PASS", &rest),
            Action::Reject(rest) => return unsupported("REJECT", &rest),
            Action::Discard(rest) => return unsupported("DISCARD", &rest),
            Action::Hold(rest) => return unsupported("HOLD", &rest),
            Action::Filter(rest) => return unsupported("FILTER", &rest),
            Action::Redirect(rest) => return unsupported("REDIRECT", &rest),
            Action::Bcc(rest) => return unsupported("BCC", &rest),
            Action::Unknown(value) => return unsupported(&value, ""),
        };
        self.log_check(word, part, text, &note);
        lines
    }

    fn log_check(&self, word: &str, part: Part, text: &[u8], note: &str) {
        let what = if part == Part::Body { "body" } else { "header" };
        let text: String = table::shown(text).chars().take(60).collect();
        let text = text.replace(|c: char| c.is_control(), "?");
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        tracing::info!("{}: {word}: {what} {text}{note}", self.queue_id);
    }

    fn unreadable(&self, error: &queue_file::Error) -> Failure {
        tracing::warn!("{}: {error}", self.queue_id);
        Failure::message(Detail::new(Status::temporary(3, 0), "unreadable mail queue entry"))
    }
}

impl Body for Message<'_> {
    async fn send(&mut self, dialogue: &mut Dialogue) -> Result<(), Failure> {
        if self.downgrade.is_none() && self.reader.is_none() {
            self.plain(dialogue).await?;
        } else {
            self.treated(dialogue).await?;
        }
        if self.encoder.lines() == Lines::Broken {
            let limit = self.treatment.line_length_limit;
            tracing::info!("{}: breaking line > {limit} bytes with <CR><LF>SPACE", self.queue_id);
        }
        Ok(())
    }

    fn ends_in_newline(&self) -> bool {
        self.encoder.is_at_start()
    }
}
