//! What a plug-in for MTA-STS (RFC 8461) tells about the policy that it has found, as further attributes of a value of
//! `smtp_tls_policy_maps`.
//!
//! A plug-in has to turn the host patterns of a policy into names for certificates, and so any listed host could stand for
//! any other. With its own patterns the client goes only to hosts that they allow, and each has to show its own name.

use crate::tls_report::Cause;

/// The attributes that describe a policy made elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct External {
    found: Option<Found>,
    /// The domain that has the policy.
    domain: Option<String>,
    /// The policy's own lines.
    strings: Vec<String>,
    /// Patterns of the hosts that may have the domain's mail.
    hosts: Vec<String>,
    /// Why the policy cannot be met, whatever a server shows.
    failure: Option<Cause>,
    /// Whether something was said besides the kind.
    detailed: bool,
}

/// `policy_type` (RFC 8460, section 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A policy of MTA-STS.
    Sts,
    /// None.
    Nothing,
}

/// Why an attribute is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untaken {
    /// It is none of these.
    Unknown,
    /// Its value is none.
    Senseless,
}

impl External {
    /// Takes an attribute in.
    ///
    /// # Errors
    /// It is another's, or makes no sense.
    pub fn take(&mut self, name: &str, value: &str) -> Result<(), Untaken> {
        if name == "policy_type" {
            self.found = Some(match value {
                "sts" => Found::Sts,
                "no-policy-found" => Found::Nothing,
                _ => return Err(Untaken::Senseless),
            });
            return Ok(());
        }
        self.detailed = true;
        let makes_sense = match name {
            "policy_ttl" => value.parse::<u32>().is_ok(),
            "policy_domain" => {
                self.domain = Some(value.to_owned());
                dns::is_hostname(value)
            }
            "policy_failure" => {
                self.failure = Cause::of_policy(value);
                self.failure.is_some()
            }
            "policy_string" => {
                self.strings.push(value.to_owned());
                true
            }
            "mx_host_pattern" => {
                self.hosts.push(value.to_owned());
                true
            }
            _ => return Err(Untaken::Unknown),
        };
        if makes_sense { Ok(()) } else { Err(Untaken::Senseless) }
    }

    /// Whether the attributes belong together: only what was made elsewhere is described.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.found.is_some() || !self.detailed
    }

    /// What was found.
    #[must_use]
    pub const fn found(&self) -> Option<Found> {
        self.found
    }

    /// Why no server can meet the policy (`policy_failure`).
    #[must_use]
    pub const fn failure(&self) -> Option<Cause> {
        self.failure
    }

    /// The policy as reports show it: its domain, its lines, its patterns of hosts.
    #[must_use]
    pub fn described(&self) -> (Option<String>, Vec<String>, Vec<String>) {
        (self.domain.clone(), self.strings.clone(), self.hosts.clone())
    }

    /// Whether it says itself to which hosts the mail may go.
    #[must_use]
    pub fn names_hosts(&self) -> bool {
        self.found == Some(Found::Sts) && !self.hosts.is_empty()
    }

    /// Whether a host is among those: by its name, or where `*.` stands for its first label.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        self.hosts.iter().any(|pattern| match pattern.strip_prefix('*') {
            Some(rest) => {
                let parent = host.find('.').filter(|dot| *dot > 0).and_then(|dot| host.get(dot..));
                parent.is_some_and(|parent| parent.eq_ignore_ascii_case(rest))
            }
            None => pattern.eq_ignore_ascii_case(host),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_allowed_by_pattern() {
        let mut policy = External::default();
        for (name, value) in
            [("policy_type", "sts"), ("mx_host_pattern", "example.com"), ("mx_host_pattern", "*.Example.com")]
        {
            policy.take(name, value).unwrap();
        }
        assert!(policy.names_hosts() && policy.is_sound());
        for (host, expected) in [
            ("example.com", true),
            ("mail.example.com", true),
            ("MAIL.EXAMPLE.COM", true),
            (".example.com", false),
            ("foo.bar.example.com", false),
            ("example.org", false),
            ("com", false),
            ("", false),
        ] {
            assert_eq!(policy.allows(host), expected, "{host}");
        }
    }

    #[test]
    fn attributes_have_to_make_sense() {
        for (name, value, expected) in [
            ("policy_type", "dane", false),
            ("policy_ttl", "86400", true),
            ("policy_ttl", "1d", false),
            ("policy_domain", "example.com", true),
            ("policy_domain", "a b", false),
            ("policy_failure", "sts-policy-invalid", true),
            ("policy_failure", "other", false),
            ("policy_string", "version: STSv1", true),
            ("policy", "x", false),
        ] {
            let mut policy = External::default();
            assert_eq!(policy.take(name, value).is_ok(), expected, "{name}={value}");
            assert!(!expected || !policy.is_sound());
        }
    }
}
