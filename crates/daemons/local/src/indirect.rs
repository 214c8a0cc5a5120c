//! Addresses elsewhere: the message goes into the queue again, as one of its own.

use std::path::Path;

use address::Address;
use bytes::Bytes;
use delivery::{Attempt, Settled};
use dsn::{Detail, Notify, Outcome, Ret, Status};
use ipc::blocking::Channel;
use ipc::cleanup::{Cleanup, ENVELOPE, Handling, Origin, Reply, Request, Verdict};
use ipc::deliver::Recipient;
use ipc::post::{DATE, received};
use queue_file::Time;
use queue_file::record::{self, Type};
use tracing::warn;

use crate::alias::without_success;
use crate::errand::Errand;
use crate::state::State;

/// The messages that the expansion of one recipient makes.
#[derive(Debug, Default)]
pub(crate) struct Forwards(Vec<Forward>);

/// A connection to cleanup, and the id that the next message will have.
#[derive(Debug)]
pub(crate) struct Line {
    channel: Channel<Request, Reply>,
    queue_id: String,
}

/// A message to be sent.
#[derive(Debug)]
struct Forward {
    /// For `Delivered-To:`.
    delivered: Vec<u8>,
    sender: Bytes,
    owner: Option<Bytes>,
    recipients: Vec<Recipient>,
}

/// Content goes to cleanup in pieces of this size.
const CHUNK: usize = 64 * 1024;

impl Errand<'_, '_> {
    /// Notes an address; it is sent to when the whole recipient has been expanded.
    pub(crate) fn indirect(&mut self, state: &State) -> Settled {
        if self.is_repeated("indirect", &state.recipient.address) {
            return Settled::Finished;
        }
        if self.is_dry() {
            let shown = Address::from(&state.recipient.address[..]);
            return self.sent(state, format!("forwards to {shown}"));
        }
        let delivered = state.delivered();
        let forwards = &mut self.forwards.0;
        match forwards.iter_mut().find(|known| known.delivered == delivered && known.sender == state.sender) {
            Some(known) => known.recipients.push(state.recipient.clone()),
            None => forwards.push(Forward {
                delivered: delivered.to_vec(),
                sender: state.sender.clone(),
                owner: state.owner.clone(),
                recipients: vec![state.recipient.clone()],
            }),
        }
        Settled::Finished
    }

    /// Sends what was noted, and reports it for the recipient that it came from.
    pub(crate) fn send_forwards(&mut self, recipient: &Recipient) -> Settled {
        let mut settled = Settled::Finished;
        for forward in std::mem::take(&mut self.forwards.0) {
            let attempt: Attempt = self.attempt(forward.owner.clone());
            // Success is told of the message that goes on, or was of the alias.
            let notify = forward.recipients.first().map_or(recipient.notify, |member| member.notify);
            let notify = Notify::from_bits(notify)
                .filter(|notify| notify.contains(Notify::SUCCESS))
                .map_or(notify, without_success);
            let recipient = &Recipient { notify, ..recipient.clone() };
            let outcome = match self.send(&forward) {
                Ok(queue_id) => {
                    let detail = Detail::new(Status::SENT, format!("forwarded as {queue_id}"));
                    Outcome::Sent(detail.with_action("relayed"))
                }
                Err(reason) => {
                    warn!("{}: cannot forward: {reason}", self.request().queue_id);
                    Outcome::Deferred(Detail::new(Status::temporary(3, 0), "unable to forward message"))
                }
            };
            settled = crate::errand::and(settled, self.delivery.report(recipient, &attempt, outcome));
        }
        settled
    }

    fn send(&mut self, forward: &Forward) -> Result<String, String> {
        // The other end of a connection that was kept may have ended meanwhile.
        if let Some(mut line) = self.office.cleanup.take()
            && !line.channel.is_stale()
            && let Ok(sent) = self.send_over(line, forward)
        {
            return sent;
        }
        let ipc = &self.office.params.common.ipc;
        let path = Path::new("public").join(&ipc.cleanup_service_name);
        let text = |error: ipc::Error| error.to_string();
        let mut channel = Channel::connect::<Cleanup>(&path, ipc.ipc_timeout).map_err(text)?;
        match channel.expect().map_err(text)? {
            Reply::Ready(queue_id) => self.send_over(Line { channel, queue_id }, forward).map_err(text)?,
            Reply::Unavailable(reason) => Err(reason),
            Reply::Finished { .. } | Reply::Filter { .. } | Reply::Leaving => {
                Err("answer without a message".to_owned())
            }
        }
    }

