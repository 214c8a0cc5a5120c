//! Commands out, replies in: the part of a session that does not know what it is about.
//!
//! Commands are collected and go out together when a reply is waited for. Every wait has the limit of its stage.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use smtp_proto::conn::Pace;
use smtp_proto::ehlo::Keywords;
use smtp_proto::reply::{Answer, Assembler, Line};
use smtp_proto::{Conn, conn, printable};
use table::{Maps, PatternList};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::complaint::{Case, Complaints};
use crate::failure::Failure;
use crate::flavor::Flavor;
use crate::peer::Peer;
use crate::pix::{Item, Pix, Workarounds};
use crate::stage::{Stage, Timeouts};
use crate::stream::{self, Stream, Unbound};

/// Room for the commands of a message with few recipients.
const COMMANDS: usize = 512;
/// What a warning shows of a reply that is too long.
const EXCERPT: usize = 30;
/// How long a server that has hung up is listened to.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// `smtp_always_send_ehlo`, `smtp_never_send_ehlo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// EHLO always.
    Always,
    /// EHLO if the banner says ESMTP.
    IfOffered,
    /// HELO always.
    Never,
}

/// `smtp_skip_5xx_greeting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HardGreeting {
    /// Another server, or another time, may do better.
    Skip,
    /// It is final.
    Final,
}

/// How a process talks.
#[derive(Debug, Clone)]
pub struct Dialect {
    /// SMTP or LMTP.
    pub flavor: Flavor,
    /// Limits of the stages.
    pub timeouts: Timeouts,
    /// `smtp_per_request_deadline`, with `smtp_min_data_rate` in bytes per second.
    pub deadline: Option<u64>,
    /// `smtp_helo_name` or `lmtp_lhlo_name`.
    pub hello_name: String,
    /// `myhostname`: a server that goes by it is ourselves.
    pub myhostname: String,
    /// Which greeting is used.
    pub greeting: Greeting,
    /// What a 5xx banner means.
    pub hard_greeting: HardGreeting,
    /// `smtp_discard_ehlo_keywords`.
    pub hidden: Keywords,
    /// `smtp_discard_ehlo_keyword_address_maps`.
    pub hidden_by_address: Maps,
    /// `line_length_limit`: how much of a reply is kept.
    pub reply_limit: usize,
    /// `smtp_reply_filter`.
    pub reply_filter: Maps,
    /// `smtp_pix_workarounds`.
    pub pix: Pix,
    /// `debug_peer_list`: the log shows what is said with these servers.
    pub debug_peers: PatternList,
    /// Who hears of servers that break the protocol; `None` if nobody.
    pub complaints: Option<Arc<Complaints>>,
}

/// A connection with a server.
pub struct Dialogue {
    conn: Conn<Stream>,
    peer: Peer,
    /// The server as delivery lines name it.
    relay: String,
    dialect: Arc<Dialect>,
    /// The message at hand, for warnings.
    item: Item,
    /// Whether commands may go ahead of replies.
    ahead: Ahead,
    /// What this server's firewall needs.
    pix: Workarounds,
    /// What was said, where that may be complained about.
    case: Option<Box<Case>>,
    /// Whether the server takes the rest of a message.
    intake: Intake,
    /// Whether the log shows what is said.
    watch: Watch,
    /// Our own address.
    local: Option<IpAddr>,
}

/// `debug_peer_list`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    Off,
    On,
}

/// Whether content gets through to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intake {
    Open,
    /// It has hung up in the middle.
    Cut,
}

/// Whether commands may be said without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    InTurn,
    Pipelined,
}

impl Dialogue {
    /// A dialogue over a connection that has just been made.
    #[must_use]
    pub fn new(stream: Stream, peer: Peer, dialect: Arc<Dialect>) -> Self {
        let pace = Pace::Each(dialect.timeouts.hello);
        let conn = Conn::new(stream, pace);
        let (relay, item, pix) = (peer.relay(), Item::default(), Workarounds::default());
        let case = dialect.complaints.as_ref().map(|complaints| Box::new(Case::new(Arc::clone(complaints))));
        let (ahead, intake) = (Ahead::InTurn, Intake::Open);
        Self { conn, peer, relay, dialect, item, ahead, pix, case, intake, watch: Watch::Off, local: None }
    }

    /// From an address of ours.
    pub(crate) fn bound(self, local: Option<IpAddr>) -> Self {
        Self { local, ..self }
    }

    /// Our own address, where it is known.
    #[must_use]
    pub fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// With the log showing what is said, or not.
    pub(crate) fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    pub(crate) const fn watch(&self) -> Watch {
        self.watch
    }

