//! What is opened before the jail: tables, lists, restriction lists, resolv.conf.

use config::Source;
use service::Fatal;
use table::{AddressFind, Environment, LocalDomains, Maps, Parents, PatternList};
use tracing::warn;

use crate::Params;
use crate::access::parse::Parser;
use crate::access::policy;
use crate::access::restriction::{Host, Rules, Target};
use crate::names::Names;
use crate::session::milter::Milters;
use crate::session::tls::Tls;
use crate::settings::Settings;

/// Everything that was opened.
#[derive(Debug)]
pub struct Opened {
    pub(crate) tables: Tables,
    pub(crate) rules: Rules,
    pub(crate) dns: Names,
    pub(crate) settings: Settings,
    pub(crate) tls: Option<Tls>,
    pub(crate) milters: Milters,
}

/// Tables and lists.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) address_find: AddressFind,
    pub(crate) mynetworks: PatternList,
    pub(crate) debug_peers: PatternList,
    pub(crate) permit_mx_backup_networks: PatternList,
    pub(crate) xclient_hosts: PatternList,
    pub(crate) xforward_hosts: PatternList,
    pub(crate) verp_clients: PatternList,
    pub(crate) limit_exceptions: PatternList,
    pub(crate) bare_newline_exclusions: PatternList,
    pub(crate) sasl_exceptions_networks: PatternList,
    pub(crate) sasl_mechanism_filter: PatternList,
    pub(crate) forbidden_commands: PatternList,
    pub(crate) noop_commands: PatternList,
    pub(crate) local_recipient_maps: Maps,
    pub(crate) virtual_alias_maps: Maps,
    pub(crate) virtual_mailbox_maps: Maps,
    pub(crate) relay_recipient_maps: Maps,
    pub(crate) canonical_maps: Maps,
    pub(crate) sender_canonical_maps: Maps,
    pub(crate) recipient_canonical_maps: Maps,
    pub(crate) smtpd_sender_login_maps: Maps,
    pub(crate) rbl_reply_maps: Maps,
    pub(crate) relay_clientcerts: Maps,
    pub(crate) hidden_keywords: Maps,
    pub(crate) command_filter: Maps,
    pub(crate) reject_footer_maps: Maps,
    pub(crate) reject_filter_maps: Maps,
    /// What `local_header_rewrite_clients` permits.
    pub(crate) rewrite_clients: std::sync::Arc<[crate::access::Restriction]>,
    /// The tables of `local_header_rewrite_clients`: an address in one of them is enough.
    pub(crate) rewrite_client_maps: Maps,
}

impl Opened {
    pub(crate) fn open(params: &Params, source: &Source, service_name: &str) -> Result<Opened, Fatal> {
        let environment = environment(source);
        let settings = Settings::new(params, source, service_name)?;
        let rules = rules(params, source, &environment)?;
        if !rules.refuse_relaying() {
            return Err(Fatal::new(
                "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance of: \
                 reject_unauth_destination, defer_unauth_destination, reject, defer or defer_if_permit",
            ));
        }
        let tables = Tables::open(params, &settings, &environment);
        let milters = Milters::open(params, &environment);
        let reply_filter = Maps::open("smtpd_dns_reply_filter", &params.smtpd.smtpd_dns_reply_filter, &environment);
        Ok(Opened {
            tables,
            rules,
            dns: Names::new(dns::Resolver::system(), reply_filter),
            settings,
            tls: Tls::open(params, service_name, &environment)?,
            milters,
        })
    }
}

fn environment(source: &Source) -> Environment {
    Environment { queue_directory: std::path::PathBuf::new(), ..Environment::of(source) }
}

