//! Whether a chain of certificates leads to an authority, and if it does not, why.
//!
//! rustls decides. Two kinds of certificates that it takes from nobody, of X.509 version 1 and those made for authorities, are
//! believed where a listed authority has signed them itself, as `openssl x509 -req` and `openssl req -x509 -CA` make them.

use crate::doubt::Doubt;
use crate::material::Authorities;
use crate::names::one_line;
use crate::server::Purpose;
use rustls::CertificateError;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use std::sync::Arc;
use x509_parser::prelude::{ExtendedKeyUsage, FromDer, X509Certificate, X509Version};

/// rustls follows no more authorities than this between a certificate and a listed one.
const LONGEST: usize = 6;

/// What a peer has shown, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) leaf: &'a CertificateDer<'a>,
    pub(crate) chain: &'a [CertificateDer<'a>],
    pub(crate) now: UnixTime,
}

impl Shown<'_> {
    /// Whether a server's chain leads to an authority, or is itself listed as one.
    pub(crate) fn judge_server(self, provider: &CryptoProvider, authorities: &Authorities) -> Result<(), Doubt> {
        let algorithms = provider.signature_verification_algorithms.all;
        self.judge(provider, (authorities, |usage| usage.server_auth), || {
            let parsed = ParsedCertificate::try_from(self.leaf)?;
            verify_server_cert_signed_by_trust_anchor(&parsed, &authorities.store, self.chain, self.now, algorithms)
        })
    }

    /// Whether a client's chain leads to an authority, for a purpose that will do, or is itself listed.
    pub(crate) fn judge_client(
        self,
        provider: &Arc<CryptoProvider>,
        (authorities, purpose): (&Authorities, Purpose),
    ) -> Result<(), Doubt> {
        let as_client = self.judge(provider, (authorities, |usage| usage.client_auth), || {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::clone(&authorities.store), Arc::clone(provider))
                    .build()
                    .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
            verifier.verify_client_cert(self.leaf, self.chain, self.now).map(|_| ())
        });
        match purpose {
            Purpose::Any => as_client.or_else(|_| self.judge_server(provider, authorities)),
            Purpose::Client => as_client,
        }
    }

    fn judge(
        self,
        provider: &CryptoProvider,
        (authorities, wanted): (&Authorities, fn(&ExtendedKeyUsage<'_>) -> bool),
        verify: impl FnOnce() -> Result<(), rustls::Error>,
    ) -> Result<(), Doubt> {
        if authorities.listed.iter().any(|listed| listed == self.leaf) {
            return Ok(());
        }
        let Err(error) = verify() else { return self.judge_length(provider, authorities) };
        let Ok((_, leaf)) = X509Certificate::from_der(self.leaf) else { return Err(Doubt::Other(error.to_string())) };
        if is_beyond_rustls(&leaf, wanted) && leaf.issuer().as_raw() != leaf.subject().as_raw() {
            self.judge_directly(&leaf, provider, authorities)
        } else {
            Err(self.doubt(&leaf, &error))
        }
    }

    /// Whether no more authorities stand behind a certificate that is believed than may.
    fn judge_length(self, provider: &CryptoProvider, authorities: &Authorities) -> Result<(), Doubt> {
        match authorities.most_between.filter(|most| *most < LONGEST) {
            Some(most) if self.between(provider, authorities) > most => Err(Doubt::TooLong(most)),
            Some(_) | None => Ok(()),
        }
    }

    /// How many authorities stand between the certificate and the end of its chain. Those that are listed are followed first, as
    /// OpenSSL does, and among each other to one that vouches for itself or for which no other does.
    fn between(self, provider: &CryptoProvider, authorities: &Authorities) -> usize {
        let (mut last, mut shown) = (self.leaf, self.chain);
        for count in 0..=LONGEST {
            let Ok((_, parsed)) = X509Certificate::from_der(last) else { return count };
            let vouches = |der: &&CertificateDer<'_>| {
                X509Certificate::from_der(der).is_ok_and(|(_, issuer)| {
                    issuer.subject().as_raw() == parsed.issuer().as_raw()
                        && is_signed_by(last, &parsed, &issuer, provider)
                })
            };
            let listed = authorities.listed.iter().find(vouches);
            match listed.or_else(|| shown.iter().find(vouches)) {
                Some(issuer) if parsed.issuer().as_raw() != parsed.subject().as_raw() => last = issuer,
                Some(_) | None => return count.saturating_sub(1),
            }
            if listed.is_some() {
                shown = &[];
            }
        }
        LONGEST
    }

    /// Whether an authority has signed the certificate itself.
    fn judge_directly(
        self,
        leaf: &X509Certificate<'_>,
        provider: &CryptoProvider,
        authorities: &Authorities,
    ) -> Result<(), Doubt> {
        let vouches = |listed: &CertificateDer<'_>| {
            X509Certificate::from_der(listed).is_ok_and(|(_, issuer)| {
                issuer.subject().as_raw() == leaf.issuer().as_raw()
                    && self.is_in_time(&issuer).is_ok()
                    && may_sign(&issuer)
                    && is_signed_by(self.leaf, leaf, &issuer, provider)
            })
        };
        if !authorities.listed.iter().any(vouches) {
            return Err(Doubt::UntrustedIssuer(one_line(leaf.issuer())));
        }
        self.is_in_time(leaf)
    }

    /// Whether a certificate of the chain holds now.
    pub(crate) fn is_in_time(self, certificate: &X509Certificate<'_>) -> Result<(), Doubt> {
        let now = i64::try_from(self.now.as_secs()).unwrap_or(i64::MAX);
        let validity = certificate.validity();
        match (validity.not_before.timestamp() <= now, now <= validity.not_after.timestamp()) {
            (true, true) => Ok(()),
            (false, _) => Err(Doubt::NotYetValid),
            (true, false) => Err(Doubt::Expired),
        }
    }

    /// What an error of rustls means.
    fn doubt(self, leaf: &X509Certificate<'_>, error: &rustls::Error) -> Doubt {
        use CertificateError as E;
        let text = error.to_string();
        let rustls::Error::InvalidCertificate(error) = error else { return Doubt::Other(text) };
        if matches!(error, E::Expired | E::ExpiredContext { .. }) {
            Doubt::Expired
        } else if matches!(error, E::NotValidYet | E::NotValidYetContext { .. }) {
            Doubt::NotYetValid
        } else if matches!(error, E::InvalidPurpose | E::InvalidPurposeContext { .. }) {
            Doubt::Purpose
        } else if leaf.issuer().as_raw() == leaf.subject().as_raw() {
            Doubt::SelfSigned
        } else if *error == E::UnknownIssuer {
            Doubt::UntrustedIssuer(self.last_issuer(leaf))
        } else {
            Doubt::Other(text)
        }
    }

    /// Who stands at the end of the chain and is not known.
    fn last_issuer(self, leaf: &X509Certificate<'_>) -> String {
        let chain: Vec<_> = self.chain.iter().filter_map(|der| X509Certificate::from_der(der).ok()).collect();
        let mut last = leaf;
        for _ in &chain {
            let issuer = chain.iter().find(|(_, next)| next.subject().as_raw() == last.issuer().as_raw());
            last = issuer.map_or(last, |(_, next)| next);
        }
        one_line(last.issuer())
    }
}

