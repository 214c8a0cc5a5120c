//! The filters of a session, asked one after the other until one has something to say.

use config::endpoint::Endpoint;

use crate::filter::{Error, Filter, Raw};
use crate::packet::{self, Command, Response};
use crate::spec::{Fallback, Spec};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

mod answer;
mod macros;

pub use answer::{ANSWERS, Plain, REJECTED, held, plain};
pub use macros::{MacroNames, Macros};

use answer::{DEFAULT_ACTION, MALFORMED, has_room, own_reply};
use macros::stage;

/// What filters say to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Continue,
    /// An SMTP reply that refuses: `550 5.7.1 text`, or several lines of that form.
    Reply(String),
    /// Accept and throw away.
    Discard,
    /// Accept and put on hold, for this reason.
    Hold(String),
    /// End the session.
    Shutdown,
}

/// A filter's connection, of whichever kind.
trait Line: AsyncRead + AsyncWrite + Unpin + Send + Sync + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync + std::fmt::Debug> Line for T {}

/// The filters of one session.
#[derive(Debug)]
pub struct Chain {
    links: Vec<Link>,
    names: Arc<MacroNames>,
}

/// A filter, with what it has said for good.
#[derive(Debug)]
struct Link {
    spec: Arc<Spec>,
    filter: Option<Filter<Box<dyn Line>>>,
    standing: Option<Standing>,
    /// It has heard of a message that is not at its end.
    in_message: bool,
}

/// An answer that holds for what comes, too.
#[derive(Debug, Clone)]
struct Standing {
    verdict: Verdict,
    span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    Message,
    Session,
}

impl Chain {
    /// Filters that are connected at the first event.
    #[must_use]
    pub fn new(specs: &[Arc<Spec>], names: Arc<MacroNames>) -> Self {
        let link = |spec: &Arc<Spec>| Link { spec: Arc::clone(spec), filter: None, standing: None, in_message: false };
        Self { links: specs.iter().map(link).collect(), names }
    }

    /// Connects to all; who is not there counts as its default action says.
    pub async fn open(&mut self) {
        for link in &mut self.links {
            link.open().await;
        }
    }

    /// Tells an event; the first answer that is more than "continue" ends the round.
    pub async fn tell(&mut self, command: &Command, macros: Macros<'_>) -> Verdict {
        for link in &mut self.links {
            let macros = link.macros(&self.names, command.letter(), macros);
            let verdict = link.tell(command, &macros).await;
            if verdict != Verdict::Continue {
                return verdict;
            }
        }
        Verdict::Continue
    }

    /// What was refused for the whole session, for commands that filters do not hear of.
    #[must_use]
    pub fn standing(&self) -> Verdict {
        let lasting = |link: &Link| link.standing.clone().filter(|standing| standing.span == Span::Session);
        let refusals = self.links.iter().filter_map(lasting).map(|standing| standing.verdict);
        refusals.into_iter().find(|verdict| *verdict != Verdict::Continue).unwrap_or(Verdict::Continue)
    }

    /// Whether some filter wants to hear of recipients that are refused.
    #[must_use]
    pub fn wants_refused_recipients(&self) -> bool {
        self.links.iter().any(Link::wants_refused_recipients)
    }

    /// Tells of a recipient that was refused; what filters say of it does not matter.
    pub async fn tell_refused(&mut self, command: &Command, macros: Macros<'_>) {
        for link in self.links.iter_mut().filter(|link| link.wants_refused_recipients()) {
            let macros = link.macros(&self.names, command.letter(), macros);
            let _ = link.tell(command, &macros).await;
        }
    }

    /// The filters that want to see the content: their numbers here, and what of it they want.
    #[must_use]
    pub fn readers(&self) -> Vec<(u32, u32)> {
        let reader = |(number, link): (usize, &Link)| {
            let filter = link.filter.as_ref().filter(|_| link.standing.is_none())?;
            Some((u32::try_from(number).ok()?, filter.options().protocol))
        };
        self.links.iter().enumerate().filter_map(reader).collect()
    }

    /// Passes packets of the content to one filter; gives its answers as they came. Ends early at an answer that is
    /// more than "continue".
    pub async fn pass(&mut self, number: u32, packets: &[u8], macros: Macros<'_>) -> Vec<u8> {
        let mut answers = Vec::new();
        if let Some(link) = usize::try_from(number).ok().and_then(|number| self.links.get_mut(number)) {
            link.pass(packets, (&self.names, macros), &mut answers).await;
        }
        answers
    }

    /// The message is over, or given up.
    pub fn forget_message(&mut self) {
        for link in &mut self.links {
            link.forget_message();
        }
    }

    /// The session is over.
    pub async fn quit(&mut self) {
        for link in &mut self.links {
            if let Some(mut filter) = link.filter.take() {
                let _ = filter.tell(&Command::Quit, &[], link.spec.command_timeout).await;
            }
        }
    }
}

