//! How much security the way to a server must have: `smtp_tls_security_level`, `smtp_tls_policy_maps`, and what came before
//! those, `smtp_tls_per_site`.
//!
//! A policy that cannot be read or understood makes the mail wait: it never goes out with less than was asked for.

use dsn::{Detail, Status};
use table::Maps;
use tls::client::{Level, Policy};
use tls::fingerprint::Algorithm;
use tls::material::Authorities;
use tls::names::Wildcards;
use tls::protocols::Protocols;
use tls::suites::Suites;

use crate::dane::Dane;
use crate::peer::Peer;
use crate::requiretls::{self, Enforcement};

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
    /// `smtp_tls_exclude_ciphers`.
    pub excluded: Vec<String>,
    /// `smtp_tls_mandatory_exclude_ciphers`, besides those.
    pub mandatory_excluded: Vec<String>,
    /// `tls_wildcard_matches_multiple_labels`.
    pub wildcards: Wildcards,
    /// How TLSA records count.
    pub tlsa: crate::dane::Rules,
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
    pub async fn of(&self, destination: Destination<'_>) -> Result<(Wish, Policy), Detail> {
        let unusable = || Detail::new(Status::temporary(7, 5), "client TLS configuration problem");
        let wish = if self.maps.is_empty() {
            self.of_site(destination).await.map_err(|()| unusable())?
        } else if let Some(text) = self.find(destination.nexthop).await.map_err(|()| unusable())? {
            return self.read(&text, destination).ok_or_else(|| {
                tracing::warn!("{}: bad policy for {}: {text}", self.maps.parameter(), destination.nexthop);
                unusable()
            });
        } else {
            self.defaults.wish
        };
        Ok((wish, self.built(wish.level, destination)))
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

    /// `level name=value...`
    fn read(&self, text: &str, destination: Destination<'_>) -> Option<(Wish, Policy)> {
        let mut words = text.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let wish = Wish::named(words.next()?)?;
        let mut policy = self.built(wish.level, destination);
        if policy.level == Level::None {
            // Nothing is asked of what is not done.
            return Some((wish, policy));
        }
        let mut matches: Vec<String> = Vec::new();
        let mut anchors: Vec<&str> = Vec::new();
        for word in words {
            let (name, value) = word.split_once('=')?;
            match name {
                "match" if policy.level == Level::Fingerprint => matches.extend(value.split('|').map(str::to_owned)),
                "match" => matches.extend(value.split(':').map(str::to_owned)),
                "protocols" => policy.protocols = Protocols::parse(value).ok()?,
                "exclude" => policy.suites = Suites::without(&[value]),
                "tafile" if policy.level >= Level::Verify => anchors.push(value),
                "servername" => policy.server_name = server_name(value, destination),
                // OpenSSL's grades have no counterpart here, and connections are reused as for everyone.
                "ciphers" | "connection_reuse" | "enable_rpk" => {}
                _ => return None,
            }
        }
        policy.anchors = (!anchors.is_empty()).then(|| read_anchors(&anchors)).transpose().ok()?;
        match (policy.level, matches.is_empty()) {
            (_, true) => {}
            (Level::Fingerprint, false) => policy.fingerprints = matches,
            (Level::Verify | Level::Secure, false) => policy.names = names(&matches, destination),
            (Level::None | Level::May | Level::Encrypt | Level::Dane, false) => return None,
        }
        Some((wish, policy))
    }

    /// The policy for a message whose sender does without TLS: it is used where it can be had, with anyone.
    #[must_use]
    pub fn waived(&self, (wish, policy): (Wish, Policy), destination: Destination<'_>) -> (Wish, Policy) {
        if wish.level <= Level::May && wish.dane.is_none() {
            return (wish, policy);
        }
        (Wish { level: Level::May, dane: None }, self.built(Level::May, destination))
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
            level,
            protocols: protocols.clone(),
            suites: Suites::without(&[defaults.excluded.as_slice(), excluded].concat()),
            wildcards: defaults.wildcards,
            names: names(patterns, destination),
            fingerprints: defaults.fingerprints.clone(),
            digest: defaults.digest,
            associations: Vec::new(),
            server_name: server_name(&defaults.server_name, destination),
            anchors: None,
        }
    }
}

