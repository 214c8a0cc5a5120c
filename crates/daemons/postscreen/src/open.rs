//! What is opened before the jail, and what the parameters say, parsed once.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use config::{ExpansionFilter, Source, TlsLevel};
use service::{Fatal, Outside};
use table::{Environment, Maps, Parents, PatternList};

use crate::Params;
use crate::access::AccessList;
use crate::action::Action;
use crate::cache::Cache;
use crate::dialogue::{Manner, PerTest, Settings};
use crate::dnsbl::{self, List};
use crate::exam::{Test, Tests};
use crate::session::talk::keywords;

/// What is open when the jail closes.
#[derive(Debug)]
pub struct Opened {
    pub(crate) rules: Rules,
    pub(crate) actions: Actions,
    pub(crate) lists: Vec<List>,
    pub(crate) dialogue: Settings,
}

/// Tables, and what they are for.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) access: AccessList,
    /// `postscreen_allowlist_interfaces`.
    pub(crate) interfaces: PatternList,
    /// `postscreen_dnsbl_reply_map`.
    pub(crate) reply_names: Maps,
    pub(crate) cache: Option<Cache>,
    /// The tests that are made at all.
    pub(crate) enabled: Tests,
    /// `postscreen_greet_wait` under stress.
    pub(crate) stressed_wait: Duration,
    /// `postscreen_command_time_limit` under stress.
    pub(crate) stressed_command: Duration,
    /// `postscreen_starttls_timeout` under stress.
    pub(crate) stressed_starttls: Duration,
    /// `postscreen_discard_ehlo_keyword_address_maps`.
    pub(crate) hidden_keywords: Maps,
    /// `postscreen_command_filter`.
    pub(crate) command_filter: Maps,
    /// `postscreen_forbidden_commands`.
    pub(crate) forbidden_commands: PatternList,
    /// `postscreen_reject_footer_maps`.
    pub(crate) footers: Maps,
    /// Of times in footers.
    pub(crate) zone: jiff::tz::TimeZone,
    /// The log has words of old releases, which is to be told once.
    pub(crate) says_old_words: AtomicBool,
    /// Whether there is a proxy before us.
    pub(crate) proxied: bool,
}

/// What is done about clients that fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actions {
    pub(crate) denylist: Action,
    pub(crate) greet: Action,
    pub(crate) dnsbl: Action,
}

impl Opened {
    pub(crate) fn open(params: &Params, outside: &Outside) -> Result<Self, Fatal> {
        let postscreen = &params.postscreen;
        let environment = Environment::of(&outside.source);
        let actions = Actions {
            denylist: Action::parse("postscreen_denylist_action", &postscreen.postscreen_denylist_action)?,
            greet: Action::parse("postscreen_greet_action", &postscreen.postscreen_greet_action)?,
            dnsbl: Action::parse("postscreen_dnsbl_action", &postscreen.postscreen_dnsbl_action)?,
        };
        let lists = dnsbl::lists(&postscreen.postscreen_dnsbl_sites)?;
        let stressed = outside.source.clone().stress(true).get::<Params>();
        let mut rules = rules(params, &environment, &lists)?;
        rules.says_old_words = AtomicBool::new(outside.source.set("respectful_logging").is_none());
        if let Ok(stressed) = stressed {
            rules.stressed_wait = stressed.postscreen.postscreen_greet_wait;
            rules.stressed_command = stressed.postscreen.postscreen_command_time_limit;
            rules.stressed_starttls = stressed.postscreen.postscreen_starttls_timeout;
        }
        Ok(Self { rules, actions, lists, dialogue: dialogue(params, &outside.source)? })
    }
}

fn rules(params: &Params, environment: &Environment, lists: &[List]) -> Result<Rules, Fatal> {
    let postscreen = &params.postscreen;
    let list = |parameter: &str, items: &[String]| PatternList::open(parameter, items, Parents::Dotted, environment);
    let maps = |parameter: &str, specs: &[String]| Maps::open(parameter, specs, environment);
    let mynetworks = list("mynetworks", &params.networks.mynetworks);
    let proxied = match postscreen.postscreen_upstream_proxy_protocol.as_str() {
        "" => false,
        "haproxy" => true,
        other => return Err(Fatal::new(format!("unsupported postscreen_upstream_proxy_protocol value: {other}"))),
    };
    Ok(Rules {
        access: AccessList::open(&postscreen.postscreen_access_list, mynetworks, environment),
        interfaces: list("postscreen_allowlist_interfaces", &postscreen.postscreen_allowlist_interfaces),
        reply_names: maps("postscreen_dnsbl_reply_map", &postscreen.postscreen_dnsbl_reply_map),
        cache: Cache::open(postscreen.postscreen_cache_map.first(), environment),
        enabled: enabled(params, lists),
        stressed_wait: postscreen.postscreen_greet_wait,
        stressed_command: postscreen.postscreen_command_time_limit,
        stressed_starttls: postscreen.postscreen_starttls_timeout,
        hidden_keywords: maps(
            "postscreen_discard_ehlo_keyword_address_maps",
            &postscreen.postscreen_discard_ehlo_keyword_address_maps,
        ),
        command_filter: maps("postscreen_command_filter", &postscreen.postscreen_command_filter),
        forbidden_commands: list("postscreen_forbidden_commands", &postscreen.postscreen_forbidden_commands),
        footers: maps("postscreen_reject_footer_maps", &postscreen.postscreen_reject_footer_maps),
        zone: time_zone::local(),
        says_old_words: AtomicBool::new(false),
        proxied,
    })
}

