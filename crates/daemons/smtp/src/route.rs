//! From a next hop to the addresses that are tried.
//!
//! The rules of RFC 5321 section 5, with what main.cf changes of them. Every failure comes back as the detail that
//! the recipients get.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use dns::{Answer, Data, Failure, Families, Kind, Resolver, Search};
use dsn::{Class, Detail, Status};
use table::Maps;

use crate::chance::Chance;
use crate::nexthop::Mx;
use crate::order::{self, Candidate, Ordering, Remaining};
use crate::probe::Probe;

/// `smtp_host_lookup`: where host names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The DNS.
    Dns,
    /// As the system does: the hosts file, then the DNS.
    Native,
    /// The DNS, then as the system does, for names that the DNS does not have.
    Both,
}

/// `disable_dns_lookups`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailDomains {
    /// Domains have mail exchangers.
    Asked,
    /// Domains are hosts.
    NotAsked,
}

/// Whether finding ourselves means that mail loops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loops {
    /// On the port that we serve.
    Detect,
    /// On any other port.
    Ignore,
}

/// What happens when something about MX or SRV records fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leniency {
    /// As the error says.
    Strict,
    /// The lookup is passed over, or the mail waits.
    Lenient,
}

/// By which name a host goes whose name is an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aliases {
    /// By the alias.
    Kept,
    /// By the name that it stands for.
    Followed,
}

/// How destinations are looked up.
#[derive(Debug)]
pub struct Router {
    /// The name service.
    pub resolver: Resolver,
    /// `inet_protocols`.
    pub families: Families,
    /// `smtp_host_lookup`.
    pub source: Source,
    /// Whether mail exchangers are asked for at all.
    pub domains: MailDomains,
    /// Our own addresses (`inet_interfaces`, `proxy_interfaces`).
    pub own: Vec<IpAddr>,
    /// Order of addresses.
    pub ordering: Ordering,
    /// `ignore_mx_lookup_error`.
    pub mx_errors: Leniency,
    /// `smtp_defer_if_no_mx_address_found`.
    pub no_mx_address: Leniency,
    /// `ignore_srv_lookup_error`.
    pub srv_errors: Leniency,
    /// `allow_srv_lookup_fallback`.
    pub srv_fallback: Leniency,
    /// `use_srv_lookup`: services whose hosts are found by SRV records.
    pub srv_services: Vec<String>,
    /// `smtp_dns_reply_filter`.
    pub filter: Maps,
    /// `smtp_dns_resolver_options`: where hosts are looked for in the DNS.
    pub search: Search,
    /// `smtp_cname_overrides_servername`.
    pub aliases: Aliases,
    /// `dnssec_probe`; `None` where nobody asks for validated answers, or none is wanted.
    pub probe: Option<Probe>,
}

/// An address, and what its host is called if that is not the name that was asked for.
type Called = (Option<String>, IpAddr);

/// What is looked up.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Host or domain.
    pub host: &'a str,
    /// The service by name, if the next hop says one.
    pub service: Option<&'a str>,
    /// Whether mail exchangers are asked for.
    pub mx: Mx,
    /// Whether we may be the end of the way.
    pub loops: Loops,
}

/// Whether mail may go another way where a destination's own hosts fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detour {
    /// To the next hop behind this one, or a fallback.
    Open,
    /// We are one of the destination's exchangers: any other host would send it back.
    Closed,
}

/// The addresses of a destination.
#[derive(Debug)]
pub struct Route {
    /// In the order in which they are tried; never empty.
    pub candidates: Vec<Candidate>,
    /// What may be tried behind them.
    pub detour: Detour,
}

/// A destination without addresses to go to.
#[derive(Debug)]
pub struct Unroutable {
    /// Why, as its recipients hear it.
    pub detail: Detail,
    /// What may be tried in its place.
    pub detour: Detour,
}

/// Addresses that were found, and the best preference of all hosts, be they found or not.
struct Found {
    candidates: Vec<Candidate>,
    best: u16,
}

/// A service without hosts to go to.
struct Unserved {
    /// How the lookup of the service itself failed, if it did.
    failure: Option<Failure>,
    detail: Detail,
}

impl From<Detail> for Unroutable {
    fn from(detail: Detail) -> Self {
        Self { detail, detour: Detour::Open }
    }
}

impl Router {
    /// Where mail for a destination goes.
    pub async fn route(&self, target: Target<'_>) -> Result<Route, Unroutable> {
        let host = ascii(target.host);
        let is_address = host.parse::<IpAddr>().is_ok();
        let Found { mut candidates, best } = match target.mx {
            Mx::Lookup if self.domains == MailDomains::Asked && !is_address => self.domain(&host, target).await?,
            Mx::Lookup | Mx::Suppressed => self.lone(&host).await?,
        };
        self.ordering.sort(&mut candidates, &mut Chance::new());
        if target.loops == Loops::Ignore {
            return Ok(Route { candidates, detour: Detour::Open });
        }
        let detail = match order::before_self(candidates, |address| self.own.contains(&address)) {
            Remaining::All(candidates) => return Ok(Route { candidates, detour: Detour::Open }),
            Remaining::Better(candidates) => return Ok(Route { candidates, detour: Detour::Closed }),
            // A better host is known by its name alone: it will be found another time.
            Remaining::None(own) if own > best => {
                let reason = format!("unable to find primary relay for {}", target.host);
                Detail::new(Status::temporary(4, 4), reason)
            }
            Remaining::None(_) => loops_back(target.host),
        };
        Err(Unroutable { detail, detour: Detour::Closed })
    }

