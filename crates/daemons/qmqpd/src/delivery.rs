//! A message on its way to cleanup: an id at once, the rest when all of it has come.

use ipc::Channel;
use ipc::cleanup::{Cause, ENVELOPE, Line, Reply, Request, Verdict, beginning_of, mend_beginning};
use jiff::{Timestamp, Zoned};
use queue_file::record::{self, Type};
use smtp_proto::printable;
use tracing::warn;

use crate::packet::Packet;
use crate::peer::Peer;
use crate::{Qmqpd, verp};

/// Envelope records that wait to be sent, at most.
const COLLECTED: usize = 48 * 1024;

/// A message that has an id.
#[derive(Debug)]
pub(crate) struct Delivery<'s> {
    service: &'s Qmqpd,
    line: Channel<Request, Reply>,
    /// The queue id.
    pub(crate) id: String,
    records: Vec<u8>,
    recipients: Recipients,
}

/// What is known of recipients that have been handed on.
#[derive(Debug, Default)]
struct Recipients {
    count: usize,
    first: Vec<u8>,
}

/// The answer to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The message is in the queue.
    Ok(String),
    /// It is to be sent again later.
    Retry(String),
    /// It will never be taken.
    Never(String),
}

impl<'s> Delivery<'s> {
    /// A message begins. `None`: cleanup takes none; that was logged.
    pub(crate) async fn open(service: &'s Qmqpd) -> Option<Self> {
        let Line { channel, queue_id } = match service.lines.kept() {
            Some(kept) => kept,
            None => connect(service).await?,
        };
        let (records, recipients) = (Vec::new(), Recipients::default());
        Some(Self { service, line: channel, id: queue_id, records, recipients })
    }

    /// Says who the message comes from.
    pub(crate) fn begin(&mut self, peer: &Peer, packet: &Packet) -> Result<(), ipc::Error> {
        let records = &mut self.records;
        record::put_time(records, queue_file::Time::now());
        let content_filter = &self.service.params.cleanup.content_filter;
        if !content_filter.is_empty() {
            record::put(records, Type::Filter, content_filter.as_bytes());
        }
        match verp::split(&packet.sender) {
            Some((sender, delimiters)) => {
                record::put(records, Type::Sender, &envelope_form(&sender));
                record::put(records, Type::Verp, &delimiters);
            }
            None => record::put(records, Type::Sender, &envelope_form(&packet.sender)),
        }
        put_session(records, peer);
        self.line.send(&Request::Begin(self.service.handling))
    }

    /// Hands recipients on.
    pub(crate) async fn add(&mut self, recipients: &mut Vec<Vec<u8>>) -> Result<(), ipc::Error> {
        for recipient in recipients.drain(..) {
            let recipient = envelope_form(&recipient);
            record::put(&mut self.records, Type::Recipient, &recipient);
            if self.recipients.count == 0 {
                self.recipients.first = recipient;
            }
            self.recipients.count += 1;
        }
        if self.records.len() > COLLECTED {
            self.send_records()?;
            self.line.flush().await?;
        }
        Ok(())
    }

    fn send_records(&mut self) -> Result<(), ipc::Error> {
        let records = std::mem::take(&mut self.records);
        record::pieces(&records, ENVELOPE).try_for_each(|part| self.line.send(&Request::Envelope(part.to_vec().into())))
    }

    /// Commits: the answer says what is on disk.
    pub(crate) async fn finish(mut self, peer: &Peer, content: &[u8]) -> Answer {
        match self.commit(peer, content).await {
            Ok(Reply::Finished { verdict, next }) => {
                self.service.lines.keep(self.line, next);
                judge(&self.id, verdict)
            }
            Ok(Reply::Unavailable(reason)) => {
                warn!("cleanup service: {reason}");
                write_error()
            }
            Ok(Reply::Ready(_) | Reply::Filter { .. } | Reply::Leaving) => write_error(),
            Err(error) => {
                warn!("problem talking to service cleanup: {error}");
                write_error()
            }
        }
    }

    async fn commit(&mut self, peer: &Peer, content: &[u8]) -> Result<Reply, ipc::Error> {
        self.send_records()?;
        let mut beginning = self.received(peer).into_bytes();
        let (lines, rest) = content.split_at(beginning_of(content));
        let at = beginning.len();
        beginning.extend_from_slice(lines);
        mend_beginning(&mut beginning, at);
        self.line.send_raw(&beginning)?;
        for piece in rest.chunks(ipc::frame::RAW_LIMIT) {
            self.line.send_raw(piece)?;
            self.line.flush().await?;
        }
        if content.last().is_some_and(|byte| *byte != b'\n') {
            self.line.send_raw(b"\n")?;
        }
        self.line.send(&Request::End)?;
        self.line.answer().await
    }

