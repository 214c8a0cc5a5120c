//! From parameters to a [`Carrier`], before the jail: tables, name service, port names.
//!
//! LMTP is given the same rows under their `lmtp_` names, so nothing here has to tell the two apart.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::params;
use delivery::{Dates, Policy};
use dns::{Families, Resolver, Search};
use mime::Limits;
use service::{Fatal, Outside};
use table::checks::Checks;
use table::{AddressFind, Environment, LocalDomains, Maps, Parents, PatternList};

use crate::attributes::{self, Attributes, Originals};
use crate::carrier::{Carrier, Demand, Finality, OutputConversion, Rules};
use crate::complaint::Complaints;
use crate::content::Treatment;
use crate::dialogue::{Dialect, Farewell, Greeting, HardGreeting};
use crate::envelope::{Forwarding, Quoting, Style, Submitter};
use crate::flavor::Flavor;
use crate::generic::Generic;
use crate::order::{Favor, Ordering};
use crate::pix::Pix;
use crate::pool::Keeping;
use crate::probe::Probe;
use crate::requiretls;
use crate::route::{Aliases, Leniency, MailDomains, Router, Source as Lookup};
use crate::session;
use crate::stage::Timeouts;
use crate::stream::{Missing, Source};
use crate::transaction::Goal;
use config::services::Services;

config::bundle! {
    /// All that smtp(8) may know.
    pub struct Params {
        agent: delivery::Params,
        smtp: params::Smtp,
        cleanup: params::Cleanup,
        bounce: params::Bounce,
        rewrite: params::Rewrite,
        tls: params::SmtpTls,
        crypto: params::Tls,
        sasl: params::SmtpSasl,
        daemon: params::Daemon,
    }
}

impl Params {
    /// The rules of settling recipients.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy::from(&self.agent)
    }
}

/// Opens everything that deliveries need.
pub fn open(params: &Params, outside: &Outside) -> Result<Carrier, Fatal> {
    let environment = Environment::of(&outside.source);
    let dns_support = DnsSupport::of(params, outside)?;
    let opening = Opening { params, outside, environment, dns_support };
    let smtp = &params.smtp;
    let attributes = opening.attributes()?;
    let is_final = smtp.lmtp_assume_final || attributes.flags.has('X');
    let finality = if is_final { Finality::Delivered } else { Finality::Relayed };
    Ok(Carrier {
        router: opening.router()?,
        services: Services::system(&params.daemon.known_tcp_ports),
        dialect: Arc::new(opening.dialect()),
        source: source(smtp, &outside.source.served_addresses())?,
        treatment: opening.treatment(),
        style: opening.style()?,
        rules: rules(params, finality, outside.source.get::<params::Qmgr>()?.minimal_backoff_time),
        attributes,
        policies: opening.policies()?,
        tls: opening.tls(),
        reporter: opening.reporter(),
        auth: opening.auth()?,
        keeping: keeping(smtp),
        kept_destinations: opening
            .patterns("smtp_connection_cache_destinations", &smtp.smtp_connection_cache_destinations),
        pool: Arc::default(),
        crowd: crate::carrier::Crowd::default(),
    })
}

/// What an administrator makes of outcomes.
pub(crate) fn status_filter(params: &Params, outside: &Outside) -> delivery::StatusFilter {
    let specs = &params.smtp.smtp_delivery_status_filter;
    delivery::StatusFilter::open("smtp_delivery_status_filter", specs, &Environment::of(&outside.source))
}

pub(crate) struct Opening<'a> {
    pub(crate) params: &'a Params,
    pub(crate) outside: &'a Outside,
    pub(crate) environment: Environment,
    dns_support: DnsSupport,
}

/// `smtp_dns_support_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DnsSupport {
    /// The DNS is not asked.
    Disabled,
    Enabled,
    /// Validated answers are asked for.
    Dnssec,
}