fn rules(params: &Params, source: &Source, environment: &Environment) -> Result<Rules, Fatal> {
    let access = &params.access;
    let number = |value: i64| u32::try_from(value).unwrap_or(0);
    let policy = policy::Defaults {
        action: access.smtpd_policy_service_default_action.clone(),
        context: access.smtpd_policy_service_policy_context.clone(),
        max_idle: access.smtpd_policy_service_max_idle,
        max_ttl: access.smtpd_policy_service_max_ttl,
        request_limit: number(access.smtpd_policy_service_request_limit),
        retry_delay: access.smtpd_policy_service_retry_delay,
        timeout: access.smtpd_policy_service_timeout,
        try_limit: number(access.smtpd_policy_service_try_limit),
        known_tcp_ports: params.daemon.known_tcp_ports.clone(),
    };
    let is_class = |name: &str| access.smtpd_restriction_classes.iter().any(|class| class == name);
    let parser = Parser { outside: Some((environment, &policy)), is_class: &is_class };
    let itself = |host| Some(Target::Itself(host));
    let mut rules = Rules {
        client: parser.list("smtpd_client_restrictions", &access.smtpd_client_restrictions, itself(Host::Client)),
        helo: parser.list("smtpd_helo_restrictions", &access.smtpd_helo_restrictions, itself(Host::Helo)),
        sender: parser.list("smtpd_sender_restrictions", &access.smtpd_sender_restrictions, itself(Host::Sender)),
        relay: parser.list("smtpd_relay_restrictions", &access.smtpd_relay_restrictions, itself(Host::Recipient)),
        recipient: parser.list(
            "smtpd_recipient_restrictions",
            &access.smtpd_recipient_restrictions,
            itself(Host::Recipient),
        ),
        data: parser.list("smtpd_data_restrictions", &access.smtpd_data_restrictions, None),
        end_of_data: parser.list("smtpd_end_of_data_restrictions", &access.smtpd_end_of_data_restrictions, None),
        etrn: parser.list("smtpd_etrn_restrictions", &access.smtpd_etrn_restrictions, Some(Target::Etrn)),
        ..Rules::default()
    };
    for class in &access.smtpd_restriction_classes {
        let text = source.expanded(class)?.filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| Fatal::new(format!("restriction class `{class}' needs a definition")))?;
        rules.classes.insert(class.clone(), parser.list(class, &config::value::words(&text), None));
    }
    Ok(rules)
}

impl Tables {
    fn open(params: &Params, settings: &Settings, environment: &Environment) -> Tables {
        let (identity, smtpd, access, cleanup) = (&params.identity, &params.smtpd, &params.access, &params.cleanup);
        let parents = |name: &str| Parents::of(name, &identity.parent_domain_matches_subdomains);
        let list = |name: &str, items: &[String]| PatternList::open(name, items, parents(name), environment);
        let maps = |name: &str, specs: &[String]| Maps::open(name, specs, environment);
        let mydestination = list("mydestination", &identity.mydestination);
        Tables {
            address_find: AddressFind {
                recipient_delimiter: identity.recipient_delimiter.clone(),
                myorigin: identity.myorigin.clone(),
                local: LocalDomains::new(mydestination, settings.own_addresses.clone()),
            },
            mynetworks: list("mynetworks", &params.networks.mynetworks),
            debug_peers: list("debug_peer_list", &identity.debug_peer_list),
            permit_mx_backup_networks: list("permit_mx_backup_networks", &access.permit_mx_backup_networks),
            xclient_hosts: list("smtpd_authorized_xclient_hosts", &smtpd.smtpd_authorized_xclient_hosts),
            xforward_hosts: list("smtpd_authorized_xforward_hosts", &smtpd.smtpd_authorized_xforward_hosts),
            verp_clients: list("smtpd_authorized_verp_clients", &smtpd.smtpd_authorized_verp_clients),
            limit_exceptions: list("smtpd_client_event_limit_exceptions", &smtpd.smtpd_client_event_limit_exceptions),
            bare_newline_exclusions: list(
                "smtpd_forbid_bare_newline_exclusions",
                &smtpd.smtpd_forbid_bare_newline_exclusions,
            ),
            sasl_exceptions_networks: list(
                "smtpd_sasl_exceptions_networks",
                &params.sasl.smtpd_sasl_exceptions_networks,
            ),
            sasl_mechanism_filter: list("smtpd_sasl_mechanism_filter", &params.sasl.smtpd_sasl_mechanism_filter),
            forbidden_commands: list("smtpd_forbidden_commands", &smtpd.smtpd_forbidden_commands),
            noop_commands: list("smtpd_noop_commands", &smtpd.smtpd_noop_commands),
            local_recipient_maps: maps("local_recipient_maps", &identity.local_recipient_maps),
            virtual_alias_maps: maps("virtual_alias_maps", &cleanup.virtual_alias_maps),
            virtual_mailbox_maps: maps("virtual_mailbox_maps", &params.rewrite.virtual_mailbox_maps),
            relay_recipient_maps: maps("relay_recipient_maps", &params.rewrite.relay_recipient_maps),
            canonical_maps: maps("canonical_maps", &cleanup.canonical_maps),
            sender_canonical_maps: maps("sender_canonical_maps", &cleanup.sender_canonical_maps),
            recipient_canonical_maps: maps("recipient_canonical_maps", &cleanup.recipient_canonical_maps),
            smtpd_sender_login_maps: maps("smtpd_sender_login_maps", &access.smtpd_sender_login_maps),
            rbl_reply_maps: maps("rbl_reply_maps", &access.rbl_reply_maps),
            relay_clientcerts: maps("relay_clientcerts", &params.tls.relay_clientcerts),
            hidden_keywords: maps(
                "smtpd_discard_ehlo_keyword_address_maps",
                &smtpd.smtpd_discard_ehlo_keyword_address_maps,
            ),
            command_filter: maps("smtpd_command_filter", &smtpd.smtpd_command_filter),
            reject_footer_maps: maps("smtpd_reject_footer_maps", &smtpd.smtpd_reject_footer_maps),
            reject_filter_maps: maps("smtpd_reject_filter_maps", &smtpd.smtpd_reject_filter_maps),
            rewrite_clients: rewrite_clients(params, environment),
            rewrite_client_maps: {
                let words = params.rewrite.local_header_rewrite_clients.iter().filter(|word| word.contains(':'));
                Maps::open("local_header_rewrite_clients", &words.collect::<Vec<_>>(), environment)
            },
        }
    }

