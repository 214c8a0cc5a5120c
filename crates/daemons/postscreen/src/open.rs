//! What is opened before the jail, and what the parameters say, parsed once.

use std::time::Duration;

use service::{Fatal, Outside};
use table::{Environment, Maps, Parents, PatternList};

use crate::Params;
use crate::access::AccessList;
use crate::action::Action;
use crate::cache::Cache;
use crate::dnsbl::{self, List};
use crate::exam::{Test, Tests};

/// What is open when the jail closes.
#[derive(Debug)]
pub struct Opened {
    pub(crate) rules: Rules,
    pub(crate) actions: Actions,
    pub(crate) lists: Vec<List>,
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
        let stressed_wait = match stressed {
            Ok(stressed) => stressed.postscreen.postscreen_greet_wait,
            Err(_) => postscreen.postscreen_greet_wait,
        };
        Ok(Self { rules: rules(params, &environment, stressed_wait, &lists)?, actions, lists })
    }
}

fn rules(params: &Params, environment: &Environment, stressed_wait: Duration, lists: &[List]) -> Result<Rules, Fatal> {
    let postscreen = &params.postscreen;
    let list = |parameter: &str, items: &[String]| PatternList::open(parameter, items, Parents::Dotted, environment);
    let mynetworks = list("mynetworks", &params.identity.mynetworks);
    let proxied = match postscreen.postscreen_upstream_proxy_protocol.as_str() {
        "" => false,
        "haproxy" => true,
        other => return Err(Fatal::new(format!("unsupported postscreen_upstream_proxy_protocol value: {other}"))),
    };
    Ok(Rules {
        access: AccessList::open(&postscreen.postscreen_access_list, mynetworks, environment),
        interfaces: list("postscreen_allowlist_interfaces", &postscreen.postscreen_allowlist_interfaces),
        reply_names: Maps::open("postscreen_dnsbl_reply_map", &postscreen.postscreen_dnsbl_reply_map, environment),
        cache: Cache::open(postscreen.postscreen_cache_map.first(), environment)?,
        enabled: enabled(params, lists),
        stressed_wait,
        proxied,
    })
}

fn enabled(params: &Params, lists: &[List]) -> Tests {
    let postscreen = &params.postscreen;
    [(Test::Pregreet, !postscreen.postscreen_greet_banner.is_empty()), (Test::Dnsbl, !lists.is_empty())]
        .into_iter()
        .filter(|(_, enabled)| *enabled)
        .map(|(test, _)| test)
        .collect()
}

impl Rules {
    /// Whether a file behind a table has changed. The cache changes all the time.
    pub(crate) fn changed(&self) -> bool {
        self.access.changed() || self.interfaces.changed() || self.reply_names.changed()
    }
}
