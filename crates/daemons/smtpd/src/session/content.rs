//! The content of a message: read, unstuffed, measured, handed on in large pieces, and settled at its end.

use std::sync::Arc;

use ipc::cleanup::mend_beginning;
use milter::chain::Chain;
use smtp_proto::bdat::Place;
use smtp_proto::conn;
use smtp_proto::dot::Decoder;
use smtp_proto::{Enhanced, Reply};
use tracing::warn;

use super::transaction::Envelope;
use super::{Next, Session};
use crate::access::{Check, Fault};
use crate::settings::BareNewlines;
use crate::sink::{Outcome, Relay, Sink};

/// Content that was read, and how it fares.
#[derive(Debug, Default)]
pub(crate) struct Content {
    text: Vec<u8>,
    /// Where in `text` the client's own text begins, until that was looked at.
    beginning: Option<usize>,
    pub(crate) size: u64,
    pub(crate) trouble: Option<Trouble>,
    /// The last byte of a chunk was a CR that may belong to a line end.
    held: bool,
    /// Some line ended without CR.
    bare: bool,
    pub(crate) framing: Framing,
}

/// How content came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Behind DATA.
    #[default]
    Dots,
    /// Behind BDAT.
    Chunks,
}

/// Why content is read but not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    TooLarge,
    /// The next process does not take it.
    Sink,
}

impl Trouble {
    pub(crate) fn refusal(self) -> Next {
        match self {
            Self::TooLarge => Next::Fault(Fault::Bounce, too_large()),
            Self::Sink => Next::Fault(Fault::Resource, crate::sink::write_error()),
        }
    }
}

/// Text is handed on in pieces of about this size.
const PIECE: usize = 60 * 1024;

/// The line that ends content behind DATA: a dot, CR, LF.
const END_OF_CONTENT: u64 = 3;

impl Session {
    /// Reads content behind DATA to its end.
    pub(crate) async fn receive(&mut self, envelope: &mut Envelope) -> Result<Content, conn::Error> {
        let mut content = self.begin_content(envelope, Framing::Dots).await;
        let normal = self.server.settings.bare_newline;
        let excluded = normal != BareNewlines::Allow && self.is_excluded_from_bare_newline().await;
        let policy = if excluded { BareNewlines::Allow } else { normal };
        let mut decoder = Decoder::new(policy.decoding());
        loop {
            let progress = decoder.push(self.conn.buffered(), &mut content.text);
            let read = self.conn.buffered().get(..progress.consumed).unwrap_or_default();
            // What is lost with the connection is counted in whole lines.
            if let Some(at) = memchr::memrchr(b'\n', read) {
                self.progress = Some(content.size + at as u64 + 1);
            }
            self.conn.consume(progress.consumed);
            content.size += progress.consumed as u64;
            if progress.end {
                content.size = content.size.saturating_sub(END_OF_CONTENT);
                self.progress = Some(content.size);
            }
            self.hand_on(envelope, &mut content, if progress.end { Place::Last } else { Place::Middle }).await;
            if progress.end {
                content.bare = decoder.seen_bare_newline();
                return Ok(content);
            }
            self.conn.fill().await?;
        }
    }

    /// Our own headers come first.
    pub(crate) async fn begin_content(&self, envelope: &mut Envelope, framing: Framing) -> Content {
        let mut content = Content { framing, ..Content::default() };
        match &mut envelope.sink {
            Some(sink) => {
                if sink.begin(&envelope.actions).await.is_err() {
                    content.trouble = Some(Trouble::Sink);
                }
            }
            None => content.trouble = Some(Trouble::Sink),
        }
        content.text = self.leading_headers(envelope).into_bytes();
        content.beginning = Some(content.text.len());
        content
    }

