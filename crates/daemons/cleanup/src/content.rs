//! The content: cut into lines once, headers told from bodies, and written as records.
//!
//! A body that nobody wants to look at is copied line by line in one loop, up to what may be a boundary. Otherwise every
//! line passes through the MIME walk, and headers and lines through the checks.

use std::borrow::Cow;

use ipc::cleanup::{Handling, Switch};
use mime::{Downgrade, Encoding, End, Event, Fault, Kind, Parts, Place, Walker};
use queue_file::record::{self, Type};
use table::checks::Part;

use crate::Desk;
use crate::checks::Judgement;
use crate::fate::{Objection, Refusal};
use crate::header::before_nul;
use crate::message::{Message, Stage};
use crate::settings::{Conversion, Strict, Strictness, UnendedHeader};

/// Where the content is.
pub(crate) struct Content {
    pub(crate) walker: Walker,
    /// The start of a line whose end has not come yet.
    carry: Vec<u8>,
    /// Whether the pieces of the current line that went before were cut.
    cut: bool,
    /// Whether bodies are copied without a look, but for boundaries.
    copies: bool,
    /// Makes 7-bit text of what comes in.
    conversion: Option<Downgrade>,
    /// How much of this part `body_checks` may still see.
    unchecked: u64,
    /// About how deep parts may be nested.
    nesting: Strictness,
    /// What of this message is refused.
    pub(crate) strict: Strict,
    pub(crate) header: HeaderState,
}

/// What `TLS-Required:` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TlsRequired {
    /// Nothing.
    #[default]
    Unsaid,
    /// The sender does without TLS.
    No,
}

/// `Require-TLS-ESMTP: yes`, where it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RequireTlsHeader {
    /// It is not there.
    #[default]
    Absent,
    /// It is there.
    Present,
}

/// What the message's own header has shown.
#[derive(Default)]
pub(crate) struct HeaderState {
    pub(crate) seen: Vec<Kind>,
    pub(crate) resent: bool,
    pub(crate) hops: usize,
    /// Declared by `Content-Transfer-Encoding`.
    pub(crate) encoding: Option<&'static str>,
    pub(crate) utf8: bool,
    pub(crate) tls_required: TlsRequired,
    pub(crate) requiretls: RequireTlsHeader,
    /// How many headers have been written.
    pub(crate) written: usize,
    pub(crate) trace: Trace,
}

/// Our own `Received:`, which is the first that a message comes with, behind what access tables have prepended.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trace {
    /// It has not come yet.
    #[default]
    Awaited,
    /// So many headers are before it.
    Behind(usize),
    /// It was left out.
    Dropped,
}

impl Content {
    pub(crate) fn new(desk: &Desk, handling: &Handling) -> Self {
        let (settings, checks) = (&desk.settings, &desk.tables.checks);
        let checked = handling.checks == Switch::On;
        // Notices of our own are held to nothing.
        let strict = if checked { settings.mime.strict } else { Strict::LAX };
        let is_strict = [strict.headers, strict.body, strict.encoding_domain].contains(&Strictness::Strict);
        let wants = |part| checked && checks.cover(part);
        let looks = [Part::MimeHeader, Part::NestedHeader, Part::Body].into_iter().any(wants);
        let parts = if settings.mime.parts { Parts::All } else { Parts::Message };
        Self {
            walker: Walker::new(parts, settings.mime.limits),
            carry: Vec::new(),
            cut: false,
            copies: !wants(Part::Body)
                && strict.body == Strictness::Lax
                && !settings.headers.are_pedantic()
                && settings.mime.conversion == Conversion::None,
            conversion: (settings.mime.conversion == Conversion::ToSevenBit)
                .then(|| Downgrade::new(settings.mime.limits)),
            unchecked: settings.limits.body_checks,
            nesting: Strictness::of(is_strict || looks),
            strict,
            header: HeaderState::default(),
        }
    }

    /// Whether the next line can be copied as it is.
    fn is_copying(&self) -> bool {
        self.copies && !self.cut && self.carry.is_empty() && self.walker.is_in_body()
    }
}

impl Message {
    /// Ends the leading envelope.
    pub(crate) fn begin_content(&mut self) {
        if self.stage == Stage::Content {
            return;
        }
        if self.envelope.arrived.is_none() {
            let microseconds = u32::try_from(self.began.subsec_microsecond()).unwrap_or(0);
            self.put_time(queue_file::Time { seconds: self.began.as_second(), microseconds });
        }
        self.put_warning_time();
        self.stage = Stage::Content;
        if let Some(draft) = &mut self.draft {
            draft.begin_content();
        }
    }

    /// Notes when the sender is to be told that the message is still queued.
    fn put_warning_time(&mut self) {
        let delay = i64::try_from(self.desk.settings.delay_warning_time).unwrap_or(0);
        if delay == 0 || self.envelope.warned || self.sender().is_null() {
            return;
        }
        let time = self.envelope.arrived.map_or(0, |arrived| arrived.seconds).saturating_add(delay);
        record::put(self.segment(), Type::Warn, format!("{time:15}").as_bytes());
    }

