//! The canonical form of an address: `local@domain` with a complete domain.
//!
//! Old notations become the modern one, in this order: a source route is dropped, `site!user` and `user%site` turned round, a missing
//! domain appended, an incomplete domain completed, a final dot removed. A local part that needs quotes is opaque. See
//! trivial-rewrite(8), RFC 5321 appendix C.

use address::{Address, quote};
use config::params;

/// How addresses are completed in one context.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What an address without domain gets.
    origin: Vec<u8>,
    /// What a domain without dot gets.
    domain: Vec<u8>,
    swap_bangpath: bool,
    allow_percent_hack: bool,
    append: Append,
}

/// What is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Append {
    at_myorigin: bool,
    dot_mydomain: bool,
}

impl Rules {
    /// The parameters' rules with these two names.
    #[must_use]
    pub fn new(rewrite: &params::Rewrite, origin: &str, domain: &str) -> Self {
        Self {
            origin: origin.as_bytes().to_vec(),
            domain: domain.as_bytes().to_vec(),
            swap_bangpath: rewrite.swap_bangpath,
            allow_percent_hack: rewrite.allow_percent_hack,
            append: Append { at_myorigin: rewrite.append_at_myorigin, dot_mydomain: rewrite.append_dot_mydomain },
        }
    }

    /// The same, but with a domain always appended to addresses without one: headers of remote clients.
    #[must_use]
    pub fn complete(self) -> Self {
        Self { append: Append { at_myorigin: true, ..self.append }, ..self }
    }

    /// The canonical form. The empty address has none and stays.
    #[must_use]
    pub fn rewrite(&self, address: &Address) -> Address {
        let address = without_route(address.as_bytes());
        if address.is_empty() {
            return Address::default();
        }
        let address = Address::new(address);
        match self.turned_round(&address).unwrap_or(address) {
            address if address.domain().is_some() => self.with_complete_domain(address),
            address if self.append.at_myorigin => self.with_complete_domain(address.at(&self.origin)),
            address => match without_dot(address.as_bytes()) {
                Some(shorter) if quote::is_dot_string(shorter) => Address::new(shorter),
                Some(_) | None => address,
            },
        }
    }

    /// An old notation without `@` in the modern one.
    #[must_use]
    pub fn turned_round(&self, address: &Address) -> Option<Address> {
        if address.domain().is_some() || !quote::is_dot_string(address.as_bytes()) {
            return None;
        }
        let local = address.as_bytes();
        let swapped = self.swap_bangpath.then(|| split_at(local, local.iter().position(|&b| b == b'!'))).flatten();
        if let Some((site, user)) = swapped {
            return Some(Address::from_parts(user, site));
        }
        let percent =
            self.allow_percent_hack.then(|| split_at(local, local.iter().rposition(|&b| b == b'%'))).flatten();
        percent.map(|(user, site)| Address::from_parts(user, site))
    }

    fn with_complete_domain(&self, address: Address) -> Address {
        let Some(domain) = address.domain() else { return address };
        if domain.is_empty() || domain.starts_with(b"[") && domain.ends_with(b"]") {
            return address;
        }
        if !domain.contains(&b'.') {
            let literal = domain.starts_with(b"[");
            let complete = self.append.dot_mydomain && !literal;
            return if complete { address.at(&[domain, b".", &self.domain].concat()) } else { address };
        }
        match without_dot(domain) {
            Some(shorter) => address.at(shorter),
            None => address,
        }
    }
}

/// Without the dot at the end, if it is one after a name.
fn without_dot(name: &[u8]) -> Option<&[u8]> {
    name.strip_suffix(b".").filter(|shorter| !shorter.is_empty() && !shorter.ends_with(b"."))
}

/// What stands before and after a separator at this place.
fn split_at(text: &[u8], at: Option<usize>) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(at?)?;
    Some((before, rest.get(1..)?))
}

