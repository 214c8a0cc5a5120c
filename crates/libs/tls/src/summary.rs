//! What a handshake agreed on, for the log, the `Received:` header and `permit_tls_clientcerts`.

use crate::doubt::Doubt;
use crate::names::{self, Names};
use crate::verifier::Finding;
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, CommonState, HandshakeKind, ProtocolVersion, SignatureScheme};
use std::fmt;

const TLS13: &str = "TLSv1.3";

/// How far the peer's certificate is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// The peer showed none.
    Anonymous,
    /// It does not lead to a known authority.
    Untrusted,
    /// It leads to a known authority.
    Trusted,
    /// And it is the peer that was wanted.
    Verified,
}

/// The result of a handshake.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The peer's certificate.
    pub trust: Trust,
    /// Why it is not believed, or not wanted.
    pub doubt: Option<Doubt>,
    /// `TLSv1.3`.
    pub protocol: &'static str,
    /// OpenSSL's name of the cipher suite.
    pub cipher: String,
    /// Bits of its key.
    pub bits: u16,
    /// The key exchange group, such as `x25519`; empty if unknown.
    pub group: String,
    /// How the server signed, if known.
    pub signature: Option<SignatureScheme>,
    /// Bits of the server's key where it is an RSA key, else 0.
    pub key_bits: usize,
    /// The name that the client gave to the server, where there are certificates of that name.
    pub server_name: Option<String>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The peer's certificate in DER.
    pub certificate: Option<Vec<u8>>,
    /// Its names.
    pub names: Names,
}

impl Summary {
    /// Reads a finished handshake.
    pub(crate) fn of(state: &CommonState, trust: Trust, finding: Finding) -> Self {
        // The names of older cipher suites tell how keys are exchanged and signed.
        let is_older = state.protocol_version() == Some(ProtocolVersion::TLSv1_2);
        let signature = finding.scheme.filter(|_| !is_older);
        let (cipher, bits) = state.negotiated_cipher_suite().map_or((String::new(), 0), |suite| cipher(suite.suite()));
        let certificate = state.peer_certificates().and_then(|chain| chain.first()).map(|leaf| leaf.to_vec());
        let group = state
            .negotiated_key_exchange_group()
            .filter(|_| !is_older)
            .map(|group| group_name(&format!("{:?}", group.name())));
        Self {
            trust,
            doubt: finding.doubt,
            protocol: if is_older { "TLSv1.2" } else { TLS13 },
            cipher,
            bits,
            group: group.unwrap_or_default(),
            signature,
            key_bits: certificate.as_deref().filter(|_| signature.is_some()).map_or(0, names::rsa_bits),
            server_name: None,
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
            names: certificate.as_deref().map(Names::of).unwrap_or_default(),
            certificate,
        }
    }
}

impl Summary {
    /// The same, with how the server has signed; a session that is resumed is not signed again.
    pub(crate) fn signed(mut self, scheme: SignatureScheme, key: &CertifiedKey) -> Self {
        if !self.resumed && self.protocol == TLS13 {
            self.signature = Some(scheme);
            self.key_bits = key.cert.first().map(|leaf| names::rsa_bits(leaf)).unwrap_or_default();
        }
        self
    }

    /// What follows the client in the line about its handshake: ` to NAME`, if there are certificates of the name it gave.
    #[must_use]
    pub fn destination(&self) -> String {
        self.server_name.as_ref().map(|name| format!(" to {name}")).unwrap_or_default()
    }
}

/// `TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 …`, as Postfix logs it.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with cipher {} ({}/{} bits)", self.protocol, self.cipher, self.bits, self.bits)?;
        if !self.group.is_empty() {
            write!(f, " key-exchange {}", self.group)?;
        }
        if let Some((name, digest)) = self.signature.and_then(signature) {
            write!(f, " server-signature {name}")?;
            if self.key_bits > 0 {
                write!(f, " ({} bits)", self.key_bits)?;
            }
            if !digest.is_empty() {
                write!(f, " server-digest {digest}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Untrusted => "Untrusted",
            Self::Trusted => "Trusted",
            Self::Verified => "Verified",
        })
    }
}

/// OpenSSL's name of a suite and the bits of its cipher.
pub(crate) fn cipher(suite: CipherSuite) -> (String, u16) {
    let name = format!("{suite:?}");
    let bits = if name.contains("AES_128") { 128 } else { 256 };
    if let Some(rest) = name.strip_prefix("TLS13_") {
        return (format!("TLS_{rest}"), bits);
    }
    // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256 there.
    let short = name.trim_start_matches("TLS_").replace("_WITH_", "_").replace("AES_", "AES").replace('_', "-");
    let short = short.strip_suffix("-SHA256").filter(|short| short.ends_with("POLY1305")).unwrap_or(&short);
    (short.to_owned(), bits)
}

fn group_name(name: &str) -> String {
    match name {
        "secp256r1" => "prime256v1".to_owned(),
        other => other.to_owned(),
    }
}

fn signature(scheme: SignatureScheme) -> Option<(&'static str, &'static str)> {
    let known = [
        (SignatureScheme::RSA_PSS_SHA256, "RSA-PSS", "SHA256"),
        (SignatureScheme::RSA_PSS_SHA384, "RSA-PSS", "SHA384"),
        (SignatureScheme::RSA_PSS_SHA512, "RSA-PSS", "SHA512"),
        (SignatureScheme::RSA_PKCS1_SHA256, "RSA", "SHA256"),
        (SignatureScheme::RSA_PKCS1_SHA384, "RSA", "SHA384"),
        (SignatureScheme::RSA_PKCS1_SHA512, "RSA", "SHA512"),
        (SignatureScheme::ECDSA_NISTP256_SHA256, "ECDSA (prime256v1)", "SHA256"),
        (SignatureScheme::ECDSA_NISTP384_SHA384, "ECDSA (secp384r1)", "SHA384"),
        (SignatureScheme::ED25519, "ED25519", ""),
    ];
    known.into_iter().find(|(known, ..)| *known == scheme).map(|(_, name, digest)| (name, digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_have_openssl_names() {
        let cases = [
            (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", 256),
            (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", 128),
            (CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", 256),
        ];
        for (suite, name, bits) in cases {
            assert_eq!(cipher(suite), (name.to_owned(), bits));
        }
    }
}
