//! What the queue manager does on the disk: all of it blocks, and runs on the pool, many things in one go.

use crate::message::Handling;
use ipc::qmgr::Arrival;
use offload::{divide, spread};
use queue_file::record::Type;
use queue_file::sweep::THREADS;
use queue_file::{Buffered, Error, Lock, Message, Position, QueueId, QueueName, Recipient, Scan, Segments, Spool, log};
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

/// x permission of the owner: the file is complete.
const COMPLETE: u32 = 0o100;
/// x permission of the group: `postsuper -e` was here.
const EXPIRE: u32 = 0o010;

/// Fewer files than this are not worth a thread.
const LEAST: usize = 4;

/// A file in `incoming` that was not completed in this many seconds is nobody's.
const ABANDONED: i64 = 2 * 86_400;

/// Offsets of the recipients of an expiring message for whom it is on record why they did not get it.
pub(crate) type Excused = HashSet<i64>;

/// A file that the queue manager has looked at.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is in the active queue now.
    Active { id: QueueId, message: Box<Message>, handling: Handling },
    /// Somebody else has taken it, or it is not complete, or not due.
    Passed,
    /// A delivery of an earlier queue manager goes on.
    Busy(QueueId),
    /// It is no queue file, and was put aside.
    Corrupt(QueueId, Error),
    /// The system refused something.
    Failed(QueueId, Error),
}

/// How files are admitted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    /// Seconds since the epoch.
    pub(crate) now: i64,
    /// Files that are not due are admitted too.
    pub(crate) ignore_times: bool,
    /// `defer_transports` does not apply to what is found.
    pub(crate) flush: bool,
    /// Recipients that are kept of each message.
    pub(crate) recipients: usize,
    /// When a file that is being delivered is tried again, in seconds.
    pub(crate) busy_delay: i64,
}

/// Admits a file that cleanup has just committed.
pub(crate) fn admit_arrival(spool: &Spool, arrival: &Arrival, rules: Rules) -> Admission {
    let Some(id) = QueueId::parse(&arrival.queue_id) else { return Admission::Passed };
    match spool.rename(&id, QueueName::Incoming, QueueName::Active) {
        Ok(()) => {}
        Err(error) if error.is_gone() => return Admission::Passed,
        Err(error) => return Admission::Failed(id, error),
    }
    let parsed = if arrival.leading.is_empty() {
        spool.open_read(QueueName::Active, &id).and_then(|file| Message::parse(Buffered::small(file), rules.recipients))
    } else {
        let segments =
            Segments { leading: &arrival.leading, extracted_at: arrival.extracted_at, extracted: &arrival.extracted };
        Message::parse(segments, rules.recipients)
    };
    judge(spool, id, parsed, Handling { flush: rules.flush, expire: None })
}

/// The next files of a queue, admitted, at most so many; whether there may be more.
pub(crate) fn admit_some(
    spool: &Spool,
    queue: QueueName,
    scan: &mut Scan,
    most: usize,
    rules: Rules,
) -> (Vec<Admission>, bool) {
    let (due, is_more) = next_due(spool, queue, scan, most, rules);
    let spool = spool.clone();
    // Most of the time is spent waiting for the disk to hear of what is removed.
    let parts = due.len().div_ceil(LEAST).min(THREADS);
    let admitted = spread(divide(due, parts), move |id| admit(&spool, queue, id, rules));
    (admitted.into_iter().filter(|admission| !matches!(admission, Admission::Passed)).collect(), is_more)
}

/// The next files of a queue that are due, and whether there may be more. Those that are not cost little: many of them are passed
/// over in one go.
fn next_due(spool: &Spool, queue: QueueName, scan: &mut Scan, most: usize, rules: Rules) -> (Vec<QueueId>, bool) {
    let mut due = Vec::with_capacity(most);
    for _ in 0..50 * most {
        match scan.next() {
            Some(Ok(next)) => {
                if is_due(spool, queue, &next.id, rules) {
                    due.push(next.id);
                }
            }
            // The rest of the queue can do nothing for it.
            Some(Err(error)) => tracing::warn!("scan queue {queue}: {error}"),
            None => return (due, false),
        }
        if due.len() >= most {
            break;
        }
    }
    (due, true)
}

/// Whether it is time for a file, or not clear.
fn is_due(spool: &Spool, queue: QueueName, id: &QueueId, rules: Rules) -> bool {
    queue == QueueName::Active
        || rules.ignore_times
        || spool.metadata(queue, id).map_or_else(|error| !error.is_gone(), |data| modified(&data) <= rules.now)
}

fn admit(spool: &Spool, queue: QueueName, id: QueueId, rules: Rules) -> Admission {
    match try_admit(spool, queue, &id, rules) {
        Ok(Ok((file, handling))) => {
            let parsed = Message::parse(Buffered::small(&file), rules.recipients);
            judge(spool, id, parsed, handling)
        }
        Ok(Err(admission)) => admission,
        Err(error) if error.is_gone() => Admission::Passed,
        Err(error) => Admission::Failed(id, error),
    }
}

