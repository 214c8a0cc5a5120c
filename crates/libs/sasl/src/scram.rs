//! SCRAM for a client, without channel binding. See RFC 5802 and RFC 7677.

use std::io;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2, rand};
use data_encoding::BASE64;

/// More rounds than any server asks for would only keep us busy.
const MOST_ROUNDS: u32 = 1_000_000;

/// The hash function that a mechanism is named after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// `SCRAM-SHA-1`.
    Sha1,
    /// `SCRAM-SHA-256`.
    Sha256,
    /// `SCRAM-SHA-384`.
    Sha384,
    /// `SCRAM-SHA-512`.
    Sha512,
}

impl Hash {
    /// That of a mechanism by its name in upper case.
    #[must_use]
    pub fn of_mechanism(name: &str) -> Option<Self> {
        Some(match name.strip_prefix("SCRAM-")? {
            "SHA-1" => Self::Sha1,
            "SHA-256" => Self::Sha256,
            "SHA-384" => Self::Sha384,
            "SHA-512" => Self::Sha512,
            _ => return None,
        })
    }

    fn digest(self, text: &[u8]) -> digest::Digest {
        digest::digest(
            match self {
                Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
                Self::Sha256 => &digest::SHA256,
                Self::Sha384 => &digest::SHA384,
                Self::Sha512 => &digest::SHA512,
            },
            text,
        )
    }

    fn mac(self, key: &[u8], text: &[u8]) -> hmac::Tag {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), text)
    }

    fn salted(self, password: &[u8], salt: &[u8], rounds: NonZeroU32) -> Vec<u8> {
        let (algorithm, length) = match self {
            Self::Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, digest::SHA1_OUTPUT_LEN),
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            Self::Sha384 => (pbkdf2::PBKDF2_HMAC_SHA384, digest::SHA384_OUTPUT_LEN),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let mut salted = vec![0; length];
        pbkdf2::derive(algorithm, rounds, salt, password, &mut salted);
        salted
    }
}

/// Why a server is not believed, in the words that logs are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Its challenge is none.
    #[error("Invalid SCRAM input")]
    Malformed,
    /// It uses what nobody here knows, and says that it must be known.
    #[error("Unsupported mandatory extension to SCRAM")]
    Extension,
    /// It answers somebody else.
    #[error("The nonce received from the server doesn't start from the nonce sent by the client")]
    Nonce,
    /// It would keep us busy.
    #[error("iteration-count is too big, refusing to compute")]
    Rounds,
    /// It does not say that it knows the password.
    #[error("ServerSignature expected in SCRAM input")]
    Unsigned,
    /// It does not know the password.
    #[error("ServerSignature mismatch")]
    Forged,
}

/// An exchange that the client has begun.
#[derive(Debug)]
pub struct Exchange {
    hash: Hash,
    password: String,
    header: String,
    bare: String,
    nonce: String,
    most_rounds: u32,
}

/// What the server has to say at the end.
#[derive(Debug)]
pub struct Expected(String);

impl Exchange {
    /// The name may be left to the connection that the exchange belongs to.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn begin(hash: Hash, user: &str, password: &str) -> io::Result<Self> {
        let mut random = [0; 18];
        rand::fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
        Ok(Self::new(hash, user, password, &BASE64.encode(&random)))
    }

    /// `nonce` is fresh and printable.
    #[must_use]
    pub fn new(hash: Hash, user: &str, password: &str, nonce: &str) -> Self {
        Self {
            hash,
            password: password.to_owned(),
            header: "n,,".to_owned(),
            bare: format!("n={},r={nonce}", escaped(user)),
            nonce: nonce.to_owned(),
            most_rounds: MOST_ROUNDS,
        }
    }

    /// The same, asking to be treated as a user.
    #[must_use]
    pub fn authorized(self, user: &str) -> Self {
        Self { header: format!("n,a={},", escaped(user)), ..self }
    }

    /// The same, with fewer rounds at most.
    #[must_use]
    pub fn bounded(self, most_rounds: u32) -> Self {
        Self { most_rounds, ..self }
    }

    /// What the client says first.
    #[must_use]
    pub fn first(&self) -> String {
        format!("{}{}", self.header, self.bare)
    }

    /// The answer to the server's challenge.
    ///
    /// # Errors
    /// The challenge is none, or not to be answered.
    pub fn answer(&self, challenge: &[u8]) -> Result<(String, Expected), Error> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| Error::Malformed)?;
        if challenge.starts_with("m=") {
            return Err(Error::Extension);
        }
        let (nonce, salt, rounds) = parts(challenge).ok_or(Error::Malformed)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(Error::Nonce);
        }
        if rounds.get() > self.most_rounds {
            return Err(Error::Rounds);
        }
        let salted = self.hash.salted(self.password.as_bytes(), &salt, rounds);
        let last = format!("c={},r={nonce}", BASE64.encode(self.header.as_bytes()));
        let signed = format!("{},{challenge},{last}", self.bare);
        let client_key = self.hash.mac(&salted, b"Client Key");
        let signature = self.hash.mac(self.hash.digest(client_key.as_ref()).as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(key, sign)| key ^ sign).collect();
        let server_key = self.hash.mac(&salted, b"Server Key");
        let server = self.hash.mac(server_key.as_ref(), signed.as_bytes());
        let expected = Expected(format!("v={}", BASE64.encode(server.as_ref())));
        Ok((format!("{last},p={}", BASE64.encode(&proof)), expected))
    }
}