    /// Passes on what has come together, unless it is too much altogether.
    async fn hand_on(&self, envelope: &mut Envelope, content: &mut Content, place: Place) {
        let limit = self.server.params.queue.message_size_limit;
        // What has come of the line that ends the content is not part of it.
        let slack = if place == Place::Last { 0 } else { END_OF_CONTENT };
        if limit > 0 && content.size > limit.saturating_add(slack) && content.trouble.is_none() {
            warn!("{}: queue file size limit exceeded", envelope.queue_id.as_deref().unwrap_or("NOQUEUE"));
            content.trouble = Some(Trouble::TooLarge);
        }
        // Nobody needs to see what is thrown away.
        if content.trouble.is_some() || envelope.actions.discard {
            content.text.clear();
        } else if (place == Place::Last || content.text.len() >= PIECE)
            && let Some(sink) = &mut envelope.sink
        {
            if let Some(beginning) = content.beginning.take() {
                mend_beginning(&mut content.text, beginning);
            }
            if sink.content(&content.text).await.is_err() {
                content.trouble = Some(Trouble::Sink);
            }
            content.text.clear();
        }
    }

    /// Reads a chunk of BDAT: lines end with CR LF, dots are text.
    pub(crate) async fn receive_chunk(
        &mut self,
        envelope: &mut Envelope,
        content: &mut Content,
        size: u64,
        place: Place,
    ) -> Result<(), conn::Error> {
        let mut left = size;
        while left > 0 {
            if self.conn.buffered().is_empty() {
                self.conn.fill().await?;
            }
            let here = self.conn.buffered();
            let part = usize::try_from(left).unwrap_or(usize::MAX).min(here.len());
            unwire(here.get(..part).unwrap_or_default(), content);
            self.conn.consume(part);
            left -= part as u64;
            self.progress = Some(content.size);
            self.hand_on(envelope, content, Place::Middle).await;
        }
        if place == Place::Last {
            if std::mem::take(&mut content.held) {
                content.text.push(b'\r');
            }
            // A last line without its end gets one.
            if content.text.last().is_some_and(|byte| *byte != b'\n') {
                content.text.push(b'\n');
                content.size += 2;
            }
            self.progress = Some(content.size);
            self.hand_on(envelope, content, Place::Last).await;
        }
        Ok(())
    }

    /// The content is complete: asks the last restrictions, commits, and replies.
    pub(crate) async fn settle(&mut self, mut envelope: Box<Envelope>, content: &Content) -> Next {
        self.stage = super::AFTER_CONTENT;
        let next = self.decide(&mut envelope, content).await;
        if let Some(sink) = envelope.sink.take() {
            sink.abandon();
        }
        if matches!(next, Next::Error(_) | Next::Fault(..)) {
            self.refused = Some(envelope);
        }
        self.progress = None;
        self.forget_message();
        // What an upstream filter tells of a client is for one message (XFORWARD_README).
        self.forward = Default::default();
        self.conn.release();
        self.history.end_message();
        next
    }

    async fn decide(&mut self, envelope: &mut Envelope, content: &Content) -> Next {
        if let Some(trouble) = content.trouble {
            return trouble.refusal();
        }
        if content.bare && self.forbids_bare_newline().await {
            return Next::Error(self.bare_newline(Some(envelope)));
        }
        if let Err(reply) = self.check_end_of_data(envelope).await {
            return Next::Error(*reply);
        }
        self.commit(envelope, content).await
    }

    async fn check_end_of_data(&mut self, envelope: &mut Envelope) -> crate::access::stages::Outcome {
        if self.server.rules.end_of_data.is_empty() {
            return Ok(());
        }
        let server = Arc::clone(&self.server);
        let mut actions = std::mem::take(&mut envelope.actions);
        let facts = self.facts_of_message(envelope);
        let mut check = Check::new(&server, facts, &mut actions, envelope.deferral.clone());
        let outcome = Box::pin(check.end_of_data()).await;
        let (faults, _) = super::faults_of(check);
        envelope.actions = actions;
        self.faults.extend(faults);
        outcome
    }

