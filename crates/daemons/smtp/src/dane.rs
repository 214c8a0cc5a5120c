//! DANE (RFC 7672): certificates announced by signed TLSA records.
//!
//! Nothing is believed that the resolver has not validated: the way to the host, its address, and the TLSA records all need
//! the AD bit, which is only worth as much as the way to the resolver.
//! What the records say is [`tls::dane`].

use dns::{Answer, Data, Failure, Kind, Resolver};
use dsn::{Detail, Status};
use tls::client::{Level, Policy};
use tls::dane::{self, Association, Digest};

use crate::peer::Peer;

/// What is done where there is no TLSA record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dane {
    /// As at level `may`.
    Opportunistic,
    /// The mail waits.
    Only,
}

/// What is done where the MX record that led to a signed host is not signed. See `smtp_tls_dane_insecure_mx_policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsecureMx {
    /// As at level `may`.
    May,
    /// As at level `encrypt`, if the host has TLSA records.
    Encrypt,
    /// The host's TLSA records count all the same.
    Dane,
}

impl InsecureMx {
    /// By the name of the level.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "may" => Some(Self::May),
            "encrypt" => Some(Self::Encrypt),
            "dane" => Some(Self::Dane),
            _ => None,
        }
    }
}

/// Whether hosts whose addresses are not signed may have TLSA records. See `smtp_tls_force_insecure_host_tlsa_lookup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsecureHost {
    /// They are taken to have none.
    Passed,
    /// They are asked for.
    Asked,
}

/// How TLSA records count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `tls_dane_digests`.
    pub digests: Vec<Digest>,
    /// Behind MX records that are not signed.
    pub insecure_mx: InsecureMx,
    /// Of hosts that are not signed.
    pub insecure_host: InsecureHost,
}

impl Default for Rules {
    fn default() -> Self {
        Self { digests: Digest::ALL.to_vec(), insecure_mx: InsecureMx::Dane, insecure_host: InsecureHost::Passed }
    }
}

/// The policy for a server, given what its TLSA records say.
pub async fn policy(
    resolver: &Resolver,
    (dane, rules): (Dane, &Rules),
    domain: &str,
    peer: &Peer,
    policy: Policy,
) -> Result<Policy, Detail> {
    let is_signed_mx = is_signed_mx(resolver, domain, peer).await;
    let counts = is_signed_mx || (dane == Dane::Opportunistic && rules.insecure_mx != InsecureMx::May);
    let is_asked = counts && (rules.insecure_host == InsecureHost::Asked || is_signed_host(resolver, peer).await);
    let name = format!("_{}._tcp.{}", peer.port(), peer.name);
    let found = if is_asked { announced(resolver, &name).await? } else { None };
    match (found, dane) {
        (Some(_), _) if !is_signed_mx && rules.insecure_mx == InsecureMx::Encrypt => {
            Ok(Policy { level: Level::Encrypt, ..policy })
        }
        (Some(answer), _) => Ok(dane::policy(&associations(&answer), &rules.digests, policy)),
        (None, Dane::Opportunistic) => Ok(Policy { level: Level::May, ..policy }),
        (None, Dane::Only) => Err(Detail::new(Status::temporary(7, 5), "no TLSA records found")),
    }
}

/// Whether the server's address was validated.
async fn is_signed_host(resolver: &Resolver, peer: &Peer) -> bool {
    let kind = if peer.address().is_some_and(|address| address.is_ipv4()) { Kind::A } else { Kind::Aaaa };
    matches!(resolver.lookup(&peer.name, kind).await, Ok(answer) if answer.authentic)
}

/// Whether the name that leads to the server was validated.
async fn is_signed_mx(resolver: &Resolver, domain: &str, peer: &Peer) -> bool {
    match resolver.lookup(domain, Kind::Mx).await {
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
