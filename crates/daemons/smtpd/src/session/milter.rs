//! Mail filters: who is asked, what they are told of the session and the envelope, and what becomes of their verdicts.
//!
//! The content is shown to them by cleanup, through us. See MILTER_README.

use std::sync::Arc;

use ::milter::chain::{Chain, MacroNames, REJECTED, Verdict, held};
use ::milter::packet::{self, Command};
use ::milter::spec::Spec;
use smtp_proto::command::PathArgument;
use smtp_proto::{Enhanced, Reply, Verb, conn, parameter};
use table::{Environment, Maps};
use tracing::warn;

use super::peer::NameStatus;
use super::transaction::Envelope;
use super::{Next, Session};
use crate::Params;
use crate::access::{Fault, HANGUP};
use crate::text::{external, printable};

/// What is set up for the process.
#[derive(Debug)]
pub(crate) struct Milters {
    /// `smtpd_milters`
    specs: Vec<Arc<Spec>>,
    /// `smtpd_milter_maps`
    maps: Maps,
    names: Arc<MacroNames>,
}

fn specs(list: &[String], params: &Params) -> Vec<Arc<Spec>> {
    Spec::list(list, &params.milter, &params.daemon.known_tcp_ports).into_iter().map(Arc::new).collect()
}

impl Milters {
    pub(crate) fn open(params: &Params, environment: &Environment) -> Milters {
        let smtpd = &params.smtpd;
        Milters {
            specs: specs(&smtpd.smtpd_milters, params),
            maps: Maps::open("smtpd_milter_maps", &smtpd.smtpd_milter_maps, environment),
            names: Arc::new(MacroNames::new(&params.milter)),
        }
    }

    pub(crate) fn changed(&self) -> bool {
        self.maps.changed()
    }
}

/// What macros tell of the message.
#[derive(Debug, Default)]
pub(crate) struct About {
    queue_id: Option<String>,
    sender: Option<Party>,
    recipient: Option<Party>,
}

/// An address and where mail for it goes.
#[derive(Debug)]
struct Party {
    address: String,
    host: Option<String>,
    mailer: Option<String>,
}

impl Session {
    /// Connects to the filters for this client, tells them of it, and gives the greeting that is due then.
    pub(crate) async fn meet_milters(&mut self) -> Reply {
        self.leave_milters().await;
        let specs = self.milters_of_client().await;
        if specs.is_empty() {
            return self.banner();
        }
        let mut chain = Box::new(Chain::new(&specs, Arc::clone(&self.server.milters.names)));
        Box::pin(chain.open()).await;
        self.milters = Some(chain);
        let port = self.peer.port.parse().unwrap_or(0);
        let address = match self.peer.ip {
            Some(ip) if ip.is_ipv6() => packet::Address::V6(ip.to_string(), port),
            Some(ip) => packet::Address::V4(ip.to_string(), port),
            None => packet::Address::Unknown,
        };
        // A client without a name is shown by its address, as Sendmail does.
        let known = self.peer.name != "unknown" || self.peer.ip.is_none();
        let host = if known { self.peer.name.clone() } else { format!("[{}]", self.peer.address) };
        let command = Command::Connect { host: host.into_bytes(), address };
        let verdict = self.tell(&command, &About::default()).await;
        let host = &self.server.params.identity.myhostname;
        let (refused, unavailable) = (
            Reply::new(554, None, format!("{host} ESMTP not accepting connections")),
            Reply::new(421, None, format!("{host} Service unavailable - try again later")),
        );
        match self.concluded(verdict, None, None) {
            Some(reply) if reply.code >= 500 => refused,
            Some(reply) if reply.code == 421 => unavailable,
            Some(_) | None => self.banner(),
        }
    }

    async fn milters_of_client(&self) -> Vec<Arc<Spec>> {
        let server = &self.server;
        if server.settings.overrides.no_milters() {
            return Vec::new();
        }
        let milters = &server.milters;
        if milters.maps.is_empty() {
            return milters.specs.clone();
        }
        match milters.maps.lookup(self.peer.address.as_bytes()).await {
            Ok(Some(found)) => {
                let list = config::value::words(&String::from_utf8_lossy(&found));
                if list.iter().any(|word| word.eq_ignore_ascii_case("DISABLE")) {
                    return Vec::new();
                }
                specs(&list, &server.params)
            }
            Ok(None) => milters.specs.clone(),
            Err(_) => {
                warn!("smtpd_milter_maps: lookup error for {}; using smtpd_milters", self.peer.address);
                milters.specs.clone()
            }
        }
    }