/// What all dialogues have in common.
fn dialogue(params: &Params, source: &Source) -> Result<Settings, Fatal> {
    let postscreen = &params.postscreen;
    let tls = tls(params)?;
    Ok(Settings {
        banner: params.smtpd.smtpd_banner.clone(),
        message_size_limit: params.queue.message_size_limit,
        offered: Settings::offer(params.smtpd.disable_vrfy_command, params.identity.smtputf8_enable, tls),
        hidden: keywords(&postscreen.postscreen_discard_ehlo_keywords.join(" ")),
        tls,
        helo_required: postscreen.postscreen_helo_required,
        disable_vrfy_command: postscreen.postscreen_disable_vrfy_command,
        command_count_limit: u32::try_from(postscreen.postscreen_command_count_limit).unwrap_or(u32::MAX),
        log_form: params.identity.info_log_address_format.parse()?,
        line_length_limit: crate::count(params.ipc.line_length_limit),
        actions: PerTest([
            Action::parse("postscreen_pipelining_action", &postscreen.postscreen_pipelining_action)?,
            Action::parse("postscreen_non_smtp_command_action", &postscreen.postscreen_non_smtp_command_action)?,
            Action::parse("postscreen_bare_newline_action", &postscreen.postscreen_bare_newline_action)?,
        ]),
        manner: Manner {
            myhostname: params.identity.myhostname.clone(),
            soft_bounce: params.identity.soft_bounce,
            reject_footer: referred(&postscreen.postscreen_reject_footer, source).to_owned(),
            expansion_filter: ExpansionFilter::parse(referred(&postscreen.postscreen_expansion_filter, source)),
        },
    })
}

/// The value of a parameter that is not expanded: that of another where it only names it, as by default.
fn referred<'v>(value: &'v str, source: &'v Source) -> &'v str {
    value.strip_prefix('$').and_then(|name| source.raw(name)).unwrap_or(value)
}

/// `postscreen_tls_security_level`, or what it took the place of.
fn tls(params: &Params) -> Result<Option<TlsLevel>, Fatal> {
    let (text, former) = (&params.tls.postscreen_tls_security_level, &params.postscreen);
    let (enforces, uses) = (former.postscreen_enforce_tls, former.postscreen_use_tls);
    service::tls_level("postscreen_tls_security_level", text, enforces, uses)
}

fn enabled(params: &Params, lists: &[List]) -> Tests {
    let postscreen = &params.postscreen;
    let tests = [
        (Test::Pregreet, !postscreen.postscreen_greet_banner.is_empty()),
        (Test::Dnsbl, !lists.is_empty()),
        (Test::Pipelining, postscreen.postscreen_pipelining_enable),
        (Test::NonSmtp, postscreen.postscreen_non_smtp_command_enable),
        (Test::BareNewline, postscreen.postscreen_bare_newline_enable),
    ];
    tests.into_iter().filter(|(_, enabled)| *enabled).map(|(test, _)| test).collect()
}

impl Rules {
    /// Whether a file behind a table has changed. The cache changes all the time.
    pub(crate) fn changed(&self) -> bool {
        let Self { access, interfaces, forbidden_commands, .. } = self;
        let maps = [&self.reply_names, &self.hidden_keywords, &self.command_filter, &self.footers];
        access.changed()
            || interfaces.changed()
            || forbidden_commands.changed()
            || maps.into_iter().any(|maps| maps.changed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footers_are_those_of_smtpd_by_default() {
        let text = "myhostname = mail.test\nsmtpd_reject_footer = see $client_address\n";
        let source = Source::parse(std::path::Path::new("/nonexistent"), text).unwrap();
        for (value, expected) in [
            ("$smtpd_reject_footer", "see $client_address"),
            ("${smtpd_reject_footer}", "${smtpd_reject_footer}"),
            ("$myhostname", "mail.test"),
            ("a $myhostname", "a $myhostname"),
            ("$client_address", "$client_address"),
            ("", ""),
        ] {
            assert_eq!(referred(value, &source), expected, "{value}");
        }
    }
}
