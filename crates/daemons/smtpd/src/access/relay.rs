//! Who may send to whom: mail for others is relayed only where a restriction says so.

use std::net::IpAddr;

use dns::{Answer, Data, Kind, Record};
use ipc::rewrite::Class;
use smtp_proto::Enhanced;

use super::restriction::Party;
use super::{Check, Refusal, Subject, Verdict};
use crate::resolve::Resolution;
use crate::text::told;

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

    /// Whether the recipient, where there is one now, is one that mail is taken for from anybody.
    pub(crate) async fn stays_here(&mut self) -> bool {
        let Some(recipient) = self.facts.recipient.filter(|_| self.facts.stage == "RCPT") else { return true };
        self.resolve(recipient).await.is_some_and(|resolved| self.is_authorized(&resolved))
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
                let text = format!("<{}>: Relay access denied", told(recipient));
                self.refuse(Refusal::policy(code, Enhanced(5, 7, 1), text))
            }
        }
    }

    /// The DNS names us as a mail exchanger for the domain, though not as one of the best, and those are within the given
    /// networks.
    pub(crate) async fn permit_mx_backup(&mut self) -> Verdict {
        let Some((recipient, subject)) = self.party(Party::Recipient) else { return Verdict::Dunno };
        let Some(resolved) = self.resolve(&recipient).await else {
            return self.lookup_failed(&recipient);
        };
        let permitted = self.is_authorized(&resolved) || self.is_backup(&resolved, &subject).await;
        if permitted { self.permit("permit_mx_backup", &subject, "") } else { Verdict::Dunno }
    }

    async fn is_backup(&mut self, resolved: &Resolution, subject: &Subject<'_>) -> bool {
        if resolved.route.routed && !self.server.params.rewrite.allow_untrusted_routing {
            return false;
        }
        let Some(domain) = resolved.domain().filter(|domain| !domain.starts_with('[')) else { return false };
        match self.server.dns.lookup(domain, Kind::Mx).await {
            Ok(answer) => {
                let (best, others) = exchangers(&answer);
                !self.are_we_among(&best, subject).await
                    && self.are_we_among(&others, subject).await
                    && self.are_allowed(&best, subject).await
            }
            // It may be another name of this host.
            Err(error) if error.is_not_found() => {
                let addresses = self.server.dns.native_addresses(domain, self.server.settings.families).await;
                addresses.is_ok_and(|addresses| self.has_own(&addresses))
            }
            Err(error) if error.is_temporary() => {
                self.defer_exchanger(subject, &format!("information: {}", error.said()));
                false
            }
            Err(_) => false,
        }
    }

    async fn are_we_among(&mut self, hosts: &[&str], subject: &Subject<'_>) -> bool {
        for host in hosts {
            if matches!(self.server.tables.address_find.local.contains(host.as_bytes()).await, Ok(true)) {
                return true;
            }
        }
        for host in hosts {
            if self.is_ours(host, subject).await {
                return true;
            }
        }
        false
    }

    /// Whether the host has an address of ours.
    async fn is_ours(&mut self, host: &str, subject: &Subject<'_>) -> bool {
        self.addresses_of(host, subject).await.is_some_and(|addresses| self.has_own(&addresses))
    }

    fn has_own(&self, addresses: &[IpAddr]) -> bool {
        addresses.iter().any(|address| self.server.settings.own_addresses.contains(address))
    }

    /// Whether all addresses of the best exchangers are within `permit_mx_backup_networks`.
    async fn are_allowed(&mut self, best: &[&str], subject: &Subject<'_>) -> bool {
        let networks = &self.server.tables.permit_mx_backup_networks;
        if networks.is_empty() {
            return true;
        }
        for host in best {
            let Some(addresses) = self.addresses_of(host, subject).await else { return false };
            for address in addresses {
                if !matches!(networks.matches_client(host.as_bytes(), &address.to_string()).await, Ok(true)) {
                    return false;
                }
            }
        }
        true
    }

    /// The addresses of an exchanger. Where they cannot be found, a later refusal becomes a deferral.
    async fn addresses_of(&mut self, host: &str, subject: &Subject<'_>) -> Option<Vec<IpAddr>> {
        match self.server.dns.native_addresses(host, self.server.settings.families).await {
            Ok(addresses) => Some(addresses),
            Err(error) => {
                self.defer_exchanger(subject, &format!("host {host}: {}", error.native_text()));
                None
            }
        }
    }

    fn defer_exchanger(&mut self, subject: &Subject<'_>, what: &str) {
        let text = subject.rejected(&format!("Unable to look up mail exchanger {what}"));
        self.deferral.if_reject.get_or_insert(Refusal::policy(450, Enhanced(4, 4, 4), text));
    }
}

/// The exchangers that mail goes to first, and the others.
fn exchangers<'a>(answer: &'a Answer) -> (Vec<&'a str>, Vec<&'a str>) {
    let exchanger = |record: &'a Record| {
        let Data::Mx { preference, exchange } = &record.data else { return None };
        Some((*preference, exchange.as_str()))
    };
    let all: Vec<(u16, &str)> = answer.records.iter().filter_map(exchanger).collect();
    let best = all.iter().map(|(preference, _)| *preference).min();
    let hosts = |wanted: bool| {
        all.iter().filter(|(preference, _)| (Some(*preference) == best) == wanted).map(|(_, host)| *host).collect()
    };
    (hosts(true), hosts(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_exchangers_come_first() {
        let record = |preference, host: &str| Record {
            name: "x.test".to_owned(),
            ttl: 0,
            data: Data::Mx { preference, exchange: host.to_owned() },
        };
        let records = vec![record(20, "c"), record(10, "a"), record(30, "d"), record(10, "b")];
        let answer = Answer { name: "x.test".to_owned(), records, authentic: false };
        assert_eq!(exchangers(&answer), (vec!["a", "b"], vec!["c", "d"]));
    }
}
