//! What can be done to a message: delete, expire, hold, release, requeue.

use crate::options::Options;
use queue_file::sweep::{Found, sweep};
use queue_file::{Error, QueueId, QueueName, Spool};
use std::fs::{self, FileTimes, Metadata, Permissions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tracing::{info, warn};

/// x permission of the owner: the file is complete.
const COMPLETE: u32 = 0o100;
/// x permission of the group: the next attempt is the last.
const EXPIRE: u32 = 0o010;
/// A file that moves while its queues are looked through is looked for again.
const TRIES: usize = 2;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Requeue,
    Delete,
    Expire,
    ExpireAndRelease,
    Hold,
    Release,
}

/// What has been done.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    requeued: u64,
    deleted: u64,
    expired: u64,
    held: u64,
    released: u64,
    pub(crate) renamed: u64,
}

impl Act {
    /// All, in the order in which they are done to all messages of a queue.
    pub(crate) const IN_ORDER: [Self; 6] =
        [Self::Requeue, Self::Delete, Self::Expire, Self::ExpireAndRelease, Self::Hold, Self::Release];

    /// The option that asks for it.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Requeue => 'r',
            Self::Delete => 'd',
            Self::Expire => 'e',
            Self::ExpireAndRelease => 'f',
            Self::Hold => 'h',
            Self::Release => 'H',
        }
    }

    /// The queues where messages are looked for if none is named.
    pub(crate) fn usual_queues(self) -> &'static [QueueName] {
        use QueueName::{Active, Deferred, Hold, Incoming, Maildrop};
        match self {
            Self::Delete => &[Hold, Incoming, Active, Deferred, Maildrop],
            Self::Requeue | Self::Expire | Self::ExpireAndRelease => &[Hold, Incoming, Active, Deferred],
            Self::Hold => &[Incoming, Active, Deferred],
            Self::Release => &[Hold],
        }
    }

    /// Whether it can be done in a queue. Logs can be deleted where that is asked for by name.
    pub(crate) fn is_for(self, queue: QueueName) -> bool {
        self.usual_queues().contains(&queue) || (self == Self::Delete && is_log(queue))
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.requeued += other.requeued;
        self.deleted += other.deleted;
        self.expired += other.expired;
        self.held += other.held;
        self.released += other.released;
        self.renamed += other.renamed;
    }

    /// Says how much has been done of what was asked for.
    pub(crate) fn report(&self, options: &Options) {
        let expires = options.has(Act::Expire) || options.has(Act::ExpireAndRelease);
        let releases = options.has(Act::Release) || options.has(Act::ExpireAndRelease);
        for (is_told, text, count) in [
            (options.has(Act::Requeue), "Requeued", self.requeued),
            (options.has(Act::Delete), "Deleted", self.deleted),
            (expires, "Force-expired", self.expired),
            (options.has(Act::Hold), "Placed on hold", self.held),
            (releases, "Released from hold", self.released),
            (self.renamed > 0, "Renamed to match inode number", self.renamed),
        ] {
            if is_told {
                info!("{text}: {count} message{}", if count == 1 { "" } else { "s" });
            }
        }
    }
}

