//! REQUIRETLS (RFC 8689): mail whose sender wants it sent over verified TLS only, to servers that promise the same.
//!
//! How strictly that is kept is for the administrator to say by next hop (`smtp_requiretls_policy`), because few servers
//! know the extension. A policy that cannot be read makes the mail wait.

use dsn::{Class, Detail, Status};
use smtp_proto::ehlo::Keyword;
use table::{Environment, Maps, Scope};
use tls::client::Level;
use tls::summary::Trust;

use crate::failure::Failure;
use crate::peer::Peer;
use crate::session::Ready;

/// How strictly a request is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Enforcement {
    /// It is not heeded, or there is none.
    None,
    /// It is passed on where it can be.
    Opportunistic,
    /// And there must be TLS.
    Starttls,
    /// The server's certificate is verified, and it knows the extension.
    Full,
}

impl Enforcement {
    fn named(name: &str) -> Option<Self> {
        let known = [
            ("disable", Self::None),
            ("opportunistic", Self::Opportunistic),
            ("opportunistic+starttls", Self::Starttls),
            ("enforce", Self::Full),
        ];
        known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, enforcement)| enforcement)
    }

    /// The level of TLS where a policy has this one: not less than the request needs.
    #[must_use]
    pub fn raised(self, level: Level) -> Level {
        if self >= Self::Starttls { level.max(Level::Encrypt) } else { level }
    }
}

/// `smtp_requiretls_policy`.
#[derive(Debug, Clone)]
pub struct Policy {
    parameter: String,
    items: Vec<Item>,
}

#[derive(Debug, Clone)]
enum Item {
    Table(Maps),
    Word(String),
}

impl Policy {
    /// Opens the tables among the items.
    #[must_use]
    pub fn open(parameter: &str, items: &[String], environment: &Environment) -> Self {
        let item = |text: &String| match text.contains(':') {
            true => Item::Table(Maps::open(parameter, std::slice::from_ref(text), environment)),
            false => Item::Word(text.clone()),
        };
        Self { parameter: parameter.to_owned(), items: items.iter().map(item).collect() }
    }

    /// Whether a file behind a table has changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Table(table) if table.changed()))
    }

    /// What holds for a next hop, by its name without brackets and port. Where nothing fits all is enforced.
    ///
    /// # Errors
    /// A table failed, or a word makes no sense.
    pub async fn of(&self, name: &str) -> Result<Enforcement, Detail> {
        for item in &self.items {
            match item {
                Item::Word(word) => return self.said(&self.parameter, word).ok_or_else(unusable),
                Item::Table(table) => {
                    if let Some(value) = self.find(table, name).await? {
                        let value = String::from_utf8_lossy(&value).into_owned();
                        let words = value.split(|c: char| c == ',' || c.is_ascii_whitespace());
                        let first = words.into_iter().find(|word| !word.is_empty()).unwrap_or_default();
                        return self.said(table.first(), first).ok_or_else(unusable);
                    }
                }
            }
        }
        Ok(Enforcement::Full)
    }

    /// By the name, and in tables of fixed strings by what it is below, with a leading dot.
    async fn find(&self, table: &Maps, name: &str) -> Result<Option<Vec<u8>>, Detail> {
        let (mut key, mut scope) = (name, Scope::All);
        loop {
            if let Some(value) = table.lookup_in(key.as_bytes(), scope).await.map_err(|_| unusable())? {
                return Ok(Some(value));
            }
            let Some(dot) = key.get(1..).and_then(|rest| rest.find('.')) else { return Ok(None) };
            key = key.get(dot + 1..).unwrap_or_default();
            scope = Scope::Fixed;
        }
    }

    fn said(&self, origin: &str, word: &str) -> Option<Enforcement> {
        let said = Enforcement::named(word);
        if said.is_none() && !word.eq_ignore_ascii_case("error") {
            tracing::warn!("{}: {origin}: unknown policy action: '{word}'", self.parameter);
        }
        said
    }
}

fn unusable() -> Detail {
    Detail::new(Status::temporary(7, 5), "client TLS configuration problem")
}

/// What becomes of the request in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// There is none.
    None,
    /// The server takes it over.
    Passed,
    /// It ends here. The server may at least not send the content back.
    Dropped,
}

impl Request {
    /// In a session that takes mail. What a server offers in clear is not believed.
    #[must_use]
    pub fn over(ready: &Ready, enforcement: Enforcement) -> Self {
        match enforcement {
            Enforcement::None => Self::None,
            _ if ready.trust.is_some() && ready.offer.has(Keyword::RequireTls) => Self::Passed,
            Enforcement::Opportunistic | Enforcement::Starttls | Enforcement::Full => Self::Dropped,
        }
    }
}

/// A request that a server does not keep.
#[derive(Debug)]
pub struct Breach {
    /// What becomes of the mail.
    pub failure: Failure,
    /// How delivery lines have it, behind the level.
    pub status: &'static str,
}

/// How the request fared, as delivery lines have it behind the level.
#[must_use]
pub fn status(ready: &Ready, enforcement: Enforcement) -> &'static str {
    match (Request::over(ready, enforcement), ready.trust) {
        (Request::None, _) => "",
        (_, None) => "/requiretls:nostarttls",
        (Request::Dropped, Some(_)) => "/requiretls:none",
        (Request::Passed, Some(Trust::Verified)) => "/requiretls",
        (Request::Passed, Some(Trust::Anonymous | Trust::Untrusted | Trust::Trusted)) => "/requiretls:nocertmatch",
    }
}

