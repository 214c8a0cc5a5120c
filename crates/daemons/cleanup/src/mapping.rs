//! Canonical tables and masquerading: one address becomes another.
//!
//! Order: `sender_` or `recipient_canonical_maps`, `canonical_maps`, `masquerade_domains`; each only for the classes of
//! addresses that its parameter names.

use address::Address;
use config::params;
use ipc::rewrite::Context;
use table::{AddressFind, Environment, Found, Maps, Parents, PatternList, Strategy};

use crate::fate::Refusal;
use crate::rewriting::Rewriter;

/// Rounds of a canonical table before its result is called unreasonable.
const NESTING: usize = 10;

/// Which address is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    EnvelopeSender,
    EnvelopeRecipient,
    HeaderSender,
    HeaderRecipient,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::EnvelopeSender => "envelope_sender",
            Self::EnvelopeRecipient => "envelope_recipient",
            Self::HeaderSender => "header_sender",
            Self::HeaderRecipient => "header_recipient",
        }
    }
}

/// A canonical table and the classes that it is for.
struct Canonical {
    maps: Maps,
    classes: Vec<String>,
}

impl Canonical {
    fn covers(&self, class: Class) -> bool {
        !self.maps.is_empty() && self.classes.iter().any(|listed| listed.eq_ignore_ascii_case(class.name()))
    }
}

/// All tables that turn addresses into others.
pub(crate) struct Mapping {
    canonical: [Canonical; 3],
    masquerade: Masquerade,
    pub(crate) find: AddressFind,
    propagate: Vec<String>,
    pub(crate) virtual_alias_maps: Maps,
    pub(crate) limits: AliasLimits,
}

/// How far aliases may lead.
#[derive(Clone, Copy)]
pub(crate) struct AliasLimits {
    pub(crate) expansion: usize,
    pub(crate) recursion: usize,
    pub(crate) length: usize,
}

impl Mapping {
    pub(crate) fn open(cleanup: &params::Cleanup, find: AddressFind, environment: &Environment) -> Self {
        let maps = |parameter: &str, specs: &[String]| Maps::open(parameter, specs, environment);
        let canonical = |parameter: &str, specs: &[String], classes: &[String]| Canonical {
            maps: maps(parameter, specs),
            classes: classes.to_vec(),
        };
        let number = |value: i64| usize::try_from(value).unwrap_or(0);
        Self {
            canonical: [
                canonical("sender_canonical_maps", &cleanup.sender_canonical_maps, &cleanup.sender_canonical_classes),
                canonical(
                    "recipient_canonical_maps",
                    &cleanup.recipient_canonical_maps,
                    &cleanup.recipient_canonical_classes,
                ),
                canonical("canonical_maps", &cleanup.canonical_maps, &cleanup.canonical_classes),
            ],
            masquerade: Masquerade {
                domains: cleanup.masquerade_domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
                classes: cleanup.masquerade_classes.clone(),
                exceptions: PatternList::open(
                    "masquerade_exceptions",
                    &cleanup.masquerade_exceptions,
                    Parents::Dotted,
                    environment,
                ),
            },
            find,
            propagate: cleanup.propagate_unmatched_extensions.clone(),
            virtual_alias_maps: maps("virtual_alias_maps", &cleanup.virtual_alias_maps),
            limits: AliasLimits {
                expansion: number(cleanup.virtual_alias_expansion_limit),
                recursion: number(cleanup.virtual_alias_recursion_limit),
                length: number(cleanup.virtual_alias_address_length_limit),
            },
        }
    }

    pub(crate) fn changed(&self) -> bool {
        self.canonical.iter().any(|canonical| canonical.maps.changed())
            || self.virtual_alias_maps.changed()
            || self.masquerade.exceptions.changed()
    }

    /// Whether tables of this kind pass on extensions.
    pub(crate) fn propagates(&self, kind: &str) -> bool {
        self.propagate.iter().any(|listed| listed.eq_ignore_ascii_case(kind))
    }

    /// Whether addresses of a class may become others.
    pub(crate) fn covers(&self, class: Class) -> bool {
        self.masquerade.covers(class) || self.canonical.iter().any(|canonical| canonical.covers(class))
    }

    /// What an address of a class becomes.
    pub(crate) async fn apply(
        &self,
        id: &str,
        rewriter: &Rewriter,
        class: Class,
        address: Address,
    ) -> Result<Address, Refusal> {
        let mut address = address;
        for canonical in &self.canonical {
            if canonical.covers(class) {
                address = self.canonical(id, rewriter, &canonical.maps, address).await?;
            }
        }
        self.masquerade.apply(class, address).await
    }

