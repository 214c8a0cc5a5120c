//! The text of restriction lists, as main.cf and access tables have it, becomes restrictions.

use std::sync::Arc;

use config::value::duration;
use table::{Environment, Maps};
use tracing::warn;

use super::Restriction;
use super::certificate::SearchOrder;
use super::dnsbl::{self, List};
use super::policy::{Defaults, Service};
use super::restriction::{Host, Mismatch, OnClient, OnEnvelope, OnHelo, Party, Records, Restrictions, Rules, Target};

/// Former restrictions, and what has taken their place.
const FORMER: [(&str, &str); 3] = [
    ("permit_naked_ip_address", "permit_mynetworks\" or \"permit_sasl_authenticated"),
    ("check_relay_domains", "reject_unauth_destination"),
    ("reject_maps_rbl", "reject_rbl_client domain-name"),
];

/// Parses lists.
pub(crate) struct Parser<'a> {
    /// What tables and services are opened with. Results of tables have none: it is too late for them.
    pub(crate) outside: Option<(&'a Environment, &'a Defaults)>,
    /// Whether this is one of `smtpd_restriction_classes`.
    pub(crate) is_class: &'a dyn Fn(&str) -> bool,
}

impl Parser<'_> {
    /// One list. A bare `type:table` in it is asked about `table_target`.
    pub(crate) fn list(&self, parameter: &str, words: &[String], table_target: Option<Target>) -> Restrictions {
        let mut words = words.iter().map(String::as_str).peekable();
        let mut list = Vec::new();
        let mut warns = false;
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case("warn_if_reject") {
                warns = true;
                continue;
            }
            let restriction = self.restriction(parameter, word, &mut words, table_target);
            let decides = matches!(restriction, Restriction::Permit)
                || (!warns && matches!(restriction, Restriction::Reject | Restriction::Defer));
            if let Some(next) = words.peek().filter(|_| decides) {
                let word = word.to_ascii_lowercase();
                list.push(Restriction::Skipped(format!("restriction `{next}' after `{word}' is ignored").into()));
            }
            let warns = std::mem::take(&mut warns);
            list.push(if warns { Restriction::WarnIfReject(Box::new(restriction)) } else { restriction });
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
        if let Some(target) = access_target(&name) {
            return self.access(parameter, &name, words.next(), target);
        }
        if name == "check_policy_service" {
            return self.policy(words.next());
        }
        if let Some(kind) = dnsbl::Kind::parse(&name) {
            return match words.next() {
                Some(zone) => Restriction::Dnsbl(Arc::new(List::new(kind, &name, zone))),
                None => Restriction::Skipped(format!("restriction {name} requires domain name argument").into()),
            };
        }
        if name == "sleep" {
            let time = words.next().and_then(duration);
            return time.map_or_else(|| broken("restriction sleep must be followed by number"), Restriction::Sleep);
        }
        if (self.is_class)(word) {
            return Restriction::Class(Arc::from(word));
        }
        if name == "permit_mx_backup" && self.outside.is_some() {
            warn!("support for restriction \"{name}\" will be removed from Postfix; instead, use \"relay_domains\"");
        }
        if let Some(known) = simple(&name) {
            return known;
        }
        match table_target {
            Some(target) if word.contains(':') => self.access(parameter, &name, Some(word), target),
            _ => broken(&unknown(word, &name)),
        }
    }

    fn access(&self, parameter: &str, name: &str, spec: Option<&str>, target: Target) -> Restriction {
        if let (Target::ClientCertificate(_), Some(text)) = (target, spec.filter(|spec| spec.starts_with('{'))) {
            return match (SearchOrder::parse(text), self.outside) {
                (Ok((table, order)), Some((environment, _))) if table.contains(':') => {
                    let maps = Maps::open(parameter, &[table], environment);
                    Restriction::Access(Target::ClientCertificate(order), maps)
                }
                (Ok(_), _) => broken(&bad_argument(name, text)),
                (Err(problem), _) => broken(&problem),
            };
        }
        match (spec.filter(|spec| spec.contains(':')), self.outside) {
            (Some(spec), Some((environment, _))) => {
                Restriction::Access(target, Maps::open(parameter, &[spec], environment))
            }
            (None, _) | (_, None) => broken(&bad_argument(name, spec.unwrap_or(name))),
        }
    }

    fn policy(&self, spec: Option<&str>) -> Restriction {
        let Some((spec, (_, defaults))) = spec.filter(|spec| spec.contains(':')).zip(self.outside) else {
            return broken("restriction check_policy_service must be followed by transport:server");
        };
        match Service::parse(spec, defaults) {
            Ok(service) => Restriction::Policy(Arc::new(service)),
            Err(problem) => broken(&format!("check_policy_service {spec}: {problem}")),
        }
    }
}

