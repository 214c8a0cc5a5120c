//! Who may send to whom: mail for others is relayed only where a restriction says so.

use dns::{Data, Kind};
use ipc::rewrite::Class;
use smtp_proto::Enhanced;

use super::restriction::Party;
use super::{Check, Refusal, Subject, Verdict};
use crate::resolve::Resolution;
use crate::text::printable;

impl Check<'_> {
    /// Whether we are responsible for the recipient, and the sender does not route it further.
    fn is_authorized(&self, resolved: &Resolution) -> bool {
        // Without a domain it is local.
        if memchr::memrchr(b'@', &resolved.recipient).is_none() {
            return true;
        }
        let trusted = self.server.params.rewrite.allow_untrusted_routing || !resolved.route.routed;
        trusted && resolved.route.class != Class::Default
    }

    pub(crate) async fn permit_auth_destination(&mut self) -> Verdict {
        let Some(recipient) = self.facts.recipient else { return Verdict::Dunno };
        match self.resolve(recipient).await {
            None => self.lookup_failed(recipient),
            Some(resolved) if self.is_authorized(&resolved) => {
                self.permit("permit_auth_destination", &Subject::of_address(recipient, Party::Recipient), "")
            }
            Some(_) => Verdict::Dunno,
        }
    }

    pub(crate) async fn reject_unauth_destination(&mut self) -> Verdict {
        let code = self.server.codes.relay_domains_reject_code;
        self.deny_relaying(code).await
    }

    pub(crate) async fn defer_unauth_destination(&mut self) -> Verdict {
        let code = self.server.codes.relay_domains_reject_code;
        self.deny_relaying(if code >= 500 { code - 100 } else { code }).await
    }

    async fn deny_relaying(&mut self, code: u16) -> Verdict {
        let Some(recipient) = self.facts.recipient else { return Verdict::Dunno };
        match self.resolve(recipient).await {
            None => self.lookup_failed(recipient),
            Some(resolved) if self.is_authorized(&resolved) => Verdict::Dunno,
            Some(_) => {
                let text = format!("<{}>: Relay access denied", printable(recipient));
                self.refuse(Refusal::policy(code, Enhanced(5, 7, 1), text))
            }
        }
    }

    /// The DNS names us as a mail exchanger for the domain, and its first exchanger is within the given networks.
    pub(crate) async fn permit_mx_backup(&mut self) -> Verdict {
        let Some(recipient) = self.facts.recipient else { return Verdict::Dunno };
        let Some(resolved) = self.resolve(recipient).await else {
            return self.lookup_failed(recipient);
        };
        if self.is_authorized(&resolved) {
            return Verdict::Permit;
        }
        if resolved.route.routed && !self.server.params.rewrite.allow_untrusted_routing {
            return Verdict::Dunno;
        }
        let Some(domain) = resolved.domain().filter(|domain| !domain.starts_with('[')) else { return Verdict::Dunno };
        let answer = match self.server.dns.lookup(domain, Kind::Mx).await {
            Ok(answer) => answer,
            Err(error) if error.is_temporary() => return self.lookup_failed(recipient),
            Err(_) => return Verdict::Dunno,
        };
        let mut exchangers: Vec<(u16, &str)> = answer
            .records
            .iter()
            .filter_map(|record| {
                let Data::Mx { preference, exchange } = &record.data else { return None };
                Some((*preference, exchange.as_str()))
            })
            .collect();
        exchangers.sort_unstable();
        if self.are_we_among(&exchangers).await && self.is_first_allowed(&exchangers).await {
            return Verdict::Permit;
        }
        Verdict::Dunno
    }

    async fn are_we_among(&self, exchangers: &[(u16, &str)]) -> bool {
        for (_, host) in exchangers {
            if host.eq_ignore_ascii_case(&self.server.params.identity.myhostname) {
                return true;
            }
            let addresses = self.server.dns.addresses(host, self.server.settings.families).await.unwrap_or_default();
            if addresses.iter().any(|address| self.server.settings.own_addresses.contains(address)) {
                return true;
            }
        }
        false
    }

    async fn is_first_allowed(&self, exchangers: &[(u16, &str)]) -> bool {
        let networks = &self.server.tables.permit_mx_backup_networks;
        if networks.is_empty() {
            return true;
        }
        let Some((best, _)) = exchangers.first() else { return false };
        for (_, host) in exchangers.iter().filter(|(preference, _)| preference == best) {
            let addresses = self.server.dns.addresses(host, self.server.settings.families).await.unwrap_or_default();
            for address in &addresses {
                if !matches!(networks.matches_client(host.as_bytes(), &address.to_string()).await, Ok(true)) {
                    return false;
                }
            }
        }
        true
    }
}
