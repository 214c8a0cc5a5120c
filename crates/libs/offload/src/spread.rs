//! Work in parts, on several threads.

use crate::average::Average;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;

/// Into how many parts work is worth being divided.
#[derive(Debug)]
pub struct Shares {
    share: Duration,
    /// How long a piece takes.
    each: Average,
}

impl Shares {
    /// A thread more is worth its while for this much work.
    #[must_use]
    pub const fn of(share: Duration) -> Self {
        Self { share, each: Average::new() }
    }

    /// How many parts so many pieces are worth, on so many threads at most; at least one.
    #[must_use]
    pub fn parts(&self, pieces: usize, threads: usize) -> usize {
        let worth = self.each.get().as_nanos() * pieces as u128 / self.share.as_nanos().max(1);
        usize::try_from(worth).unwrap_or(threads).min(threads).min(pieces).max(1)
    }

    /// Notes how long a piece has taken.
    pub fn learn(&self, took: Duration) {
        self.each.learn(took);
    }
}

/// Divides items among at most so many parts, in order; parts of the same size, but for the last.
#[must_use]
pub fn divide<T>(items: Vec<T>, parts: usize) -> Vec<Vec<T>> {
    let size = items.len().div_ceil(parts.max(1)).max(1);
    let mut items = items.into_iter().peekable();
    std::iter::from_fn(|| items.peek().is_some().then(|| items.by_ref().take(size).collect())).collect()
}

/// Does `work` with every item of some parts: here, and where there are several on threads of the pool as well, as far as they
/// are free. The results of a part stay in order, and the parts too. It waits for all of them, so it is itself to be called
/// where blocking is allowed; outside of a runtime everything is done here. A panic of `work` goes on here.
pub fn spread<T: Send + 'static, R: Send + 'static>(
    parts: Vec<Vec<T>>,
    work: impl Fn(T) -> R + Send + Sync + 'static,
) -> Vec<R> {
    let count = parts.len();
    let pool = if count > 1 { Handle::try_current().ok() } else { None };
    let Some(pool) = pool else { return parts.into_iter().flatten().map(work).collect() };
    let todo = Arc::new(Todo { parts: Mutex::new(parts.into_iter().enumerate()), work });
    let (sender, results) = mpsc::channel();
    for _ in 1..count {
        let (todo, sender) = (Arc::clone(&todo), sender.clone());
        // The runtime panics when it has no thread and cannot start one; then there is less help.
        drop(catch_unwind(AssertUnwindSafe(|| pool.spawn_blocking(move || todo.labour(&sender)))));
    }
    todo.labour(&sender);
    // Each part that was taken ends, whether or not its thread had to be waited for.
    let mut done: Vec<(usize, Vec<R>)> = results
        .iter()
        .take(count)
        .map(|(number, result)| (number, result.unwrap_or_else(|panic| resume_unwind(panic))))
        .collect();
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().flat_map(|(_, results)| results).collect()
}

/// Parts that nobody has taken yet, and what is to be done with their items.
struct Todo<T, F> {
    parts: Mutex<std::iter::Enumerate<std::vec::IntoIter<Vec<T>>>>,
    work: F,
}

impl<T, F> Todo<T, F> {
    /// Takes parts until there are no more.
    fn labour<R>(&self, results: &Sender<(usize, thread::Result<Vec<R>>)>)
    where
        F: Fn(T) -> R,
    {
        loop {
            let next = self.parts.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, part)) = next else { return };
            let result = catch_unwind(AssertUnwindSafe(|| part.into_iter().map(&self.work).collect()));
            // Whoever has met a panic waits no longer.
            let _ = results.send((number, result));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool;

    #[test]
    fn quick_work_is_in_one_part_and_slow_work_in_many() {
        for (each, pieces, threads, parts) in [
            (2, 100, 8, 1),
            (100, 2, 8, 1),
            (101, 100, 8, 5),
            (200, 128, 8, 8),
            (9000, 100, 1, 1),
            (9000, 3, 8, 3),
            (9000, 0, 8, 1),
        ] {
            let shares = Shares::of(Duration::from_millis(2));
            // Of what is not known yet, one part.
            assert_eq!(shares.parts(pieces, threads), 1);
            (0..100).for_each(|_| shares.learn(Duration::from_micros(each)));
            assert_eq!(shares.parts(pieces, threads), parts, "{pieces} of {each}");
        }
    }

    #[test]
    fn parts_have_all_items_in_order() {
        assert_eq!(divide(Vec::<u8>::new(), 3), Vec::<Vec<u8>>::new());
        assert_eq!(divide(vec![1, 2, 3, 4, 5], 2), [vec![1, 2, 3], vec![4, 5]]);
        assert_eq!(divide(vec![1, 2], 7), [[1], [2]]);
        assert_eq!(divide(vec![1, 2], 0), [[1, 2]]);
    }

    #[test]
    fn without_a_runtime_it_is_done_here() {
        assert_eq!(spread(Vec::new(), |item: u8| item), []);
        assert_eq!(spread(vec![vec![5, 4], vec![], vec![3]], |item| item * 2), [10, 8, 6]);
    }

    #[tokio::test]
    async fn parts_are_done_at_once_and_come_back_in_order() {
        let together = std::sync::Barrier::new(3);
        let met = pool(move || {
            spread(vec![vec![1], vec![2], vec![3]], move |item| {
                together.wait();
                item
            })
        });
        assert_eq!(met.await, [1, 2, 3]);
    }

    #[test]
    fn a_pool_without_a_free_thread_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let done = runtime.block_on(pool(|| spread(vec![vec![1], vec![2], vec![3]], |item| item + 1)));
        assert_eq!(done, [2, 3, 4]);
    }

    #[tokio::test]
    #[should_panic(expected = "of the work")]
    async fn a_panic_goes_on_where_the_results_are_wanted() {
        let parts = vec![vec![1], vec![2]];
        pool(|| spread(parts, |item| assert!(item != 2, "of the work"))).await;
    }
}
