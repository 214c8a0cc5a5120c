//! The structure of the queue: files in the directories where they belong, under names that tell their inodes.
//!
//! Needed after `hash_queue_names` or `hash_queue_depth` has changed, after a restored backup, and on the way back from
//! long ids. Files that a crash has left half written are removed when they are old.

use crate::act::{Counts, moved_home};
use crate::options::{Names, Options};
use command::Fatal;
use queue_file::{Error, QueueId, QueueName, Spool};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tracing::{debug, warn};

/// Files that are not mail are left overs at this age.
const OLD: Duration = Duration::from_secs(7 * 86400);
/// Directories below a queue go no deeper than this.
const DEEPEST: usize = 16;

/// Checks and repairs, as far as was asked for.
pub(crate) fn check(spool: &Spool, options: &Options, counts: &mut Counts) -> Result<(), Fatal> {
    for queue in [QueueName::Maildrop] {
        if spool.layout().depth(queue) > 0 {
            return Err(Fatal::new(format!("{queue} queue must not be hashed")));
        }
    }
    for queue in options.checked() {
        let mut check = Check { spool, queue, names: options.structure, purge: options.purge, counts: &mut *counts };
        check.directory(&spool.directory(queue), 0)?;
    }
    Ok(())
}

struct Check<'a> {
    spool: &'a Spool,
    queue: QueueName,
    names: Option<Names>,
    purge: bool,
    counts: &'a mut Counts,
}

impl Check<'_> {
    fn directory(&mut self, directory: &Path, depth: usize) -> Result<(), Fatal> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory).map_err(|error| failed("open directory", directory, error))? {
            let entry = entry.map_err(|error| failed("read directory", directory, error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                entries.push((name, entry.path()));
            }
        }
        for (name, path) in entries {
            let Ok(data) = fs::symlink_metadata(&path) else { continue };
            if data.is_dir() {
                if name.len() == 1 && depth < DEEPEST {
                    self.directory(&path, depth + 1)?;
                    self.unneeded(&path, depth + 1);
                } else {
                    warn!("bogus file name: {}", path.display());
                }
                continue;
            }
            self.file(&name, &path, &data)?;
        }
        Ok(())
    }

    /// Removes a directory that the layout has no use for; one that is not empty stays.
    fn unneeded(&self, path: &Path, depth: usize) {
        if self.names.is_some() && depth > self.spool.layout().depth(self.queue) && fs::remove_dir(path).is_ok() {
            debug!("remove subdirectory {}", path.display());
        }
    }

    fn file(&mut self, name: &str, path: &Path, data: &Metadata) -> Result<(), Fatal> {
        let is_log = !QueueName::MAIL.contains(&self.queue);
        let is_complete = is_log || data.permissions().mode() & 0o100 != 0;
        let Some(id) = QueueId::parse(name) else {
            return match self.is_leftover(data) {
                true => remove(path),
                false if !is_complete && is_name_of_the_moment(name) => Ok(()),
                false => bogus(path),
            };
        };
        if !is_complete {
            return if self.is_leftover(data) { remove(path) } else { Ok(()) };
        }
        if self.names.is_none() {
            return Ok(());
        }
        if !is_log && id.inode().is_none() {
            return bogus(path);
        }
        let new = if is_log { id.clone() } else { self.name(&id, data) };
        if self.spool.path(self.queue, &new) == path || !self.settle(path, &new)? {
            return Ok(());
        }
        if new != id {
            self.counts.renamed += 1;
            for log in QueueName::LOGS {
                match self.spool.rename_as(&id, log, &new, log) {
                    Err(error) if !error.is_gone() => return Err(error.into()),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        Ok(())
    }

    fn is_leftover(&self, data: &Metadata) -> bool {
        let age = data.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
        self.purge && age.is_some_and(|age| age > OLD)
    }

    /// The name that a file should have: what it has of a time stays.
    fn name(&self, id: &QueueId, data: &Metadata) -> QueueId {
        let is_right = id.inode() == Some(data.ino());
        let stays = if id.is_long() {
            self.spool.layout().long_ids() && (is_right || self.names != Some(Names::Long))
        } else {
            is_right
        };
        if stays {
            return id.clone();
        }
        if let Some(new) = id.with_inode(data.ino(), self.spool.layout().long_ids()).filter(|new| !self.is_taken(new)) {
            return new;
        }
        let seconds = u64::try_from(data.mtime()).unwrap_or(0);
        let mut microseconds = u32::try_from(data.mtime_nsec() / 1000).unwrap_or(0);
        loop {
            let new = if id.is_long() && self.spool.layout().long_ids() {
                QueueId::long(seconds, microseconds, data.ino())
            } else {
                QueueId::short(microseconds, data.ino())
            };
            if !self.is_taken(&new) {
                return new;
            }
            microseconds = (microseconds + 1) % 1_000_000;
        }
    }

    fn is_taken(&self, id: &QueueId) -> bool {
        QueueName::MAIL.into_iter().any(|queue| self.spool.metadata(queue, id).is_ok())
    }

    /// Moves a file to where it belongs. One that would lie over another stays: that may get another name, and the next run
    /// moves this one.
    fn settle(&self, path: &Path, id: &QueueId) -> Result<bool, Fatal> {
        let is_moved = moved_home(self.spool, path, self.queue, id)?;
        if is_moved {
            debug!("renamed file {} as {}", path.display(), self.spool.path(self.queue, id).display());
        }
        Ok(is_moved)
    }
}

fn bogus(path: &Path) -> Result<(), Fatal> {
    warn!("bogus file name: {}", path.display());
    Ok(())
}

/// Whether a file has such a name while it is being created.
fn is_name_of_the_moment(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    name.split_once('.').is_some_and(|(time, process)| is_number(time) && is_number(process))
}

fn remove(path: &Path) -> Result<(), Fatal> {
    match fs::remove_file(path) {
        Ok(()) => debug!("removed file {}", path.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed("remove file", path, error)),
    }
    Ok(())
}

fn failed(doing: &'static str, path: &Path, source: std::io::Error) -> Fatal {
    Error::System { doing, path: path.to_owned(), source }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::Layout;
    use std::fs::Permissions;

    #[test]
    fn names_follow_inodes_and_keep_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        for queue in QueueName::ALL {
            fs::create_dir(directory.path().join(queue.as_str())).unwrap();
        }
        let spool = Spool::new(directory.path(), Layout::default());
        let put = |queue: &str, name: &str| {
            let path = directory.path().join(queue).join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
            fs::metadata(&path).unwrap().ino()
        };
        let inode = put("deferred", "AAAAA1");
        put("defer", "AAAAA1");
        for (queue, name) in [("hold", "OLD2"), ("hold", "AAAAAzz"), ("deferred", "junk.txt")] {
            put(queue, name);
        }
        let options = Options::parse("postsuper", &["-s".to_owned()]).unwrap();
        let mut counts = Counts::default();
        check(&spool, &options, &mut counts).unwrap();
        let new = format!("AAAAA{inode:X}");
        for path in [&format!("deferred/A/{new}"), &format!("defer/A/{new}"), "hold/OLD2", "hold/AAAAAzz"] {
            assert!(directory.path().join(path).is_file(), "{path}");
        }
        assert_eq!(counts.renamed, 1);
    }

    #[test]
    fn files_that_are_being_created_are_not_bogus() {
        for (name, expected) in [("123456.77", true), ("x.y", false), ("1.", false), ("12", false), ("junk.1", false)] {
            assert_eq!(is_name_of_the_moment(name), expected, "{name}");
        }
    }
}
