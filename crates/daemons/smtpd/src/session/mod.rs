//! A session: greets, reads commands, replies, and tells in the end how it went.
//!
//! What lives for the connection is here; what lives for a message is in [`transaction`]. Replies to a group of
//! pipelined commands leave in one write, when there is no further command to be obeyed.

mod command;
pub(crate) mod content;
mod describe;
mod footer;
mod greeting;
mod limits;
pub(crate) mod login;
pub(crate) mod milter;
pub(crate) mod notice;
pub(crate) mod peer;
pub(crate) mod received;
pub(crate) mod sasl;
mod statistics;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod transaction;

use std::sync::Arc;
use std::time::Duration;

use smtp_proto::conn::{self, LineEnd, Pace};
use smtp_proto::ehlo::Keywords;
use smtp_proto::{Conn, Enhanced, Reply};
use tokio::time::Instant;
use tracing::info;

use self::login::Login;
use self::notice::History;
use self::peer::Peer;
use self::statistics::Statistics;
use self::stream::Stream;
use self::transaction::Transaction;
use crate::Smtpd;
use crate::access::{Check, Deferral, Facts, Fault, HANGUP};
use crate::settings::Limits;
use crate::verb;

/// The stage after the last line of a message.
const AFTER_CONTENT: &str = "END-OF-MESSAGE";

/// A client's session.
pub(crate) struct Session {
    pub(crate) server: Arc<Smtpd>,
    /// The limits that held when the session began.
    pub(crate) limits: Limits,
    pub(crate) conn: Conn<Stream>,
    pub(crate) peer: Peer,
    /// What the client called itself.
    pub(crate) helo: Option<Hello>,
    pub(crate) spoken: Protocol,
    pub(crate) admission: Admission,
    pub(crate) rights: Rights,
    /// It is among `smtpd_authorized_verp_clients`.
    pub(crate) may_verp: bool,
    /// Extensions that are not offered to this client.
    pub(crate) hidden: Keywords,
    pub(crate) login: Option<Login>,
    /// What AUTH may be tried with.
    pub(crate) mechanisms: Vec<String>,
    pub(crate) tls: Option<tls::Facts>,
    /// The mail filters of this client.
    pub(crate) milters: Option<Box<::milter::chain::Chain>>,
    pub(crate) transaction: Transaction,
    /// The message that is refused at its end, until the client is told.
    pub(crate) refused: Option<Box<transaction::Envelope>>,
    /// What XFORWARD said.
    pub(crate) forward: verb::xforward::Forward,
    /// The identity under which anvil counts the client.
    pub(crate) limited: Option<String>,
    /// Its connections, as anvil counted them at the beginning.
    pub(crate) connections: u32,
    /// The command at hand or the last one, as logs name it.
    pub(crate) stage: &'static str,
    /// Bytes of content that have come, while content comes.
    pub(crate) progress: Option<u64>,
    pub(crate) errors: i64,
    junk: i64,
    /// Who looks for what comes before the greeting.
    pub(crate) entrance: Entrance,
    /// The client talked ahead of our replies where it may not.
    pub(crate) impatient: bool,
    pub(crate) deferral: Deferral,
    pub(crate) faults: Vec<Fault>,
    pub(crate) history: History,
    statistics: Statistics,
    /// Messages so far, to tell them apart for policy servers.
    pub(crate) messages: u64,
}

/// Where the client came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// Here.
    Own,
    /// At another daemon, which handed it over and minds for itself who talks too early.
    Other,
}

/// HELO or EHLO.
#[derive(Debug, Clone)]
pub(crate) struct Hello {
    pub(crate) name: String,
}

/// What the client speaks: ESMTP from the first EHLO on, also after another HELO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Smtp,
    Esmtp,
}

/// Whether the client got past `smtpd_client_restrictions`, where they do not wait for RCPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Granted,
    /// It may say QUIT.
    Denied,
}

/// What this client may do that others may not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rights {
    pub(crate) xclient: bool,
    pub(crate) xforward: bool,
    /// What cannot be known now, because a table fails: the words of the warning.
    pub(crate) unknown: Option<&'static str>,
}

/// What a command leads to.
#[must_use]
#[derive(Debug)]
pub(crate) enum Next {
    /// It was obeyed.
    Reply(Reply),
    /// It was, and the session begins anew: nobody counts how the old one ended.
    Afresh(Reply),
    /// It was not, and that counts.
    Error(Reply),
    /// As [`Next::Error`], and postmaster may want to know (`notify_classes`).
    Fault(Fault, Reply),
    /// The session starts anew: replies have been sent.
    Restart,
    /// The reply, then the end.
    Hangup(Reply),
}

impl Next {
    /// The client does not speak as it should.
    pub(crate) fn against_protocol(reply: Reply) -> Self {
        Self::Fault(Fault::Protocol, reply)
    }

