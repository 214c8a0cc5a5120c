//! Access tables and what their results say: access(5). Policy servers answer in the same words.

use smtp_proto::Enhanced;
use table::{Error, Maps, Strategy};
use tracing::warn;

use super::keys::{self, Parents};
use super::restriction::{Host, Target};
use super::{Check, Fault, Refusal, Subject, Verdict, parse};
use crate::text::printable;

/// What a result may begin with, besides a reply code or a restriction.
const TEXTLESS: &str = "Access denied";

impl Check<'_> {
    /// Looks the target up and does what is found.
    pub(crate) async fn check_access(&mut self, target: Target, maps: &Maps, subject: &Subject<'_>) -> Verdict {
        match target {
            Target::Itself(host) => self.check_host(host, maps, subject).await,
            Target::Behind(host, records) => self.check_hosts_behind(host, records, maps, subject).await,
            Target::Etrn => match self.facts.etrn {
                Some(domain) => {
                    let found = keys::of_domain(maps, domain.as_bytes(), self.server.settings.access_parents).await;
                    self.conclude(found, &Subject { name: domain.into(), class: "Etrn command" }).await
                }
                None => Verdict::Dunno,
            },
            Target::SaslName if !self.knows_logins(&["check_sasl_access"]) => Verdict::Dunno,
            Target::SaslName => match self.facts.login {
                Some(login) => {
                    let found = maps.lookup(login.username.as_bytes()).await;
                    self.conclude(found, &Subject { name: login.username.as_str().into(), class: "SASL login name" })
                        .await
                }
                None => Verdict::Dunno,
            },
            Target::ClientCertificate => self.check_ccert_access(maps).await,
        }
    }

    async fn check_host(&mut self, host: Host, maps: &Maps, _list: &Subject<'_>) -> Verdict {
        let parents = self.server.settings.access_parents;
        match host {
            Host::Client => {
                let peer = self.facts.peer;
                let found = of_client(maps, &peer.name, &peer.address, parents).await;
                self.conclude(found, &self.client_subject()).await
            }
            Host::ReverseClient => {
                let peer = self.facts.peer;
                let found = keys::of_domain(maps, peer.reverse_name.as_bytes(), parents).await;
                let subject = Subject { name: peer.reverse_name.as_str().into(), class: "Unverified Client host" };
                self.conclude(found, &subject).await
            }
            Host::Helo => match self.facts.helo {
                Some(helo) => {
                    let found = keys::of_domain(maps, helo.as_bytes(), parents).await;
                    self.conclude(found, &Subject { name: printable(helo.as_bytes()), class: "Helo command" }).await
                }
                None => Verdict::Dunno,
            },
            Host::Sender => match self.facts.sender {
                Some(b"") => {
                    let key = self.server.params.access.smtpd_null_access_lookup_key.clone();
                    let found = maps.lookup(key.as_bytes()).await;
                    self.conclude(found, &Subject { name: "".into(), class: "Sender address" }).await
                }
                Some(sender) => self.check_address(sender, "Sender address", maps).await,
                None => Verdict::Dunno,
            },
            Host::Recipient => match self.facts.recipient {
                Some(recipient) => self.check_address(recipient, "Recipient address", maps).await,
                None => Verdict::Dunno,
            },
        }
    }

    async fn check_address(&mut self, given: &[u8], class: &'static str, maps: &Maps) -> Verdict {
        let Some(resolved) = self.resolve(given).await else {
            return self.lookup_failed(given);
        };
        let strategy = match self.server.settings.access_parents {
            Parents::Plain => Strategy::ACCESS_PLAIN,
            Parents::Dotted => Strategy::ACCESS_DOTTED,
        };
        let found = self.server.tables.address_find.find(maps, &resolved.recipient, strategy).await;
        let found = found.map(|found| found.map(|found| found.value));
        self.conclude(found, &Subject { name: printable(given), class }).await
    }

    /// The name and address of the client, as rejects show them.
    pub(crate) fn client_subject(&self) -> Subject<'static> {
        Subject { name: self.facts.peer.namaddr.clone().into(), class: "Client host" }
    }

    /// Does what a lookup has found.
    pub(crate) async fn conclude(&mut self, found: Result<Option<Vec<u8>>, Error>, subject: &Subject<'_>) -> Verdict {
        match found {
            Ok(None) => Verdict::Dunno,
            Ok(Some(value)) => {
                let value = String::from_utf8_lossy(&value).into_owned();
                self.act(value.trim(), subject).await
            }
            Err(_) => self.misconfigured(subject),
        }
    }

    /// Does what a result says.
    pub(crate) async fn act(&mut self, value: &str, subject: &Subject<'_>) -> Verdict {
        let (word, text) = match value.split_once(|c: char| c.is_ascii_whitespace()) {
            Some((word, text)) => (word, text.trim_start()),
            None => (value, ""),
        };
        let (reject, defer) = (self.server.codes.access_map_reject_code, self.server.codes.access_map_defer_code);
        match word.to_ascii_uppercase().as_str() {
            "DUNNO" => Verdict::Dunno,
            "OK" | "RELAY" => self.permit("permit", &subject.name),
            "REJECT" => self.deny(reject, Enhanced(5, 7, 1), text, subject),
            "DEFER" => self.deny(defer, Enhanced(4, 7, 1), text, subject),
            "DEFER_IF_PERMIT" => {
                let (status, text) = wording(Enhanced(4, 7, 1), text, "Service unavailable");
                self.defer_if_permit(Fault::Policy, status, subject.rejected(text))
            }
            "DEFER_IF_REJECT" => {
                let (status, text) = wording(Enhanced(4, 7, 1), text, "Service unavailable");
                self.defer_if_reject(status, subject.rejected(text))
            }
            "HANGUP" => self.deny(521, Enhanced(5, 7, 1), text, subject),
            "WARN" | "INFO" | "FILTER" | "HOLD" | "DELAY" | "DISCARD" | "REDIRECT" | "BCC" | "PREPEND" | "STRIP" => {
                self.mark(&word.to_ascii_uppercase(), text, subject)
            }
            _ => self.code_or_list(word, text, value, subject).await,
        }
    }

    /// A reply code with text, a number that means OK, or restrictions.
    async fn code_or_list(&mut self, word: &str, text: &str, value: &str, subject: &Subject<'_>) -> Verdict {
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            return match word.parse() {
                Ok(code @ 400..600) if word.len() == 3 => {
                    let status = Enhanced(if code < 500 { 4 } else { 5 }, 7, 1);
                    self.deny(code, status, text, subject)
                }
                _ => self.permit("permit", &subject.name),
            };
        }
        match parse::result(value, &self.server.rules) {
            Ok(list) => self.walk_inner(&list, subject).await,
            Err(name) => {
                warn!("access table entry \"{}\" has unknown restriction: \"{name}\"", subject.name);
                self.misconfigured(subject)
            }
        }
    }

    fn deny(&mut self, code: u16, status: Enhanced, text: &str, subject: &Subject<'_>) -> Verdict {
        let (status, text) = wording(status, text, TEXTLESS);
        self.refuse(Refusal::policy(code, status, subject.rejected(text)))
    }

    /// Actions that let the message pass, but not unmarked.
    fn mark(&mut self, action: &str, text: &str, subject: &Subject<'_>) -> Verdict {
        let triggers = |what: &str| format!("<{}>: {} {what}", subject.name, subject.class);
        let or = |fallback: &str| if text.is_empty() { fallback.to_owned() } else { text.to_owned() };
        match action {
            "WARN" => self.facts.log("warn", &or(&triggers("triggers WARN action"))),
            "INFO" => self.facts.log("info", &or(&triggers("triggers INFO action"))),
            "HOLD" => {
                self.facts.log("hold", &triggers(&or("triggers HOLD action")));
                self.actions.hold = true;
            }
            "DISCARD" => {
                self.facts.log("discard", &triggers(&or("triggers DISCARD action")));
                self.actions.discard = true;
                return Verdict::Permit;
            }
            "DELAY" => match crate::text::duration(text) {
                Some(time) => {
                    self.facts.log("delay", &triggers(&format!("triggers DELAY {text} action")));
                    self.actions.delay = Some(time);
                }
                None => warn!("access table has entry with DELAY action with bad time: {text}"),
            },
            "FILTER" if text.contains(':') => {
                self.facts.log("filter", &triggers(&format!("triggers FILTER {text}")));
                self.actions.filter = Some(text.to_owned());
            }
            "FILTER" => warn!("access table has entry \"{}\" that requires transport:destination", subject.name),
            "REDIRECT" | "BCC" if !text.contains('@') => {
                warn!("access table has entry \"{}\" that requires user@domain target", subject.name);
            }
            "REDIRECT" => {
                self.facts.log("redirect", &triggers(&format!("triggers REDIRECT {text}")));
                self.actions.redirect = Some(text.to_owned());
            }
            "BCC" => {
                self.facts.log("bcc", &triggers(&format!("triggers BCC {text}")));
                self.actions.bcc = vec![text.to_owned()];
            }
            "PREPEND" if self.facts.stage == "END-OF-MESSAGE" => {
                warn!("access table has entry \"{}\" with PREPEND action, but it is too late", subject.name);
            }
            "PREPEND" if text.contains(':') => {
                self.facts.log("prepend", &triggers(text));
                self.actions.prepend.push(text.to_owned());
            }
            _ => warn!("access table has entry \"{}\" with {action} action without valid text", subject.name),
        }
        Verdict::Dunno
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

async fn of_client(maps: &Maps, name: &str, address: &str, parents: Parents) -> Result<Option<Vec<u8>>, Error> {
    match keys::of_domain(maps, name.as_bytes(), parents).await? {
        Some(found) => Ok(Some(found)),
        None => keys::of_address(maps, address).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_may_have_their_own_code() {
        let default = Enhanced(5, 7, 1);
        assert_eq!(wording(default, "5.4.3 network problem", "x"), (Enhanced(5, 4, 3), "network problem"));
        assert_eq!(wording(default, "go away", "x"), (default, "go away"));
        assert_eq!(wording(default, "", "x"), (default, "x"));
        assert_eq!(wording(default, "4.7.9", "x"), (Enhanced(4, 7, 9), "x"));
    }
}