    /// Hands the message to cleanup, and keeps the connection for the next: the queue id, or why there is none.
    fn send_over(&mut self, line: Line, forward: &Forward) -> Result<Result<String, String>, ipc::Error> {
        let Line { mut channel, queue_id } = line;
        // What was checked when it came in is only mapped again.
        let classes = &self.office.params.common.identity.smtputf8_autodetect_classes;
        let flags = self.request().message.smtputf8;
        let handling = Handling {
            requiretls: (flags & queue_file::TLS_REQUIRED != 0).into(),
            smtputf8: (flags & queue_file::SMTPUTF8_REQUESTED != 0).into(),
            ..Handling::internal(Origin::Forward, &[], classes)
        };
        channel.send(&Request::Begin(handling))?;
        for records in record::pieces(&self.envelope(forward), ENVELOPE) {
            channel.send(&Request::Envelope(records.to_vec().into()))?;
        }
        channel.send_raw(&self.headers(forward, &queue_id))?;
        let mut content = self.content();
        let mut more = true;
        while more {
            let mut chunk = Vec::with_capacity(CHUNK);
            more = match content.append_to(&mut chunk, b"\n", CHUNK) {
                Ok(more) => more,
                Err(error) => return Ok(Err(error.to_string())),
            };
            channel.send_raw(&chunk)?;
        }
        channel.send(&Request::End)?;
        Ok(match channel.answer()? {
            Reply::Finished { verdict, next } => {
                self.office.cleanup = (!next.is_empty()).then_some(Line { channel, queue_id: next });
                match verdict {
                    Verdict::Queued | Verdict::Discarded => Ok(queue_id),
                    Verdict::Refused { cause, reason } => Err(format!("{cause:?} {reason}")),
                }
            }
            Reply::Unavailable(reason) => Err(reason),
            Reply::Ready(_) | Reply::Filter { .. } | Reply::Leaving => Err("no answer to a message".to_owned()),
        })
    }

    fn headers(&self, forward: &Forward, queue_id: &str) -> Vec<u8> {
        let identity = &self.office.params.common.identity;
        let date = self.office.now().strftime(DATE).to_string();
        let mut out = received(&identity.myhostname, &identity.mail_name, queue_id, &date).into_bytes();
        if self.prepends("forward") {
            out.extend_from_slice(b"Delivered-To: ");
            out.extend_from_slice(&delivery::external(&forward.delivered).to_ascii_lowercase());
            out.push(b'\n');
        }
        out
    }

    fn envelope(&self, forward: &Forward) -> Vec<u8> {
        let ipc::deliver::Request { message, times, client, queue_id, .. } = self.request();
        let mut out = Vec::with_capacity(512);
        let microseconds = u32::try_from(times.arrived.rem_euclid(1_000_000)).unwrap_or(0);
        record::put_time(&mut out, Time { seconds: times.arrived.div_euclid(1_000_000), microseconds });
        let ident = if client.ident.is_empty() { queue_id } else { &client.ident };
        let ret = Ret::parse(message.ret.as_bytes()).map(|ret| ret.bits().to_string()).unwrap_or_default();
        for (name, value) in [
            ("log_client_name", &client.name),
            ("log_client_address", &client.address),
            ("log_client_port", &client.port),
            ("log_helo_name", &client.helo),
            ("log_protocol_name", &client.protocol),
            ("log_ident", ident),
            ("sasl_method", &client.sasl_method),
            ("sasl_username", &client.sasl_username),
            ("sasl_sender", &client.sasl_sender),
            ("rewrite_context", &message.rewrite_context),
            ("encoding", &message.encoding),
            ("envelope_id", &message.envelope_id),
            ("ret_flags", &ret),
        ] {
            if !value.is_empty() {
                record::put_attribute(&mut out, name, value.as_bytes());
            }
        }
        record::put(&mut out, Type::Sender, &forward.sender);
        for recipient in &forward.recipients {
            if !recipient.dsn_original.is_empty() {
                record::put_attribute(&mut out, "dsn_orig_rcpt", recipient.dsn_original.as_bytes());
            }
            if recipient.notify != 0 {
                record::put_attribute(&mut out, "notify_flags", recipient.notify.to_string().as_bytes());
            }
            let is_known = !recipient.original.is_empty();
            record::put(&mut out, Type::Original, if is_known { &recipient.original } else { &recipient.address });
            record::put(&mut out, Type::Recipient, &recipient.address);
        }
        out
    }
}
