//! One thing after the other on the disk, in the order in which it was asked for, many in one go.

use crate::engine::Event;
use offload::Pace;
use queue_file::Spool;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What is done in one go at most.
const BATCH: usize = 128;

/// A few files are renamed or removed in less than this on a disk that is worth waiting for.
static PACE: Pace = Pace::new(1500);

type Job = Box<dyn FnOnce(&Spool) -> Event + Send>;

/// A queue of work on the disk. The result of each piece comes as an event.
#[derive(Debug)]
pub(crate) struct Lane(offload::Lane<Job>);

impl Lane {
    pub(crate) fn start(spool: Arc<Spool>, events: mpsc::UnboundedSender<Event>) -> Self {
        Self(offload::Lane::start(
            &PACE,
            BATCH,
            move |batch: Vec<Job>| batch.into_iter().map(|job| job(&spool)).collect::<Vec<_>>(),
            move |done| {
                for event in done {
                    let _ = events.send(event);
                }
            },
        ))
    }

    /// Asks for a piece of work.
    pub(crate) fn put(&self, job: impl FnOnce(&Spool) -> Event + Send + 'static) {
        self.0.put(Box::new(job));
    }
}
