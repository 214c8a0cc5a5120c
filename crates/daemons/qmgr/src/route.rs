//! Where recipients go: answers of trivial-rewrite, kept for a while by domain, and what overrides them.

use bytes::Bytes;
use ipc::deliver::Recipient;
use ipc::rewrite::{Class, Fault, Purpose, Reply, Resolved, Scope};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// How long an answer for a whole domain is used again, in milliseconds.
const LIFETIME: u64 = 10_000;
/// Domains in memory.
const MOST: usize = 20_000;

/// Where a recipient goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) transport: Arc<str>,
    pub(crate) nexthop: Arc<str>,
    /// The address that agents see, if it differs.
    pub(crate) recipient: Option<Bytes>,
    /// Whether the domain is one of ours.
    pub(crate) is_local: bool,
    /// Whether it is a word of our own about the recipient, and no answer of trivial-rewrite's.
    is_verdict: bool,
}

impl Route {
    pub(crate) fn new(transport: &str, nexthop: &str) -> Self {
        let (transport, nexthop) = (transport.into(), nexthop.into());
        Self { transport, nexthop, recipient: None, is_local: false, is_verdict: false }
    }

    /// A recipient that the error transport returns.
    pub(crate) fn bounce(error_service: &str, status: &str, text: &str) -> Self {
        Self { is_verdict: true, ..Self::new(error_service, &format!("{status} {text}")) }
    }

    /// Whether this is the end of a notice about a notice.
    pub(crate) fn is_discarded(&self, double_bounce_sender: &str, address: &[u8]) -> bool {
        let local = address.iter().rposition(|byte| *byte == b'@').and_then(|at| address.get(..at));
        self.is_local && local.is_some_and(|local| local.eq_ignore_ascii_case(double_bounce_sender.as_bytes()))
    }

    /// The route of a message that is to be filtered first: wherever it would go, be it to an error, is for the time after.
    pub(crate) fn or_filter(self, filter: Option<(&str, String)>) -> Self {
        match filter {
            Some((transport, nexthop)) if !self.is_verdict => Self::new(transport, &nexthop),
            _ => self,
        }
    }

    /// A recipient that the retry transport defers.
    pub(crate) fn defer(status: &str, text: &str) -> Self {
        Self { is_verdict: true, ..Self::new(RETRY, &format!("{status} {text}")) }
    }
}

/// Puts recipients in the order of their delivery, which does not depend on that of the envelope: by transport, next hop, domain
/// in any case, and address.
pub(crate) fn sort(routes: &mut [(Recipient, Route)]) {
    routes.sort_by(|(one, way), (other, its)| {
        let ways = (&way.transport, &way.nexthop).cmp(&(&its.transport, &its.nexthop));
        let address = way.recipient.as_ref().unwrap_or(&one.address);
        ways.then_with(|| by_domain(address, its.recipient.as_ref().unwrap_or(&other.address)))
    });
}

/// The order of addresses within a next hop: by domain in any case, then by address.
pub(crate) fn by_domain(one: &[u8], other: &[u8]) -> Ordering {
    let folded = |address| domain(address).iter().map(u8::to_ascii_lowercase);
    folded(one).cmp(folded(other)).then_with(|| one.cmp(other))
}

fn domain(address: &[u8]) -> &[u8] {
    address.iter().rposition(|byte| *byte == b'@').and_then(|at| address.get(at..)).unwrap_or_default()
}

/// The transport that defers.
pub(crate) const RETRY: &str = "retry";

/// Answers that hold for whole domains.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    domains: HashMap<Vec<u8>, (Route, u64)>,
}

impl Cache {
    /// The route of an address, if it is known for all of its domain.
    pub(crate) fn find(&self, purpose: Purpose, address: &[u8], now: u64) -> Option<Route> {
        let (route, until) = self.domains.get(&key(purpose, address)?)?;
        (*until > now).then(|| route.clone())
    }

    /// Keeps an answer if it holds for the whole domain of an address.
    pub(crate) fn keep(&mut self, purpose: Purpose, address: &[u8], resolved: &Resolved, now: u64) {
        if resolved.scope != Scope::Domain || resolved.fault != Fault::None || resolved.recipient != address {
            return;
        }
        let Some(key) = key(purpose, address) else { return };
        if self.domains.len() >= MOST {
            self.domains.retain(|_, (_, until)| *until > now);
            if self.domains.len() >= MOST {
                self.domains.clear();
            }
        }
        self.domains.insert(
            key,
            (
                Route {
                    is_local: resolved.class == Class::Local,
                    ..Route::new(&resolved.transport, &resolved.nexthop)
                },
                now + LIFETIME,
            ),
        );
    }

    /// Forgets answers that are too old, and gives their memory back.
    pub(crate) fn shrink(&mut self, now: u64) {
        self.domains.retain(|_, (_, until)| *until > now);
        self.domains.shrink_to_fit();
    }
}

/// What an answer is kept under. A user that might be refused is judged by itself.
fn key(purpose: Purpose, address: &[u8]) -> Option<Vec<u8>> {
    if address::looks_like_option(address) {
        return None;
    }
    let mut key = ipc::rewrite::shared_domain(address)?.to_ascii_lowercase();
    if purpose == Purpose::Verify {
        key.push(b'?');
    }
    Some(key)
}

