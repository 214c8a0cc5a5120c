//! Mail filters: they see the message as it is going to be queued, and what they change is changed before it is.
//!
//! Of mail that comes by SMTP the caller has shown the envelope, and passes the content on; to other mail the filters of
//! `non_smtpd_milters` are asked from here, see [`local`]. A filter works on what the one before it has made:
//! [`shown`] is the message as they see it, [`edit`] does what they ask for. See MILTER_README.

mod edit;
mod local;
mod shown;

pub(crate) use edit::CHECKED;

use std::sync::Arc;

use ::milter::chain::{ANSWERS, Chain, MacroNames, Macros, Plain, Verdict, held, plain};
use ::milter::packet::{self, Command, Response, protocol};
use ::milter::spec::Spec;
use bytes::Bytes;
use ipc::cleanup::{Cause, Origin, Reply, Request, Switch};
use ipc::frame::Frame;
use ipc::{Channel, Error};

use crate::fate::Refusal;
use crate::message::Message;
use crate::settings::Params;
use shown::Shown;

/// The connection to whoever hands messages in.
pub(crate) type Line = Channel<Reply, Request>;

/// What is set up for mail that does not come by SMTP.
pub(crate) struct Filters {
    specs: Vec<Arc<Spec>>,
    names: Arc<MacroNames>,
    /// `milter_macro_daemon_name`
    daemon_name: String,
    /// `milter_macro_v`
    version: String,
}

impl Filters {
    pub(crate) fn new(params: &Params) -> Self {
        let (milter, ports) = (&params.milter, &params.daemon.known_tcp_ports);
        Self {
            specs: Spec::list(&milter.non_smtpd_milters, milter, ports).into_iter().map(Arc::new).collect(),
            names: Arc::new(MacroNames::new(&params.milter)),
            daemon_name: params.milter.milter_macro_daemon_name.clone(),
            version: params.milter.milter_macro_v.clone(),
        }
    }
}

/// What is packed before it is sent.
const BATCH: usize = 32 * 1024;

/// Who passes packets to filters.
enum Way<'w> {
    /// The caller.
    Caller(&'w mut Line, std::time::Duration),
    /// We ourselves.
    Own(&'w mut Chain, Macros<'w>),
}

impl Way<'_> {
    async fn ask(&mut self, number: u32, packets: Vec<u8>) -> Result<Vec<u8>, Error> {
        match self {
            Way::Own(chain, macros) => Ok(Box::pin(chain.pass(number, &packets, *macros)).await),
            Way::Caller(line, deadline) => {
                line.send(&Reply::Filter { number, packets: Bytes::from(packets) })?;
                line.flush().await?;
                let mut answers = Vec::new();
                loop {
                    let frame = tokio::time::timeout(*deadline, line.receive_frame()).await;
                    match frame.map_err(|_| Error::Timeout)?? {
                        Some(Frame::Raw(part)) if answers.len() < ANSWERS => answers.extend_from_slice(&part),
                        Some(Frame::Message(Request::Filtered)) => return Ok(answers),
                        Some(Frame::Raw(_) | Frame::Message(_)) => return Err(Error::Malformed("no filter's answer")),
                        None => return Err(Error::Closed),
                    }
                }
            }
        }
    }
}

/// One filter that is asked: its number, and its protocol flags.
#[derive(Clone, Copy)]
struct Reader {
    number: u32,
    flags: u32,
}

impl Reader {
    fn wants(self, unwanted: u32) -> bool {
        self.flags & unwanted == 0
    }
}

/// Why showing came to an end before its end.
enum Stop {
    Trouble(Refusal),
    /// A filter's answer before the end of the message.
    Answer(Vec<u8>),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Trouble(refusal)
    }
}

impl Message {
    /// Whether filters of our own are asked.
    pub(crate) fn has_own_filters(&self) -> bool {
        self.handling.milters == Switch::On
            && self.handling.origin != Origin::Smtpd
            && !self.desk.filters.specs.is_empty()
    }

