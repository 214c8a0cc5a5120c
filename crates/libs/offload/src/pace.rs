//! Blocking work: on the one pool of the process, or at once where waking a thread would cost more.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// Does blocking work (directories, name service, files of any size) on the one pool of the process. A panic in there goes on
/// here.
pub async fn pool<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// How long work of one kind takes, as this process sees it; that decides where it is done.
#[derive(Debug)]
pub struct Pace {
    /// In microseconds.
    quick: u32,
    /// Pieces of work that have begun, or wait for a thread.
    underway: AtomicU32,
    /// What one takes, in microseconds; recent ones count most.
    average: AtomicU32,
}

impl Pace {
    /// Work that takes less than `quick` microseconds on average is done at once: to wake a thread and be woken by it costs a
    /// good part of that, and more where the processor sleeps in between.
    #[must_use]
    pub const fn new(quick: u32) -> Self {
        Self { quick, underway: AtomicU32::new(0), average: AtomicU32::new(0) }
    }

    /// For files: to write one down, or to rename or remove a few, takes less than 1.5 ms on a disk that is worth waiting for.
    #[must_use]
    pub const fn of_files() -> Self {
        Self::new(1500)
    }

    /// Does a piece of work: at once while this process has no other of the kind and they are quick, and else on the pool, where
    /// many are under way together.
    pub async fn run<T: Send + 'static>(&'static self, work: impl FnOnce() -> T + Send + 'static) -> T {
        if self.begin() { self.timed(work) } else { pool(move || self.timed(work)).await }
    }

    /// Counts a piece of work; whether it is to be done at once.
    fn begin(&self) -> bool {
        let others = self.underway.fetch_add(1, Ordering::Relaxed);
        others == 0 && self.average.load(Ordering::Relaxed) < self.quick
    }

    fn timed<T>(&self, work: impl FnOnce() -> T) -> T {
        let _end = End(self);
        let began = Instant::now();
        let done = work();
        self.learn(began.elapsed());
        done
    }

    /// An eighth of the average is the newest. What two threads note at once may count once.
    fn learn(&self, took: std::time::Duration) {
        let took = i64::try_from(took.as_micros()).unwrap_or(i64::MAX).min(i64::from(u32::MAX) / 8);
        let average = i64::from(self.average.load(Ordering::Relaxed));
        self.average.store(u32::try_from(average + (took - average) / 8).unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}

/// Counts the end of a piece of work, even of one that panics.
struct End<'a>(&'a Pace);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.underway.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_slow_disk_is_left_to_the_pool_until_it_is_quick_again() {
        let pace = Pace::new(1500);
        for (took, times, at_once) in [(100, 20, true), (9000, 4, false), (100, 4, false), (100, 40, true)] {
            for _ in 0..times {
                pace.learn(Duration::from_micros(took));
            }
            assert_eq!(pace.begin(), at_once, "{times} of {took}");
            pace.timed(|| ());
        }
    }

    #[test]
    fn only_one_piece_is_done_at_once() {
        let pace = Pace::new(1500);
        assert!(pace.begin());
        assert!(!pace.begin());
        pace.timed(|| ());
        pace.timed(|| ());
        assert!(pace.begin());
    }
}
