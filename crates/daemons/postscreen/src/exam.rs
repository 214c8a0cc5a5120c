//! The tests of a client: which are due, which it passed or failed, and what is remembered. Pure.

use std::time::Duration;

/// A test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// It does not speak before the greeting.
    Pregreet,
    /// Lists in the DNS have nothing against it.
    Dnsbl,
    /// It waits for answers.
    Pipelining,
    /// It says nothing that is not SMTP.
    NonSmtp,
    /// It ends lines as SMTP does.
    BareNewline,
}

impl Test {
    /// All tests, in the order of a record.
    pub const ALL: [Self; 5] = [Self::Pregreet, Self::Dnsbl, Self::Pipelining, Self::NonSmtp, Self::BareNewline];
    /// Those that need an SMTP session.
    pub const DEEP: [Self; 3] = [Self::Pipelining, Self::NonSmtp, Self::BareNewline];
}

/// Some of the tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tests(u8);

impl Tests {
    /// Adds a test.
    pub fn insert(&mut self, test: Test) {
        self.0 |= 1 << test as u8;
    }

    /// Takes a test away.
    pub fn remove(&mut self, test: Test) {
        self.0 &= !(1 << test as u8);
    }

    /// Whether a test is among them.
    #[must_use]
    pub fn has(self, test: Test) -> bool {
        self.0 & (1 << test as u8) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Test> for Tests {
    fn from_iter<I: IntoIterator<Item = Test>>(tests: I) -> Self {
        let mut all = Self::default();
        tests.into_iter().for_each(|test| all.insert(test));
        all
    }
}

/// Until when each test counts as passed, in seconds since the epoch; 0 for never passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record([i64; 5]);

impl Record {
    /// As the cache has it.
    #[must_use]
    pub fn print(&self) -> String {
        self.0.map(|until| until.to_string()).join(";")
    }

    /// Parses what [`Self::print`] gives.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.split(';');
        let mut record = Self::default();
        for until in &mut record.0 {
            *until = parts.next()?.parse().ok()?;
        }
        parts.next().is_none().then_some(record)
    }

    /// Until when a test counts as passed.
    #[must_use]
    pub fn until(&self, test: Test) -> i64 {
        self.0.get(test as usize).copied().unwrap_or(0)
    }

    /// Whether any test still counts `retention` after its time.
    #[must_use]
    pub fn is_kept(&self, retention: Duration, now: i64) -> bool {
        let last = self.0.iter().copied().max().unwrap_or(0);
        last > 0 && last.saturating_add(seconds(retention)) >= now
    }

    fn set(&mut self, test: Test, until: i64) {
        if let Some(place) = self.0.get_mut(test as usize) {
            *place = until;
        }
    }
}

/// What the log calls a client that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acquaintance {
    /// It had never passed a test.
    New,
    /// It had.
    Old,
}

/// The exam of one session.
#[derive(Debug, Clone)]
pub struct Exam {
    record: Record,
    due: Tests,
    passed: Tests,
    failed: Tests,
    waived: Tests,
    /// Something else speaks against the client.
    denied: bool,
    is_new: bool,
}

impl Exam {
    /// Begins with what is known of a client. Tests that are not `enabled` are never due.
    #[must_use]
    pub fn new(record: Option<Record>, enabled: Tests, now: i64) -> Self {
        let is_new = record.is_none_or(|record| Test::ALL.iter().all(|test| record.until(*test) == 0));
        let record = record.unwrap_or_default();
        let is_due = |test: &Test| enabled.has(*test) && now > record.until(*test);
        let due = Test::ALL.into_iter().filter(is_due).collect();
        Self {
            record,
            due,
            passed: Tests::default(),
            failed: Tests::default(),
            waived: Tests::default(),
            denied: false,
            is_new,
        }
    }

    /// Whether a test has to be made, and has no result yet.
    #[must_use]
    pub fn is_due(&self, test: Test) -> bool {
        self.due.has(test) && !self.passed.has(test) && !self.failed.has(test) && !self.waived.has(test)
    }

    /// Whether any test has to be made.
    #[must_use]
    pub fn is_any_due(&self) -> bool {
        Test::ALL.into_iter().any(|test| self.is_due(test))
    }

    /// Whether a test that needs an SMTP session has to be made.
    #[must_use]
    pub fn is_deep_due(&self) -> bool {
        Test::DEEP.into_iter().any(|test| self.is_due(test))
    }

    /// The client passed a test, which then counts until that time.
    pub fn pass(&mut self, test: Test, until: i64) {
        self.passed.insert(test);
        self.record.set(test, until);
    }

