//! The name service as smtpd sees it: answers pass `smtpd_dns_reply_filter`.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use dns::{Answer, Error, Families, Kind};
use table::Maps;

/// Looks up names.
#[derive(Debug)]
pub(crate) struct Names {
    resolver: dns::Resolver,
    filter: Maps,
}

impl Names {
    pub(crate) fn new(resolver: dns::Resolver, filter: Maps) -> Names {
        Names { resolver, filter }
    }

    /// The records of one type at a name.
    pub(crate) async fn lookup(&self, name: &str, kind: Kind) -> Result<Arc<Answer>, Error> {
        let answer = self.resolver.lookup(&in_dns(name), kind).await?;
        if self.filter.is_empty() {
            return Ok(answer);
        }
        let mut said = Vec::new();
        for record in &answer.records {
            said.push(self.filter.lookup(record.to_string().as_bytes()).await);
        }
        dns::filter(&answer, self.filter.parameter(), said)
    }

    /// The addresses of a host in the DNS, IPv4 ones first. Of several failures a temporary one tells.
    pub(crate) async fn addresses(&self, name: &str, families: Families) -> Result<Vec<IpAddr>, Error> {
        let mut looked = Vec::new();
        for kind in families.kinds() {
            looked.push(self.lookup(name, *kind).await);
        }
        dns::gather(looked)
    }

    /// The addresses of a host as the system would find them.
    pub(crate) async fn native_addresses(&self, name: &str, families: Families) -> Result<Vec<IpAddr>, Error> {
        self.resolver.native_addresses(&in_dns(name), families).await
    }

    /// The resolver behind the filter, for what the system looks up by itself.
    pub(crate) fn native(&self) -> &dns::Resolver {
        &self.resolver
    }

    /// Whether a file behind this is no longer what was read.
    pub(crate) fn changed(&self) -> bool {
        self.resolver.changed() || self.filter.changed()
    }
}

/// A name as the DNS has it. What has no such form is left as it is, and will not be found.
pub(crate) fn in_dns(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return name.into();
    }
    address::domain::to_ascii(name.as_bytes()).map_or(name.into(), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_in_ascii() {
        assert_eq!(in_dns("b\u{fc}cher.test"), "xn--bcher-kva.test");
        assert_eq!(in_dns("A_b.test"), "A_b.test");
        assert_eq!(in_dns("\u{fc}..test"), "\u{fc}..test");
    }
}
