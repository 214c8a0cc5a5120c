//! One side's certificates, one for each kind of key, and which of them a peer gets.

use crate::Error;
use crate::material::Identity;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureScheme};
use std::sync::Arc;

/// Certificates with their keys.
#[derive(Debug, Clone)]
pub struct Identities(Arc<[Arc<CertifiedKey>]>);

impl Identities {
    /// Takes certificates that were read.
    ///
    /// # Errors
    /// [`Error::Setup`]: a key is of no known kind, or does not fit its certificate.
    pub fn new(identities: Vec<Identity>) -> Result<Self, Error> {
        let provider = aws_lc_rs::default_provider();
        let certified = |identity: Identity| {
            let key = provider.key_provider.load_private_key(identity.key)?;
            let certified = CertifiedKey::new(identity.chain, key);
            if belongs(&certified) { Ok(certified) } else { Err(InconsistentKeys::KeyMismatch.into()) }
        };
        let keys: Result<Vec<_>, rustls::Error> =
            identities.into_iter().map(|one| certified(one).map(Arc::new)).collect();
        Ok(Self(keys?.into()))
    }

    /// That of the scheme which the peer likes best.
    fn choose(&self, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let fits = |scheme: &SignatureScheme| {
            self.0.iter().find(|certified| certified.key.choose_scheme(std::slice::from_ref(scheme)).is_some())
        };
        schemes.iter().find_map(fits).cloned()
    }
}

/// Whether a key is that of its certificate, which may be of a kind that rustls cannot read (X.509 v1) but others can.
fn belongs(certified: &CertifiedKey) -> bool {
    let (Some(key), Some(leaf)) = (certified.key.public_key(), certified.cert.first()) else {
        return !certified.cert.is_empty();
    };
    let parsed = x509_parser::parse_x509_certificate(leaf);
    parsed.is_ok_and(|(_, certificate)| certificate.public_key().raw == key.as_ref())
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.signature_schemes()).or_else(|| self.0.first().cloned())
    }
}

impl ResolvesClientCert for Identities {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.choose(schemes)
    }

    fn has_certs(&self) -> bool {
        !self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_gets_what_it_can_verify() {
        let text = include_bytes!("testdata/chains.pem");
        let identities = Identities::new(Identity::parse_chains("chains.pem", text).unwrap()).unwrap();
        let [rsa, ecdsa] = &identities.0[..] else { panic!() };
        let (old, new) = (SignatureScheme::RSA_PSS_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256);
        for (schemes, expected) in
            [(&[new, old][..], Some(ecdsa)), (&[old, new], Some(rsa)), (&[SignatureScheme::ED25519], None)]
        {
            let chosen = identities.choose(schemes);
            assert_eq!(chosen.map(|one| one.cert.clone()), expected.map(|one| one.cert.clone()), "{schemes:?}");
        }
    }

    #[test]
    fn keys_come_before_their_certificates() {
        let text = String::from_utf8(include_bytes!("testdata/chains.pem").to_vec()).unwrap();
        let at = text.find("-----BEGIN CERTIFICATE").unwrap();
        assert!(Identity::parse_chains("x", &text.as_bytes()[at..]).is_err());
        assert!(Identity::parse_chains("x", &text.as_bytes()[..at]).is_err());
        assert!(Identity::parse_chains("x", b"").is_err());
        let (rsa, ecdsa) = text[at..].split_once("-----BEGIN PRIVATE").unwrap();
        let mixed = format!("-----BEGIN PRIVATE{ecdsa}").replace(&ecdsa[ecdsa.find("-----BEGIN CERT").unwrap()..], rsa);
        let mixed = Identity::parse_chains("x", mixed.as_bytes()).unwrap();
        assert!(Identities::new(mixed).is_err(), "the key of another certificate");
    }
}