    /// Mail of this sender is at hand.
    pub fn carry(&mut self, sender: &[u8]) {
        if let Some(case) = &mut self.case {
            case.carry(sender);
        }
    }

    /// Considers a reply that kept mail from going on.
    pub fn refused_by(&mut self, answer: &Answer) {
        if let Some(case) = &mut self.case {
            case.consider(answer.code);
        }
    }

    /// This server is done with, or with a message: what is to be complained about is.
    pub async fn conclude(&mut self) {
        if let Some(case) = &mut self.case {
            case.close(self.dialect.flavor, &self.relay).await;
        }
    }

    /// The server.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The server as delivery lines name it.
    #[must_use]
    pub fn relay(&self) -> &str {
        &self.relay
    }

    /// How we talk.
    #[must_use]
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The message that what follows is about.
    pub fn concern(&mut self, item: Item) {
        self.item = item;
    }

    /// The message at hand.
    pub(crate) fn item(&self) -> &Item {
        &self.item
    }

    /// What this server's firewall needs.
    #[must_use]
    pub fn workarounds(&self) -> Workarounds {
        self.pix
    }

    /// Remembers what this server's firewall needs.
    pub fn work_around(&mut self, workarounds: Workarounds) {
        self.pix = workarounds;
    }

    /// The server takes commands ahead of its replies.
    pub fn pipeline(&mut self) {
        self.ahead = Ahead::Pipelined;
    }

