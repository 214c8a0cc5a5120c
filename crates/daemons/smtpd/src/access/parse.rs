//! The text of restriction lists, as main.cf and access tables have it, becomes restrictions.

use std::sync::Arc;

use crate::text::duration;
use table::{Environment, Maps};
use tracing::warn;

use super::Restriction;
use super::dnsbl::{self, List};
use super::policy::Service;
use super::restriction::{Host, Mismatch, OnClient, OnEnvelope, OnHelo, Party, Records, Restrictions, Rules, Target};

/// A former restriction: a class with the lists of `maps_rbl_domains`.
pub(crate) const FORMER_LISTS: &str = "reject_maps_rbl";

/// Parses the lists of main.cf.
pub(crate) struct Parser<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) policy: &'a super::policy::Defaults,
    /// Names of `smtpd_restriction_classes`.
    pub(crate) classes: &'a [String],
}

impl Parser<'_> {
    /// One list. A bare `type:table` in it is asked about `table_target`.
    pub(crate) fn list(&self, parameter: &str, words: &[String], table_target: Option<Target>) -> Restrictions {
        let mut words = words.iter().map(String::as_str);
        let mut list = Vec::new();
        while let Some(word) = words.next() {
            list.push(self.restriction(parameter, word, &mut words, table_target));
        }
        list.into()
    }

    fn restriction<'w>(
        &self,
        parameter: &str,
        word: &str,
        words: &mut impl Iterator<Item = &'w str>,
        table_target: Option<Target>,
    ) -> Restriction {
        let name = word.to_ascii_lowercase();
        if name == "warn_if_reject" {
            return match words.next() {
                Some(next) => {
                    Restriction::WarnIfReject(Box::new(self.restriction(parameter, next, words, table_target)))
                }
                None => {
                    warn!("restriction warn_if_reject without a restriction after it in {parameter}");
                    Restriction::Sleep(std::time::Duration::ZERO)
                }
            };
        }
        if let Some(target) = access_target(&name) {
            return match words.next() {
                Some(spec) => self.access(parameter, spec, target),
                None => missing(&name),
            };
        }
        if name == "check_policy_service" {
            return match words.next().map(|spec| Service::parse(spec, self.policy)) {
                Some(Ok(service)) => Restriction::Policy(Arc::new(service)),
                Some(Err(problem)) => {
                    warn!("in {parameter}: check_policy_service: {problem}");
                    Restriction::Unknown(Arc::from(word))
                }
                None => missing(&name),
            };
        }
        if let Some(kind) = dnsbl::Kind::parse(&name) {
            return match words.next() {
                Some(zone) => Restriction::Dnsbl(Arc::new(List::new(kind, zone))),
                None => missing(&name),
            };
        }
        if name == "sleep" {
            return words.next().and_then(duration).map_or_else(|| missing(&name), Restriction::Sleep);
        }
        if word == FORMER_LISTS {
            warn!("support for restriction \"{word}\" will be removed; use \"reject_rbl_client domain-name\" instead");
        }
        if self.classes.iter().any(|class| class == word) {
            return Restriction::Class(Arc::from(word));
        }
        if let Some(known) = simple(&name) {
            return known;
        }
        match table_target {
            Some(target) if word.contains(':') => self.access(parameter, word, target),
            _ => Restriction::Unknown(Arc::from(word)),
        }
    }

    fn access(&self, parameter: &str, spec: &str, target: Target) -> Restriction {
        Restriction::Access(target, Maps::open(parameter, &[spec], self.environment))
    }
}

fn missing(name: &str) -> Restriction {
    warn!("restriction {name} requires an argument");
    Restriction::Unknown(Arc::from(name))
}

/// The restrictions that a table or policy server answered with. Tables cannot be named there: they would have to be opened
/// after the jail.
///
/// # Errors
/// The first word that is no restriction.
pub(crate) fn result(text: &str, rules: &Rules) -> Result<Vec<Restriction>, String> {
    let mut words = text.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let mut list = Vec::new();
    while let Some(word) = words.next() {
        list.push(result_word(word, &mut words, rules)?);
    }
    Ok(list)
}

