//! The structure of the queue: files in the directories where they belong, under names that tell their inodes.
//!
//! Needed after `hash_queue_names` or `hash_queue_depth` has changed, after a restored backup, and on the way back from
//! long ids. Files that a crash has left half written are removed when they are old.

use crate::act::Counts;
use crate::options::{Names, Options};
use command::Fatal;
use queue_file::{Error, QueueId, QueueName, Spool};
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tracing::{info, warn};

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
            info!("remove subdirectory {}", path.display());
        }
    }

    fn file(&mut self, name: &str, path: &Path, data: &Metadata) -> Result<(), Fatal> {
        let is_log = matches!(
            self.queue,
            QueueName::Bounce | QueueName::Defer | QueueName::Trace | QueueName::Flush | QueueName::Saved
        );
        let is_complete = is_log || data.permissions().mode() & 0o100 != 0;
        let Some(id) = QueueId::parse(name) else {
            return if self.is_leftover(data) { remove(path) } else { self.bogus(path) };
        };
        if !is_complete {
            return if self.is_leftover(data) { remove(path) } else { Ok(()) };
        }
        if self.names.is_none() {
            return Ok(());
        }
        let new = if is_log { id.clone() } else { self.name(&id, data) };
        let target = self.spool.path(self.queue, &new);
        if target == path {
            return Ok(());
        }
        self.rename(path, &target)?;
        if new != id {
            self.counts.renamed += 1;
            for log in [QueueName::Bounce, QueueName::Defer, QueueName::Trace] {
                match self.spool.rename_as(&id, log, &new, log) {
                    Err(error) if !error.is_gone() => return Err(error.into()),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        Ok(())
    }

    fn bogus(&self, path: &Path) -> Result<(), Fatal> {
        // Files under a name of the moment are being created.
        if !path.to_string_lossy().contains('.') {
            warn!("bogus file name: {}", path.display());
        }
        Ok(())
    }

    fn is_leftover(&self, data: &Metadata) -> bool {
        let age = data.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
        self.purge && age.is_some_and(|age| age > OLD)
    }

    /// The name that a file should have.
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

    fn rename(&self, from: &Path, to: &Path) -> Result<(), Fatal> {
        let result = fs::rename(from, to).or_else(|_| {
            let directory = to.parent().map(PathBuf::from).unwrap_or_default();
            fs::create_dir_all(directory)?;
            fs::rename(from, to)
        });
        match result {
            Ok(()) => info!("renamed file {} as {}", from.display(), to.display()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("rename file", from, error)),
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<(), Fatal> {
    match fs::remove_file(path) {
        Ok(()) => info!("removed file {}", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("remove file", path, error)),
    }
    Ok(())
}

fn failed(doing: &'static str, path: &Path, source: std::io::Error) -> Fatal {
    Error::System { doing, path: path.to_owned(), source }.into()
}