    /// A destination that is a host.
    async fn lone(&self, host: &str) -> Result<Found, Detail> {
        self.host(host, 0).await.map(|candidates| Found { candidates, best: 0 })
    }

    async fn domain(&self, host: &str, target: Target<'_>) -> Result<Found, Detail> {
        if let Some(service) = target.service.filter(|name| self.srv_services.iter().any(|srv| srv == name)) {
            let name = format!("_{service}._tcp.{host}");
            match self.service(&name).await {
                Err(Unserved { failure, detail }) if !self.may_fall_back(failure) => return Err(detail),
                Err(Unserved { detail, .. }) => tracing::info!("skipping SRV lookup for {name}: {}", detail.reason),
                Ok(found) => return Ok(found),
            }
        }
        match self.lookup(host, Kind::Mx).await {
            Ok(answer) => self.exchangers(host, &answer).await,
            Err(error) if matches!(error.failure, Failure::NotFound | Failure::NoData) => self.lone(host).await,
            Err(error) if self.passes_over(&error) => self.lone(host).await,
            Err(error) => Err(detail(&error)),
        }
    }

    /// Whether MX records may take the place of SRV records: whatever became of those, or only where they could not be had.
    fn may_fall_back(&self, failure: Option<Failure>) -> bool {
        use Failure::{Garbled, Malformed, NoRecovery, TryAgain};
        let in_error = matches!(failure, Some(TryAgain | Garbled | Malformed | NoRecovery));
        self.srv_fallback == Leniency::Lenient || (self.srv_errors == Leniency::Lenient && in_error)
    }

    fn passes_over(&self, error: &dns::Error) -> bool {
        self.mx_errors == Leniency::Lenient
            && matches!(error.failure, Failure::TryAgain | Failure::NoRecovery | Failure::Garbled)
    }

    async fn exchangers(&self, host: &str, answer: &Answer) -> Result<Found, Detail> {
        let hosts = answer.records.iter().filter_map(|record| match &record.data {
            Data::Mx { preference, exchange } => Some((*preference, exchange.clone(), None)),
            Data::Address(_)
            | Data::Ptr(_)
            | Data::Txt(_)
            | Data::Tlsa { .. }
            | Data::Srv { .. }
            | Data::Ns(_)
            | Data::Soa(_) => None,
        });
        let found = self.all(hosts.collect()).await;
        if found.is_err() {
            tracing::warn!("no MX host for {host} has a valid address record");
        }
        match (found, self.no_mx_address) {
            (Err(mut detail), Leniency::Lenient) => {
                detail.status = detail.status.in_class(Class::Temporary);
                Err(detail)
            }
            (found, _) => found,
        }
    }

    /// The hosts of a service.
    async fn service(&self, name: &str) -> Result<Found, Unserved> {
        let failed = |error: dns::Error| Unserved { failure: Some(error.failure), detail: detail(&error) };
        let answer = self.lookup(name, Kind::Srv).await.map_err(failed)?;
        let targets = answer.records.iter().filter_map(|record| match &record.data {
            Data::Srv { priority, weight, port, target } => Some((*priority, *weight, (target.clone(), *port))),
            Data::Address(_)
            | Data::Mx { .. }
            | Data::Ptr(_)
            | Data::Txt(_)
            | Data::Tlsa { .. }
            | Data::Ns(_)
            | Data::Soa(_) => None,
        });
        let sorted = order::weigh(targets.collect(), &mut Chance::new());
        let hosts = sorted.into_iter().zip(0..).map(|((_, (target, port)), rank)| (rank, target, Some(port)));
        self.all(hosts.collect()).await.map_err(|detail| {
            tracing::warn!("no SRV host for {name} has a valid address record");
            Unserved { failure: None, detail }
        })
    }

    /// The addresses of several hosts; the last failure if there are none at all.
    async fn all(&self, hosts: Vec<(u16, String, Option<u16>)>) -> Result<Found, Detail> {
        let best = hosts.iter().map(|(preference, _, _)| *preference).min().unwrap_or(0);
        let mut found = Vec::new();
        let mut failure = None;
        for (preference, name, port) in hosts {
            match self.host(&name, preference).await {
                Ok(addresses) => found.extend(addresses.into_iter().map(|address| Candidate { port, ..address })),
                Err(detail) => failure = Some(worse(failure, detail)),
            }
        }
        match failure {
            Some(detail) if found.is_empty() => Err(detail),
            Some(_) | None if !found.is_empty() => Ok(Found { candidates: found, best }),
            Some(_) | None => Err(Detail::new(Status::temporary(4, 4), "unable to find primary relay")),
        }
    }

