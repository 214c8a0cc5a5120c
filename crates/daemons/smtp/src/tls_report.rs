//! What came of TLS with the hosts of domains that want to know it (RFC 8460): `smtp_tlsrpt_enable`.
//!
//! A domain asks for reports with a TXT record at `_smtp._tls`. What became of each handshake with one of its hosts goes to a
//! collector on this machine, as one datagram of JSON in the form of the library libtlsrpt; the collector's side makes daily reports of them.
//! A delivery neither waits for the collector nor fails because of it.

use std::borrow::Cow;
use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use dns::{Data, Kind, Resolver};
use tls::client::{Level, Policy};
use tls::dane::Association;
use tls::doubt::Doubt;
use tls::summary::{Summary, Trust};
use tracing::{info, warn};

use crate::external_policy::{External, Found};
use crate::peer::Peer;

/// How the records of RFC 8460 begin.
const VERSION: &str = "v=TLSRPTv1";
/// What no more is known of: the handshake as such.
const HANDSHAKE: &str = "tls-handshake-failure";
const UNUSABLE: &str = "all-TLSA-records-unusable";

/// Where reports go.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// `smtp_tlsrpt_socket_name`
    pub socket: PathBuf,
    /// `smtp_tlsrpt_skip_reused_handshakes`
    pub resumed: Resumed,
}

/// What becomes of handshakes that resume an earlier session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// They are reported like others.
    Reported,
    /// The first one of the session has been.
    Skipped,
}

/// A domain that wants reports.
#[derive(Debug, Clone)]
pub struct Subject {
    /// In ASCII.
    domain: String,
    /// What it says about them.
    record: String,
}

/// Why there was no TLS, or not the TLS that is wanted (RFC 8460, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The server has none.
    NotSupported,
    /// The certificate has another name.
    HostMismatch,
    /// Nobody known vouches for it.
    NotTrusted,
    /// Its time is over.
    Expired,
    /// Anything else.
    Validation,
    /// The policy of MTA-STS could not be fetched.
    StsFetch,
    /// It makes no sense.
    StsInvalid,
    /// Its web server could not be believed.
    StsWebPki,
    /// No TLSA record can be used.
    TlsaInvalid,
}

/// The policy that a handshake is measured by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Measure {
    /// 1 is DANE, 2 MTA-STS, 9 none.
    kind: u8,
    domain: Option<String>,
    strings: Vec<String>,
    hosts: Vec<String>,
}

/// What there is to report to, and about, for one server.
#[derive(Debug)]
pub struct Case<'a> {
    reporter: &'a Reporter,
    subject: Subject,
    measure: Measure,
    are_unusable: bool,
}

/// The connection that a report is about.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'a> {
    /// The server.
    pub peer: &'a Peer,
    /// Our own address.
    pub local: Option<IpAddr>,
    /// The server's reply to EHLO before the handshake.
    pub hello: &'a [u8],
}

impl Reporter {
    /// The domain as one that wants reports, if it does.
    pub async fn asked_by(&self, resolver: &Resolver, domain: &str) -> Option<Subject> {
        let domain = address::domain::to_ascii(domain.as_bytes()).unwrap_or_else(|| domain.to_owned());
        let answer = match resolver.lookup(&format!("_smtp._tls.{domain}"), Kind::Txt).await {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return None,
            Err(error) => {
                warn!("TLSRPT support: policy lookup failed for {domain}: {error}");
                return None;
            }
        };
        let texts = answer.records.iter().filter_map(|record| {
            let Data::Txt(text) = &record.data else { return None };
            Some(String::from_utf8_lossy(text))
        });
        only_record(&domain, texts).map(|record| Subject { domain, record })
    }

    /// What is reported of the connections with a server, by the policy that they must meet.
    #[must_use]
    pub fn case(&self, subject: Subject, policy: &Policy, external: &External) -> Case<'_> {
        let are_unusable = policy.level == Level::Encrypt && !policy.associations.is_empty();
        Case { reporter: self, subject, measure: Measure::of(policy, external), are_unusable }
    }

    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to(datagram, &self.socket).map(drop)
    }
}

/// The one record that is a policy for reports.
fn only_record<'a>(domain: &str, texts: impl Iterator<Item = Cow<'a, str>>) -> Option<String> {
    let mut found = None;
    for text in texts {
        let Some(rest) = text.strip_prefix(VERSION) else { continue };
        if !rest.trim_start_matches([' ', '\t']).starts_with(';') {
            warn!("TLSRPT support: ignoring malformed policy for {domain}: \"{text}\"");
        } else if found.replace(text.into_owned()).is_some() {
            warn!("TLSRPT support: Too many TLSRPT policies for {domain}");
            return None;
        }
    }
    found
}

impl Measure {
    fn of(policy: &Policy, external: &External) -> Self {
        if !policy.associations.is_empty() {
            let strings = policy.associations.iter().map(announced).collect();
            return Self { kind: 1, domain: policy.names.first().cloned(), strings, hosts: Vec::new() };
        }
        if external.found() == Some(Found::Sts) {
            let (domain, strings, hosts) = external.described();
            return Self { kind: 2, domain, strings, hosts };
        }
        Self { kind: 9, domain: None, strings: Vec::new(), hosts: Vec::new() }
    }
}

