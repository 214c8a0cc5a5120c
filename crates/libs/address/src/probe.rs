//! The sender of address probes, which may change with time (`address_verify_sender_ttl`).

/// Digits of the part that changes: no vowels, so that it makes no words.
const DIGITS: &[u8; 31] = b"0123456789BCDFGHJKLMNPQRSTVWXYZ";

/// Who probes are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSender {
    local: Vec<u8>,
    /// With its `@`; empty with the null sender.
    domain: Vec<u8>,
    /// Seconds; 0: it never changes.
    ttl: u64,
}

impl ProbeSender {
    /// From `address_verify_sender`: a name alone gets our origin; nothing, or `<>`, is the null sender.
    #[must_use]
    pub fn new(sender: &str, origin: &str, ttl: std::time::Duration) -> Self {
        let (local, domain) = match sender.rsplit_once('@') {
            _ if sender == "<>" => ("", String::new()),
            Some((local, domain)) => (local, format!("@{domain}")),
            None if sender.is_empty() => ("", String::new()),
            None => (sender, format!("@{origin}")),
        };
        let ttl = if domain.is_empty() { 0 } else { ttl.as_secs() };
        Self { local: local.into(), domain: domain.into(), ttl }
    }

    /// The address at a time, in seconds since the epoch.
    #[must_use]
    pub fn at(&self, now: u64) -> Vec<u8> {
        [self.local.as_slice(), &self.suffix(now), &self.domain].concat()
    }

    /// The address without the part that changes.
    #[must_use]
    pub fn lasting(&self) -> Vec<u8> {
        [self.local.as_slice(), &self.domain].concat()
    }

    /// Whether an address is the one of now, or the one before.
    #[must_use]
    pub fn is_valid(&self, address: &[u8], now: u64) -> bool {
        let is = |time| address.eq_ignore_ascii_case(&self.at(time));
        !self.domain.is_empty() && (is(now) || is(now.saturating_sub(self.ttl)))
    }

    fn suffix(&self, now: u64) -> Vec<u8> {
        let Some(mut rest) = now.checked_div(self.ttl) else { return Vec::new() };
        let mut digits = Vec::new();
        while rest > 0 || digits.is_empty() {
            let digit = usize::try_from(rest % 31).unwrap_or(0);
            digits.extend(DIGITS.get(digit));
            rest /= 31;
        }
        digits.reverse();
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_address_lasts_as_long_as_it_may() {
        let sender = ProbeSender::new("double-bounce", "a.test", Duration::from_secs(1000));
        assert_eq!(sender.at(0), b"double-bounce0@a.test");
        assert_eq!(sender.at(30_000), b"double-bounceZ@a.test");
        assert_eq!(sender.at(31_999), b"double-bounce10@a.test");
        assert_eq!(sender.lasting(), b"double-bounce@a.test");
        for (now, valid) in [(29_999, false), (30_000, true), (31_999, true), (32_000, false)] {
            assert_eq!(sender.is_valid(b"Double-Bouncez@A.test", now), valid, "{now}");
        }
        assert!(!sender.is_valid(b"double-bounce@a.test", 30_000));
    }

    #[test]
    fn without_a_time_it_stays() {
        for (text, address) in [("probe", "probe@a.test"), ("probe@b.test", "probe@b.test"), ("", ""), ("<>", "")] {
            let sender = ProbeSender::new(text, "a.test", Duration::ZERO);
            assert_eq!(sender.at(5), address.as_bytes(), "{text}");
            assert_eq!(sender.is_valid(address.as_bytes(), 7), !address.is_empty(), "{text}");
        }
        assert_eq!(ProbeSender::new("<>", "a.test", Duration::from_secs(9)).at(100), b"");
    }
}
