//! The order in which parts of an address are looked up: user+extension@domain, user@domain, user, @domain.

use std::borrow::Cow;

use crate::{Error, LocalDomains, Maps, Scope};

/// A part of an address that may be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The whole address.
    Full,
    /// The address without its extension.
    NoExtension,
    /// The local part, where the domain is ours.
    LocalPartIfLocal,
    /// The local part and `@`, where the domain is ours.
    LocalPartAtIfLocal,
    /// `@domain`.
    AtDomain,
    /// `domain`.
    Domain,
    /// Parents of the domain.
    Parents,
    /// Parents of the domain, with a dot before.
    DottedParents,
    /// The local part and `@`.
    LocalPartAt,
}

/// Which parts are looked up; the order is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Strategy(&'static [Part]);

impl Strategy {
    /// Of canonical, virtual, generic, relocated, bcc tables and lists of recipients.
    pub const MAIL: Self = Self(&[Part::Full, Part::NoExtension, Part::LocalPartIfLocal, Part::AtDomain]);
    /// Of access tables with `parent_domain_matches_subdomains`.
    pub const ACCESS_PLAIN: Self =
        Self(&[Part::Full, Part::NoExtension, Part::Domain, Part::Parents, Part::LocalPartAt]);
    /// Of access tables without it.
    pub const ACCESS_DOTTED: Self =
        Self(&[Part::Full, Part::NoExtension, Part::Domain, Part::DottedParents, Part::LocalPartAt]);

    /// Exactly these parts.
    pub const fn of(parts: &'static [Part]) -> Self {
        Self(parts)
    }

    fn has(self, part: Part) -> bool {
        self.0.contains(&part)
    }
}

/// What was found for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The value.
    pub value: Vec<u8>,
    /// The extension, with its delimiter, when the key that matched is the user without it: the caller may propagate it.
    /// An entry for a domain is for all its users, whatever their extensions.
    pub extension: Option<Vec<u8>>,
}

/// What looking up addresses needs to know.
#[derive(Debug, Clone)]
pub struct AddressFind {
    /// `recipient_delimiter`.
    pub recipient_delimiter: String,
    /// `myorigin`.
    pub myorigin: String,
    /// Our own domains.
    pub local: LocalDomains,
}

impl AddressFind {
    /// Looks an address up, given in its internal (unquoted) form. Keys that need quotes are tried quoted first.
    ///
    /// # Errors
    ///
    /// When a table fails; it has been logged.
    pub async fn find(&self, maps: &Maps, address: &[u8], strategy: Strategy) -> Result<Option<Found>, Error> {
        let search = Search::new(self, maps, address);
        if let Some(found) = search.addresses(strategy).await? {
            return Ok(Some(found));
        }
        if let Some(found) = search.local_parts(self, strategy).await? {
            return Ok(Some(found));
        }
        search.domains(strategy).await
    }
}

