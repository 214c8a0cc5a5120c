//! Restrictions on the domains of sender and recipient: complete, and known to the DNS.

use dns::{Failure, Families, Kind};
use smtp_proto::Enhanced;
use tracing::warn;

use super::restriction::Party;
use super::{Check, Fault, Refusal, Subject, Verdict};
use crate::Smtpd;
use crate::settings::Tempfail;

/// What is said of names in the DNS that are no names.
pub(crate) const MALFORMED: &str = "Malformed DNS server reply";

/// Whether mail can go to a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existence {
    Exists,
    Missing,
    /// It says that it takes no mail.
    NullMx,
    /// The DNS could not be asked.
    Unknown,
    /// It has what cannot be the name of a host.
    Malformed,
}

impl Smtpd {
    /// Whether a domain has an MX record or an address.
    pub(crate) async fn domain_exists(&self, domain: &str) -> Existence {
        let Err(error) = self.dns.lookup(domain, Kind::Mx).await else { return Existence::Exists };
        if error.failure == Failure::Filtered {
            return filtered(domain, "MX or address");
        }
        let without_address = match told_by_mx(error.failure) {
            Ok(told) => return told,
            Err(without_address) => without_address,
        };
        match self.address_exists(domain, "MX or address").await {
            Existence::Missing => without_address,
            found @ (Existence::Exists | Existence::NullMx | Existence::Unknown | Existence::Malformed) => found,
        }
    }

    /// Whether a name has an address or an MX record.
    pub(crate) async fn host_exists(&self, name: &str) -> Existence {
        match self.address_exists(name, "address or MX").await {
            Existence::Exists => Existence::Exists,
            found @ (Existence::Missing | Existence::NullMx | Existence::Unknown | Existence::Malformed) => {
                match self.dns.lookup(name, Kind::Mx).await {
                    Ok(_) => Existence::Exists,
                    // It takes no mail, but it is there.
                    Err(error) if error.failure == Failure::NullMx => Existence::Exists,
                    Err(error) if error.is_temporary() => Existence::Unknown,
                    Err(error) if error.failure == Failure::Malformed => Existence::Malformed,
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
}

/// What follows from a failed lookup of the exchangers of a domain; as an error, what follows where it has no address either.
fn told_by_mx(failure: Failure) -> Result<Existence, Existence> {
    match failure {
        Failure::NullMx => Ok(Existence::NullMx),
        Failure::NotFound => Ok(Existence::Missing),
        Failure::Malformed => Ok(Existence::Malformed),
        Failure::NoData | Failure::BadName | Failure::Loop | Failure::NullSrv => Err(Existence::Missing),
        // There may be exchangers.
        Failure::TryAgain | Failure::NoRecovery | Failure::Garbled | Failure::Filtered | Failure::FilterFault => {
            Err(Existence::Unknown)
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
        let (not_found, null_code, null_status, fault) = match party {
            Party::Sender => (Enhanced(5, 1, 8), 550, Enhanced(5, 7, 27), Fault::Policy),
            Party::Recipient => (Enhanced(5, 1, 2), 556, Enhanced(5, 1, 10), Fault::Bounce),
        };
        let found = self.server.domain_exists(&domain).await;
        let text = subject.rejected(if found == Existence::Malformed { MALFORMED } else { "Domain not found" });
        match found {
            Existence::Exists => Verdict::Dunno,
            Existence::Missing | Existence::Malformed => {
                let code = self.server.codes.unknown_address_reject_code;
                self.refuse(Refusal { code, status: not_found, text, fault })
            }
            Existence::NullMx => {
                let text = subject.rejected(&format!("Domain {domain} does not accept mail (nullMX)"));
                self.refuse(Refusal { code: null_code, status: null_status, text, fault })
            }
            Existence::Unknown => {
                let action = self.server.settings.tempfail.address;
                self.temporary(action, Refusal::policy(450, not_found.with_class(4), text))
            }
        }
    }

    /// What an `…_tempfail_action` says.
    pub(crate) fn temporary(&mut self, action: Tempfail, refusal: Refusal) -> Verdict {
        match action {
            Tempfail::Defer => self.refuse(refusal),
            Tempfail::DeferIfPermit => self.defer_if_permit(refusal),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_looked_for_where_exchangers_could_not_be_found_out() {
        for (failure, expected) in [
            (Failure::NotFound, Ok(Existence::Missing)),
            (Failure::NullMx, Ok(Existence::NullMx)),
            (Failure::Malformed, Ok(Existence::Malformed)),
            (Failure::NoData, Err(Existence::Missing)),
            (Failure::TryAgain, Err(Existence::Unknown)),
            (Failure::Garbled, Err(Existence::Unknown)),
        ] {
            assert_eq!(told_by_mx(failure), expected, "{failure:?}");
        }
    }
}
