//! Access tables and what their results say: access(5). Policy servers answer in the same words.

use smtp_proto::Enhanced;
use table::{Error, Maps, Strategy};
use tracing::warn;

use super::keys::{self, Parents};
use super::restriction::{Host, Party, Target};
use super::verdict::Checks;
use super::walk::MISCONFIGURED;
use super::{Check, HANGUP, Refusal, Subject, Verdict, parse};
use crate::text::{is_header, printable};

/// Where the result says nothing to the client.
const TEXTLESS: &str = "Access denied";
const TEXTLESS_DEFERRAL: &str = "Service unavailable";

/// Where a result comes from, for warnings: a table and what was looked up in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'o> {
    pub(crate) table: &'o str,
    pub(crate) key: &'o str,
}

impl Origin<'_> {
    fn warn(&self, problem: &str) {
        warn!("access table {} entry \"{}\" {problem}", self.table, self.key);
    }
}

impl Check<'_> {
    /// Looks the target up and does what is found.
    pub(crate) async fn check_access(&mut self, target: Target, maps: &Maps) -> Verdict {
        match target {
            Target::Itself(host) => self.check_host(host, maps).await,
            Target::Behind(host, records) => self.check_hosts_behind(host, records, maps).await,
            Target::Etrn => match self.facts.etrn {
                Some(domain) => {
                    let subject = Subject { name: domain.into(), class: "Etrn command" };
                    self.check_name(domain, maps, &subject).await
                }
                None => Verdict::Dunno,
            },
            Target::SaslName if !self.knows_logins(&["check_sasl_access"]) => Verdict::Dunno,
            Target::SaslName => match self.facts.login {
                Some(login) => {
                    let found = maps.lookup(login.username.as_bytes()).await;
                    let subject = Subject { name: login.username.as_str().into(), class: "SASL login name" };
                    self.conclude(found, &Origin { table: maps.first(), key: &login.username }, &subject).await
                }
                None => Verdict::Dunno,
            },
            Target::ClientCertificate(order) => self.check_ccert_access(order, maps).await,
        }
    }

    async fn check_host(&mut self, host: Host, maps: &Maps) -> Verdict {
        let peer = self.facts.peer;
        match host {
            Host::Client => self.check_client(&peer.name, maps, &self.client_subject()).await,
            Host::ReverseClient => {
                let subject = Subject { name: peer.reverse_name.as_str().into(), class: "Unverified Client host" };
                let verdict = self.check_client(&peer.reverse_name, maps, &subject).await;
                self.forbid_permission(verdict, "check_reverse_client_hostname_access", &peer.reverse_name)
            }
            Host::Helo => match self.facts.helo {
                Some(helo) => {
                    let subject = Subject { name: printable(helo.as_bytes()), class: "Helo command" };
                    self.check_name(helo, maps, &subject).await
                }
                None => Verdict::Dunno,
            },
            Host::Sender => match self.facts.sender {
                Some(b"") => {
                    let key = self.server.params.access.smtpd_null_access_lookup_key.clone();
                    let found = maps.lookup(key.as_bytes()).await;
                    let subject = Subject::of_address(b"", Party::Sender);
                    self.conclude(found, &Origin { table: maps.first(), key: &key }, &subject).await
                }
                Some(sender) => self.check_address(sender, Party::Sender, maps).await,
                None => Verdict::Dunno,
            },
            Host::Recipient => match self.facts.recipient {
                Some(recipient) => self.check_address(recipient, Party::Recipient, maps).await,
                None => Verdict::Dunno,
            },
        }
    }

    async fn check_name(&mut self, name: &str, maps: &Maps, subject: &Subject<'_>) -> Verdict {
        let found = keys::of_domain(maps, name.as_bytes(), self.server.settings.access_parents).await;
        self.conclude(found, &Origin { table: maps.first(), key: name }, subject).await
    }

    /// By a name of the client, then by its address.
    async fn check_client(&mut self, name: &str, maps: &Maps, subject: &Subject<'_>) -> Verdict {
        let peer = self.facts.peer;
        match keys::of_domain(maps, name.as_bytes(), self.server.settings.access_parents).await {
            Ok(None) => {
                let found = keys::of_address(maps, &peer.address).await;
                self.conclude(found, &Origin { table: maps.first(), key: &peer.address }, subject).await
            }
            found => self.conclude(found, &Origin { table: maps.first(), key: name }, subject).await,
        }
    }

    async fn check_address(&mut self, given: &[u8], party: Party, maps: &Maps) -> Verdict {
        let Some(resolved) = self.resolve(given).await else {
            return self.lookup_failed(given);
        };
        let strategy = match self.server.settings.access_parents {
            Parents::Plain => Strategy::ACCESS_PLAIN,
            Parents::Dotted => Strategy::ACCESS_DOTTED,
        };
        let found = self.server.tables.address_find.find(maps, &resolved.recipient, strategy).await;
        let found = found.map(|found| found.map(|found| found.value));
        let origin = Origin { table: maps.first(), key: &printable(&resolved.recipient) };
        self.conclude(found, &origin, &Subject::of_address(given, party)).await
    }

    /// The name and address of the client, as rejects show them.
    pub(crate) fn client_subject(&self) -> Subject<'static> {
        Subject { name: self.facts.peer.namaddr.clone().into(), class: "Client host" }
    }

    /// What strangers have a say in lets nobody in.
    pub(crate) fn forbid_permission(&mut self, verdict: Verdict, restriction: &str, name: &str) -> Verdict {
        if verdict != Verdict::Permit || self.actions.checks == Checks::Ended {
            return verdict;
        }
        warn!("restriction {restriction} returns OK for {name}");
        warn!("this is not allowed for security reasons");
        warn!("use DUNNO instead of OK if you want to make an exception");
        self.misconfigured()
    }

    /// Does what a lookup has found.
    pub(crate) async fn conclude(
        &mut self,
        found: Result<Option<Vec<u8>>, Error>,
        origin: &Origin<'_>,
        subject: &Subject<'_>,
    ) -> Verdict {
        match found {
            Ok(None) => Verdict::Dunno,
            Ok(Some(value)) => {
                let value = String::from_utf8_lossy(&value).into_owned();
                self.act(value.trim(), origin, subject).await
            }
            Err(_) => self.deny(451, Enhanced(4, 3, 5), MISCONFIGURED, subject),
        }
    }

    /// Does what a result says.
    pub(crate) async fn act(&mut self, value: &str, origin: &Origin<'_>, subject: &Subject<'_>) -> Verdict {
        let (word, text) = match value.split_once(|c: char| c.is_ascii_whitespace()) {
            Some((word, text)) => (word, text.trim_start()),
            None => (value, ""),
        };
        let (reject, defer) = (self.server.codes.access_map_reject_code, self.server.codes.access_map_defer_code);
        match word.to_ascii_uppercase().as_str() {
            "DUNNO" => Verdict::Dunno,
            "OK" | "RELAY" => self.permit(word, subject, &format!("from {}", origin.table)),
            "REJECT" => self.deny(reject, Enhanced(5, 7, 1), text, subject),
            "DEFER" => self.deny(defer, Enhanced(4, 7, 1), text, subject),
            "DEFER_IF_PERMIT" => {
                let (status, text) = wording(Enhanced(4, 7, 1), text, TEXTLESS_DEFERRAL);
                self.defer_if_permit(Refusal::policy(defer, subject.fitted(status), subject.rejected(text)))
            }
            "DEFER_IF_REJECT" => {
                let (status, text) = wording(Enhanced(4, 7, 1), text, TEXTLESS_DEFERRAL);
                self.defer_if_reject(Refusal::policy(defer, subject.fitted(status), subject.rejected(text)))
            }
            "HANGUP" => {
                self.facts.log("hangup", text);
                Verdict::Reject(Box::new(HANGUP))
            }
            action @ ("FILTER" | "HOLD" | "DELAY" | "DISCARD" | "REDIRECT" | "BCC" | "PREPEND")
                if !self.can_act(action, origin) =>
            {
                Verdict::Dunno
            }
            "DISCARD" => {
                self.discard(text, subject);
                self.permit(word, subject, &format!("from {}", origin.table))
            }
            action @ ("WARN" | "INFO" | "FILTER" | "HOLD" | "DELAY" | "REDIRECT" | "BCC" | "PREPEND") => {
                self.mark(action, text, origin, subject);
                Verdict::Dunno
            }
            _ => match code(word, text) {
                Code::Permit => self.permit(word, subject, &format!("from {}", origin.table)),
                Code::Refuse(code, status) => self.deny(code, status, text, subject),
                Code::None if value.contains(':') => {
                    warn!("access table {} has entry with lookup table: {value}", origin.table);
                    warn!("do not specify lookup tables inside SMTPD access maps");
                    warn!("define a restriction class and specify its name instead.");
                    self.misconfigured()
                }
                Code::None => {
                    let list = parse::result(value, &self.server.rules);
                    self.walk_inner(&list, subject).await
                }
            },
        }
    }

    fn deny(&mut self, code: u16, status: Enhanced, text: &str, subject: &Subject<'_>) -> Verdict {
        let (status, text) = wording(status, text, TEXTLESS);
        self.refuse(Refusal::policy(code, subject.fitted(status), subject.rejected(text)))
    }

    fn discard(&mut self, text: &str, subject: &Subject<'_>) {
        self.facts.log("discard", &subject.says(if text.is_empty() { "triggers DISCARD action" } else { text }));
        self.actions.discard = true;
        self.actions.checks = Checks::Ended;
    }

    /// Whether there is a message that an action can be done to, by somebody who does such things.
    fn can_act(&self, action: &str, origin: &Origin<'_>) -> bool {
        let delegated = action != "PREPEND";
        let problem = if delegated && !self.server.params.smtpd.smtpd_proxy_filter.is_empty() {
            format!("with smtpd_proxy_filter specified, action {action} is unavailable")
        } else if delegated && self.facts.stage == "ETRN" {
            format!("action {action} is unavailable in smtpd_etrn_restrictions")
        } else if self.facts.sender.is_none() {
            format!(
                "with smtpd_delay_reject=no, action {action} is always skipped in Client host or Helo command restrictions"
            )
        } else {
            return true;
        };
        warn!("access table {}: {problem}", origin.table);
        false
    }

    /// Actions that let the message pass, but not unmarked.
    fn mark(&mut self, action: &str, text: &str, origin: &Origin<'_>, subject: &Subject<'_>) {
        let triggers = || subject.says(&format!("triggers {action} {text}"));
        match action {
            "WARN" => self.facts.log("warn", text),
            "INFO" => self.facts.log("info", text),
            "HOLD" if self.actions.hold => {}
            "HOLD" => {
                self.facts.log("hold", &subject.says(if text.is_empty() { "triggers HOLD action" } else { text }));
                self.actions.hold = true;
            }
            "DELAY" => match config::value::duration(text) {
                Some(time) => {
                    self.facts.log("delay", &subject.says(&format!("triggers DELAY {text} action")));
                    self.actions.delay = Some(time);
                }
                None => warn!("access table has entry with DELAY action with bad time: {text}"),
            },
            "FILTER" if text.is_empty() => origin.warn("has FILTER entry without value"),
            "FILTER" if !text.contains(':') => origin.warn("requires transport:destination"),
            "FILTER" => {
                self.facts.log("filter", &triggers());
                self.actions.filter = Some(text.to_owned());
            }
            "REDIRECT" | "BCC" if !text.contains('@') => origin.warn("requires user@domain target"),
            "REDIRECT" => {
                self.facts.log("redirect", &triggers());
                self.actions.redirect = Some(text.to_owned());
            }
            "BCC" => {
                self.facts.log("bcc", &triggers());
                if !self.actions.bcc.iter().any(|known| known == text) {
                    self.actions.bcc.push(text.to_owned());
                }
            }
            "PREPEND" if self.facts.stage == "END-OF-MESSAGE" => {
                warn!(
                    "access table {}: action PREPEND must be used before smtpd_end_of_data_restrictions",
                    origin.table
                );
            }
            "PREPEND" if is_header(text.as_bytes()) => self.actions.prepend.push(text.to_owned()),
            "PREPEND" => origin.warn("requires header: text"),
            _ => origin.warn(&format!("has {action} action without valid text")),
        }
    }
}

