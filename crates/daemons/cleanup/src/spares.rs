//! Empty files of finished messages, for the next ones.

use queue_file::{QueueId, QueueName, Spool};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Files that are kept; one connection after the other takes them.
const MOST: usize = 512;

/// The spare files of this process.
pub(crate) struct Spares {
    spool: Spool,
    ids: Mutex<Vec<QueueId>>,
}

impl Spares {
    pub(crate) fn new(spool: Spool) -> Self {
        Self { spool, ids: Mutex::default() }
    }

    /// The newest.
    pub(crate) fn take(&self) -> Option<QueueId> {
        self.ids().pop()
    }

    /// Keeps a file, or removes it where there are enough.
    pub(crate) fn put(&self, id: &str) {
        let Some(id) = QueueId::parse(id) else { return };
        let mut ids = self.ids();
        if ids.len() < MOST {
            ids.push(id);
        } else {
            let _ = self.spool.remove(QueueName::Incoming, &id);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids().is_empty()
    }

    /// Removes all files.
    pub(crate) async fn clear(&self) {
        let (spool, ids) = (self.spool.clone(), std::mem::take(&mut *self.ids()));
        service::file(move || spool.remove_spares(QueueName::Incoming, &ids)).await;
    }

    fn ids(&self) -> MutexGuard<'_, Vec<QueueId>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
