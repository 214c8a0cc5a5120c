//! What is told of a server's certificate.

use crate::plan::{Plan, Topic};
use crate::say;
use data_encoding::BASE64;
use std::io::Write;
use tls::client::{Level, Policy};
use tls::doubt::Doubt;
use tls::fingerprint::{Algorithm, Fingerprints};
use tls::names::{Names, distinguished};
use tls::summary::{Summary, Trust};

/// Letters of a line of PEM.
const PEM_WIDTH: usize = 64;

/// Tells the outcome of a handshake under `policy`.
pub(crate) fn report(summary: &Summary, name: &str, policy: &Policy, plan: &Plan) {
    let proof_wanted = policy.level >= Level::Fingerprint;
    let proven = summary.trust == Trust::Verified;
    if let Some(der) = summary.certificate.as_deref().filter(|_| !summary.resumed) {
        if proof_wanted && !proven {
            say(&doubt(summary, der, name, policy.level));
        }
        if plan.log.has(Topic::Matching) && proven {
            say(&format!("{name}: {}", matched(summary, der, policy)));
        }
        if plan.log.has(Topic::Certificate) || plan.log.has(Topic::Summary) {
            let Names { subject, issuer, .. } = &summary.names;
            let Fingerprints { certificate, public_key } = Fingerprints::of(der, policy.digest);
            say(&format!(
                "{name}: subject_CN={subject}, issuer_CN={issuer}, fingerprint={certificate}, \
                 pkey_fingerprint={public_key}"
            ));
        }
    }
    if plan.log.has(Topic::Cache) && summary.resumed {
        say(&format!("{name}: Reusing old session"));
    }
    if plan.log.has(Topic::Summary) {
        let is_known = summary.trust == Trust::Trusted;
        let trust = if is_known && proof_wanted { Trust::Untrusted } else { summary.trust };
        say(&format!("{trust} TLS connection established to {name}: {summary}"));
    }
}

/// Why a certificate does not prove who the server is, in the words of OpenSSL.
fn doubt(summary: &Summary, der: &[u8], name: &str, level: Level) -> String {
    if matches!(level, Level::Fingerprint | Level::Dane) && summary.doubt != Some(Doubt::Name) {
        return format!("server certificate verification failed for {name}: num=65:no matching DANE TLSA records");
    }
    if summary.trust >= Trust::Trusted || summary.doubt == Some(Doubt::Name) {
        return format!("server certificate verification failed for {name}: num=62:hostname mismatch");
    }
    let (subject, issuer) = distinguished(der);
    let reason =
        if subject == issuer { "self-signed certificate".into() } else { format!("untrusted issuer {issuer}") };
    format!("certificate verification failed for {name}: {reason}")
}

/// What has proved who the server is.
fn matched(summary: &Summary, der: &[u8], policy: &Policy) -> String {
    if policy.level == Level::Dane {
        return "Matched TLSA records".to_owned();
    }
    if policy.level != Level::Fingerprint {
        return format!(
            "matched peername: {}",
            summary.names.matching(&policy.names, policy.wildcards).unwrap_or_default()
        );
    }
    let Fingerprints { certificate, public_key } = Fingerprints::of(der, policy.digest);
    let is_listed = |digest: &String| policy.fingerprints.iter().any(|listed| listed.eq_ignore_ascii_case(digest));
    let digest = if is_listed(&certificate) { certificate } else { public_key };
    format!("Matched fingerprint: {}", digest.replace(':', ""))
}

/// Prints the chain of certificates that a server has sent.
pub(crate) fn print<D: AsRef<[u8]>>(chain: &[D], digest: Algorithm) {
    let mut out = String::from("\n---\nCertificate chain\n");
    for (depth, der) in chain.iter().enumerate() {
        pem(&mut out, depth, der.as_ref(), digest);
    }
    // Where nobody reads, nothing is lost.
    let _ = write!(std::io::stdout(), "{out}");
}

fn pem(out: &mut String, depth: usize, der: &[u8], digest: Algorithm) {
    let (subject, issuer) = distinguished(der);
    let Fingerprints { certificate, public_key } = Fingerprints::of(der, digest);
    let text = BASE64.encode(der);
    out.push_str(&format!(
        "{depth:2} subject: {subject}\n    issuer: {issuer}\n   cert digest={certificate}\n   pkey digest={public_key}\n\
         -----BEGIN CERTIFICATE-----\n"
    ));
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(PEM_WIDTH));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END CERTIFICATE-----\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_printed_in_lines() {
        let mut text = String::new();
        pem(&mut text, 1, &[7; 100], Algorithm::Sha256);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.first(), Some(&" 1 subject: "));
        let widths: Vec<usize> = lines.iter().skip(5).map(|line| line.len()).collect();
        assert_eq!(widths, [64, 64, 8, "-----END CERTIFICATE-----".len()]);
    }
}