fn announced(record: &Association) -> String {
    let mut text = format!("{} {} {} ", record.usage, record.selector, record.matching);
    for byte in &record.data {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

impl Case<'_> {
    /// There was no TLS, or not enough.
    pub fn failed(&self, connection: Connection<'_>, cause: Cause) {
        self.report(connection, Some((cause, cause.reason())));
    }

    /// A handshake that ended well, seen by what was wanted of it.
    pub fn shaken(&self, connection: Connection<'_>, summary: &Summary, cause: Option<Cause>) {
        if cause.is_none() && self.are_unusable {
            self.failed(connection, Cause::TlsaInvalid);
        } else if cause.is_some() || !summary.resumed || self.reporter.resumed == Resumed::Reported {
            self.report(connection, cause.map(|cause| (cause, None)));
        }
    }

    fn report(&self, connection: Connection<'_>, failure: Option<(Cause, Option<&str>)>) {
        let (domain, peer) = (&self.subject.domain, connection.peer);
        match failure {
            None => info!("TLSRPT: status=success, domain={domain}, receiving_mx={peer}"),
            Some((cause, reason)) => {
                let reason = reason.map_or_else(String::new, |reason| format!(", failure_reason={reason}"));
                let name = cause.name();
                info!("TLSRPT: status=failure, domain={domain}, receiving_mx={peer}, failure_type={name}{reason}");
            }
        }
        let datagram = self.datagram(connection, failure);
        if let Err(error) = self.reporter.send(datagram.as_bytes()) {
            let number = error.raw_os_error().unwrap_or_default();
            let words = crate::stream::describe(&error);
            warn!("Could not report TLS handshake result to tlsrpt library: {words} (errno {number})");
        }
    }

    fn datagram(&self, connection: Connection<'_>, failure: Option<(Cause, Option<&str>)>) -> String {
        let Self { subject, measure, .. } = self;
        let mut policy = vec![("policy-type", measure.kind.to_string())];
        policy.extend(measure.domain.iter().map(|domain| ("policy-domain", quoted(domain))));
        for (name, items) in [("policy-string", &measure.strings), ("mx-host", &measure.hosts)] {
            if !items.is_empty() {
                policy.push((name, list(items.iter().map(|item| quoted(item)))));
            }
        }
        policy.extend(failure.map(|failure| ("failure-details", list([details(connection, failure)].into_iter()))));
        policy.push(("t", u8::from(failure.is_some()).to_string()));
        policy.push(("f", u8::from(failure.is_some()).to_string()));
        object(&[
            ("dpv", quoted("1")),
            ("d", quoted(&subject.domain)),
            ("pr", quoted(&subject.record)),
            ("policies", list([object(&policy)].into_iter())),
        ])
    }
}

fn details(connection: Connection<'_>, (cause, reason): (Cause, Option<&str>)) -> String {
    let Connection { peer, local, hello } = connection;
    let mut details = vec![("c", cause.code().to_string())];
    details.extend(local.map(|address| ("s", quoted(&address.to_string()))));
    details.push(("n", quoted(&peer.name)));
    if !hello.is_empty() {
        details.push(("h", quoted(&String::from_utf8_lossy(hello).replace('\n', "\r\n"))));
    }
    details.extend(peer.address().map(|address| ("r", quoted(&address.to_string()))));
    details.extend(reason.map(|reason| ("f", quoted(reason))));
    object(&details)
}

/// What makes a certificate unfit.
#[must_use]
pub fn cause(summary: &Summary) -> Cause {
    match (&summary.doubt, summary.trust) {
        (Some(Doubt::Expired), _) => Cause::Expired,
        (_, Trust::Trusted | Trust::Verified) => Cause::HostMismatch,
        (_, Trust::Anonymous | Trust::Untrusted) => Cause::NotTrusted,
    }
}

impl Cause {
    /// What a plug-in for MTA-STS may say, by its name there.
    #[must_use]
    pub fn of_policy(name: &str) -> Option<Self> {
        match name {
            "sts-policy-fetch-error" => Some(Self::StsFetch),
            "sts-policy-invalid" => Some(Self::StsInvalid),
            "sts-webpki-invalid" => Some(Self::StsWebPki),
            "validation-failure" => Some(Self::Validation),
            _ => None,
        }
    }

    /// The number that collectors know it by.
    const fn code(self) -> u16 {
        match self {
            Self::NotSupported => 201,
            Self::HostMismatch => 202,
            Self::NotTrusted => 203,
            Self::Expired => 204,
            Self::Validation => 205,
            Self::StsFetch => 301,
            Self::StsInvalid => 302,
            Self::StsWebPki => 303,
            Self::TlsaInvalid => 304,
        }
    }

    /// Its name in the log.
    const fn name(self) -> &'static str {
        match self {
            Self::NotSupported => "starttls_not_supported",
            Self::HostMismatch => "certificate_host_mismatch",
            Self::NotTrusted => "certificate_not_trusted",
            Self::Expired => "certificate_expired",
            Self::Validation => "validation_failure",
            Self::StsFetch => "sts_policy_fetch_error",
            Self::StsInvalid => "sts_policy_invalid",
            Self::StsWebPki => "sts_webpki_invalid",
            Self::TlsaInvalid => "tlsa_invalid",
        }
    }

    /// What is said besides, where the name tells little.
    fn reason(self) -> Option<&'static str> {
        let said = [(Self::Validation, HANDSHAKE), (Self::TlsaInvalid, UNUSABLE)];
        said.into_iter().find(|(cause, _)| *cause == self).map(|(_, reason)| reason)
    }
}

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// A string of JSON (RFC 8259, section 7).
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for found in text.chars() {
        match found {
            '"' | '\\' => quoted.extend(['\\', found]),
            found if found < ' ' || found == '\u{7f}' => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(found));
            }
            found => quoted.push(found),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_quoted() {
        assert_eq!(quoted("a \"b\" \\c\r\n\u{1}\u{7f}\u{e9}"), r#""a \"b\" \\c\u000d\u000a\u0001\u007fé""#);
    }
}
