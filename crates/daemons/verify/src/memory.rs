//! What is known of an address, and what follows from its age: pure.

use ipc::verify::Status;
use std::time::Duration;

/// What is told of an address while nothing is known of it.
pub const IN_PROGRESS: &str = "Address verification in progress";

/// What the cache holds of an address. Times are seconds since the epoch, 0 for never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The last result.
    pub status: Status,
    /// When the last probe was sent.
    pub probed: i64,
    /// When the last result came.
    pub updated: i64,
    /// The result in words.
    pub text: String,
}

/// How long results are good for.
#[derive(Debug, Clone, Copy)]
pub struct Ages {
    /// Successes are forgotten after this.
    pub positive_expire: Duration,
    /// Successes are looked into again after this.
    pub positive_refresh: Duration,
    /// Failures are forgotten after this.
    pub negative_expire: Duration,
    /// Failures are looked into again after this.
    pub negative_refresh: Duration,
    /// A probe without result is given up after this.
    pub probe: Duration,
}

/// `address_verify_negative_cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failures {
    /// They are kept as long as they are good for.
    Kept,
    /// Nothing is kept of an address but that it is good.
    Forgotten,
}

impl Record {
    /// What to keep when a probe is sent: `None` where nothing is known and a failure would not be kept either, so that the next
    /// question sends another one.
    #[must_use]
    pub fn probing(known: Option<&Self>, failures: Failures, now: i64) -> Option<Self> {
        match (known, failures) {
            (Some(known), _) => Some(Self { probed: now, ..known.clone() }),
            (None, Failures::Kept) => {
                Some(Self { status: Status::Pending, probed: now, updated: 0, text: IN_PROGRESS.to_owned() })
            }
            (None, Failures::Forgotten) => None,
        }
    }

    /// As the cache has it: `status:probed:updated:text`.
    #[must_use]
    pub fn print(&self) -> String {
        let status = match self.status {
            Status::Ok => 0,
            Status::Deferred => 1,
            Status::Bounced => 2,
            Status::Pending => 3,
        };
        format!("{status}:{}:{}:{}", self.probed, self.updated, self.text)
    }

    /// Parses what [`Self::print`] gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ':');
        let status = match parts.next()? {
            "0" => Status::Ok,
            "1" => Status::Deferred,
            "2" => Status::Bounced,
            "3" => Status::Pending,
            _ => return None,
        };
        let (probed, updated) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { status, probed, updated, text: parts.next()?.to_owned() })
    }

    /// Whether it may still be told. While a probe is under way the last result stands, however old it is.
    #[must_use]
    pub fn is_known(&self, ages: &Ages, now: i64) -> bool {
        let limit = match self.status {
            Status::Ok => ages.positive_expire,
            Status::Deferred | Status::Bounced => ages.negative_expire,
            Status::Pending => return self.is_probing(ages, now),
        };
        within(self.updated, limit, now) || self.is_probing(ages, now)
    }

    /// Whether a new probe is due although a result is known.
    #[must_use]
    pub fn is_due(&self, ages: &Ages, now: i64) -> bool {
        let limit = match self.status {
            Status::Ok => ages.positive_refresh,
            Status::Deferred | Status::Bounced => ages.negative_refresh,
            Status::Pending => return !self.is_probing(ages, now),
        };
        !within(self.updated, limit, now) && !self.is_probing(ages, now)
    }

    /// What to keep when a result comes: a failure does not replace a success, which ends by its age alone.
    #[must_use]
    pub fn updated(old: Option<&Self>, status: Status, text: &str, failures: Failures, now: i64) -> Option<Self> {
        let unwanted = failures == Failures::Forgotten || old.is_some_and(|old| old.status == Status::Ok);
        if status != Status::Ok && unwanted {
            return None;
        }
        Some(Self { status, probed: 0, updated: now, text: text.to_owned() })
    }

    fn is_probing(&self, ages: &Ages, now: i64) -> bool {
        within(self.probed, ages.probe, now)
    }
}

fn within(then: i64, limit: Duration, now: i64) -> bool {
    let limit = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    then > 0 && now.saturating_sub(then) <= limit
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGES: Ages = Ages {
        positive_expire: Duration::from_secs(1000),
        positive_refresh: Duration::from_secs(100),
        negative_expire: Duration::from_secs(500),
        negative_refresh: Duration::from_secs(50),
        probe: Duration::from_secs(10),
    };

    fn record(status: Status, probed: i64, updated: i64) -> Record {
        Record { status, probed, updated, text: "a: b".to_owned() }
    }

    #[test]
    fn ages_decide() {
        let cases = [
            (record(Status::Ok, 0, 1000), 1050, true, false, "fresh"),
            (record(Status::Ok, 0, 1000), 1100, true, false, "to the second"),
            (record(Status::Ok, 0, 1000), 1101, true, true, "good, but to be looked into"),
            (record(Status::Ok, 1099, 1000), 1105, true, false, "being looked into"),
            (record(Status::Ok, 0, 1000), 2001, false, true, "forgotten"),
            (record(Status::Ok, 2001, 1000), 2002, true, false, "told until there is something newer"),
            (record(Status::Bounced, 0, 1000), 1060, true, true, "failures age faster"),
            (record(Status::Pending, 1000, 0), 1005, true, false, "waiting"),
            (record(Status::Pending, 1000, 0), 1011, false, true, "no answer"),
        ];
        for (record, now, known, due, why) in cases {
            assert_eq!((record.is_known(&AGES, now), record.is_due(&AGES, now)), (known, due), "{why}");
        }
    }

    #[test]
    fn records_come_back() {
        let record = record(Status::Deferred, 5, 7);
        assert_eq!(Record::parse(&record.print()), Some(record));
        for bad in ["", "9:1:1:x", "0:x:1:y", "0:1"] {
            assert_eq!(Record::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_failure_does_not_replace_a_success() {
        let (good, bad) = (record(Status::Ok, 0, 1000), record(Status::Deferred, 0, 1000));
        for (old, status, kept) in [
            (Some(&good), Status::Deferred, false),
            (Some(&good), Status::Bounced, false),
            (Some(&good), Status::Ok, true),
            (Some(&bad), Status::Bounced, true),
            (None, Status::Deferred, true),
        ] {
            assert_eq!(Record::updated(old, status, "x", Failures::Kept, 1100).is_some(), kept, "{old:?} {status:?}");
        }
    }

    #[test]
    fn where_failures_are_not_kept_every_question_sends_a_probe() {
        assert_eq!(Record::updated(None, Status::Bounced, "x", Failures::Forgotten, 1100), None);
        assert_eq!(Record::probing(None, Failures::Forgotten, 1100), None);
        assert!(Record::updated(None, Status::Ok, "x", Failures::Forgotten, 1100).is_some());
        let good = record(Status::Ok, 0, 1000);
        let noted = Record::probing(Some(&good), Failures::Forgotten, 1100).unwrap();
        assert!(noted.is_known(&AGES, 1100) && noted.probed == 1100);
        assert_eq!(Record::probing(None, Failures::Kept, 1100).unwrap().status, Status::Pending);
    }
}