/// A server that does not promise to keep the request.
#[must_use]
pub fn missing(ready: &Ready, enforcement: Enforcement) -> Option<Breach> {
    let broken = enforcement == Enforcement::Full && Request::over(ready, enforcement) != Request::Passed;
    broken.then(|| {
        let peer = ready.peer();
        let why = format!("no server was found that supports REQUIRETLS. The last attempted server was {peer}");
        Breach { failure: refusal(Status::permanent(7, 30), &why), status: "/!requiretls:none" }
    })
}

/// A server whose certificate is not good enough.
#[must_use]
pub fn distrusted(peer: &Peer, trust: Trust, enforcement: Enforcement) -> Option<Breach> {
    let lacking = match trust {
        _ if enforcement != Enforcement::Full => return None,
        Trust::Verified => return None,
        Trust::Trusted => "matching",
        Trust::Anonymous | Trust::Untrusted => "trusted",
    };
    let why = format!("no {lacking} server certificate was found. The last attempted server was {peer}");
    Some(Breach { failure: refusal(Status::permanent(7, 10), &why), status: "/!requiretls:nocertmatch" })
}

/// A server that does not do TLS; it has said so in its answer to STARTTLS, or does not offer it.
#[must_use]
pub fn plain(peer: &Peer, answer: Option<&str>, enforcement: Enforcement) -> Option<Breach> {
    let failure = || match answer {
        Some(answer) => refusal(Status::permanent(7, 10), &format!("host {peer} refused to start TLS: {answer}")),
        None => refusal(Status::permanent(7, 30), &format!("TLS service was not offered by host {peer}")),
    };
    let broken = enforcement >= Enforcement::Starttls;
    broken.then(|| Breach { failure: failure(), status: "/!requiretls:nostarttls" })
}

fn refusal(status: Status, why: &str) -> Failure {
    Failure::message(Detail::new(status, format!("REQUIRETLS Failure: sender requested REQUIRETLS, but {why}")))
}

/// Another server may keep what this one does not.
#[must_use]
pub fn for_now(mut failure: Failure) -> Failure {
    failure.detail.status = failure.detail.status.in_class(Class::Temporary);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(items: &[&str], name: &str) -> Option<Enforcement> {
        let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
        table::block_on(Policy::open("smtp_requiretls_policy", &items, &Environment::default()).of(name)).ok()
    }

    #[test]
    fn policies_are_found_by_next_hop() {
        let tables = [
            "inline:{{a.test = opportunistic}, {.a.test = Opportunistic+Starttls}, {b.test = , disable x}}",
            "cidr:{{192.0.2.0/24 opportunistic}}",
            "inline:{{c.test = error}, {d.test = nonsense}, {e.test = inline:{e.test=enforce}}}",
            "pcre:{{/^f\\.test/ opportunistic}}",
        ];
        for (name, expected) in [
            ("a.test", Some(Enforcement::Opportunistic)),
            ("A.test", Some(Enforcement::Opportunistic)),
            ("x.y.a.test", Some(Enforcement::Starttls)),
            ("b.test", Some(Enforcement::None)),
            ("x.b.test", Some(Enforcement::Full)),
            ("192.0.2.7", Some(Enforcement::Opportunistic)),
            ("192.0.3.7", Some(Enforcement::Full)),
            ("c.test", None),
            ("d.test", None),
            ("e.test", None),
            ("f.test", Some(Enforcement::Opportunistic)),
            ("x.f.test", Some(Enforcement::Full)),
            ("", Some(Enforcement::Full)),
        ] {
            assert_eq!(of(&tables, name), expected, "{name}");
        }
        assert_eq!(of(&["inline:{a=disable}", "opportunistic", "enforce"], "b"), Some(Enforcement::Opportunistic));
        assert_eq!(of(&["secure"], "b"), None);
        assert_eq!(of(&["texthash:/nonexistent"], "b"), None);
    }

    #[test]
    fn a_request_never_lowers_a_level() {
        for (enforcement, level, expected) in [
            (Enforcement::Opportunistic, Level::None, Level::None),
            (Enforcement::Starttls, Level::None, Level::Encrypt),
            (Enforcement::Full, Level::May, Level::Encrypt),
            (Enforcement::Full, Level::Secure, Level::Secure),
        ] {
            assert_eq!(enforcement.raised(level), expected);
        }
    }

    #[test]
    fn delivery_lines_say_what_a_server_lacks() {
        use Enforcement::{Full, Opportunistic, Starttls};
        let peer = Peer::inet("a.test", std::net::IpAddr::from([127, 0, 0, 3]), 25);
        let status = |breach: Option<Breach>| breach.map(|breach| breach.status);
        for (enforcement, in_plain, untrusted) in [
            (Opportunistic, None, None),
            (Starttls, Some("/!requiretls:nostarttls"), None),
            (Full, Some("/!requiretls:nostarttls"), Some("/!requiretls:nocertmatch")),
        ] {
            assert_eq!(status(plain(&peer, None, enforcement)), in_plain);
            assert_eq!(status(distrusted(&peer, Trust::Trusted, enforcement)), untrusted);
        }
    }
}
