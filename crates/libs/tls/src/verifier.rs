//! Certificate verification that finds out and records, and leaves the decision to the caller's level.
//!
//! Signatures of the handshake are always checked where identity matters; at an opportunistic level a certificate that rustls
//! cannot handle (short RSA keys) is as good as none, and mail would else go in clear.

use crate::chain::{Shown, contents};
use crate::client::Policy;
use crate::dane;
use crate::doubt::Doubt;
use crate::material::Authorities;
use crate::summary::Trust;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use std::sync::{Arc, Mutex, PoisonError};

/// Whether identity matters at the level in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Encryption is all that is wanted.
    Opportunistic,
    /// The peer must prove that it holds its key.
    Strict,
}

/// What was found out in one handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct Finding {
    pub(crate) trusted: bool,
    /// Why not.
    pub(crate) doubt: Option<Doubt>,
    pub(crate) scheme: Option<SignatureScheme>,
}

/// Verifies one handshake, on either side.
#[derive(Debug)]
pub(crate) struct Verifier {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) authorities: Authorities,
    pub(crate) strictness: Strictness,
    pub(crate) finding: Mutex<Finding>,
}

impl Verifier {
    /// What has been found out so far.
    pub(crate) fn finding(&self) -> Finding {
        self.finding.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Finding)) {
        change(&mut self.finding.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn judge(&self, leaf: &CertificateDer<'_>, chain: &[CertificateDer<'_>], now: UnixTime) {
        let doubt = Shown { leaf, chain, now }.judge_server(&self.provider, &self.authorities).err();
        self.note(|finding| (finding.trusted, finding.doubt) = (doubt.is_none(), doubt));
    }

    /// Why a server is not the one that the TLSA records of its policy announce, if it is not.
    pub(crate) fn doubt_announced(&self, shown: &[CertificateDer<'_>], policy: &Policy) -> Option<Doubt> {
        let Some((leaf, chain)) = shown.split_first() else { return Some(Doubt::Digest) };
        dane::judge(Shown { leaf, chain, now: UnixTime::now() }, &self.provider, policy).err()
    }

    fn signed(
        &self,
        signature: &DigitallySignedStruct,
        result: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.note(|finding| finding.scheme = Some(signature.scheme));
        match (result, self.strictness) {
            (Err(_), Strictness::Opportunistic) => Ok(HandshakeSignatureValid::assertion()),
            (result, _) => result,
        }
    }
}

/// The trust that a finding amounts to.
pub(crate) fn trust(finding: &Finding, shown: bool) -> Trust {
    match (shown, finding.trusted) {
        (false, _) => Trust::Anonymous,
        (true, false) => Trust::Untrusted,
        (true, true) => Trust::Trusted,
    }
}

/// How a signature is checked in one version of TLS.
type Check = fn(
    &[u8],
    &CertificateDer<'_>,
    &DigitallySignedStruct,
    &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, rustls::Error>;

impl Verifier {
    /// Checks that the peer holds the key of its certificate.
    fn check(
        &self,
        usual: Check,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let check = if is_readable(leaf) { usual } else { verify_with_key };
        check(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge(leaf, chain, now);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed(signature, self.check(verify_tls12_signature, message, leaf, signature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed(signature, self.check(verify_tls13_signature, message, leaf, signature))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The server's side: shared by all its connections, so that it records nothing; the caller judges the chain afterwards.
/// A client that cannot sign for its certificate is refused, since relaying may depend on it.
impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check(verify_tls12_signature, message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check(verify_tls13_signature, message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether rustls knows this kind of certificate. It does not know X.509 v1, which `openssl x509 -req` makes.
fn is_readable(leaf: &CertificateDer<'_>) -> bool {
    ParsedCertificate::try_from(leaf).is_ok()
}

/// Checks that the peer holds the key of a certificate that rustls cannot read.
fn verify_with_key(
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let unreadable = || rustls::Error::InvalidCertificate(CertificateError::BadEncoding);
    let (_, certificate) = x509_parser::parse_x509_certificate(leaf).map_err(|_| unreadable())?;
    let key = certificate.public_key();
    let info = contents(key.raw).ok_or_else(unreadable)?;
    let kind = contents(info).ok_or_else(unreadable)?;
    let candidates = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signature.scheme);
    let valid = candidates.flat_map(|(_, found)| *found).any(|algorithm| {
        algorithm.public_key_alg_id().as_ref() == kind
            && algorithm.verify_signature(&key.subject_public_key.data, message, signature.signature()).is_ok()
    });
    if valid {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(rustls::Error::InvalidCertificate(CertificateError::BadSignature))
    }
}
