//! Files of finished messages, which cleanup gets back for new ones.

use queue_file::{Error, QueueId, QueueName, Spool};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Files that are kept. Mail comes and goes in waves: what one leaves behind the next one takes, and where nobody asks for
/// them they are soon removed.
const MOST: usize = 1024;

/// Files that are given at once, at least: cleanup wakes up for them.
const TOGETHER: usize = 16;

/// What is kept at the moment.
#[derive(Debug, Default)]
pub(crate) struct Spares(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    ids: Vec<QueueId>,
    /// Whether any were asked for since the last look.
    wanted: bool,
}

impl Spares {
    /// Removes the file of a finished message, or keeps it for another.
    pub(crate) fn retire(&self, spool: &Spool, id: &QueueId) -> Result<(), Error> {
        let wanted = {
            let kept = self.kept();
            kept.wanted && kept.ids.len() < MOST
        };
        if !wanted {
            return spool.remove(QueueName::Active, id);
        }
        if let Some(spare) = spool.recycle(QueueName::Active, id, QueueName::Incoming)? {
            self.kept().ids.push(spare);
        }
        Ok(())
    }

    /// Up to `most`, for as many messages that came; none where it would be few.
    pub(crate) fn take(&self, most: usize) -> Vec<QueueId> {
        let mut kept = self.kept();
        kept.wanted = true;
        if most.min(kept.ids.len()) < TOGETHER {
            return Vec::new();
        }
        let rest = kept.ids.len().saturating_sub(most);
        kept.ids.split_off(rest)
    }

    /// Those that nobody has asked for since the last look; none are kept then until somebody does.
    pub(crate) fn unwanted(&self) -> Vec<QueueId> {
        let mut kept = self.kept();
        if std::mem::take(&mut kept.wanted) { Vec::new() } else { std::mem::take(&mut kept.ids) }
    }

    /// All, at the end.
    pub(crate) fn all(&self) -> Vec<QueueId> {
        let mut kept = self.kept();
        kept.wanted = false;
        std::mem::take(&mut kept.ids)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept().ids.is_empty()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::Layout;

    #[test]
    fn files_are_kept_while_somebody_asks_for_them() {
        let root = tempfile::tempdir().unwrap();
        for queue in ["incoming", "active"] {
            std::fs::create_dir(root.path().join(queue)).unwrap();
        }
        let spool = Spool::new(root.path(), Layout::default());
        let spares = Spares::default();
        let retire = || {
            let id = spool.create(QueueName::Active).unwrap().commit().unwrap().into_id();
            spares.retire(&spool, &id).unwrap();
            assert!(spool.metadata(QueueName::Active, &id).unwrap_err().is_gone());
        };
        retire();
        assert!(spares.take(20).is_empty());
        (0..=TOGETHER).for_each(|_| retire());
        assert!(spares.take(TOGETHER - 1).is_empty());
        assert_eq!(spares.take(TOGETHER).len(), TOGETHER);
        assert!(spares.unwanted().is_empty());
        let unwanted = spares.unwanted();
        assert_eq!(unwanted.len(), 1);
        spool.remove_spares(QueueName::Incoming, &unwanted);
        retire();
        assert!(spares.is_empty());
        assert_eq!(std::fs::read_dir(root.path().join("incoming")).unwrap().count(), TOGETHER);
    }
}