/// The route that an answer stands for. What is not known defers.
pub(crate) fn judge(address: &[u8], reply: Option<Reply>, error_service: &str, allow_min_user: bool) -> Route {
    let resolved = match reply {
        Some(Reply::Resolved(resolved)) => resolved,
        Some(Reply::Rewritten(_) | Reply::Failed) | None => return failed(),
    };
    let is_refused = match resolved.fault {
        Fault::Malformed => true,
        Fault::Unavailable => return failed(),
        Fault::None => !allow_min_user && address::looks_like_option(&resolved.recipient),
    };
    let recipient = (resolved.recipient != address && !resolved.recipient.is_empty()).then_some(resolved.recipient);
    if is_refused {
        return Route { recipient, ..Route::bounce(error_service, "5.1.3", "bad address syntax") };
    }
    Route { recipient, is_local: resolved.class == Class::Local, ..Route::new(&resolved.transport, &resolved.nexthop) }
}

fn failed() -> Route {
    Route::defer("4.3.0", "address resolver failure")
}

/// The name under which deliveries are counted: the next hop, or one recipient of it where each is delivered by itself.
pub(crate) fn destination(route: &Route, recipient: &[u8], recipient_limit: usize) -> Vec<u8> {
    let mut name = Vec::with_capacity(route.nexthop.len() + 16);
    if recipient_limit == 1 {
        let local = recipient.iter().rposition(|byte| *byte == b'@').and_then(|at| recipient.get(..at));
        name.extend_from_slice(local.unwrap_or(recipient));
        name.push(b'@');
    }
    name.extend_from_slice(route.nexthop.as_bytes());
    name.make_ascii_lowercase();
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(recipient: &str, scope: Scope, fault: Fault) -> Resolved {
        Resolved {
            recipient: Bytes::copy_from_slice(recipient.as_bytes()),
            transport: "smtp".into(),
            nexthop: "example.org".into(),
            class: Class::Default,
            fault,
            routed: false,
            scope,
        }
    }

    #[test]
    fn recipients_go_out_by_destination_and_address() {
        let recipient = |address: &str| Recipient {
            offset: 0,
            address: Bytes::copy_from_slice(address.as_bytes()),
            original: Bytes::new(),
            dsn_original: "".into(),
            notify: 0,
        };
        let mut routes = vec![
            (recipient("c@x"), Route::new("smtp", "hop")),
            (recipient("b"), Route::new("smtp", "hop")),
            (recipient("d@a"), Route::new("smtp", "hop")),
            (recipient("a@X"), Route::new("smtp", "hop")),
            (recipient("a@z"), Route::new("smtp", "gate")),
            (recipient("a@z"), Route::new("local", "z")),
        ];
        sort(&mut routes);
        let order = routes.iter().map(|(recipient, _)| std::str::from_utf8(&recipient.address).unwrap());
        assert_eq!(order.collect::<Vec<_>>(), ["a@z", "a@z", "b", "d@a", "a@X", "c@x"]);
        assert_eq!(&*routes[0].1.transport, "local");
    }

    #[test]
    fn answers_for_domains_are_kept_for_a_while() {
        let mut cache = Cache::default();
        cache.keep(Purpose::Deliver, b"a@Example.org", &resolved("a@Example.org", Scope::Domain, Fault::None), 0);
        cache.keep(Purpose::Deliver, b"a@b", &resolved("a@b", Scope::Address, Fault::None), 0);
        cache.keep(Purpose::Deliver, b"a@c", &resolved("x@c", Scope::Domain, Fault::None), 0);
        assert!(cache.find(Purpose::Deliver, b"z@example.org", 1).is_some());
        for (purpose, address, now) in [
            (Purpose::Deliver, &b"z@example.org"[..], LIFETIME),
            (Purpose::Verify, b"z@example.org", 1),
            (Purpose::Deliver, b"a@b", 1),
            (Purpose::Deliver, b"a@c", 1),
            (Purpose::Deliver, b"nobody", 1),
            (Purpose::Deliver, b"-z@example.org", 1),
        ] {
            assert!(cache.find(purpose, address, now).is_none());
        }
    }

    #[test]
    fn what_is_not_known_defers_and_what_is_wrong_bounces() {
        for (reply, transport, nexthop) in [
            (None, "retry", "4.3.0 address resolver failure"),
            (Some(Reply::Failed), "retry", "4.3.0 address resolver failure"),
            (
                Some(Reply::Resolved(resolved("a@b", Scope::Address, Fault::Unavailable))),
                "retry",
                "4.3.0 address resolver failure",
            ),
            (
                Some(Reply::Resolved(resolved("a@b", Scope::Address, Fault::Malformed))),
                "error",
                "5.1.3 bad address syntax",
            ),
            (Some(Reply::Resolved(resolved("-a@b", Scope::Address, Fault::None))), "error", "5.1.3 bad address syntax"),
            (Some(Reply::Resolved(resolved("a@b", Scope::Address, Fault::None))), "smtp", "example.org"),
        ] {
            let route = judge(b"a@b", reply, "error", false);
            assert_eq!((&*route.transport, &*route.nexthop), (transport, nexthop));
        }
        let malformed = Reply::Resolved(resolved("a@", Scope::Address, Fault::Malformed));
        let route = judge(b"a%@here", Some(malformed), "error", false);
        assert_eq!(route.recipient.as_deref(), Some(&b"a@"[..]));
    }

    #[test]
    fn single_recipients_are_destinations_of_their_own() {
        let route = Route::new("local", "Example.org");
        assert_eq!(destination(&route, b"Bob@example.org", 1), b"bob@example.org");
        assert_eq!(destination(&route, b"Bob@example.org", 50), b"example.org");
    }
}