    /// Shows the message to its filters, and does what they say.
    pub(crate) async fn filter(&mut self, line: Option<&mut Line>) -> Result<(), Refusal> {
        if self.handling.milters == Switch::Off {
            return Ok(());
        }
        if self.has_own_filters() {
            return Box::pin(self.filter_locally()).await;
        }
        let readers = std::mem::take(&mut self.filters);
        match line {
            Some(line) if !readers.is_empty() => {
                let deadline = self.desk.settings.deadline;
                Box::pin(self.show(readers, Way::Caller(line, deadline))).await
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn show(&mut self, readers: Vec<(u32, u32)>, mut way: Way<'_>) -> Result<(), Refusal> {
        let draft = self.draft.take().ok_or_else(Refusal::write)?;
        let (draft, shown) = Shown::of(draft, self.content.header.trace).await.map_err(|error| {
            self.write_error(&error);
            Refusal::write()
        })?;
        self.draft = Some(draft);
        let mut shown = shown;
        for (number, flags) in readers {
            if self.is_over() || self.fate.refusal.is_some() {
                break;
            }
            let answers = match show_to(&mut shown, Reader { number, flags }, &mut way).await {
                Ok(answers) | Err(Stop::Answer(answers)) => answers,
                Err(Stop::Trouble(refusal)) => return Err(refusal),
            };
            self.obey_filter(&mut shown, flags, &answers).await?;
        }
        if !shown.is_changed() || self.fate.discard {
            return Ok(());
        }
        let draft = self.draft.take().ok_or_else(Refusal::write)?;
        match draft.replace(shown.into_replacement(self.desk.settings.limits.line_length)).await {
            Ok(draft) => self.draft = Some(draft),
            Err(error) => self.write_error(&error),
        }
        Ok(())
    }

    /// Does what a filter's answers say, the last of which is its verdict.
    async fn obey_filter(&mut self, shown: &mut Shown, flags: u32, answers: &[u8]) -> Result<(), Refusal> {
        let mut body: Option<Vec<u8>> = None;
        // Recipients to be removed: those that are named one after the other go together.
        let mut gone = Vec::new();
        let mut hold = None;
        for answer in packet::split(answers) {
            let Ok(response) = packet::parse(answer) else {
                tracing::warn!("{}: malformed answer of a milter", self.id);
                return Err(Refusal::new(Cause::Defer, ::milter::spec::LATER));
            };
            if let Response::ReplaceBody(part) = response {
                body.get_or_insert_default().extend_from_slice(&part);
                continue;
            }
            if let Response::DeleteRecipient(given) = response {
                gone.push(given);
                continue;
            }
            if let Response::Quarantine(reason) = response {
                hold.get_or_insert(reason);
                continue;
            }
            self.delete_recipients(shown, &std::mem::take(&mut gone));
            match plain(response.clone()) {
                Some(Plain::Continue | Plain::Accept) => {}
                Some(Plain::Verdict(verdict)) => self.take_verdict("END-OF-MESSAGE", verdict),
                None => self.change(shown, flags, response).await?,
            }
        }
        self.delete_recipients(shown, &gone);
        if let Some(body) = body {
            shown.replace_body(&body, self.desk.settings.limits.line_length);
        }
        // What is refused or thrown away after all need not be held.
        if let Some(reason) = hold.filter(|_| !self.is_over() && self.fate.refusal.is_none()) {
            let reason = String::from_utf8_lossy(&reason).into_owned();
            self.take_verdict("END-OF-MESSAGE", Verdict::Hold(reason));
        }
        Ok(())
    }

    /// Notes and logs a verdict.
    fn take_verdict(&mut self, event: &str, verdict: Verdict) {
        let (action, text) = match &verdict {
            Verdict::Continue => return,
            Verdict::Hold(_) if self.fate.hold => return,
            Verdict::Hold(reason) => ("milter-hold", held(reason)),
            Verdict::Discard => ("milter-discard", "milter triggers DISCARD action".to_owned()),
            Verdict::Shutdown => ("milter-reject", "4.3.2 Server closing connection".to_owned()),
            Verdict::Reply(reply) => ("milter-reject", reply.get(4..).unwrap_or_default().to_owned()),
        };
        let text: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        self.log_verdict(action, event, &text);
        match verdict {
            Verdict::Continue => {}
            Verdict::Hold(_) => self.fate.hold = true,
            Verdict::Discard => self.fate.discard = true,
            Verdict::Shutdown => self.fate.refuse(Refusal::new(Cause::Shutdown, "421 4.7.0 Server closing connection")),
            Verdict::Reply(reply) => {
                let cause = if reply.starts_with('4') { Cause::Defer } else { Cause::Content };
                // Who returns the message has no use for the code.
                let code = if self.handling.bounce == Switch::On { 4 } else { 0 };
                self.fate.refuse(Refusal::new(cause, reply.get(code..).unwrap_or_default()));
            }
        }
    }

    fn log_verdict(&self, action: &str, event: &str, text: &str) {
        let client = &self.envelope.client;
        let mut line = format!("{}: {action}: {event} from {}: {text};", self.id, client.namaddr());
        line += &self.addresses();
        line += &client.hello();
        tracing::info!("{line}");
    }
}

/// Shows headers, body and end to one filter. Gives what it says at the end.
async fn show_to(shown: &mut Shown, reader: Reader, way: &mut Way<'_>) -> Result<Vec<u8>, Stop> {
    let mut batch = Vec::new();
    match show_content(shown, reader, way, &mut batch).await {
        Ok(()) => {}
        Err(Stop::Answer(answers)) if answers.get(4..) == Some(b"s") => batch.clear(),
        Err(stop) => return Err(stop),
    }
    Command::EndOfMessage.write(&mut batch);
    let answers = ask(way, reader, &mut batch).await?;
    if answers.get(4..) != Some(b"s") {
        return Ok(answers);
    }
    // It has skipped the rest of a body whose end was in the same batch.
    Command::EndOfMessage.write(&mut batch);
    Ok(ask(way, reader, &mut batch).await?)
}

async fn show_content(shown: &mut Shown, reader: Reader, way: &mut Way<'_>, batch: &mut Vec<u8>) -> Result<(), Stop> {
    if reader.wants(protocol::NO_HEADERS) {
        for header in shown.visible() {
            let (name, value) = header.parts(reader.flags & protocol::LEADING_SPACE != 0);
            Command::Header(name, value).write(batch);
            if batch.len() > BATCH {
                flush(way, reader, batch).await?;
            }
        }
    }
    if reader.wants(protocol::NO_EOH) {
        Command::EndOfHeader.write(batch);
    }
    if !reader.wants(protocol::NO_BODY) {
        return Ok(());
    }
    let mut body = shown.body();
    loop {
        let (back, chunk) = shown::next_chunk(body).await.map_err(|_| Refusal::write())?;
        let Some(chunk) = chunk else { break };
        body = back;
        if batch.len() + chunk.len() > BATCH && !batch.is_empty() {
            flush(way, reader, batch).await?;
        }
        Command::Body(chunk).write(batch);
    }
    Ok(())
}

/// Sends what has been packed; stops at an answer that is more than "continue".
async fn flush(way: &mut Way<'_>, reader: Reader, batch: &mut Vec<u8>) -> Result<(), Stop> {
    let answers = ask(way, reader, batch).await?;
    if answers.is_empty() { Ok(()) } else { Err(Stop::Answer(answers)) }
}

async fn ask(way: &mut Way<'_>, reader: Reader, batch: &mut Vec<u8>) -> Result<Vec<u8>, Refusal> {
    way.ask(reader.number, std::mem::take(batch)).await.map_err(|error| {
        tracing::warn!("internal connection: {error}");
        Refusal::write()
    })
}