/// The files of `tafile`, as they are now.
fn read_anchors(files: &[&str]) -> Result<Authorities, tls::Error> {
    Authorities::read_all(files.iter().copied(), "").inspect_err(|error| tracing::warn!("{error}"))
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use table::Environment;

    use super::*;

    fn policies(maps: &str) -> Policies {
        let any = Protocols::parse(">=TLSv1").unwrap();
        Policies {
            defaults: Defaults {
                wish: Wish::named("may").unwrap(),
                protocols: any.clone(),
                mandatory_protocols: any,
                verify_match: vec!["hostname".into()],
                secure_match: vec!["nexthop".into(), "dot-nexthop".into()],
                fingerprints: vec!["AA:BB".into()],
                digest: Algorithm::Sha256,
                server_name: String::new(),
                excluded: vec!["AES128".into()],
                mandatory_excluded: vec!["CHACHA20".into()],
                wildcards: Wildcards::AnyLabels,
                tlsa: Default::default(),
            },
            maps: Maps::open("smtp_tls_policy_maps", &[maps], &Environment::default()),
            sites: Maps::none("smtp_tls_per_site"),
            requiretls: None,
        }
    }

    fn policy(maps: &str, nexthop: &str, domain: &str) -> Option<Policy> {
        let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, 1]), 25);
        table::block_on(policies(maps).of(Destination { nexthop, domain, peer: &peer })).ok().map(|(_, policy)| policy)
    }

    #[test]
    fn policies_are_found_by_next_hop() {
        let maps = "inline:{{a.test=secure}, {.b.test=encrypt}, {[c.test]:25=none}, {bad.test=nonsense}}";
        for (nexthop, expected) in [
            ("a.test", Some(Level::Secure)),
            ("x.a.test", Some(Level::May)),
            ("x.b.test", Some(Level::Encrypt)),
            ("y.x.b.test", Some(Level::Encrypt)),
            ("b.test", Some(Level::May)),
            ("[c.test]:25", Some(Level::None)),
            ("[x.b.test]", Some(Level::May)),
            ("bad.test", None),
        ] {
            assert_eq!(policy(maps, nexthop, "x").map(|policy| policy.level), expected, "{nexthop}");
        }
    }

    #[test]
    fn sites_are_next_hops_and_servers() {
        let sites =
            "inline:{a.test=MAY, [b.test]:25=MUST, b.test=none, c.test=MUST_NOPEERMATCH, d.test=MUST, e.test=ENCRYPT}";
        let level = |general: &str, nexthop, server| {
            let mut policies = Policies { maps: Maps::none("smtp_tls_policy_maps"), ..policies("inline:{x=may}") };
            policies.defaults.wish = Wish::named(general).unwrap();
            policies.sites = Maps::open("smtp_tls_per_site", &[sites], &Environment::default());
            let peer = Peer::inet(server, IpAddr::from([127, 0, 0, 1]), 25);
            let policy = table::block_on(policies.of(Destination { nexthop, domain: "x", peer: &peer }));
            policy.ok().map(|(wish, policy)| {
                assert_eq!((wish.level, wish.dane.is_some()), (policy.level, wish.name() == "dane"));
                wish.name()
            })
        };
        for (general, nexthop, server, expected) in [
            ("none", "[b.test]:25", "x.test", Some("verify")),
            ("none", "x.test", "y.test", Some("none")),
            ("dane", "x.test", "y.test", Some("dane")),
            ("none", "a.test", "x.test", Some("may")),
            ("encrypt", "a.test", "x.test", Some("encrypt")),
            ("encrypt", "B.test", "b.test", Some("none")),
            ("may", "a.test", "b.test", Some("none")),
            ("may", "c.test", "b.test", Some("encrypt")),
            ("none", "c.test", "d.test", Some("verify")),
            ("none", "x.test", "d.test", Some("verify")),
            ("none", "e.test", "d.test", None),
        ] {
            assert_eq!(level(general, nexthop, server), expected, "{general} {nexthop} {server}");
        }
    }

    #[test]
    fn attributes_change_a_policy() {
        let maps = "inline:{{a.test = secure match=nexthop:.d.test servername=hostname}, {b.test = encrypt match=x}, \
                    {c.test = fingerprint match=11:22|33:44}, {d.test = may what=ever}, \
                    {e.test = none match=x}}";
        assert_eq!(policy(maps, "e.test", "e.test").unwrap().level, Level::None);
        let found = policy(maps, "a.test", "a.test").unwrap();
        assert_eq!((found.names, found.server_name), (vec!["a.test".to_owned(), ".d.test".into()], "mx.test".into()));
        assert_eq!(policy(maps, "c.test", "c.test").unwrap().fingerprints, ["11:22", "33:44"]);
        assert!(policy(maps, "b.test", "b.test").is_none() && policy(maps, "d.test", "d.test").is_none());
        assert_eq!(policy("inline:{x=may}", "e.test", "e.test").unwrap().level, Level::May);
    }

    #[test]
    fn who_waives_tls_has_it_where_it_can_be_had() {
        let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, 1]), 25);
        let maps = "inline:{{a.test=secure}, {b.test=none}, {c.test=dane-only}, {d.test=dane}, {e.test=may}}";
        let policies = policies(maps);
        for (nexthop, expected) in
            [("a.test", "may"), ("b.test", "none"), ("c.test", "may"), ("d.test", "may"), ("e.test", "may")]
        {
            let destination = Destination { nexthop, domain: nexthop, peer: &peer };
            let found = table::block_on(policies.of(destination)).unwrap();
            let (wish, policy) = policies.waived(found, destination);
            assert_eq!((wish.name(), Some(policy.level)), (expected, Level::named(expected)), "{nexthop}");
        }
    }

    #[test]
    fn anchors_are_those_of_the_destination() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../libs/tls/src/testdata/authority.pem");
        for (text, expected) in [
            (format!("secure tafile={file} tafile={file}"), Some(true)),
            (format!("verify match=a.test tafile={file}"), Some(true)),
            ("secure".into(), Some(false)),
            ("secure tafile=/nonexistent".into(), None),
            (format!("encrypt tafile={file}"), None),
        ] {
            let found = policy(&format!("inline:{{{{a.test = {text}}}}}"), "a.test", "a.test");
            assert_eq!(found.map(|policy| policy.anchors.is_some_and(|all| !all.is_empty())), expected, "{text}");
        }
    }

    #[test]
    fn ciphers_are_excluded_by_level() {
        let maps = "inline:{{a.test = encrypt}, {b.test = may exclude=AES256:CHACHA20}}";
        let suites = |domain| policy(maps, domain, domain).unwrap().suites;
        assert_eq!(suites("c.test"), Suites::without(&["AES128"]));
        assert_eq!(suites("a.test"), Suites::without(&["AES128", "CHACHA20"]));
        assert_eq!(suites("b.test"), Suites::without(&["AES256", "CHACHA20"]));
    }
}