impl DnsSupport {
    /// Where the level is not set, `disable_dns_lookups` says it.
    fn of(params: &Params, outside: &Outside) -> Result<DnsSupport, Fatal> {
        let value = &params.smtp.smtp_dns_support_level;
        let earlier = || outside.source.expanded("disable_dns_lookups").ok().flatten();
        match value.to_ascii_lowercase().as_str() {
            "" if earlier().is_some_and(|value| value.eq_ignore_ascii_case("yes")) => Ok(DnsSupport::Disabled),
            "" | "enabled" => Ok(DnsSupport::Enabled),
            "disabled" => Ok(DnsSupport::Disabled),
            "dnssec" => Ok(DnsSupport::Dnssec),
            _ => {
                let parameter = Flavor::of_program(&outside.process_name).parameter("smtp_dns_support_level");
                Err(Fatal::new(format!("invalid {parameter}: \"{value}\"")))
            }
        }
    }
}

impl Opening<'_> {
    pub(crate) fn flavor(&self) -> Flavor {
        Flavor::of_program(&self.outside.process_name)
    }

    pub(crate) fn maps(&self, parameter: &str, specs: &[String]) -> Maps {
        self.maps_in(&self.environment, parameter, specs)
    }

    pub(crate) fn requiretls(&self) -> Option<requiretls::Policy> {
        let (parameter, items) = ("smtp_requiretls_policy", &self.params.tls.smtp_requiretls_policy);
        let parameter = self.flavor().parameter(parameter);
        let heeded = self.params.cleanup.requiretls_enable;
        heeded.then(|| requiretls::Policy::open(&parameter, items, &self.environment))
    }

    fn maps_in(&self, environment: &Environment, parameter: &str, specs: &[String]) -> Maps {
        Maps::open(&self.flavor().parameter(parameter), specs, environment)
    }

    pub(crate) fn patterns(&self, parameter: &str, items: &[String]) -> PatternList {
        let parents = Parents::of(parameter, &self.params.agent.identity.parent_domain_matches_subdomains);
        PatternList::open(parameter, items, parents, &self.environment)
    }

    fn attributes(&self) -> Result<Attributes, Fatal> {
        let shown = self.params.agent.queue.enable_original_recipient;
        Ok(Attributes {
            service: self.outside.service_name.clone(),
            flags: attributes::flags(&self.outside.arguments).map_err(Fatal::new)?,
            originals: if shown { Originals::Shown } else { Originals::Hidden },
        })
    }

    fn router(&self) -> Result<Router, Fatal> {
        let smtp = &self.params.smtp;
        Ok(Router {
            resolver: Resolver::system(),
            families: Families::of_protocols(&self.params.agent.identity.inet_protocols),
            source: self.lookup(),
            domains: if self.has_dns() { MailDomains::Asked } else { MailDomains::NotAsked },
            own: self.outside.source.own_addresses(),
            ordering: Ordering {
                favor: self.favor()?,
                randomize: smtp.smtp_randomize_addresses,
                balance: smtp.smtp_balance_inet_protocols,
                limit: count(smtp.smtp_mx_address_limit),
            },
            mx_errors: leniency(self.is_on("ignore_mx_lookup_error")),
            srv_errors: leniency(smtp.ignore_srv_lookup_error),
            srv_fallback: leniency(smtp.allow_srv_lookup_fallback),
            no_mx_address: leniency(smtp.smtp_defer_if_no_mx_address_found),
            srv_services: smtp.use_srv_lookup.clone(),
            filter: self.maps("smtp_dns_reply_filter", &smtp.smtp_dns_reply_filter),
            search: search(&self.flavor().parameter("smtp_dns_resolver_options"), &smtp.smtp_dns_resolver_options)?,
            aliases: if smtp.smtp_cname_overrides_servername { Aliases::Followed } else { Aliases::Kept },
            probe: self.probe()?,
        })
    }

    /// Only who asks for validated answers needs to know whether there are any.
    fn probe(&self) -> Result<Option<Probe>, Fatal> {
        let text = &self.params.daemon.dnssec_probe;
        let wanted = self.has_dnssec() && !text.is_empty();
        Ok(if wanted { Some(text.parse::<Probe>().map_err(Fatal::from)?) } else { None })
    }

    fn lookup(&self) -> Lookup {
        let has = |name: &str| self.params.smtp.smtp_host_lookup.iter().any(|word| word == name);
        match (self.has_dns(), has("dns"), has("native")) {
            (false, _, _) | (true, false, true) => Lookup::Native,
            (true, true, true) => Lookup::Both,
            (true, _, false) => Lookup::Dns,
        }
    }

    pub(crate) fn has_dns(&self) -> bool {
        self.dns_support != DnsSupport::Disabled
    }

    /// Whether what the name server has validated may be believed.
    pub(crate) fn has_dnssec(&self) -> bool {
        let asks_dns = !matches!(self.lookup(), Lookup::Native);
        asks_dns && self.dns_support == DnsSupport::Dnssec
    }

    fn favor(&self) -> Result<Favor, Fatal> {
        let value = &self.params.smtp.smtp_address_preference;
        match value.to_ascii_lowercase().as_str() {
            "any" => Ok(Favor::Any),
            "ipv4" => Ok(Favor::V4),
            "ipv6" => Ok(Favor::V6),
            _ => Err(Fatal::new(format!("bad {} value: {value}", self.flavor().parameter("smtp_address_preference")))),
        }
    }

    fn style(&self) -> Result<Style, Fatal> {
        let smtp = &self.params.smtp;
        Ok(Style {
            quoting: if smtp.smtp_quote_rfc821_envelope { Quoting::Proper } else { Quoting::None },
            forwarding: if smtp.smtp_send_xforward_command { Forwarding::Send } else { Forwarding::Keep },
            submitter: if smtp.smtp_send_dummy_mail_auth { Submitter::Nobody } else { Submitter::Unsaid },
            probe: self.probe_goal()?,
        })
    }

    /// Where a probe of an address ends.
    fn probe_goal(&self) -> Result<Goal, Fatal> {
        let value = &self.params.smtp.smtp_address_verify_target;
        match value.to_ascii_lowercase().as_str() {
            "rcpt" => Ok(Goal::ProbeRcpt),
            "data" => Ok(Goal::ProbeData),
            _ => {
                let parameter = self.flavor().parameter("smtp_address_verify_target");
                Err(Fatal::new(format!("bad protocol stage: \"{parameter} = {value}\"")))
            }
        }
    }

    fn is_on(&self, parameter: &str) -> bool {
        let value = self.outside.source.expanded(parameter).ok().flatten();
        value.is_some_and(|value| value.eq_ignore_ascii_case("yes"))
    }

    fn dialect(&self) -> Dialect {
        let smtp = &self.params.smtp;
        let hidden = smtp.smtp_discard_ehlo_keywords.join(" ");
        let by_address = &smtp.smtp_discard_ehlo_keyword_address_maps;
        Dialect {
            flavor: self.flavor(),
            timeouts: timeouts(smtp),
            deadline: smtp.smtp_per_request_deadline.then_some(smtp.smtp_min_data_rate),
            hello_name: smtp.smtp_helo_name.clone(),
            myhostname: self.params.agent.identity.myhostname.clone(),
            greeting: match (smtp.smtp_never_send_ehlo, smtp.smtp_always_send_ehlo) {
                (true, _) => Greeting::Never,
                (false, true) => Greeting::Always,
                (false, false) => Greeting::IfOffered,
            },
            hard_greeting: if smtp.smtp_skip_5xx_greeting { HardGreeting::Skip } else { HardGreeting::Final },
            hidden: session::keywords(&hidden),
            hidden_by_address: self.maps("smtp_discard_ehlo_keyword_address_maps", by_address),
            reply_filter: self.maps("smtp_reply_filter", &smtp.smtp_reply_filter),
            pix: Pix {
                default: smtp.smtp_pix_workarounds.clone(),
                maps: self.maps("smtp_pix_workaround_maps", &smtp.smtp_pix_workaround_maps),
                delay: smtp.smtp_pix_workaround_delay_time,
                threshold: smtp.smtp_pix_workaround_threshold_time,
            },
            reply_limit: count(self.params.agent.ipc.line_length_limit),
            debug_peers: self.patterns("debug_peer_list", &self.params.agent.identity.debug_peer_list),
            complaints: self.complaints().map(Arc::new),
        }
    }

    fn complaints(&self) -> Option<Complaints> {
        let Params { agent, cleanup, bounce, .. } = self.params;
        let wanted = bounce.notify_classes.iter().any(|class| class == "protocol");
        wanted.then(|| Complaints {
            postmaster: service::postmaster(&agent.ipc, &agent.identity, bounce, cleanup),
            dates: Dates::of_this_host(),
        })
    }

    /// How addresses are looked up in tables.
    pub(crate) fn find(&self) -> AddressFind {
        let identity = &self.params.agent.identity;
        let mydestination = self.patterns("mydestination", &identity.mydestination);
        AddressFind {
            recipient_delimiter: identity.recipient_delimiter.clone(),
            myorigin: identity.myorigin.clone(),
            local: LocalDomains::new(mydestination, self.outside.source.own_addresses()),
        }
    }

    fn treatment(&self) -> Treatment {
        let (smtp, cleanup) = (&self.params.smtp, &self.params.cleanup);
        let content = self.environment.for_content();
        let checks = |parameter: &str, specs: &[String]| self.maps_in(&content, parameter, specs);
        Treatment {
            line_length_limit: count(smtp.smtp_line_length_limit),
            limits: Limits {
                header: usize::try_from(cleanup.header_size_limit).unwrap_or(usize::MAX),
                boundary: count(cleanup.mime_boundary_length_limit),
                nesting: count(cleanup.mime_nesting_limit),
            },
            generic: Generic {
                maps: self.maps("smtp_generic_maps", &smtp.smtp_generic_maps),
                find: self.find(),
                propagate: cleanup.propagate_unmatched_extensions.iter().any(|word| word == "generic"),
            },
            checks: Checks {
                header_checks: checks("smtp_header_checks", &smtp.smtp_header_checks),
                mime_header_checks: checks("smtp_mime_header_checks", &smtp.smtp_mime_header_checks),
                nested_header_checks: checks("smtp_nested_header_checks", &smtp.smtp_nested_header_checks),
                body_checks: checks("smtp_body_checks", &smtp.smtp_body_checks),
            },
        }
    }
}