fn result_word<'w>(
    word: &str,
    words: &mut impl Iterator<Item = &'w str>,
    rules: &Rules,
) -> Result<Restriction, String> {
    let name = word.to_ascii_lowercase();
    if name == "warn_if_reject" {
        let next = words.next().ok_or(name)?;
        return Ok(Restriction::WarnIfReject(Box::new(result_word(next, words, rules)?)));
    }
    if let Some(kind) = dnsbl::Kind::parse(&name) {
        let zone = words.next().ok_or(name)?;
        return Ok(Restriction::Dnsbl(Arc::new(List::new(kind, zone))));
    }
    if name == "sleep" {
        return words.next().and_then(duration).map(Restriction::Sleep).ok_or(name);
    }
    if rules.classes.contains_key(word) {
        return Ok(Restriction::Class(Arc::from(word)));
    }
    simple(&name).ok_or_else(|| word.to_owned())
}

/// Restrictions without an argument.
fn simple(name: &str) -> Option<Restriction> {
    use Restriction as R;
    Some(match name {
        "permit" => R::Permit,
        "reject" => R::Reject,
        "defer" => R::Defer,
        "defer_if_permit" => R::DeferIfPermit,
        "defer_if_reject" => R::DeferIfReject,
        "permit_mynetworks" => R::Client(OnClient::PermitMynetworks),
        "permit_inet_interfaces" => R::Client(OnClient::PermitInetInterfaces),
        "permit_sasl_authenticated" => R::Client(OnClient::PermitSaslAuthenticated),
        "permit_tls_clientcerts" => R::Client(OnClient::PermitTlsClientcerts),
        "permit_tls_all_clientcerts" => R::Client(OnClient::PermitTlsAllClientcerts),
        "reject_unknown_client_hostname" | "reject_unknown_client" => R::Client(OnClient::RejectUnknownClientHostname),
        "reject_unknown_forward_client_hostname" => R::Client(OnClient::RejectUnknownForwardClientHostname),
        "reject_unknown_reverse_client_hostname" => R::Client(OnClient::RejectUnknownReverseClientHostname),
        "reject_plaintext_session" => R::Client(OnClient::RejectPlaintextSession),
        "reject_unauth_pipelining" => R::Client(OnClient::RejectUnauthPipelining),
        "permit_naked_ip_address" => R::Helo(OnHelo::PermitNakedIpAddress),
        "reject_invalid_helo_hostname" | "reject_invalid_hostname" => R::Helo(OnHelo::RejectInvalidHelo),
        "reject_non_fqdn_helo_hostname" | "reject_non_fqdn_hostname" => R::Helo(OnHelo::RejectNonFqdnHelo),
        "reject_unknown_helo_hostname" | "reject_unknown_hostname" => R::Helo(OnHelo::RejectUnknownHelo),
        "permit_auth_destination" => R::Envelope(OnEnvelope::PermitAuthDestination),
        "reject_unauth_destination" => R::Envelope(OnEnvelope::RejectUnauthDestination),
        "defer_unauth_destination" => R::Envelope(OnEnvelope::DeferUnauthDestination),
        "permit_mx_backup" => R::Envelope(OnEnvelope::PermitMxBackup),
        "reject_multi_recipient_bounce" => R::Envelope(OnEnvelope::RejectMultiRecipientBounce),
        "reject_sender_login_mismatch" => R::Envelope(OnEnvelope::RejectLoginMismatch(Mismatch::Any)),
        "reject_authenticated_sender_login_mismatch" => {
            R::Envelope(OnEnvelope::RejectLoginMismatch(Mismatch::Authenticated))
        }
        "reject_known_sender_login_mismatch" => R::Envelope(OnEnvelope::RejectLoginMismatch(Mismatch::Known)),
        "reject_unauthenticated_sender_login_mismatch" => {
            R::Envelope(OnEnvelope::RejectLoginMismatch(Mismatch::Unauthenticated))
        }
        _ => return of_party(name),
    })
}

