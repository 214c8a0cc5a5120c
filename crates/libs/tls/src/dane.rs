//! What TLSA records say of a server (RFC 7672). Records for the server's own key or certificate (usage 3) are used; where a host
//! has only others, its session is encrypted, and who it is stays unknown.

use crate::client::{Level, Policy};
use crate::fingerprint::Algorithm;

/// A TLSA record whose name and content the resolver has validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Association<'a> {
    /// What the record is about: 3 is the server itself.
    pub usage: u8,
    /// 0 is the certificate, 1 its public key.
    pub selector: u8,
    /// 1 is SHA-256, 2 is SHA-512.
    pub matching: u8,
    /// The digest.
    pub data: &'a [u8],
}

/// The server of usage 3.
const DOMAIN_ISSUED: u8 = 3;

impl Association<'_> {
    /// The digest in the form of fingerprints.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.data.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    fn is_usable(&self, matching: u8) -> bool {
        self.usage == DOMAIN_ISSUED && self.selector <= 1 && self.matching == matching
    }
}

/// A digest in TLSA records, by the name in `tls_dane_digests`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(Algorithm, u8);

impl Digest {
    /// The strongest first, as where nothing else is said (RFC 7671 section 9).
    pub const ALL: [Self; 2] = [Self(Algorithm::Sha512, 2), Self(Algorithm::Sha256, 1)];

    /// By name; `None` if TLSA records have no such digest.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "sha512" => Some(Self(Algorithm::Sha512, 2)),
            "sha256" => Some(Self(Algorithm::Sha256, 1)),
            _ => None,
        }
    }
}

/// The policy for a server that announces itself so. Of the digests the first that occurs counts.
#[must_use]
pub fn policy(announced: &[Association<'_>], digests: &[Digest], policy: Policy) -> Policy {
    for &Digest(digest, wanted) in digests {
        let usable = announced.iter().filter(|association| association.is_usable(wanted));
        let fingerprints: Vec<_> = usable.map(Association::fingerprint).collect();
        if !fingerprints.is_empty() {
            return Policy { level: Level::Fingerprint, fingerprints, digest, ..policy };
        }
    }
    Policy { level: Level::Encrypt, ..policy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::Protocols;

    #[test]
    fn records_of_the_server_itself_decide() {
        let plain = Policy {
            level: Level::May,
            protocols: Protocols::parse(">=TLSv1").unwrap(),
            names: Vec::new(),
            fingerprints: Vec::new(),
            digest: Algorithm::Md5,
            server_name: String::new(),
            suites: crate::suites::Suites::default(),
            wildcards: crate::names::Wildcards::OneLabel,
            anchors: None,
        };
        for (records, level, fingerprints) in [
            (&[(3, 1, 1), (2, 0, 1)][..], Level::Fingerprint, vec!["AB:01"]),
            (&[(3, 1, 1), (3, 0, 2)], Level::Fingerprint, vec!["AB:02"]),
            (&[(2, 0, 1), (0, 0, 1)], Level::Encrypt, vec![]),
            (&[(3, 1, 0)], Level::Encrypt, vec![]),
        ] {
            let digests = [[0xab, 0], [0xab, 1], [0xab, 2]];
            let announced: Vec<_> = records
                .iter()
                .map(|&(usage, selector, matching)| Association {
                    usage,
                    selector,
                    matching,
                    data: &digests[usize::from(matching)],
                })
                .collect();
            let policy = policy(&announced, &Digest::ALL, plain.clone());
            assert_eq!(
                (policy.level, policy.fingerprints),
                (level, fingerprints.into_iter().map(str::to_owned).collect())
            );
        }
    }

    #[test]
    fn digests_have_names() {
        assert_eq!(["SHA512", "sha256", "md5"].map(Digest::named), [Some(Digest::ALL[0]), Some(Digest::ALL[1]), None]);
    }
}
