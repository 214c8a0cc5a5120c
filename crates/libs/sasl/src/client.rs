//! The client side: SCRAM (RFC 5802), CRAM-MD5 (RFC 2195), PLAIN (RFC 4616) and LOGIN as a state machine.
//!
//! A client of SCRAM may leave it to the connection to prove who the server is: no channel is bound.

use crate::mechanism::{SecurityOptions, known};
use crate::scram::{self, Expected, Hash};
use hmac::{Hmac, Mac};
use md5::Md5;

/// Mechanisms in the order of preference.
const PREFERRED: [&str; 7] =
    ["SCRAM-SHA-512", "SCRAM-SHA-384", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"];
/// Rounds of SCRAM that a server may ask for; they hold up everything else.
const MOST_ROUNDS: u32 = 1 << 16;

/// A user's name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The authentication identity.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials {{ user: {:?} }}", self.user)
    }
}

/// As whom the user is to be treated (the authorization identity of RFC 4616). See `send_cyrus_sasl_authzid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorization {
    /// Nothing is said of it.
    Unsaid,
    /// As that user.
    Same,
}

/// An exchange with a server.
#[derive(Debug)]
pub struct Exchange {
    name: &'static str,
    credentials: Credentials,
    authorization: Authorization,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    First,
    Second,
    Scram(scram::Exchange),
    Proof(Expected),
    Over,
}

/// Why no exchange can be made, or go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// None of the offered mechanisms is known here and admitted.
    #[error("no mechanism available")]
    NoMechanism,
    /// The server asks for more than the mechanism has.
    #[error("unexpected challenge")]
    Unexpected,
    /// The system has no random numbers.
    #[error("no random numbers")]
    NoNonce,
    /// The server is not believed.
    #[error(transparent)]
    Scram(#[from] scram::Error),
}