    fn received(&self, peer: &Peer) -> String {
        let identity = &self.service.params.identity;
        let mut text = format!(
            "Received: from {} ({} [{}])\n\tby {} ({}) with QMQP",
            peer.name,
            peer.name,
            peer.rfc_address(),
            identity.myhostname,
            identity.mail_name
        );
        match self.recipients.count {
            1 => {
                let quoted = address::quote::quote(&self.recipients.first);
                text.push_str(&format!(" id {}\n\tfor <{}>; ", self.id, printable(&quoted)));
            }
            _ => text.push_str(&format!("\n\tid {}; ", self.id)),
        }
        let now = Zoned::new(Timestamp::now(), self.service.opened.time_zone.clone());
        text.push_str(&now.strftime(ipc::post::DATE).to_string());
        text.push('\n');
        text
    }

    /// Gives the message up, and keeps the connection for the next one.
    pub(crate) async fn abandon(mut self) {
        let aborted = async {
            if self.records.is_empty() && self.recipients.count == 0 {
                self.line.send(&Request::Begin(self.service.handling))?;
            }
            self.line.send(&Request::Abort)?;
            self.line.answer().await
        };
        if let Ok(Reply::Ready(id)) = aborted.await {
            self.service.lines.keep(self.line, id);
        }
    }
}

async fn connect(service: &Qmqpd) -> Option<Line> {
    match service.lines.connect().await {
        Ok(Ok(line)) => Some(line),
        Ok(Err(reason)) => {
            warn!("cleanup service: {reason}");
            None
        }
        Err(error) => {
            warn!("problem talking to service cleanup: {error}");
            None
        }
    }
}

/// The session, as it is logged and as it was.
fn put_session(records: &mut Vec<u8>, peer: &Peer) {
    let mut attribute = |name: &str, value: &str| record::put_attribute(records, name, value.as_bytes());
    let address = peer.address();
    attribute("log_client_name", &peer.name);
    attribute("log_client_address", &address);
    attribute("log_client_port", &peer.port);
    attribute("log_message_origin", &peer.namaddr);
    attribute("log_protocol_name", "QMQP");
    attribute("client_name", &peer.name);
    attribute("client_address", &address);
    attribute("client_port", &peer.port);
    attribute("client_address_type", if peer.ip.is_some_and(|ip| ip.is_ipv6()) { "10" } else { "2" });
    attribute("protocol_name", "QMQP");
}

/// An address as envelopes have it, with Postfix's result: it ends before a NUL, is one line, and has no blanks behind its domain.
fn envelope_form(address: &[u8]) -> Vec<u8> {
    let address = address.split(|byte| *byte == 0).next().unwrap_or_default();
    let blank = |byte: &u8| if matches!(byte, b'\n' | b'\r' | b'\t') { b' ' } else { *byte };
    let mut form: Vec<u8> = address.iter().map(blank).collect();
    if form.contains(&b'@') {
        form.truncate(form.trim_ascii_end().len());
    }
    form
}

pub(crate) fn write_error() -> Answer {
    Answer::Retry("Error: queue file write error".to_owned())
}

fn judge(id: &str, verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Queued | Verdict::Discarded => Answer::Ok(format!("Ok: queued as {id}")),
        Verdict::Refused { cause, reason } => refusal(cause, &reason),
    }
}

/// What cleanup does not take, in Postfix's words.
fn refusal(cause: Cause, reason: &str) -> Answer {
    let text = |usual: &str| format!("Error: {}", if reason.is_empty() { usual } else { reason });
    match cause {
        Cause::Malformed => Answer::Retry("Error: internal protocol error".to_owned()),
        Cause::Write => write_error(),
        Cause::Size => Answer::Never("Error: message too large".to_owned()),
        Cause::Hops => Answer::Never("Error: too many hops".to_owned()),
        Cause::NoRecipients => Answer::Never("Error: no recipients specified".to_owned()),
        Cause::Content if reason.starts_with('4') => Answer::Retry(text("")),
        Cause::Content => Answer::Never(text("message content rejected")),
        Cause::Defer | Cause::Shutdown => Answer::Retry(text("queue file write error")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_words() {
        let never = |text: &str| Answer::Never(text.to_owned());
        let retry = |text: &str| Answer::Retry(text.to_owned());
        for (cause, reason, expected) in [
            (Cause::Size, "", never("Error: message too large")),
            (Cause::Hops, "", never("Error: too many hops")),
            (Cause::NoRecipients, "", never("Error: no recipients specified")),
            (Cause::Content, "5.7.1 no", never("Error: 5.7.1 no")),
            (Cause::Content, "", never("Error: message content rejected")),
            (Cause::Content, "4.7.1 later", retry("Error: 4.7.1 later")),
            (Cause::Defer, "", retry("Error: queue file write error")),
            (Cause::Write, "no space", retry("Error: queue file write error")),
        ] {
            assert_eq!(refusal(cause, reason), expected);
        }
    }

    #[test]
    fn addresses_are_one_line() {
        for (address, expected) in
            [("a@b", "a@b"), ("a\nb@c\r\n", "a b@c"), ("a b\t", "a b "), ("a\0b@c", "a"), ("\0", ""), ("", "")]
        {
            assert_eq!(envelope_form(address.as_bytes()), expected.as_bytes(), "{address:?}");
        }
    }
}
