//! Certificate verification that finds out and records, and leaves the decision to the caller's level.
//!
//! Signatures of the handshake are always checked where identity matters; at an opportunistic level a certificate that rustls
//! cannot handle (X.509 v1, short RSA keys) is as good as none, and mail would else go in clear.

use crate::material::Authorities;
use crate::server::Purpose;
use crate::summary::Trust;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
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
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Finding {
    pub(crate) trusted: bool,
    pub(crate) scheme: Option<SignatureScheme>,
}

/// Verifies one handshake, on either side.
#[derive(Debug)]
pub(crate) struct Verifier {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) authorities: Authorities,
    pub(crate) strictness: Strictness,
    pub(crate) mandatory: bool,
    pub(crate) finding: Mutex<Finding>,
}

impl Verifier {
    /// What has been found out so far.
    pub(crate) fn finding(&self) -> Finding {
        *self.finding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: impl FnOnce(&mut Finding)) {
        change(&mut self.finding.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn judge(&self, leaf: &CertificateDer<'_>, chain: &[CertificateDer<'_>], now: UnixTime) {
        let trusted = is_trusted(&self.provider, &self.authorities, leaf, chain, now);
        self.note(|finding| finding.trusted = trusted);
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

/// Whether a chain leads to an authority, or is itself listed as one.
pub(crate) fn is_trusted(
    provider: &CryptoProvider,
    authorities: &Authorities,
    leaf: &CertificateDer<'_>,
    chain: &[CertificateDer<'_>],
    now: UnixTime,
) -> bool {
    if authorities.listed.iter().any(|listed| listed == leaf) {
        return true;
    }
    let Ok(parsed) = ParsedCertificate::try_from(leaf) else { return false };
    let algorithms = provider.signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&parsed, &authorities.store, chain, now, algorithms).is_ok()
}

/// Whether a client's chain leads to an authority, for a purpose that will do, or is itself listed.
pub(crate) fn is_trusted_client(
    provider: &Arc<CryptoProvider>,
    (authorities, purpose): (&Authorities, Purpose),
    leaf: &CertificateDer<'_>,
    chain: &[CertificateDer<'_>],
    now: UnixTime,
) -> bool {
    if authorities.listed.iter().any(|listed| listed == leaf) {
        return true;
    }
    if authorities.is_empty() {
        return false;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&authorities.store), Arc::clone(provider)).build();
    let as_client = builder.is_ok_and(|verifier| verifier.verify_client_cert(leaf, chain, now).is_ok());
    as_client || (purpose == Purpose::Any && is_trusted(provider, authorities, leaf, chain, now))
}

/// The trust that a finding amounts to.
pub(crate) fn trust(finding: Finding, shown: bool) -> Trust {
    match (shown, finding.trusted) {
        (false, _) => Trust::Anonymous,
        (true, false) => Trust::Untrusted,
        (true, true) => Trust::Trusted,
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
        let algorithms = &self.provider.signature_verification_algorithms;
        self.signed(signature, verify_tls12_signature(message, leaf, signature, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.signed(signature, verify_tls13_signature(message, leaf, signature, algorithms))
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
        self.mandatory
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
        verify_tls12_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
