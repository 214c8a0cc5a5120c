//! RCPT: who is to get the message.

use std::sync::Arc;

use dsn::{Notify, OriginalRecipient};
use smtp_proto::command::PathArgument;
use smtp_proto::ehlo::Keyword;
use smtp_proto::{Enhanced, Reply, parameter, path};
use tracing::{info, warn};

use super::mail::{DSN_DISABLED, MUST_DECLARE, unsupported};
use crate::access::{Check, Fault};
use crate::session::transaction::{Envelope, Sender, Transaction};
use crate::session::{Next, Session, faults_of};
use crate::settings::ProxySpeed;
use crate::sink::{Broken, Sink, held, proxy, submission, write_error};
use crate::text::printable;

/// What RCPT says.
struct Recipient {
    address: Vec<u8>,
    notify: Notify,
    original: OriginalRecipient,
}

impl Session {
    pub(super) async fn rcpt(&mut self, arguments: &[u8]) -> Next {
        let mut envelope = match std::mem::take(&mut self.transaction) {
            Transaction::Open(envelope) => envelope,
            other @ (Transaction::Idle | Transaction::Chunks(..) | Transaction::Skipped(_)) => {
                let begun = other.envelope().is_some();
                let text = if begun { "Error: RCPT after BDAT" } else { "Error: need MAIL command" };
                self.transaction = other;
                return Next::against_protocol(Reply::fixed(503, Enhanced(5, 5, 1), text));
            }
        };
        let next = self.recipient(&mut envelope, arguments).await;
        self.transaction = Transaction::Open(envelope);
        next
    }