/// Without `@one,@two:` at the start. A colon in a literal ends no route.
fn without_route(address: &[u8]) -> &[u8] {
    match address {
        [b'@', ..] => end_of_route(address).and_then(|at| address.get(at + 1..)).unwrap_or(address),
        _ => address,
    }
}

/// Where the first colon is that is in no literal.
fn end_of_route(address: &[u8]) -> Option<usize> {
    let mut literal = false;
    address.iter().position(|&byte| {
        literal = byte == b'[' || literal && byte != b']';
        byte == b':' && !literal
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(dot_mydomain: bool) -> Rules {
        Rules {
            origin: b"mail.example.test".to_vec(),
            domain: b"example.test".to_vec(),
            swap_bangpath: true,
            allow_percent_hack: true,
            append: Append { at_myorigin: true, dot_mydomain },
        }
    }

    #[test]
    fn old_and_incomplete_forms_become_canonical() {
        for (address, canonical) in [
            ("user", "user@mail.example.test"),
            ("user@host", "user@host.example.test"),
            ("user@host.", "user@host"),
            ("user@example.net", "user@example.net"),
            ("user@example.net.", "user@example.net"),
            ("user%host", "user@host.example.test"),
            ("host!user", "user@host.example.test"),
            ("x!y!z", "y!z@x.example.test"),
            ("x!y%z", "y%z@x.example.test"),
            ("a%b%c", "a%b@c.example.test"),
            ("user%host@example.net", "user%host@example.net"),
            ("user@[192.0.2.1]", "user@[192.0.2.1]"),
            ("user@[192.0.2.1].", "user@[192.0.2.1]"),
            ("@one,@two:user@host", "user@host.example.test"),
            ("two words", "two words@mail.example.test"),
            ("a!b c", "a!b c@mail.example.test"),
            ("user@", "user@"),
            ("@x", "@x.example.test"),
            ("a@b..", "a@b.."),
            ("a@.b", "a@.b"),
            ("!x", "x@"),
            ("x!", "@x.example.test"),
            ("!", "@"),
            ("x%", "x@"),
            ("%x", "@x.example.test"),
            ("x!y!", "y!@x.example.test"),
            ("@", "@"),
            ("@[IPv6:2001:db8::1]", "@[IPv6:2001:db8::1]"),
            ("@[IPv6:2001:db8::1]:user@[192.0.2.1]", "user@[192.0.2.1]"),
            ("@one,@[192.0.2.1],@two:user@host", "user@host.example.test"),
            ("@[192.0.2.1:user@example.net", "@[192.0.2.1:user@example.net"),
            ("", ""),
        ] {
            assert_eq!(rules(true).rewrite(&Address::from(address)), Address::from(canonical), "{address}");
        }
    }

    #[test]
    fn parameters_turn_rules_off() {
        assert_eq!(rules(false).rewrite(&Address::from("user@host")), Address::from("user@host"));
        let plain = Rules {
            swap_bangpath: false,
            allow_percent_hack: false,
            append: Append { at_myorigin: false, dot_mydomain: false },
            ..rules(true)
        };
        for address in ["user", "a!b", "a%b", "a b.", "a.."] {
            assert_eq!(plain.rewrite(&Address::from(address)), Address::from(address));
        }
        assert_eq!(plain.rewrite(&Address::from("a.b.")), Address::from("a.b"));
    }

    proptest! {
        #[test]
        fn a_canonical_form_with_a_domain_is_stable(address in "[a-c!%@.:]{0,12}") {
            let once = rules(true).rewrite(&Address::from(address.as_str()));
            let complete = |domain: &[u8]| domain.contains(&b'.') && address::domain::is_hostname(domain);
            // `user@host.` becomes `user@host` on purpose, which is then incomplete.
            if once.domain().is_some_and(complete) && !once.as_bytes().starts_with(b"@") {
                prop_assert_eq!(rules(true).rewrite(&once), once);
            }
        }

        #[test]
        fn no_address_panics(address: Vec<u8>) {
            let _ = rules(true).rewrite(&Address::new(address));
        }
    }
}
