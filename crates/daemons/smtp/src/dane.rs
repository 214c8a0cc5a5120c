//! DANE (RFC 7672): certificates announced by signed TLSA records.
//!
//! Nothing is believed that the resolver has not validated: the way to the host, its address, and the TLSA records all need
//! the AD bit, which is only worth as much as the way to the resolver. Records for the server's own key or
//! certificate (usage 3) are used; where a host has only others, its session is encrypted, and who it is stays unknown.

use dns::{Answer, Data, Failure, Kind, Resolver};
use dsn::{Detail, Status};
use tls::client::{Level, Policy};
use tls::fingerprint::Algorithm;

use crate::peer::Peer;

/// What is done where there is no TLSA record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dane {
    /// As at level `may`.
    Opportunistic,
    /// The mail waits.
    Only,
}

/// The server of usage 3.
const DOMAIN_ISSUED: u8 = 3;

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
        (Some(answer), _) => Ok(announced_policy(&answer, policy)),
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

/// The stronger digest wins (RFC 7671 section 9).
fn announced_policy(answer: &Answer, policy: Policy) -> Policy {
    for (wanted, digest) in [(2, Algorithm::Sha512), (1, Algorithm::Sha256)] {
        let fingerprints: Vec<_> =
            answer.records.iter().filter_map(|record| fingerprint(&record.data, wanted)).collect();
        if !fingerprints.is_empty() {
            return Policy { level: Level::Fingerprint, fingerprints, digest, ..policy };
        }
    }
    Policy { level: Level::Encrypt, ..policy }
}

/// A usable record's digest in the form of fingerprints.
fn fingerprint(data: &Data, wanted: u8) -> Option<String> {
    let Data::Tlsa { usage: DOMAIN_ISSUED, selector: 0 | 1, matching, data } = data else { return None };
    let digest = || data.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    (*matching == wanted).then(digest)
}

#[cfg(test)]
mod tests {
    use dns::Record;
    use tls::protocols::Protocols;

    use super::*;

    fn answer(records: &[(u8, u8, u8)]) -> Answer {
        let record = |(usage, selector, matching): &(u8, u8, u8)| Record {
            name: "_25._tcp.mx.test".into(),
            ttl: 1,
            data: Data::Tlsa { usage: *usage, selector: *selector, matching: *matching, data: vec![0xab, *matching] },
        };
        Answer { name: "x".into(), records: records.iter().map(record).collect(), authentic: true }
    }

    #[test]
    fn records_of_the_server_itself_decide() {
        let plain = Policy {
            level: Level::May,
            protocols: Protocols::parse(">=TLSv1").unwrap(),
            names: Vec::new(),
            fingerprints: Vec::new(),
            digest: Algorithm::Md5,
            server_name: String::new(),
        };
        for (records, level, fingerprints) in [
            (&[(3, 1, 1), (2, 0, 1)][..], Level::Fingerprint, vec!["AB:01"]),
            (&[(3, 1, 1), (3, 0, 2)], Level::Fingerprint, vec!["AB:02"]),
            (&[(2, 0, 1), (0, 0, 1)], Level::Encrypt, vec![]),
            (&[(3, 1, 0)], Level::Encrypt, vec![]),
        ] {
            let policy = announced_policy(&answer(records), plain.clone());
            assert_eq!(
                (policy.level, policy.fingerprints),
                (level, fingerprints.into_iter().map(str::to_owned).collect())
            );
        }
    }
}
