//! Resource records as callers see them: names without the final dot, bounded and checked.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A record type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Mail exchanger.
    Mx,
    /// Name of an address.
    Ptr,
    /// Text.
    Txt,
    /// Certificate association (RFC 6698).
    Tlsa,
    /// Service location (RFC 2782).
    Srv,
    /// Name server.
    Ns,
    /// Start of authority; only its existence is told.
    Soa,
}

impl Kind {
    const ALL: [Self; 9] =
        [Self::A, Self::Aaaa, Self::Mx, Self::Ptr, Self::Txt, Self::Tlsa, Self::Srv, Self::Ns, Self::Soa];

    /// By its name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.to_string().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Ptr => "PTR",
            Self::Txt => "TXT",
            Self::Tlsa => "TLSA",
            Self::Srv => "SRV",
            Self::Ns => "NS",
            Self::Soa => "SOA",
        })
    }
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// An A or AAAA record.
    Address(IpAddr),
    /// A mail exchanger.
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// The host.
        exchange: String,
    },
    /// The name of an address.
    Ptr(String),
    /// Text; the strings of the record joined.
    Txt(Vec<u8>),
    /// A certificate association.
    Tlsa {
        /// 0 to 3; 2 is a trust anchor, 3 the server's own key.
        usage: u8,
        /// 0 whole certificate, 1 public key.
        selector: u8,
        /// 0 verbatim, 1 SHA-256, 2 SHA-512.
        matching: u8,
        /// The data to match.
        data: Vec<u8>,
    },
    /// A service.
    Srv {
        /// Lower is tried first.
        priority: u16,
        /// Share among equals.
        weight: u16,
        /// Port.
        port: u16,
        /// The host.
        target: String,
    },
    /// A name server.
    Ns(String),
    /// The zone's primary name server.
    Soa(String),
}

/// One record of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Owner, after aliases, without the final dot.
    pub name: String,
    /// Seconds that it may be kept.
    pub ttl: u32,
    /// What it holds.
    pub data: Data,
}

impl Record {
    /// The type of the record.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.data {
            Data::Address(IpAddr::V4(_)) => Kind::A,
            Data::Address(IpAddr::V6(_)) => Kind::Aaaa,
            Data::Mx { .. } => Kind::Mx,
            Data::Ptr(_) => Kind::Ptr,
            Data::Txt(_) => Kind::Txt,
            Data::Tlsa { .. } => Kind::Tlsa,
            Data::Srv { .. } => Kind::Srv,
            Data::Ns(_) => Kind::Ns,
            Data::Soa(_) => Kind::Soa,
        }
    }
}

/// As `smtp_dns_reply_filter` and its like see a record.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {} IN {} ", self.name, self.ttl, self.kind())?;
        match &self.data {
            Data::Address(address) => write!(f, "{address}"),
            Data::Mx { preference, exchange } => write!(f, "{preference} {exchange}."),
            Data::Ptr(name) | Data::Ns(name) | Data::Soa(name) => write!(f, "{name}."),
            Data::Txt(text) => f.write_str(&String::from_utf8_lossy(text)),
            Data::Tlsa { usage, selector, matching, data } => {
                write!(f, "{usage} {selector} {matching} ")?;
                data.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
            }
            Data::Srv { priority, weight, port, target } => write!(f, "{priority} {weight} {port} {target}."),
        }
    }
}

/// The records of one type at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The owner of the records: the name asked for, or what its aliases lead to.
    pub name: String,
    /// At least one record, all of the type asked for.
    pub records: Vec<Record>,
    /// The resolver says that the answer was validated (AD).
    pub authentic: bool,
}

impl Answer {
    /// The addresses in the answer.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.records.iter().filter_map(|record| match record.data {
            Data::Address(address) => Some(address),
            Data::Mx { .. }
            | Data::Ptr(_)
            | Data::Txt(_)
            | Data::Tlsa { .. }
            | Data::Srv { .. }
            | Data::Ns(_)
            | Data::Soa(_) => None,
        })
    }
}

/// Whether a name may name a host or a mail domain: labels of letters, digits, `-` and `_`, not all numeric.
#[must_use]
pub fn is_hostname(name: &str) -> bool {
    address::domain::is_written_hostname(name)
}

/// Whether a name is an address in its text form.
pub(crate) fn is_address(name: &str) -> bool {
    name.parse::<Ipv4Addr>().is_ok() || name.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_print_as_zone_lines() {
        let record = |data| Record { name: "x.test".into(), ttl: 60, data };
        let mx = Data::Mx { preference: 10, exchange: "mx.x.test".into() };
        assert_eq!(record(mx).to_string(), "x.test. 60 IN MX 10 mx.x.test.");
        let a = Data::Address(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(record(a).to_string(), "x.test. 60 IN A 127.0.0.1");
        let tlsa = Data::Tlsa { usage: 3, selector: 1, matching: 1, data: vec![0xab, 1] };
        assert_eq!(record(tlsa).to_string(), "x.test. 60 IN TLSA 3 1 1 AB01");
    }
}