    /// What the client wants is not wanted here.
    pub(crate) fn against_policy(reply: Reply) -> Self {
        Self::Fault(Fault::Policy, reply)
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Quit,
    Lost,
    Timeout,
    Errors,
}

impl End {
    /// Why the session was not ended by the client's QUIT.
    fn reason(self) -> Option<&'static str> {
        match self {
            Self::Quit => None,
            Self::Lost => Some("lost connection"),
            Self::Timeout => Some("timeout"),
            Self::Errors => Some("too many errors"),
        }
    }
}

impl Session {
    /// Serves a client to the end.
    pub(crate) async fn serve(server: Arc<Smtpd>, stream: service::Stream, preamble: Vec<u8>) {
        let Some(mut session) = Session::begin(server, stream, &preamble).await else { return };
        info!("connect from {}", session.peer.namaddr);
        let end = match session.converse().await {
            Ok(end) => end,
            Err(error) => session.failed(&error).await,
        };
        session.tell_end(end);
        session.drop_transaction();
        session.leave_milters().await;
        session.notify(end).await;
        session.release_connection();
        info!("disconnect from {}{}", session.peer.namaddr, session.statistics);
    }

    /// A session whose client is known.
    fn new(server: Arc<Smtpd>, conn: Conn<Stream>, peer: Peer) -> Session {
        Session {
            hidden: server.settings.hidden_keywords,
            history: History::new(&server.settings),
            limits: server.limits(),
            server,
            conn,
            peer,
            helo: None,
            spoken: Protocol::Smtp,
            admission: Admission::Granted,
            rights: Rights::default(),
            may_verp: false,
            login: None,
            mechanisms: Vec::new(),
            tls: None,
            milters: None,
            transaction: Transaction::Idle,
            refused: None,
            forward: verb::xforward::Forward::default(),
            limited: None,
            connections: 0,
            stage: "CONNECT",
            progress: None,
            errors: 0,
            junk: 0,
            entrance: Entrance::Own,
            impatient: false,
            deferral: Deferral::default(),
            faults: Vec::new(),
            statistics: Statistics::default(),
            messages: 0,
        }
    }

    async fn converse(&mut self) -> Result<End, conn::Error> {
        if let Some(end) = self.greet().await? {
            return Ok(end);
        }
        let mut line = Vec::new();
        loop {
            if self.errors >= self.limits.smtpd_hard_error_limit {
                let host = &self.server.params.identity.myhostname;
                let reply = Reply::new(421, Some(Enhanced(4, 7, 0)), format!("{host} Error: too many errors"));
                self.faults.push(Fault::Protocol);
                self.say(reply).await?;
                self.conn.flush().await?;
                return Ok(End::Errors);
            }
            self.new_request();
            let limit = usize::try_from(self.server.params.ipc.line_length_limit).unwrap_or(2048);
            let next = match self.conn.read_line(&mut line, limit).await? {
                LineEnd::TooLong => Next::Error(self.too_long()),
                LineEnd::BareLf if self.forbids_bare_newline().await => {
                    Next::Hangup(self.bare_newline(self.transaction.envelope()))
                }
                LineEnd::CrLf | LineEnd::BareLf => self.obey(&line).await?,
            };
            if let Some(end) = self.follow(next).await? {
                return Ok(end);
            }
            if self.history.ends_message() {
                self.flush_history(self.server.params.smtpd.smtpd_history_flush_threshold).await;
            }
        }
    }

    /// Sends the reply; `Some` if the session ends with it.
    async fn follow(&mut self, next: Next) -> Result<Option<End>, conn::Error> {
        if let Next::Fault(fault, _) = &next {
            self.faults.push(*fault);
        }
        let (reply, ends) = match next {
            Next::Restart => return Ok(None),
            Next::Error(reply) | Next::Fault(_, reply) if reply == HANGUP => return Ok(Some(End::Quit)),
            Next::Reply(reply) | Next::Afresh(reply) => (reply, false),
            Next::Error(reply) | Next::Fault(_, reply) => {
                self.say(reply.clone()).await?;
                self.errors += 1;
                let ends = matches!(reply.code, 421 | 521);
                if ends {
                    self.conn.flush().await?;
                }
                return Ok(ends.then_some(End::Quit));
            }
            Next::Hangup(reply) => (reply, true),
        };
        let ends = ends || matches!(reply.code, 421 | 521);
        self.say(reply).await?;
        if ends {
            self.conn.flush().await?;
        }
        Ok(ends.then_some(End::Quit))
    }

    /// The time limit of the next request.
    pub(crate) fn new_request(&mut self) {
        let time = self.limits.smtpd_timeout;
        self.conn.set_pace(if self.limits.smtpd_per_request_deadline {
            Pace::Until(Instant::now() + time, self.server.params.smtpd.smtpd_min_data_rate, time)
        } else {
            Pace::Each(time)
        });
    }