    /// Whether a file behind any of them is no longer what was read.
    pub(crate) fn changed(&self) -> bool {
        let lists = [
            &self.mynetworks,
            &self.debug_peers,
            &self.permit_mx_backup_networks,
            &self.xclient_hosts,
            &self.xforward_hosts,
            &self.verp_clients,
            &self.limit_exceptions,
            &self.bare_newline_exclusions,
            &self.sasl_exceptions_networks,
            &self.sasl_mechanism_filter,
            &self.forbidden_commands,
            &self.noop_commands,
        ];
        let maps = [
            &self.rewrite_client_maps,
            &self.local_recipient_maps,
            &self.virtual_alias_maps,
            &self.virtual_mailbox_maps,
            &self.relay_recipient_maps,
            &self.canonical_maps,
            &self.sender_canonical_maps,
            &self.recipient_canonical_maps,
            &self.smtpd_sender_login_maps,
            &self.rbl_reply_maps,
            &self.relay_clientcerts,
            &self.hidden_keywords,
            &self.command_filter,
            &self.reject_footer_maps,
            &self.reject_filter_maps,
        ];
        self.address_find.local.changed()
            || lists.iter().any(|list| list.changed())
            || maps.iter().any(|maps| maps.changed())
    }
}

/// The words of `local_header_rewrite_clients` that are no tables.
const REWRITE_CLIENTS: [&str; 5] = [
    "permit_inet_interfaces",
    "permit_mynetworks",
    "permit_sasl_authenticated",
    "permit_tls_all_clientcerts",
    "permit_tls_clientcerts",
];

/// The restrictions among the words of `local_header_rewrite_clients`; `check_address_map` only introduces tables. No client is turned
/// away for what is wrong with them: they are about headers alone.
fn rewrite_clients(params: &Params, environment: &Environment) -> std::sync::Arc<[crate::access::Restriction]> {
    let policy = policy::Defaults::default();
    let parser = Parser { outside: Some((environment, &policy)), is_class: &|_| false };
    let is_one_of = |word: &str, names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    let plain = params.rewrite.local_header_rewrite_clients.iter().filter(|word| !word.contains(':'));
    let (words, others): (Vec<_>, Vec<_>) = plain.cloned().partition(|word| is_one_of(word, &REWRITE_CLIENTS));
    for word in others.iter().filter(|word| !is_one_of(word, &["check_address_map"])) {
        warn!("parameter local_header_rewrite_clients: invalid request: {word}");
    }
    parser.list("local_header_rewrite_clients", &words, None).iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Source;

    #[test]
    fn clients_are_not_turned_away_for_what_concerns_headers() {
        let text = "local_header_rewrite_clients = permit_mynetworks, reject, check_address_map, bogus, static:x\n";
        let source = Source::parse(std::path::Path::new("/nonexistent"), text).unwrap();
        let clients = rewrite_clients(&source.get().unwrap(), &environment(&source));
        assert_eq!(format!("{clients:?}"), "[Client(PermitMynetworks)]");
    }

    #[test]
    fn a_class_without_a_definition_is_an_error() {
        for text in ["smtpd_restriction_classes = cls\n", "smtpd_restriction_classes = cls\ncls =\n"] {
            let source = Source::parse(std::path::Path::new("/nonexistent"), text).unwrap();
            let refused = rules(&source.get().unwrap(), &source, &environment(&source)).unwrap_err();
            assert_eq!(refused.to_string(), "restriction class `cls' needs a definition", "{text}");
        }
    }

    #[test]
    fn relaying_has_to_be_refused_somewhere() {
        for (text, expected) in [
            ("", true),
            ("smtpd_relay_restrictions = permit_mynetworks\nsmtpd_recipient_restrictions = permit\n", false),
            ("smtpd_relay_restrictions = permit_mynetworks, permit, reject\n", false),
            (
                "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = cls\nsmtpd_restriction_classes = cls\ncls = reject\n",
                true,
            ),
        ] {
            let text = format!("compatibility_level = 3.6\n{text}");
            let source = Source::parse(std::path::Path::new("/nonexistent"), &text).unwrap();
            let params: Params = source.get().unwrap();
            let rules = rules(&params, &source, &environment(&source)).unwrap();
            assert_eq!(rules.refuse_relaying(), expected, "{text}");
        }
    }
}
