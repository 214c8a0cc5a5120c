//! Parameters in the form in which sessions need them: words become types, numbers reply codes.

use std::net::IpAddr;
use std::time::Duration;

use address::{LogForm, ProbeSender};
use config::endpoint::{Endpoint, Malformed};
use config::params::SmtpdAccess;
use config::{Overrides, Source};
use dns::Families;
use service::Fatal;
use smtp_proto::Reply;
use smtp_proto::dot::BareNewline;
use smtp_proto::ehlo::Keywords;
use tracing::warn;

use crate::Params;
use crate::access::keys::Parents;

/// Derived once, at the start of the process.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) families: Families,
    pub(crate) access_parents: Parents,
    /// Addresses of `inet_interfaces` and `proxy_interfaces`.
    pub(crate) own_addresses: Vec<IpAddr>,
    pub(crate) bare_newline: BareNewlines,
    pub(crate) upstream: Upstream,
    /// `smtpd_discard_ehlo_keywords`.
    pub(crate) hidden_keywords: Keywords,
    /// `info_log_address_format`.
    pub(crate) log_form: LogForm,
    pub(crate) soft_bounce: bool,
    pub(crate) smtputf8: bool,
    pub(crate) overrides: Overrides,
    /// Classes of trouble that postmaster learns of.
    pub(crate) notify_classes: Vec<String>,
    permit_actions: Vec<String>,
    pub(crate) tempfail: Tempfails,
    pub(crate) probe_sender: ProbeSender,
    /// The filter before the queue, if there is one; not every name is one's.
    pub(crate) proxy_filter: Option<Result<Endpoint, Malformed>>,
    pub(crate) proxy_speed: ProxySpeed,
    pub(crate) expansion_filter: config::ExpansionFilter,
    /// The name in master.cf, for limits by client.
    pub(crate) service_name: String,
    pub(crate) timezone: jiff::tz::TimeZone,
    calm: Limits,
    stressed: Limits,
}

/// What is shorter and smaller while the service is under stress. A session keeps the set that it began with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) smtpd_timeout: Duration,
    pub(crate) smtpd_starttls_timeout: Duration,
    pub(crate) smtpd_hard_error_limit: i64,
    pub(crate) smtpd_junk_command_limit: i64,
    pub(crate) smtpd_per_request_deadline: bool,
    pub(crate) address_verify_poll_count: i64,
}

impl Limits {
    fn new(params: &Params) -> Limits {
        let smtpd = &params.smtpd;
        Limits {
            smtpd_timeout: smtpd.smtpd_timeout,
            smtpd_starttls_timeout: smtpd.smtpd_starttls_timeout,
            smtpd_hard_error_limit: smtpd.smtpd_hard_error_limit,
            smtpd_junk_command_limit: smtpd.smtpd_junk_command_limit,
            smtpd_per_request_deadline: smtpd.smtpd_per_request_deadline,
            address_verify_poll_count: params.verify.address_verify_poll_count,
        }
    }
}

/// What a check does that cannot be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tempfail {
    /// The client is to come again.
    Defer,
    /// So it is if nothing else refuses.
    DeferIfPermit,
}

impl Tempfail {
    fn parse(name: &str, value: &str) -> Result<Tempfail, Fatal> {
        match value.to_ascii_lowercase().as_str() {
            "defer" => Ok(Tempfail::Defer),
            "defer_if_permit" => Ok(Tempfail::DeferIfPermit),
            _ => Err(Fatal::new(format!("bad configuration: {name} = {value}"))),
        }
    }
}

/// The same by what is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tempfails {
    pub(crate) address: Tempfail,
    pub(crate) helo_hostname: Tempfail,
    pub(crate) verified_sender: Tempfail,
    pub(crate) verified_recipient: Tempfail,
}

impl Tempfails {
    fn new(access: &SmtpdAccess) -> Result<Tempfails, Fatal> {
        Ok(Tempfails {
            address: Tempfail::parse("unknown_address_tempfail_action", &access.unknown_address_tempfail_action)?,
            helo_hostname: Tempfail::parse(
                "unknown_helo_hostname_tempfail_action",
                &access.unknown_helo_hostname_tempfail_action,
            )?,
            verified_sender: Tempfail::parse(
                "unverified_sender_tempfail_action",
                &access.unverified_sender_tempfail_action,
            )?,
            verified_recipient: Tempfail::parse(
                "unverified_recipient_tempfail_action",
                &access.unverified_recipient_tempfail_action,
            )?,
        })
    }
}

/// `smtpd_proxy_options`: when a before-queue filter sees a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxySpeed {
    /// As it comes.
    Client,
    /// When it is complete.
    Adjusted,
}

