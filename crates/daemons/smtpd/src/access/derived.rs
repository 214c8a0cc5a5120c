//! Access tables that are asked about the hosts behind a name: its mail exchangers, name servers, or addresses.

use dns::{Data, Kind};
use table::Maps;
use tracing::warn;

use super::restriction::{Host, Records};
use super::{Check, Subject, Verdict, keys};
use crate::text::printable;

impl Check<'_> {
    pub(crate) async fn check_hosts_behind(
        &mut self,
        host: Host,
        records: Records,
        maps: &Maps,
        _list: &Subject<'_>,
    ) -> Verdict {
        let Some((name, subject)) = self.name_of(host).await else { return Verdict::Dunno };
        let hosts = match self.hosts_behind(&name, records).await {
            Ok(hosts) => hosts,
            Err(error) => {
                let kind = match records {
                    Records::A => "Address",
                    Records::Mx => "MX",
                    Records::Ns => "NS",
                };
                warn!("Unable to look up {kind} host for {name}: {error}");
                return Verdict::Dunno;
            }
        };
        for host in hosts {
            match self.check_one_host(&host, records, maps, &subject).await {
                Verdict::Dunno => {}
                // A list of bad hosts is not to let anybody in.
                Verdict::Permit => {
                    warn!("restriction {} returns OK for {host}, which is not allowed; using DUNNO", subject.class);
                }
                verdict @ Verdict::Reject(_) => return verdict,
            }
        }
        Verdict::Dunno
    }

    async fn check_one_host(&mut self, host: &str, records: Records, maps: &Maps, subject: &Subject<'_>) -> Verdict {
        if records != Records::A {
            let found = keys::of_domain(maps, host.as_bytes(), self.server.settings.access_parents).await;
            match self.conclude(found, subject).await {
                Verdict::Dunno => {}
                verdict @ (Verdict::Permit | Verdict::Reject(_)) => return verdict,
            }
        }
        let addresses = match self.server.dns.addresses(host, self.server.settings.families).await {
            Ok(addresses) => addresses,
            Err(error) => {
                warn!("Unable to look up address of {host}: {error}");
                return Verdict::Dunno;
            }
        };
        for address in addresses {
            let found = keys::of_address(maps, &address.to_string()).await;
            match self.conclude(found, subject).await {
                Verdict::Dunno => {}
                verdict @ (Verdict::Permit | Verdict::Reject(_)) => return verdict,
            }
        }
        Verdict::Dunno
    }

    /// The name to start from, and what a reject names.
    async fn name_of(&mut self, host: Host) -> Option<(String, Subject<'static>)> {
        let peer = self.facts.peer;
        let (name, shown, class) = match host {
            Host::Client => (peer.name.clone(), peer.namaddr.clone(), "Client host"),
            Host::ReverseClient => (peer.reverse_name.clone(), peer.reverse_name.clone(), "Unverified Client host"),
            Host::Helo => (self.facts.helo?.to_owned(), self.facts.helo?.to_owned(), "Helo command"),
            Host::Sender | Host::Recipient => {
                let (address, class) = if host == Host::Sender {
                    (self.facts.sender?, "Sender address")
                } else {
                    (self.facts.recipient?, "Recipient address")
                };
                if address.is_empty() {
                    return None;
                }
                let resolved = self.resolve(address).await?;
                (resolved.domain()?.to_owned(), printable(address).into_owned(), class)
            }
        };
        (name != "unknown" && !name.is_empty()).then(|| (name, Subject { name: shown.into(), class }))
    }

    async fn hosts_behind(&self, name: &str, records: Records) -> Result<Vec<String>, dns::Error> {
        // A literal is its own host.
        if let Some(address) = address::domain::literal(name.as_bytes()) {
            return Ok(vec![address.to_string()]);
        }
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
                            Some((_, parent)) if parent.contains('.') => zone = parent,
                            _ => return Err(error),
                        },
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }
}

fn targets(answer: &dns::Answer) -> Vec<String> {
    let target = |record: &dns::Record| match &record.data {
        Data::Mx { exchange, .. } => Some(exchange.clone()),
        Data::Ns(host) => Some(host.clone()),
        Data::Address(_) | Data::Ptr(_) | Data::Txt(_) | Data::Tlsa { .. } | Data::Srv { .. } | Data::Soa(_) => None,
    };
    answer.records.iter().filter_map(target).collect()
}