fn rules(params: &Params, finality: Finality, plain_after: Duration) -> Rules {
    let smtp = &params.smtp;
    Rules {
        default_port: smtp.smtp_tcp_port.clone(),
        fallback: smtp.smtp_fallback_relay.clone(),
        relayhost: params.rewrite.relayhost.clone(),
        best_mx_transport: smtp.best_mx_transport.clone(),
        sessions: count(smtp.smtp_mx_session_limit),
        addresses: count(smtp.smtp_mx_address_limit),
        conversion: match smtp.disable_mime_output_conversion {
            true => OutputConversion::Disabled,
            false => OutputConversion::Enabled,
        },
        demand: if smtp.smtp_connection_cache_on_demand { Demand::Observed } else { Demand::Ignored },
        finality,
        plain_after,
    }
}

fn keeping(smtp: &params::Smtp) -> Keeping {
    Keeping {
        idle: smtp.smtp_connection_cache_time_limit,
        age: smtp.smtp_connection_reuse_time_limit,
        reuses: u32::try_from(smtp.smtp_connection_reuse_count_limit).unwrap_or(0),
        farewell: if smtp.smtp_skip_quit_response { Farewell::Skip } else { Farewell::Wait },
    }
}

fn timeouts(smtp: &params::Smtp) -> Timeouts {
    Timeouts {
        connect: smtp.smtp_connect_timeout,
        hello: smtp.smtp_helo_timeout,
        starttls: smtp.smtp_starttls_timeout,
        xforward: smtp.smtp_xforward_timeout,
        mail: smtp.smtp_mail_timeout,
        rcpt: smtp.smtp_rcpt_timeout,
        data_init: smtp.smtp_data_init_timeout,
        data_xfer: smtp.smtp_data_xfer_timeout,
        data_done: smtp.smtp_data_done_timeout,
        rset: smtp.smtp_rset_timeout,
        quit: smtp.smtp_quit_timeout,
    }
}

