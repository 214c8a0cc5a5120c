//! `*_tls_protocols` and `*_tls_mandatory_protocols`, mapped onto what rustls has: TLS 1.2 and 1.3.

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

/// The protocol versions in order; only the last two exist here.
const VERSIONS: [&str; 6] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/// What a protocol list admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocols {
    admitted: [bool; 6],
}

/// A word that names no protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid TLS protocol list {0:?}")]
pub struct Malformed(pub String);

impl Protocols {
    /// Parses `>=TLSv1.2`, `<=TLSv1.3`, `!SSLv3 TLSv1.2`, and the like.
    ///
    /// # Errors
    /// A word that is none of these.
    pub fn parse(list: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed(list.to_owned());
        let mut excluded = [false; 6];
        let mut included = [false; 6];
        let words = list.split([',', ' ', ':', '\t', '\n']).filter(|word| !word.is_empty());
        for word in words {
            let (first, name) = bound(word);
            let at = position(name).ok_or_else(malformed)?;
            for (index, (out, within)) in excluded.iter_mut().zip(&mut included).enumerate() {
                match first {
                    Bound::Least => *out |= index < at,
                    Bound::Most => *out |= index > at,
                    Bound::Not => *out |= index == at,
                    Bound::Is => *within |= index == at,
                }
            }
        }
        let any = included.contains(&true);
        let mut admitted = [false; 6];
        for ((admit, out), within) in admitted.iter_mut().zip(excluded).zip(included) {
            *admit = !out && (within || !any);
        }
        Ok(Self { admitted })
    }

    /// No version at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { admitted: [false; 6] }
    }

    /// The versions for rustls; none means that no handshake is possible.
    #[must_use]
    pub fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let [.., tls12, tls13] = self.admitted;
        [(tls13, &TLS13), (tls12, &TLS12)]
            .into_iter()
            .filter(|(admitted, _)| *admitted)
            .map(|(_, version)| version)
            .collect()
    }
}

enum Bound {
    Least,
    Most,
    Not,
    Is,
}

fn bound(word: &str) -> (Bound, &str) {
    for (prefix, bound) in [(">=", Bound::Least), ("<=", Bound::Most), ("!", Bound::Not)] {
        if let Some(name) = word.strip_prefix(prefix) {
            return (bound, name);
        }
    }
    (Bound::Is, word)
}

/// By name, or by OpenSSL's hexadecimal number.
fn position(name: &str) -> Option<usize> {
    let number = name.strip_prefix("0x").and_then(|digits| u16::from_str_radix(digits, 16).ok());
    match number {
        Some(number @ 0x0301..=0x0304) => Some(usize::from(number - 0x0301) + 2),
        Some(0x0300) => Some(1),
        Some(_) => None,
        None => VERSIONS.iter().position(|version| version.eq_ignore_ascii_case(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_admit_versions() {
        let cases: [(&str, &[&str]); 8] = [
            (">=TLSv1", &["TLSv1_3", "TLSv1_2"]),
            (">=TLSv1.3", &["TLSv1_3"]),
            ("!SSLv2, !SSLv3, !TLSv1.3", &["TLSv1_2"]),
            ("TLSv1.2", &["TLSv1_2"]),
            ("<=TLSv1.1", &[]),
            (">=TLSv1.2, <=0x0303", &["TLSv1_2"]),
            ("", &["TLSv1_3", "TLSv1_2"]),
            ("tlsv1.2:TLSv1.3", &["TLSv1_3", "TLSv1_2"]),
        ];
        for (list, expected) in cases {
            let versions: Vec<_> = Protocols::parse(list)
                .unwrap()
                .versions()
                .iter()
                .map(|version| format!("{:?}", version.version))
                .collect();
            assert_eq!(versions, expected, "{list}");
        }
        assert!(Protocols::parse("TLSv9").is_err());
    }

    proptest! {
        #[test]
        fn any_list_is_parsed_or_refused(list in ".{0,40}") {
            let _ = Protocols::parse(&list);
        }
    }
}
