//! Files of messages that came by the socket, for the next ones: to create and to remove files is dear.

use std::sync::{Mutex, PoisonError};

use queue_file::{Error, NewFile, QueueId, QueueName, Spool};

/// No more are kept.
const MOST: usize = 64;

/// Files in `maildrop` without x permission, which are no mail.
#[derive(Debug)]
pub(crate) struct Spares {
    spool: Spool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    ids: Vec<QueueId>,
    /// Whether any was wanted lately.
    wanted: bool,
}

impl Spares {
    pub(crate) fn new(spool: Spool) -> Self {
        Self { spool, kept: Mutex::default() }
    }

    /// A file for a message.
    pub(crate) fn file(&self) -> Result<NewFile, Error> {
        let spare = self.with(|kept| {
            kept.wanted = true;
            kept.ids.pop()
        });
        let emptied = |id| {
            let mut file = self.spool.reuse(QueueName::Maildrop, id).ok()?;
            file.empty().ok().map(|()| file)
        };
        match spare.and_then(emptied) {
            Some(file) => Ok(file),
            None => self.spool.create(QueueName::Maildrop),
        }
    }

    /// Removes a message whose file is ours, or makes it a spare file.
    pub(crate) fn recycle(&self, id: &QueueId) -> Result<(), Error> {
        if self.with(|kept| kept.ids.len() >= MOST) {
            return self.spool.remove(QueueName::Maildrop, id);
        }
        let spare = self.spool.recycle(QueueName::Maildrop, id, QueueName::Maildrop)?;
        self.with(|kept| kept.ids.extend(spare));
        Ok(())
    }

    /// Removes them all, unless any was wanted since this was asked last.
    pub(crate) fn remove_unwanted(&self) {
        let unwanted = self.with(|kept| match std::mem::take(&mut kept.wanted) {
            true => Vec::new(),
            false => std::mem::take(&mut kept.ids),
        });
        self.spool.remove_spares(QueueName::Maildrop, &unwanted);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.with(|kept| kept.wanted = false);
        self.remove_unwanted();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::Layout;
    use std::io::Write;

    #[test]
    fn a_file_is_used_again_and_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let maildrop = root.path().join("maildrop");
        std::fs::create_dir(&maildrop).unwrap();
        let spool = Spool::new(root.path(), Layout::default());
        let spares = Spares::new(spool.clone());
        let files = || std::fs::read_dir(&maildrop).unwrap().count();
        let send = || {
            let file = spares.file().unwrap();
            file.file().write_all(b"mail").unwrap();
            file.commit_readable().unwrap().into_id()
        };
        let first = send();
        spares.recycle(&first).unwrap();
        assert_eq!(files(), 1);
        let second = send();
        assert_eq!((files(), second.inode()), (1, first.inode()));
        assert_eq!(std::fs::read(spool.path(QueueName::Maildrop, &second)).unwrap(), b"mail");
        spares.recycle(&second).unwrap();
        spares.remove_unwanted();
        assert_eq!(files(), 1, "it was wanted");
        spares.remove_unwanted();
        assert_eq!(files(), 0);
        let third = send();
        spares.recycle(&third).unwrap();
        drop(spares);
        assert_eq!(files(), 0);
    }
}
