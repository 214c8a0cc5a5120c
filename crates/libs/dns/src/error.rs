//! Lookup failures: what Postfix says of them, and the status that a recipient gets.

use dsn::Status;

use crate::Kind;

/// Why a lookup gave no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The name does not exist.
    NotFound,
    /// The name exists, without records of the type.
    NoData,
    /// No server answered, or they had trouble.
    TryAgain,
    /// The servers refuse the query as such.
    NoRecovery,
    /// The answer does not parse.
    Garbled,
    /// Names in the answer are no host names.
    Malformed,
    /// Aliases lead round in a circle, or on and on.
    Loop,
    /// The name asked for is not a domain name.
    BadName,
    /// The domain says that it takes no mail (RFC 7505).
    NullMx,
    /// The service is not offered at the domain (an SRV record with the root as target).
    NullSrv,
    /// A reply filter dropped every record.
    Filtered,
    /// A reply filter failed, or asked for what nobody knows.
    FilterFault,
}

/// A lookup that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Error {
    /// Why.
    pub failure: Failure,
    /// The name that was looked up.
    pub name: String,
    /// The type that was looked up.
    pub kind: Kind,
    /// How many seconds it holds that there is no such name or record, where the server says so (RFC 2308).
    pub negative_ttl: Option<u32>,
}

impl Error {
    /// A failure of the lookup of `name`.
    #[must_use]
    pub fn new(failure: Failure, name: &str, kind: Kind) -> Self {
        Self { failure, name: name.to_owned(), kind, negative_ttl: None }
    }

    /// The status of a recipient whose destination failed in this way.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.failure {
            Failure::NotFound | Failure::NoData | Failure::BadName | Failure::Malformed | Failure::Loop => {
                Status::permanent(4, 4)
            }
            Failure::TryAgain | Failure::Garbled | Failure::FilterFault => Status::temporary(4, 3),
            Failure::NoRecovery => Status::permanent(4, 3),
            Failure::NullMx | Failure::NullSrv => Status::permanent(1, 0),
            Failure::Filtered => Status::temporary(7, 0),
        }
    }

    /// Whether a later attempt may give another answer.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self.failure {
            Failure::TryAgain | Failure::Garbled | Failure::Filtered | Failure::FilterFault => true,
            Failure::NotFound
            | Failure::NoData
            | Failure::NoRecovery
            | Failure::Malformed
            | Failure::Loop
            | Failure::BadName
            | Failure::NullMx
            | Failure::NullSrv => false,
        }
    }

    /// Whether the servers say that there is no such name or record.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self.failure, Failure::NotFound | Failure::NoData | Failure::BadName)
    }

    /// The words of the system's own resolver, as they stand in warnings about client names.
    #[must_use]
    pub fn native_text(&self) -> &'static str {
        match self.failure {
            Failure::TryAgain | Failure::Garbled | Failure::Filtered | Failure::FilterFault => {
                "Temporary failure in name resolution"
            }
            Failure::NoData => "No address associated with hostname",
            Failure::NoRecovery | Failure::Malformed | Failure::Loop => "Non-recoverable failure in name resolution",
            Failure::NotFound | Failure::BadName | Failure::NullMx | Failure::NullSrv => "Name or service not known",
        }
    }

    /// What the name servers said, in few words.
    #[must_use]
    pub fn said(&self) -> &'static str {
        match self.failure {
            Failure::NullMx => "Domain does not accept mail (nullMX)",
            Failure::NullSrv => "Service is not available (nullSRV)",
            Failure::Filtered => "DNS reply filter drops all results",
            Failure::FilterFault => "Invalid DNS reply filter syntax",
            Failure::BadName => "invalid host or domain name",
            Failure::Garbled | Failure::Malformed => "Malformed or unexpected name server reply",
            Failure::Loop => "Name server loop",
            Failure::NotFound => "Host not found",
            Failure::NoData => "Host found but no data record of requested type",
            Failure::TryAgain => "Host not found, try again",
            Failure::NoRecovery => "Non-recoverable error",
        }
    }

    fn text(&self) -> String {
        let (Self { failure, name, kind, .. }, said) = (self, self.said());
        match failure {
            Failure::NullMx => return format!("Domain {name} does not accept mail (nullMX)"),
            Failure::NullSrv => return format!("Service {name} is not available (nullSRV)"),
            Failure::Filtered | Failure::FilterFault => {
                return format!("Error looking up name={name} type={kind}: {said}");
            }
            Failure::BadName => return format!("Name service error for {name}: {said}"),
            Failure::Loop => return format!("{said} for {name}"),
            Failure::Garbled
            | Failure::Malformed
            | Failure::NotFound
            | Failure::NoData
            | Failure::TryAgain
            | Failure::NoRecovery => {}
        }
        let prefix = if matches!(failure, Failure::Garbled | Failure::Malformed) {
            ""
        } else {
            "Host or domain name not found. "
        };
        format!("{prefix}Name service error for name={name} type={kind}: {said}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_status_are_those_of_postfix() {
        for (failure, kind, status, text) in [
            (
                Failure::NotFound,
                Kind::Mx,
                "5.4.4",
                "Host or domain name not found. Name service error for name=x.test type=MX: Host not found",
            ),
            (
                Failure::NoData,
                Kind::A,
                "5.4.4",
                "Host or domain name not found. Name service error for name=x.test type=A: \
                 Host found but no data record of requested type",
            ),
            (
                Failure::TryAgain,
                Kind::Aaaa,
                "4.4.3",
                "Host or domain name not found. Name service error for name=x.test type=AAAA: Host not found, try again",
            ),
            (
                Failure::Garbled,
                Kind::Mx,
                "4.4.3",
                "Name service error for name=x.test type=MX: Malformed or unexpected name server reply",
            ),
            (
                Failure::Malformed,
                Kind::Mx,
                "5.4.4",
                "Name service error for name=x.test type=MX: Malformed or unexpected name server reply",
            ),
            (Failure::Loop, Kind::Mx, "5.4.4", "Name server loop for x.test"),
            (Failure::NullMx, Kind::Mx, "5.1.0", "Domain x.test does not accept mail (nullMX)"),
        ] {
            let error = Error::new(failure, "x.test", kind);
            assert_eq!(error.to_string(), text);
            assert_eq!(error.status().to_string(), status);
        }
    }
}
