//! Where a filter listens: `inet:host:port`, `inet:port@host`, `unix:path`, and the like.

/// A filter's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Host and port, as text.
    Inet {
        /// Name or address, without brackets.
        host: String,
        /// Which may have been given by its name.
        port: u16,
    },
    /// A Unix-domain socket's path, absolute or below the queue directory.
    Unix(String),
}

/// A text that is no address of a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad milter address: {0}")]
pub struct Malformed(pub String);

impl Endpoint {
    /// Parses both Postfix's form and Sendmail's.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed(text.to_owned());
        let (kind, rest) = text.split_once(':').ok_or_else(malformed)?;
        match kind {
            "unix" | "local" if !rest.is_empty() => Ok(Self::Unix(rest.to_owned())),
            "inet" | "inet6" => {
                let (host, port) = match rest.split_once('@') {
                    Some((port, host)) => (host, port),
                    None => rest.rsplit_once(':').ok_or_else(malformed)?,
                };
                let host = host.trim_start_matches('[').trim_end_matches(']');
                if host.is_empty() {
                    return Err(malformed());
                }
                let port = config::services::port(port, "").ok_or_else(malformed)?;
                Ok(Self::Inet { host: host.to_owned(), port })
            }
            _ => Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_known() {
        let inet = |host: &str| Ok(Endpoint::Inet { host: host.to_owned(), port: 8891 });
        assert_eq!(Endpoint::parse("inet:localhost:8891"), inet("localhost"));
        assert_eq!(Endpoint::parse("inet:8891@localhost"), inet("localhost"));
        assert_eq!(Endpoint::parse("inet:[::1]:8891"), inet("::1"));
        assert_eq!(Endpoint::parse("inet:x.test:smtp"), Ok(Endpoint::Inet { host: "x.test".to_owned(), port: 25 }));
        assert_eq!(Endpoint::parse("unix:/run/filter.sock"), Ok(Endpoint::Unix("/run/filter.sock".to_owned())));
        for bad in ["localhost", "inet:8891", "inet:x.test:no-such", "unix:", "smoke:signals"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
}
