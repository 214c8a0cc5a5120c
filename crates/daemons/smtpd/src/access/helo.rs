//! Restrictions on the name that the client gives itself.

use std::net::IpAddr;

use smtp_proto::Enhanced;

use super::domain::Existence;
use super::{Check, Refusal, Subject, Verdict};
use crate::text::printable;

impl Check<'_> {
    fn helo_subject(&self) -> Option<(&str, Subject<'static>)> {
        let helo = self.facts.helo?;
        Some((helo, Subject { name: printable(helo.as_bytes()).into_owned().into(), class: "Helo command" }))
    }

    pub(crate) fn permit_naked_ip_address(&self) -> Verdict {
        match self.facts.helo {
            Some(helo) if helo.parse::<IpAddr>().is_ok() => Verdict::Permit,
            _ => Verdict::Dunno,
        }
    }

    pub(crate) fn reject_invalid_helo(&mut self) -> Verdict {
        let Some((helo, subject)) = self.helo_subject() else { return Verdict::Dunno };
        let valid = match helo.strip_prefix('[') {
            Some(_) => address::domain::literal(helo.as_bytes()).is_some(),
            None => helo.parse::<IpAddr>().is_ok() || is_name(helo),
        };
        if valid {
            return Verdict::Dunno;
        }
        let code = self.server.codes.invalid_hostname_reject_code;
        self.refuse(Refusal::policy(code, Enhanced(5, 5, 2), subject.rejected("Invalid name")))
    }

    pub(crate) fn reject_non_fqdn_helo(&mut self) -> Verdict {
        let Some((helo, subject)) = self.helo_subject() else { return Verdict::Dunno };
        let valid = match helo.strip_prefix('[') {
            Some(_) => address::domain::literal(helo.as_bytes()).is_some(),
            None => helo.parse::<IpAddr>().is_err() && is_name(helo) && helo.trim_end_matches('.').contains('.'),
        };
        if valid {
            return Verdict::Dunno;
        }
        let code = self.server.codes.non_fqdn_reject_code;
        self.refuse(Refusal::policy(code, Enhanced(5, 5, 2), subject.rejected("need fully-qualified hostname")))
    }

    pub(crate) async fn reject_unknown_helo(&mut self) -> Verdict {
        let Some((helo, subject)) = self.helo_subject() else { return Verdict::Dunno };
        if helo.starts_with('[') {
            return self.reject_invalid_helo();
        }
        let name = helo.to_owned();
        let text = subject.rejected("Host not found");
        match self.server.host_exists(&name).await {
            Existence::Exists | Existence::NullMx => Verdict::Dunno,
            Existence::Missing => {
                self.refuse(Refusal::policy(self.server.codes.unknown_hostname_reject_code, Enhanced(4, 7, 1), text))
            }
            Existence::Unknown => {
                let action = self.server.params.access.unknown_helo_hostname_tempfail_action.clone();
                self.temporary(&action, Enhanced(4, 7, 1), text)
            }
        }
    }
}

fn is_name(helo: &str) -> bool {
    address::domain::is_hostname(helo.strip_suffix('.').unwrap_or(helo).as_bytes())
}