    /// The client failed a test.
    pub fn fail(&mut self, test: Test) {
        self.failed.insert(test);
        self.passed.remove(test);
    }

    /// A test is over without a result: it is made again next time, and the client does not pass as a whole.
    pub fn waive(&mut self, test: Test) {
        self.waived.insert(test);
        self.passed.remove(test);
    }

    /// Something that is no test speaks against the client.
    pub fn deny(&mut self) {
        self.denied = true;
    }

    /// Whether something speaks against the client.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.denied || !self.failed.is_empty()
    }

    /// Whether the client failed a test.
    #[must_use]
    pub fn failed(&self, test: Test) -> bool {
        self.failed.has(test)
    }

    /// Lists speak for the client: all other tests count as passed until that time, unless they do for longer.
    pub fn spare(&mut self, until: i64) {
        for test in Test::ALL.into_iter().filter(|test| *test != Test::Dnsbl) {
            if self.is_due(test) {
                self.passed.insert(test);
            }
            self.record.set(test, self.record.until(test).max(until));
        }
    }

    /// What the log says where all tests that were due are passed.
    #[must_use]
    pub fn verdict(&self) -> Option<Acquaintance> {
        let has_all = Test::ALL.into_iter().all(|test| !self.due.has(test) || self.passed.has(test));
        let all = !self.has_failed() && !self.passed.is_empty() && has_all;
        all.then_some(if self.is_new { Acquaintance::New } else { Acquaintance::Old })
    }

    /// What is to be remembered; nothing of a client that failed, or that passed no test.
    #[must_use]
    pub fn remembered(&self) -> Option<Record> {
        (!self.has_failed() && !self.passed.is_empty()).then_some(self.record)
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn enabled() -> Tests {
        [Test::Pregreet, Test::Dnsbl].into_iter().collect()
    }

    #[test]
    fn a_client_passes_once_all_tests_are_passed() {
        let mut exam = Exam::new(None, enabled(), 100);
        assert!(exam.is_due(Test::Pregreet) && exam.is_due(Test::Dnsbl) && !exam.is_due(Test::NonSmtp));
        exam.pass(Test::Pregreet, 200);
        assert_eq!(exam.verdict(), None);
        exam.pass(Test::Dnsbl, 150);
        assert_eq!(exam.verdict(), Some(Acquaintance::New));
        let record = exam.remembered().unwrap();
        let again = Exam::new(Some(record), enabled(), 150);
        assert!(!again.is_any_due());
        let later = Exam::new(Some(record), enabled(), 151);
        assert!(later.is_due(Test::Dnsbl) && !later.is_due(Test::Pregreet));
    }

    #[test]
    fn a_client_that_fails_is_not_remembered() {
        let mut exam = Exam::new(None, enabled(), 100);
        exam.pass(Test::Pregreet, 200);
        exam.fail(Test::Dnsbl);
        assert_eq!((exam.verdict(), exam.remembered()), (None, None));
        let mut exam = Exam::new(None, enabled(), 100);
        exam.pass(Test::Pregreet, 200);
        exam.deny();
        assert_eq!((exam.verdict(), exam.remembered()), (None, None));
    }

    #[test]
    fn an_expired_client_is_an_old_one() {
        let mut exam = Exam::new(Record::parse(b"50;60;0;0;0"), enabled(), 100);
        exam.pass(Test::Pregreet, 200);
        exam.pass(Test::Dnsbl, 200);
        assert_eq!(exam.verdict(), Some(Acquaintance::Old));
    }

    #[test]
    fn a_client_that_lists_speak_for_is_spared_other_tests() {
        let mut exam = Exam::new(Record::parse(b"0;0;500;0;0"), Test::ALL.into_iter().collect(), 100);
        exam.spare(200);
        exam.pass(Test::Dnsbl, 200);
        assert!(!exam.is_any_due());
        assert_eq!(exam.remembered().unwrap().print(), "200;200;500;200;200");
    }

    #[test]
    fn records_are_kept_for_a_while() {
        let record = Record::parse(b"100;0;0;0;0").unwrap();
        assert!(record.is_kept(Duration::from_secs(10), 110) && !record.is_kept(Duration::from_secs(10), 111));
        assert!(!Record::default().is_kept(Duration::from_secs(10), 1));
    }

    proptest! {
        #[test]
        fn a_record_comes_back(times: [i64; 5]) {
            let record = Record(times);
            prop_assert_eq!(Record::parse(record.print().as_bytes()), Some(record));
        }

        #[test]
        fn any_bytes_are_a_record_or_none(bytes: Vec<u8>) {
            let _ = Record::parse(&bytes);
        }
    }
}
