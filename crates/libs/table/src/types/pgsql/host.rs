//! Where a PostgreSQL server is, and who we are there: `host:port`, `unix:path`, or a connection URI.

use std::fmt;
use std::path::PathBuf;

use crate::Error;
use crate::client::Parameters;
use crate::link::Endpoint;
use crate::secure::{Check, Files, Tls};
use crate::servers::{decoded, endpoint};

const PORT: u16 = 5432;

/// How much TLS matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    Never,
    IfOffered,
    Always,
}

/// A server, and how to log in.
pub(super) struct Host {
    pub(super) endpoint: Endpoint,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: String,
    pub(super) encryption: Encryption,
    pub(super) tls: Tls,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

/// What a connection URI says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uri {
    host: String,
    port: String,
    user: String,
    password: String,
    database: String,
    options: Vec<(String, String)>,
}

impl Uri {
    /// Reads `postgresql://user:password@host:port/database?option=value&…`; `Err` says what is wrong.
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"))?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (place, ""),
        };
        let mut uri = Self {
            host: decoded(host.trim_start_matches('[').trim_end_matches(']'))?,
            port: decoded(port)?,
            user: decoded(user)?,
            password: decoded(password)?,
            database: decoded(database)?,
            options: Vec::new(),
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=')?;
            let value = decoded(value)?;
            match name {
                "host" | "hostaddr" => uri.host = value,
                "port" => uri.port = value,
                "user" => uri.user = value,
                "password" => uri.password = value,
                "dbname" => uri.database = value,
                _ => uri.options.push((name.to_owned(), value)),
            }
        }
        Some(uri)
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn endpoint(&self) -> Option<Endpoint> {
        let port = if self.port.is_empty() { PORT } else { self.port.parse().ok()? };
        Some(match self.host.as_str() {
            "" => Endpoint::Inet(format!("localhost:{port}")),
            path if path.starts_with('/') => Endpoint::Unix(PathBuf::from(format!("{path}/.s.PGSQL.{port}"))),
            host if host.contains(':') => Endpoint::Inet(format!("[{host}]:{port}")),
            host => Endpoint::Inet(format!("{host}:{port}")),
        })
    }
}

/// One word of `hosts`.
pub(super) fn read(word: &str, parameters: &Parameters) -> Result<Host, Error> {
    let bad = || parameters.mistake("malformed connection URI in hosts");
    let is_uri = word.starts_with("postgresql:") || word.starts_with("postgres:");
    let uri = if is_uri { Uri::parse(word).ok_or_else(bad)? } else { Uri::default() };
    let place = if is_uri { uri.endpoint().ok_or_else(bad)? } else { endpoint(word, PORT) };
    let user = match uri.user.as_str() {
        "" => parameters.required("user")?,
        user => user.to_owned(),
    };
    let or = |value: &str, name: &str| match value {
        "" => parameters.text(name).unwrap_or_default(),
        value => value.to_owned(),
    };
    let database = match or(&uri.database, "dbname") {
        database if database.is_empty() => user.clone(),
        database => database,
    };
    let (encryption, tls) = security(&uri, parameters)?;
    Ok(Host { endpoint: place, password: or(&uri.password, "password"), user, database, encryption, tls })
}

fn security(uri: &Uri, parameters: &Parameters) -> Result<(Encryption, Tls), Error> {
    let text = |name: &str| uri.option(name).unwrap_or_default().to_owned();
    let files = Files {
        authorities: text("sslrootcert"),
        folder: String::new(),
        certificate: text("sslcert"),
        key: text("sslkey"),
    };
    let (encryption, check) = match uri.option("sslmode").unwrap_or("prefer") {
        "disable" => (Encryption::Never, Check::Nothing),
        "allow" | "prefer" => (Encryption::IfOffered, Check::Nothing),
        "require" if files.authorities.is_empty() => (Encryption::Always, Check::Nothing),
        "require" | "verify-ca" => (Encryption::Always, Check::Chain),
        "verify-full" => (Encryption::Always, Check::Name),
        _ => return Err(parameters.mistake("unknown sslmode in hosts")),
    };
    Ok((encryption, Tls::open(&files, check, parameters)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn uris_are_taken_apart() {
        let uri = Uri::parse("postgresql://u%40x:p%3aw@db.example:77/mail?sslmode=require&connect_timeout=3").unwrap();
        assert_eq!((uri.user.as_str(), uri.password.as_str(), uri.database.as_str()), ("u@x", "p:w", "mail"));
        assert_eq!(uri.endpoint(), Some(Endpoint::Inet("db.example:77".to_owned())));
        assert_eq!(uri.option("sslmode"), Some("require"));
        for (text, place) in [
            ("postgres://", "localhost:5432"),
            ("postgres://[::1]/x", "[::1]:5432"),
            ("postgres://[::1]:7/x", "[::1]:7"),
            ("postgres://%2frun%2fpg/x", "unix:/run/pg/.s.PGSQL.5432"),
            ("postgres:///x?host=/run/pg&port=7", "unix:/run/pg/.s.PGSQL.7"),
        ] {
            assert_eq!(Uri::parse(text).unwrap().endpoint().unwrap().to_string(), place, "{text}");
        }
        for bad in ["mysql://x", "postgres://%4/x", "postgres://x?y"] {
            assert_eq!(Uri::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "postgres://[a-z%0-9:@/?&=\\[\\]é]{0,30}") {
            let _ = Uri::parse(&text).and_then(|uri| uri.endpoint());
        }
    }
}