/// Whether rustls takes such a certificate from nobody, although it may be used for what is wanted.
fn is_beyond_rustls(leaf: &X509Certificate<'_>, wanted: fn(&ExtendedKeyUsage<'_>) -> bool) -> bool {
    if leaf.version() == X509Version::V1 {
        return true;
    }
    let usable = match leaf.extended_key_usage() {
        Ok(Some(usage)) => usage.value.any || wanted(usage.value),
        Ok(None) => true,
        Err(_) => false,
    };
    usable && leaf.is_ca() && ParsedCertificate::try_from(&CertificateDer::from(leaf.as_raw())).is_ok()
}

/// Whether an authority may sign any certificate.
fn may_sign(issuer: &X509Certificate<'_>) -> bool {
    let signs = match issuer.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    let is_root_of_old = issuer.version() == X509Version::V1 && issuer.issuer().as_raw() == issuer.subject().as_raw();
    signs && (issuer.is_ca() || is_root_of_old) && matches!(issuer.name_constraints(), Ok(None))
}

fn is_signed_by(
    der: &CertificateDer<'_>,
    leaf: &X509Certificate<'_>,
    issuer: &X509Certificate<'_>,
    provider: &CryptoProvider,
) -> bool {
    let signed = leaf.tbs_certificate.as_ref();
    let kind = contents(der).and_then(|inner| inner.get(signed.len()..)).and_then(contents);
    let key = issuer.public_key();
    let key_kind = contents(key.raw).and_then(contents);
    leaf.tbs_certificate.signature == leaf.signature_algorithm
        && provider.signature_verification_algorithms.all.iter().any(|algorithm| {
            Some(algorithm.signature_alg_id().as_ref()) == kind
                && Some(algorithm.public_key_alg_id().as_ref()) == key_kind
                && algorithm.verify_signature(&key.subject_public_key.data, signed, &leaf.signature_value.data).is_ok()
        })
}

/// The contents of what DER begins with.
pub(crate) fn contents(der: &[u8]) -> Option<&[u8]> {
    let (&[_tag, length], rest) = der.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => rest.split_first().map(|(&length, rest)| (usize::from(length), rest))?,
        0x82 => rest.split_first_chunk().map(|(&length, rest)| (usize::from(u16::from_be_bytes(length)), rest))?,
        _ => return None,
    };
    rest.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::pki_types::pem::PemObject;

    #[test]
    fn chains_are_as_long_as_they_may_be() {
        let pem = include_bytes!("testdata/deep.pem");
        let all: Vec<_> = CertificateDer::pem_slice_iter(pem).map(Result::unwrap).collect();
        let [leaf, lower, upper, root, false_lower] = all.as_slice() else { panic!("five certificates") };
        let authorities = |listed: &[&CertificateDer<'static>], depth| {
            let listed: Vec<_> = listed.iter().copied().cloned().collect();
            let mut store = rustls::RootCertStore::empty();
            store.add_parsable_certificates(listed.iter().cloned());
            Authorities { store: Arc::new(store), listed: Arc::new(listed), most_between: None }.within(depth)
        };
        let too_long = |most| Err(Doubt::TooLong(most));
        for (listed, depth, expected, why) in [
            (&[root][..], 9, Ok(()), "the default"),
            (&[root], 1, Ok(()), "two between"),
            (&[root], 0, too_long(1), "one too many"),
            (&[root], -1, too_long(0), "none may be"),
            (&[root, lower, upper], 0, too_long(1), "listed ones are followed to the end"),
            (&[lower], -1, Ok(()), "nobody vouches for the listed one"),
            (&[upper], 0, Ok(()), "one between"),
            (&[upper], -1, too_long(0), "one too many"),
        ] {
            let chain = [false_lower.clone(), lower.clone(), upper.clone()];
            let shown = Shown { leaf, chain: &chain, now: UnixTime::now() };
            let provider = Arc::new(default_provider());
            let authorities = authorities(listed, depth);
            assert_eq!(shown.judge_server(&provider, &authorities), expected, "{why}");
            assert_eq!(shown.judge_client(&provider, (&authorities, Purpose::Client)), expected, "{why}");
        }
    }
}
