//! How a client of MySQL proves that it knows a password.

use std::io;

use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use data_encoding::BASE64;

/// A method, by the name that the protocol has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Native,
    CachingSha2,
    /// The password itself, which takes a connection that nobody can listen to.
    Clear,
}

impl Method {
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"mysql_native_password" => Some(Self::Native),
            b"caching_sha2_password" => Some(Self::CachingSha2),
            b"mysql_clear_password" => Some(Self::Clear),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
            Self::Clear => "mysql_clear_password",
        }
    }

    /// The answer to a challenge.
    pub(super) fn answer(self, password: &str, challenge: &[u8]) -> Vec<u8> {
        if password.is_empty() && self != Self::Clear {
            return Vec::new();
        }
        match self {
            Self::Native => {
                let (once, twice) = hashes(&SHA1_FOR_LEGACY_USE_ONLY, password);
                mixed(&once, &hash(&SHA1_FOR_LEGACY_USE_ONLY, &[challenge, &twice].concat()))
            }
            Self::CachingSha2 => {
                let (once, twice) = hashes(&SHA256, password);
                mixed(&once, &hash(&SHA256, &[&twice, challenge].concat()))
            }
            Self::Clear => terminated(password),
        }
    }
}

/// The password as servers want it where nobody can listen.
pub(super) fn terminated(password: &str) -> Vec<u8> {
    [password.as_bytes(), b"\0"].concat()
}

/// The password for the server's eyes only; its public key comes in PEM.
pub(super) fn sealed(password: &str, challenge: &[u8], pem: &[u8]) -> io::Result<Vec<u8>> {
    let lines = pem.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"-----"));
    let text: Vec<u8> = lines.flatten().copied().filter(|byte| byte.is_ascii_graphic()).collect();
    let bad = || io::Error::other("bad public key of the server");
    let key = PublicEncryptingKey::from_der(&BASE64.decode(&text).map_err(|_| bad())?).map_err(|_| bad())?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| bad())?;
    let secret = terminated(password);
    let hidden: Vec<u8> = secret.iter().zip(challenge.iter().cycle()).map(|(one, other)| one ^ other).collect();
    let mut sealed = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA1_MGF1SHA1, &hidden, &mut sealed, None).map(|sealed| sealed.to_vec()).map_err(|_| bad())
}

fn hash(algorithm: &'static Algorithm, text: &[u8]) -> Vec<u8> {
    digest::digest(algorithm, text).as_ref().to_vec()
}

fn hashes(algorithm: &'static Algorithm, password: &str) -> (Vec<u8>, Vec<u8>) {
    let once = hash(algorithm, password.as_bytes());
    let twice = hash(algorithm, &once);
    (once, twice)
}

fn mixed(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};

    /// A server keeps the hash of the hash, and takes the hash back out of the answer.
    #[test]
    fn servers_can_check_answers() {
        let challenge = b"abcdefghijklmnopqrst";
        for (method, algorithm) in [(Method::Native, &SHA1_FOR_LEGACY_USE_ONLY), (Method::CachingSha2, &SHA256)] {
            let (_, known) = hashes(algorithm, "secret");
            let mask = match method {
                Method::Native => hash(algorithm, &[&challenge[..], &known].concat()),
                Method::CachingSha2 | Method::Clear => hash(algorithm, &[&known, &challenge[..]].concat()),
            };
            let once = mixed(&method.answer("secret", challenge), &mask);
            assert_eq!(hash(algorithm, &once), known);
            assert!(method.answer("", challenge).is_empty());
            assert_eq!(Method::named(method.name().as_bytes()), Some(method));
        }
    }

    #[test]
    fn a_sealed_password_opens_with_the_private_key() {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let public = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(&private.public_key()).unwrap();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(public.as_ref()));
        let sealed = sealed("secret", b"abc", pem.as_bytes()).unwrap();
        let private = OaepPrivateDecryptingKey::new(private).unwrap();
        let mut opened = vec![0; private.min_output_size()];
        let opened = private.decrypt(&OAEP_SHA1_MGF1SHA1, &sealed, &mut opened, None).unwrap();
        assert_eq!(mixed(opened, b"abcabca"), b"secret\0");
        assert!(super::sealed("secret", b"abc", b"nonsense").is_err());
    }
}
