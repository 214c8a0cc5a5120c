//! Which domains are this machine's own: `mydestination`, and literals of its own addresses.

use std::net::IpAddr;

use crate::{Error, PatternList};

/// The test that trivial-rewrite, `permit_mx_backup` and address look-ups share.
#[derive(Debug, Clone)]
pub struct LocalDomains {
    mydestination: PatternList,
    addresses: Vec<IpAddr>,
}

impl LocalDomains {
    /// `addresses` are those of `inet_interfaces` and `proxy_interfaces`.
    pub fn new(mydestination: PatternList, addresses: Vec<IpAddr>) -> Self {
        Self { mydestination, addresses }
    }

    /// Whether mail for this domain is ours.
    ///
    /// # Errors
    ///
    /// When a table of `mydestination` fails.
    pub async fn contains(&self, domain: &[u8]) -> Result<bool, Error> {
        // One trailing dot is only the root of the name.
        let domain = domain.strip_suffix(b".").unwrap_or(domain);
        if domain.is_empty() {
            return Ok(false);
        }
        if self.mydestination.matches_string(domain).await? {
            return Ok(true);
        }
        Ok(literal(domain).is_some_and(|address| self.addresses.contains(&address)))
    }

    /// Whether a file behind the list has changed.
    pub fn changed(&self) -> bool {
        self.mydestination.changed()
    }
}

/// The address in `[1.2.3.4]`, `[IPv6:::1]` or `[::1]`.
fn literal(domain: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(domain).ok()?.strip_prefix('[')?.strip_suffix(']')?;
    let text = match text.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => text.get(5..)?,
        _ => text,
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Parents};

    #[test]
    fn own_domains_and_literals() {
        let list = PatternList::open(
            "mydestination",
            &["example.test", "localhost"],
            Parents::Dotted,
            &Environment::default(),
        );
        let local = LocalDomains::new(list, vec!["192.0.2.1".parse().unwrap(), "::1".parse().unwrap()]);
        for (domain, expected) in [
            ("Example.Test", true),
            ("example.test.", true),
            ("sub.example.test", false),
            ("[192.0.2.1]", true),
            ("[192.0.2.2]", false),
            ("[IPv6:::1]", true),
            ("", false),
        ] {
            assert_eq!(crate::block_on(local.contains(domain.as_bytes())), Ok(expected), "{domain}");
        }
    }
}
