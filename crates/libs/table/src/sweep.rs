//! How old entries of a cache go: a look at all of them, a few at a time, so that nobody who asks the table waits for long.
//!
//! When the last one ended stands in the table itself, so that an interval holds across the lives of processes.

use std::fmt;
use std::time::Duration;

use crate::Error;
use crate::store::Store;

/// The key of the time when all entries were last looked at.
const COMPLETED: &[u8] = b"_LAST_CACHE_CLEANUP_COMPLETED_";
/// Entries looked at before others may use the table.
const AT_ONCE: usize = 200;

/// How far a look at all entries has come.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    after: Option<Vec<u8>>,
    is_over: bool,
    kept: usize,
    dropped: usize,
}

impl Sweep {
    /// How long it is to the next one, at this time in seconds since the epoch.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn due(store: &mut dyn Store, interval: Duration, now: i64) -> Result<Duration, Error> {
        let last = store.get(COMPLETED)?.and_then(|text| String::from_utf8_lossy(&text).parse::<i64>().ok());
        let age = u64::try_from(now.saturating_sub(last.unwrap_or(0))).unwrap_or(0);
        Ok(interval.saturating_sub(Duration::from_secs(age)))
    }

    /// Whether all entries have been looked at.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Looks at some entries, and removes those whose values are not worth keeping.
    ///
    /// # Errors
    /// When the table cannot be read or changed.
    pub fn step(&mut self, store: &mut dyn Store, now: i64, is_kept: impl Fn(&[u8]) -> bool) -> Result<(), Error> {
        let mut old = Vec::new();
        for _ in 0..AT_ONCE {
            let Some((key, value)) = store.next(self.after.as_deref())? else {
                self.is_over = true;
                break;
            };
            if key != COMPLETED {
                if is_kept(&value) {
                    self.kept += 1;
                } else {
                    old.push(key.clone());
                }
            }
            self.after = Some(key);
        }
        self.dropped += old.len();
        for key in &old {
            store.delete(key)?;
        }
        if self.is_over {
            store.put(COMPLETED, now.to_string().as_bytes(), true)?;
        }
        if self.is_over || !old.is_empty() {
            store.save()?;
        }
        Ok(())
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "full cleanup: retained={} dropped={} entries", self.kept, self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Environment;
    use crate::store::{Purpose, open};

    #[test]
    fn the_next_one_is_due_an_interval_after_the_last() {
        let mut store = open("internal:x", Purpose::Update, &Environment::default()).unwrap();
        let interval = Duration::from_secs(100);
        assert_eq!(Sweep::due(&mut *store, interval, 5000), Ok(Duration::ZERO), "never done");
        let mut sweep = Sweep::default();
        sweep.step(&mut *store, 5000, |_| true).unwrap();
        assert!(sweep.is_over());
        assert_eq!(Sweep::due(&mut *store, interval, 5030), Ok(Duration::from_secs(70)));
        assert_eq!(Sweep::due(&mut *store, interval, 5300), Ok(Duration::ZERO));
    }

    #[test]
    fn all_entries_are_looked_at_a_few_at_a_time() {
        let mut store = open("internal:x", Purpose::Update, &Environment::default()).unwrap();
        for number in 0..1000 {
            let value: &[u8] = if number % 4 == 0 { b"new" } else { b"old" };
            store.put(format!("{number}").as_bytes(), value, true).unwrap();
        }
        for expected in ["retained=250 dropped=750", "retained=250 dropped=0"] {
            let (mut sweep, mut steps) = (Sweep::default(), 0);
            while !sweep.is_over() {
                sweep.step(&mut *store, 1, |value| value == b"new").unwrap();
                steps += 1;
            }
            assert_eq!(sweep.to_string(), format!("full cleanup: {expected} entries"));
            assert!(steps > 1, "{expected}");
        }
    }
}
