//! The keys in use, and when the next one is due. Pure.

use std::collections::VecDeque;
use std::time::Duration;
use tls::ticket::{Key, NoRandom};

/// The current key first, then those still accepted.
#[derive(Debug)]
pub struct Keys {
    keys: VecDeque<Key>,
    /// Seconds for which a key makes tickets; 0 means no tickets.
    active: i64,
}

impl Keys {
    /// None yet.
    #[must_use]
    pub fn new(active: Duration) -> Self {
        Self { keys: VecDeque::new(), active: i64::try_from(active.as_secs()).unwrap_or(i64::MAX / 4) }
    }

    /// Forgets keys that are too old, and makes one if the current one has served its time.
    ///
    /// # Errors
    /// [`NoRandom`]: the keys are as they were.
    pub fn refresh(&mut self, now: i64, make: impl FnOnce(i64) -> Result<Key, NoRandom>) -> Result<(), NoRandom> {
        self.keys.retain(|key| key.expires > now);
        let due = self.keys.front().is_none_or(|current| current.expires <= now.saturating_add(self.active));
        if due && self.active > 0 {
            self.keys.push_front(make(now.saturating_add(self.active.saturating_mul(2)))?);
        }
        Ok(())
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expiries(keys: &Keys) -> Vec<i64> {
        keys.all().map(|key| key.expires).collect()
    }

    #[test]
    fn keys_make_tickets_for_a_while_and_are_accepted_for_another() {
        let mut keys = Keys::new(Duration::from_secs(100));
        for (now, expected) in [
            (1000, vec![1200]),
            (1099, vec![1200]),
            (1100, vec![1300, 1200]),
            (1199, vec![1300, 1200]),
            (1200, vec![1400, 1300]),
            (9000, vec![9200]),
        ] {
            keys.refresh(now, Key::random).unwrap();
            assert_eq!(expiries(&keys), expected, "at {now}");
        }
    }

    #[test]
    fn without_time_there_are_no_keys() {
        let mut keys = Keys::new(Duration::ZERO);
        keys.refresh(1000, Key::random).unwrap();
        assert_eq!(expiries(&keys), []);
    }

    #[test]
    fn without_random_bytes_the_old_key_stays() {
        let mut keys = Keys::new(Duration::from_secs(100));
        keys.refresh(1000, Key::random).unwrap();
        assert_eq!(keys.refresh(1150, |_| Err(NoRandom)), Err(NoRandom));
        assert_eq!(expiries(&keys), [1200]);
    }
}
