//! Messages for cleanup, over connections that are kept for the next message.
//!
//! cleanup has always made the next queue file already, so the id is there at once. Envelope records are collected here and go
//! out together with the content; a small message is one write and one answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipc::Channel;
use ipc::cleanup::{Cause, ENVELOPE, HOLD, Handling, Line, Lines, Origin, Reply as Answer, Request, Switch, Verdict};
use queue_file::record::{self, Type};
use smtp_proto::{Enhanced, Reply};
use tracing::warn;

use super::{Broken, Outcome, Relay, write_error};
use crate::access::{Actions, Fault};

/// Connections to cleanup that wait for a message.
#[derive(Debug, Clone)]
pub(crate) struct Pool(Arc<Lines>);

/// No more idle connections are kept; cleanup holds an empty file for each.
const KEPT: usize = 32;
/// Room for the envelope of a message with one recipient.
const USUAL: usize = 1024;
/// What is collected before it is written.
const COLLECTED: usize = 64 * 1024;

impl Pool {
    pub(crate) fn new(path: impl Into<PathBuf>, deadline: Duration) -> Pool {
        Pool(Arc::new(Lines::new(path, deadline, KEPT)))
    }

    /// A message begins.
    pub(crate) async fn open(&self) -> Result<Delivery, Broken> {
        let Line { channel: line, queue_id: id } = match self.0.kept() {
            Some(kept) => kept,
            None => Box::pin(self.connect()).await?,
        };
        Ok(Delivery {
            pool: self.clone(),
            line,
            id,
            records: Vec::with_capacity(USUAL),
            handling: Handling::usual(Origin::Smtpd),
            state: State::Envelope,
            late: Late::default(),
        })
    }

    async fn connect(&self) -> Result<Line, Broken> {
        match self.0.connect().await {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(reason)) => {
                warn!("cleanup service: {reason}");
                Err(Broken)
            }
            Err(error) => {
                warn!("problem talking to service cleanup: {error}");
                Err(Broken)
            }
        }
    }
}

/// A message on its way to cleanup.
#[derive(Debug)]
pub(crate) struct Delivery {
    pool: Pool,
    line: Channel<Request, Answer>,
    /// The queue id.
    pub(crate) id: String,
    /// Envelope records that were not sent yet.
    pub(crate) records: Vec<u8>,
    pub(crate) handling: Handling,
    state: State,
    late: Late,
}

/// How much was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing; the file is as it was.
    Envelope,
    /// The envelope, and perhaps content.
    Content,
}

/// What of the actions was told already.
#[derive(Debug, Default, PartialEq, Eq)]
struct Late {
    filter: Option<String>,
    redirect: Option<String>,
    bcc: Vec<String>,
    hold: bool,
}

impl Late {
    fn of(actions: &Actions) -> Late {
        let Actions { filter, redirect, bcc, hold, .. } = actions;
        Late { filter: filter.clone(), redirect: redirect.clone(), bcc: bcc.clone(), hold: *hold }
    }
}

impl Delivery {
    /// Adds a recipient. `original` is `type;address`.
    pub(crate) fn add_recipient(&mut self, address: &[u8], original: &[u8], notify: dsn::Notify) {
        if !notify.is_unset() {
            record::put_attribute(&mut self.records, "notify_flags", notify.bits().to_string().as_bytes());
        }
        record::put_attribute(&mut self.records, "dsn_orig_rcpt", original);
        record::put(&mut self.records, Type::Recipient, address);
    }

    /// Sends the envelope, as far as it is known.
    pub(crate) async fn begin(&mut self, actions: &Actions) -> Result<(), Broken> {
        if actions.hold {
            self.handling.hold = Switch::On;
        }
        if let Some(time) = actions.delay {
            record::put(&mut self.records, Type::Delay, time.as_secs().to_string().as_bytes());
        }
        self.add_actions(actions);
        self.late = Late::of(actions);
        self.state = State::Content;
        let handling = self.handling;
        self.send(&Request::Begin(handling))?;
        self.send_records()
    }

    fn add_actions(&mut self, actions: &Actions) {
        if let Some(filter) = &actions.filter {
            record::put(&mut self.records, Type::Filter, filter.as_bytes());
        }
        if let Some(redirect) = &actions.redirect {
            record::put(&mut self.records, Type::Redirect, redirect.as_bytes());
        }
        for bcc in actions.bcc.iter().skip(self.late.bcc.len()) {
            self.add_recipient(bcc.as_bytes(), b"", dsn::Notify::NEVER);
        }
    }

    fn send_records(&mut self) -> Result<(), Broken> {
        let records = std::mem::take(&mut self.records);
        record::pieces(&records, ENVELOPE).try_for_each(|part| self.send(&Request::Envelope(part.to_vec().into())))
    }

    /// Sends content.
    pub(crate) async fn content(&mut self, text: &[u8]) -> Result<(), Broken> {
        self.line.send_raw(text).map_err(broken)?;
        if self.line.unsent() > COLLECTED { self.line.flush().await.map_err(broken) } else { Ok(()) }
    }

    fn send(&mut self, request: &Request) -> Result<(), Broken> {
        self.line.send(request).map_err(broken)
    }

    /// Commits. cleanup answers when the message is safe.
    pub(crate) async fn finish(mut self: Box<Self>, actions: &Actions, relay: Option<Relay<'_>>) -> Outcome {
        if actions.discard {
            self.abandon();
            return Outcome::Queued;
        }
        match self.commit(actions, relay).await {
            Ok(Answer::Finished { verdict, next }) => {
                self.pool.0.keep(self.line, next);
                outcome(verdict)
            }
            Ok(Answer::Ready(_) | Answer::Unavailable(_) | Answer::Filter { .. } | Answer::Leaving) | Err(Broken) => {
                Outcome::Refused(write_error(), Some(Fault::Resource))
            }
        }
    }

