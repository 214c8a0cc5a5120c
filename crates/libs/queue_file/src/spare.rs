//! Files that are used again: the file of a finished message becomes the empty file of a later one.
//!
//! To create a file and to remove one are the dearest things that a message asks of a file system, and on some (ext4 without a
//! journal) creating costs more than the rest of a delivery. A spare file keeps its inode, and so its number in queue ids; it
//! is empty, has no x permission, and lies in `incoming` (for pickup, `maildrop`), like a file that was just created. It is never made of a file
//! that somebody still has locked, since a late recipient mark would then end up in another message.

use crate::new_file::{name_now, rename_new};
use crate::{Error, Lock, NewFile, QueueId, QueueName, Spool};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};

/// Larger files are removed: their blocks are freed in any case, and that is then most of the work.
const LARGEST: u64 = 256 * 1024;

impl Spool {
    /// Removes a finished message of `queue`. If its file can be used again, it is in `to` afterwards, under the id that is returned.
    ///
    /// # Errors
    /// What the system says; [`Error::is_gone`] if the file is not there.
    pub fn recycle(&self, queue: QueueName, id: &QueueId, to: QueueName) -> Result<Option<QueueId>, Error> {
        let old = self.path(queue, id);
        let file = self.open(queue, id)?;
        let data = file.metadata().map_err(|e| Error::system("fstat", &old, e))?;
        let ours = data.is_file() && data.nlink() == 1 && id.inode() == Some(data.ino());
        if !ours || data.len() > LARGEST || Self::lock_exclusive(&file)? == Lock::Busy {
            return self.remove(queue, id).map(|()| None);
        }
        // It ceases to be mail before it gets a name that a scan may find.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(|e| Error::system("fchmod", &old, e))?;
        let (new, path) = name_now(self, to, data.ino());
        match rename_new(&old, &path).and_then(|()| file.set_len(0)) {
            Ok(()) => Ok(Some(new)),
            Err(_) => match fs::remove_file(&old).or_else(|_| fs::remove_file(&path)) {
                Ok(()) => Ok(None),
                Err(error) => Err(Error::system("remove", &old, error)),
            },
        }
    }

    /// Removes spare files that nobody wants; what is gone is gone.
    pub fn remove_spares(&self, queue: QueueName, ids: &[QueueId]) {
        for id in ids {
            let _ = self.remove(queue, id);
        }
    }

    /// Takes a spare file for a new message.
    ///
    /// # Errors
    /// What the system says, or that the file is not what a spare file is; [`Spool::create`] is always another way.
    pub fn reuse(&self, queue: QueueName, id: QueueId) -> Result<NewFile, Error> {
        let path = self.path(queue, &id);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&path)
            .map_err(|e| Error::system("open file", &path, e))?;
        let data = file.metadata().map_err(|e| Error::system("fstat", &path, e))?;
        let spare = data.is_file() && data.nlink() == 1 && data.len() == 0 && data.mode() & 0o7777 == 0o600;
        if !spare || id.inode() != Some(data.ino()) {
            return Err(Error::system("reuse", &path, io::Error::from(ErrorKind::InvalidData)));
        }
        Ok(NewFile::open(id, queue, path, file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Layout;
    use std::os::unix::fs::FileExt;

    fn spool() -> (tempfile::TempDir, Spool) {
        let root = tempfile::tempdir().unwrap();
        for queue in ["incoming", "active"] {
            fs::create_dir(root.path().join(queue)).unwrap();
        }
        let spool = Spool::new(root.path(), Layout::default());
        (root, spool)
    }

    fn finished(spool: &Spool, content: &[u8]) -> QueueId {
        let new = spool.create(QueueName::Incoming).unwrap();
        new.file().write_all_at(content, 0).unwrap();
        let id = new.commit().unwrap().into_id();
        spool.rename(&id, QueueName::Incoming, QueueName::Active).unwrap();
        id
    }

    #[test]
    fn a_finished_file_becomes_an_empty_new_one() {
        let (_root, spool) = spool();
        let old = finished(&spool, b"secret");
        let new = spool.recycle(QueueName::Active, &old, QueueName::Incoming).unwrap().unwrap();
        assert!(spool.metadata(QueueName::Active, &old).unwrap_err().is_gone());
        assert_eq!(new.inode(), old.inode());
        let data = spool.metadata(QueueName::Incoming, &new).unwrap();
        assert_eq!((data.len(), data.mode() & 0o7777), (0, 0o600));
        let file = spool.reuse(QueueName::Incoming, new.clone()).unwrap();
        assert_eq!(file.id(), &new);
        assert_eq!(spool.metadata(QueueName::Incoming, file.commit().unwrap().id()).unwrap().mode() & 0o7777, 0o700);
    }

    #[test]
    fn a_file_that_is_in_use_large_or_linked_is_removed() {
        let (root, spool) = spool();
        let locked = finished(&spool, b"x");
        let file = spool.open(QueueName::Active, &locked).unwrap();
        assert_eq!(Spool::lock_shared(&file).unwrap(), Lock::Taken);
        let large = finished(&spool, &vec![0; 300 * 1024]);
        let linked = finished(&spool, b"x");
        fs::hard_link(spool.path(QueueName::Active, &linked), root.path().join("copy")).unwrap();
        for id in [&locked, &large, &linked] {
            assert_eq!(spool.recycle(QueueName::Active, id, QueueName::Incoming).unwrap(), None, "{id}");
            assert!(spool.metadata(QueueName::Active, id).unwrap_err().is_gone());
        }
        assert!(spool.recycle(QueueName::Active, &locked, QueueName::Incoming).unwrap_err().is_gone());
        assert_eq!(fs::read(root.path().join("copy")).unwrap(), b"x");
    }

    #[test]
    fn only_what_is_a_spare_file_is_reused() {
        let (_root, spool) = spool();
        let mail = finished(&spool, b"mail");
        spool.rename(&mail, QueueName::Active, QueueName::Incoming).unwrap();
        assert!(spool.reuse(QueueName::Incoming, mail.clone()).is_err());
        assert_eq!(fs::read(spool.path(QueueName::Incoming, &mail)).unwrap(), b"mail");
        assert!(spool.reuse(QueueName::Incoming, QueueId::short(1, 2)).unwrap_err().is_gone());
    }
}
