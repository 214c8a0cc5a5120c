//! Filters for mail that does not come by SMTP (`non_smtpd_milters`): a session is made up for them.

use std::sync::Arc;

use ::address::Address;
use ::milter::chain::{Chain, Verdict};
use ::milter::packet;
use ::milter::packet::Command;
use ipc::cleanup::Cause;
use tracing::warn;

use super::Way;
use crate::fate::Refusal;
use crate::message::Message;

impl Message {
    pub(super) async fn filter_locally(&mut self) -> Result<(), Refusal> {
        let desk = Arc::clone(&self.desk);
        let mut chain = Chain::new(&desk.filters.specs, Arc::clone(&desk.filters.names));
        Box::pin(chain.open()).await;
        let result = Box::pin(self.filter_with(&mut chain)).await;
        chain.forget_message();
        Box::pin(chain.quit()).await;
        result
    }

    async fn filter_with(&mut self, chain: &mut Chain) -> Result<(), Refusal> {
        let mut facts = self.facts();
        let mut given = std::mem::take(&mut self.given).into_iter();
        // Filters hear of one recipient after the other, and the log tells which; the last one stands until the end.
        let last = self.recipients.last.take();
        for (event, command) in self.made_up(given.as_slice()) {
            if let Command::Rcpt(words) = &command {
                facts.recipient = words.first().map(|word| text(word));
                self.recipients.last = given.next();
            }
            let verdict = Box::pin(chain.tell(&command, &|name| facts.value(name))).await;
            if verdict != Verdict::Continue {
                self.take_verdict(event, verdict);
                if matches!(command, Command::Rcpt(_)) && self.fate.refusal.is_some() {
                    self.keep_recipient();
                }
                if self.is_over() || self.fate.refusal.is_some() {
                    return Ok(());
                }
            }
        }
        self.recipients.last = last;
        let macros = move |name: &str| facts.value(name);
        let readers = chain.readers();
        if readers.is_empty() {
            return Ok(());
        }
        Box::pin(self.show(readers, Way::Own(chain, &macros))).await
    }

    /// A recipient is refused to a client, and there is none: the whole message has to wait.
    fn keep_recipient(&mut self) {
        warn!("{}: milter configuration error: can't reject recipient in non-smtpd(8) submission", self.id);
        warn!("{}: message not accepted, try again later", self.id);
        self.fate.refusal = Some(Refusal::new(Cause::Defer, ""));
    }

    /// The session as it might have been.
    fn made_up(&self, recipients: &[Address]) -> Vec<(&'static str, Command)> {
        let client = &self.envelope.client;
        let (host, address) = client.ends();
        let port = client.port().parse().unwrap_or(0);
        let address = if address.contains(':') {
            packet::Address::V6(address.into_owned(), port)
        } else {
            packet::Address::V4(address.into_owned(), port)
        };
        let helo = Some(client.greeting()).filter(|helo| !helo.is_empty()).unwrap_or_else(|| host.clone());
        let mut events = vec![
            ("CONNECT", Command::Connect { host: host.as_bytes().to_vec(), address }),
            ("EHLO", Command::Helo(helo.as_bytes().to_vec())),
            ("MAIL", Command::Mail(vec![self.sender().external()])),
        ];
        let recipients = recipients.iter().map(|recipient| ("RCPT", Command::Rcpt(vec![recipient.external()])));
        events.extend(recipients);
        events.push(("DATA", Command::Data));
        events
    }

    fn facts(&self) -> Facts {
        let (name, address) = self.envelope.client.ends();
        let filters = &self.desk.filters;
        Facts {
            id: self.id.clone(),
            host: self.desk.settings.myhostname.clone(),
            daemon: filters.daemon_name.clone(),
            version: filters.version.clone(),
            client: (name.into_owned(), address.into_owned(), self.envelope.client.port().into_owned()),
            sender: text(&self.sender().external()),
            recipient: None,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Of mail that came by none.
const NO_PORT: &str = "0";

/// What macros may tell.
struct Facts {
    id: String,
    host: String,
    daemon: String,
    version: String,
    client: (String, String, String),
    sender: String,
    recipient: Option<String>,
}

impl Facts {
    fn value(&self, name: &str) -> Option<String> {
        let (client, address, port) = &self.client;
        Some(match name {
            "i" => self.id.clone(),
            "j" => self.host.clone(),
            "v" => self.version.clone(),
            "{daemon_name}" => self.daemon.clone(),
            "{daemon_addr}" => "127.0.0.1".to_owned(),
            "_" => format!("{client} [{address}]"),
            "{client_name}" | "{client_ptr}" => client.clone(),
            "{client_addr}" => address.clone(),
            "{client_port}" if port.is_empty() => NO_PORT.to_owned(),
            "{client_port}" => port.clone(),
            "{daemon_port}" => NO_PORT.to_owned(),
            "{mail_addr}" => self.sender.clone(),
            "{rcpt_addr}" => return self.recipient.clone(),
            _ => return None,
        })
    }
}