fn bad_argument(name: &str, argument: &str) -> String {
    format!("restriction {name}: bad argument \"{argument}\": need maptype:mapname")
}

/// The warning of a word that is no restriction, or not one any more.
fn unknown(word: &str, name: &str) -> String {
    match FORMER.iter().find(|(former, _)| *former == name) {
        Some((_, instead)) => {
            format!("support for restriction \"{name}\" has been removed in Postfix 3.9; use \"{instead}\" instead")
        }
        None => format!("unknown smtpd restriction: \"{word}\""),
    }
}

fn broken(warning: &str) -> Restriction {
    Restriction::Broken(Arc::from(warning))
}

/// The restrictions that a table or policy server answered with.
pub(crate) fn result(text: &str, rules: &Rules) -> Restrictions {
    let parser = Parser { outside: None, is_class: &|name| rules.classes.contains_key(name) };
    parser.list("", &config::value::words(text), None)
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
        "reject_invalid_helo_hostname" | "reject_invalid_hostname" => R::Helo(OnHelo::Invalid),
        "reject_non_fqdn_helo_hostname" | "reject_non_fqdn_hostname" => R::Helo(OnHelo::NonFqdn),
        "reject_unknown_helo_hostname" | "reject_unknown_hostname" => R::Helo(OnHelo::Unknown),
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
        "ccert" => return Some(Target::ClientCertificate(SearchOrder::default())),
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
        let (environment, policy) = (Environment::default(), Defaults::default());
        let parser = Parser { outside: Some((&environment, &policy)), is_class: &|name| name == "greylist" };
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
            (&["warn_if_reject", "warn_if_reject", "reject"], "WarnIfReject(Reject)", "once is enough"),
            (&["sleep", "2"], "Sleep(2s)", "a time"),
            (&["reject_unlisted_sender"], "Envelope(RejectUnlisted(Sender))", "a party"),
        ] {
            assert_eq!(parse(words), [expected], "{why}");
        }
        assert!(parse(&["check_client_access", "inline:{a=b}"])[0].starts_with("Access(Itself(Client)"));
        assert!(parse(&["check_sender_mx_access", "inline:{a=b}"])[0].starts_with("Access(Behind(Sender, Mx)"));
        assert!(parse(&["inline:{a=b}"])[0].starts_with("Access(Itself(Sender)"));
    }

    #[test]
    fn mistakes_show_when_they_are_reached() {
        for (words, expected) in [
            (&["nonsense"][..], "Broken(\"unknown smtpd restriction: \\\"nonsense\\\"\")"),
            (
                &["Reject_Maps_RBL"],
                "Broken(\"support for restriction \\\"reject_maps_rbl\\\" has been removed in Postfix 3.9; \
                 use \\\"reject_rbl_client domain-name\\\" instead\")",
            ),
            (&["sleep"], "Broken(\"restriction sleep must be followed by number\")"),
            (
                &["check_policy_service", "x"],
                "Broken(\"restriction check_policy_service must be followed by transport:server\")",
            ),
            (
                &["check_helo_access"],
                "Broken(\"restriction check_helo_access: bad argument \\\"check_helo_access\\\": need maptype:mapname\")",
            ),
            (&["reject_rbl_client"], "Skipped(\"restriction reject_rbl_client requires domain name argument\")"),
        ] {
            assert_eq!(parse(words), [expected]);
        }
        assert!(parse(&["warn_if_reject"]).is_empty());
    }

    #[test]
    fn what_follows_a_decision_is_ignored() {
        assert_eq!(parse(&["permit", "x"])[..2], ["Skipped(\"restriction `x' after `permit' is ignored\")", "Permit"]);
        assert_eq!(parse(&["Reject", "x"])[..2], ["Skipped(\"restriction `x' after `reject' is ignored\")", "Reject"]);
        assert_eq!(parse(&["warn_if_reject", "reject", "permit"]), ["WarnIfReject(Reject)", "Permit"]);
        assert_eq!(parse(&["reject"]), ["Reject"]);
    }

    #[test]
    fn results_name_no_tables_and_may_say_more_than_is_needed() {
        let of = |text| result(text, &Rules::default()).iter().map(|r| format!("{r:?}")).collect::<Vec<_>>();
        assert_eq!(of("reject_unauth_destination, defer").len(), 2);
        assert!(of("check_client_access hash:x")[0].starts_with("Broken(\"restriction check_client_access: bad"));
        assert_eq!(of("permit_mynetworks, 550 x")[0], "Client(PermitMynetworks)");
        assert_eq!(of("permit_mynetworks, 550 x")[1], "Broken(\"unknown smtpd restriction: \\\"550\\\"\")");
    }
}
