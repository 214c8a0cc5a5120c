//! Files of finished messages, for the next ones.

use queue_file::{Error, NewFile, QueueId, QueueName, Spool};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that are kept; one connection after the other takes them.
const MOST: usize = 512;

/// Counts the goes in which messages are written to disk. What the file system was told before one of them began is on disk when that
/// has ended.
#[derive(Debug, Default)]
pub(crate) struct Goes {
    begun: AtomicU64,
    /// The latest of those that have ended.
    ended: AtomicU64,
}

impl Goes {
    /// Before anything is written.
    pub(crate) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// After an `fsync` that succeeded.
    pub(crate) fn end(&self, go: u64) {
        self.ended.fetch_max(go, Ordering::SeqCst);
    }
}

/// The spare files of this process.
pub(crate) struct Spares {
    spool: Spool,
    goes: Arc<Goes>,
    /// Whether the file system keeps the order that goes rely on.
    has_order: bool,
    /// With the number of goes that had begun when each came.
    kept: Mutex<VecDeque<(QueueId, u64)>>,
}

/// A spare file.
#[derive(Debug)]
pub(crate) struct Spare {
    id: QueueId,
    /// Whether it is on disk that it is no mail.
    settled: bool,
}

impl Spare {
    /// Opens it for a new message: to be written over, or empty.
    pub(crate) fn open(self, spool: &Spool) -> Result<NewFile, Error> {
        let mut file = spool.reuse(QueueName::Incoming, self.id)?;
        if !self.settled {
            file.empty()?;
        }
        Ok(file)
    }
}

impl Spares {
    pub(crate) fn new(spool: Spool, goes: Arc<Goes>) -> Self {
        Self { has_order: spool.has_order(QueueName::Incoming), spool, goes, kept: Mutex::default() }
    }

    /// The oldest.
    pub(crate) fn take(&self) -> Option<Spare> {
        let (id, came) = self.kept().pop_front()?;
        let settled = self.has_order && self.goes.ended.load(Ordering::SeqCst) > came;
        Some(Spare { id, settled })
    }

    /// Keeps a file, or removes it where there are enough.
    pub(crate) fn put(&self, id: &str) {
        let Some(id) = QueueId::parse(id) else { return };
        let came = self.goes.begun.load(Ordering::SeqCst);
        let mut kept = self.kept();
        if kept.len() < MOST {
            kept.push_back((id, came));
        } else {
            let _ = self.spool.remove(QueueName::Incoming, &id);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept().is_empty()
    }

    /// Removes all files.
    pub(crate) async fn clear(&self) {
        let ids: Vec<_> = std::mem::take(&mut *self.kept()).into_iter().map(|(id, _)| id).collect();
        let spool = self.spool.clone();
        service::file(move || spool.remove_spares(QueueName::Incoming, &ids)).await;
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(QueueId, u64)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::Layout;

    #[test]
    fn a_file_is_written_over_when_a_later_go_has_ended() {
        let root = tempfile::tempdir().unwrap();
        for queue in ["incoming", "active"] {
            std::fs::create_dir(root.path().join(queue)).unwrap();
        }
        let spool = Spool::new(root.path(), Layout::default());
        let goes = Arc::new(Goes::default());
        let spares = Spares { has_order: true, ..Spares::new(spool.clone(), Arc::clone(&goes)) };
        let keep = || {
            let mut file = spool.create(QueueName::Active).unwrap();
            file.write_whole(b"before").unwrap();
            let id = file.commit().unwrap().into_id();
            let spare = spool.recycle(QueueName::Active, &id, QueueName::Incoming).unwrap().unwrap();
            spares.put(spare.as_str());
        };
        let length = || spares.take().unwrap().open(&spool).unwrap().file().metadata().unwrap().len();
        let earlier = goes.begin();
        keep();
        keep();
        goes.end(earlier);
        assert_eq!(length(), 0, "a go that began before it came says nothing");
        let later = goes.begin();
        keep();
        goes.end(later);
        assert_eq!(length(), 6);
        assert_eq!(length(), 0, "the second came during the go");
        keep();
        goes.end(goes.begin());
        let none = Spares {
            has_order: false,
            kept: Mutex::new(std::mem::take(&mut spares.kept())),
            spool: spool.clone(),
            goes,
        };
        assert_eq!(none.take().unwrap().open(&spool).unwrap().file().metadata().unwrap().len(), 0);
    }
}