fn of_party(name: &str) -> Option<Restriction> {
    use Party::{Recipient, Sender};
    use Restriction as R;
    Some(match name {
        "reject_non_fqdn_sender" => R::Envelope(OnEnvelope::RejectNonFqdn(Sender)),
        "reject_non_fqdn_recipient" => R::Envelope(OnEnvelope::RejectNonFqdn(Recipient)),
        "reject_unknown_sender_domain" | "reject_unknown_address" => {
            R::Envelope(OnEnvelope::RejectUnknownDomain(Sender))
        }
        "reject_unknown_recipient_domain" => R::Envelope(OnEnvelope::RejectUnknownDomain(Recipient)),
        "reject_unlisted_sender" => R::Envelope(OnEnvelope::RejectUnlisted(Sender)),
        "reject_unlisted_recipient" | "check_recipient_maps" => R::Envelope(OnEnvelope::RejectUnlisted(Recipient)),
        "reject_unverified_sender" => R::Envelope(OnEnvelope::RejectUnverified(Sender)),
        "reject_unverified_recipient" => R::Envelope(OnEnvelope::RejectUnverified(Recipient)),
        _ => return None,
    })
}

/// `check_…_access` and what it looks up.
fn access_target(name: &str) -> Option<Target> {
    let middle = name.strip_prefix("check_")?.strip_suffix("_access")?;
    let host = |name| {
        Some(match name {
            "client" => Host::Client,
            "reverse_client_hostname" => Host::ReverseClient,
            "helo" => Host::Helo,
            "sender" => Host::Sender,
            "recipient" => Host::Recipient,
            _ => return None,
        })
    };
    match middle {
        "etrn" => return Some(Target::Etrn),
        "sasl" => return Some(Target::SaslName),
        "ccert" => return Some(Target::ClientCertificate),
        _ => {}
    }
    if let Some(host) = host(middle) {
        return Some(Target::Itself(host));
    }
    let (name, records) = middle.rsplit_once('_')?;
    let records = match records {
        "a" => Records::A,
        "mx" => Records::Mx,
        "ns" => Records::Ns,
        _ => return None,
    };
    host(name).map(|host| Target::Behind(host, records))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Vec<String> {
        let (environment, policy) = (Environment::default(), super::super::policy::Defaults::default());
        let classes = ["greylist".to_owned()];
        let parser = Parser { environment: &environment, policy: &policy, classes: &classes };
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let list = parser.list("test", &words, Some(Target::Itself(Host::Sender)));
        list.iter().map(|restriction| format!("{restriction:?}")).collect()
    }

    #[test]
    fn words_become_restrictions() {
        for (words, expected, why) in [
            (&["PERMIT_mynetworks"][..], "Client(PermitMynetworks)", "any case"),
            (&["greylist"], "Class(\"greylist\")", "a class"),
            (&["warn_if_reject", "reject"], "WarnIfReject(Reject)", "takes the next word"),
            (&["sleep", "2"], "Sleep(2s)", "a time"),
            (&["nonsense"], "Unknown(\"nonsense\")", "a mistake shows when it is reached"),
            (&["reject_unlisted_sender"], "Envelope(RejectUnlisted(Sender))", "a party"),
        ] {
            assert_eq!(parse(words), [expected], "{why}");
        }
        assert!(parse(&["check_client_access", "inline:{a=b}"])[0].starts_with("Access(Itself(Client)"));
        assert!(parse(&["check_sender_mx_access", "inline:{a=b}"])[0].starts_with("Access(Behind(Sender, Mx)"));
        assert!(parse(&["inline:{a=b}"])[0].starts_with("Access(Itself(Sender)"));
    }

    #[test]
    fn results_name_no_tables() {
        let rules = Rules::default();
        assert_eq!(result("reject_unauth_destination, reject", &rules).unwrap().len(), 2);
        assert_eq!(result("check_client_access hash:x", &rules).unwrap_err(), "check_client_access");
    }
}