    async fn host(&self, name: &str, preference: u16) -> Result<Vec<Candidate>, Detail> {
        let candidate = |(called, address): Called| {
            let (name, alias) = match called {
                Some(called) => (called, Some(name.to_owned())),
                None => (name.to_owned(), None),
            };
            Candidate { name, alias, address, preference, port: None }
        };
        if let Ok(address) = name.parse::<IpAddr>() {
            if self.families.has(address) {
                return Ok(vec![candidate((None, address))]);
            }
            let reason = format!("Name service error for {name}: invalid host or domain name");
            return Err(Detail::new(Status::permanent(4, 4), reason));
        }
        let found = match self.source {
            Source::Native => self.native(name).await?,
            Source::Dns | Source::Both => match self.addresses(name).await {
                Err(error) if self.source == Source::Both && error.is_not_found() => self.native(name).await?,
                looked => looked.map_err(|error| detail(&error))?,
            },
        };
        Ok(found.into_iter().map(candidate).collect())
    }

    async fn native(&self, name: &str) -> Result<Vec<Called>, Detail> {
        let looked = self.resolver.native_addresses(name, self.families).await;
        looked.map(|found| found.into_iter().map(|address| (None, address)).collect()).map_err(|error| {
            let reason = format!("unable to look up host {name}: {}", error.native_text());
            let status = if error.failure == Failure::NoData {
                Status::permanent(3, 0)
            } else if error.is_temporary() {
                Status::temporary(4, 4)
            } else {
                error.status()
            };
            Detail::new(status, reason)
        })
    }

    /// Addresses in the DNS.
    async fn addresses(&self, name: &str) -> Result<Vec<Called>, dns::Error> {
        let mut failure = dns::Error::new(Failure::NotFound, name, Kind::A);
        for candidate in self.resolver.candidates(name, self.search) {
            match self.addresses_at(&candidate).await {
                Ok(found) => return Ok(found),
                Err(error) if error.is_temporary() => return Err(dns::Error { name: name.to_owned(), ..error }),
                // Of the others it is that of the very name that tells.
                Err(error) if name.starts_with(&candidate) => failure = error,
                Err(_) => {}
            }
        }
        Err(failure)
    }

    /// The same of the very name, through the filter.
    async fn addresses_at(&self, name: &str) -> Result<Vec<Called>, dns::Error> {
        let mut looked = Vec::new();
        for kind in self.families.kinds() {
            looked.push(self.lookup(name, *kind).await);
        }
        let answers: Vec<_> = match self.aliases {
            Aliases::Kept => Vec::new(),
            Aliases::Followed => looked.iter().flatten().map(Arc::clone).collect(),
        };
        let called = |address| {
            let answer = answers.iter().find(|answer| answer.addresses().any(|found| found == address))?;
            (!answer.name.eq_ignore_ascii_case(name)).then(|| answer.name.clone())
        };
        Ok(dns::gather(looked)?.into_iter().map(|address| (called(address), address)).collect())
    }

    /// The records of a name that `smtp_dns_reply_filter` does not ignore.
    async fn lookup(&self, name: &str, kind: Kind) -> Result<Arc<Answer>, dns::Error> {
        let looked = self.resolver.lookup(name, kind).await;
        if let Some(probe) = &self.probe {
            probe.heed(&looked, &self.resolver).await;
        }
        let answer = looked?;
        if self.filter.is_empty() {
            return Ok(answer);
        }
        let mut said = Vec::new();
        for record in &answer.records {
            said.push(self.filter.lookup(record.to_string().as_bytes()).await);
        }
        dns::filter(&answer, self.filter.parameter(), said)
    }
}

/// "mail for x loops back to myself"; a relay or a fallback that says so is misconfigured.
#[must_use]
pub fn loops_back(host: &str) -> Detail {
    Detail::new(LOOP, format!("mail for {host} loops back to myself"))
}

/// The status of mail that comes back.
pub const LOOP: Status = Status::permanent(4, 6);

fn detail(error: &dns::Error) -> Detail {
    Detail::new(error.status(), error.to_string())
}

/// Of several failures the last one tells; it leaves hope where one before it did.
fn worse(before: Option<Detail>, now: Detail) -> Detail {
    match before {
        Some(before) if before.status.class() == Class::Temporary => {
            Detail { status: now.status.in_class(Class::Temporary), ..now }
        }
        Some(_) | None => now,
    }
}

fn ascii(host: &str) -> Cow<'_, str> {
    if host.is_ascii() {
        return Cow::Borrowed(host);
    }
    address::domain::to_ascii(host.as_bytes()).map_or(Cow::Borrowed(host), Cow::Owned)
}
