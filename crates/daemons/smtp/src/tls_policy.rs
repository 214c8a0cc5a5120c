//! How much security the way to a server must have: `smtp_tls_security_level`, `smtp_tls_policy_maps`, and what came before
//! those, `smtp_tls_per_site`.
//!
//! A policy that cannot be read or understood makes the mail wait: it never goes out with less than was asked for.

use dsn::{Detail, Status};
use table::Maps;
use tls::client::{Level, Policy};
use tls::fingerprint::Algorithm;
use tls::names::Wildcards;
use tls::protocols::Protocols;
use tls::suites::Suites;

use crate::dane::Dane;
use crate::dane::Way;
use crate::external_policy::External;
use crate::peer::Peer;
use crate::requiretls::{self, Enforcement};
use crate::secure::Reuse;

/// What is asked for where a policy says nothing else.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// `smtp_tls_security_level`.
    pub wish: Wish,
    /// `smtp_tls_protocols`.
    pub protocols: Protocols,
    /// `smtp_tls_mandatory_protocols`.
    pub mandatory_protocols: Protocols,
    /// `smtp_tls_verify_cert_match`.
    pub verify_match: Vec<String>,
    /// `smtp_tls_secure_cert_match`.
    pub secure_match: Vec<String>,
    /// `smtp_tls_fingerprint_cert_match`.
    pub fingerprints: Vec<String>,
    /// `smtp_tls_fingerprint_digest`.
    pub digest: Algorithm,
    /// `smtp_tls_servername`.
    pub server_name: String,
    /// `smtp_tls_scert_verifydepth`.
    pub depth: i64,
    /// `smtp_tls_exclude_ciphers`.
    pub excluded: Vec<String>,
    /// `smtp_tls_mandatory_exclude_ciphers`, besides those.
    pub mandatory_excluded: Vec<String>,
    /// `tls_wildcard_matches_multiple_labels`.
    pub wildcards: Wildcards,
    /// How TLSA records count.
    pub tlsa: crate::dane::Rules,
    /// What the hosts in a policy of MTA-STS are for.
    pub sts_hosts: StsHosts,
}

/// A level, which DANE may raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// The level as such.
    pub level: Level,
    /// Whether TLSA records are asked for.
    pub dane: Option<Dane>,
}

impl Wish {
    /// A level by name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "dane" => Some(Self { level: Level::May, dane: Some(Dane::Opportunistic) }),
            "dane-only" => Some(Self { level: Level::Encrypt, dane: Some(Dane::Only) }),
            _ => Level::named(name).map(|level| Self { level, dane: None }),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.dane, self.level) {
            (Some(Dane::Opportunistic), _) => "dane",
            (Some(Dane::Only), _) => "dane-only",
            (None, Level::None) => "none",
            (None, Level::May) => "may",
            (None, Level::Encrypt) => "encrypt",
            (None, Level::Fingerprint) => "fingerprint",
            (None, Level::Dane) => "dane",
            (None, Level::Verify) => "verify",
            (None, Level::Secure) => "secure",
        }
    }
}

/// `smtp_tls_enforce_sts_mx_patterns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StsHosts {
    /// Mail goes only to hosts that a policy of MTA-STS names.
    Enforced,
    /// It goes to any whose certificate has one of the names.
    Ignored,
}

/// What is asked of a server.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The level, and whether DANE may raise it.
    pub wish: Wish,
    /// What the level comes to.
    pub policy: Policy,
    /// How the server's name came to be known.
    pub way: Way,
    /// What a plug-in told besides.
    pub external: External,
    /// `connection_reuse`; `None` is as for everyone.
    pub reuse: Option<Reuse>,
}

/// The policies of a process.
#[derive(Debug, Clone)]
pub struct Policies {
    /// Where no table says otherwise.
    pub defaults: Defaults,
    /// `smtp_tls_policy_maps`.
    pub maps: Maps,
    /// `smtp_tls_per_site`, which counts where there are no such tables.
    pub sites: Maps,
    /// `smtp_requiretls_policy`; `None` where REQUIRETLS is not heeded (`requiretls_enable`).
    pub requiretls: Option<requiretls::Policy>,
}