    /// HELO or EHLO: the refusal, if there is one. It holds for what follows; only 421 is said at once.
    pub(crate) async fn show_helo(&mut self, arguments: &[u8]) -> Option<Reply> {
        self.milters.as_ref()?;
        let verdict = self.tell(&Command::Helo(arguments.to_vec()), &About::default()).await;
        self.concluded(verdict, None, None)
    }

    pub(crate) async fn show_mail(&mut self, envelope: &mut Envelope, given: &PathArgument<'_>) -> Result<(), Reply> {
        if self.milters.is_none() {
            return Ok(());
        }
        let command = Command::Mail(words(&envelope.sender.address, given));
        let about = self.told_of(envelope, None).await;
        let verdict = self.tell(&command, &about).await;
        self.concluded(verdict, Some(envelope), None).map_or(Ok(()), Err)
    }

    /// An accepted recipient.
    pub(crate) async fn show_recipient(
        &mut self,
        envelope: &mut Envelope,
        address: &[u8],
        given: &PathArgument<'_>,
    ) -> Result<(), Reply> {
        if self.milters.is_none() || envelope.actions.discard {
            return Ok(());
        }
        let about = self.told_of(envelope, Some(address)).await;
        let verdict = self.tell(&Command::Rcpt(words(address, given)), &about).await;
        self.concluded(verdict, Some(envelope), Some(address)).map_or(Ok(()), Err)
    }