    async fn recipient(&mut self, envelope: &mut Envelope, arguments: &[u8]) -> Next {
        let Some(argument) = PathArgument::of_rcpt(arguments) else {
            return Next::against_protocol(Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: RCPT TO:<address>"));
        };
        if let Some(reply) = self.limit_recipients().await {
            return Next::against_policy(reply);
        }
        let mut recipient = match self.parse_recipient(&argument, &envelope.sender).await {
            Ok(recipient) => recipient,
            Err(reply) => return Next::against_protocol(reply),
        };
        if let Some(next) = self.too_many(envelope) {
            return next;
        }
        if !recipient.address.is_ascii() && self.must_declare(&envelope.sender) {
            return Next::against_protocol(MUST_DECLARE);
        }
        let probe_sender = &self.server.settings.probe_sender;
        if !self.server.life.is_standalone()
            && probe_sender.is_valid(&recipient.address, queue_file::Time::now().seconds.unsigned_abs())
        {
            // Another host probes the sender of our probes: a refusal would make each distrust the other for long.
            recipient.address = probe_sender.lasting();
        } else if let Err(reply) = self.check_recipient(envelope, &recipient.address).await {
            self.show_refused_recipient(envelope, &recipient.address, (&argument, &reply)).await;
            return Next::Error(*reply);
        }
        if let Err(reply) = self.show_recipient(envelope, &recipient.address, &argument).await {
            return Next::Error(reply);
        }
        match self.accept(envelope, &recipient, &argument).await {
            Ok(()) => Next::Reply(Reply::fixed(250, Enhanced(2, 1, 5), "Ok")),
            Err(reply) => Next::Error(reply),
        }
    }

    async fn parse_recipient(&mut self, argument: &PathArgument<'_>, sender: &Sender) -> Result<Recipient, Reply> {
        let address = match path::internal(argument.path, self.strictness()) {
            Ok(address) if !address.is_empty() && !self.is_bad_address(sender, &address).await => address,
            Ok(_) | Err(_) => {
                self.warn_of_syntax("RCPT", argument.path);
                return Err(Reply::fixed(501, Enhanced(5, 1, 3), "Bad recipient address syntax"));
            }
        };
        let (mut notify, mut original) = (Notify::UNSET, None);
        for parameter in parameter::parameters(argument.parameters) {
            match parameter.value {
                Some(_)
                    if ["NOTIFY", "ORCPT"].iter().any(|word| parameter.is(word)) && self.hidden.has(Keyword::Dsn) =>
                {
                    return Err(DSN_DISABLED);
                }
                Some(value) if parameter.is("NOTIFY") => match Notify::parse(value) {
                    Ok(set) if notify.is_unset() => notify = set,
                    wrong => {
                        if let Some(word) = Notify::unknown_word(value).filter(|_| wrong.is_err()) {
                            let (word, value) = (printable(word), printable(value));
                            warn!("unknown DSN NOTIFY command value \"{word:.100}\" in \"{value:.100}\"");
                        }
                        return Err(Reply::fixed(501, Enhanced(5, 5, 4), "Error: Bad NOTIFY parameter syntax"));
                    }
                },
                Some(value) if parameter.is("ORCPT") => match OriginalRecipient::parse(value) {
                    Ok(given) if original.is_none() => original = Some(given),
                    Ok(_) | Err(_) => {
                        return Err(Reply::fixed(501, Enhanced(5, 5, 4), "Error: Bad ORCPT parameter syntax"));
                    }
                },
                _ => return Err(unsupported(&parameter)),
            }
        }
        let original = original.unwrap_or_else(|| {
            let given = without_brackets(argument.path);
            if given.is_ascii() { OriginalRecipient::rfc822(given) } else { OriginalRecipient::utf8(given) }
        });
        Ok(Recipient { address, notify, original })
    }

    /// `smtpd_recipient_limit`; a client that goes on for long makes errors.
    fn too_many(&self, envelope: &mut Envelope) -> Option<Next> {
        let smtpd = &self.server.params.smtpd;
        let count = i64::try_from(envelope.recipients.count).unwrap_or(i64::MAX);
        if count < smtpd.smtpd_recipient_limit {
            return None;
        }
        let reply = Reply::fixed(452, Enhanced(4, 5, 3), "Error: too many recipients");
        envelope.recipients.over += 1;
        Some(if envelope.recipients.over > smtpd.smtpd_recipient_overshoot_limit {
            Next::Error(reply)
        } else {
            Next::Reply(reply)
        })
    }

    /// Client, HELO, sender and recipient restrictions, as they apply now.
    async fn check_recipient(&mut self, envelope: &mut Envelope, address: &[u8]) -> crate::access::stages::Outcome {
        let server = Arc::clone(&self.server);
        let mut actions = std::mem::take(&mut envelope.actions);
        let before =
            if server.params.access.smtpd_delay_reject { Default::default() } else { envelope.deferral.clone() };
        let mut check = Check::new(&server, self.facts(Some(envelope), Some(address)), &mut actions, before);
        let outcome = Box::pin(check.recipient()).await;
        let (faults, _) = faults_of(check);
        envelope.actions = actions;
        self.faults.extend(faults);
        outcome
    }

    /// Passes an accepted recipient on.
    async fn accept(
        &mut self,
        envelope: &mut Envelope,
        recipient: &Recipient,
        argument: &PathArgument<'_>,
    ) -> Result<(), Reply> {
        if envelope.recipients.first.is_none() {
            envelope.recipients.first = Some(recipient.address.clone());
        }
        if envelope.sink.is_none() {
            self.open_sink(envelope).await.inspect_err(|_| envelope.recipients.first = None)?;
        }
        match &mut envelope.sink {
            Some(Sink::Cleanup(delivery)) => {
                delivery.add_recipient(&recipient.address, &recipient.original.decoded(), recipient.notify)
            }
            Some(Sink::Proxy(filter)) => filter.recipient(&command_line(argument)).await?,
            Some(Sink::Held(held)) => held.recipient(&command_line(argument)),
            Some(Sink::Submission(post)) => {
                post.add_recipient(&recipient.address, &recipient.original.decoded(), recipient.notify);
            }
            None => return Err(write_error()),
        }
        envelope.recipients.count += 1;
        Ok(())
    }

    /// Opens the way that the message will take, and logs its id with the client.
    pub(super) async fn open_sink(&mut self, envelope: &mut Envelope) -> Result<(), Reply> {
        let opened = if self.server.life.is_standalone() {
            Box::pin(self.open_submission(envelope)).await.map_err(|Broken| write_error())
        } else if self.server.params.smtpd.smtpd_proxy_filter.is_empty() {
            self.open_cleanup(envelope).await.map_err(|Broken| write_error())
        } else {
            Box::pin(self.open_filter(envelope)).await
        };
        match opened {
            Ok(sink) => {
                envelope.sink = Some(sink);
                let id = envelope.queue_id.as_deref().unwrap_or("NOQUEUE");
                info!("{id}: client={}{}", self.peer.namaddr, self.client_details());
                Ok(())
            }
            Err(reply) => {
                // What a filter says is no fault of ours.
                if reply == write_error() {
                    self.faults.push(Fault::Resource);
                }
                Err(reply)
            }
        }
    }

    async fn open_cleanup(&self, envelope: &mut Envelope) -> Result<Sink, Broken> {
        let mut delivery = self.server.cleanup.open().await?;
        self.describe(&mut delivery, envelope).await;
        envelope.queue_id = Some(delivery.id.clone());
        Ok(Sink::Cleanup(Box::new(delivery)))
    }

    async fn open_submission(&self, envelope: &mut Envelope) -> Result<Sink, Broken> {
        let params = &self.server.params;
        let ways = submission::Ways {
            deadline: params.ipc.ipc_timeout,
            command_directory: &params.layout.command_directory,
            line_length_limit: usize::try_from(params.ipc.line_length_limit).unwrap_or(2048),
        };
        let post = submission::Post::open(envelope, ways).await?;
        envelope.queue_id = post.queue_id().map(str::to_owned);
        Ok(Sink::Submission(Box::new(post)))
    }

    async fn open_filter(&self, envelope: &Envelope) -> Result<Sink, Reply> {
        let mail = envelope.sender.command();
        let attributes = self.forward_attributes(envelope);
        if self.server.settings.proxy_speed == ProxySpeed::Adjusted {
            return Ok(Sink::Held(Box::new(held::Held::new(Arc::clone(&self.server), attributes, mail.into_bytes()))));
        }
        Ok(Sink::Proxy(Box::new(proxy::Filter::open(&self.server, &attributes, mail.as_bytes()).await?)))
    }

    /// What follows the client in its log line.
    fn client_details(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.login.iter().flat_map(|login| login.attributes()) {
            text.push_str(&format!(", {name}={value}"));
        }
        if let Some(ident) = &self.forward.ident {
            text.push_str(&format!(", orig_queue_id={ident}"));
        }
        if let Some(client) = &self.forward.client {
            text.push_str(&format!(", orig_client={}", client.namaddr()));
        }
        text
    }
}

/// The address as the client has it, which may be more than what is left of it: quotes, a route.
fn without_brackets(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"<").map_or(path, |rest| rest.strip_suffix(b">").unwrap_or(rest))
}

/// The command line, for a filter.
fn command_line(argument: &PathArgument<'_>) -> Vec<u8> {
    [b"RCPT TO:", argument.path, b" ", argument.parameters].concat().trim_ascii_end().to_vec()
}