/// The destination that a policy is for.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// The next hop as it was given, with brackets and port.
    pub nexthop: &'a str,
    /// Its host or domain.
    pub domain: &'a str,
    /// The server.
    pub peer: &'a Peer,
}

impl Policies {
    /// The policy for one server of a destination.
    ///
    /// # Errors
    /// A table failed, or what it says makes no sense.
    pub async fn of(&self, destination: Destination<'_>) -> Result<Asked, Detail> {
        let unusable = || Detail::new(Status::temporary(7, 5), "client TLS configuration problem");
        let found = if self.maps.is_empty() {
            self.of_site(destination).await.map(|wish| self.plain(wish, destination)).map_err(|()| unusable())?
        } else if let Some(text) = self.find(destination.nexthop).await.map_err(|()| {
            tracing::warn!("{}: policy table lookup error", self.place(destination));
            unusable()
        })? {
            let found = self.read(&text, destination).map_err(|why| {
                tracing::warn!("{}: {why}", self.place(destination));
                unusable()
            })?;
            self.authorized(found, destination).map_err(|why| Detail::new(Status::temporary(7, 5), why))?
        } else {
            self.plain(self.defaults.wish, destination)
        };
        let name = &found.policy.server_name;
        if found.policy.level > Level::None && !name.is_empty() && !dns::is_hostname(name) {
            tracing::warn!("\"smtp_tls_servername = {name}\" specifies an invalid hostname");
            return Err(unusable());
        }
        matchable(found, destination).ok_or_else(unusable)
    }

    /// A level of which nothing more is said.
    fn plain(&self, wish: Wish, destination: Destination<'_>) -> Asked {
        let policy = self.built(wish.level, destination);
        Asked { wish, policy, way: Way::Sure, external: External::default(), reuse: None }
    }

    /// A policy that names the hosts of a domain holds for those, each by its name, and for no others: then why.
    fn authorized(&self, mut found: Asked, destination: Destination<'_>) -> Result<Asked, String> {
        let Asked { policy, external, .. } = &mut found;
        let by_host = self.defaults.sts_hosts == StsHosts::Enforced && external.names_hosts();
        if by_host && policy.level == Level::Secure {
            let host = &destination.peer.name;
            if !external.allows(host) {
                return Err(format!("MX host {host} is not authorized by the STS policy of {}", destination.domain));
            }
            policy.names = vec![host.clone()];
        }
        Ok(found)
    }

