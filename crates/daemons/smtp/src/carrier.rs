//! What a process knows for all of its deliveries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use delivery::agent::{Agent, Delivery, Destination};
use table::PatternList;

use crate::attributes::Attributes;
use crate::auth::Auth;
use crate::content::Treatment;
use crate::dialogue::Dialect;
use crate::envelope::Style;
use crate::errand::Errand;
use crate::pool::{Keeping, Pool};
use crate::route::Router;
use crate::secure::Tls;
use crate::stream::Source;
use crate::tls_policy::Policies;
use crate::tls_report::Reporter;
use config::services::Services;

/// Limits and exceptions on the way from a next hop to its servers.
#[derive(Debug, Clone)]
pub struct Rules {
    /// `smtp_tcp_port`.
    pub default_port: String,
    /// `smtp_fallback_relay`.
    pub fallback: Vec<String>,
    /// `relayhost`, which is never at fault for good.
    pub relayhost: String,
    /// `best_mx_transport`: who delivers what loops back.
    pub best_mx_transport: String,
    /// `smtp_mx_session_limit`; 0 for none.
    pub sessions: usize,
    /// `smtp_mx_address_limit`; 0 for none.
    pub addresses: usize,
    /// `disable_mime_output_conversion`.
    pub conversion: OutputConversion,
    /// `minimal_backoff_time`: mail that has waited this long may go in plain to a server that fails at TLS.
    pub plain_after: Duration,
    /// `smtp_connection_cache_on_demand`.
    pub demand: Demand,
    /// `lmtp_assume_final`, or `flags=X` in master.cf.
    pub finality: Finality,
}

/// Whether mail is made 7-bit for servers that need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputConversion {
    /// It is.
    Enabled,
    /// It goes as it is.
    Disabled,
}

/// When connections are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// While more mail for the destination is at hand.
    Observed,
    /// Only for destinations that are listed.
    Ignored,
}

/// What success at a server without DSN means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finality {
    /// The message went on.
    Relayed,
    /// It has arrived.
    Delivered,
}

/// The delivery agent.
pub struct Carrier {
    /// What master.cf says of the service.
    pub attributes: Attributes,
    /// Ways to destinations.
    pub router: Router,
    /// Port names.
    pub services: Services,
    /// How we talk.
    pub dialect: Arc<Dialect>,
    /// Where connections come from.
    pub source: Source,
    /// What is done to content.
    pub treatment: Treatment,
    /// How envelopes are written.
    pub style: Style,
    /// Limits.
    pub rules: Rules,
    /// What security is asked for.
    pub policies: Policies,
    /// How it is had.
    pub tls: Tls,
    /// Who hears what came of it (`smtp_tlsrpt_enable`); `None` if nobody.
    pub reporter: Option<Reporter>,
    /// Passwords; `None` if there are none.
    pub auth: Option<Auth>,
    /// How connections are kept.
    pub keeping: Keeping,
    /// `smtp_connection_cache_destinations`.
    pub kept_destinations: PatternList,
    /// Connections that are kept.
    pub pool: Arc<Pool>,
    /// Deliveries in hand.
    pub crowd: Crowd,
}

impl Carrier {
    /// Whether a file that was read before the jail has changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.router.resolver.changed()
            || self.router.filter.changed()
            || self.dialect.hidden_by_address.changed()
            || self.dialect.reply_filter.changed()
            || self.dialect.debug_peers.changed()
            || self.treatment.changed()
            || self.kept_destinations.changed()
            || self.policies.changed()
            || self.tls.loglevels.changed()
            || self.auth.as_ref().is_some_and(|auth| auth.passwords.changed())
    }
}

impl Agent for Carrier {
    async fn deliver(&self, delivery: &Delivery) -> Destination {
        let nexthop = &delivery.request().nexthop;
        self.crowd.enter(nexthop);
        let destination = Box::pin(Errand::new(self, delivery).run()).await;
        self.crowd.leave(nexthop);
        destination
    }
}

/// How many deliveries this process has in hand for each next hop.
#[derive(Debug, Default)]
pub struct Crowd(Mutex<HashMap<String, usize>>);

impl Crowd {
    /// A delivery begins.
    pub fn enter(&self, nexthop: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(nexthop.to_owned()).or_default() += 1;
    }

    /// A delivery ends.
    pub fn leave(&self, nexthop: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(nexthop) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(nexthop);
            }
        }
    }

    /// Whether others are in hand besides the one that asks.
    #[must_use]
    pub fn has_others(&self, nexthop: &str) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(nexthop).is_some_and(|count| *count > 1)
    }
}
