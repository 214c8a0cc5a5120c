//! SASL authentication to a server: `smtp_sasl_auth_enable`.
//!
//! Who the sender is decides only where `smtp_sender_dependent_authentication` says so. A server for which there is no
//! password is used without one; one that refuses the password gets no mail.

use data_encoding::BASE64;
use dsn::{Detail, Diagnostic, Status};
use sasl::client::{self, Authorization, Credentials, Exchange};
use sasl::mechanism::SecurityOptions;
use sasl::scram;
use smtp_proto::ehlo::Keyword;
use smtp_proto::reply::Answer;
use table::{AddressFind, Maps, PatternList, Strategy};
use tls::summary::Trust;

use crate::auth_cache::{AuthCache, Refused};
use crate::failure::{Failure, logged, said};
use crate::session::{Login, Ready};
use crate::stage::Stage;

/// The code of a reply to a wrong name or password (RFC 4954, section 6).
const BAD_CREDENTIALS: u16 = 535;

/// Whose password it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependence {
    /// The destination's.
    Destination,
    /// The sender's, if there is one.
    Sender,
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The mail waits (`smtp_sasl_auth_soft_bounce`).
    Waits,
    /// As the server says.
    AsSaid,
}

/// Authentication as main.cf has it.
#[derive(Debug, Clone)]
pub struct Auth {
    /// `smtp_sasl_password_maps`.
    pub passwords: Maps,
    /// `smtp_sasl_password_result_delimiter`.
    pub delimiter: String,
    /// Whose.
    pub dependence: Dependence,
    /// How senders are looked up.
    pub find: AddressFind,
    /// `smtp_sasl_mechanism_filter`.
    pub filter: PatternList,
    /// `smtp_sasl_security_options`.
    pub plain_options: SecurityOptions,
    /// `smtp_sasl_tls_security_options`.
    pub tls_options: SecurityOptions,
    /// `smtp_sasl_tls_verified_security_options`.
    pub verified_options: SecurityOptions,
    /// What is said of the authorization identity.
    pub authorization: Authorization,
    /// What a refusal means.
    pub refusal: Refusal,
    /// `smtp_sasl_auth_cache_name`.
    pub cache: Option<AuthCache>,
}

impl Auth {
    /// Authenticates a session, if there is a password for it and the server asks for one.
    pub async fn authenticate(&self, ready: &mut Ready, sender: &[u8], nexthop: &str) -> Result<(), Failure> {
        if !ready.offer.has(Keyword::Auth) {
            return Ok(());
        }
        let found = self.credentials(&ready.peer().name, sender, nexthop).await;
        let failed = |_| ready.dialogue.data_error(&format!("{} lookup error", self.passwords.parameter()));
        let Some(credentials) = found.map_err(failed)? else { return Ok(()) };
        let mut offered = Vec::new();
        for name in &ready.offer.mechanisms {
            if self.filter.is_empty() || matches!(self.filter.matches_string(name.as_bytes()).await, Ok(true)) {
                offered.push(name.as_str());
            }
        }
        if offered.is_empty() {
            let relay = ready.dialogue.relay();
            match ready.offer.mechanisms.join(" ").as_str() {
                "" => tracing::warn!("{relay} offered null AUTH mechanism list"),
                words => tracing::warn!("{relay} offered no supported AUTH mechanisms: '{words}'"),
            }
            let reason = format!(
                "SASL authentication failed: server {} offered no compatible authentication mechanisms for this type of \
                 connection security",
                ready.peer()
            );
            return Err(Failure::site(Detail::new(Status::temporary(7, 0), reason)));
        }
        if let Some(failure) = self.refused_before(ready, &credentials).await {
            return Err(failure);
        }
        let exchange = Exchange::choose(offered, self.options(ready), credentials.clone());
        let exchange = exchange.map_err(|error| broken_off(ready, &error))?;
        let exchange = exchange.authorized(self.authorization);
        if let Some(answer) = self.converse(ready, exchange).await? {
            if answer.code == BAD_CREDENTIALS
                && let Some(cache) = &self.cache
            {
                cache.keep(&ready.peer().name, &credentials, &answer).await;
            }
            return Err(self.refused(ready, &answer));
        }
        Ok(())
    }

