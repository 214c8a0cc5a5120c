//! The names of a certificate, and whether one of them is wanted. See `smtp_tls_verify_cert_match`.

use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

/// What a certificate says of its owner and issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Subject common name.
    pub subject: String,
    /// Issuer common name, or organisation.
    pub issuer: String,
    /// The DNS names of its subject alternative name.
    pub dns: Vec<String>,
}

/// What `*` stands for. See `tls_wildcard_matches_multiple_labels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wildcards {
    /// One label.
    OneLabel,
    /// One or more.
    AnyLabels,
}

impl Names {
    /// Reads a certificate in DER; one that does not parse has no names.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Self::default() };
        let common = |name: &X509Name<'_>| {
            let text = name.iter_common_name().next().or_else(|| name.iter_organization().next());
            let text = text.and_then(|attribute| attribute.as_str().ok());
            // Names get into headers, into the log and to other programs: one with line ends or the like is none.
            text.filter(|text| !text.chars().any(char::is_control)).unwrap_or_default().to_owned()
        };
        let mut dns = Vec::new();
        if let Ok(Some(alternative)) = parsed.subject_alternative_name() {
            for name in &alternative.value.general_names {
                if let GeneralName::DNSName(name) = name {
                    dns.push((*name).to_owned());
                }
            }
        }
        Self { subject: common(parsed.subject()), issuer: common(parsed.issuer()), dns }
    }

    /// The name that matches one of the wanted patterns: a host name, or `.domain` for any name below it. The common
    /// name counts only where there is no DNS name.
    #[must_use]
    pub fn matching(&self, wanted: &[String], wildcards: Wildcards) -> Option<&str> {
        let common = std::slice::from_ref(&self.subject);
        let names = if self.dns.is_empty() { common } else { &self.dns };
        names.iter().map(String::as_str).find(|name| wanted.iter().any(|pattern| matches(name, pattern, wildcards)))
    }
}

/// The keys under which a server's name is looked up in `tls_server_sni_maps`: the name, then each domain above it with a
/// dot before it.
pub fn lookup_keys(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |key| domain_above(key))
}

fn domain_above(key: &str) -> Option<&str> {
    let rest = key.get(1..)?;
    rest.get(rest.find('.')?..)
}

/// The bits of a certificate's RSA key; 0 if it has another.
pub(crate) fn rsa_bits(certificate: &[u8]) -> usize {
    let parsed = X509Certificate::from_der(certificate).ok();
    match parsed.as_ref().map(|(_, parsed)| parsed.public_key().parsed()) {
        Some(Ok(PublicKey::RSA(key))) => key.key_size(),
        _ => 0,
    }
}

/// The full names of a certificate's owner and issuer, as `/C=DE/O=Example/CN=mx.example.org`.
#[must_use]
pub fn distinguished(certificate: &[u8]) -> (String, String) {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Default::default() };
    (one_line(parsed.subject()), one_line(parsed.issuer()))
}

pub(crate) fn one_line(name: &X509Name<'_>) -> String {
    let mut out = String::new();
    for attribute in name.iter_attributes() {
        let kind = attribute.attr_type();
        let kind = oid2abbrev(kind, oid_registry()).map_or_else(|_| kind.to_id_string(), str::to_owned);
        let value = attribute.as_str().unwrap_or_default();
        out.push('/');
        out.push_str(&kind);
        out.push('=');
        out.extend(value.chars().map(|letter| if letter.is_control() { '?' } else { letter }));
    }
    out
}

/// Whether a certificate's name, which may begin with `*.`, fits a pattern.
fn matches(name: &str, pattern: &str, wildcards: Wildcards) -> bool {
    let (name, pattern) = (name.to_ascii_lowercase(), pattern.to_ascii_lowercase());
    if name.is_empty() || pattern.is_empty() || name.contains('\0') {
        return false;
    }
    if pattern.starts_with('.') {
        return name.strip_suffix(&pattern).is_some_and(|host| !host.is_empty());
    }
    if name == pattern {
        return true;
    }
    name.strip_prefix('*').is_some_and(|suffix| {
        let several = wildcards == Wildcards::AnyLabels;
        // Nobody owns all names below a top-level domain.
        suffix.starts_with('.')
            && suffix.matches('.').count() > 1
            && pattern
                .strip_suffix(suffix)
                .is_some_and(|labels| !labels.is_empty() && (several || !labels.contains('.')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_with_their_domains() {
        let keys = |name| lookup_keys(name).collect::<Vec<_>>();
        assert_eq!(keys("mx.a.test"), ["mx.a.test", ".a.test", ".test"]);
        assert_eq!(keys("localhost"), ["localhost"]);
        assert_eq!(keys(""), [""]);
    }

    #[test]
    fn names_match_as_in_postfix() {
        let cases = [
            ("mx.example.org", "mx.example.org", true, "the same"),
            ("MX.example.org", "mx.Example.ORG", true, "case"),
            ("mx.example.org.", "mx.example.org", false, "a final dot"),
            ("mx.example.org", ".example.org.", false, "a final dot of the pattern"),
            ("mx.example.org.", ".example.org", false, "a final dot below the domain"),
            ("example.org", ".example.org", false, "the domain itself"),
            ("*.example.org", ".example.org", true, "all below the domain"),
            ("*.org", "example.org", false, "a top-level domain"),
            ("mx.example.org", ".example.org", true, "below the domain"),
            ("example.org", "mx.example.org", false, "another host"),
            ("*.example.org", "mx.example.org", true, "one label"),
            ("*.example.org", "a.b.example.org", false, "two labels"),
            ("*.example.org", "example.org", false, "no label"),
            ("notexample.org", ".example.org", false, "not below"),
            ("", ".example.org", false, "no name"),
        ];
        for (name, pattern, expected, why) in cases {
            assert_eq!(matches(name, pattern, Wildcards::OneLabel), expected, "{why}: {name} {pattern}");
        }
        let several = |name, pattern| matches(name, pattern, Wildcards::AnyLabels);
        assert!(several("*.example.org", "a.b.example.org") && !several("*.example.org", "example.org"));
    }

    #[test]
    fn a_name_with_a_line_end_is_none() {
        let names = Names::of(include_bytes!("testdata/line-end.der"));
        assert_eq!((names.subject.as_str(), names.issuer.as_str()), ("", "Test Root"));
    }

    #[test]
    fn the_common_name_counts_only_without_dns_names() {
        let wanted = ["mx.example.org".to_owned()];
        let mut names = Names { subject: "mx.example.org".to_owned(), ..Names::default() };
        assert_eq!(names.matching(&wanted, Wildcards::OneLabel), Some("mx.example.org"));
        names.dns.push("other.example.org".to_owned());
        assert_eq!(names.matching(&wanted, Wildcards::OneLabel), None);
    }
}
