//! The queue as a list: what showq(8) tells, and postqueue(1) reads by itself while the mail system is down.

use crate::sweep::{readers, sweep};
use crate::{Buffered, Error, Message, QueueId, QueueName, Spool, log};
use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;

/// Mode bits of a file that is complete.
const READY: u32 = 0o700;
/// The bit that `postsuper -e` adds.
const EXPIRE: u32 = 0o010;
/// Recipients that are read at once.
const BATCH: usize = 10_000;

/// The queues in the order of a listing.
pub const ORDER: [QueueName; 5] =
    [QueueName::Maildrop, QueueName::Active, QueueName::Incoming, QueueName::Deferred, QueueName::Hold];

/// A message of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its queue.
    pub queue: QueueName,
    /// Its id.
    pub id: QueueId,
    /// Seconds since the epoch.
    pub arrived: i64,
    /// Bytes of content; of the whole file in `maildrop`.
    pub size: u64,
    /// Whether it is to be returned at the next attempt.
    pub expiring: bool,
    /// Envelope sender in internal form.
    pub sender: Vec<u8>,
    /// Those that are not done.
    pub recipients: Vec<Waiting>,
}

/// A recipient that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Address in internal form.
    pub address: Vec<u8>,
    /// The address before aliases; may be empty.
    pub original: Vec<u8>,
    /// Why it waits; empty if it has not been tried.
    pub reason: String,
}

/// Gives the messages of every queue to `take`, many at a time, until that has had enough. A file that goes away or cannot be read
/// meanwhile is passed over.
pub fn messages(spool: &Spool, take: impl FnMut(Vec<Result<Listed, Error>>) -> ControlFlow<()>) {
    let read = |found| match found {
        Ok((queue, id)) => message(spool, queue, id).map(Ok),
        Err(error) => Some(Err(error)),
    };
    sweep(spool, &ORDER, readers(), read, take);
}

/// A message, if it is one.
#[must_use]
pub fn message(spool: &Spool, queue: QueueName, id: QueueId) -> Option<Listed> {
    let file = spool.open_read(queue, &id).ok()?;
    let meta = file.metadata().ok()?;
    if !meta.is_file() || meta.mode() & READY != READY {
        return None;
    }
    read(spool, queue, id, &file, &meta).ok()
}

fn read(spool: &Spool, queue: QueueName, id: QueueId, file: &File, meta: &Metadata) -> Result<Listed, Error> {
    let mut message = Message::parse(Buffered::small(file), BATCH)?;
    let mut waiting = Vec::with_capacity(message.recipients.len());
    let mut logged = HashSet::new();
    if matches!(queue, QueueName::Deferred | QueueName::Active | QueueName::Hold) {
        reasons(spool, &id, &mut waiting, &mut logged);
    }
    let mut more = message.more.take().map(|(position, _)| position);
    loop {
        for recipient in message.recipients.drain(..).filter(|recipient| !logged.contains(&recipient.address)) {
            let (address, original) = (recipient.address, recipient.original);
            waiting.push(Waiting { address, original, reason: String::new() });
        }
        let Some(position) = more else { break };
        (message.recipients, more) = Message::more_recipients(Buffered::small(file), position, BATCH)?;
    }
    Ok(Listed {
        queue,
        id,
        arrived: if message.arrived.seconds > 0 { message.arrived.seconds } else { meta.mtime() },
        size: if message.sizes.is_some() { message.size() } else { meta.len() },
        expiring: meta.mode() & EXPIRE != 0,
        sender: message.sender,
        recipients: waiting,
    })
}

/// The recipients of the defer log, once each.
fn reasons(spool: &Spool, id: &QueueId, waiting: &mut Vec<Waiting>, logged: &mut HashSet<Vec<u8>>) {
    let Ok(entries) = log::read(spool, QueueName::Defer, id) else { return };
    for entry in entries.flatten() {
        if logged.insert(entry.recipient.clone()) {
            waiting.push(Waiting { address: entry.recipient, original: entry.original, reason: entry.reason });
        }
    }
}
