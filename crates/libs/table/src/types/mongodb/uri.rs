//! Where MongoDB servers are, and who we are there: `mongodb://user:password@host:port,host/database?option=value`.

use std::path::PathBuf;

use crate::Error;
use crate::client::Parameters;
use crate::link::Endpoint;
use crate::secure::{Check, Files, Tls};
use crate::servers::{decoded, endpoint};

const PORT: u16 = 27017;

/// Servers, and how they are spoken with.
pub(super) struct Uri {
    pub(super) hosts: Vec<Endpoint>,
    pub(super) login: Option<Login>,
    pub(super) tls: Option<Tls>,
}

/// Who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
    /// The database that knows us.
    pub(super) database: String,
}

impl Uri {
    pub(super) fn read(text: &str, parameters: &Parameters) -> Result<Self, Error> {
        if text.starts_with("mongodb+srv:") {
            return Err(parameters.mistake("uri: mongodb+srv is not supported; name the servers"));
        }
        let parts = Parts::parse(text).ok_or_else(|| parameters.mistake("malformed uri"))?;
        if parts.option("authMechanism").is_some_and(|name| name != "SCRAM-SHA-256") {
            return Err(parameters.mistake("uri: authMechanism is not SCRAM-SHA-256"));
        }
        let tls = if parts.says("tls") || parts.says("ssl") { Some(parts.tls(parameters)?) } else { None };
        Ok(Self { hosts: parts.hosts, login: parts.login, tls })
    }
}

/// What the URI says.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    hosts: Vec<Endpoint>,
    login: Option<Login>,
    options: Vec<(String, String)>,
}

impl Parts {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("mongodb://")?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let mut parts = Self { hosts: Vec::new(), login: None, options: Vec::new() };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=')?;
            parts.options.push((name.to_owned(), decoded(value)?));
        }
        for host in hosts.split(',') {
            parts.hosts.push(place(&decoded(host)?)?);
        }
        if let Some(login) = login {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            let database = match parts.option("authSource") {
                Some(source) => source.to_owned(),
                None if database.is_empty() => "admin".to_owned(),
                None => decoded(database)?,
            };
            parts.login = Some(Login { user: decoded(user)?, password: decoded(password)?, database });
        }
        Some(parts)
    }

    /// The value of an option; names are the same in any case.
    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn says(&self, name: &str) -> bool {
        self.option(name) == Some("true")
    }

    fn tls(&self, parameters: &Parameters) -> Result<Tls, Error> {
        let text = |name: &str| self.option(name).unwrap_or_default().to_owned();
        let files = Files {
            authorities: text("tlsCAFile"),
            folder: String::new(),
            certificate: text("tlsCertificateKeyFile"),
            key: String::new(),
        };
        let check = if self.says("tlsInsecure") || self.says("tlsAllowInvalidCertificates") {
            Check::Nothing
        } else if self.says("tlsAllowInvalidHostnames") {
            Check::Chain
        } else {
            Check::Name
        };
        Tls::open(&files, check, parameters)
    }
}

fn place(host: &str) -> Option<Endpoint> {
    match host {
        "" => None,
        path if path.starts_with('/') => Some(Endpoint::Unix(PathBuf::from(path))),
        host => Some(endpoint(host, PORT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn uris_are_taken_apart() {
        let text = "mongodb://u%40x:p%3aw@a.example,b.example:77,[::1],%2frun%2fm.sock/mail?tls=true&tlscafile=/x";
        let parts = Parts::parse(text).unwrap();
        let hosts: Vec<_> = parts.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["a.example:27017", "b.example:77", "[::1]:27017", "unix:/run/m.sock"]);
        let login = |database: &str| {
            Some(Login { user: "u@x".to_owned(), password: "p:w".to_owned(), database: database.to_owned() })
        };
        assert_eq!(
            (parts.login.clone(), parts.option("tlsCAFile"), parts.says("tls")),
            (login("mail"), Some("/x"), true)
        );
        assert_eq!(Parts::parse("mongodb://u%40x:p%3aw@a").unwrap().login, login("admin"));
        assert_eq!(Parts::parse("mongodb://u%40x:p%3aw@a/m?authSource=users").unwrap().login, login("users"));
        assert_eq!(Parts::parse("mongodb://a/m").unwrap().login, None);
        for bad in ["mysql://a", "mongodb://", "mongodb://a,,b", "mongodb://%4/x", "mongodb://a/x?y"] {
            assert_eq!(Parts::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "mongodb://[a-z%0-9:@/?&=,\\[\\]é]{0,30}") {
            let _ = Parts::parse(&text);
        }
    }
}
