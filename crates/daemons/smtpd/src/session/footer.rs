//! What is added to refusals: `smtpd_reject_footer`, and what `smtpd_reject_filter_maps` makes of them.

use std::borrow::Cow;

use smtp_proto::Reply;
use tracing::{info, warn};

use super::Session;
use super::transaction::Envelope;
use crate::text::{parted, printable, told};

impl Session {
    /// A refusal as the client gets it; other replies unchanged.
    pub(super) async fn dressed(&self, reply: Reply) -> Reply {
        if reply.code < 400 {
            return reply;
        }
        let reply = self.replaced(reply).await;
        let footer = self.footer(&reply).await;
        let reply = self.server.settings.softened(reply);
        match footer {
            Some(footer) => self.with_footer(reply, &footer),
            None => reply,
        }
    }

    async fn replaced(&self, reply: Reply) -> Reply {
        let maps = &self.server.tables.reject_filter_maps;
        if maps.is_empty() {
            return reply;
        }
        let key = reply.logged();
        let found = match maps.lookup(key.as_bytes()).await {
            Ok(Some(found)) => found,
            Ok(None) => return reply,
            Err(_) => {
                warn!("{} lookup error for \"{key}\"", maps.first());
                return reply;
            }
        };
        let id = self.message().and_then(|envelope| envelope.queue_id.as_deref()).unwrap_or("NOQUEUE");
        match Reply::from_text(&found).filter(|reply| (400..600).contains(&reply.code)) {
            Some(other) => {
                info!("{id}: reject filter in: {key}");
                info!("{id}: reject filter out: {}", other.logged());
                other
            }
            None => {
                let found = String::from_utf8_lossy(&found);
                warn!("{} result for \"{key}\" does not refuse: {:.100}", maps.first(), printable(found.as_bytes()));
                reply
            }
        }
    }

    /// The message at hand, or the one that was refused at its end.
    fn message(&self) -> Option<&Envelope> {
        self.transaction.envelope().or(self.refused.as_deref())
    }

    async fn footer(&self, reply: &Reply) -> Option<String> {
        let maps = &self.server.tables.reject_footer_maps;
        if !maps.is_empty() {
            let key = reply.logged();
            match maps.lookup(key.as_bytes()).await {
                Ok(Some(footer)) => return Some(String::from_utf8_lossy(&footer).into_owned()),
                Ok(None) => {}
                Err(_) => warn!("{} lookup error for \"{key}\"", maps.first()),
            }
        }
        let footer = &self.server.params.smtpd.smtpd_reject_footer;
        (!footer.is_empty()).then(|| footer.clone())
    }

    fn with_footer(&self, reply: Reply, template: &str) -> Reply {
        let filter = &self.server.settings.expansion_filter;
        let names = |name: &str| self.footer_value(name).map(|value| filter.apply(value));
        let Ok(footer) = config::expand_once(template, &names) else { return reply };
        reply.with_footer(&footer)
    }

    /// What a name stands for; nothing where that is not known yet.
    fn footer_value(&self, name: &str) -> Option<Cow<'_, str>> {
        let peer = &self.peer;
        let now = || jiff::Timestamp::now().to_zoned(self.server.settings.timezone.clone());
        Some(match name {
            "client" => peer.namaddr.as_str().into(),
            "client_address" => peer.address.as_str().into(),
            "client_name" => peer.name.as_str().into(),
            "client_port" => peer.port.as_str().into(),
            "reverse_client_name" => peer.reverse_name.as_str().into(),
            "helo_name" => self.helo.as_ref().map_or("", |helo| helo.name.as_str()).into(),
            "server_name" => self.server.params.identity.myhostname.as_str().into(),
            "server_address" => peer.server_address.as_str().into(),
            "server_port" => peer.server_port.as_str().into(),
            "localtime" => now().strftime("%b %d %H:%M:%S").to_string().into(),
            _ => match self.footer_address(name) {
                Some(value) => value,
                None => {
                    warn!("unknown macro name \"{name}\" in expansion request");
                    return None;
                }
            },
        })
    }

    /// The addresses of the message at hand, or of the one that was refused at its end.
    fn footer_address(&self, name: &str) -> Option<Cow<'_, str>> {
        let envelope = self.message();
        let sender = || envelope.map_or("".into(), |envelope| told_sender(&envelope.sender.address));
        let recipient = || told(envelope.and_then(|envelope| envelope.recipients.first.as_deref()).unwrap_or_default());
        Some(match name {
            "sender" => sender(),
            "sender_name" => parted(&sender()).0.to_owned().into(),
            "sender_domain" => parted(&sender()).1.to_owned().into(),
            "recipient" => recipient(),
            "recipient_name" => parted(&recipient()).0.to_owned().into(),
            "recipient_domain" => parted(&recipient()).1.to_owned().into(),
            _ => return None,
        })
    }
}

/// The null sender has brackets.
fn told_sender(address: &[u8]) -> Cow<'_, str> {
    if address.is_empty() { "<>".into() } else { told(address) }
}

#[cfg(test)]
mod tests {
    use crate::rehearsal::session;

    #[test]
    fn a_refusal_can_be_replaced_by_another_one() {
        let told = "500 5.5.2 Error: command not recognized";
        let heard =
            session("smtpd_reject_filter_maps = static:{450 4.0.0 Later}\nsmtpd_reject_footer = \\c!\n", &["FOO"]);
        assert_eq!(heard.replies[1], "450 4.0.0 Later!");
        heard.assert_logged(&format!("NOQUEUE: reject filter in: {told}"));
        heard.assert_logged("NOQUEUE: reject filter out: 450 4.0.0 Later");
        let heard = session("smtpd_reject_filter_maps = static:{250 2.0.0 Ok}\n", &["FOO"]);
        assert_eq!(heard.replies[1], told);
        heard.assert_logged("static:{250 2.0.0 Ok} result for \"500 5.5.2 Error: command not recognized\" does not refuse: 250 2.0.0 Ok");
    }
}
