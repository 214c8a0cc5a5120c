//! Blocking work: on the one pool of the process, or at once where waking a thread would cost more.

use crate::average::Average;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Does blocking work (directories, name service, files of any size) on the one pool of the process. A panic in there goes on
/// here. Where the system gives the process no thread, it is done at once: what waits for it must not wait for ever.
pub async fn pool<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let work = Arc::new(Mutex::new(Some(work)));
    // The runtime panics, and keeps its task, when it has no thread and cannot start one.
    let task = Arc::clone(&work);
    let Ok(begun) =
        catch_unwind(AssertUnwindSafe(|| tokio::task::spawn_blocking(move || take(&task).map(|work| work()))))
    else {
        return match take(&work) {
            Some(work) => work(),
            None => std::future::pending().await,
        };
    };
    match begun.await {
        Ok(Some(done)) => done,
        Ok(None) => std::future::pending().await,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Work is done by the first who takes it.
fn take<W>(work: &Mutex<Option<W>>) -> Option<W> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// How long work of one kind takes, as this process sees it; that decides where it is done.
#[derive(Debug)]
pub struct Pace {
    quick: Duration,
    /// Pieces of work that have begun, or wait for a thread.
    underway: AtomicU32,
    /// What one takes.
    average: Average,
}

impl Pace {
    /// Work that takes less than `quick` microseconds on average is done at once: to wake a thread and be woken by it costs a
    /// good part of that, and more where the processor sleeps in between.
    #[must_use]
    pub const fn new(quick: u64) -> Self {
        Self { quick: Duration::from_micros(quick), underway: AtomicU32::new(0), average: Average::new() }
    }

    /// For files: to write one down, or to rename or remove a few, takes less than 1.5 ms on a disk that is worth waiting for.
    #[must_use]
    pub const fn of_files() -> Self {
        Self::new(1500)
    }

    /// Does a piece of work: at once while this process has no other of the kind and they are quick, and else on the pool, where
    /// many are under way together.
    pub async fn run<T: Send + 'static>(&'static self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (turn, at_once) = self.begin();
        if at_once { turn.timed(work) } else { pool(move || turn.timed(work)).await }
    }

    /// As [`Self::run`], for work that mostly waits. Whatever else has come in this turn of the event loop is heard first: if
    /// there is more of the kind, all of it waits side by side on the pool.
    pub async fn run_side_by_side<T: Send + 'static>(&'static self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (turn, at_once) = self.begin();
        if at_once {
            tokio::task::yield_now().await;
            if self.underway.load(Ordering::Relaxed) == 1 {
                return turn.timed(work);
            }
        }
        pool(move || turn.timed(work)).await
    }

    /// Does a piece of work at once, or gives it back if it belongs on the pool.
    pub(crate) fn now<T, W: FnOnce() -> T>(&self, work: W) -> Result<T, W> {
        let (turn, at_once) = self.begin();
        if at_once { Ok(turn.timed(work)) } else { Err(work) }
    }

    /// Counts a piece of work; whether it is to be done at once.
    fn begin(&self) -> (Turn<'_>, bool) {
        let others = self.underway.fetch_add(1, Ordering::Relaxed);
        (Turn(self), others == 0 && self.average.get() < self.quick)
    }
}

/// A piece of work that is counted until it has ended, by a panic too, or is given up.
struct Turn<'a>(&'a Pace);

impl Turn<'_> {
    fn timed<T>(self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.0.average.learn(began.elapsed());
        done
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.underway.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_thread_work_is_done_all_the_same() {
        // No system has room for such a stack.
        let mut few = tokio::runtime::Builder::new_current_thread();
        let runtime = few.thread_stack_size(1 << 46).build().unwrap();
        assert!(std::thread::Builder::new().stack_size(1 << 46).spawn(|| ()).is_err());
        let done = runtime.block_on(async { (pool(|| 1).await, crate::spread(vec![vec![2], vec![3]], |part| part)) });
        assert_eq!(done, (1, vec![2, 3]));
    }

    #[test]
    fn a_slow_disk_is_left_to_the_pool_until_it_is_quick_again() {
        let pace = Pace::new(1500);
        for (took, times, at_once) in [(100, 20, true), (9000, 4, false), (100, 4, false), (100, 40, true)] {
            for _ in 0..times {
                pace.average.learn(Duration::from_micros(took));
            }
            assert_eq!(pace.begin().1, at_once, "{times} of {took}");
        }
    }

    #[test]
    fn only_one_piece_is_done_at_once() {
        let pace = Pace::new(1500);
        let (first, at_once) = pace.begin();
        assert!(at_once);
        assert!(!pace.begin().1);
        drop(first);
        assert!(pace.begin().1);
    }

    #[tokio::test]
    async fn what_comes_in_one_turn_waits_side_by_side() {
        static PACE: Pace = Pace::new(1500);
        let here = std::thread::current().id();
        let run = || PACE.run_side_by_side(|| std::thread::current().id());
        assert_eq!(run().await, here);
        let (begins, begun) = std::sync::mpsc::channel();
        let one = PACE.run_side_by_side(move || (begins.send(()), std::thread::current().id()).1);
        let until_both = move || (begun.recv_timeout(Duration::from_secs(30)), std::thread::current().id());
        let (one, (both, other)) = tokio::join!(one, PACE.run_side_by_side(until_both));
        assert!(one != here && other != here);
        assert!(both.is_ok(), "one waits for the end of the other");
    }

    #[tokio::test]
    async fn work_that_is_given_up_does_not_count() {
        // Any work is quick enough for this one.
        static PACE: Pace = Pace::new(3_600_000_000);
        let here = std::thread::current().id();
        let run = || PACE.run_side_by_side(|| std::thread::current().id());
        let given_up = async {
            tokio::select! { biased; _ = run() => panic!("it waits for the others"), () = async {} => () }
        };
        given_up.await;
        assert_eq!(run().await, here);
    }
}