/// Does it to one message, wherever it is, and says so.
pub(crate) fn one(
    spool: &Spool,
    act: Act,
    queues: &[QueueName],
    id: &QueueId,
    counts: &mut Counts,
) -> Result<(), Error> {
    for _ in 0..TRIES {
        for queue in queues {
            let done = apply(spool, act, *queue, id, counts)?;
            if !done.is_empty() {
                for text in done {
                    info!("{id}: {text}");
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Does it to all messages of some queues.
pub(crate) fn all(spool: &Spool, act: Act, queues: &[QueueName], counts: &mut Counts) -> Result<(), Error> {
    let work = |batch: Vec<Found>| {
        let mut counts = Counts::default();
        let done = batch.into_iter().try_for_each(|found| {
            let (queue, found) = found?;
            if is_log(queue) {
                return remove_log(&found.path());
            }
            settle(spool, queue, &found)?;
            apply(spool, act, queue, &found.id, &mut counts).map(|_| ())
        });
        (counts, done)
    };
    let mut outcome = Ok(());
    sweep(spool, queues, work, |(done, result)| {
        counts.add(&done);
        outcome = result;
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    outcome
}

/// Deletes the logs of messages that are no more.
pub(crate) fn orphans(spool: &Spool) -> Result<(), Error> {
    for queue in QueueName::LOGS {
        for found in spool.scan(queue) {
            let found = found?;
            if !has_message(spool, &found.id)? {
                remove_log(&found.path())?;
            }
        }
    }
    Ok(())
}

/// Whether a message is in any queue. One that moves from queue to queue can be overlooked once.
fn has_message(spool: &Spool, id: &QueueId) -> Result<bool, Error> {
    for queue in (0..TRIES).flat_map(|_| QueueName::MAIL) {
        if spool.has(queue, id)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_log(queue: QueueName) -> bool {
    !QueueName::MAIL.contains(&queue)
}

fn remove_log(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::System { doing: "remove", path: path.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Brings a message to where it is looked for: it lies elsewhere after a change of `hash_queue_names` or `hash_queue_depth`.
fn settle(spool: &Spool, queue: QueueName, found: &queue_file::Found) -> Result<(), Error> {
    let path = found.path();
    if path == spool.path(queue, &found.id) || !fs::symlink_metadata(&path).is_ok_and(|data| is_complete(&data)) {
        return Ok(());
    }
    moved_home(spool, &path, queue, &found.id).map(drop)
}

/// Moves a file to where its id belongs. One that has gone, or would lie over another, stays where it is: `false`.
pub(crate) fn moved_home(spool: &Spool, path: &Path, queue: QueueName, id: &QueueId) -> Result<bool, Error> {
    match spool.settle(path, queue, id) {
        Ok(()) => Ok(true),
        Err(error) if error.is_gone() => Ok(false),
        Err(error) if error.kind() == Some(io::ErrorKind::AlreadyExists) => {
            warn!("{error}");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

type Done = Vec<&'static str>;

fn apply(spool: &Spool, act: Act, queue: QueueName, id: &QueueId, counts: &mut Counts) -> Result<Done, Error> {
    match act {
        Act::Delete => delete(spool, queue, id, counts),
        Act::Requeue => {
            let is_done = is_mail(spool, queue, id)? && moved(spool, id, queue, QueueName::Maildrop)?;
            Ok(tell(is_done, &mut counts.requeued, "requeued"))
        }
        Act::Hold => {
            let is_done = is_mail(spool, queue, id)? && moved(spool, id, queue, QueueName::Hold)?;
            Ok(tell(is_done, &mut counts.held, "placed on hold"))
        }
        Act::Release => {
            let is_done = is_mail(spool, queue, id)? && release(spool, id)?;
            Ok(tell(is_done, &mut counts.released, "released from hold"))
        }
        Act::Expire => Ok(tell(expire(spool, queue, id)?, &mut counts.expired, "expired")),
        Act::ExpireAndRelease => {
            let mut done = tell(expire(spool, queue, id)?, &mut counts.expired, "expired");
            if queue == QueueName::Hold && is_mail(spool, queue, id)? && release(spool, id)? {
                done.append(&mut tell(true, &mut counts.released, "released from hold"));
            }
            Ok(done)
        }
    }
}

fn tell(is_done: bool, count: &mut u64, text: &'static str) -> Done {
    if is_done {
        *count += 1;
        vec![text]
    } else {
        Vec::new()
    }
}

/// A message goes with all its logs; those first, so that none is left to the next message of that id. A file that is not
/// complete stays: a daemon is writing it, or holds it ready for the next message.
fn delete(spool: &Spool, queue: QueueName, id: &QueueId, counts: &mut Counts) -> Result<Done, Error> {
    if !is_mail(spool, queue, id)? {
        return Ok(Vec::new());
    }
    for log in QueueName::LOGS {
        absent(spool.remove(log, id).map(|()| true))?;
    }
    let is_done = !absent(spool.remove(queue, id).map(|()| true))?;
    Ok(tell(is_done, &mut counts.deleted, "removed"))
}

/// Whether a file is not there; other errors stay errors.
fn absent(result: Result<bool, Error>) -> Result<bool, Error> {
    match result {
        Ok(present) => Ok(!present),
        Err(error) if error.is_gone() => Ok(true),
        Err(error) => Err(error),
    }
}

fn is_mail(spool: &Spool, queue: QueueName, id: &QueueId) -> Result<bool, Error> {
    match spool.metadata(queue, id) {
        Ok(data) => Ok(is_complete(&data)),
        Err(error) if error.is_gone() => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_complete(data: &Metadata) -> bool {
    data.is_file() && data.permissions().mode() & COMPLETE != 0
}

fn moved(spool: &Spool, id: &QueueId, from: QueueName, to: QueueName) -> Result<bool, Error> {
    Ok(!absent(spool.rename(id, from, to).map(|()| true))?)
}

/// What is released is due at once.
fn release(spool: &Spool, id: &QueueId) -> Result<bool, Error> {
    if let Ok(file) = spool.open(QueueName::Hold, id)
        && let Err(error) = file.set_times(FileTimes::new().set_modified(SystemTime::now()))
    {
        warn!("{id}: reset time stamps: {error}");
    }
    moved(spool, id, QueueName::Hold, QueueName::Deferred)
}

/// Whether the mark has been set; one that was there already does not count.
fn expire(spool: &Spool, queue: QueueName, id: &QueueId) -> Result<bool, Error> {
    if !is_mail(spool, queue, id)? {
        return Ok(false);
    }
    let path = spool.path(queue, id);
    let marked = fs::symlink_metadata(&path).and_then(|data| {
        let mode = data.permissions().mode() & 0o7777;
        if mode & EXPIRE != 0 {
            return Ok(false);
        }
        fs::set_permissions(&path, Permissions::from_mode(mode | EXPIRE)).map(|()| true)
    });
    marked_or_gone(marked, path)
}

/// A file that has gone, or is not ours, stays as it is and stops nothing.
fn marked_or_gone(marked: io::Result<bool>, path: PathBuf) -> Result<bool, Error> {
    match marked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            warn!("{}", Error::System { doing: "expire file", path, source });
            Ok(false)
        }
        Err(source) => Err(Error::System { doing: "expire file", path, source }),
        Ok(marked) => Ok(marked),
    }
}

#[cfg(test)]
mod tests;
