//! SCRAM-SHA-256 for a client, without channel binding. See RFC 5802 and RFC 7677.

use std::io;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2, rand};
use data_encoding::BASE64;

/// More rounds than any server asks for would only keep us busy.
const MOST_ROUNDS: u32 = 1_000_000;

/// An exchange that the client has begun.
pub(super) struct Exchange {
    password: String,
    bare: String,
    nonce: String,
}

/// What the server has to say at the end.
pub(super) struct Expected(String);

impl Exchange {
    /// The name may be left to the connection that the exchange belongs to.
    pub(super) fn begin(user: &str, password: &str) -> io::Result<Self> {
        let mut random = [0; 18];
        rand::fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
        Ok(Self::new(user, password, &BASE64.encode(&random)))
    }

    /// `nonce` is fresh and printable.
    pub(super) fn new(user: &str, password: &str, nonce: &str) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { password: password.to_owned(), bare: format!("n={user},r={nonce}"), nonce: nonce.to_owned() }
    }

    /// What the client says first.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// The answer to the server's challenge. None if the challenge is none.
    pub(super) fn answer(&self, challenge: &[u8]) -> Option<(String, Expected)> {
        let challenge = std::str::from_utf8(challenge).ok()?;
        let mut parts = challenge.split(',');
        let nonce = parts.next()?.strip_prefix("r=")?;
        let salt = BASE64.decode(parts.next()?.strip_prefix("s=")?.as_bytes()).ok()?;
        let rounds: u32 = parts.next()?.strip_prefix("i=")?.parse().ok()?;
        let rounds = NonZeroU32::new(rounds).filter(|rounds| rounds.get() <= MOST_ROUNDS)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return None;
        }
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, self.password.as_bytes(), &mut salted);
        let last = format!("c=biws,r={nonce}");
        let signed = format!("{},{challenge},{last}", self.bare);
        let client_key = mac(&salted, b"Client Key");
        let signature = mac(digest::digest(&digest::SHA256, &client_key).as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
        let server = mac(&mac(&salted, b"Server Key"), signed.as_bytes());
        Some((format!("{last},p={}", BASE64.encode(&proof)), Expected(format!("v={}", BASE64.encode(&server)))))
    }
}

impl Expected {
    /// Whether the server knows the password, too.
    pub(super) fn is(&self, last: &[u8]) -> bool {
        last.split(|byte| *byte == b',').next() == Some(self.0.as_bytes())
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The numbers of RFC 7677.
    #[test]
    fn the_example_of_the_standard() {
        let exchange = Exchange::new("user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(exchange.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(Exchange::new("a=b,c", "", "n").first(), "n,,n=a=3Db=2Cc,r=n");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let challenge = format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let (answer, expected) = exchange.answer(challenge.as_bytes()).unwrap();
        assert_eq!(answer, format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
        assert!(expected.is(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!expected.is(b"e=invalid-proof"));
        for bad in ["", "r=other,s=AAAA,i=1", "r=rOprNGfwEbeRWgbNEkqO,s=AAAA,i=1", "r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=0"]
        {
            assert!(exchange.answer(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_challenge_is_read(challenge in "(r=n)?[a-z]{0,3},s=[A-Za-z=]{0,8},i=[0-9]{0,3}.{0,4}") {
            let _ = Exchange::new("", "x", "n").answer(challenge.as_bytes());
        }
    }
}
