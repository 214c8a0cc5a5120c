//! Restrictions on the name that the client gives itself.

use std::net::Ipv6Addr;

use smtp_proto::Enhanced;

use super::domain::{Existence, MALFORMED};
use super::{Check, Refusal, Subject, Verdict};
use crate::text::printable;

impl<'a> Check<'a> {
    fn helo_subject(&self) -> Option<(&'a str, Subject<'static>)> {
        let helo = self.facts.helo?;
        Some((helo, Subject { name: printable(helo.as_bytes()).into_owned().into(), class: "Helo command" }))
    }

    pub(crate) fn reject_invalid_helo(&mut self) -> Verdict {
        let Some((helo, subject)) = self.helo_subject() else { return Verdict::Dunno };
        if helo.starts_with('[') {
            return self.reject_invalid_address(helo, &subject);
        }
        if is_name(helo) || is_bare_address(without_dot(helo)) {
            return Verdict::Dunno;
        }
        let code = self.server.codes.invalid_hostname_reject_code;
        self.refuse(Refusal::policy(code, Enhanced(5, 5, 2), subject.rejected("Invalid name")))
    }

    /// What is in brackets has to be an address: `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    fn reject_invalid_address(&mut self, helo: &str, subject: &Subject<'_>) -> Verdict {
        if address::domain::literal(helo.as_bytes()).is_some() {
            return Verdict::Dunno;
        }
        let code = self.server.codes.invalid_hostname_reject_code;
        self.refuse(Refusal::policy(code, Enhanced(5, 5, 2), subject.rejected("invalid ip address")))
    }

    pub(crate) fn reject_non_fqdn_helo(&mut self) -> Verdict {
        let Some((helo, subject)) = self.helo_subject() else { return Verdict::Dunno };
        if helo.starts_with('[') {
            return self.reject_invalid_address(helo, &subject);
        }
        if is_name(helo) && without_dot(helo).contains('.') {
            return Verdict::Dunno;
        }
        let code = self.server.codes.non_fqdn_reject_code;
        self.refuse(Refusal::policy(code, Enhanced(5, 5, 2), subject.rejected("need fully-qualified hostname")))
    }

    pub(crate) async fn reject_unknown_helo(&mut self) -> Verdict {
        let Some((helo, subject)) = self.helo_subject() else { return Verdict::Dunno };
        if helo.starts_with('[') {
            return self.reject_invalid_address(helo, &subject);
        }
        // The DNS is not asked for a name with a final dot.
        let found = if helo.ends_with('.') { Existence::Missing } else { self.server.host_exists(helo).await };
        let text = subject.rejected(if found == Existence::Malformed { MALFORMED } else { "Host not found" });
        match found {
            Existence::Exists | Existence::NullMx => Verdict::Dunno,
            Existence::Missing | Existence::Malformed => {
                self.refuse(Refusal::policy(self.server.codes.unknown_hostname_reject_code, Enhanced(4, 7, 1), text))
            }
            Existence::Unknown => {
                let action = self.server.settings.tempfail.helo_hostname;
                self.temporary(action, Refusal::policy(450, Enhanced(4, 7, 1), text))
            }
        }
    }
}

/// A final dot means nothing.
fn without_dot(helo: &str) -> &str {
    helo.strip_suffix('.').filter(|name| !name.ends_with('.')).unwrap_or(helo)
}

fn is_name(helo: &str) -> bool {
    address::domain::is_hostname(without_dot(helo).as_bytes())
}

fn is_bare_address(helo: &str) -> bool {
    address::domain::ipv4(helo).is_some() || helo.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_names() {
        for (helo, name, address) in [
            ("a.test", true, false),
            ("a.test.", true, false),
            ("a.test..", false, false),
            ("127.0.0.1", false, true),
            ("127.0.0.1.", false, true),
            ("127.0.0.001", false, true),
            ("256.1.1.1", false, false),
            ("::1", false, true),
            ("[127.0.0.1]", false, false),
            ("[]", false, false),
        ] {
            assert_eq!((is_name(helo), is_bare_address(without_dot(helo))), (name, address), "{helo}");
        }
    }
}