impl Link {
    async fn open(&mut self) {
        let spec = Arc::clone(&self.spec);
        let Some(endpoint) = &spec.endpoint else { return self.fail() };
        let stream = match timeout(spec.connect_timeout, connect(endpoint)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::warn!("connect to Milter service {}: {}", spec.name, system_text(&error));
                return self.fail();
            }
            Err(_) => {
                tracing::warn!("connect to Milter service {}: Connection timed out", spec.name);
                return self.fail();
            }
        };
        match Filter::negotiate(stream, spec.version, spec.connect_timeout).await {
            Ok(filter) => self.filter = Some(filter),
            Err(error) => self.broken("SMFIC_OPTNEG", &error),
        }
    }

    /// The default action holds from now on.
    fn fail(&mut self) {
        self.filter = None;
        let verdict = match &self.spec.default {
            Fallback::Accept => Verdict::Continue,
            Fallback::Reply(text) => Verdict::Reply(text.clone()),
            Fallback::Discard => Verdict::Discard,
            Fallback::Quarantine => Verdict::Hold(DEFAULT_ACTION.to_owned()),
            Fallback::Shutdown => Verdict::Shutdown,
        };
        self.standing = Some(Standing { verdict, span: Span::Session });
    }

    fn broken(&mut self, event: &str, error: &Error) {
        let text = match error {
            Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => HUNG_UP.to_owned(),
            Error::Io(error) => system_text(error),
            Error::Timeout => "Connection timed out".to_owned(),
            Error::Malformed | Error::TooMuch => error.to_string(),
        };
        tracing::warn!("milter {}: can't read {event} reply packet header: {text}", self.spec.name);
        self.fail();
    }

    async fn tell(&mut self, command: &Command, macros: &[(String, String)]) -> Verdict {
        if let Some(standing) = &self.standing {
            return match (&standing.verdict, command) {
                // Nothing can be thrown away before there is a message.
                (Verdict::Discard, Command::Connect { .. } | Command::Helo(_)) => Verdict::Continue,
                (verdict, _) => verdict.clone(),
            };
        }
        let Some(filter) = &mut self.filter else { return Verdict::Continue };
        self.in_message |= matches!(command, Command::Mail(_));
        match filter.tell(command, macros, self.spec.command_timeout).await {
            Ok(Response::Quarantine(reason)) => Box::pin(self.hold(command, &reason)).await,
            Ok(response) => self.conclude(command, response),
            Err(error) => {
                self.broken(name(command.letter()), &error);
                Box::pin(self.tell(command, &[])).await
            }
        }
    }

    /// A message that is put on hold before its end: the filter is not asked of it any more, unless it refuses after all.
    async fn hold(&mut self, command: &Command, reason: &[u8]) -> Verdict {
        loop {
            let Some(filter) = &mut self.filter else { return Verdict::Continue };
            match filter.answer(self.spec.command_timeout).await {
                Ok(Response::Quarantine(_)) => {}
                Ok(Response::Continue | Response::Accept) => {
                    let verdict = Verdict::Hold(String::from_utf8_lossy(reason).into_owned());
                    self.standing = Some(Standing { verdict: verdict.clone(), span: span(command) });
                    return verdict;
                }
                Ok(response) => return self.conclude(command, response),
                Err(error) => {
                    self.broken(name(command.letter()), &error);
                    return Box::pin(self.tell(command, &[])).await;
                }
            }
        }
    }

    /// What an answer to a command means.
    fn conclude(&mut self, command: &Command, response: Response) -> Verdict {
        if let Response::Reply(text) = &response {
            self.judge(text);
        }
        let span = span(command);
        let early = span == Span::Session;
        let verdict = match plain(response) {
            Some(Plain::Continue) => return Verdict::Continue,
            Some(Plain::Accept) => {
                self.standing = Some(Standing { verdict: Verdict::Continue, span });
                return Verdict::Continue;
            }
            Some(Plain::Verdict(Verdict::Discard)) if early => {
                tracing::warn!("milter {}: DISCARD action is not allowed for connect or helo", self.spec.name);
                return Verdict::Continue;
            }
            Some(Plain::Verdict(verdict)) => verdict,
            None => {
                self.unexpected(command.letter());
                return self.standing.as_ref().map_or(Verdict::Continue, |standing| standing.verdict.clone());
            }
        };
        if early || verdict == Verdict::Shutdown {
            self.standing = Some(Standing { verdict: verdict.clone(), span: Span::Session });
        } else if verdict == Verdict::Discard {
            self.standing = Some(Standing { verdict: Verdict::Continue, span: Span::Message });
        }
        verdict
    }

    /// The macros of an event; nothing for a filter that is not asked.
    fn macros(&self, names: &MacroNames, letter: u8, lookup: Macros<'_>) -> Vec<(String, String)> {
        let stage = stage(letter);
        match &self.filter {
            Some(filter) if self.standing.is_none() => names.values(stage, filter.requested(stage), lookup),
            Some(_) | None => Vec::new(),
        }
    }

    async fn pass(&mut self, packets: &[u8], macros: (&MacroNames, Macros<'_>), answers: &mut Vec<u8>) {
        for body in packet::split(packets) {
            let Some(letter) = body.first().copied() else { return };
            let mut bytes = Vec::with_capacity(body.len() + 4);
            packet::write_raw(&mut bytes, body);
            let macros = self.macros(macros.0, letter, macros.1);
            if let Err(error) = self.pass_one(Raw { letter, bytes: &bytes }, &macros, answers).await {
                self.broken(name(letter), &error);
                self.default_answer(answers);
                return;
            }
            if !answers.is_empty() {
                return;
            }
        }
    }

    async fn pass_one(
        &mut self,
        packet: Raw<'_>,
        macros: &[(String, String)],
        answers: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let Some(filter) = self.filter.as_mut() else {
            self.default_answer(answers);
            return Ok(());
        };
        let last = packet.letter == b'E';
        let deadline = if last { self.spec.content_timeout } else { self.spec.command_timeout };
        let Some(mut answer) = filter.pass(packet, macros, deadline).await? else { return Ok(()) };
        while answer.first().is_some_and(|letter| if last { CHANGES.contains(letter) } else { *letter == b'q' }) {
            if !has_room(answers.len(), answer.len()) {
                answers.clear();
                return Err(Error::TooMuch);
            }
            packet::write_raw(answers, &answer);
            answer = filter.raw_answer(deadline).await?;
        }
        if !answer.first().is_some_and(|letter| VERDICTS.contains(letter)) {
            self.unexpected(packet.letter);
            answers.clear();
            self.default_answer(answers);
        } else if last || answer != b"c" || !answers.is_empty() {
            packet::write_raw(answers, &answer);
            self.judge_answer(&answer);
        }
        self.in_message &= !last;
        Ok(())
    }

    /// An answer that has no place here: the default action holds from now on.
    fn unexpected(&mut self, letter: u8) {
        tracing::warn!("milter {}: unexpected filter response after event {}", self.spec.name, name(letter));
        self.fail();
    }

    fn judge_answer(&mut self, answer: &[u8]) {
        if let Some((b'y', text)) = answer.split_first() {
            self.judge(text.strip_suffix(b"\0").unwrap_or(text));
        }
    }

    /// A filter whose reply is none is not asked any more.
    fn judge(&mut self, text: &[u8]) {
        if own_reply(text).is_none() {
            tracing::warn!("milter {}: malformed reply: {}", self.spec.name, String::from_utf8_lossy(text));
            self.filter = None;
            self.standing = Some(Standing { verdict: Verdict::Reply(MALFORMED.to_owned()), span: Span::Session });
        }
    }

    /// What stands for the answer of a filter that is gone.
    fn default_answer(&self, answers: &mut Vec<u8>) {
        match &self.spec.default {
            Fallback::Accept => packet::write_raw(answers, b"a"),
            Fallback::Reply(text) => packet::write_raw(answers, format!("y{text}\0").as_bytes()),
            Fallback::Discard => packet::write_raw(answers, b"d"),
            Fallback::Quarantine => {
                packet::write_raw(answers, format!("q{DEFAULT_ACTION}\0").as_bytes());
                packet::write_raw(answers, b"a");
            }
            Fallback::Shutdown => packet::write_raw(answers, b"4"),
        }
    }

    fn wants_refused_recipients(&self) -> bool {
        let flags = self.filter.as_ref().map_or(0, |filter| filter.options().protocol);
        self.standing.is_none() && flags & packet::protocol::REJECTED_RCPT != 0
    }

    fn forget_message(&mut self) {
        if std::mem::take(&mut self.in_message)
            && let Some(filter) = &mut self.filter
        {
            filter.forget();
        }
        if self.standing.as_ref().is_some_and(|standing| standing.span == Span::Message) {
            self.standing = None;
        }
    }
}