    /// A refused recipient, for filters that want to know.
    pub(crate) async fn show_refused_recipient(
        &mut self,
        envelope: &Envelope,
        address: &[u8],
        given: (&PathArgument<'_>, &Reply),
    ) {
        let (given, reply) = given;
        if *reply == HANGUP || !self.milters.as_ref().is_some_and(|chain| chain.wants_refused_recipients()) {
            return;
        }
        let mut about = self.told_of(envelope, None).await;
        about.recipient = Some(Party {
            address: reply.logged(),
            host: reply.status.map(|status| status.to_string()),
            mailer: Some("error".to_owned()),
        });
        let command = Command::Rcpt(words(address, given));
        let Some(mut chain) = self.milters.take() else { return };
        Box::pin(chain.tell_refused(&command, &|name| self.macro_value(name, &about))).await;
        self.milters = Some(chain);
    }

    /// The client wants to send content.
    pub(crate) async fn show_data(&mut self, envelope: &mut Envelope) -> Result<(), Reply> {
        if self.milters.is_none() || envelope.actions.discard {
            return Ok(());
        }
        let about = self.told_of(envelope, envelope.recipients.first.as_deref()).await;
        let verdict = self.tell(&Command::Data, &about).await;
        self.concluded(verdict, Some(envelope), None).map_or(Ok(()), Err)
    }

    /// Filters hear of a command that is none. What a plain refusal of theirs would say we say better ourselves.
    pub(crate) async fn show_unknown(&mut self, line: &[u8]) -> Option<Next> {
        self.milters.as_ref()?;
        let mut transaction = std::mem::take(&mut self.transaction);
        let about = match transaction.envelope() {
            Some(envelope) => self.told_of(envelope, envelope.recipients.first.as_deref()).await,
            None => About::default(),
        };
        let verdict = self.tell(&Command::Unknown(line.to_vec()), &about).await;
        let is_plain = matches!(&verdict, Verdict::Reply(text) if text == REJECTED);
        let refusal = self.concluded(verdict, transaction.envelope_mut(), None);
        self.transaction = transaction;
        refusal.filter(|_| !is_plain).map(Next::Error)
    }

    /// Commands that filters do not hear of, of a client that they have refused.
    pub(crate) fn refused_by_milters(&self, verb: Verb) -> Option<Next> {
        let chain = self.milters.as_ref()?;
        if !matches!(verb, Verb::Starttls | Verb::Auth | Verb::Vrfy | Verb::Etrn) {
            return None;
        }
        match chain.standing() {
            Verdict::Reply(text) => Some(Next::Error(reply_of(&text))),
            Verdict::Shutdown => Some(Next::Hangup(CLOSING)),
            Verdict::Continue | Verdict::Discard | Verdict::Hold(_) => None,
        }
    }

    /// The message is over, or given up.
    pub(crate) fn forget_message(&mut self) {
        if let Some(chain) = &mut self.milters {
            chain.forget_message();
        }
    }

    /// The client says QUIT: filters hear of it before it gets its reply, and it gets the replies that wait before that.
    pub(crate) async fn quit_milters(&mut self) -> Result<(), conn::Error> {
        if self.milters.is_some() {
            self.conn.flush().await?;
            self.drop_transaction();
            self.leave_milters().await;
        }
        Ok(())
    }

    /// The session is over.
    pub(crate) async fn leave_milters(&mut self) {
        if let Some(mut chain) = self.milters.take() {
            chain.forget_message();
            Box::pin(chain.quit()).await;
        }
    }

    async fn tell(&mut self, command: &Command, about: &About) -> Verdict {
        let Some(mut chain) = self.milters.take() else { return Verdict::Continue };
        let verdict = Box::pin(chain.tell(command, &|name| self.macro_value(name, about))).await;
        self.milters = Some(chain);
        verdict
    }

    /// Logs a verdict, and notes it with the message. The reply, if it is a refusal.
    fn concluded(
        &mut self,
        verdict: Verdict,
        mut envelope: Option<&mut Envelope>,
        recipient: Option<&[u8]>,
    ) -> Option<Reply> {
        let facts = match recipient {
            Some(recipient) => self.facts(envelope.as_deref(), Some(recipient)),
            None => self.facts_to_log(envelope.as_deref()),
        };
        let (action, text, reply) = match verdict {
            Verdict::Continue => return None,
            Verdict::Hold(_) if envelope.as_ref().is_some_and(|envelope| envelope.actions.hold) => return None,
            Verdict::Discard if envelope.as_ref().is_some_and(|envelope| envelope.actions.discard) => return None,
            Verdict::Hold(reason) => ("milter-hold", printable(held(&reason).as_bytes()).into_owned(), None),
            Verdict::Discard => ("milter-discard", "milter triggers DISCARD action".to_owned(), None),
            Verdict::Shutdown => ("milter-reject", CLOSING.logged(), Some(CLOSING)),
            Verdict::Reply(text) => {
                let reply = reply_of(&text);
                ("milter-reject", text, Some(reply))
            }
        };
        facts.log(action, &text);
        match (&mut envelope, &reply) {
            (Some(envelope), None) if action == "milter-hold" => envelope.actions.hold = true,
            (Some(envelope), None) => envelope.actions.discard = true,
            (_, Some(_)) => self.faults.push(Fault::Policy),
            (None, None) => {}
        }
        reply
    }

    /// What macros tell of a message.
    pub(crate) async fn told_of(&self, envelope: &Envelope, recipient: Option<&[u8]>) -> About {
        let sender = envelope.sender.address.as_slice();
        About {
            queue_id: envelope.queue_id.clone(),
            sender: Some(self.party(sender, sender).await),
            recipient: match recipient {
                Some(recipient) => Some(self.party(sender, recipient).await),
                None => None,
            },
        }
    }

    async fn party(&self, sender: &[u8], address: &[u8]) -> Party {
        let mut party = Party { address: external(address).into_owned(), host: None, mailer: None };
        if let Ok(resolved) = self.server.resolver.resolve(sender, address).await {
            party.address = party_address(address, &resolved.recipient);
            party.host = Some(resolved.route.nexthop.clone());
            party.mailer = Some(resolved.route.transport.clone());
        }
        party
    }

    pub(crate) fn macro_value(&self, name: &str, about: &About) -> Option<String> {
        let peer = &self.peer;
        let params = &self.server.params;
        let (sender, recipient) = (about.sender.as_ref(), about.recipient.as_ref());
        Some(match name {
            "i" => about.queue_id.clone()?,
            "j" => params.identity.myhostname.clone(),
            "v" => params.milter.milter_macro_v.clone(),
            "_" if peer.name.eq_ignore_ascii_case(&peer.reverse_name) => format!("{} [{}]", peer.name, peer.address),
            "_" => format!("{} [{}] (may be forged)", peer.reverse_name, peer.address),
            "{daemon_name}" => params.milter.milter_macro_daemon_name.clone(),
            "{daemon_addr}" | "{if_addr}" => peer.server_address.clone(),
            "{daemon_port}" => peer.server_port.clone(),
            "{client_addr}" => peer.address.clone(),
            "{client_name}" => peer.name.clone(),
            "{client_ptr}" => peer.reverse_name.clone(),
            "{client_port}" => peer.port.clone(),
            "{client_connections}" => self.connections.to_string(),
            "{client_resolve}" => resolved_word(peer.name_status).to_owned(),
            "{mail_addr}" => sender?.address.clone(),
            "{mail_host}" => sender?.host.clone()?,
            "{mail_mailer}" => sender?.mailer.clone()?,
            "{rcpt_addr}" => recipient?.address.clone(),
            "{rcpt_host}" => recipient?.host.clone()?,
            "{rcpt_mailer}" => recipient?.mailer.clone()?,
            _ => return self.identity_macro(name),
        })
    }

    /// What TLS and AUTH have shown.
    fn identity_macro(&self, name: &str) -> Option<String> {
        let (tls, login) = (self.tls.as_ref(), self.login.as_ref());
        let value = match name {
            "{tls_version}" => tls?.protocol.clone(),
            "{cipher}" => tls?.cipher.clone(),
            "{cipher_bits}" => tls?.bits.to_string(),
            "{cert_subject}" => tls?.subject.clone(),
            "{cert_issuer}" => tls?.issuer.clone(),
            "{auth_type}" => login?.method.clone(),
            "{auth_authen}" => login?.username.clone(),
            "{auth_author}" => login?.sender.clone(),
            _ => return None,
        };
        (!value.is_empty()).then_some(value)
    }
}

const CLOSING: Reply = Reply::fixed(421, Enhanced(4, 7, 0), "Server closing connection");

/// `OK`, or why the client's name is not known.
fn resolved_word(status: NameStatus) -> &'static str {
    match status {
        NameStatus::Known => "OK",
        NameStatus::Temporary => "TEMP",
        NameStatus::Forged => "FORGED",
        NameStatus::Unknown => "FAIL",
    }
}

