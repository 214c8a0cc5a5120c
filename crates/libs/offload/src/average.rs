//! How long work takes of late.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A running average, of which an eighth is the newest. What two threads note at the same moment may count once.
#[derive(Debug)]
pub(crate) struct Average(AtomicU64);

impl Average {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn learn(&self, took: Duration) {
        let average = (self.get() * 7).saturating_add(took) / 8;
        self.0.store(u64::try_from(average.as_nanos()).unwrap_or(u64::MAX / 8), Ordering::Relaxed);
    }
}
