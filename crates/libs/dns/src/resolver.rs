//! The resolver of a process: servers, hosts file and a small cache.
//!
//! Answers are kept for their TTL, "not found" for a second, trouble never. The cache is bounded: when it is full,
//! what has expired goes, and then everything.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::files::Watched;
use crate::record::is_address;
use crate::transport::{self, Trouble};
use crate::wire::{self, Said};
use crate::{Answer, Data, Error, Failure, Hosts, Kind, ResolvConf, is_hostname};

const MOST_CACHED: usize = 2048;
const KEEP_NOT_FOUND: Duration = Duration::from_secs(1);
const KEEP_MOST: Duration = Duration::from_secs(300);
/// How many aliases are followed with queries of their own.
const MOST_ALIASES: usize = 10;
/// The zone above all others.
const ROOT: &str = ".";

/// Which address families an address lookup asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both.
    All,
}

impl Families {
    /// The families of an `inet_protocols` value.
    #[must_use]
    pub fn of_protocols<S: AsRef<str>>(protocols: &[S]) -> Self {
        let has = |name: &str| protocols.iter().any(|protocol| protocol.as_ref().eq_ignore_ascii_case(name));
        match (has("ipv4"), has("ipv6"), has("all")) {
            (true, false, false) => Self::V4,
            (false, true, false) => Self::V6,
            _ => Self::All,
        }
    }

    /// Whether an address belongs to the families.
    #[must_use]
    pub fn has(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
            Self::All => true,
        }
    }

    /// The records that hold such addresses, in the order in which they are asked for.
    #[must_use]
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Self::V4 => &[Kind::A],
            Self::V6 => &[Kind::Aaaa],
            Self::All => &[Kind::A, Kind::Aaaa],
        }
    }
}

/// Where names are looked for besides where they say: with which domains of resolv.conf behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// With none.
    Nowhere,
    /// Names without a dot with the first (`RES_DEFNAMES`).
    Domain,
    /// Names with a dot with all (`RES_DNSRCH`).
    Parents,
    /// All names with all.
    Everywhere,
}

type Looked = Result<Arc<Answer>, Error>;

/// Looks up names; one per process, opened before the jail.
#[derive(Debug)]
pub struct Resolver {
    conf: ResolvConf,
    hosts: Hosts,
    watched: Vec<Watched>,
    cache: Mutex<HashMap<(String, Kind), (Instant, Looked)>>,
}

impl Resolver {
    /// A resolver of these settings.
    #[must_use]
    pub fn new(conf: ResolvConf, hosts: Hosts) -> Self {
        Self { conf, hosts, watched: Vec::new(), cache: Mutex::default() }
    }

    /// A resolver as the system is set up: `/etc/resolv.conf` and `/etc/hosts`.
    #[must_use]
    pub fn system() -> Self {
        Self::open(Path::new("/etc/resolv.conf"), Path::new("/etc/hosts"))
    }

    /// A resolver of these files; one that cannot be read counts as empty.
    #[must_use]
    pub fn open(resolv_conf: &Path, hosts: &Path) -> Self {
        let (conf, first) = Watched::read(resolv_conf);
        let (hosts, second) = Watched::read(hosts);
        let watched = first.into_iter().chain(second).collect();
        Self { watched, ..Self::new(ResolvConf::parse(&conf), Hosts::parse(&hosts)) }
    }

