//! The queue as a list: what showq(8) tells, and postqueue(1) reads by itself while the mail system is down.

use crate::sweep;
use crate::{Buffered, Error, Message, QueueId, QueueName, Spool, log};
use nix::sys::stat::{FileStat, fstat};
use std::collections::HashSet;
use std::fs::File;
use std::ops::ControlFlow;

/// Mode bits that tell what kind of file it is, and those of a usual one.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
/// Mode bits of a file that is complete.
const READY: u32 = 0o700;
/// The bit that `postsuper -e` adds.
const EXPIRE: u32 = 0o010;
/// Recipients that are read at once.
const BATCH: usize = 10_000;

/// So many addresses are compared one by one, which is quicker than a table.
const FEW: usize = 8;

/// The queues in the order of a listing, in two parts: of mail that moves while it is listed, most moves from the first to the
/// second.
const ORDER: [&[QueueName]; 2] =
    [&[QueueName::Maildrop, QueueName::Active, QueueName::Incoming], &[QueueName::Deferred, QueueName::Hold]];

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

/// Gives the messages of every queue to `work`, many at a time and in no particular order, and what comes of that to `take` in the
/// order of the queues, until that has had enough. A file that goes away or cannot be read meanwhile is passed over; one that was
/// active and is deferred meanwhile is met there.
pub fn messages<T: Send>(
    spool: &Spool,
    work: impl Fn(Vec<Result<Listed, Error>>) -> T + Sync,
    mut take: impl FnMut(T) -> ControlFlow<()>,
) {
    let read = |batch: Vec<sweep::Found>| {
        let mut buffers = Buffers::default();
        let read = |found: sweep::Found| match found {
            Ok((queue, found)) => message_through(spool, queue, found.id, &mut buffers).map(Ok),
            Err(error) => Some(Err(error)),
        };
        work(batch.into_iter().filter_map(read).collect())
    };
    let mut flow = ControlFlow::Continue(());
    for queues in ORDER {
        if flow.is_continue() {
            sweep::sweep(spool, queues, read, |result| {
                flow = take(result);
                flow
            });
        }
    }
}

/// Room to read into, for one file after the other.
#[derive(Default)]
struct Buffers {
    file: Vec<u8>,
    log: Vec<u8>,
}

/// A message, if it is one.
#[must_use]
pub fn message(spool: &Spool, queue: QueueName, id: QueueId) -> Option<Listed> {
    message_through(spool, queue, id, &mut Buffers::default())
}

fn message_through(spool: &Spool, queue: QueueName, id: QueueId, buffers: &mut Buffers) -> Option<Listed> {
    let file = spool.open_read(queue, &id).ok()?;
    let status = fstat(&file).ok()?;
    if status.st_mode & (KIND | READY) != (REGULAR | READY) {
        return None;
    }
    let mut source = Buffered::reusing(file, std::mem::take(&mut buffers.file));
    // In any queue: mail that was deferred may have been requeued, or moved by hand.
    let logged = Logged::read(spool, &id, &mut buffers.log);
    let listed = read((queue, id), &mut source, &status, logged);
    buffers.file = source.into_buffer();
    listed.ok()
}

fn read(
    (queue, id): (QueueName, QueueId),
    source: &mut Buffered<File>,
    status: &FileStat,
    logged: Logged,
) -> Result<Listed, Error> {
    let mut message = Message::parse_without_attributes(&mut *source, BATCH)?;
    let mut others = Vec::with_capacity(message.recipients.len());
    let mut more = message.more.take().map(|(position, _)| position);
    loop {
        for recipient in message.recipients.drain(..).filter(|recipient| !logged.has(&recipient.address)) {
            let (address, original) = (recipient.address, recipient.original);
            others.push(Waiting { address, original, reason: String::new() });
        }
        let Some(position) = more else { break };
        (message.recipients, more) = Message::more_recipients(&mut *source, position, BATCH)?;
    }
    let mut recipients = logged.waiting;
    recipients.append(&mut others);
    Ok(Listed {
        queue,
        id,
        arrived: if message.arrived.seconds > 0 { message.arrived.seconds } else { status.st_mtime },
        size: if message.sizes.is_some() { message.size() } else { u64::try_from(status.st_size).unwrap_or(0) },
        expiring: status.st_mode & EXPIRE != 0,
        sender: message.sender,
        recipients,
    })
}

/// The recipients that a defer log tells of, once each.
#[derive(Default)]
struct Logged {
    waiting: Vec<Waiting>,
    /// Their addresses, where they are more than [`FEW`].
    known: HashSet<Vec<u8>>,
}

impl Logged {
    fn read(spool: &Spool, id: &QueueId, buffer: &mut Vec<u8>) -> Self {
        let mut logged = Self::default();
        let Ok(entries) = log::read_through(spool, QueueName::Defer, id, buffer) else { return logged };
        for entry in entries.only(|name| matches!(name, b"recipient" | b"original_recipient" | b"reason")).flatten() {
            logged.add(entry);
        }
        logged
    }