struct Search<'a> {
    maps: &'a Maps,
    address: &'a [u8],
    local: &'a [u8],
    domain: Option<&'a [u8]>,
    /// The local part without extension, and the extension with its delimiter.
    split: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Search<'a> {
    fn new(find: &AddressFind, maps: &'a Maps, address: &'a [u8]) -> Self {
        let (local, domain) = match memchr::memrchr(b'@', address).and_then(|at| address.split_at_checked(at)) {
            Some((local, domain)) => (local, domain.get(1..)),
            None => (address, None),
        };
        Self { maps, address, local, domain, split: split_extension(local, &find.recipient_delimiter) }
    }

    async fn addresses(&self, strategy: Strategy) -> Result<Option<Found>, Error> {
        if strategy.has(Part::Full)
            && let Some(value) = self.either_form(self.local, self.domain, b"", Scope::All).await?
        {
            return Ok(Some(Found { value, extension: None }));
        }
        match self.split {
            Some((user, extension)) if strategy.has(Part::NoExtension) => {
                let value = self.either_form(user, self.domain, b"", Scope::Fixed).await?;
                Ok(value.map(|value| Found { value, extension: Some(extension.to_vec()) }))
            }
            _ => Ok(None),
        }
    }

    async fn local_parts(&self, find: &AddressFind, strategy: Strategy) -> Result<Option<Found>, Error> {
        let suffix: &[u8] = match (strategy.has(Part::LocalPartIfLocal), strategy.has(Part::LocalPartAtIfLocal)) {
            (true, _) => b"",
            (false, true) => b"@",
            (false, false) => return Ok(None),
        };
        let Some(domain) = self.domain else {
            return Ok(None);
        };
        if !domain.eq_ignore_ascii_case(find.myorigin.as_bytes()) && !find.local.contains(domain).await? {
            return Ok(None);
        }
        self.local_part(suffix).await
    }

    async fn local_part(&self, suffix: &[u8]) -> Result<Option<Found>, Error> {
        if let Some(value) = self.either_form(self.local, None, suffix, Scope::Fixed).await? {
            return Ok(Some(Found { value, extension: None }));
        }
        let Some((user, extension)) = self.split else {
            return Ok(None);
        };
        let value = self.either_form(user, None, suffix, Scope::Fixed).await?;
        Ok(value.map(|value| Found { value, extension: Some(extension.to_vec()) }))
    }

    async fn domains(&self, strategy: Strategy) -> Result<Option<Found>, Error> {
        let Some(domain) = self.domain else {
            return Ok(None);
        };
        let whole = self.address.get(self.local.len()..).unwrap_or_default();
        if strategy.has(Part::AtDomain)
            && let Some(value) = self.maps.lookup_in(whole, Scope::Fixed).await?
        {
            return Ok(Some(Found { value, extension: None }));
        }
        if strategy.has(Part::Domain) {
            for key in domain_keys(domain, strategy) {
                if let Some(value) = self.maps.lookup_in(key, Scope::Fixed).await? {
                    return Ok(Some(Found { value, extension: None }));
                }
            }
        }
        if strategy.has(Part::LocalPartAt) {
            return self.local_part(b"@").await;
        }
        Ok(None)
    }

    /// The key with its local part quoted if need be, then as it is; patterns see the former only.
    async fn either_form(
        &self,
        local: &[u8],
        domain: Option<&[u8]>,
        suffix: &[u8],
        scope: Scope,
    ) -> Result<Option<Vec<u8>>, Error> {
        let key = |local: &[u8]| match domain {
            Some(domain) => [local, b"@", domain].concat(),
            None => [local, suffix].concat(),
        };
        match address::quote::quote_local(local) {
            Cow::Owned(quoted) => match self.maps.lookup_in(&key(&quoted), scope).await? {
                Some(value) => Ok(Some(value)),
                None => self.maps.lookup_in(&key(local), Scope::Fixed).await,
            },
            Cow::Borrowed(_) => self.maps.lookup_in(&key(local), scope).await,
        }
    }
}

fn domain_keys(domain: &[u8], strategy: Strategy) -> impl Iterator<Item = &[u8]> {
    let dotted = strategy.has(Part::DottedParents);
    let parents = dotted || strategy.has(Part::Parents);
    std::iter::successors(Some(domain), move |current| {
        let rest = current.get(1..).filter(|_| parents)?;
        let dot = memchr::memchr(b'.', rest)?;
        rest.get(if dotted { dot } else { dot + 1 }..)
    })
}

/// The user and the extension with its delimiter.
fn split_extension<'a>(local: &'a [u8], delimiters: &str) -> Option<(&'a [u8], &'a [u8])> {
    match address::split_extension(local, delimiters.as_bytes()) {
        (user, Some(_)) => local.split_at_checked(user.len()),
        (_, None) => None,
    }
}

#[cfg(test)]
#[path = "address_find/tests.rs"]
mod tests;