    async fn commit(&mut self, envelope: &mut Envelope, content: &Content) -> Next {
        let Some(sink) = envelope.sink.take() else { return Trouble::Sink.refusal() };
        let id = envelope.queue_id.clone().unwrap_or_default();
        let outcome = match self.milters.take() {
            Some(mut chain) => {
                let outcome = Box::pin(self.finish_filtered(envelope, sink, &mut chain)).await;
                self.milters = Some(chain);
                outcome
            }
            None => sink.finish(&envelope.actions, None).await,
        };
        match outcome {
            Outcome::Queued => self.queued(content, &id),
            Outcome::Posted(id) => self.queued(content, &id),
            Outcome::Said(reply) if reply.is_positive() => {
                self.forgive();
                self.log_filter("proxy-accept", &reply, envelope);
                Next::Reply(reply)
            }
            Outcome::Said(reply) => {
                self.log_filter("proxy-reject", &reply, envelope);
                Next::Error(reply)
            }
            Outcome::Refused(reply, fault) => match fault {
                Some(fault) => Next::Fault(fault, reply),
                None => Next::Error(reply),
            },
        }
    }

    /// A client whose message is accepted has made no mistakes.
    fn forgive(&mut self) {
        (self.errors, self.junk) = (0, 0);
        self.faults.clear();
    }

    fn queued(&mut self, content: &Content, id: &str) -> Next {
        self.forgive();
        let text = match content.framing {
            Framing::Chunks => format!("Ok: {} bytes queued as {id}", content.size),
            Framing::Dots => format!("Ok: queued as {id}"),
        };
        Next::Reply(Reply::new(250, Some(Enhanced(2, 0, 0)), text))
    }

    /// Ends a message whose content the mail filters of the session see first.
    async fn finish_filtered(&self, envelope: &Envelope, sink: Sink, chain: &mut Chain) -> Outcome {
        let about = self.told_of(envelope, None).await;
        let macros = |name: &str| self.macro_value(name, &about);
        sink.finish(&envelope.actions, Some(Relay { chain, macros: &macros })).await
    }

    fn log_filter(&self, what: &str, reply: &Reply, envelope: &Envelope) {
        let helo = self.helo.as_ref().map(|helo| helo.name.as_str());
        let log_form = self.server.settings.log_form;
        let mut line = format!(
            "NOQUEUE: {what}: END-OF-MESSAGE: {}; from=<{}>",
            reply.logged_whole(),
            log_form.shown(&envelope.sender.address)
        );
        if let Some(recipient) = &envelope.recipients.first {
            line.push_str(&format!(" to=<{}>", log_form.shown(recipient)));
        }
        line.push_str(&format!(" proto={}", self.protocol()));
        if let Some(helo) = helo {
            line.push_str(&format!(" helo=<{}>", crate::text::printable(helo.as_bytes())));
        }
        tracing::info!("{line}");
    }
}

/// Line ends of a chunk become LF; each counts as two bytes. A CR at its end waits for the next chunk.
fn unwire(mut bytes: &[u8], content: &mut Content) {
    let mut after_cr = std::mem::take(&mut content.held);
    if after_cr && bytes.first() != Some(&b'\n') {
        content.text.push(b'\r');
        after_cr = false;
    }
    content.size += bytes.len() as u64;
    while let Some(at) = memchr::memchr(b'\n', bytes) {
        let line = bytes.get(..at).unwrap_or_default();
        let whole = line.strip_suffix(b"\r");
        if whole.is_none() && !std::mem::take(&mut after_cr) {
            content.bare = true;
            content.size += 1;
        }
        content.text.extend_from_slice(whole.unwrap_or(line));
        content.text.push(b'\n');
        bytes = bytes.get(at + 1..).unwrap_or_default();
    }
    match bytes.strip_suffix(b"\r") {
        Some(rest) => {
            content.text.extend_from_slice(rest);
            content.held = true;
        }
        None => content.text.extend_from_slice(bytes),
    }
}

pub(crate) fn too_large() -> Reply {
    Reply::fixed(552, Enhanced(5, 3, 4), "Error: message file too big")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_across_chunks() {
        let mut content = Content::default();
        for chunk in [&b"a\r"[..], b"\nb\r\nc\rd\r\n", b"", b"e\r", b"f"] {
            unwire(chunk, &mut content);
        }
        assert_eq!(content.text, b"a\nb\nc\rd\ne\rf");
        assert!(!content.held);
        assert_eq!((content.bare, content.size), (false, 14));
        unwire(b"\nx", &mut content);
        assert_eq!((content.bare, content.size), (true, 17), "a bare LF counts as two bytes");
    }
}