/// What logs call it that a filter has closed its connection.
const HUNG_UP: &str = "Application error";

/// How long an answer to a command may hold.
fn span(command: &Command) -> Span {
    if matches!(command, Command::Connect { .. } | Command::Helo(_)) { Span::Session } else { Span::Message }
}

/// The letters of answers that end what a filter says to an event.
const VERDICTS: &[u8] = b"cartdy4fs";

/// Those of what it may ask for at the end of a message.
const CHANGES: &[u8] = b"himebq+-2";

/// An event as logs name it.
fn name(letter: u8) -> &'static str {
    match letter {
        b'C' => "SMFIC_CONNECT",
        b'H' => "SMFIC_HELO",
        b'M' => "SMFIC_MAIL",
        b'R' => "SMFIC_RCPT",
        b'T' => "SMFIC_DATA",
        b'L' => "SMFIC_HEADER",
        b'N' => "SMFIC_EOH",
        b'B' => "SMFIC_BODY",
        b'E' => "SMFIC_BODYEOB",
        _ => "SMFIC_UNKNOWN",
    }
}

async fn connect(endpoint: &Endpoint) -> std::io::Result<Box<dyn Line>> {
    match endpoint {
        Endpoint::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Endpoint::Inet { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
    }
}

/// The system's own words.
fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
