//! Digests of certificates and public keys, as `*_tls_fingerprint_digest` asks for them.

use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// MD5; for old configurations.
    Md5,
    /// SHA-1; for old configurations.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// By the name that OpenSSL has for it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "md5" => Self::Md5,
            "sha1" => Self::Sha1,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => return None,
        })
    }

    pub(crate) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(bytes).to_vec(),
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// The digest in Postfix's form: pairs of upper-case hexadecimal digits between colons.
    #[must_use]
    pub fn fingerprint(self, bytes: &[u8]) -> String {
        let digest = self.digest(bytes);
        digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }
}

/// The fingerprints of a certificate and of its public key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprints {
    /// Of the whole certificate.
    pub certificate: String,
    /// Of its SubjectPublicKeyInfo; empty if the certificate does not parse.
    pub public_key: String,
}

impl Fingerprints {
    /// Of a certificate in DER.
    #[must_use]
    pub fn of(certificate: &[u8], algorithm: Algorithm) -> Self {
        let public_key = X509Certificate::from_der(certificate)
            .map(|(_, parsed)| algorithm.fingerprint(parsed.public_key().raw))
            .unwrap_or_default();
        Self { certificate: algorithm.fingerprint(certificate), public_key }
    }

    /// Whether either is in the list, case and colons apart.
    #[must_use]
    pub fn is_listed<'a>(&self, list: impl IntoIterator<Item = &'a str>) -> bool {
        list.into_iter().any(|entry| {
            digits(entry).next().is_some()
                && [&self.certificate, &self.public_key].into_iter().any(|own| digits(own).eq(digits(entry)))
        })
    }
}

/// Whether a text can be a fingerprint: pairs of hexadecimal digits, with colons between them or without.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split(':').all(|part| !part.is_empty() && part.len() % 2 == 0 && is_hex(part))
}

fn digits(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.bytes().filter(|byte| *byte != b':').map(|byte| byte.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_known() {
        assert_eq!(
            Algorithm::named("MD5").unwrap().fingerprint(b""),
            "D4:1D:8C:D9:8F:00:B2:04:E9:80:09:98:EC:F8:42:7E"
        );
        assert!(Algorithm::Sha256.fingerprint(b"abc").starts_with("BA:78:16:BF"));
        assert!(Algorithm::named("crc32").is_none());
    }

    #[test]
    fn an_empty_digest_matches_nothing() {
        let none = Fingerprints::default();
        assert!(!none.is_listed([""]) && !none.is_listed([":"]));
        assert!(
            Fingerprints::of(b"junk", Algorithm::Sha1)
                .is_listed([Algorithm::Sha1.fingerprint(b"junk").to_lowercase().as_str()])
        );
    }
    #[test]
    fn colons_and_case_make_no_difference() {
        let own = Fingerprints::of(b"junk", Algorithm::Sha1);
        let bare = own.certificate.replace(':', "").to_lowercase();
        assert!(own.is_listed([bare.as_str()]) && !own.is_listed([&bare[2..]]));
        for (text, expected) in
            [("AA:bb", true), ("aabb", true), ("AA:B", false), ("AA:", false), ("zz", false), ("", false)]
        {
            assert_eq!(is_well_formed(text), expected, "{text}");
        }
    }
}
