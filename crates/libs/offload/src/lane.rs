//! Work that gathers while earlier work of the kind is being done.

use crate::{Pace, pool};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A queue of jobs: those at hand are done in one go, in the order in which they were put.
pub struct Lane<J> {
    jobs: mpsc::UnboundedSender<J>,
}

impl<J> std::fmt::Debug for Lane<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").finish_non_exhaustive()
    }
}

impl<J: Send + 'static> Lane<J> {
    /// Starts the task that has the work done: `work` blocks and gets at most `most` jobs, `done` gets what it returned. Up to
    /// `at_once` goes are under way at the same time, at least one; with one, the order is kept from go to go.
    ///
    /// A single job is done at once where `pace` says that it is quick. Several go to the pool, so that the event loop can
    /// gather the next ones meanwhile. The task ends with the lane, and what is under way then is not waited for.
    pub fn start<R: Send + 'static>(
        pace: &'static Pace,
        most: usize,
        at_once: impl Fn() -> usize + Send + 'static,
        work: impl Fn(Vec<J>) -> R + Clone + Send + 'static,
        done: impl Fn(R) + Clone + Send + Sync + 'static,
    ) -> Self {
        let (jobs, mut wanted) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut goes = JoinSet::new();
            loop {
                while goes.len() >= at_once().max(1) {
                    goes.join_next().await;
                }
                let mut batch = Vec::new();
                let count = wanted.recv_many(&mut batch, most).await;
                while goes.try_join_next().is_some() {}
                let (work, done) = (work.clone(), done.clone());
                let go = move || work(batch);
                match count {
                    0 => return goes.detach_all(),
                    1 if goes.is_empty() => match pace.now(go) {
                        Ok(result) => done(result),
                        Err(go) => drop(goes.spawn(async move { done(pace.run(go).await) })),
                    },
                    _ => drop(goes.spawn(async move { done(pool(go).await) })),
                }
            }
        });
        Self { jobs }
    }

    /// Asks for a piece of work.
    pub fn put(&self, job: J) {
        // The task lives as long as this does, unless the runtime ends.
        let _ = self.jobs.send(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Duration;

    static PACE: Pace = Pace::new(1500);

    #[tokio::test]
    async fn what_gathers_is_done_in_one_go_and_in_order() {
        let (told, mut hear) = mpsc::unbounded_channel();
        let lane = Lane::start(
            &PACE,
            3,
            || 1,
            |jobs: Vec<u32>| jobs,
            move |jobs| {
                let _ = told.send(jobs);
            },
        );
        (1..=5).for_each(|job| lane.put(job));
        assert_eq!(hear.recv().await, Some(vec![1, 2, 3]));
        assert_eq!(hear.recv().await, Some(vec![4, 5]));
        lane.put(6);
        assert_eq!(hear.recv().await, Some(vec![6]));
        drop(lane);
        assert_eq!(hear.recv().await, None);
    }

    #[tokio::test]
    async fn slow_work_holds_nobody_up_while_more_may_be_under_way() {
        static SLOW: Pace = Pace::new(0);
        let underway = Arc::new((Mutex::new(0), Condvar::new()));
        let (begun, mut begins) = mpsc::unbounded_channel();
        let (told, mut hear) = mpsc::unbounded_channel();
        let work = move |jobs: Vec<u32>| {
            let (count, changed) = &*underway;
            let mut count = count.lock().unwrap();
            *count += 1;
            changed.notify_all();
            let _ = begun.send(());
            let (count, _) = changed.wait_timeout_while(count, Duration::from_secs(5), |count| *count < 2).unwrap();
            (*count, jobs)
        };
        let lane = Lane::start(
            &SLOW,
            3,
            || 2,
            work,
            move |jobs| {
                let _ = told.send(jobs);
            },
        );
        lane.put(1);
        begins.recv().await;
        lane.put(2);
        let mut done = [hear.recv().await, hear.recv().await];
        done.sort();
        assert_eq!(done, [Some((2, vec![1])), Some((2, vec![2]))]);
    }
}