type Locked = (File, Handling);

fn try_admit(spool: &Spool, queue: QueueName, id: &QueueId, rules: Rules) -> Result<Result<Locked, Admission>, Error> {
    let file = spool.open(queue, id)?;
    let data = file.metadata()?;
    let mode = data.permissions().mode();
    if !data.is_file() || mode & COMPLETE == 0 {
        // Left behind by one that was killed before it made mail of it.
        if queue == QueueName::Incoming && data.is_file() && modified(&data) < rules.now.saturating_sub(ABANDONED) {
            spool.remove(queue, id)?;
        }
        return Ok(Err(Admission::Passed));
    }
    if Spool::lock_exclusive(&file)? == Lock::Busy {
        postpone(&file, rules.now.saturating_add(rules.busy_delay))?;
        if queue != QueueName::Deferred {
            spool.rename(id, queue, QueueName::Deferred)?;
        }
        return Ok(Err(Admission::Busy(id.clone())));
    }
    if queue != QueueName::Active {
        spool.rename(id, queue, QueueName::Active)?;
    }
    if mode & EXPIRE != 0 {
        return Ok(Ok((file, Handling { flush: rules.flush, expire: Some(excused(spool, id)?) })));
    }
    // What was deferred is tried now, and logged anew.
    match spool.remove(QueueName::Defer, id) {
        Err(error) if !error.is_gone() => return Err(error),
        Ok(()) | Err(_) => {}
    }
    Ok(Ok((file, Handling { flush: rules.flush, expire: None })))
}

fn excused(spool: &Spool, id: &QueueId) -> Result<Excused, Error> {
    match log::read(spool, QueueName::Defer, id) {
        Ok(entries) => Ok(entries.map(|entry| entry.map(|entry| entry.offset)).collect::<Result<_, Error>>()?),
        Err(error) if error.is_gone() => Ok(Excused::new()),
        Err(error) => Err(error),
    }
}

/// Says what is to become of a file in the active queue, by its envelope.
fn judge(spool: &Spool, id: QueueId, parsed: Result<Message, Error>, handling: Handling) -> Admission {
    match parsed {
        Ok(message) => Admission::Active { id, message: Box::new(message), handling },
        Err(error) if error.is_gone() => Admission::Passed,
        Err(error) if error.is_malformed() => match spool.rename(&id, QueueName::Active, QueueName::Corrupt) {
            Ok(()) => Admission::Corrupt(id, error),
            Err(error) => Admission::Failed(id, error),
        },
        Err(error) => Admission::Failed(id, error),
    }
}

/// More recipients of an active message.
pub(crate) fn refill(
    spool: &Spool,
    id: &QueueId,
    from: Position,
    most: usize,
) -> Result<(Vec<Recipient>, Option<Position>), Error> {
    let file = spool.open_read(QueueName::Active, id)?;
    Message::more_recipients(Buffered::small(file), from, most)
}

/// Which of the recipients at these offsets are not done yet: for a delivery that an agent did not answer.
pub(crate) fn still_to_do(spool: &Spool, id: &QueueId, offsets: &[i64]) -> Result<Vec<bool>, Error> {
    let file = spool.open_read(QueueName::Active, id)?;
    let mut byte = [0];
    let mut answers = Vec::with_capacity(offsets.len());
    for offset in offsets {
        let Ok(offset) = u64::try_from(*offset) else {
            answers.push(true);
            continue;
        };
        file.read_exact_at(&mut byte, offset)?;
        answers.push(byte == [b'R']);
    }
    Ok(answers)
}

/// Moves a message to the deferred queue, with its next attempt at a time.
pub(crate) fn defer(spool: &Spool, id: &QueueId, next: i64) -> Result<(), Error> {
    let file = spool.open(QueueName::Active, id)?;
    postpone(&file, next)?;
    spool.rename(id, QueueName::Active, QueueName::Deferred)
}

/// Notes that the sender has had the report on the first attempt.
pub(crate) fn disarm_report(spool: &Spool, id: &QueueId, offset: u64) -> Result<(), Error> {
    let file = spool.open(QueueName::Active, id)?;
    Ok(file.write_all_at(&[Type::Kill.byte()], offset)?)
}

/// Notes that the sender has been warned.
pub(crate) fn disarm_warning(spool: &Spool, id: &QueueId, offset: u64) -> Result<(), Error> {
    let file = spool.open(QueueName::Active, id)?;
    Ok(file.write_all_at(format!("W\x0f{:15}", 0).as_bytes(), offset)?)
}

fn postpone(file: &File, until: i64) -> io::Result<()> {
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(until).unwrap_or(0));
    file.set_times(std::fs::FileTimes::new().set_modified(time).set_accessed(time))
}

fn modified(data: &std::fs::Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    data.mtime()
}

#[cfg(test)]
mod tests;