    /// Sends a reply, late if the client makes many mistakes.
    pub(crate) async fn say(&mut self, reply: Reply) -> Result<(), conn::Error> {
        let reply = self.dressed(reply).await;
        self.refused = None;
        if self.errors >= self.server.params.smtpd.smtpd_soft_error_limit {
            let delay = self.server.params.smtpd.smtpd_error_sleep_time;
            if delay > Duration::ZERO {
                self.conn.flush().await?;
                tokio::time::sleep(delay).await;
            }
        }
        self.history.said(&reply);
        self.conn.reply(&reply);
        Ok(())
    }

    /// The connection broke, or the client was silent; what there is to say is said.
    async fn failed(&mut self, error: &conn::Error) -> End {
        match error {
            conn::Error::Timeout => {
                let host = &self.server.params.identity.myhostname;
                let reply = Reply::new(421, Some(Enhanced(4, 4, 2)), format!("{host} Error: timeout exceeded"));
                self.conn.set_pace(Pace::Each(Duration::from_secs(10)));
                self.history.said(&reply);
                self.conn.reply(&reply);
                let _ = self.conn.flush().await;
                End::Timeout
            }
            conn::Error::Flood => {
                let reply = self.too_long();
                self.history.said(&reply);
                self.conn.reply(&reply);
                let _ = self.conn.flush().await;
                End::Errors
            }
            conn::Error::Lost => End::Lost,
        }
    }

    fn tell_end(&self, end: End) {
        let Some(reason) = end.reason() else { return };
        if end == End::Lost && self.stage == AFTER_CONTENT {
            // Nothing is lost of a message that has had its reply.
            return;
        }
        let id = self.queue_id();
        match self.progress {
            Some(bytes) => info!("{id}: {reason} after {} ({bytes} bytes) from {}", self.stage, self.peer.namaddr),
            None => info!("{id}: {reason} after {} from {}", self.stage, self.peer.namaddr),
        }
    }

    /// The id of the message at hand, for logs.
    pub(crate) fn queue_id(&self) -> &str {
        self.transaction.envelope().and_then(|envelope| envelope.queue_id.as_deref()).unwrap_or("NOQUEUE")
    }

    /// `SMTP` or `ESMTP`.
    pub(crate) fn protocol(&self) -> &'static str {
        match self.spoken {
            Protocol::Esmtp => "ESMTP",
            Protocol::Smtp => "SMTP",
        }
    }

    /// Forgets the message at hand, and what was told of its client.
    pub(crate) fn drop_transaction(&mut self) {
        self.forward = Default::default();
        self.progress = None;
        self.forget_message();
        let envelope = std::mem::take(&mut self.transaction).into_envelope();
        if let Some(sink) = envelope.and_then(|envelope| envelope.sink) {
            sink.abandon();
        }
    }

    /// What checks may know of a whole message; its recipient only where there is no other.
    pub(crate) fn facts_of_message<'a>(&'a self, envelope: &'a transaction::Envelope) -> Facts<'a> {
        let recipient = envelope.recipients.first.as_deref().filter(|_| envelope.recipients.count == 1);
        self.facts(Some(envelope), recipient)
    }

    /// What a log line tells of a message: the first recipient stands for all.
    pub(crate) fn facts_to_log<'a>(&'a self, envelope: Option<&'a transaction::Envelope>) -> Facts<'a> {
        self.facts(envelope, envelope.and_then(|envelope| envelope.recipients.first.as_deref()))
    }

    /// What checks may know now. `recipient` is the one at hand.
    pub(crate) fn facts<'a>(
        &'a self,
        envelope: Option<&'a transaction::Envelope>,
        recipient: Option<&'a [u8]>,
    ) -> Facts<'a> {
        Facts {
            stage: self.stage,
            peer: &self.peer,
            helo: self.helo.as_ref().map(|helo| helo.name.as_str()),
            protocol: self.protocol(),
            sender: envelope.map(|envelope| envelope.sender.address.as_slice()),
            recipient,
            etrn: None,
            queue_id: envelope.and_then(|envelope| envelope.queue_id.as_deref()),
            instance: envelope.map(|envelope| envelope.instance),
            login: self.login.as_ref(),
            tls: self.tls.as_ref(),
            size: envelope.map_or(0, |envelope| self.progress.unwrap_or(envelope.sender.size)),
            recipients: envelope.map_or(0, |envelope| envelope.recipients.count),
            impatient: self.impatient,
            log_form: self.server.settings.log_form,
        }
    }
}

/// Keeps what a check has learnt: its faults, for the notice to postmaster.
pub(crate) fn faults_of(check: Check<'_>) -> (Vec<Fault>, Deferral) {
    (check.faults, check.deferral)
}

#[cfg(test)]
mod tests;