/// What a number at the start of a result means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// A number alone: whatever wrote it keeps times there, or the like.
    Permit,
    /// A reply code, and the enhanced code where the text has none.
    Refuse(u16, Enhanced),
    /// It is a restriction.
    None,
}

fn code(word: &str, text: &str) -> Code {
    if !word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Code::None;
    }
    match word.parse() {
        _ if text.is_empty() => Code::Permit,
        Ok(code @ 400..500) if word.len() == 3 => Code::Refuse(code, Enhanced(4, 7, 1)),
        Ok(code @ 500..600) if word.len() == 3 => Code::Refuse(code, Enhanced(5, 7, 1)),
        _ => Code::None,
    }
}

/// The enhanced code at the start of a text, else the given one; the text, else the given one.
fn wording<'t>(status: Enhanced, text: &'t str, fallback: &'t str) -> (Enhanced, &'t str) {
    match Enhanced::split(text.as_bytes()) {
        Some((own, rest)) => {
            let rest = text.get(text.len() - rest.len()..).unwrap_or_default();
            (own, if rest.is_empty() { fallback } else { rest })
        }
        None => (status, if text.is_empty() { fallback } else { text }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_refuse_with_a_text_and_permit_without() {
        for (word, text, expected) in [
            ("550", "no", Code::Refuse(550, Enhanced(5, 7, 1))),
            ("499", "later", Code::Refuse(499, Enhanced(4, 7, 1))),
            ("550", "", Code::Permit),
            ("421", "", Code::Permit),
            ("20261122", "", Code::Permit),
            ("55", "x", Code::None),
            ("5500", "x", Code::None),
            ("600", "x", Code::None),
            ("250", "text", Code::None),
            ("399", "text", Code::None),
            ("550x", "", Code::None),
            ("reject_unlisted_sender", "", Code::None),
        ] {
            assert_eq!(code(word, text), expected, "{word} {text}");
        }
    }

    #[test]
    fn texts_may_have_their_own_code() {
        let default = Enhanced(5, 7, 1);
        assert_eq!(wording(default, "5.4.3 network problem", "x"), (Enhanced(5, 4, 3), "network problem"));
        assert_eq!(wording(default, "go away", "x"), (default, "go away"));
        assert_eq!(wording(default, "", "x"), (default, "x"));
        assert_eq!(wording(default, "4.7.9", "x"), (Enhanced(4, 7, 9), "x"));
    }
}