    /// A server that has refused the same password lately is not asked again.
    async fn refused_before(&self, ready: &Ready, credentials: &Credentials) -> Option<Failure> {
        let host = &ready.peer().name;
        let Refused { status, text } = self.cache.as_ref()?.find(host, credentials).await?;
        let reason = format!("SASL [CACHED] authentication failed; server {host} said: {text}");
        let diagnostic = Diagnostic { kind: "smtp".to_owned(), text };
        Some(self.judged(Failure::site(Detail::new(status, reason).said_by(host.clone(), diagnostic))))
    }

    /// Carries on to the end; the server's answer, if that is a refusal.
    async fn converse(&self, ready: &mut Ready, mut exchange: Exchange) -> Result<Option<Answer>, Failure> {
        let mut line = format!("AUTH {}", exchange.mechanism());
        let public = line.clone();
        if let Some(initial) = exchange.initial().map_err(|error| broken_off(ready, &error))? {
            line.push(' ');
            BASE64.encode_append(&initial, &mut line);
        }
        ready.dialogue.confide(line.as_bytes(), public.as_bytes());
        let stage = Stage::Hello(ready.dialogue.dialect().flavor);
        loop {
            let answer = ready.dialogue.hear(stage).await?;
            match answer.class() {
                2 => {
                    ready.login = Login::Authenticated;
                    return Ok(None);
                }
                3 => {}
                _ => return Ok(Some(answer)),
            }
            let challenge = answer.texts().last().unwrap_or_default();
            let text = BASE64.decode(challenge.trim_ascii());
            let text = text.map_err(|_| impossible(ready, "bad protocol / cancel"))?;
            let response = exchange.respond(&text).map_err(|error| broken_off(ready, &error))?;
            ready.dialogue.confide(BASE64.encode(&response).as_bytes(), b"");
        }
    }

    fn refused(&self, ready: &Ready, answer: &Answer) -> Failure {
        let reason = format!("SASL authentication failed; server {} said: {}", ready.peer(), logged(answer));
        self.judged(Failure::site(said(ready.peer(), answer, reason)))
    }

    fn judged(&self, failure: Failure) -> Failure {
        match self.refusal {
            Refusal::Waits => failure.softened(),
            Refusal::AsSaid => failure,
        }
    }

    fn options(&self, ready: &Ready) -> &SecurityOptions {
        match ready.trust {
            Some(Trust::Verified) => &self.verified_options,
            Some(Trust::Anonymous | Trust::Untrusted | Trust::Trusted) => &self.tls_options,
            None => &self.plain_options,
        }
    }

    /// Whether there is no password for a server, so that mail for it need not be kept from others.
    pub async fn knows_none(&self, host: &str, sender: &[u8], nexthop: &str) -> bool {
        matches!(self.credentials(host, sender, nexthop).await, Ok(None))
    }

    /// By sender, then by host name, then by next hop.
    async fn credentials(&self, host: &str, sender: &[u8], nexthop: &str) -> Result<Option<Credentials>, table::Error> {
        let mut found = None;
        if self.dependence == Dependence::Sender && !sender.is_empty() {
            let looked = self.find.find(&self.passwords, sender, Strategy::MAIL).await?;
            found = looked.map(|found| found.value);
        }
        for name in [host, nexthop] {
            if found.is_none() {
                found = self.passwords.lookup(name.as_bytes()).await?;
            }
        }
        Ok(found.map(|value| {
            let value = String::from_utf8_lossy(&value).into_owned();
            let (user, password) = value.split_once(self.delimiter.as_str()).unwrap_or((&value, ""));
            Credentials { user: user.trim().to_owned(), password: password.to_owned() }
        }))
    }
}

/// An exchange that cannot begin, or go on, in the words that logs are searched for.
fn broken_off(ready: &Ready, error: &client::Error) -> Failure {
    let (warning, outcome) = match error {
        client::Error::NoMechanism => (Some("No worthy mechs found".to_owned()), "no mechanism available"),
        client::Error::Unexpected | client::Error::NoNonce => (None, "generic failure"),
        client::Error::Scram(doubt @ scram::Error::Forged) => (Some(doubt.to_string()), "authentication failure"),
        client::Error::Scram(doubt) => (Some(doubt.to_string()), "bad protocol / cancel"),
    };
    if let Some(warning) = warning {
        tracing::warn!("SASL authentication failure: {warning}");
    }
    impossible(ready, outcome)
}

/// An exchange that cannot come to an end.
fn impossible(ready: &Ready, why: &str) -> Failure {
    let reason = format!("SASL authentication failed; cannot authenticate to server {}: {why}", ready.peer());
    Failure::site(Detail::new(Status::temporary(7, 0), reason))
}
