//! What TLSA records say of a server (RFC 7672). A record is about the server's own certificate or key (usage 3), which then needs
//! no name and no authority; or about an authority (usage 2), which vouches for a certificate with one of the server's names.
//! Records of other usages (RFC 7672 section 3.1.3), and those that say nothing that can be compared, count as none.

use crate::chain::{Shown, contents};
use crate::client::Policy;
use crate::doubt::Doubt;
use crate::fingerprint::Algorithm;
use crate::material::Authorities;
use crate::names::Names;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, Der, TrustAnchor};
use std::fmt;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

/// Usage: an authority that vouches for the server.
const AUTHORITY: u8 = 2;
/// Usage: the server itself.
const SERVER: u8 = 3;
/// Selector: the whole certificate; 1 is its public key.
const CERTIFICATE: u8 = 0;
/// Matching: the thing itself, no digest.
const FULL: u8 = 0;
/// Longer data are shown by so many bytes of either end.
const SHOWN: usize = 32;

/// A TLSA record whose name and content the resolver has validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    /// What the record is about: 3 is the server itself, 2 an authority.
    pub usage: u8,
    /// 0 is the certificate, 1 its public key.
    pub selector: u8,
    /// 0 is the thing itself, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// The thing, or its digest.
    pub data: Vec<u8>,
}

impl Association {
    /// The data in the form of fingerprints.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.data.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    /// Whether mail servers may have such records.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        matches!(self.usage, AUTHORITY | SERVER)
    }

    /// Whether the record says something that can be compared.
    #[must_use]
    pub fn is_usable(&self, digests: &[Digest]) -> bool {
        let complete = |rest: &[u8]| rest.is_empty();
        self.is_supported()
            && match (self.matching, self.selector) {
                (FULL, CERTIFICATE) => X509Certificate::from_der(&self.data).is_ok_and(|(rest, _)| complete(rest)),
                (FULL, 1) => SubjectPublicKeyInfo::from_der(&self.data).is_ok_and(|(rest, _)| complete(rest)),
                (matching, 0 | 1) => {
                    digests.iter().any(|digest| digest.matching == matching && digest.length == self.data.len())
                }
                _ => false,
            }
    }

    /// Whether the record is about a certificate.
    fn is_of(&self, der: &[u8]) -> bool {
        let key = X509Certificate::from_der(der).map(|(_, parsed)| parsed.tbs_certificate.subject_pki.raw);
        let selected = if self.selector == CERTIFICATE { Ok(der) } else { key };
        selected.is_ok_and(|selected| match Digest::ALL.iter().find(|digest| digest.matching == self.matching) {
            Some(digest) => digest.algorithm.digest(selected) == self.data,
            None => self.matching == FULL && selected == self.data,
        })
    }
}

/// As a zone has it; of much, the beginning and the end.
impl fmt::Display for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        match (self.data.first_chunk::<SHOWN>(), self.data.last_chunk::<SHOWN>()) {
            (Some(first), Some(last)) if self.data.len() > 2 * SHOWN => write!(f, "{}...{}", hex(first), hex(last)),
            _ => f.write_str(&hex(&self.data)),
        }
    }
}

/// A digest in TLSA records, by the name in `tls_dane_digests`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    algorithm: Algorithm,
    matching: u8,
    /// Bytes of a digest.
    length: usize,
}

impl Digest {
    /// The strongest first, as where nothing else is said (RFC 7671 section 9).
    pub const ALL: [Self; 2] = [
        Self { algorithm: Algorithm::Sha512, matching: 2, length: 64 },
        Self { algorithm: Algorithm::Sha256, matching: 1, length: 32 },
    ];

    /// By name; `None` if TLSA records have no such digest.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let algorithm = Algorithm::named(name)?;
        Self::ALL.into_iter().find(|digest| digest.algorithm == algorithm)
    }
}

/// The records that count: usable ones, and of those with digests the ones with the first of `digests` that occurs, for
/// each usage and selector (RFC 7671 section 9).
#[must_use]
pub fn counting(announced: &[Association], digests: &[Digest]) -> Vec<Association> {
    let rank = |record: &Association| digests.iter().position(|digest| digest.matching == record.matching);
    let usable: Vec<_> = announced.iter().filter(|record| record.is_usable(digests)).collect();
    let is_outdone = |record: &Association| {
        let alike = |other: &&&Association| (other.usage, other.selector) == (record.usage, record.selector);
        record.matching != FULL && usable.iter().filter(alike).filter_map(|other| rank(other)).min() < rank(record)
    };
    usable.iter().filter(|record| !is_outdone(record)).map(|record| (*record).clone()).collect()
}

/// Whether a server is the one that the records of its policy announce.
pub(crate) fn judge(shown: Shown<'_>, provider: &CryptoProvider, policy: &Policy) -> Result<(), Doubt> {
    let records = &policy.associations;
    if records.iter().any(|record| record.usage == SERVER && record.is_of(shown.leaf)) {
        return Ok(());
    }
    let announced = |der: &&CertificateDer<'_>| {
        *der != shown.leaf && records.iter().any(|record| record.usage == AUTHORITY && record.is_of(der))
    };
    let authorities: Vec<_> = shown.chain.iter().filter(announced).collect();
    for authority in &authorities {
        let (_, parsed) = X509Certificate::from_der(authority).map_err(|_| Doubt::Digest)?;
        shown.is_in_time(&parsed)?;
    }
    let authorities = anchors(shown, authorities, records);
    if authorities.store.is_empty() {
        return Err(Doubt::Digest);
    }
    shown.judge_server(provider, &authorities)?;
    let names = Names::of(shown.leaf);
    names.matching(&policy.names, policy.wildcards).map(|_| ()).ok_or(Doubt::Name)
}

/// The announced authorities: those shown, and those of whom the records hold the whole certificate or key.
fn anchors(shown: Shown<'_>, found: Vec<&CertificateDer<'_>>, records: &[Association]) -> Authorities {
    let mut listed: Vec<_> = found.into_iter().map(|der| der.clone().into_owned()).collect();
    let whole = records.iter().filter(|record| (record.usage, record.matching) == (AUTHORITY, FULL));
    let mut keys = Vec::new();
    for record in whole {
        if record.selector == CERTIFICATE {
            listed.push(CertificateDer::from(record.data.clone()));
        } else {
            keys.extend(contents(&record.data));
        }
    }
    listed.retain(|der| der != shown.leaf);
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(listed.iter().cloned());
    for der in std::iter::once(shown.leaf).chain(shown.chain) {
        let Ok((_, parsed)) = X509Certificate::from_der(der) else { continue };
        let Some(issuer) = contents(parsed.tbs_certificate.issuer.as_raw()) else { continue };
        // A key has no name: it may be that of anyone who has signed.
        store.roots.extend(keys.iter().map(|key| TrustAnchor {
            subject: Der::from(issuer.to_vec()),
            subject_public_key_info: Der::from(key.to_vec()),
            name_constraints: None,
        }));
    }
    Authorities { store: Arc::new(store), listed: Arc::new(listed), most_between: None }
}

#[cfg(test)]
mod tests;
