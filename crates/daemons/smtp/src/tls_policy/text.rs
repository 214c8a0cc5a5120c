//! A policy as a table has it: a level, and attributes that say more. See `smtp_tls_policy_maps`.
//!
//! What is wrong with one is told in the log with the name of the table's parameter and of the destination, as administrators
//! look for it; the mail waits.

use tls::client::{Level, Policy};
use tls::fingerprint;
use tls::material::Authorities;
use tls::protocols::Protocols;
use tls::suites::Suites;

use super::{Asked, Destination, Policies, Wish, names, server_name};
use crate::dane::Way;
use crate::external_policy::{External, Untaken};
use crate::secure::Reuse;

/// The names of OpenSSL's grades; all suites that there are here are of the highest.
const GRADES: [&str; 5] = ["export", "low", "medium", "high", "null"];

/// What the attributes of a policy say.
#[derive(Default)]
struct Attributes<'a> {
    /// Patterns of names, or fingerprints; `None` where nothing is said of them.
    matches: Option<Vec<String>>,
    anchors: Vec<&'a str>,
    external: External,
    reuse: Option<Reuse>,
    /// The names of those that may come once and have come.
    seen: Vec<String>,
}

impl Policies {
    /// Reads `level name=value...`; what cannot be understood is told in words.
    pub(super) fn read(&self, text: &str, destination: Destination<'_>) -> Result<Asked, String> {
        let words = config::value::words(text);
        let mut words = words.iter().map(String::as_str);
        let level = words.next().ok_or("invalid empty policy")?;
        let wish = Wish::named(level).ok_or_else(|| format!("invalid security level \"{level}\""))?;
        let mut policy = self.built(wish.level, destination);
        if policy.level == Level::None {
            for word in words {
                tracing::warn!("{}: ignoring attribute \"{word}\" with TLS disabled", self.place(destination));
            }
            return Ok(self.plain(wish, destination));
        }
        let mut said = Attributes::default();
        for word in words {
            said.take(word, (wish, &mut policy), destination)?;
        }
        if !said.external.is_sound() {
            return Err("attributes of an external policy without \"policy_type\"".to_owned());
        }
        if !said.anchors.is_empty() {
            policy.anchors = Some(read_anchors(&said.anchors)?.within(self.defaults.depth));
        }
        match said.matches {
            Some(digests) if policy.level == Level::Fingerprint => policy.fingerprints = digests,
            Some(patterns) => policy.names = names(&patterns, destination),
            None => {}
        }
        Ok(Asked { wish, policy, way: Way::Sure, external: said.external, reuse: said.reuse })
    }

    /// Where a policy stands, for the log.
    pub(super) fn place(&self, destination: Destination<'_>) -> String {
        format!("{}, next-hop destination \"{}\"", self.maps.parameter(), destination.nexthop)
    }
}

impl<'a> Attributes<'a> {
    fn take(
        &mut self,
        word: &'a str,
        (wish, policy): (Wish, &mut Policy),
        destination: Destination<'_>,
    ) -> Result<(), String> {
        let malformed = |why: &str| format!("malformed attribute/value pair \"{word}\": {why}");
        let pair = config::value::unbraced(word).unwrap_or(word).split_once('=');
        let (name, value) = pair.ok_or_else(|| malformed("missing '=' after attribute name"))?;
        let (given, value) = (name.trim(), value.trim());
        if given.is_empty() {
            return Err(malformed("missing attribute name"));
        }
        let name = given.to_ascii_lowercase();
        if matches!(name.as_str(), "match" | "ciphers" | "tafile") && value.is_empty() {
            return Err(format!("attribute \"{given}\" has empty value"));
        }
        if matches!(name.as_str(), "ciphers" | "protocols" | "servername" | "exclude") {
            if self.seen.contains(&name) {
                return Err(format!("attribute \"{given}\" is specified multiple times"));
            }
            self.seen.push(name.clone());
        }
        let misplaced = || format!("attribute \"{given}\" invalid at security level \"{}\"", wish.name());
        let bad = || format!("attribute \"{given}\" has bad value: \"{value}\"");
        match name.as_str() {
            "match" if policy.level == Level::Fingerprint => self.more(value.split('|')),
            "match" if wish.dane.is_none() && policy.level >= Level::Verify => self.more(value.split(':')),
            "tafile" if wish.dane.is_none() && policy.level >= Level::Verify => self.anchors.push(value),
            "match" | "tafile" => return Err(misplaced()),
            "protocols" => policy.protocols = Protocols::parse(value).unwrap_or_else(|error| never(&error)),
            "exclude" => policy.suites = Suites::without(&[value]),
            "servername" if dns::is_hostname(value) => policy.server_name = server_name(value, destination),
            "servername" => return Err(format!("\"{word}\" specifies an invalid hostname")),
            "ciphers" if GRADES.iter().any(|grade| grade.eq_ignore_ascii_case(value)) => {}
            "ciphers" => policy.protocols = never(&format!("invalid cipher grade: \"{value}\"")),
            "connection_reuse" => {
                let reuse = if is_yes(value).ok_or_else(bad)? { Reuse::Allowed } else { Reuse::Never };
                self.reuse = Some(reuse);
            }
            // Certificates are always shown.
            "enable_rpk" => is_yes(value).map(drop).ok_or_else(bad)?,
            name => self.external.take(name, value).map_err(|why| match why {
                Untaken::Unknown => format!("invalid attribute name: \"{given}\""),
                Untaken::Senseless => bad(),
            })?,
        }
        Ok(())
    }

    fn more<'b>(&mut self, values: impl Iterator<Item = &'b str>) {
        let values = values.filter(|value| !value.is_empty()).map(str::to_owned);
        self.matches.get_or_insert_default().extend(values);
    }
}

/// No handshake is made under what cannot be understood; mail that needs none goes in plain.
fn never(why: &dyn std::fmt::Display) -> Protocols {
    tracing::warn!("{why}");
    Protocols::none()
}

fn is_yes(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// The files of `tafile`, as they are now.
fn read_anchors(files: &[&str]) -> Result<Authorities, String> {
    Authorities::read_all(files.iter().copied(), "").map_err(|error| error.to_string())
}

/// The fingerprints that can be one; of others the log tells.
pub(super) fn well_formed(fingerprints: Vec<String>) -> Vec<String> {
    let (good, bad): (Vec<_>, Vec<_>) = fingerprints.into_iter().partition(|text| fingerprint::is_well_formed(text));
    for text in bad {
        tracing::warn!("malformed fingerprint value: {}", text.chars().take(384).collect::<String>());
    }
    good
}