impl ProxySpeed {
    fn of(words: &[String]) -> ProxySpeed {
        let (known, unknown): (Vec<_>, Vec<_>) =
            words.iter().partition(|word| word.eq_ignore_ascii_case("speed_adjust"));
        if let Some(word) = unknown.first() {
            warn!("unknown smtpd_proxy_options value \"{word}\"");
        }
        if known.is_empty() { ProxySpeed::Client } else { ProxySpeed::Adjusted }
    }
}

/// `smtpd_forbid_bare_newline`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BareNewlines {
    Allow,
    Normalize,
    Note,
    Reject,
}

impl BareNewlines {
    fn parse(value: &str) -> Result<BareNewlines, Fatal> {
        match value.to_ascii_lowercase().as_str() {
            "no" => Ok(BareNewlines::Allow),
            "yes" | "normalize" => Ok(BareNewlines::Normalize),
            "note" => Ok(BareNewlines::Note),
            "reject" => Ok(BareNewlines::Reject),
            _ => Err(Fatal::new(format!("bad parameter value: 'smtpd_forbid_bare_newline = {value}'"))),
        }
    }

    /// What may end a message.
    pub(crate) fn decoding(self) -> BareNewline {
        match self {
            BareNewlines::Allow => BareNewline::Allow,
            BareNewlines::Normalize | BareNewlines::Note | BareNewlines::Reject => BareNewline::Normalize,
        }
    }
}

/// `smtpd_upstream_proxy_protocol`: who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// Clients.
    None,
    /// A proxy that tells of the client first.
    Haproxy,
}

impl Upstream {
    fn parse(value: &str) -> Result<Upstream, Fatal> {
        match value.to_ascii_lowercase().as_str() {
            "" => Ok(Upstream::None),
            "haproxy" => Ok(Upstream::Haproxy),
            _ => Err(Fatal::new(format!("unsupported smtpd_upstream_proxy_protocol value: {value}"))),
        }
    }
}

/// Where `smtpd_proxy_filter` is; a port may have a name, which is looked up before the jail.
fn proxy_filter(name: &str, known_tcp_ports: &str) -> Option<Result<Endpoint, Malformed>> {
    let name = Some(name).filter(|name| !name.is_empty())?;
    Some(match name.strip_prefix("unix:") {
        Some(path) => Ok(Endpoint::Unix(path.to_owned())),
        None => Endpoint::inet(name.strip_prefix("inet:").unwrap_or(name), known_tcp_ports),
    })
}

/// What the administrator hears where `queue_minfree` would let a disk be filled by a single message.
fn advice_on_room(queue: &config::params::Queue) -> Option<String> {
    let (least, largest) = (queue.queue_minfree, queue.message_size_limit);
    let is_short = least > 0 && least.saturating_mul(2) < largest.saturating_mul(3);
    is_short.then(|| format!("queue_minfree({least}) should be at least 1.5*message_size_limit({largest})"))
}

impl Settings {
    pub(crate) fn new(params: &Params, source: &Source, service_name: &str) -> Result<Settings, Fatal> {
        let identity = &params.identity;
        let plain = identity.parent_domain_matches_subdomains.iter().any(|name| name == "smtpd_access_maps");
        let hidden = params.smtpd.smtpd_discard_ehlo_keywords.join(" ");
        if let Some(advice) = advice_on_room(&params.queue) {
            warn!("{advice}");
        }
        Ok(Settings {
            families: Families::of_protocols(&identity.inet_protocols),
            access_parents: if plain { Parents::Plain } else { Parents::Dotted },
            own_addresses: source.own_addresses(),
            bare_newline: BareNewlines::parse(&params.smtpd.smtpd_forbid_bare_newline)?,
            upstream: Upstream::parse(&params.smtpd.smtpd_upstream_proxy_protocol)?,
            hidden_keywords: Settings::keywords(&hidden),
            soft_bounce: identity.soft_bounce,
            log_form: identity.info_log_address_format.parse()?,
            smtputf8: identity.smtputf8_enable,
            overrides: Overrides::of(&params.cleanup.receive_override_options),
            notify_classes: params.bounce.notify_classes.clone(),
            expansion_filter: config::ExpansionFilter::parse(&params.access.smtpd_expansion_filter),
            proxy_filter: proxy_filter(&params.smtpd.smtpd_proxy_filter, &params.daemon.known_tcp_ports),
            proxy_speed: ProxySpeed::of(&params.smtpd.smtpd_proxy_options),
            probe_sender: ProbeSender::new(
                &params.verify.address_verify_sender,
                &identity.myorigin,
                params.verify.address_verify_sender_ttl,
            ),
            tempfail: Tempfails::new(&params.access)?,
            permit_actions: params.access.smtpd_log_access_permit_actions.clone(),
            service_name: service_name.to_owned(),
            timezone: time_zone::local(),
            calm: Limits::new(params),
            stressed: source
                .clone()
                .stress(true)
                .get()
                .map_or_else(|_| Limits::new(params), |params| Limits::new(&params)),
        })
    }

