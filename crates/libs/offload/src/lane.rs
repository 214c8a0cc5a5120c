//! Work that gathers while earlier work of the kind is being done.

use crate::{Pace, pool};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// A queue of jobs: those at hand are done in one go, in the order in which they were put, and one go after the other.
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
    /// `at_once` goes are under way at the same time; with one, the order is kept from go to go.
    ///
    /// A single job is done at once where `pace` says that it is quick. Several go to the pool, so that the event loop can
    /// gather the next ones meanwhile. The task ends with the lane.
    pub fn start<R: Send + 'static>(
        pace: &'static Pace,
        (most, at_once): (usize, usize),
        work: impl Fn(Vec<J>) -> R + Clone + Send + 'static,
        done: impl Fn(R) + Clone + Send + 'static,
    ) -> Self {
        let (jobs, mut wanted) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let free = Arc::new(Semaphore::new(at_once));
            while let Ok(place) = Arc::clone(&free).acquire_owned().await {
                let mut batch = Vec::new();
                let (work, done) = (work.clone(), done.clone());
                match wanted.recv_many(&mut batch, most).await {
                    0 => return,
                    1 if free.available_permits() + 1 == at_once => {
                        let result = pace.run(move || work(batch)).await;
                        done(result);
                    }
                    _ => drop(tokio::spawn(async move {
                        let result = pool(move || work(batch)).await;
                        done(result);
                        drop(place);
                    })),
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

    static PACE: Pace = Pace::new(1500);

    #[tokio::test]
    async fn what_gathers_is_done_in_one_go_and_in_order() {
        let (told, mut hear) = mpsc::unbounded_channel();
        let lane = Lane::start(
            &PACE,
            (3, 1),
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
}
