//! One thing after the other on the disk, in the order in which it was asked for, many in one go.

use crate::engine::Event;
use queue_file::Spool;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What is done in one go at most.
const BATCH: usize = 128;

type Job = Box<dyn FnOnce(&Spool) -> Event + Send>;

/// A queue of work on the disk. The result of each piece comes as an event.
#[derive(Debug)]
pub(crate) struct Lane {
    jobs: mpsc::UnboundedSender<Job>,
}

impl Lane {
    /// Starts the task that has the work done.
    pub(crate) fn start(spool: Arc<Spool>, events: mpsc::UnboundedSender<Event>) -> Self {
        let (jobs, mut wanted) = mpsc::unbounded_channel::<Job>();
        tokio::spawn(async move {
            loop {
                let mut batch = Vec::new();
                if wanted.recv_many(&mut batch, BATCH).await == 0 {
                    return;
                }
                let spool = Arc::clone(&spool);
                let done = service::file(move || batch.into_iter().map(|job| job(&spool)).collect::<Vec<_>>()).await;
                for event in done {
                    let _ = events.send(event);
                }
            }
        });
        Self { jobs }
    }

    /// Asks for a piece of work.
    pub(crate) fn put(&self, job: impl FnOnce(&Spool) -> Event + Send + 'static) {
        let _ = self.jobs.send(Box::new(job));
    }
}