impl Expected {
    /// Whether the server knows the password, too.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, last: &[u8]) -> Result<(), Error> {
        match last.split(|byte| *byte == b',').next() {
            Some(said) if said == self.0.as_bytes() => Ok(()),
            Some(said) if said.starts_with(b"v=") => Err(Error::Forged),
            Some(_) | None => Err(Error::Unsigned),
        }
    }
}

/// Nonce, salt and rounds of a challenge.
fn parts(challenge: &str) -> Option<(&str, Vec<u8>, NonZeroU32)> {
    let mut parts = challenge.split(',');
    let nonce = parts.next()?.strip_prefix("r=")?;
    let salt = BASE64.decode(parts.next()?.strip_prefix("s=")?.as_bytes()).ok()?;
    let rounds = parts.next()?.strip_prefix("i=")?.parse().ok()?;
    Some((nonce, salt, rounds))
}

/// A name without what would end it.
fn escaped(user: &str) -> String {
    user.replace('=', "=3D").replace(',', "=2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The numbers of RFC 7677.
    #[test]
    fn the_example_of_the_standard() {
        let exchange = Exchange::new(Hash::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(exchange.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let challenge = format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let (answer, expected) = exchange.answer(challenge.as_bytes()).unwrap();
        assert_eq!(answer, format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
        assert_eq!(expected.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert_eq!(expected.check(b"v=AAAA"), Err(Error::Forged));
        assert_eq!(expected.check(b"e=invalid-proof"), Err(Error::Unsigned));
    }

    /// Those of RFC 5802.
    #[test]
    fn the_example_of_the_older_standard() {
        let exchange = Exchange::new(Hash::Sha1, "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL");
        let nonce = "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
        let (answer, expected) = exchange.answer(format!("r={nonce},s=QSXCR+Q6sek8bf92,i=4096").as_bytes()).unwrap();
        assert_eq!(answer, format!("c=biws,r={nonce},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="));
        assert_eq!(expected.check(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), Ok(()));
    }

    #[test]
    fn challenges_that_are_not_answered() {
        let exchange = Exchange::new(Hash::Sha512, "", "x", "n").bounded(5);
        for (challenge, error) in [
            ("", Error::Malformed),
            ("r=nx,s=AAAA", Error::Malformed),
            ("r=nx,s=AAAA,i=0", Error::Malformed),
            ("e=unknown-user", Error::Malformed),
            ("m=x,r=nx,s=AAAA,i=1", Error::Extension),
            ("r=other,s=AAAA,i=1", Error::Nonce),
            ("r=n,s=AAAA,i=1", Error::Nonce),
            ("r=nx,s=AAAA,i=6", Error::Rounds),
        ] {
            assert_eq!(exchange.answer(challenge.as_bytes()).unwrap_err(), error, "{challenge}");
        }
        assert!(exchange.answer(b"r=nx,s=AAAA,i=5").is_ok());
    }

    #[test]
    fn names_end_where_they_should() {
        let exchange = Exchange::new(Hash::Sha384, "a=b,c", "x", "n");
        assert_eq!(exchange.first(), "n,,n=a=3Db=2Cc,r=n");
        let exchange = exchange.authorized("a=b,c");
        assert_eq!(exchange.first(), "n,a=a=3Db=2Cc,n=a=3Db=2Cc,r=n");
        let (answer, _) = exchange.answer(b"r=nx,s=AAAA,i=1").unwrap();
        assert!(answer.starts_with("c=bixhPWE9M0RiPTJDYyw=,r=nx,p="), "{answer}");
    }

    proptest! {
        #[test]
        fn any_challenge_is_read(challenge in "(r=n)?[a-z]{0,3},s=[A-Za-z=]{0,8},i=[0-9]{0,3}.{0,4}") {
            let _ = Exchange::new(Hash::Sha256, "", "x", "n").answer(challenge.as_bytes());
        }
    }
}