    async fn canonical(
        &self,
        id: &str,
        rewriter: &Rewriter,
        maps: &Maps,
        address: Address,
    ) -> Result<Address, Refusal> {
        let mut address = address;
        for _ in 0..NESTING {
            let results =
                self.results(rewriter, maps, &address, self.propagates("canonical")).await.map_err(|Failed| {
                    let shown = if address.is_empty() { "\"\"".to_owned() } else { address.to_string() };
                    tracing::warn!(
                        "{id}: {} map lookup problem for {shown} -- message not accepted, try again later",
                        maps.parameter()
                    );
                    Refusal::write()
                })?;
            let Some(first) = results.first().cloned() else { return Ok(address) };
            if results.len() > 1 {
                tracing::warn!("{id}: multi-valued {} entry for {address}", maps.parameter());
            }
            if first.is_empty() || first.folded() == address.folded() {
                return Ok(first);
            }
            address = first;
        }
        tracing::warn!(
            "{id}: unreasonable {} map nesting for {address} -- message not accepted, try again later",
            maps.parameter()
        );
        Ok(address)
    }

    /// The addresses that a table has for an address, in canonical form. None means that it has no entry; an entry without
    /// an address is a fault.
    pub(crate) async fn results(
        &self,
        rewriter: &Rewriter,
        maps: &Maps,
        address: &Address,
        propagate: bool,
    ) -> Result<Vec<Address>, Failed> {
        let Some(found) = self.found(maps, address).await? else { return Ok(Vec::new()) };
        let value = found.value.clone();
        let results = self.addresses(rewriter, address, found, propagate).await?;
        if results.is_empty() {
            let (parameter, value) = (maps.parameter(), table::shown(&value));
            tracing::warn!("{parameter} lookup of {address} returns non-address result \"{value}\"");
            return Err(Failed);
        }
        Ok(results)
    }

    pub(crate) async fn found(&self, maps: &Maps, address: &Address) -> Result<Option<Found>, Failed> {
        self.find.find(maps, address.as_bytes(), Strategy::MAIL).await.map_err(|_| Failed)
    }

    /// The addresses in what was found for an address.
    async fn addresses(
        &self,
        rewriter: &Rewriter,
        address: &Address,
        found: Found,
        propagate: bool,
    ) -> Result<Vec<Address>, Failed> {
        // `@domain` means the same user there; the extension is part of the user then.
        if let Some(domain) = found.value.strip_prefix(b"@") {
            let same = address.at(domain.trim_ascii());
            return Ok(vec![rewriter.canonical(Context::Local, &same).await.map_err(|_| Failed)?]);
        }
        let extension = found.extension.filter(|_| propagate).unwrap_or_default();
        self.listed(rewriter, &found.value, &extension).await
    }

    /// The addresses that a value lists, each with this extension.
    pub(crate) async fn listed(
        &self,
        rewriter: &Rewriter,
        value: &[u8],
        extension: &[u8],
    ) -> Result<Vec<Address>, Failed> {
        let items = address::tree::parse(value, usize::MAX);
        let mut results = Vec::new();
        // `<>` is an address too, that of nobody.
        for result in items.iter().filter_map(address::tree::Item::address) {
            let result = rewriter.canonical(Context::Local, result).await.map_err(|_| Failed)?;
            results.push(if result.is_empty() { result } else { result.extended(extension) });
        }
        Ok(results)
    }
}

/// A table or the rewriting service could not be asked.
#[derive(Debug)]
pub(crate) struct Failed;

/// `masquerade_domains`: hosts below these domains are hidden.
struct Masquerade {
    /// In lower case; `!` before those that are left alone.
    domains: Vec<String>,
    classes: Vec<String>,
    exceptions: PatternList,
}

impl Masquerade {
    fn covers(&self, class: Class) -> bool {
        !self.domains.is_empty() && self.classes.iter().any(|listed| listed.eq_ignore_ascii_case(class.name()))
    }

    async fn apply(&self, class: Class, address: Address) -> Result<Address, Refusal> {
        if !self.covers(class) {
            return Ok(address);
        }
        let Some(shorter) = address.domain().and_then(|domain| self.shorter(domain)) else { return Ok(address) };
        let excepted = self.exceptions.matches_string(address.local_part()).await.map_err(|_| Refusal::write())?;
        Ok(if excepted { address } else { address.at(shorter.as_bytes()) })
    }

    /// The domain that hides this one: the first in the list that it is, or is below.
    fn shorter(&self, domain: &[u8]) -> Option<&str> {
        let domain = domain.to_ascii_lowercase();
        let is_within = |parent: &str| {
            let rest = domain.strip_suffix(parent.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
        };
        let first = self.domains.iter().find(|listed| is_within(listed.trim_start_matches('!')))?;
        let hidden = !first.starts_with('!') && first.as_bytes() != domain;
        hidden.then_some(first.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_domain_that_fits_hides_hosts() {
        let masquerade = Masquerade {
            domains: vec!["!keep.example.net".to_owned(), "example.net".to_owned(), "example.test".to_owned()],
            classes: Vec::new(),
            exceptions: PatternList::open::<&str>(
                "masquerade_exceptions",
                &[],
                Parents::Dotted,
                &Environment::default(),
            ),
        };
        for (domain, shorter) in [
            ("host.example.test", Some("example.test")),
            ("a.b.EXAMPLE.net", Some("example.net")),
            ("x.keep.example.net", None),
            ("example.test", None),
            ("notexample.test", None),
            ("example.com", None),
        ] {
            assert_eq!(masquerade.shorter(domain.as_bytes()), shorter, "{domain}");
        }
    }
}