    /// Keywords of a list; what is none is warned about.
    pub(crate) fn keywords(list: &str) -> Keywords {
        Keywords::parse(list, |word| warn!("unknown EHLO keyword \"{word}\""))
    }

    /// Whether `smtpd_log_access_permit_actions` lists an action.
    pub(crate) fn logs_permit(&self, action: &str) -> bool {
        self.permit_actions.iter().any(|listed| listed == "static:all" || listed.eq_ignore_ascii_case(action))
    }

    /// `soft_bounce`: what would be refused for good is refused for now.
    pub(crate) fn softened(&self, reply: Reply) -> Reply {
        if self.soft_bounce { reply.softened() } else { reply }
    }

    /// Whether this is a domain name, by the standard in force.
    pub(crate) fn is_valid_domain(&self, name: &[u8]) -> bool {
        if self.smtputf8 && !name.is_ascii() {
            return address::domain::to_ascii(name).is_some();
        }
        address::domain::is_hostname(name)
    }

    /// The limits of a session that begins now.
    pub(crate) fn limits(&self, stress: bool) -> Limits {
        if stress { self.stressed } else { self.calm }
    }

    pub(crate) fn notifies(&self, class: &str) -> bool {
        self.notify_classes.iter().any(|listed| listed == class)
    }
}

macro_rules! codes {
    ($($name:ident),* $(,)?) => {
        /// Reply codes, as they are configured; `Refusal::checked` replaces those that cannot refuse.
        #[derive(Debug)]
        pub(crate) struct Codes { $(pub(crate) $name: u16,)* }

        impl Codes {
            pub(crate) fn new(access: &SmtpdAccess) -> Codes {
                let code = |value: i64| u16::try_from(value).unwrap_or_default();
                Codes { $($name: code(access.$name),)* }
            }
        }
    };
}

codes! {
    access_map_reject_code, access_map_defer_code, invalid_hostname_reject_code, maps_rbl_reject_code, non_fqdn_reject_code,
    plaintext_reject_code, reject_code, defer_code, relay_domains_reject_code, unknown_address_reject_code,
    unknown_client_reject_code, unknown_hostname_reject_code, unknown_local_recipient_reject_code,
    unknown_relay_recipient_reject_code, unknown_virtual_alias_reject_code, unknown_virtual_mailbox_reject_code,
    unverified_recipient_reject_code, unverified_recipient_defer_code, unverified_sender_reject_code,
    unverified_sender_defer_code, multi_recipient_bounce_reject_code,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_cannot_be_made_lets_nobody_in() {
        for (value, expected) in [
            ("defer", Some(Tempfail::Defer)),
            ("Defer_If_Permit", Some(Tempfail::DeferIfPermit)),
            ("permit", None),
            ("", None),
        ] {
            assert_eq!(Tempfail::parse("reject_tempfail_action", value).ok(), expected, "{value}");
        }
    }

    #[test]
    fn a_disk_has_room_for_more_than_one_message() {
        let advice = |main: &str| {
            let source = Source::parse(std::path::Path::new("/etc/postfix"), main).unwrap();
            let queue = <config::params::Queue as config::Group>::parse(&source, &mut config::Problems::default());
            advice_on_room(&queue)
        };
        assert_eq!(
            advice("queue_minfree = 14\nmessage_size_limit = 10\n").as_deref(),
            Some("queue_minfree(14) should be at least 1.5*message_size_limit(10)")
        );
        for main in ["queue_minfree = 15\nmessage_size_limit = 10\n", "queue_minfree = 1\nmessage_size_limit = 0\n", ""]
        {
            assert_eq!(advice(main), None, "{main}");
        }
    }

    #[test]
    fn words_without_meaning_are_refused() {
        assert_eq!(Upstream::parse("HAProxy").ok(), Some(Upstream::Haproxy));
        assert_eq!(Upstream::parse("").ok(), Some(Upstream::None));
        assert!(Upstream::parse("proxy").is_err());
        assert_eq!(BareNewlines::parse("Yes").ok(), Some(BareNewlines::Normalize));
        assert!(BareNewlines::parse("maybe").is_err());
    }
}