    fn has(&self, address: &[u8]) -> bool {
        if self.waiting.len() > FEW {
            self.known.contains(address)
        } else {
            self.waiting.iter().any(|waiting| waiting.address == address)
        }
    }

    fn add(&mut self, entry: log::Entry) {
        let address = internal(entry.recipient);
        if self.has(&address) {
            return;
        }
        self.waiting.push(Waiting { address, original: internal(entry.original), reason: entry.reason });
        if self.waiting.len() > FEW {
            let unknown = self.waiting.iter().skip(self.known.len());
            self.known.extend(unknown.map(|waiting| waiting.address.clone()));
        }
    }
}

/// An address of a log in internal form: quotes, where it has any, stand around its local part.
fn internal(external: Vec<u8>) -> Vec<u8> {
    if !external.starts_with(b"\"") {
        return external;
    }
    let mut escaped = false;
    let mut is_text = |byte: &u8| {
        let is_mark = !escaped && matches!(byte, b'"' | b'\\');
        escaped = is_mark && *byte == b'\\';
        !is_mark
    };
    external.into_iter().filter(|byte| is_text(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_recipient_of_a_log_is_one_of_the_file() {
        let mut logged = Logged::default();
        let recipient = br#""c \"d\\"@example.org"#.to_vec();
        let original = b"\"x y\"@example.net".to_vec();
        logged.add(log::Entry { recipient, original, ..log::Entry::default() });
        assert!(logged.has(br#"c "d\@example.org"#));
        assert_eq!(logged.waiting.first().map(|waiting| &waiting.original[..]), Some(&b"x y@example.net"[..]));
    }

    #[test]
    fn a_recipient_that_was_logged_twice_is_listed_once() {
        for count in [1, FEW, FEW + 1, 3 * FEW] {
            let mut logged = Logged::default();
            for number in (0..count).chain(0..count) {
                let recipient = format!("{number}@example.org").into_bytes();
                logged.add(log::Entry { recipient, ..log::Entry::default() });
            }
            assert_eq!(logged.waiting.len(), count);
            assert!(logged.has(b"0@example.org") && !logged.has(format!("{count}@example.org").as_bytes()));
        }
    }

    /// A message in `active`.
    fn store(spool: &Spool) -> QueueId {
        use crate::record::{Type, put, put_time};
        use crate::{Sizes, Time};
        let mut records = Vec::new();
        put_time(&mut records, Time { seconds: 1_900_000_000, microseconds: 0 });
        put(&mut records, Type::Sender, b"a@example.org");
        put(&mut records, Type::Recipient, b"b@example.net");
        put(&mut records, Type::Message, b"");
        let data_offset = (Sizes::RECORD + records.len()) as u64;
        put(&mut records, Type::Extracted, b"");
        put(&mut records, Type::End, b"");
        let mut bytes = Vec::new();
        Sizes { data_offset, recipient_count: 1, ..Sizes::default() }.write(&mut bytes);
        bytes.extend_from_slice(&records);
        let new = spool.create(QueueName::Active).unwrap();
        std::io::Write::write_all(&mut new.file(), &bytes).unwrap();
        new.commit().unwrap().into_id()
    }

    #[test]
    fn mail_of_any_queue_has_its_reasons() {
        let root = tempfile::tempdir().unwrap();
        for queue in QueueName::ALL {
            std::fs::create_dir(root.path().join(queue.as_str())).unwrap();
        }
        let spool = Spool::new(root.path(), crate::Layout::new([], 1));
        let id = store(&spool);
        let log = root.path().join("defer").join(id.to_string());
        std::fs::write(log, "recipient=b@example.net\nreason=later\n\n").unwrap();
        for (from, to) in [
            (QueueName::Active, QueueName::Maildrop),
            (QueueName::Maildrop, QueueName::Incoming),
            (QueueName::Incoming, QueueName::Hold),
        ] {
            spool.rename(&id, from, to).unwrap();
            let listed = message(&spool, to, id.clone()).unwrap();
            assert_eq!(listed.recipients.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>(), ["later"], "{to}");
        }
    }

    #[test]
    fn what_is_deferred_while_active_mail_is_read_is_listed() {
        let root = tempfile::tempdir().unwrap();
        for queue in QueueName::ALL {
            std::fs::create_dir(root.path().join(queue.as_str())).unwrap();
        }
        let spool = Spool::new(root.path(), crate::Layout::default());
        let (stays, moves) = (store(&spool), store(&spool));
        spool.rename(&moves, QueueName::Active, QueueName::Corrupt).unwrap();
        let mut found = Vec::new();
        messages(
            &spool,
            |batch| batch,
            |batch| {
                found.extend(batch.into_iter().map(|listed| listed.unwrap().id));
                let _ = spool.rename(&moves, QueueName::Corrupt, QueueName::Deferred);
                ControlFlow::Continue(())
            },
        );
        assert_eq!(found, [stays, moves]);
    }
}