    async fn commit(&mut self, actions: &Actions, relay: Option<Relay<'_>>) -> Result<Answer, Broken> {
        // What the last restrictions have caused comes behind the content.
        if Late::of(actions) != self.late {
            if actions.hold && !self.late.hold {
                record::put(&mut self.records, Type::Flags, HOLD.to_string().as_bytes());
            }
            self.add_actions(actions);
            self.send_records()?;
        }
        let readers = relay.as_ref().map(|relay| relay.chain.readers()).unwrap_or_default();
        if let Some(relay) = relay.filter(|_| !readers.is_empty()) {
            self.send(&Request::Filters(readers))?;
            self.send(&Request::End)?;
            return Box::pin(self.pass_on(relay)).await;
        }
        self.send(&Request::End)?;
        self.line.answer().await.map_err(broken)
    }

    /// Passes packets to mail filters, and their answers back, until the message is done.
    async fn pass_on(&mut self, relay: Relay<'_>) -> Result<Answer, Broken> {
        let Relay { chain, macros } = relay;
        loop {
            match self.line.answer().await.map_err(broken)? {
                Answer::Filter { number, packets } => {
                    let answers = chain.pass(number, &packets, macros).await;
                    self.line.send_raw(&answers).map_err(broken)?;
                    self.send(&Request::Filtered)?;
                }
                answer @ (Answer::Ready(_) | Answer::Finished { .. } | Answer::Unavailable(_) | Answer::Leaving) => {
                    return Ok(answer);
                }
            }
        }
    }

    /// Gives the message up. Its file is made anew, since its id was told.
    pub(crate) fn abandon(mut self: Box<Self>) {
        tokio::spawn(async move {
            let aborted = async {
                if self.state == State::Envelope {
                    self.line.send(&Request::Begin(self.handling))?;
                }
                self.line.send(&Request::Abort)?;
                self.line.answer().await
            };
            if let Ok(Answer::Ready(id)) = aborted.await {
                self.pool.0.keep(self.line, id);
            }
        });
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the function of a map_err")]
fn broken(error: ipc::Error) -> Broken {
    warn!("problem talking to service cleanup: {error}");
    Broken
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Queued | Verdict::Discarded => Outcome::Queued,
        Verdict::Refused { cause, reason } => {
            let (reply, fault) = refusal(cause, &reason);
            Outcome::Refused(reply, fault)
        }
    }
}

fn refusal(cause: Cause, reason: &str) -> (Reply, Option<Fault>) {
    let own = |code, status| own_words(code, status, reason);
    match cause {
        Cause::Malformed => (Reply::fixed(451, Enhanced(4, 3, 0), "Error: internal error 1"), Some(Fault::Software)),
        Cause::Write => (write_error(), Some(Fault::Resource)),
        Cause::Size => (crate::session::content::too_large(), Some(Fault::Bounce)),
        Cause::Hops => (Reply::fixed(554, Enhanced(5, 4, 0), "Error: too many hops"), Some(Fault::Bounce)),
        Cause::Content => {
            let fallback = || Reply::fixed(550, Enhanced(5, 7, 1), "Error: message content rejected");
            (own(550, Enhanced(5, 7, 1)).unwrap_or_else(fallback), Some(Fault::Policy))
        }
        Cause::NoRecipients => (Reply::fixed(554, Enhanced(5, 1, 1), "Error: no recipients specified"), None),
        Cause::Defer => {
            let fallback = || Reply::fixed(451, Enhanced(4, 7, 1), "Error: service unavailable");
            (own(451, Enhanced(4, 7, 1)).unwrap_or_else(fallback), None)
        }
        Cause::Shutdown => {
            let fallback = || Reply::fixed(421, Enhanced(4, 7, 0), "Error: service unavailable");
            (own(421, Enhanced(4, 7, 0)).unwrap_or_else(fallback), None)
        }
    }
}

/// The words of a check or milter: with a reply code, with an enhanced code, or with neither.
fn own_words(code: u16, status: Enhanced, reason: &str) -> Option<Reply> {
    if reason.is_empty() {
        return None;
    }
    let is_whole = Reply::from_text(reason.as_bytes()).is_some_and(|reply| reply.code >= 400);
    if is_whole || reason.as_bytes().get(3) == Some(&b'-') {
        return Some(crate::session::milter::reply_of(reason));
    }
    Some(match Enhanced::split(reason.as_bytes()) {
        Some((status, rest)) => {
            let code = if status.0 == 4 && code >= 500 { code - 100 } else { code };
            Reply::new(code, Some(status), rest)
        }
        None => Reply::new(code, Some(status), reason),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_words() {
        for (cause, reason, expected) in [
            (Cause::Size, "", "552 5.3.4 Error: message file too big"),
            (Cause::Hops, "", "554 5.4.0 Error: too many hops"),
            (Cause::Content, "5.7.9 go away", "550 5.7.9 go away"),
            (Cause::Content, "4.7.1 later", "450 4.7.1 later"),
            (Cause::Content, "", "550 5.7.1 Error: message content rejected"),
            (Cause::Content, "554 5.7.1 no", "554 5.7.1 no"),
            (Cause::Content, "554 5.7.1", "554 5.7.1"),
            (Cause::Defer, "", "451 4.7.1 Error: service unavailable"),
        ] {
            assert_eq!(refusal(cause, reason).0.logged(), expected);
        }
    }
}