    /// Takes a chunk, cut anywhere.
    pub(crate) async fn take_content(&mut self, chunk: &[u8]) {
        self.begin_content();
        let mut rest = chunk;
        while !rest.is_empty() && !self.is_over() {
            if self.content.is_copying() {
                rest = self.copy_lines(rest);
            }
            let Some(at) = memchr::memchr(b'\n', rest) else {
                self.carry(rest).await;
                break;
            };
            let (line, after) = rest.split_at_checked(at).unwrap_or_default();
            rest = after.get(1..).unwrap_or_default();
            if self.content.carry.is_empty() {
                self.line(line, End::Line).await;
            } else {
                let mut whole = std::mem::take(&mut self.content.carry);
                whole.extend_from_slice(line);
                self.line(&whole, End::Line).await;
                whole.clear();
                self.content.carry = whole;
            }
        }
        self.check_size();
        self.relieve().await;
    }

    /// The content is complete.
    pub(crate) async fn end_content(&mut self) {
        self.begin_content();
        let last = std::mem::take(&mut self.content.carry);
        if (!last.is_empty() || self.content.cut) && !self.is_over() {
            self.line(&last, End::Line).await;
        }
        if let Some(mut conversion) = self.content.conversion.take() {
            let mut rest = Vec::new();
            conversion.finish(&mut rest);
            self.walk_all(&rest).await;
        }
        if !self.is_over() {
            let events = self.content.walker.finish();
            for event in events {
                self.event(event).await;
            }
        }
        self.check_size();
    }

    /// Refuses the message if its file is too large, with all that is in it.
    pub(crate) fn check_size(&mut self) {
        let limit = self.desk.settings.limits.message_size;
        let size = self.draft.as_ref().map_or(0, crate::draft::Draft::position);
        if limit > 0 && size > limit && self.fate.refusal.is_none() {
            tracing::warn!("{}: queue file size limit exceeded", self.id);
            self.fate.refuse(Refusal::new(ipc::cleanup::Cause::Size, ""));
        }
    }

