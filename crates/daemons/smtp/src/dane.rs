//! DANE (RFC 7672): certificates announced by signed TLSA records.
//!
//! Nothing is believed that the resolver has not validated: the way to the host, its address, and the TLSA records all need
//! the AD bit, which is only worth as much as the way to the resolver.
//! What the records say is [`tls::dane`].

use dns::{Answer, Data, Failure, Kind, Resolver};
use dsn::{Detail, Status};
use tls::client::{Level, Policy};
use tls::dane::{self, Association};

use crate::peer::Peer;

/// What is done where there is no TLSA record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dane {
    /// As at level `may`.
    Opportunistic,
    /// The mail waits.
    Only,
}

/// The policy for a server, given what its TLSA records say.
pub async fn policy(
    resolver: &Resolver,
    dane: Dane,
    domain: &str,
    peer: &Peer,
    policy: Policy,
) -> Result<Policy, Detail> {
    let name = format!("_{}._tcp.{}", peer.port(), peer.name);
    let found = if is_authentic(resolver, domain, peer).await { announced(resolver, &name).await? } else { None };
    match (found, dane) {
        (Some(answer), _) => Ok(dane::policy(&associations(&answer), policy)),
        (None, Dane::Opportunistic) => Ok(Policy { level: Level::May, ..policy }),
        (None, Dane::Only) => Err(Detail::new(Status::temporary(7, 5), "no TLSA records found")),
    }
}

/// Whether the names that lead to the server were validated.
async fn is_authentic(resolver: &Resolver, domain: &str, peer: &Peer) -> bool {
    let kind = if peer.address().is_some_and(|address| address.is_ipv4()) { Kind::A } else { Kind::Aaaa };
    let host = matches!(resolver.lookup(&peer.name, kind).await, Ok(answer) if answer.authentic);
    host && match resolver.lookup(domain, Kind::Mx).await {
        Ok(answer) => answer.authentic,
        Err(error) => error.is_not_found() && domain.eq_ignore_ascii_case(&peer.name),
    }
}

/// Signed records, or none. A lookup that fails may hide some.
async fn announced(resolver: &Resolver, name: &str) -> Result<Option<std::sync::Arc<Answer>>, Detail> {
    match resolver.lookup(name, Kind::Tlsa).await {
        Ok(answer) if answer.authentic => Ok(Some(answer)),
        Ok(_) => Ok(None),
        Err(error) if matches!(error.failure, Failure::NotFound | Failure::NoData) => Ok(None),
        Err(_) => Err(Detail::new(Status::temporary(7, 5), format!("TLSA lookup error for {name}"))),
    }
}

fn associations(answer: &Answer) -> Vec<Association<'_>> {
    let mut associations = Vec::new();
    for record in &answer.records {
        if let &Data::Tlsa { usage, selector, matching, ref data } = &record.data {
            associations.push(Association { usage, selector, matching, data });
        }
    }
    associations
}