    /// Whether a file behind a table has changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.maps.changed() || self.sites.changed() || self.requiretls.as_ref().is_some_and(requiretls::Policy::changed)
    }

    /// What `smtp_tls_per_site` says of the next hop and of the server, where it says something.
    async fn of_site(&self, destination: Destination<'_>) -> Result<Wish, ()> {
        let (next, host) = (destination.nexthop, destination.peer.name.as_str());
        let sites = [("next-hop destination", next), ("server hostname", host)];
        let mut found = None;
        for (kind, name) in sites.into_iter().take(if next.eq_ignore_ascii_case(host) { 1 } else { 2 }) {
            let Some(value) = self.sites.lookup(name.as_bytes()).await.map_err(|_| ())? else { continue };
            let said = Site::named(&value);
            if said.is_none() {
                let (parameter, value) = (self.sites.parameter(), String::from_utf8_lossy(&value));
                tracing::warn!("{parameter}: unknown TLS policy '{value}' for {kind} {name}");
            }
            found = found.max(Some(said.ok_or(())?));
        }
        Ok(found.map_or(self.defaults.wish, |site| site.over(self.defaults.wish)))
    }

    /// A name with brackets or a port stands for itself only; a domain for what is below it too.
    async fn find(&self, nexthop: &str) -> Result<Option<String>, ()> {
        let mut name = nexthop;
        loop {
            if let Some(value) = self.maps.lookup(name.as_bytes()).await.map_err(|_| ())? {
                return Ok(Some(String::from_utf8_lossy(&value).into_owned()));
            }
            if !dns::is_hostname(nexthop) {
                return Ok(None);
            }
            let rest = name.get(1..).unwrap_or_default();
            match rest.find('.') {
                Some(at) => name = rest.get(at..).unwrap_or_default(),
                None => return Ok(None),
            }
        }
    }

    /// The policy for a message whose sender does without TLS: it is used where it can be had, with anyone.
    #[must_use]
    pub fn waived(&self, asked: Asked, destination: Destination<'_>) -> Asked {
        if asked.wish.level <= Level::May && asked.wish.dane.is_none() {
            return asked;
        }
        Asked { reuse: asked.reuse, ..self.plain(Wish { level: Level::May, dane: None }, destination) }
    }

    /// The policy for a message whose sender requires TLS: not less than that.
    #[must_use]
    pub fn raised(&self, policy: Policy, enforcement: Enforcement, destination: Destination<'_>) -> Policy {
        let level = enforcement.raised(policy.level);
        if level > policy.level { self.built(level, destination) } else { policy }
    }

    fn built(&self, level: Level, destination: Destination<'_>) -> Policy {
        let defaults = &self.defaults;
        let patterns: &[String] = match level {
            Level::Secure => &defaults.secure_match,
            Level::Verify => &defaults.verify_match,
            Level::None | Level::May | Level::Encrypt | Level::Fingerprint | Level::Dane => &[],
        };
        let (protocols, excluded) = match level {
            Level::None | Level::May => (&defaults.protocols, &[][..]),
            Level::Encrypt | Level::Fingerprint | Level::Dane | Level::Verify | Level::Secure => {
                (&defaults.mandatory_protocols, defaults.mandatory_excluded.as_slice())
            }
        };
        Policy {
            suites: Suites::without(&[defaults.excluded.as_slice(), excluded].concat()),
            wildcards: defaults.wildcards,
            names: names(patterns, destination),
            fingerprints: defaults.fingerprints.clone(),
            digest: defaults.digest,
            server_name: server_name(&defaults.server_name, destination),
            ..Policy::new(level, protocols.clone())
        }
    }
}

/// What `smtp_tls_per_site` says; of two values the later one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Site {
    May,
    Never,
    /// With any certificate.
    Encrypt,
    Must,
}

impl Site {
    fn named(value: &[u8]) -> Option<Self> {
        match value.to_ascii_uppercase().as_slice() {
            b"NONE" => Some(Self::Never),
            b"MAY" => Some(Self::May),
            b"MUST_NOPEERMATCH" => Some(Self::Encrypt),
            b"MUST" => Some(Self::Must),
            _ => None,
        }
    }

    /// `MAY` takes nothing away from what all destinations must have.
    fn over(self, general: Wish) -> Wish {
        let level = match self {
            Self::May if general.level > Level::May => return general,
            Self::May => Level::May,
            Self::Never => Level::None,
            Self::Encrypt => Level::Encrypt,
            Self::Must => Level::Verify,
        };
        Wish { level, dane: None }
    }
}

/// A policy whose fingerprints can be matched, if it needs any.
fn matchable(mut found: Asked, destination: Destination<'_>) -> Option<Asked> {
    let policy = &mut found.policy;
    if policy.level == Level::Fingerprint {
        policy.fingerprints = text::well_formed(std::mem::take(&mut policy.fingerprints));
        if policy.fingerprints.is_empty() {
            let nexthop = destination.nexthop;
            tracing::warn!(
                "nexthop domain {nexthop}: configured at fingerprint security level, but with no fingerprints to match."
            );
            return None;
        }
    }
    Some(found)
}

/// Match strategies made into names.
fn names(patterns: &[String], destination: Destination<'_>) -> Vec<String> {
    let name = |pattern: &String| match pattern.as_str() {
        "hostname" => destination.peer.name.clone(),
        "nexthop" => destination.domain.to_owned(),
        "dot-nexthop" => format!(".{}", destination.domain),
        other => other.to_owned(),
    };
    patterns.iter().map(name).collect()
}

fn server_name(text: &str, destination: Destination<'_>) -> String {
    match text {
        "hostname" => destination.peer.name.clone(),
        "nexthop" => destination.domain.to_owned(),
        other => other.to_owned(),
    }
}

mod text;

#[cfg(test)]
mod tests;