    /// Copies whole lines of a body; gives back what is left without a line end, or where a stray CR is, or a boundary
    /// may be.
    fn copy_lines<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let limit = self.desk.settings.limits.line_length;
        let replaces_cr = self.desk.settings.headers.replace_stray_cr;
        let has_boundaries = self.content.walker.is_in_multipart();
        let Some(draft) = &mut self.draft else { return b"" };
        let out = draft.records();
        out.reserve(chunk.len() + chunk.len() / 16);
        let mut start = 0;
        for end in memchr::memchr2_iter(b'\n', b'\r', chunk) {
            if chunk.get(end) == Some(&b'\r') {
                if replaces_cr {
                    break;
                }
                continue;
            }
            let line = chunk.get(start..end).unwrap_or_default();
            if has_boundaries && line.starts_with(b"--") {
                break;
            }
            if line.len() <= limit {
                record::put(out, Type::Line, line);
            } else {
                record::put_line(out, line, limit);
            }
            start = end + 1;
        }
        chunk.get(start..).unwrap_or_default()
    }

    /// Keeps the start of a line; of a long one only what is less than a piece.
    async fn carry(&mut self, start: &[u8]) {
        self.content.carry.extend_from_slice(start);
        let limit = self.desk.settings.limits.line_length;
        if self.content.carry.len() <= limit {
            return;
        }
        let carried = std::mem::take(&mut self.content.carry);
        let mut rest = carried.as_slice();
        while let Some((piece, after)) = rest.split_at_checked(limit).filter(|(_, after)| !after.is_empty()) {
            self.piece(piece, End::Cut).await;
            rest = after;
        }
        self.content.carry = rest.to_vec();
    }

    /// A line, in pieces if it is long.
    async fn line(&mut self, line: &[u8], end: End) {
        let limit = self.desk.settings.limits.line_length.max(1);
        let mut rest = line;
        while let Some((piece, after)) = rest.split_at_checked(limit).filter(|(_, after)| !after.is_empty()) {
            self.piece(piece, End::Cut).await;
            rest = after;
        }
        self.piece(rest, end).await;
    }

    async fn piece(&mut self, piece: &[u8], end: End) {
        self.content.cut = end == End::Cut;
        if self.is_over() {
            return;
        }
        let piece = self.purified(piece);
        match &mut self.content.conversion {
            None => self.walk(&piece, end).await,
            Some(conversion) => {
                let mut converted = Vec::with_capacity(piece.len());
                conversion.line(&piece, end, &mut converted);
                self.walk_all(&converted).await;
            }
        }
        if !self.content.copies {
            self.relieve().await;
        }
    }

    /// Takes what conversion has made: any number of lines, the last one perhaps cut.
    async fn walk_all(&mut self, text: &[u8]) {
        for line in text.split_inclusive(|&b| b == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(line) => self.walk(line, End::Line).await,
                None => self.walk(line, End::Cut).await,
            }
        }
    }

    async fn walk(&mut self, piece: &[u8], end: End) {
        let events = self.content.walker.line(piece, end);
        for event in events {
            self.event(event).await;
        }
    }

    /// The text without what must not be in it.
    fn purified<'p>(&mut self, piece: &'p [u8]) -> Cow<'p, [u8]> {
        let settings = &self.desk.settings.headers;
        let mut piece = Cow::Borrowed(piece);
        if settings.replace_stray_cr && memchr::memchr(b'\r', &piece).is_some() {
            let spaced = piece.iter().map(|&b| if b == b'\r' { b' ' } else { b });
            piece = Cow::Owned(spaced.collect());
        }
        if !settings.are_pedantic() {
            return piece;
        }
        let rejected = piece.iter().any(|byte| settings.reject_characters.contains(byte));
        let given = rejected.then(|| before_nul(&piece).to_vec());
        if settings.strip_characters.iter().any(|byte| piece.contains(byte)) {
            piece =
                Cow::Owned(piece.iter().copied().filter(|byte| !settings.strip_characters.contains(byte)).collect());
        }
        if let Some(given) = given {
            self.log_action("reject", "content", &given, "5.7.1 disallowed character");
            self.fate.refuse(Refusal::new(ipc::cleanup::Cause::Content, "5.7.1 disallowed character"));
        }
        piece
    }

    async fn event(&mut self, event: Event<'_>) {
        if self.is_over() {
            return;
        }
        match event {
            Event::Header(place, text) => self.take_header(place, text).await,
            Event::HeaderEnd(place) => {
                self.content.unchecked = self.desk.settings.limits.body_checks;
                if place == Place::Primary {
                    self.complete_header();
                }
            }
            Event::Separator => self.end_header_early(),
            Event::Body(line, end) => self.take_body(line, end).await,
            Event::Fault(fault, context) => self.take_fault(fault, &context),
        }
    }

    /// The header ended without the empty line that belongs there.
    fn end_header_early(&mut self) {
        let objection = Objection::UnendedHeader;
        match self.desk.settings.mime.unended_header {
            UnendedHeader::Fix => {}
            UnendedHeader::Tell => self.put_header(format!("MIME-Error: {}", objection.words()).as_bytes()),
            UnendedHeader::Reject => self.object(objection, b""),
        }
        self.put_text(b"", End::Line);
    }

    fn take_fault(&mut self, fault: Fault, context: &[u8]) {
        let strict = self.content.strict.encoding_domain == Strictness::Strict;
        match fault {
            Fault::Nesting if self.content.nesting == Strictness::Strict => self.object(Objection::Nesting, context),
            Fault::EncodingDomain if strict => self.object(Objection::EncodingDomain, context),
            Fault::Nesting | Fault::EncodingDomain => {}
        }
    }

    /// Notes what strict settings refuse, and goes on: checks may have more to say. Of each kind one is told.
    pub(crate) fn object(&mut self, objection: Objection, context: &[u8]) {
        if !self.fate.objections.insert(objection) {
            return;
        }
        let context = table::shown(context.get(..100).unwrap_or(context));
        let separator = if context.is_empty() { "" } else { ": " };
        let (words, parties) = (objection.words(), self.parties());
        tracing::info!("{}: reject: mime-error {words}{separator}{context} {parties}", self.id);
    }

    async fn take_body(&mut self, line: &[u8], end: End) {
        let strict = self.content.strict.body == Strictness::Strict;
        if strict && !line.is_ascii() && self.content.walker.encoding() == Encoding::Seven {
            self.object(Objection::EightBitBody, line);
        }
        if self.content.walker.is_at_boundary() {
            self.content.unchecked = self.desk.settings.limits.body_checks;
        }
        let checked = self.handling.checks == Switch::On && self.desk.tables.checks.cover(Part::Body);
        if !checked || self.content.unchecked == 0 {
            return self.put_text(line, end);
        }
        self.content.unchecked = self.content.unchecked.saturating_sub(line.len() as u64 + 1);
        match self.check(Part::Body, line).await {
            Judgement::Keep => self.put_text(line, end),
            Judgement::Drop => {}
            Judgement::Replace(text) => self.put_text(&text, end),
            Judgement::Prepend(text) => {
                self.put_text(&text, End::Line);
                self.put_text(line, end);
            }
        }
    }

    /// Writes a line of content.
    pub(crate) fn put_text(&mut self, line: &[u8], end: End) {
        let limit = self.desk.settings.limits.line_length;
        let Some(draft) = &mut self.draft else { return };
        match end {
            End::Line => record::put_line(draft.records(), line, limit),
            End::Cut => record::put(draft.records(), Type::Filter, line),
        }
    }

    /// Writes all lines of a header.
    pub(crate) fn put_header(&mut self, text: &[u8]) {
        self.content.header.written += 1;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text).chain([text.len()]) {
            self.put_text(text.get(start..end).unwrap_or_default(), End::Line);
            start = end + 1;
        }
    }
}
