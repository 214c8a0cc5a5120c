//! Files that are used again: the file of a finished message becomes that of a later one.
//!
//! To create a file and to remove one are the dearest things that a message asks of a file system, and on some (ext4 without a
//! journal) creating costs more than the rest of a delivery. A spare file keeps its inode, and so its number in queue ids; it
//! has no x permission, and lies in `incoming` (for pickup, `maildrop`), like a file that was just created. It is never made of a file
//! that somebody still has locked, since a late recipient mark would then end up in another message.
//!
//! Unless it is large, it also keeps its bytes, until it is emptied or written over. To empty it gives its blocks back and takes others,
//! which is half of what it costs to write a small message. Written over, it must never be mail with bytes of two messages, not after a
//! power failure either, and that takes two orders to be kept on the disk:
//!
//! - That it is no mail any more is on disk before its first new byte is. For this nobody waits: a file system with a journal
//!   ([`Spool::has_order`]) has it there as soon as any `fsync` has ended that was begun later, for another file.
//! - Its new bytes are on disk before it is mail again ([`NewFile::complete`]).

use crate::new_file::{name_now, rename_new};
use crate::{Error, Lock, NewFile, QueueId, QueueName, Spool};
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, FsType, TMPFS_MAGIC, XFS_SUPER_MAGIC, statfs};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};

/// Larger files are removed: their blocks are freed in any case, and that is then most of the work.
const LARGEST: u64 = 256 * 1024;

/// Larger spare files are emptied at once: they would take up much of the disk, and messages of their size are not written in one piece.
const WRITTEN_OVER: u64 = 64 * 1024;

impl Spool {
    /// Removes a finished message of `queue`. If its file can be used again, it is in `to` afterwards, under the id that is returned.
    ///
    /// # Errors
    /// What the system says; [`Error::is_gone`] if the file is not there.
    pub fn recycle(&self, queue: QueueName, id: &QueueId, to: QueueName) -> Result<Option<QueueId>, Error> {
        match self.keep(queue, id, to) {
            // To remove it takes neither a descriptor nor a lock, and a finished message that stays is delivered again.
            Err(error) if !error.is_gone() => self.remove(queue, id).map(|()| None),
            result => result,
        }
    }

    fn keep(&self, queue: QueueName, id: &QueueId, to: QueueName) -> Result<Option<QueueId>, Error> {
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
        let shorten = |()| if data.len() > WRITTEN_OVER { file.set_len(0) } else { Ok(()) };
        match rename_new(&old, &path).and_then(shorten) {
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

    /// Whether the file system of a queue puts its own changes on disk in the order in which they were made, so that an `fsync` of
    /// one file that was changed later brings those of another along. ext4 and XFS write one journal. btrfs never writes over the
    /// bytes of a file, and what is in memory has no order to lose. ext4 without a journal keeps none, there or elsewhere: it
    /// gives the blocks of a removed file to the next one at once, with what may come of that.
    #[must_use]
    pub fn has_order(&self, queue: QueueName) -> bool {
        const KNOWN: [FsType; 4] = [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC];
        statfs(&self.directory(queue)).is_ok_and(|found| KNOWN.contains(&found.filesystem_type()))
    }

    /// Takes a spare file for a new message. It may have the bytes of the old one.
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
        let spare = data.is_file() && data.nlink() == 1 && data.mode() & 0o7777 == 0o600;
        if !spare || id.inode() != Some(data.ino()) {
            return Err(Error::system("reuse", &path, io::Error::from(ErrorKind::InvalidData)));
        }
        Ok(NewFile::open(id, queue, path, file, data.len()))
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

    fn spare(spool: &Spool, content: &[u8]) -> NewFile {
        let new = spool.recycle(QueueName::Active, &finished(spool, content), QueueName::Incoming).unwrap().unwrap();
        spool.reuse(QueueName::Incoming, new).unwrap()
    }

    fn mail(spool: &Spool, file: NewFile) -> Vec<u8> {
        let path = spool.path(QueueName::Incoming, file.commit().unwrap().id());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        fs::read(path).unwrap()
    }

    #[test]
    fn a_finished_file_becomes_a_new_one() {
        let (_root, spool) = spool();
        let old = finished(&spool, b"secret");
        let new = spool.recycle(QueueName::Active, &old, QueueName::Incoming).unwrap().unwrap();
        assert!(spool.metadata(QueueName::Active, &old).unwrap_err().is_gone());
        assert_eq!(new.inode(), old.inode());
        assert_eq!(spool.metadata(QueueName::Incoming, &new).unwrap().mode() & 0o7777, 0o600);
        let mut file = spool.reuse(QueueName::Incoming, new.clone()).unwrap();
        assert_eq!(file.id(), &new);
        file.empty().unwrap();
        file.file().write_all_at(b"new", 0).unwrap();
        assert_eq!(mail(&spool, file), b"new");
    }

    #[test]
    fn what_is_written_over_is_mail_when_it_is_on_disk() {
        let (_root, spool) = spool();
        for new in [&b""[..], b"new", b"longer than before"] {
            let mut file = spare(&spool, b"secret");
            file.write_whole(new).unwrap();
            let mut waited = false;
            let wait = |written: &fs::File| {
                waited = true;
                assert_eq!(written.metadata()?.mode() & 0o7777, 0o600, "it is mail already");
                Ok(())
            };
            let file = file.complete(wait).unwrap();
            assert!(waited);
            assert_eq!(mail(&spool, file), new);
        }
        let broken = |file: NewFile| file.complete(|_| Err(ErrorKind::StorageFull.into())).is_err();
        for fails in [broken, |file: NewFile| file.commit().is_err()] {
            let mut file = spare(&spool, b"secret");
            file.write_whole(b"new").unwrap();
            let id = file.id().clone();
            assert!(fails(file));
            assert!(spool.metadata(QueueName::Incoming, &id).unwrap_err().is_gone());
        }
    }

    #[test]
    fn a_large_file_is_emptied_at_once() {
        let (_root, spool) = spool();
        for (length, left) in [(64 * 1024, 64 * 1024), (64 * 1024 + 1, 0)] {
            let file = spare(&spool, &vec![0; length]);
            assert_eq!(file.file().metadata().unwrap().len(), left);
        }
    }

    #[test]
    fn the_message_before_never_comes_back() {
        let (_root, spool) = spool();
        assert!(spare(&spool, b"secret").commit().is_err(), "it was neither emptied nor written over");
        assert_eq!(fs::read_dir(spool.directory(QueueName::Incoming)).unwrap().count(), 0);
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
    fn a_file_that_cannot_be_looked_at_is_removed() {
        let (_root, spool) = spool();
        let id = QueueId::short(1, 2);
        let path = spool.path(QueueName::Active, &id);
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert!(!spool.open(QueueName::Active, &id).unwrap_err().is_gone());
        assert_eq!(spool.recycle(QueueName::Active, &id, QueueName::Incoming).unwrap(), None);
        assert!(fs::symlink_metadata(path).is_err());
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