/// Where connections come from. Mail of a host with several names comes from the address of the name that it goes by:
/// where none is set, from the one on which mail is received.
fn source(smtp: &params::Smtp, served: &[IpAddr]) -> Result<Source, Fatal> {
    let address = |parameter: &str, value: &str| -> Result<Option<IpAddr>, Fatal> {
        let value = value.trim().trim_matches(['[', ']']);
        if value.is_empty() {
            return Ok(None);
        }
        let parsed = value.parse().map_err(|_| Fatal::new(format!("bad {parameter} parameter: {value}")))?;
        Ok(Some(parsed))
    };
    Ok(Source {
        v4: address("smtp_bind_address", &smtp.smtp_bind_address)?.or_else(|| lone(served, IpAddr::is_ipv4)),
        v6: address("smtp_bind_address6", &smtp.smtp_bind_address6)?.or_else(|| lone(served, IpAddr::is_ipv6)),
        missing: if smtp.smtp_bind_address_enforce { Missing::Defer } else { Missing::Ignore },
    })
}

/// The only address of a family, if others can be reached from it.
fn lone(served: &[IpAddr], of_family: fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let first = *served.iter().find(|address| of_family(address))?;
    let alone = served.iter().all(|address| !of_family(address) || *address == first);
    (alone && !first.is_loopback()).then_some(first)
}

