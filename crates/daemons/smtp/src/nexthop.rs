//! Next-hop syntax: `host`, `[host]`, `host:port`, `[host]:port`, several of them in a list, and the forms of LMTP.
//!
//! See smtp(8) and transport(5). A name that does not parse is a configuration error: the mail waits.

use std::net::IpAddr;
use std::path::Path;

use config::endpoint::{Place, Problem};

use crate::flavor::Flavor;

/// Whether the host is looked up as a mail domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mx {
    /// By MX records, then as a host.
    Lookup,
    /// As a host only: `[host]`, or LMTP.
    Suppressed,
}

/// One place that mail can be taken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nexthop<'a> {
    /// A host or domain.
    Inet {
        /// Name or address, without brackets.
        host: &'a str,
        /// Port number or service name; none means the default.
        port: Option<&'a str>,
        /// How the host is looked up.
        mx: Mx,
    },
    /// A socket in the file system.
    Unix(&'a Path),
}

/// Why a next hop could not be understood, such as `inet:host` where only LMTP knows that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} in server description: {text}")]
pub struct Error {
    text: String,
    problem: Problem,
}

/// The members of a list of next hops, separated by commas or white space.
pub fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

impl<'a> Nexthop<'a> {
    /// Parses one member of a list.
    pub fn parse(text: &'a str, flavor: Flavor) -> Result<Self, Error> {
        match flavor {
            Flavor::Lmtp => match text.strip_prefix("unix:") {
                Some(path) => Ok(Self::Unix(Path::new(path))),
                None => inet(text.strip_prefix("inet:").unwrap_or(text), Mx::Suppressed),
            },
            Flavor::Smtp => inet(text, Mx::Lookup),
        }
    }
}

fn inet(text: &str, mx: Mx) -> Result<Nexthop<'_>, Error> {
    match Place::parse(text) {
        Ok(Place { host, service, is_bracketed }) => {
            Ok(Nexthop::Inet { host, port: service, mx: if is_bracketed { Mx::Suppressed } else { mx } })
        }
        // The colons of a bare IPv6 address are its own.
        Err(_) if text.parse::<IpAddr>().is_ok() => Ok(Nexthop::Inet { host: text, port: None, mx }),
        Err(problem) => Err(Error { text: text.to_owned(), problem }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hop<'a>(host: &'a str, port: Option<&'a str>, mx: Mx) -> Nexthop<'a> {
        Nexthop::Inet { host, port, mx }
    }

    #[test]
    fn smtp_forms() {
        for (text, expected) in [
            ("example.org", Some(hop("example.org", None, Mx::Lookup))),
            ("example.org:587", Some(hop("example.org", Some("587"), Mx::Lookup))),
            ("[mx.test]", Some(hop("mx.test", None, Mx::Suppressed))),
            ("[mx.test]:smtp", Some(hop("mx.test", Some("smtp"), Mx::Suppressed))),
            ("[127.0.0.1]:25", Some(hop("127.0.0.1", Some("25"), Mx::Suppressed))),
            ("[IPv6:::1]:25", Some(hop("::1", Some("25"), Mx::Suppressed))),
            ("[::1]", Some(hop("::1", None, Mx::Suppressed))),
            ("::1", Some(hop("::1", None, Mx::Lookup))),
            ("2001:db8::1", Some(hop("2001:db8::1", None, Mx::Lookup))),
            ("2001:db8::1:25", Some(hop("2001:db8::1", Some("25"), Mx::Lookup))),
            ("2001:db8:0:0:0:0:0:1", Some(hop("2001:db8:0:0:0:0:0:1", None, Mx::Lookup))),
            ("2001:db8:0:0:0:0:0:1:25", Some(hop("2001:db8:0:0:0:0:0:1", Some("25"), Mx::Lookup))),
            ("2001:db8::1:", Some(hop("2001:db8::1", None, Mx::Lookup))),
            ("1:2:3", None),
            ("[ipv6:192.0.2.1]", None),
            ("[ipv6:]", None),
            ("host:", Some(hop("host", None, Mx::Lookup))),
            ("[host]:", Some(hop("host", None, Mx::Suppressed))),
            (":25", None),
            (":", None),
            ("inet:host:25", None),
            ("[a:b]", None),
            ("a..b", None),
            ("-a", None),
            ("1.2.3", None),
            ("_a.b\u{fc}cher.test.", Some(hop("_a.b\u{fc}cher.test.", None, Mx::Lookup))),
            ("[host", None),
            ("[host]25", None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(Nexthop::parse(text, Flavor::Smtp).ok(), expected, "{text}");
        }
    }

    #[test]
    fn lmtp_forms() {
        for (text, expected) in [
            ("unix:/run/lmtp", Nexthop::Unix(Path::new("/run/lmtp"))),
            ("inet:host:2424", hop("host", Some("2424"), Mx::Suppressed)),
            ("host", hop("host", None, Mx::Suppressed)),
        ] {
            assert_eq!(Nexthop::parse(text, Flavor::Lmtp).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn lists() {
        assert_eq!(split("a.test, [b.test]:25 c").collect::<Vec<_>>(), ["a.test", "[b.test]:25", "c"]);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,40}") {
            for flavor in [Flavor::Smtp, Flavor::Lmtp] {
                let _ = Nexthop::parse(&text, flavor);
            }
        }

        #[test]
        fn brackets_keep_the_host(host in "[a-z][a-z0-9]{0,9}([.][a-z0-9]{1,9}){0,2}", port in 1_u16..) {
            let port = port.to_string();
            let text = format!("[{host}]:{port}");
            let parsed = Nexthop::parse(&text, Flavor::Smtp).unwrap();
            prop_assert_eq!(parsed, hop(&host, Some(&port), Mx::Suppressed));
        }
    }
}
