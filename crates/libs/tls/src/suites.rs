//! `*_tls_exclude_ciphers`, mapped onto what rustls has: six suites of TLS 1.2. Those of TLS 1.3 stay, as with OpenSSL.

use rustls::SupportedCipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use std::sync::Arc;

/// The cipher suites that may be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Suites(Vec<SupportedCipherSuite>);

impl Default for Suites {
    fn default() -> Self {
        Self(aws_lc_rs::default_provider().cipher_suites)
    }
}

impl Suites {
    /// Without those that one of the words names: a suite, or properties joined by `+`.
    #[must_use]
    pub fn without<S: AsRef<str>>(words: &[S]) -> Self {
        let words = words.iter().flat_map(|word| word.as_ref().split([',', ' ', ':', '\t', '\n']));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let mut suites = Self::default();
        suites.0.retain(|suite| match suite {
            SupportedCipherSuite::Tls12(_) => !words.iter().any(|word| is_named(*suite, word)),
            SupportedCipherSuite::Tls13(_) => true,
        });
        suites
    }

    /// The cryptography of a handshake with these.
    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::new(CryptoProvider { cipher_suites: self.0.clone(), ..aws_lc_rs::default_provider() })
    }
}

fn is_named(suite: SupportedCipherSuite, word: &str) -> bool {
    let (name, _) = crate::summary::cipher(suite.suite());
    name == word || word.split('+').all(|property| has(&name, property))
}

/// Whether a suite, by OpenSSL's name, has a property in OpenSSL's words.
fn has(name: &str, property: &str) -> bool {
    match property {
        "ALL" | "DEFAULT" | "COMPLEMENTOFDEFAULT" | "HIGH" | "TLSv1.2" | "kECDHE" | "kEECDH" | "ECDHE" | "EECDH" => {
            true
        }
        "aRSA" => name.contains("-RSA-"),
        "aECDSA" | "ECDSA" => name.contains("-ECDSA-"),
        "AES" | "AESGCM" => name.contains("-AES"),
        "AES128" | "AES256" => name.contains(property),
        "CHACHA20" => name.contains("CHACHA20"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(list: &str) -> Vec<String> {
        let is_old = |suite: &&SupportedCipherSuite| suite.tls13().is_none();
        Suites::without(&[list]).0.iter().filter(is_old).map(|suite| crate::summary::cipher(suite.suite()).0).collect()
    }

    #[test]
    fn suites_are_excluded_by_name_and_property() {
        let all = left("");
        assert_eq!(all.len(), 6, "{all:?}");
        for (list, count) in [
            ("aNULL, MD5, DES, RSA", 6),
            ("AES128", 4),
            ("aRSA:AES256", 2),
            ("aRSA+AES256", 5),
            ("ECDHE-ECDSA-CHACHA20-POLY1305", 5),
            ("CHACHA20 AESGCM", 0),
            ("HIGH", 0),
        ] {
            assert_eq!(left(list).len(), count, "{list}: {:?}", left(list));
        }
        let newer = Suites::without(&["HIGH"]).0;
        assert!(newer.len() == 3 && newer.iter().all(|suite| suite.tls13().is_some()));
    }
}