/// An address in macros: where its mail goes, in lower case. The null sender stays that, whoever gets mail for it.
fn party_address(given: &[u8], resolved: &[u8]) -> String {
    if given.is_empty() { String::new() } else { external(resolved).to_lowercase() }
}

/// The arguments of MAIL or RCPT as filters see them.
fn words(address: &[u8], given: &PathArgument<'_>) -> Vec<Vec<u8>> {
    let path = format!("<{}>", external(address)).into_bytes();
    let parameters = parameter::parameters(given.parameters).map(|parameter| parameter.text.to_vec());
    std::iter::once(path).chain(parameters).collect()
}

/// A filter's own reply, of one line or several.
pub(crate) fn reply_of(text: &str) -> Reply {
    let later = Reply::fixed(451, Enhanced(4, 7, 1), "Service unavailable - try again later");
    let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty());
    let Some(first) = lines.next() else { return later };
    let Some(code) = first.get(..3).and_then(|code| code.parse().ok()).filter(|code| (400..600).contains(code)) else {
        return later;
    };
    let mut status = None;
    let mut shown = Vec::new();
    for line in std::iter::once(first).chain(lines) {
        let rest = line.get(4..).unwrap_or_default();
        match Enhanced::split(rest.as_bytes()) {
            Some((found, rest)) if !rest.is_empty() => {
                status = status.or(Some(found));
                shown.push(rest);
            }
            Some(_) | None => shown.push(rest.as_bytes()),
        }
    }
    Reply::new(code, status, shown.join(&b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_have_addresses_in_lower_case() {
        assert_eq!(party_address(b"A B@C.test", b"A B@C.test"), "\"a b\"@c.test");
        assert_eq!(party_address(b"", b"MAILER-DAEMON@mx.test"), "");
    }

    #[test]
    fn replies_of_filters_may_have_lines() {
        for (text, code, lines) in [
            ("550 5.7.1 Out", 550, vec!["Out"]),
            ("550-5.7.1 Two\r\n550 5.7.1 lines", 550, vec!["Two", "lines"]),
            ("421 Go", 421, vec!["Go"]),
            ("what", 451, vec!["Service unavailable - try again later"]),
        ] {
            let reply = reply_of(text);
            assert_eq!(reply.code, code);
            assert_eq!(reply.lines().map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>(), lines);
        }
    }
}
