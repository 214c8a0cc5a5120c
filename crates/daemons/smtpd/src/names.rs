//! The name service as smtpd sees it: answers pass `smtpd_dns_reply_filter`.

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
        let answer = self.resolver.lookup(name, kind).await?;
        if self.filter.is_empty() {
            return Ok(answer);
        }
        let mut said = Vec::new();
        for record in &answer.records {
            said.push(self.filter.lookup(record.to_string().as_bytes()).await);
        }
        dns::filter(&answer, self.filter.parameter(), said)
    }

    /// The addresses of a host in the DNS, IPv6 ones first. Of several failures a temporary one tells.
    pub(crate) async fn addresses(&self, name: &str, families: Families) -> Result<Vec<IpAddr>, Error> {
        let mut looked = Vec::new();
        for kind in families.kinds() {
            looked.push(self.lookup(name, *kind).await);
        }
        dns::gather(looked)
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
