//! One destination's log: a file in `flush` with a queue id per line, under an exclusive lock while it is changed.

use queue_file::{Error, QueueId, QueueName, Spool};
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The largest log that is read, in bytes; what is beyond it is found by qmgr's own scans.
const LIMIT: u64 = 16 * 1024 * 1024;

/// A destination domain, as the name of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site(QueueId);

impl Site {
    /// The site of a domain (or address literal): what is neither letter nor digit becomes `_` in the log's name.
    #[must_use]
    pub fn named(domain: &str) -> Option<Self> {
        let name: String = domain.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        QueueId::parse(&name).map(Self)
    }

    /// Notes that a message waits for the site.
    ///
    /// # Errors
    /// What the system says.
    pub fn add(&self, spool: &Spool, id: &QueueId) -> Result<(), Error> {
        let path = spool.path(QueueName::Flush, &self.0);
        let mut log = open(&path)?;
        log.write_all(format!("{id}\n").as_bytes())?;
        Ok(())
    }

    /// Makes the site's messages due, and empties its log: what is deferred again is noted again.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&self, spool: &Spool) -> Result<(), Error> {
        let path = spool.path(QueueName::Flush, &self.0);
        if !path.exists() {
            return Ok(());
        }
        flush_log(spool, &path)
    }
}

/// Makes a deferred message due now: its time stamp is its next attempt.
///
/// # Errors
/// What the system says; a message that is not deferred (any more) is no error.
pub fn make_due(spool: &Spool, id: &QueueId) -> Result<(), Error> {
    let due = || -> Result<(), Error> {
        let file = spool.open(QueueName::Deferred, id)?;
        file.set_modified(SystemTime::now())?;
        spool.rename(id, QueueName::Deferred, QueueName::Incoming)
    };
    match due() {
        Err(error) if error.is_gone() => Ok(()),
        result => result,
    }
}

/// Flushes every log that was last flushed `age` ago or earlier, and removes those that have been empty for `purge`.
///
/// # Errors
/// What the system says of the first log that cannot be worked on.
pub fn flush_old(spool: &Spool, now: SystemTime, age: Duration, purge: Duration) -> Result<(), Error> {
    for found in spool.scan(QueueName::Flush) {
        let path = found?.path();
        let Ok(meta) = fs::metadata(&path) else { continue };
        let idle = meta.modified().ok().and_then(|then| now.duration_since(then).ok()).unwrap_or_default();
        if meta.len() == 0 {
            if idle >= purge {
                let _ = fs::remove_file(&path);
            }
        } else if idle >= age {
            flush_log(spool, &path)?;
        }
    }
    Ok(())
}

fn flush_log(spool: &Spool, path: &Path) -> Result<(), Error> {
    let mut log = open(path)?;
    let mut text = String::new();
    (&mut log).take(LIMIT).read_to_string(&mut text)?;
    let ids: HashSet<&str> = text.lines().collect();
    for id in ids.into_iter().filter_map(QueueId::parse) {
        make_due(spool, &id)?;
    }
    log.set_len(0)?;
    Ok(())
}

/// Opens a log for reading and appending, under its lock.
fn open(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let file = queue_file::with_directories(path, || options.open(path)).map_err(|source| Error::System {
        doing: "open file",
        path: path.to_owned(),
        source,
    })?;
    file.lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::Layout;

    fn id(text: &str) -> QueueId {
        QueueId::parse(text).unwrap()
    }

    #[test]
    fn a_site_flushes_its_own_messages_once() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), Layout::new([], 0));
        for queue in [QueueName::Deferred, QueueName::Incoming] {
            fs::create_dir(spool.directory(queue)).unwrap();
        }
        for name in ["AAAAA1", "AAAAA2"] {
            fs::write(spool.path(QueueName::Deferred, &id(name)), "x").unwrap();
        }
        let site = Site::named("example.org").unwrap();
        site.add(&spool, &id("AAAAA1")).unwrap();
        site.add(&spool, &id("AAAAA1")).unwrap();
        site.add(&spool, &id("AAAAA9")).unwrap();
        site.flush(&spool).unwrap();
        assert!(spool.path(QueueName::Incoming, &id("AAAAA1")).exists());
        assert!(spool.path(QueueName::Deferred, &id("AAAAA2")).exists());
        let log = fs::metadata(folder.path().join("flush/example_org")).unwrap();
        assert_eq!(log.len(), 0);
    }

    #[test]
    fn old_logs_are_flushed_and_empty_ones_removed() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path(), Layout::new([], 0));
        fs::create_dir(spool.directory(QueueName::Incoming)).unwrap();
        let site = Site::named("[192.0.2.1]").unwrap();
        site.add(&spool, &id("AAAAA1")).unwrap();
        let (hour, now) = (Duration::from_secs(3600), SystemTime::now());
        let log = spool.path(QueueName::Flush, &site.0);
        flush_old(&spool, now, hour, hour).unwrap();
        assert_ne!(fs::metadata(&log).unwrap().len(), 0, "still young");
        flush_old(&spool, now + hour * 2, hour, hour).unwrap();
        assert_eq!(fs::metadata(&log).unwrap().len(), 0);
        flush_old(&spool, now + hour * 2, hour, hour).unwrap();
        assert!(!log.exists());
    }
}