    /// Says commands without waiting for the replies in between.
    pub fn say_ahead<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]>) {
        self.conn.output().reserve(COMMANDS);
        lines.for_each(|line| self.say(line));
    }

    /// Writes what was said, and waits before the next words.
    pub async fn hesitate(&mut self, time: Duration) -> Result<(), Failure> {
        let flushed = self.conn.flush().await;
        self.taken(flushed)?;
        tokio::time::sleep(time).await;
        Ok(())
    }

    /// Says a command; it goes out with the next wait.
    pub fn say(&mut self, line: &[u8]) {
        self.confide(line, line);
    }

    /// Says a command of which transcripts have no more than its public part.
    pub fn confide(&mut self, line: &[u8], public: &[u8]) {
        if let Some(case) = &mut self.case {
            case.transcript.said(public);
        }
        if self.watch == Watch::On {
            let shown = if public.is_empty() { "[data not shown]".into() } else { printable(public) };
            info!("> {}: {shown}", self.relay);
        }
        self.conn.command(line);
    }

    /// The reply to what was said.
    pub async fn hear(&mut self, stage: Stage) -> Result<Answer, Failure> {
        self.enter(stage);
        let limit = self.dialect.reply_limit;
        let answer = self.conn.read_answer(limit.saturating_add(1)).await;
        let mut answer = answer.map_err(|error| Failure::broken(&self.peer, stage, &error))?;
        if answer.text.len() > limit {
            self.note_length(&answer.text);
            answer.text.truncate(limit);
        }
        if let Some(case) = &mut self.case {
            answer.text.split(|byte| *byte == b'\n').for_each(|line| case.transcript.heard(line));
        }
        if self.watch == Watch::On {
            let lines = answer.text.split(|byte| *byte == b'\n');
            lines.for_each(|line| info!("< {}: {}", self.relay, printable(line)));
        }
        self.note_junk(&answer);
        let mut answer = if self.dialect.reply_filter.is_empty() { answer } else { self.filtered(answer).await? };
        // Empty lines before a reply are none of its lines.
        let start = answer.text.iter().take_while(|byte| **byte == b'\n').count();
        answer.text.drain(..start);
        Ok(answer)
    }

    /// A table that has to be asked before the dialogue can go on has failed; the log tells what was looked up.
    #[must_use]
    pub fn data_error(&self, what: &str) -> Failure {
        warn!("{}: {what}", self.item.queue_id);
        Failure::local(&self.peer)
    }

    /// A reply that is not kept as a whole.
    fn note_length(&self, text: &[u8]) {
        let limit = self.dialect.reply_limit;
        let what = match memchr::memchr(b'\n', text) {
            Some(_) => format!("multi-line response longer than {limit}"),
            None => format!("response longer than {limit}:"),
        };
        warn!("{}: {what} {}...", self.relay, printable(text.get(..EXCERPT).unwrap_or(text)));
    }

    /// Lines that are no reply: a server that does not keep in step with pipelined commands may say the wrong thing.
    fn note_junk(&self, answer: &Answer) {
        if self.ahead == Ahead::InTurn {
            return;
        }
        let mut heard = false;
        for line in answer.text.split(|byte| *byte == b'\n').filter(|line| Line::parse(line).is_none()) {
            let line: String = String::from_utf8_lossy(line).chars().take(100).collect();
            let line = line.replace(|c: char| c.is_control(), "?");
            let Item { queue_id, .. } = &self.item;
            warn!("{queue_id}: non-{} response from {}: {line}", self.dialect.flavor.name(), self.relay);
            heard = true;
        }
        if let (true, Some(address)) = (heard, self.peer.address()) {
            let parameter = self.dialect.hidden_by_address.parameter();
            warn!("to prevent loss of mail, turn off command pipelining for {address} with the {parameter} parameter");
        }
    }

    /// Sets the limit of a stage, for content that is written through [`Self::output`].
    pub fn enter(&mut self, stage: Stage) {
        let limit = self.dialect.timeouts.of(stage);
        self.conn.set_pace(match self.dialect.deadline {
            Some(rate) => Pace::Until(Instant::now() + limit, if stage == Stage::Body { rate } else { 0 }, limit),
            None => Pace::Each(limit),
        });
    }

    /// Where content is appended; [`Self::drain`] keeps it small.
    pub fn output(&mut self) -> &mut Vec<u8> {
        self.conn.output()
    }

    /// Writes content if there is much of it.
    pub async fn drain(&mut self) -> Result<(), Failure> {
        let flushed = self.conn.flush_large().await;
        self.taken(flushed)
    }

    fn taken(&mut self, flushed: Result<(), conn::Error>) -> Result<(), Failure> {
        flushed.map_err(|error| {
            if matches!(error, conn::Error::Lost) {
                self.intake = Intake::Cut;
            }
            Failure::broken(&self.peer, Stage::Body, &error)
        })
    }

    /// The refusal with which a server has hung up in the middle of a message, if it gave one. Its thanks would come too early.
    pub async fn last_words(&mut self) -> Option<Answer> {
        if self.intake == Intake::Open {
            return None;
        }
        self.conn.drop_output();
        let heard = tokio::time::timeout(LAST_WORDS, self.hear(Stage::End)).await.ok()?.ok()?;
        matches!(heard.class(), 4 | 5).then_some(heard)
    }

    /// Takes leave; a server that does not listen is left all the same.
    pub async fn quit(mut self, wait: Farewell) {
        self.say(b"QUIT");
        match wait {
            Farewell::Wait => drop(self.hear(Stage::Quit).await),
            Farewell::Skip => {
                self.enter(Stage::Quit);
                drop(self.conn.flush().await);
            }
        }
        self.conclude().await;
    }

    /// Whether the server has said something or hung up while nothing was expected of it.
    pub fn is_stale(&mut self) -> bool {
        self.conn.look_ahead();
        !self.conn.buffered().is_empty()
    }

    /// Gives the stream away for a TLS handshake. What came before it is not heard: the server speaks second within TLS, so
    /// it is no part of that.
    pub fn into_drained(self) -> Result<(Stream, conn::Drained, Peer, Arc<Dialect>), conn::Buffered> {
        let Self { mut conn, peer, dialect, .. } = self;
        conn.discard();
        conn.into_drained().map(|(stream, drained)| (stream, drained, peer, dialect))
    }

    /// `smtp_reply_filter` on every line.
    async fn filtered(&self, answer: Answer) -> Result<Answer, Failure> {
        let mut assembler = Assembler::new(self.dialect.reply_limit);
        let mut lines = answer.text.split(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            let replaced = match self.dialect.reply_filter.lookup_line(line).await {
                Ok(Some(text)) => {
                    let (old, new) = (String::from_utf8_lossy(line), String::from_utf8_lossy(&text));
                    info!("{}: replacing server reply \"{old}\" with \"{new}\"", self.relay);
                    text
                }
                Ok(None) => line.to_vec(),
                Err(_) => {
                    let line = String::from_utf8_lossy(line);
                    return Err(
                        self.data_error(&format!("{} lookup error for {line}", self.dialect.reply_filter.parameter()))
                    );
                }
            };
            if let Some(answer) = assembler.add(&replaced) {
                return Ok(answer);
            }
            if lines.peek().is_none() {
                break;
            }
        }
        Ok(answer)
    }
}

/// `smtp_skip_quit_response`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// The reply to QUIT is waited for.
    Wait,
    /// It is not.
    Skip,
}

/// A failure to connect, as logs have it.
#[must_use]
pub fn unreachable(peer: &Peer, error: &io::Error) -> Failure {
    if error.get_ref().is_some_and(|inner| inner.is::<Unbound>()) {
        return Failure::site(dsn::Detail::new(dsn::Status::temporary(4, 0), error.to_string()));
    }
    let reason = stream::describe(error);
    let reason = format!("connect to {}: {reason}", peer.relay());
    Failure::site(dsn::Detail::new(dsn::Status::temporary(4, 1), reason))
}
