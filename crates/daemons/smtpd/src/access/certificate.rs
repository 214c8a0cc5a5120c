//! `check_ccert_access`: access by the digests of a client's certificate, in an order that may be told.

use config::value::{unbraced, words};
use table::Maps;
use tracing::warn;

use super::action::Origin;
use super::{Check, Subject, Verdict};
use crate::session::tls::Facts;

/// A digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digest {
    Certificate,
    PublicKey,
}

impl Digest {
    fn of(self, facts: &Facts) -> &str {
        match self {
            Digest::Certificate => &facts.fingerprint,
            Digest::PublicKey => &facts.key_fingerprint,
        }
    }
}

/// What is looked up, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SearchOrder([Option<Digest>; 2]);

impl Default for SearchOrder {
    fn default() -> SearchOrder {
        SearchOrder([Some(Digest::Certificate), Some(Digest::PublicKey)])
    }
}

impl SearchOrder {
    /// A table as such, or `{ table, { search_order = pubkey_fingerprint, cert_fingerprint } }`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(spec: &str) -> Result<(String, SearchOrder), String> {
        let Some(inner) = unbraced(spec) else { return Ok((spec.to_owned(), SearchOrder::default())) };
        let mut parts = words(inner).into_iter();
        let table = parts.next().ok_or_else(|| format!("empty map specification: '{spec}'"))?;
        let mut order = SearchOrder::default();
        for part in parts {
            let part = unbraced(&part).unwrap_or(&part);
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("malformed map attribute in '{spec}': 'missing '=' after attribute name'"))?;
            if name.trim() != "search_order" {
                return Err(format!("unknown map attribute in '{spec}': '{}'", name.trim()));
            }
            order = SearchOrder::named(value).map_err(|word| format!("unknown search type '{word}' in '{spec}'"))?;
        }
        Ok((table, order))
    }

    fn named(list: &str) -> Result<SearchOrder, String> {
        let mut order = [None; 2];
        for word in words(list) {
            let digest = match word.to_ascii_lowercase().as_str() {
                "cert_fingerprint" => Digest::Certificate,
                "pubkey_fingerprint" => Digest::PublicKey,
                _ => return Err(word),
            };
            // What is looked up twice is found the first time.
            if !order.contains(&Some(digest))
                && let Some(free) = order.iter_mut().find(|place| place.is_none())
            {
                *free = Some(digest);
            }
        }
        Ok(SearchOrder(order))
    }

    fn keys(self, facts: &Facts) -> impl Iterator<Item = &str> {
        self.0.into_iter().flatten().map(|digest| digest.of(facts)).filter(|key| !key.is_empty())
    }
}

impl Check<'_> {
    /// Says of a restriction that nobody can meet it who was not asked for a certificate.
    pub(crate) fn warn_of_unasked(&self, restriction: &str) {
        let without = self.facts.tls.is_none_or(|tls| tls.fingerprint.is_empty());
        if without && !self.server.params.tls.smtpd_tls_ask_ccert {
            warn!("{restriction} is requested, but \"smtpd_tls_ask_ccert = no\"");
        }
    }

    pub(crate) async fn check_ccert_access(&mut self, order: SearchOrder, maps: &Maps) -> Verdict {
        let tls = self.facts.tls;
        self.warn_of_unasked("check_ccert_access");
        let named = tls.map(|tls| tls.subject.clone()).filter(|subject| !subject.is_empty());
        let name = named.unwrap_or_else(|| self.facts.peer.namaddr.clone());
        for key in tls.into_iter().flat_map(|tls| order.keys(tls)) {
            let found = maps.lookup(key.as_bytes()).await;
            let subject = Subject { name: name.clone().into(), class: "Client certificate" };
            let origin = Origin { table: maps.first(), key };
            match self.conclude(found, &origin, &subject).await {
                Verdict::Dunno => {}
                verdict @ (Verdict::Permit | Verdict::Reject(_)) => return verdict,
            }
        }
        Verdict::Dunno
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_may_be_told() {
        let (cert, key) = (Some(Digest::Certificate), Some(Digest::PublicKey));
        for (spec, expected) in [
            ("hash:x", Ok([cert, key])),
            ("{ hash:x }", Ok([cert, key])),
            ("{ hash:x, { search_order = pubkey_fingerprint, cert_fingerprint } }", Ok([key, cert])),
            ("{ hash:x, search_order=PUBKEY_fingerprint }", Ok([key, None])),
            ("{ hash:x, {search_order = cert_fingerprint cert_fingerprint} }", Ok([cert, None])),
            ("{ hash:x, {search_order = } }", Ok([None, None])),
            ("{ }", Err("empty map specification")),
            ("{ hash:x, {search_order = cn} }", Err("unknown search type 'cn'")),
            ("{ hash:x, {what = ever} }", Err("unknown map attribute")),
            ("{ hash:x, {search_order} }", Err("malformed map attribute")),
        ] {
            match (SearchOrder::parse(spec), expected) {
                (Ok((table, SearchOrder(order))), Ok(expected)) => {
                    assert_eq!((table.as_str(), order), ("hash:x", expected))
                }
                (Err(problem), Err(expected)) => assert!(problem.starts_with(expected), "{problem}"),
                (found, _) => panic!("{spec}: {found:?}"),
            }
        }
    }
}
