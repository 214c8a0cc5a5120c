//! One piece of work in parts, on several threads.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::runtime::Handle;

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
        drop(pool.spawn_blocking(move || todo.labour(&sender)));
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
