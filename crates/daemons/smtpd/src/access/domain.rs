//! Restrictions on the domains of sender and recipient: complete, and known to the DNS.

use dns::{Failure, Families, Kind};
use smtp_proto::Enhanced;
use tracing::warn;

use super::restriction::Party;
use super::{Check, Fault, Refusal, Subject, Verdict};
use crate::Smtpd;

/// Whether mail can go to a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existence {
    Exists,
    Missing,
    /// It says that it takes no mail.
    NullMx,
    /// The DNS could not be asked.
    Unknown,
}

impl Smtpd {
    /// Whether a domain has an MX record or an address.
    pub(crate) async fn domain_exists(&self, domain: &str) -> Existence {
        match self.dns.lookup(domain, Kind::Mx).await {
            Ok(_) => Existence::Exists,
            Err(error) if error.failure == Failure::NullMx => Existence::NullMx,
            Err(error) if error.failure == Failure::NotFound => Existence::Missing,
            Err(error) if error.is_not_found() => self.address_exists(domain, "MX or address").await,
            Err(error) if error.failure == Failure::Filtered => filtered(domain, "MX or address"),
            Err(error) => {
                self.warn_of_dns(domain, &error);
                Existence::Unknown
            }
        }
    }

    /// Whether a name has an address or an MX record.
    pub(crate) async fn host_exists(&self, name: &str) -> Existence {
        match self.address_exists(name, "address or MX").await {
            Existence::Exists => Existence::Exists,
            found @ (Existence::Missing | Existence::NullMx | Existence::Unknown) => {
                match self.dns.lookup(name, Kind::Mx).await {
                    Ok(_) => Existence::Exists,
                    // It takes no mail, but it is there.
                    Err(error) if error.failure == Failure::NullMx => Existence::Exists,
                    Err(error) if error.is_temporary() => Existence::Unknown,
                    Err(_) => found,
                }
            }
        }
    }

    /// Of either family, whatever `inet_protocols` says: others may reach it.
    async fn address_exists(&self, name: &str, looked_for: &str) -> Existence {
        match self.dns.addresses(name, Families::All).await {
            Ok(_) => Existence::Exists,
            Err(error) if error.failure == Failure::Filtered => filtered(name, looked_for),
            Err(error) if error.is_temporary() || error.failure == Failure::NoRecovery => Existence::Unknown,
            Err(_) => Existence::Missing,
        }
    }

    fn warn_of_dns(&self, domain: &str, error: &dns::Error) {
        if error.failure == Failure::Malformed {
            warn!("{domain}: {error}");
        }
    }
}

/// `smtpd_dns_reply_filter` has taken away all there was: nothing can be said against the name.
fn filtered(name: &str, looked_for: &str) -> Existence {
    warn!("{name}: {looked_for} lookup error: DNS reply filter drops all results");
    Existence::Exists
}

impl Check<'_> {
    /// An address of the envelope, and what a reject names. `None` for the null sender, too.
    pub(crate) fn party(&self, party: Party) -> Option<(Vec<u8>, Subject<'static>)> {
        let address = match party {
            Party::Sender => self.facts.sender?,
            Party::Recipient => self.facts.recipient?,
        };
        if address.is_empty() {
            return None;
        }
        Some((address.to_vec(), Subject::of_address(address, party)))
    }

    /// The address as the client gave it has to have a complete domain.
    pub(crate) async fn reject_non_fqdn(&mut self, party: Party) -> Verdict {
        let Some((address, subject)) = self.party(party) else { return Verdict::Dunno };
        // Postmaster may always be written to without a domain.
        let without = memchr::memrchr(b'@', &address).is_none();
        if without && party == Party::Recipient && address.eq_ignore_ascii_case(b"postmaster") {
            return Verdict::Dunno;
        }
        let domain = memchr::memrchr(b'@', &address).and_then(|at| address.get(at + 1..)).unwrap_or_default();
        let complete = match domain.first() {
            None => false,
            Some(b'[') => address::domain::literal(domain).is_some(),
            Some(_) => {
                let name = domain.strip_suffix(b".").unwrap_or(domain);
                memchr::memchr(b'.', name).is_some() && self.server.settings.is_valid_domain(name)
            }
        };
        if complete {
            return Verdict::Dunno;
        }
        let code = self.server.codes.non_fqdn_reject_code;
        self.refuse(Refusal::policy(code, Enhanced(5, 5, 2), subject.rejected("need fully-qualified address")))
    }

    /// The domain has to exist, unless we are its final destination.
    pub(crate) async fn reject_unknown_domain(&mut self, party: Party) -> Verdict {
        let Some((given, subject)) = self.party(party) else { return Verdict::Dunno };
        let Some(resolved) = self.resolve(&given).await else {
            return self.lookup_failed(&given);
        };
        if resolved.is_final() {
            return Verdict::Dunno;
        }
        let Some(domain) = resolved.domain() else { return Verdict::Dunno };
        if domain.starts_with('[') {
            return Verdict::Dunno;
        }
        let domain = domain.to_owned();
        let (not_found, null_code, null_status) = match party {
            Party::Sender => (Enhanced(5, 1, 8), 550, Enhanced(5, 7, 27)),
            Party::Recipient => (Enhanced(5, 1, 2), 556, Enhanced(5, 1, 10)),
        };
        let text = subject.rejected("Domain not found");
        match self.server.domain_exists(&domain).await {
            Existence::Exists => Verdict::Dunno,
            Existence::Missing => {
                let code = self.server.codes.unknown_address_reject_code;
                self.refuse(Refusal { code, status: not_found, text, fault: Fault::Bounce })
            }
            Existence::NullMx => {
                let text = subject.rejected(&format!("Domain {domain} does not accept mail (nullMX)"));
                self.refuse(Refusal { code: null_code, status: null_status, text, fault: Fault::Bounce })
            }
            Existence::Unknown => {
                let action = self.server.params.access.unknown_address_tempfail_action.clone();
                self.temporary(&action, Refusal::policy(450, not_found.with_class(4), text))
            }
        }
    }

    /// What an `…_tempfail_action` says.
    pub(crate) fn temporary(&mut self, action: &str, refusal: Refusal) -> Verdict {
        if action.eq_ignore_ascii_case("permit") {
            return Verdict::Permit;
        }
        if action.eq_ignore_ascii_case("defer_if_permit") {
            return self.defer_if_permit(refusal);
        }
        if !action.eq_ignore_ascii_case("defer") {
            warn!("unknown tempfail action \"{action}\"");
        }
        self.refuse(refusal)
    }

    /// A null sender has one recipient.
    pub(crate) fn reject_multi_recipient_bounce(&mut self, subject: &Subject<'_>) -> Verdict {
        let many = match self.facts.stage {
            "RCPT" => self.facts.recipients >= 1,
            _ => self.facts.recipients > 1,
        };
        if self.facts.sender != Some(b"") || !many {
            return Verdict::Dunno;
        }
        let code = self.server.codes.multi_recipient_bounce_reject_code;
        let text = subject.rejected("Multi-recipient bounce");
        self.refuse(Refusal::policy(code, Enhanced(5, 5, 3), text))
    }
}