fn search(parameter: &str, options: &[String]) -> Result<Search, Fatal> {
    let known = |option: &&String| !matches!(option.as_str(), "res_defnames" | "res_dnsrch");
    if let Some(unknown) = options.iter().find(known) {
        return Err(Fatal::new(format!("unknown {parameter} value \"{unknown}\" in \"{}\"", options.join(" "))));
    }
    let has = |name: &str| options.iter().any(|option| option == name);
    Ok(match (has("res_defnames"), has("res_dnsrch")) {
        (true, true) => Search::Everywhere,
        (true, false) => Search::Domain,
        (false, true) => Search::Parents,
        (false, false) => Search::Nowhere,
    })
}

fn leniency(lenient: bool) -> Leniency {
    if lenient { Leniency::Lenient } else { Leniency::Strict }
}

/// A limit; what is not positive is none.
fn count(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_comes_from_the_one_address_that_is_served() {
        for (served, v4, v6) in [
            ("192.0.2.1 2001:db8::1", Some("192.0.2.1"), Some("2001:db8::1")),
            ("192.0.2.1 192.0.2.1 127.0.0.1", None, None),
            ("192.0.2.1 192.0.2.1 ::1", Some("192.0.2.1"), None),
            ("192.0.2.1 192.0.2.2 2001:db8::1", None, Some("2001:db8::1")),
            ("127.0.0.1 2001:db8::1 2001:db8::2", None, None),
            ("", None, None),
        ] {
            let served: Vec<IpAddr> = served.split_whitespace().map(|address| address.parse().unwrap()).collect();
            let expected = [v4, v6].map(|address| address.map(|address| address.parse().unwrap()));
            assert_eq!([lone(&served, IpAddr::is_ipv4), lone(&served, IpAddr::is_ipv6)], expected, "{served:?}");
        }
    }
}
