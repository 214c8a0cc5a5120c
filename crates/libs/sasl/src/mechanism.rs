//! What is known of a mechanism, and which of them `*_sasl_security_options` let through.

use std::collections::BTreeSet;

use crate::scram::Hash;

/// A property of a mechanism that security options may exclude or want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// The password passes in clear text.
    Plaintext,
    /// Subject to active attacks (no server authentication).
    Active,
    /// Subject to passive dictionary attacks.
    Dictionary,
    /// Allows anonymous logins.
    Anonymous,
    /// Has forward secrecy.
    ForwardSecrecy,
    /// Authenticates both sides.
    MutualAuth,
}

/// A mechanism that a server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mechanism {
    /// Its registered name, in upper case.
    pub name: String,
    /// What it is like.
    pub properties: BTreeSet<Property>,
}

/// The value of a security options parameter, parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityOptions {
    refused: BTreeSet<Property>,
    wanted: BTreeSet<Property>,
}

/// A word that is no security option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown SASL security option: {0}")]
pub struct UnknownOption(pub String);

impl SecurityOptions {
    /// Parses words such as `noanonymous` and `noplaintext`.
    ///
    /// # Errors
    /// A word that is none of the known ones.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownOption> {
        let mut options = Self::default();
        for word in words {
            match word.to_ascii_lowercase().as_str() {
                "noplaintext" => options.refused.insert(Property::Plaintext),
                "noactive" => options.refused.insert(Property::Active),
                "nodictionary" => options.refused.insert(Property::Dictionary),
                "noanonymous" => options.refused.insert(Property::Anonymous),
                "forward_secrecy" => options.wanted.insert(Property::ForwardSecrecy),
                "mutual_auth" => options.wanted.insert(Property::MutualAuth),
                _ => return Err(UnknownOption(word.to_owned())),
            };
        }
        Ok(options)
    }

    /// Whether a mechanism may be used.
    #[must_use]
    pub fn admit(&self, properties: &BTreeSet<Property>) -> bool {
        self.refused.is_disjoint(properties) && self.wanted.is_subset(properties)
    }
}

/// What is known of the mechanisms that clients here can use, by name.
#[must_use]
pub fn known(name: &str) -> BTreeSet<Property> {
    use Property::{Active, Dictionary, MutualAuth, Plaintext};
    let list: &[Property] = match name {
        "PLAIN" | "LOGIN" => &[Plaintext, Active, Dictionary],
        "CRAM-MD5" => &[Active, Dictionary],
        _ if Hash::of_mechanism(name).is_some() => &[Dictionary, MutualAuth],
        _ => &[],
    };
    list.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_exclude_by_property() {
        let cases: [(&[&str], &str, bool, &str); 8] = [
            (&["noanonymous"], "PLAIN", true, "plain names a user"),
            (&["noanonymous", "noplaintext"], "PLAIN", false, "plain shows the password"),
            (&["noplaintext"], "CRAM-MD5", true, "a digest does not"),
            (&["mutual_auth"], "CRAM-MD5", false, "the server is not authenticated"),
            (&[], "LOGIN", true, "nothing is excluded"),
            (&["noplaintext", "noactive"], "SCRAM-SHA-256", true, "nobody learns the password"),
            (&["mutual_auth"], "SCRAM-SHA-1", true, "the server has to know the password"),
            (&["nodictionary"], "SCRAM-SHA-512", false, "who listens may try passwords"),
        ];
        for (words, name, admitted, why) in cases {
            let options = SecurityOptions::parse(words.iter().copied()).unwrap();
            assert_eq!(options.admit(&known(name)), admitted, "{why}");
        }
        assert!(SecurityOptions::parse(["nosuch"]).is_err());
    }
}
