//! DANE (RFC 7672): certificates announced by signed TLSA records.
//!
//! Nothing is believed that the resolver has not validated: the way to the host, its address, and the TLSA records all need
//! the AD bit, which is only worth as much as the way to the resolver.
//! What the records say is [`tls::dane`].

use dns::{Answer, Data, Failure, Kind, Resolver};
use dsn::{Detail, Status};
use tls::client::{Level, Policy};
use tls::dane::{self, Association, Digest};
use tracing::warn;

use crate::peer::Peer;
use crate::tls_policy::Destination;

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

/// Whether the resolver is asked for validated answers. See `smtp_dns_support_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// It is, and is believed.
    Believed,
    /// There is no DANE.
    Disabled,
}

/// How TLSA records count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether they count at all.
    pub validation: Validation,
    /// `tls_dane_digests`.
    pub digests: Vec<Digest>,
    /// Behind MX records that are not signed.
    pub insecure_mx: InsecureMx,
    /// Of hosts that are not signed.
    pub insecure_host: InsecureHost,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            validation: Validation::Believed,
            digests: Digest::ALL.to_vec(),
            insecure_mx: InsecureMx::Dane,
            insecure_host: InsecureHost::Passed,
        }
    }
}

/// How a server's name came to be known. It says nothing of a handshake, but of what a verified peer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the configuration, or signed.
    Sure,
    /// From a record that anybody may have forged.
    Forgeable,
}

/// The policy for a server, given what its TLSA records say, and how its name came to be known.
///
/// # Errors
/// Why the mail must wait; the log is told.
pub async fn policy(
    resolver: &Resolver,
    wanted: (Dane, &Rules),
    destination: Destination<'_>,
    policy: Policy,
) -> Result<(Policy, Way), Detail> {
    let found = announced(resolver, wanted, destination, policy).await;
    found.map_err(|reason| Detail::new(Status::temporary(7, 5), reason))
}

async fn announced(
    resolver: &Resolver,
    (dane, rules): (Dane, &Rules),
    destination: Destination<'_>,
    policy: Policy,
) -> Result<(Policy, Way), String> {
    let Destination { nexthop, domain, peer } = destination;
    if rules.validation == Validation::Disabled {
        let level = if dane == Dane::Only { "dane-only" } else { "dane" };
        warn!("{nexthop}: {level} configured with dnssec lookups disabled");
        return match dane {
            Dane::Opportunistic => Ok((Policy { level: Level::May, ..policy }, Way::Sure)),
            Dane::Only => Err("client TLS configuration problem".to_owned()),
        };
    }
    let is_signed_mx = is_signed_mx(resolver, domain, peer).await;
    if dane == Dane::Only && !is_signed_mx {
        return Err("non DNSSEC destination".to_owned());
    }
    let found = if is_signed_mx || rules.insecure_mx != InsecureMx::May {
        find(resolver, peer, rules.insecure_host).await?
    } else {
        None
    };
    match (found, dane) {
        (Some(_), _) if !is_signed_mx && rules.insecure_mx == InsecureMx::Encrypt => {
            Ok((Policy { level: Level::Encrypt, ..policy }, Way::Sure))
        }
        (Some(found), _) => {
            let way = if is_signed_mx { Way::Sure } else { Way::Forgeable };
            Ok((found.policy((dane, rules), domain, peer, policy)?, way))
        }
        (None, Dane::Opportunistic) => Ok((Policy { level: Level::May, ..policy }, Way::Sure)),
        (None, Dane::Only) => Err("no TLSA records found".to_owned()),
    }
}

/// Signed records, and the name of the server that they are about.
struct Found {
    base: String,
    records: Vec<Association>,
}

impl Found {
    fn policy(
        self,
        (dane, rules): (Dane, &Rules),
        domain: &str,
        peer: &Peer,
        policy: Policy,
    ) -> Result<Policy, String> {
        let (supported, others): (Vec<_>, Vec<_>) = self.records.into_iter().partition(Association::is_supported);
        for record in others {
            warn!("{} unsupported TLSA certificate usage: {record}", owner(&self.base, peer));
        }
        if supported.is_empty() && dane == Dane::Only {
            return Err("TLSA records unusable".to_owned());
        }
        for record in supported.iter().filter(|record| !record.is_usable(&rules.digests)) {
            warn!("{}: unusable TLSA RR: {record}", peer.relay());
        }
        let associations = dane::counting(&supported, &rules.digests);
        if associations.is_empty() {
            if !supported.is_empty() {
                let instead = if dane == Dane::Only { "" } else { ", fallback to unauthenticated TLS" };
                warn!("{}: all TLSA records unusable{instead}", peer.relay());
            }
            if dane == Dane::Opportunistic {
                // They count for nothing but reports.
                return Ok(Policy { level: Level::Encrypt, associations: supported, ..policy });
            }
        }
        let names = vec![self.base.clone(), domain.to_owned()];
        Ok(Policy { level: Level::Dane, associations, names, server_name: self.base, ..policy })
    }
}

/// The TLSA records of a server: at the name that its own stands for, else at its own (RFC 7672 section 2.2.2).
async fn find(resolver: &Resolver, peer: &Peer, insecure_host: InsecureHost) -> Result<Option<Found>, String> {
    let kind = if peer.address().is_some_and(|address| address.is_ipv4()) { Kind::A } else { Kind::Aaaa };
    let mut bases = Vec::new();
    match resolver.lookup(peer.sought(), kind).await {
        Ok(answer) if answer.authentic => {
            bases.extend(answer.records.first().map(|record| record.name.clone()));
            bases.push(peer.sought().to_owned());
        }
        Ok(_) | Err(_) if insecure_host == InsecureHost::Asked => bases.push(peer.sought().to_owned()),
        Ok(_) => {}
        Err(error) if error.is_not_found() => {}
        Err(_) => return Err(format!("TLSA lookup error for {}:{}", peer.name, peer.port())),
    }
    bases.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    for base in bases {
        let records = records(resolver, &base, peer).await?;
        if !records.is_empty() {
            return Ok(Some(Found { base, records }));
        }
    }
    Ok(None)
}

fn owner(base: &str, peer: &Peer) -> String {
    format!("_{}._tcp.{base}", peer.port())
}

/// Whether the name that leads to the server was validated.
async fn is_signed_mx(resolver: &Resolver, domain: &str, peer: &Peer) -> bool {
    match resolver.lookup(domain, Kind::Mx).await {
        Ok(answer) => answer.authentic,
        Err(error) => error.is_not_found() && domain.eq_ignore_ascii_case(peer.sought()),
    }
}

/// Signed records, or none. A lookup that fails may hide some.
async fn records(resolver: &Resolver, base: &str, peer: &Peer) -> Result<Vec<Association>, String> {
    match resolver.lookup(&owner(base, peer), Kind::Tlsa).await {
        Ok(answer) if answer.authentic => Ok(associations(&answer)),
        Ok(_) => Ok(Vec::new()),
        Err(error) if matches!(error.failure, Failure::NotFound | Failure::NoData) => Ok(Vec::new()),
        Err(error) => {
            warn!("DANE TLSA lookup problem: {error}");
            Err(format!("TLSA lookup error for {}:{}", peer.name, peer.port()))
        }
    }
}

fn associations(answer: &Answer) -> Vec<Association> {
    let mut associations = Vec::new();
    for record in &answer.records {
        if let &Data::Tlsa { usage, selector, matching, ref data } = &record.data {
            associations.push(Association { usage, selector, matching, data: data.clone() });
        }
    }
    associations
}