    /// Whether the files are no longer what was read: time for a new process.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.watched.iter().any(Watched::changed)
    }

    /// The records of one type at a name.
    pub async fn lookup(&self, name: &str, kind: Kind) -> Result<Arc<Answer>, Error> {
        let key = (name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase(), kind);
        if let Some(known) = self.known(&key) {
            return known;
        }
        let looked = self.resolve(name, kind).await.map(Arc::new);
        self.keep(key, &looked);
        looked
    }

    /// The addresses of a host in the DNS, IPv4 ones first.
    ///
    /// # Errors
    /// The failure of the last family asked for; a temporary one wins.
    pub async fn addresses(&self, name: &str, families: Families) -> Result<Vec<IpAddr>, Error> {
        let mut looked = Vec::new();
        for kind in families.kinds() {
            looked.push(self.lookup(name, *kind).await);
        }
        gather(looked)
    }

    /// The addresses of a host as the system would find them: the hosts file, then the DNS with its search list.
    pub async fn native_addresses(&self, name: &str, families: Families) -> Result<Vec<IpAddr>, Error> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(vec![address]);
        }
        let known: Vec<_> =
            self.hosts.addresses(name).iter().copied().filter(|address| families.has(*address)).collect();
        if !known.is_empty() {
            return Ok(known);
        }
        let mut failure = None;
        for candidate in self.candidates(name, Search::Everywhere) {
            match self.addresses(&candidate, families).await {
                Ok(found) => return Ok(found),
                Err(error) if error.is_temporary() => return Err(error),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| Error::new(Failure::NotFound, name, Kind::A)))
    }

    /// The name of an address as the system would find it: the hosts file, then its PTR record.
    pub async fn native_name(&self, address: IpAddr) -> Result<String, Error> {
        if let Some(name) = self.hosts.name(address) {
            return Ok(name.to_owned());
        }
        let reverse = reverse_name(address);
        let answer = self.lookup(&reverse, Kind::Ptr).await?;
        let name = answer.records.iter().find_map(|record| match &record.data {
            Data::Ptr(name) => Some(name.clone()),
            Data::Address(_)
            | Data::Mx { .. }
            | Data::Txt(_)
            | Data::Tlsa { .. }
            | Data::Srv { .. }
            | Data::Ns(_)
            | Data::Soa(_) => None,
        });
        name.ok_or_else(|| Error::new(Failure::NoData, &reverse, Kind::Ptr))
    }

    /// A name with the search list applied, in the order in which the system tries them.
    #[must_use]
    pub fn candidates(&self, name: &str, search: Search) -> Vec<String> {
        let plain = name.strip_suffix('.').unwrap_or(name).to_owned();
        if plain.len() < name.len() {
            return vec![plain];
        }
        let dots = plain.bytes().filter(|b| *b == b'.').count();
        let most = match (search, dots) {
            (Search::Everywhere, _) | (Search::Parents, 1..) => usize::MAX,
            (Search::Domain, 0) => 1,
            (Search::Nowhere, _) | (Search::Parents, 0) | (Search::Domain, _) => 0,
        };
        let domains = self.conf.search.iter().take(most);
        let mut names: Vec<_> = domains.map(|domain| format!("{plain}.{domain}")).collect();
        if dots >= self.conf.ndots {
            names.insert(0, plain);
        } else {
            names.push(plain);
        }
        names
    }

    async fn resolve(&self, name: &str, kind: Kind) -> Result<Answer, Error> {
        let failed = |failure| Error::new(failure, name, kind);
        if (!is_hostname(name) && name != ROOT) || is_address(name) {
            return Err(failed(Failure::BadName));
        }
        let mut asked = name.to_owned();
        // A chain is validated where each of its links is.
        let mut is_signed = true;
        for _ in 0..MOST_ALIASES {
            let query = wire::query(&asked, kind).ok_or_else(|| failed(Failure::BadName))?;
            let reply = self.ask(&query).await.map_err(failed)?;
            match wire::records(&reply, name, kind)? {
                Said::Answer(answer) => return Ok(Answer { authentic: answer.authentic && is_signed, ..answer }),
                // The server has nothing at the end of the chain that it gave.
                Said::Alias { target, .. } if target.eq_ignore_ascii_case(&asked) => {
                    return Err(failed(Failure::NoData));
                }
                Said::Alias { target, authentic } => {
                    asked = target;
                    is_signed &= authentic;
                }
            }
        }
        Err(failed(Failure::Loop))
    }

    async fn ask(&self, query: &hickory_resolver::proto::op::Message) -> Result<wire::Reply, Failure> {
        let mut failure = Failure::TryAgain;
        for _ in 0..self.conf.attempts {
            let mut troubled = false;
            for server in &self.conf.servers {
                match transport::ask(*server, query, self.conf.carrier, self.conf.timeout).await {
                    Ok(reply) if wire::is_troubled(&reply) => troubled = true,
                    Ok(reply) => return Ok(reply),
                    Err(Trouble::Garbage) => failure = Failure::Garbled,
                    Err(Trouble::Silence) => {}
                }
            }
            if troubled {
                return Err(Failure::TryAgain);
            }
        }
        Err(failure)
    }

    fn known(&self, key: &(String, Kind)) -> Option<Looked> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, looked) = cache.get(key)?;
        (*until > Instant::now()).then(|| looked.clone())
    }

    fn keep(&self, key: (String, Kind), looked: &Looked) {
        let time = match looked {
            Ok(answer) => {
                let seconds = answer.records.iter().map(|record| record.ttl).min().unwrap_or(0);
                Duration::from_secs(u64::from(seconds)).min(KEEP_MOST)
            }
            Err(error) if error.is_not_found() => KEEP_NOT_FOUND,
            Err(_) => return,
        };
        if time.is_zero() {
            return;
        }
        let now = Instant::now();
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MOST_CACHED {
            cache.retain(|_, (until, _)| *until > now);
        }
        if cache.len() >= MOST_CACHED {
            cache.clear();
        }
        cache.insert(key, (now + time, looked.clone()));
    }
}

/// The addresses in what was found for each of [`Families::kinds`].
///
/// # Errors
/// The failure of the last family asked for; a temporary one wins.
pub fn gather(looked: Vec<Result<Arc<Answer>, Error>>) -> Result<Vec<IpAddr>, Error> {
    let mut found = Vec::new();
    let mut failure: Option<Error> = None;
    for looked in looked {
        match looked {
            Ok(answer) => found.extend(answer.addresses()),
            Err(error) if failure.as_ref().is_some_and(Error::is_temporary) && !error.is_temporary() => {}
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if found.is_empty() => Err(error),
        Some(_) | None => Ok(found),
    }
}

/// The name whose PTR record names an address.
#[must_use]
pub fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4));
            format!("{}ip6.arpa", nibbles.collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests;
