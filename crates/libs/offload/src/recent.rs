//! Answers that repeat, kept for a while: bounded in number and in age.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was learnt lately. When it is full, it starts anew.
#[derive(Debug)]
pub struct Recent<V> {
    most: usize,
    known: Mutex<HashMap<Vec<u8>, (Instant, V)>>,
}

impl<V: Clone> Recent<V> {
    /// Room for so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, known: Mutex::default() }
    }

    /// What is known of a key, if it is not too old.
    pub fn find(&self, key: &[u8]) -> Option<V> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(until, _)| *until > Instant::now()).map(|(_, value)| value.clone())
    }

    /// Keeps an answer for so long.
    pub fn keep(&self, key: Vec<u8>, value: V, time: Duration) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.most {
            known.clear();
        }
        known.insert(key, (Instant::now() + time, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_in_number_and_age() {
        let recent = Recent::new(2);
        recent.keep(b"a".to_vec(), 1, Duration::from_secs(60));
        recent.keep(b"b".to_vec(), 2, Duration::ZERO);
        assert_eq!((recent.find(b"a"), recent.find(b"b")), (Some(1), None));
        recent.keep(b"c".to_vec(), 3, Duration::from_secs(60));
        assert_eq!((recent.find(b"a"), recent.find(b"c")), (None, Some(3)));
    }
}
