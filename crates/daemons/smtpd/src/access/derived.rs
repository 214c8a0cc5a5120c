//! Access tables that are asked about the hosts behind a name: its mail exchangers, name servers, or addresses.

use std::net::IpAddr;

use dns::{Data, Failure, Kind};
use table::Maps;
use tracing::warn;

use super::action::Origin;
use super::restriction::{Host, Party, Records};
use super::{Check, Subject, Verdict, keys};
use crate::names::in_dns;
use crate::session::peer::UNKNOWN;
use crate::text::printable;

impl Check<'_> {
    pub(crate) async fn check_hosts_behind(&mut self, host: Host, records: Records, maps: &Maps) -> Verdict {
        let Some((name, subject)) = self.name_of(host) else { return Verdict::Dunno };
        let verdict = self.check_behind(&name, records, maps, &subject).await;
        self.forbid_permission(verdict, &restriction(host, records), &name)
    }

    async fn check_behind(&mut self, name: &str, records: Records, maps: &Maps, subject: &Subject<'_>) -> Verdict {
        let domain = &*in_dns(domain_of(name));
        // A literal is its own host, but no zone has it.
        if domain.starts_with('[') {
            return match address::domain::literal(domain.as_bytes()) {
                Some(address) if records != Records::Ns => {
                    self.check_addresses(&[address], maps, subject).await.unwrap_or(Verdict::Dunno)
                }
                Some(_) | None => Verdict::Dunno,
            };
        }
        let hosts = match self.hosts_behind(domain, records).await {
            Ok(hosts) => hosts,
            Err(error) if error.failure == Failure::NullMx => return Verdict::Dunno,
            Err(error) => {
                let name = if error.is_not_found() { name } else { &error.name };
                warn!("Unable to look up {} host for {name}: {}", records.name(), error.said());
                return Verdict::Dunno;
            }
        };
        for host in hosts {
            if let Some(verdict) = self.check_one_host(&host, records, maps, subject).await {
                return verdict;
            }
        }
        Verdict::Dunno
    }

    /// `None`: the table has neither the name nor an address.
    async fn check_one_host(
        &mut self,
        host: &str,
        records: Records,
        maps: &Maps,
        subject: &Subject<'_>,
    ) -> Option<Verdict> {
        if let Ok(address) = host.parse() {
            return self.check_addresses(&[address], maps, subject).await;
        }
        if records != Records::A {
            match keys::of_domain(maps, host.as_bytes(), self.server.settings.access_parents).await {
                Ok(None) => {}
                found => {
                    return Some(self.conclude(found, &Origin { table: maps.first(), key: host }, subject).await);
                }
            }
        }
        match self.server.dns.native_addresses(host, self.server.settings.families).await {
            Ok(addresses) => self.check_addresses(&addresses, maps, subject).await,
            Err(_) if records == Records::A => None,
            Err(error) => {
                let (kind, Subject { class, name }) = (records.name(), subject);
                warn!("Unable to look up {kind} host {host} for {class} {name}: {}", error.native_text());
                None
            }
        }
    }

    async fn check_addresses(&mut self, addresses: &[IpAddr], maps: &Maps, subject: &Subject<'_>) -> Option<Verdict> {
        for address in addresses {
            let address = address.to_string();
            match keys::of_address(maps, &address).await {
                Ok(None) => {}
                found => {
                    let origin = Origin { table: maps.first(), key: &address };
                    return Some(self.conclude(found, &origin, subject).await);
                }
            }
        }
        None
    }

    /// The name or address to start from, and what a reject names.
    fn name_of(&self, host: Host) -> Option<(String, Subject<'static>)> {
        let peer = self.facts.peer;
        let (name, shown, class) = match host {
            Host::Client => (peer.name.as_str(), peer.namaddr.as_str(), "Client host"),
            Host::ReverseClient => (peer.reverse_name.as_str(), peer.reverse_name.as_str(), "Unverified Client host"),
            Host::Helo => (self.facts.helo?, self.facts.helo?, "Helo command"),
            Host::Sender => return self.party(Party::Sender).map(as_given),
            Host::Recipient => return self.party(Party::Recipient).map(as_given),
        };
        (name != UNKNOWN && !name.is_empty())
            .then(|| (name.to_owned(), Subject { name: shown.to_owned().into(), class }))
    }

    async fn hosts_behind(&self, name: &str, records: Records) -> Result<Vec<String>, dns::Error> {
        match records {
            Records::A => Ok(vec![name.to_owned()]),
            Records::Mx => match self.server.dns.lookup(name, Kind::Mx).await {
                Ok(answer) => Ok(targets(&answer)),
                // Without an exchanger the domain is its own.
                Err(error) if error.is_not_found() => Ok(vec![name.to_owned()]),
                Err(error) => Err(error),
            },
            Records::Ns => {
                // Name servers belong to a zone; its name may be a parent of ours.
                let mut zone = name;
                loop {
                    match self.server.dns.lookup(zone, Kind::Ns).await {
                        Ok(answer) => return Ok(targets(&answer)),
                        Err(error) if error.is_not_found() => match zone.split_once('.') {
                            Some((_, parent)) if !parent.is_empty() => zone = parent,
                            Some(_) | None => return Err(error),
                        },
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }
}

impl Records {
    fn name(self) -> &'static str {
        match self {
            Records::A => "A",
            Records::Mx => "MX",
            Records::Ns => "NS",
        }
    }
}

/// The restriction that asks this, as main.cf has it.
fn restriction(host: Host, records: Records) -> String {
    let host = match host {
        Host::Client => "client",
        Host::ReverseClient => "reverse_client_hostname",
        Host::Helo => "helo",
        Host::Sender => "sender",
        Host::Recipient => "recipient",
    };
    format!("check_{host}_{}_access", records.name().to_ascii_lowercase())
}

fn as_given((address, subject): (Vec<u8>, Subject<'static>)) -> (String, Subject<'static>) {
    (printable(&address).into_owned(), subject)
}

/// The domain of an address as it was given; a name without one is its own.
fn domain_of(name: &str) -> &str {
    name.rsplit_once('@').map_or(name, |(_, domain)| domain)
}

fn targets(answer: &dns::Answer) -> Vec<String> {
    let target = |record: &dns::Record| match &record.data {
        Data::Mx { exchange, .. } => Some(exchange.clone()),
        Data::Ns(host) => Some(host.clone()),
        Data::Address(_) | Data::Ptr(_) | Data::Txt(_) | Data::Tlsa { .. } | Data::Srv { .. } | Data::Soa(_) => None,
    };
    answer.records.iter().filter_map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_that_of_the_address_as_given() {
        for (name, domain) in [
            ("a%b@example.test", "example.test"),
            ("a@b@example.test", "example.test"),
            ("a", "a"),
            ("a@[192.0.2.1]", "[192.0.2.1]"),
            ("host.test", "host.test"),
        ] {
            assert_eq!(domain_of(name), domain);
        }
        assert_eq!(restriction(Host::Sender, Records::Mx), "check_sender_mx_access");
        assert_eq!(restriction(Host::ReverseClient, Records::A), "check_reverse_client_hostname_a_access");
    }
}