impl Exchange {
    /// Chooses a mechanism that the server offers and the options admit.
    ///
    /// # Errors
    /// [`Error::NoMechanism`].
    pub fn choose<'a>(
        offered: impl IntoIterator<Item = &'a str>,
        options: &SecurityOptions,
        credentials: Credentials,
    ) -> Result<Self, Error> {
        let offered: Vec<&str> = offered.into_iter().collect();
        let usable =
            |name: &&&str| options.admit(&known(name)) && offered.iter().any(|offer| offer.eq_ignore_ascii_case(name));
        let name = PREFERRED.iter().find(usable).ok_or(Error::NoMechanism)?;
        Ok(Self { name, credentials, authorization: Authorization::Unsaid, stage: Stage::First })
    }

    /// The same, with what is said of the authorization identity where the mechanism has one.
    #[must_use]
    pub fn authorized(self, authorization: Authorization) -> Self {
        Self { authorization, ..self }
    }

    /// The mechanism's name.
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        self.name
    }

    /// The initial response, where the mechanism has one.
    ///
    /// # Errors
    /// [`Error::NoNonce`].
    pub fn initial(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(hash) = Hash::of_mechanism(self.name) {
            let exchange = self.scram(hash)?;
            let first = exchange.first().into_bytes();
            self.stage = Stage::Scram(exchange);
            return Ok(Some(first));
        }
        if self.name != "PLAIN" {
            return Ok(None);
        }
        self.stage = Stage::Over;
        Ok(Some(self.plain()))
    }

    /// The response to a challenge.
    ///
    /// # Errors
    /// [`Error::Unexpected`] when the exchange should be over, [`Error::Scram`] when the server is not believed.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        let (response, next) = match (self.name, std::mem::replace(&mut self.stage, Stage::Over)) {
            ("PLAIN", Stage::First) => (self.plain(), Stage::Over),
            ("LOGIN", Stage::First) => (self.credentials.user.clone().into_bytes(), Stage::Second),
            ("LOGIN", Stage::Second) => (self.credentials.password.clone().into_bytes(), Stage::Over),
            ("CRAM-MD5", Stage::First) => (self.digest(challenge)?, Stage::Over),
            (_, Stage::Scram(exchange)) => {
                let (answer, expected) = exchange.answer(challenge)?;
                (answer.into_bytes(), Stage::Proof(expected))
            }
            (_, Stage::Proof(expected)) => {
                expected.check(challenge)?;
                (Vec::new(), Stage::Over)
            }
            _ => return Err(Error::Unexpected),
        };
        self.stage = next;
        Ok(response)
    }

    fn plain(&self) -> Vec<u8> {
        let Credentials { user, password } = &self.credentials;
        let authorization = if self.authorization == Authorization::Same { user } else { "" };
        format!("{authorization}\0{user}\0{password}").into_bytes()
    }

    fn scram(&self, hash: Hash) -> Result<scram::Exchange, Error> {
        let Credentials { user, password } = &self.credentials;
        let exchange = scram::Exchange::begin(hash, user, password).map_err(|_| Error::NoNonce)?.bounded(MOST_ROUNDS);
        Ok(match self.authorization {
            Authorization::Same => exchange.authorized(user),
            Authorization::Unsaid => exchange,
        })
    }

    fn digest(&self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        let mut mac =
            Hmac::<Md5>::new_from_slice(self.credentials.password.as_bytes()).map_err(|_| Error::Unexpected)?;
        mac.update(challenge);
        let digest = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
        Ok(format!("{} {digest}", self.credentials.user).into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tim() -> Credentials {
        Credentials { user: "tim".to_owned(), password: "tanstaaftanstaaf".to_owned() }
    }

    fn choose(offered: &[&str], options: &[&str]) -> Result<Exchange, Error> {
        let options = SecurityOptions::parse(options.iter().copied()).unwrap();
        Exchange::choose(offered.iter().copied(), &options, tim())
    }

    #[test]
    fn cram_md5_gives_the_digest_of_rfc_2195() {
        let mut exchange = choose(&["LOGIN", "cram-md5"], &["noplaintext"]).unwrap();
        assert_eq!(exchange.initial(), Ok(None));
        let response = exchange.respond(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(response, b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert_eq!(exchange.respond(b""), Err(Error::Unexpected));
    }

    #[test]
    fn plain_goes_with_the_command() {
        let mut exchange = choose(&["PLAIN", "LOGIN"], &["noanonymous"]).unwrap();
        assert_eq!(exchange.initial(), Ok(Some(b"\0tim\0tanstaaftanstaaf".to_vec())));
        assert_eq!(exchange.respond(b""), Err(Error::Unexpected));
    }

    #[test]
    fn plain_may_say_as_whom() {
        let mut exchange = choose(&["PLAIN"], &[]).unwrap().authorized(Authorization::Same);
        assert_eq!(exchange.initial(), Ok(Some(b"tim\0tim\0tanstaaftanstaaf".to_vec())));
    }

    #[test]
    fn login_answers_two_prompts() {
        let mut exchange = choose(&["LOGIN", "XOAUTH2"], &[]).unwrap();
        assert_eq!(exchange.initial(), Ok(None));
        assert_eq!(exchange.respond(b"Username:").unwrap(), b"tim");
        assert_eq!(exchange.respond(b"Password:").unwrap(), b"tanstaaftanstaaf");
        assert_eq!(exchange.respond(b"?"), Err(Error::Unexpected));
    }

    #[test]
    fn the_strongest_mechanism_is_chosen() {
        for (offered, options, expected) in [
            (&["PLAIN", "CRAM-MD5", "SCRAM-SHA-1"][..], &["noplaintext"][..], "SCRAM-SHA-1"),
            (&["scram-sha-1", "scram-sha-256"], &["noanonymous"], "SCRAM-SHA-256"),
            (&["SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-384"], &[], "SCRAM-SHA-512"),
            (&["SCRAM-SHA-256-PLUS", "LOGIN"], &[], "LOGIN"),
        ] {
            assert_eq!(choose(offered, options).unwrap().mechanism(), expected, "{offered:?}");
        }
    }

    #[test]
    fn scram_hears_that_the_server_knows_the_password() {
        let begun = || {
            let mut exchange = choose(&["SCRAM-SHA-256"], &[]).unwrap().authorized(Authorization::Same);
            let first = String::from_utf8(exchange.initial().unwrap().unwrap()).unwrap();
            let nonce = first.strip_prefix("n,a=tim,n=tim,r=").unwrap();
            let challenge = format!("r={nonce}more,s=AAAA,i=1");
            (exchange, challenge)
        };
        let (mut exchange, challenge) = begun();
        let answer = exchange.respond(challenge.as_bytes()).unwrap();
        assert!(answer.starts_with(b"c=bixhPXRpbSw=,r="), "{answer:?}");
        assert_eq!(exchange.respond(b"v=AAAA"), Err(Error::Scram(scram::Error::Forged)));
        let (mut exchange, challenge) = begun();
        let busy = challenge.replace("i=1", "i=65537");
        assert_eq!(exchange.respond(busy.as_bytes()), Err(Error::Scram(scram::Error::Rounds)));
        assert_eq!(exchange.respond(challenge.as_bytes()), Err(Error::Unexpected));
    }

    #[test]
    fn nothing_admitted_is_an_error() {
        assert!(matches!(choose(&["PLAIN"], &["noplaintext"]), Err(Error::NoMechanism)));
        assert!(matches!(choose(&["GSSAPI"], &[]), Err(Error::NoMechanism)));
    }
}
